"""The practice inbox as tests of promises drive it: a day made once, what it keeps, broken copies.

Everything here goes through the program on a terminal, or reads its database as it lies.
"""

import atexit
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from carerespond.domain.models import Draft, Reply
from carerespond.storage import drafts, outbox
from carerespond.storage.sqlite import SqliteDatabase
from tests.terminal import Terminal, ctrl, opened, practice_env

ROOT = Path(__file__).parent.parent.parent
OPERATOR = "Asha"


@cache
def _made_day() -> Path:
    """A folder with a practice day whose first posts are in; made once, removed at the end."""
    home = Path(mkdtemp(prefix="practice-day-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with opened(env=practice_env(home)) as terminal:
        wait_ready(terminal)
        terminal.press(ctrl("q"))
        assert terminal.exit_code() == 0
    return home


def new_day(folder: Path) -> Path:
    """A copy of the practice day for one test."""
    home = folder / "home"
    shutil.copytree(_made_day(), home)
    return home


def broken_copy(folder: Path, module: str, *changes: tuple[str, str]) -> str:
    """A copy of the program with a bug in it; what PYTHONPATH must be to run it.

    Args:
        folder: Where to put it.
        module: The module to break, as a path in the package: "ui/app.py".
        changes: What stands there once, and what the bug puts in its place.
    """
    copy = folder / "broken"
    shutil.copytree(
        ROOT / "carerespond", copy / "carerespond", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "themes", copy / "themes")
    path = copy / "carerespond" / module
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert text.count(before) == 1, f"{module} has {before!r} {text.count(before)} times"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return str(copy)


# -- at the keys --------------------------------------------------------------------------------


def wait_ready(terminal: Terminal) -> None:
    """Until the first screen's cases are all listed and answers can be begun.

    More arrive while the day goes on, so a home that was opened before holds more than these.
    """
    terminal.wait_for("/5.00")
    terminal.wait_for("U!")

    def is_whole() -> bool:
        counts = re.search(r"1 U\w* (\d+)\W.*0 all (\d+)", terminal.text)
        return counts is not None and int(counts[1]) >= 8 and int(counts[2]) >= 72

    terminal.wait(is_whole, "the whole list")


def begin_answer(terminal: Terminal) -> str:
    """Open the composer on the case under the cursor; whom it answers."""
    wait_ready(terminal)
    terminal.press("r")
    return in_composer(terminal)


def open_draft(terminal: Terminal, number: int = 1) -> str:
    """Open a draft from the list of drafts; whom it answers."""
    wait_ready(terminal)
    terminal.press("D")
    terminal.wait_for("Drafts: open which?")
    terminal.press(str(number))
    return in_composer(terminal)


def in_composer(terminal: Terminal) -> str:
    """Wait for the composer, whichever way its answer would take; the handle in its title."""
    terminal.wait_for("PUBLIC reply ")
    terminal.wait_for("esc leave")
    line = next(line for line in terminal.lines if "PUBLIC reply " in line)
    return line.partition("to @")[2].split()[0]


# -- what it keeps ------------------------------------------------------------------------------


@contextmanager
def database_of(home: Path) -> Iterator[SqliteDatabase]:
    """The practice database, to read as it lies."""
    path = home / "carerespond" / "practice" / "carerespond.db"
    database = SqliteDatabase(path, read_only=True)
    try:
        yield database
    finally:
        database.close_now()


def kept_drafts(home: Path) -> list[Draft]:
    """The operator's drafts, newest first."""
    with database_of(home) as database:
        return database.fetch_now(drafts.drafts(OPERATOR))


def kept_text(home: Path) -> str:
    """The newest draft's text; "" when there is none."""
    found = kept_drafts(home)
    return found[0].text if found else ""


def kept_answers(home: Path) -> list[Reply]:
    """What was queued in this day, newest first."""
    with database_of(home) as database:
        return database.fetch_now(outbox.recent(100))
