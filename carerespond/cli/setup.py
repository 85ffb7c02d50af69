"""Setting up: `init`, `login` and `doctor`."""

import argparse
import json
import os
import re
from pathlib import Path

from carerespond.cli.terminal import ask, say
from carerespond.config import Home, find_home
from carerespond.domain.errors import ConfigError

LONGEST_PHRASE = 200  # characters of the first search, for a query may have 512 in all

_FIRST_CONFIG = """\
# carerespond: the configuration. Keep it in version control if you like: it holds no secret.
# Every key is described in docs/configuration.md. Check it with: carerespond doctor

[organisation]
name = {name}
public_body = true        # X asks public bodies for an Enterprise agreement: see docs/x.md
phone = ""                # the number to give to people who would rather talk
email = ""

[[account]]
id = "x"
network = "x"
handle = {handle}
client_id = ""            # of your app in X's developer console; then: carerespond login x

[[search]]
id = "names-us"
name = "Names us"
account = "x"
query = {query}
purpose = "hear what people say about us without tagging us"

[budget]
daily_usd = 2.00          # 0 means no limit
monthly_usd = 40.00
{operators}"""


def init(options: argparse.Namespace) -> int:
    """Write a first configuration; an existing one is never touched.

    Raises:
        ConfigError: There is one already, an answer is missing, or the folder cannot be written.
    """
    home = find_home()
    path = home.config_file
    if home.is_configured:
        raise ConfigError(f"{path} is there already.", "Edit it, or move it away first.")
    name = options.name or ask("The organisation's name")
    handle = (options.handle or ask("Its account on X, without the @")).removeprefix("@")
    if not name or not re.fullmatch(r"[A-Za-z0-9_]{1,15}", handle):
        raise ConfigError(
            "carerespond init needs the organisation's name and its handle on X.",
            'For example: carerespond init --name "Fairoaks Surgery" --handle FairoaksGP',
        )
    operators = options.operator or [n for n in [ask("Your own name, for the rota")] if n]
    text = _FIRST_CONFIG.format(
        name=_toml(name),
        handle=_toml(handle),
        query=_toml('"' + name.replace('"', " ")[:LONGEST_PHRASE] + '"'),
        operators="".join(f"\n[[operator]]\nname = {_toml(who)}\n" for who in operators),
    )
    _write_new(path, text)
    say(f"Wrote {path}")
    say("Next: put the words that your patients use into [[search]], then: carerespond login x")
    return 0


def _toml(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which JSON leaves bare. What a terminal
    # sent that is no text cannot be written at all.
    plain = text.encode("utf-8", "replace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_new(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.link(new, path)  # whole or not at all, and never over another
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}).",
            "Check the folder, or choose another with CARERESPOND_HOME.",
        ) from None


def login(options: argparse.Namespace) -> int:
    """Sign in to an account by OAuth 2 with a pasted address.

    Raises:
        ConfigError: No such account, or its app is not configured.
        NetworkError: The network did not accept the sign-in.
    """
    from carerespond.cli.signing_in import sign_in

    return sign_in(options.account, read_only=options.read_only)


def doctor(options: argparse.Namespace) -> int:  # noqa: ARG001 - commands take their options
    """Print what is right, what is wrong and how to mend it; 0 when nothing is wrong."""
    from carerespond.cli.diagnosis import examine

    findings = list(dict.fromkeys(examine(find_home())))  # one folder may hold everything
    for finding in findings:
        say(f"{finding.mark:<5} {finding.text}")
        if finding.remedy:
            say(f"      {finding.remedy}")
    wrong = sum(finding.mark == "wrong" for finding in findings)
    say(f"\n{wrong} wrong" if wrong else "\nnothing is wrong")
    return 2 if wrong else 0


def require_configuration(home: Home) -> None:
    """Refuse to go on without a configuration.

    Raises:
        ConfigError: There is none; says how to make one and how to practise without.
    """
    if not home.is_configured:
        raise ConfigError(
            f"There is no configuration yet ({home.config_file}).",
            "Run `carerespond practice` to try it without an account, or `carerespond init`.",
        )
