"""Running the program as a person does: with a home of its own, from a script or on a terminal."""

import fcntl
import hashlib
import os
import pty
import select
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import carerespond
from carerespond.cli.main import main

PATIENCE = 60.0  # seconds: many times what anything here takes
PACKAGE = Path(carerespond.__file__).parent

CONFIG = """\
[organisation]
name = "St Elsewhere NHS Trust"

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
base_url = "http://127.0.0.1:9"
client_id = "app"

[[service]]
id = "eye"
name = "Eye clinic"
nicknames = ["eyes"]
story_link = "https://stories.example/eye"

[[search]]
id = "names-us"
name = "Names us"
account = "x"
query = '"St Elsewhere"'
purpose = "hear what patients say"
service = "eye"

[[operator]]
name = "Priya"

[budget]
daily_usd = 2

[inbox]
claim_minutes = 30
"""


@dataclass(frozen=True)
class Ran:
    """What a run of the program came to."""

    code: int
    out: str
    err: str = ""

    @property
    def words(self) -> str:
        return self.out + self.err


def environment(home: Path, **more: str) -> dict[str, str]:
    ours = ("CARERESPOND", "TMUX", "CREDENTIALS", "NO_COLOR")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "CARERESPOND_HOME": str(home), "COLUMNS": "80", **more}


def run(
    home: Path, *arguments: str, stdin: bytes = b"", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a script would, with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "carerespond", *arguments],
        env=environment(home, **environ),
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


def ran(home: Path, *arguments: str, at: Path | None = None) -> Ran:
    """The same, in words; `at` holds another copy of the package."""
    done = subprocess.run(
        [sys.executable, "-m", "carerespond", *arguments],
        env=environment(home, **({"PYTHONPATH": str(at)} if at else {})),
        cwd=at,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def inside(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
) -> Ran:
    """The same within this process: quick, and without the program's first lines."""
    monkeypatch.setenv("CARERESPOND_HOME", str(home))
    capsys.readouterr()
    code = main(arguments)
    said = capsys.readouterr()
    return Ran(code, said.out, said.err)


class Terminal:
    """The program on a terminal of 80x24 that it controls."""

    def __init__(
        self, home: Path, *arguments: str, at: Path | None = None, size: tuple[int, int] = (24, 80)
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        environ = environment(home, TERM="xterm-256color", TTY=os.ttyname(slave))
        del environ["COLUMNS"]
        # The first thing that a session's leader opens becomes the terminal that Ctrl-C is from.
        self.program = subprocess.Popen(
            [
                *("sh", "-c", 'exec "$0" "$@" <"$TTY" >"$TTY" 2>&1'),
                *(sys.executable, "-m", "carerespond", *arguments),
            ],
            env=environ | ({"PYTHONPATH": str(at)} if at else {}),
            cwd=at,
            start_new_session=True,
        )
        self._slave = slave
        self.shown = ""

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def wait_for(self, words: str) -> None:
        """Until the program has written some words since the start."""
        until = time.monotonic() + PATIENCE
        while words not in self.shown:
            assert time.monotonic() < until, self.shown
            assert self._read() or self.program.poll() is None, self.shown

    def end(self) -> Ran:
        """Wait until the program ends; all that it wrote."""
        until = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            assert time.monotonic() < until, self.shown
            self._read()
        while self._read():
            pass
        return Ran(self.program.returncode, self.shown.replace("\r\n", "\n"))

    def interrupt(self) -> Ran:
        """Ctrl-C until it ends, as a person would: one that comes just before a read begins is
        noticed by Python after it only."""
        until = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            assert time.monotonic() < until, self.shown
            self.press("\x03")
            with suppress(subprocess.TimeoutExpired):
                self.program.wait(0.5)
        return self.end()

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        data = os.read(self.master, 65536)
        self.shown += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.send_signal(signal.SIGKILL)
        self.program.wait(PATIENCE)
        os.close(self._slave)
        os.close(self.master)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def on_terminal(home: Path, *arguments: str, at: Path | None = None) -> Ran:
    """Run to the end on a terminal, where nobody presses a key."""
    with Terminal(home, *arguments, at=at) as terminal:
        return terminal.end()


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every path below a folder with its kind and mode, and what it holds or points to.

    Left out is what SQLite leaves of looking at a database: its index of the log, and an empty log.
    """
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        if path.name.endswith("-shm") or (path.name.endswith("-wal") and not status.st_size):
            continue
        if stat.S_ISREG(status.st_mode):
            holds = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            holds = str(path.readlink()) if path.is_symlink() else ""
        found[str(path.relative_to(folder))] = (status.st_mode, holds)
    return found


def content(database: Path, *, without: Sequence[str] = ()) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in names
            if name not in without
        }


def broken(folder: Path, name: str, old: str, new: str) -> Path:
    """A copy of the program with one line changed: a planted bug. The folder to run it in."""
    shutil.copytree(PACKAGE, folder / "carerespond", ignore=shutil.ignore_patterns("__pycache__"))
    if not (PACKAGE / "themes").exists():
        shutil.copytree(PACKAGE.parent / "themes", folder / "themes")
    path = folder / "carerespond" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is not in {name} once"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def private(folder: Path, config: str = CONFIG) -> Path:
    """A home with a configuration, as `carerespond init` would leave it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "config.toml"
    path.write_text(config, encoding="utf-8")
    path.chmod(0o600)
    return folder


Run = Callable[..., Ran]
