"""Whatever is wrong with the set-up: one message with a remedy, exit code 2, nothing changed."""

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from carerespond.domain.errors import NetworkDriveError
from carerespond.storage.schema import MIGRATIONS
from carerespond.storage.sqlite import open_database, problems
from tests.cli.support import CONFIG, Ran, Run, broken, inside, on_terminal, private, ran, tree

SECRET = "AAAAAsecretAAAAA"
COMMANDS = {
    "check": ("check",),
    "listen": ("listen",),
    "import": ("import", "/dev/null"),
    "login": ("login", "x"),
    "doctor": ("doctor",),
}
NOBODY = 65534
is_root = os.geteuid() == 0

Make = Callable[[Path], object]


@pytest.fixture(name="here")
def run_in_this_process(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(home: Path, *arguments: str) -> Ran:
        return inside(home, capsys, monkeypatch, *arguments)

    return run


def check_refused(run: Run, home: Path, command: str, words: list[str]) -> None:
    """The check of every test here: what is said, how it ends, and that nothing has changed."""
    before = tree(home)
    told = run(home, *COMMANDS.get(command, (command,) if command else ()))
    assert told.code == 2, told
    assert "Traceback" not in told.words
    assert SECRET not in told.words
    if command == "doctor":
        found = re.findall(r"^wrong (.*\n(?:      .*\n)?)", told.out, re.M)
        assert len(found) == 1, told.out
        message = found[0]
    else:
        message = told.err or told.out
        assert message.startswith("carerespond: "), told
        assert len(message.splitlines()) == 1, message
        assert not (told.err and told.out), told
    for word in words:
        assert word in message, message
    assert tree(home) == before, "something was changed"


# -- the configuration -------------------------------------------------------------------------


def change(old: str, new: str) -> Make:
    assert CONFIG.count(old) == 1, old

    def make(home: Path) -> None:
        (home / "config.toml").write_text(CONFIG.replace(old, new), encoding="utf-8")

    return make


def write(data: bytes) -> Make:
    return lambda home: (home / "config.toml").write_bytes(data)


def replaced_by(make: Make, name: str = "config.toml") -> Make:
    def work(home: Path) -> None:
        (home / name).unlink(missing_ok=True)
        make(home / name)

    return work


def link(path: Path) -> None:
    target = path.parent / "elsewhere"
    if path.name == "config.toml":
        target.write_text(CONFIG)
    path.symlink_to(target)


def mode(bits: int, name: str = "config.toml") -> Make:
    return lambda home: (home / name).chmod(bits)


CONFIGURATIONS: dict[str, tuple[Make, list[str]]] = {
    "unknown key": (
        change("daily_usd = 2", "daly_usd = 2"),
        ["config.toml, line 29: ", "'daly_usd'", "[budget]", "Did you mean 'daily_usd'?"],
    ),
    "unknown table": (change("[budget]", "[bugdet]"), ["line 28: ", "Did you mean 'budget'?"]),
    "wrong type": (change("daily_usd = 2", "daily_usd = '2'"), ["line 29: ", "Write a number"]),
    "out of range": (
        change("claim_minutes = 30", "claim_minutes = 0"),
        ["line 32: ", "claim_minutes is out of range", "Use 1 to 1440"],
    ),
    "missing required": (
        change('handle = "StElsewhere"\n', ""),
        ["line 4: ", "[account] has no handle", "Add: handle = "],
    ),
    "no such account": (
        change('account = "x"', 'account = "y"'),
        ["line 20: ", "'y'", "Add an [[account]]"],
    ),
    "no such service": (
        change('service = "eye"', 'service = "ear"'),
        ["line 23: ", "'ear'", "Add a [[service]]"],
    ),
    "bad link": (
        change("https://stories.example/eye", "javascript:alert(1)"),
        ["line 15: ", "story_link", "https address"],
    ),
    "tokens in the clear": (
        change("http://127.0.0.1:9", "http://api.x.example"),
        ["line 8: ", "base_url", "https"],
    ),
    "two of one id": (
        change("[budget]", '[[service]]\nid = "eye"\nname = "Eyes"\n[budget]'),
        ["line 29: ", "'eye'", "Rename one."],
    ),
    "not TOML": (change("[budget]", "[budget"), ["not valid TOML", "line 28"]),
    "empty": (write(b""), ["line 1: ", "has no name"]),
    "not UTF-8": (write(b"name = '\xff'"), ["config.toml: not UTF-8", "byte 9", "Save"]),
    "UTF-16": (write(CONFIG.encode("utf-16")), ["config.toml: not UTF-8", "Save"]),
    "a folder in its place": (replaced_by(Path.mkdir), ["config.toml", "a folder", "Put a"]),
    "a pipe in its place": (replaced_by(os.mkfifo), ["config.toml", "not a file", "Put a"]),
    "a symbolic link": (replaced_by(link), ["config.toml is a symbolic link", "CARERESPOND_HOME"]),
    "a link to nothing": (
        replaced_by(lambda path: path.symlink_to("nowhere")),
        ["config.toml is a symbolic link"],
    ),
    "others may write it": (mode(0o606), ["config.toml can be changed by other", "chmod go-w"]),
    "a group may write it": (mode(0o660), ["config.toml can be changed by other", "chmod go-w"]),
    "others may write its folder": (mode(0o707, "."), ["can be changed by other", "chmod go-w"]),
    "a group may write its folder": (mode(0o2770, "."), ["can be changed by other", "chmod go-w"]),
}


@pytest.mark.promise
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_bad_configuration_is_refused_by_every_command(
    tmp_path: Path, here: Run, case: str, command: str
) -> None:
    make, words = CONFIGURATIONS[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(here, home, command, words)


@pytest.mark.promise
@pytest.mark.parametrize("case", ["unknown key", "a pipe in its place", "a symbolic link"])
def test_a_bad_configuration_is_refused_by_the_inbox(tmp_path: Path, case: str) -> None:
    make, words = CONFIGURATIONS[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(on_terminal, home, "", words)


@pytest.mark.promise
def test_a_bad_configuration_is_refused_by_practice(tmp_path: Path) -> None:
    """A person may edit it there too; it lives until the day is over."""
    home = private(tmp_path / "home")
    day = private(home / "practice", CONFIG.replace("daily_usd", "daly_usd"))
    from datetime import UTC, datetime

    began = datetime.now(UTC).isoformat()
    (day / "practice.json").write_text(f'{{"began_at": "{began}", "seed": 1}}')
    check_refused(on_terminal, home, "practice", ["practice/config.toml, line 29: ", "'daly_usd'"])


@pytest.fixture(name="without_rights")
def run_as_nobody(tmp_path: Path, here: Run) -> Run:
    """Run as a user whom files can be kept from; root may do everything."""
    if not is_root:
        return here
    good = private(tmp_path / "good")
    for command in COMMANDS.values():
        here(good, *command)  # all is imported now: another user may not reach the interpreter

    def run(home: Path, *arguments: str) -> Ran:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            return here(home, *arguments)
        finally:
            os.seteuid(0)
            os.setegid(0)

    return run


@pytest.mark.promise
@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_cannot_be_read_is_named(without_rights: Run, command: str) -> None:
    with owned_by_nobody() as home:
        (home / "config.toml").chmod(0)
        words = ["config.toml: cannot be read", "Permission denied", "owner and permissions"]
        check_refused(without_rights, home, command, words)


@pytest.mark.promise
def test_a_folder_that_may_not_be_entered_is_no_missing_configuration(without_rights: Run) -> None:
    with owned_by_nobody() as home:
        home.chmod(0)
        told = without_rights(home, "check")
        home.chmod(0o700)
    assert told.code == 2
    assert "cannot be read (Permission denied)" in told.err


class owned_by_nobody:  # noqa: N801  # a context manager, named as it is read
    """A home that a user without rights owns and can reach: root may read everything."""

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp(prefix="carerespond-test-"))
        home = private(self._folder / "home")
        if is_root:
            self._folder.chmod(0o755)
            for path in (home, home / "config.toml"):
                os.chown(path, NOBODY, NOBODY)
        return home

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)


# -- what the configuration names --------------------------------------------------------------


def with_keys(line: str) -> Make:
    return change("claim_minutes = 30\n", f"claim_minutes = 30\n\n[keys]\nredraw = 'f9'\n{line}\n")


def with_theme(text: str | None, name: str = "mine.toml") -> Make:
    def make(home: Path) -> None:
        change("[inbox]\n", f"[inbox]\ntheme = '{name}'\n")(home)
        if text is not None:
            (home / name).write_text(text)

    return make


def with_rules(make_file: Make) -> Make:
    def make(home: Path) -> None:
        change("[inbox]\n", "[inbox]\nrules_file = 'my-rules.toml'\n")(home)
        make_file(home / "my-rules.toml")

    return make


LOOKS: dict[str, tuple[Make, list[str]]] = {
    "a key that screen takes": (
        with_keys("later = 'ctrl+a'"),
        ["config.toml, line 36: ", "'ctrl+a' cannot be a key: GNU screen takes it"],
    ),
    "a key that is Enter": (with_keys("later = 'ctrl+m'"), ["line 36: ", "arrives as Enter"]),
    "a key with Alt": (with_keys("later = 'alt+x'"), ["line 36: ", "Alt arrives as Esc"]),
    "no such key": (with_keys("later = 'f13'"), ["line 36: ", "there is no such key"]),
    "one key for two": (with_keys("later = 'f9'"), ["line 35: ", "bound twice: ", "another key"]),
    "no such command": (with_keys("latr = 'f8'"), ["line 36: ", "Did you mean 'later'?"]),
    "no such theme": (
        with_theme(None, "drak"),
        ["config.toml, line 32: ", "no theme 'drak'", "Known: ", "dark"],
    ),
    "no such theme file": (with_theme(None), ["mine.toml: there is no such file", "[inbox] theme"]),
    "a theme without colours": (with_theme("dark = true\n"), ["mine.toml: primary is missing"]),
    "a theme that is not TOML": (with_theme("dark ="), ["mine.toml: not valid TOML", "Mend"]),
    "a theme key mistyped": (
        with_theme("primry = '#fff'\n"),
        ["mine.toml: primry is not a key", "Did you mean 'primary'?"],
    ),
}
RULES: dict[str, tuple[Make, list[str]]] = {
    "no such rules": (
        with_rules(lambda path: None),
        ["my-rules.toml: there is no such file", "[inbox] rules_file"],
    ),
    "rules that are not TOML": (
        with_rules(lambda path: path.write_text("[panes]\nurgent = \n")),
        ["my-rules.toml: not valid TOML", "line 2"],
    ),
    "a rules key mistyped": (
        with_rules(lambda path: path.write_text("[panes]\n\nurgnt = 9\n")),
        ["my-rules.toml, line 3: unknown key 'urgnt'", "Did you mean 'urgent'?"],
    ),
    "rules that are not UTF-8": (
        with_rules(lambda path: path.write_bytes(b"\xff\xfe")),
        ["my-rules.toml: not UTF-8", "Save"],
    ),
    "a folder for rules": (with_rules(Path.mkdir), ["my-rules.toml", "a folder"]),
}


@pytest.mark.promise
@pytest.mark.parametrize("case", [*LOOKS, *RULES])
def test_bad_keys_themes_and_rules_are_found_by_the_doctor(
    tmp_path: Path, here: Run, case: str
) -> None:
    make, words = (LOOKS | RULES)[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(here, home, "doctor", words)


@pytest.mark.promise
@pytest.mark.parametrize(
    "case", ["a key that screen takes", "no such theme", "a rules key mistyped"]
)
def test_bad_keys_themes_and_rules_are_refused_by_the_inbox_before_it_makes_anything(
    tmp_path: Path, case: str
) -> None:
    make, words = (LOOKS | RULES)[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(on_terminal, home, "", words)


@pytest.mark.promise
@pytest.mark.parametrize("command", ["listen", "import"])
@pytest.mark.parametrize("case", RULES)
def test_bad_rules_are_refused_by_what_needs_them_before_it_makes_anything(
    tmp_path: Path, here: Run, case: str, command: str
) -> None:
    make, words = RULES[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(here, home, command, words)


# -- secrets -----------------------------------------------------------------------------------


def secret(home: Path) -> Path:
    folder = home / "secrets"
    folder.mkdir(mode=0o700)
    path = folder / "x.bearer"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def readable_secret(home: Path) -> None:
    secret(home).chmod(0o644)


def linked_secret(home: Path) -> None:
    path = secret(home)
    path.rename(home / "elsewhere")
    path.symlink_to(home / "elsewhere")


def folder_for_a_secret(home: Path) -> None:
    path = secret(home)
    path.unlink()
    path.mkdir(mode=0o700)


def pipe_for_a_secret(home: Path) -> None:
    path = secret(home)
    path.unlink()
    os.mkfifo(path, 0o600)


def no_sign_in(home: Path) -> None:
    secret(home).rename(home / "secrets" / "x.token")


SECRETS: dict[str, tuple[Make, list[str], bool]] = {
    "others may read it": (readable_secret, ["x.bearer", "read by others", "chmod 600"], True),
    "a symbolic link": (linked_secret, ["x.bearer", "link"], True),
    "a folder": (folder_for_a_secret, ["x.bearer", "not a file"], False),
    "a pipe": (pipe_for_a_secret, ["x.bearer", "not a file"], False),
    "no sign-in": (no_sign_in, ["x.token", "no sign-in of carerespond", "sign in again"], False),
}


@pytest.mark.promise
@pytest.mark.parametrize("case", SECRETS)
def test_a_bad_secret_is_refused_and_not_shown(tmp_path: Path, here: Run, case: str) -> None:
    make, words, is_found_by_doctor = SECRETS[case]
    home = private(tmp_path / "home")
    open_database(home / "carerespond.db").close_now()
    make(home)
    check_refused(here, home, "listen", words)
    if is_found_by_doctor:
        check_refused(here, home, "doctor", [words[0]])


# -- the database ------------------------------------------------------------------------------

DATABASE = "carerespond.db"


def made(home: Path) -> Path:
    path = home / DATABASE
    open_database(path).close_now()
    return path


def newer(home: Path) -> None:
    with closing(sqlite3.connect(made(home))) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 7}")


def anothers(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


def linked_database(home: Path) -> None:
    made(home).rename(home / "elsewhere.db")
    (home / DATABASE).symlink_to(home / "elsewhere.db")


def cut(home: Path) -> None:
    path = made(home)
    os.truncate(path, path.stat().st_size // 2)


def overwritten(home: Path) -> None:
    path = made(home)
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xa5" * (4096 - 100)  # the first page's tree: the list of tables
    path.write_bytes(data)


DATABASES: dict[str, tuple[Make, list[str]]] = {
    "newer": (newer, [DATABASE, "newer carerespond", "pip install --upgrade"]),
    "another program's": (anothers, [DATABASE, "not a carerespond database", "CARERESPOND_HOME"]),
    "a symbolic link": (linked_database, [DATABASE, "is a symbolic link", "or remove it"]),
    "a link to nothing": (
        lambda home: (home / DATABASE).symlink_to(home / "nowhere"),
        [DATABASE, "is a symbolic link"],
    ),
    "no database": (
        lambda home: (home / DATABASE).write_bytes(b"Dear diary, " * 500),
        [DATABASE, "is damaged", "restore the newest backup"],
    ),
    "cut short": (cut, [DATABASE, "is damaged", "restore the newest backup"]),
    "overwritten": (overwritten, [DATABASE, "is damaged", "restore the newest backup"]),
    "a folder": (lambda home: (home / DATABASE).mkdir(), [DATABASE, "not a file"]),
    "a pipe": (lambda home: os.mkfifo(home / DATABASE), [DATABASE, "not a file"]),
}


@pytest.mark.promise
@pytest.mark.parametrize("command", ["check", "listen", "import", "doctor"])
@pytest.mark.parametrize("case", DATABASES)
def test_a_bad_database_is_refused_and_left_alone(
    tmp_path: Path, here: Run, case: str, command: str
) -> None:
    make, words = DATABASES[case]
    home = private(tmp_path / "home")
    make(home)
    for path in home.glob(f"{DATABASE}*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
    if (home / "elsewhere.db").exists():
        (home / "elsewhere.db").chmod(0o600)
    check_refused(here, home, command, words)


@pytest.mark.promise
@pytest.mark.parametrize("case", ["newer", "overwritten"])
def test_a_bad_database_is_refused_by_the_inbox(tmp_path: Path, case: str) -> None:
    make, words = DATABASES[case]
    home = private(tmp_path / "home")
    make(home)
    check_refused(on_terminal, home, "", words)


@pytest.mark.promise
def test_a_database_that_another_program_holds_is_named_in_the_end(
    tmp_path: Path, here: Run
) -> None:
    home = private(tmp_path / "home")
    posts = tmp_path / "posts.jsonl"
    posts.write_text(
        '{"network": "x", "id": "1", "text": "hello", "created_at": "2026-11-24T08:00:00Z",'
        ' "author": {"id": "2", "handle": "jo"}}\n'
    )
    with closing(sqlite3.connect(made(home), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        told = here(home, "import", str(posts))
        assert here(home, "check").code == 0, "looking does not wait for a writer"
        holder.execute("ROLLBACK")
    assert told.code == 2
    assert "held by another program" in told.err
    assert len(told.err.splitlines()) == 1
    assert here(home, "import", str(posts)).code == 0, "and nothing is in the way afterwards"


# -- places ------------------------------------------------------------------------------------

SHARED = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "virtiofs", "ceph")

Open = Callable[[Path, Path], object]


def mount_table(folder: Path, kind: str) -> Path:
    """As proc_pid_mountinfo(5) has it, with an ordinary disk above and another beside."""
    named = str(folder).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    table = folder.parent / "mountinfo"
    table.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"22 21 0:40 / {named} rw shared:2 master:3 - {kind} server:/homes rw,vers=4.2\n"
        f"23 21 0:41 / {named}-other rw - tmpfs none rw\n"
    )
    return table


def check_drives(opens: Open, tmp_path: Path, name: str) -> None:
    for kind in SHARED:
        folder = tmp_path / kind / name
        folder.mkdir(parents=True, mode=0o700)
        table = mount_table(folder, kind)
        with pytest.raises(NetworkDriveError, match=re.escape(kind)) as caught:
            opens(folder / DATABASE, table)
        assert "CARERESPOND_HOME" in caught.value.remedy
        assert list(folder.iterdir()) == [], "no file was made"


def opened(path: Path, table: Path) -> object:
    database = open_database(path, mounts=table)
    database.close_now()
    return database


@pytest.mark.promise
@pytest.mark.parametrize("name", ["home", "my home", "tab\tand\\stroke"])
def test_a_drive_that_several_computers_share_is_refused(tmp_path: Path, name: str) -> None:
    check_drives(opened, tmp_path, name)
    check_drives(problems, tmp_path / "doctor", name)


@pytest.mark.promise
def test_going_by_the_name_of_the_folder_would_be_noticed(tmp_path: Path) -> None:
    def by_name(path: Path, table: Path) -> None:
        is_shared = any(kind in str(path.parent.name) for kind in SHARED)
        open_database(path, mounts=table, allow_network_drive=not is_shared).close_now()

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_drives(by_name, tmp_path, "home")


@pytest.mark.promise
def test_a_full_disk_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        home = private(disk / "home")
        check_refused(ran, home, "check", [DATABASE, "disk is full", "Free some space"])
        check_refused(ran, home, "import", [DATABASE, "disk is full"])
        (home / "config.toml").unlink()
        fill(disk)
        told = ran(home, "init", "--name", "A" * 9000, "--handle", "a")
        assert told.code == 2
        assert "cannot be written (No space left on device)" in told.err
        assert [path.name for path in home.iterdir()] == [], "no half of a configuration"


@pytest.mark.promise
def test_a_disk_that_fills_up_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        home = private(disk / "home")
        made(home)
        (home / f"{DATABASE}.ballast").unlink(missing_ok=True)
        fill(disk)
        check_refused(ran, home, "check", [DATABASE, "disk is full", "Free some space"])
        (disk / "filler").unlink()
        assert ran(home, "check").code == 0


@pytest.mark.promise
@pytest.mark.parametrize("command", ["check", "listen", "import"])
def test_a_folder_that_cannot_be_written_is_named(without_rights: Run, command: str) -> None:
    with owned_by_nobody() as home:
        home.chmod(0o500)
        words = ["cannot be", "Permission denied", "CARERESPOND_HOME"]
        check_refused(without_rights, home, command, words)
        home.chmod(0o700)


@pytest.mark.promise
def test_a_disk_that_is_read_only_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        home = private(disk / "home")
        made(home)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in ("check", "import"):
            check_refused(ran, home, command, ["cannot be written", "owner and permissions"])
        told = ran(home, "login", "x")
        assert "Traceback" not in told.words


@pytest.mark.promise
def test_a_report_that_cannot_be_written_is_no_second_fault(tmp_path: Path) -> None:
    """The program is broken on purpose; the report's folder is a file."""
    program = broken(
        tmp_path / "program", "services/status.py", "    moment = now()\n", "    moment = 1 / 0\n"
    )
    home = private(tmp_path / "home")
    (home / "logs").write_text("")
    told = ran(home, "check", at=program)
    assert told.code == 70
    assert "no file, for none could be written" in told.err
    assert "Traceback" not in told.err


class small_disk:  # noqa: N801  # a context manager, named as it is read
    """A disk of few bytes; making one is the superuser's."""

    def __init__(self, folder: Path, size: str) -> None:
        self._folder = folder
        self._size = size

    def __enter__(self) -> Path:
        self._folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self._folder)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
        return self._folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self._folder)], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


# -- planted bugs ------------------------------------------------------------------------------

PLANTED: dict[str, tuple[str, str, str, str, str, tuple[Make, list[str]]]] = {
    "a linked configuration is read": (
        "config/places.py",
        "if place == path and stat.S_ISLNK(status.st_mode):",
        "if False:",
        "check",
        "code=0",
        CONFIGURATIONS["a symbolic link"],
    ),
    "a folder of others is taken": (
        "config/places.py",
        "for place in (path.parent, path):",
        "for place in (path,):",
        "login",
        "1. Open this address|go-w",
        CONFIGURATIONS["others may write its folder"],
    ),
    "links to databases are followed": (
        "storage/places.py",
        "status = path.lstat()",
        "status = path.stat()",
        "check",
        "code=0",
        DATABASES["a symbolic link"],
    ),
    "a newer database is opened": (
        "storage/sqlite.py",
        "    if version > newest:",
        "    if False:",
        "check",
        "code=0",
        DATABASES["newer"],
    ),
    "the database comes before the rules": (
        "cli/daily.py",
        "    wiring.check_rules(config)\n",
        "",
        "listen",
        "something was changed",
        RULES["a rules key mistyped"],
    ),
    "a fault shows its traceback": (
        "cli/main.py",
        "    except CarerespondError as error:\n",
        "    except ZeroDivisionError as error:\n",
        "check",
        "code=70",
        CONFIGURATIONS["unknown key"],
    ),
}


@pytest.mark.promise
@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_bug_is_noticed(tmp_path: Path, case: str) -> None:
    name, old, new, command, words, (make, expected) = PLANTED[case]
    program = broken(tmp_path / "program", name, old, new)
    home = private(tmp_path / "home")
    make(home)
    with pytest.raises(AssertionError, match=words):
        check_refused(partial(ran, at=program), home, command, expected)


@pytest.mark.promise
def test_a_secret_in_a_message_is_noticed(tmp_path: Path) -> None:
    program = broken(
        tmp_path / "program",
        "networks/tokens.py",
        'f"{path}: this secret can be read by others."',
        'f"{path}: this secret can be read by others: {os.read(handle, 99).decode()}"',
    )
    home = private(tmp_path / "home")
    made(home)
    readable_secret(home)
    with pytest.raises(AssertionError, match=SECRET):
        check_refused(partial(ran, at=program), home, "listen", SECRETS["others may read it"][1])
