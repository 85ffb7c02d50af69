"""What `carerespond doctor` looks at."""

import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

from carerespond import __version__
from carerespond.config import Config, Home, load_config
from carerespond.domain.errors import CarerespondError

ESCAPE_TIME_MS = 50  # above this, tmux holds Esc long enough to swallow the next key
PRIVATE = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `mark` is ok, note or wrong; the remedy is what to do."""

    mark: str
    text: str
    remedy: str = ""


def examine(home: Home) -> Iterator[Finding]:
    """Everything there is to say about this installation; makes no network call."""
    yield Finding(
        "ok", f"carerespond {__version__}, Python {platform.python_version()} ({sys.executable})"
    )
    told = list(_configuration(home))
    yield from told
    yield from _secrets(home, [finding.text for finding in told])
    yield from _database(home)
    yield from _terminal()


def _configuration(home: Home) -> Iterator[Finding]:
    if not home.is_configured:
        yield Finding("wrong", f"no configuration at {home.config_file}", "Run: carerespond init")
        return
    try:
        config = load_config(home.config_file)
    except CarerespondError as error:
        yield Finding("wrong", error.problem, error.remedy)
        return
    yield Finding(
        "ok",
        f"{home.config_file}: {_count(config.searches, 'saved search', 'es')},"
        f" {_count(config.accounts, 'account')}, {_count(config.services, 'service')}",
    )
    yield from _parts(home, config)
    yield from _sign_ins(home, config)
    if not config.operators:
        yield Finding("note", "no operators are named", "Add [[operator]] tables: who is on duty?")
    if not config.budget.daily_usd and not config.budget.monthly_usd:
        yield Finding("note", "no budget is set", "Add [budget] daily_usd and monthly_usd.")


def _parts(home: Home, config: Config) -> Iterator[Finding]:
    """What the configuration names and is read when it is needed."""
    from carerespond.cli.inbox import check_looks
    from carerespond.cli.wiring import load_triage

    for look in (lambda: load_triage(config), lambda: check_looks(home, config)):
        try:
            look()
        except CarerespondError as error:
            yield Finding("wrong", error.problem, error.remedy)


def _count(things: Sized, name: str, plural: str = "s") -> str:
    return f"{len(things)} {name}{plural if len(things) != 1 else ''}"


def _sign_ins(home: Home, config: Config) -> Iterator[Finding]:
    """The accounts that cannot be listened to yet, for nobody is signed in to them."""
    from carerespond.networks.tokens import find_bearer, load_token, token_path

    for account in config.accounts:
        name = account.account_id
        try:
            token = load_token(token_path(home.secrets, name)) or find_bearer(
                home.secrets, name, account.network, account.token_file, os.environ
            )
        except CarerespondError as error:
            yield Finding("wrong", error.problem, error.remedy)
            continue
        if token is None:
            first = "" if account.client_id else "put its client_id into config.toml, then "
            remedy = f"{first}run: carerespond login {name}"
            yield Finding("note", f"nobody is signed in to {name}", remedy[:1].upper() + remedy[1:])


def _secrets(home: Home, told: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with the files in the folder of secrets, but for what was told of already."""
    try:
        found = [home.secrets, *sorted(home.secrets.iterdir())]
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding(
            "wrong", f"{home.secrets}: cannot be read ({error.strerror})", "Check its permissions."
        )
        return
    for path in found:
        if not any(text.startswith(f"{path}:") for text in told):
            yield from _secret(path)


def _secret(path: Path) -> Iterator[Finding]:
    try:
        status = path.lstat()
    except OSError:
        return  # gone since: another program is renewing a token
    if stat.S_ISLNK(status.st_mode):
        yield Finding("wrong", f"{path} is a symbolic link", "Put the file itself there.")
    elif status.st_mode & PRIVATE:
        mode = "700" if path.is_dir() else "600"
        yield Finding("wrong", f"{path} can be read by others", f"Run: chmod {mode} {path}")
    elif status.st_uid != os.geteuid():
        yield Finding("wrong", f"{path} belongs to somebody else", "Make it your own.")


def _database(home: Home) -> Iterator[Finding]:
    from carerespond.cli.wiring import examine_database

    try:
        problems = examine_database(home)
    except CarerespondError as error:
        yield Finding("wrong", error.problem, error.remedy)
        return
    if problems is None:
        yield Finding("note", f"no database yet at {home.database}")
    elif problems:
        yield Finding(
            "wrong",
            f"{home.database} is damaged: {problems[0]}",
            "Stop carerespond, copy the file away and restore the newest backup.",
        )
    else:
        yield Finding("ok", f"{home.database} is sound")


def _terminal() -> Iterator[Finding]:
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        yield Finding("note", f"TERM is {term or 'empty'}: the inbox needs a full terminal")
    if not os.environ.get("TMUX"):
        return
    escape_time = _tmux("escape-time")
    if escape_time.isdigit() and int(escape_time) > ESCAPE_TIME_MS:
        yield Finding(
            "note",
            f"tmux holds the Esc key for {escape_time} ms; a key pressed soon after it is lost",
            "Put into ~/.tmux.conf: set -sg escape-time 25",
        )
    if _tmux("set-clipboard") != "on":
        yield Finding(
            "note",
            "tmux does not pass copied text to your terminal",
            "Put into ~/.tmux.conf: set -g set-clipboard on",
        )


def _tmux(option: str) -> str:
    program = shutil.which("tmux")
    if program is None:
        return ""
    try:
        shown = subprocess.run(  # noqa: S603 - a fixed command of our own
            [program, "show-options", "-sv", option],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return shown.stdout.strip()
