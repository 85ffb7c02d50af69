"""The first rows do not wait for what they do not need: the real program, on a real terminal."""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from carerespond.storage.sqlite import open_database
from tests.sending import add_case

ROOT = Path(__file__).parent.parent.parent
ROWS, SECONDS = 30, 60
MARK = b"\x1b]999;started\x07"
LATER = (
    *("httpx", "pydantic", "starlette", "uvicorn", "aiosqlite"),
    *("carerespond.practice", "carerespond.networks.x", "carerespond.networks.x_wire"),
    *("carerespond.domain.triage", "carerespond.domain.rulebook", "carerespond.domain.phrases"),
    *("carerespond.domain.tone", "carerespond.services.scoring", "carerespond.cli.triage"),
    *("carerespond.services.composer", "carerespond.services.sender"),
    *("carerespond.services.listener", "carerespond.ui.composer", "carerespond.ui.help"),
    "textual.widgets._text_area",
)
CONFIG = """\
[organisation]
name = "St Elsewhere"

[[operator]]
name = "Asha"

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
"""

# Runs the program up to where it begins to load what is not for the first screen: the verbs. There
# it writes down what is loaded and which rules were read, and puts a mark behind what it has
# painted, in the same queue.
WATCHED = """\
import json, sys
from pathlib import Path

rules = []

def watch(event, details):
    if event == "open" and "/carerespond/rules/" in str(details[0]):
        rules.append("file:" + Path(details[0]).name)
    if event == "import" and details[0] == "carerespond.ui.verbs":
        from textual._context import active_app

        Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules) + rules))
        active_app.get()._driver.write("\\x1b]999;started\\x07")

sys.addaudithook(watch)
from carerespond.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def fill(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(CONFIG)
    database = open_database(home / "carerespond.db")
    try:
        database.write_now(lambda tx: [add_case(tx, number) for number in range(ROWS + 5)])
    finally:
        database.close_now()


def start(code: Path, home: Path, loaded: Path, arguments: Sequence[str]) -> bytes:
    """Start the program of a folder; all that it wrote before it began to load the rest."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        environ = {"TERM": "xterm-256color", "PATH": os.environ["PATH"], "HOME": str(home)}
        environ |= {"CARERESPOND_HOME": str(home), "PYTHONPATH": str(code), "USER": "asha"}
        argv = [sys.executable, "-P", "-c", WATCHED, str(loaded), *arguments]
        os.execve(sys.executable, argv, environ)
    written, end = b"", time.monotonic() + SECONDS
    try:
        while MARK not in written and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                written += os.read(terminal, 1 << 16)
    except OSError:
        pass  # it has ended
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert MARK in written, written.decode(errors="replace")
    return written.partition(MARK)[0]


def too_early(loaded: Path) -> list[str]:
    """What was loaded and should not have been."""
    names = json.loads(loaded.read_text())
    return [
        *(one for one in LATER if any(f"{name}.".startswith(f"{one}.") for name in names)),
        *(name for name in names if name.startswith("file:")),
    ]


def test_the_first_rows_are_painted_before_anything_else_is_loaded(tmp_path: Path) -> None:
    fill(tmp_path / "home")
    painted = start(ROOT, tmp_path / "home", tmp_path / "loaded", [])
    seen = sum(f"@person{number} ".encode() in painted for number in range(ROWS + 5))
    assert seen >= ROWS
    assert too_early(tmp_path / "loaded") == []


def test_practice_starts_as_quickly(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    painted = start(ROOT, tmp_path / "home", tmp_path / "loaded", ["practice"])
    assert b"PRACTICE" in painted
    assert too_early(tmp_path / "loaded") == []


@pytest.mark.parametrize(
    ("file", "line", "caught"),
    [
        ("ui/desk.py", "import carerespond.services.composer", "carerespond.services.composer"),
        ("services/inbox.py", "import carerespond.domain.tone", "carerespond.domain.tone"),
        ("config/places.py", "_LEXICON = lexicon_texts()", "file:vader.tsv"),
        ("config/places.py", "_TEXTS = rules_texts()", "file:en.toml"),
        ("cli/inbox.py", "import httpx", "httpx"),
        ("storage/sqlite.py", "import aiosqlite", "aiosqlite"),
    ],
)
def test_the_check_catches_a_module_that_is_loaded_too_early(
    tmp_path: Path, file: str, line: str, caught: str
) -> None:
    shutil.copytree(ROOT / "carerespond", tmp_path / "code" / "carerespond")
    shutil.copytree(ROOT / "themes", tmp_path / "code" / "themes")
    with (tmp_path / "code" / "carerespond" / file).open("a") as code:
        code.write(f"\n{line}\n")
    fill(tmp_path / "home")
    start(tmp_path / "code", tmp_path / "home", tmp_path / "loaded", [])
    assert caught in too_early(tmp_path / "loaded")


def test_the_check_catches_a_start_that_does_not_wait_for_the_rows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "carerespond", tmp_path / "code" / "carerespond")
    shutil.copytree(ROOT / "themes", tmp_path / "code" / "themes")
    app = tmp_path / "code" / "carerespond" / "ui" / "app.py"
    text = app.read_text()
    waits = "        self.call_after_refresh(self._start_rest)\n"
    assert waits in text
    app.write_text(text.replace(waits, "        self._start_rest()\n"))
    fill(tmp_path / "home")
    painted = start(tmp_path / "code", tmp_path / "home", tmp_path / "loaded", [])
    assert b"@person1 " not in painted
