"""`carerespond rules learned` and `rules forget`: what they say; and forgetting is forgetting."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from carerespond.domain.learning import Learned, write_learned
from carerespond.storage import history, learned
from carerespond.storage.cases import read_reasons
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.learned import Stored
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.cli.support import CONFIG, PATIENCE, Run, Terminal, broken, environment, private, ran
from tests.sending import add_case

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ON = CONFIG + "learn = true\n"


@contextmanager
def opened(home: Path) -> Iterator[SqliteDatabase]:
    database = open_database(home / "carerespond.db")
    try:
        yield database
    finally:
        database.close_now()


def some_learned(word: str = "waiting", decisions: int = 60) -> Learned:
    return Learned({}, {word: 0.4, f"{word} room": -0.2}, 0.0, 0.0, 1.0, decisions, 20)


def decide(
    home: Path,
    count: int,
    found: Learned | None = None,
    *,
    texts: Callable[[int], str] = lambda _: "the wait was so long",
) -> None:
    """A team's moves, every third one to urgent, and what was learned from them."""

    def work(tx: Transaction) -> None:
        for number in range(count):
            case_id = add_case(tx, number, text=texts(number))
            action, pane = (history.LOWER, 3) if number % 3 else (history.RAISE, 0)
            values: dict[str, history.Value] = {"priority": pane}
            history.change_cases(tx, "Priya", "s", action, [case_id], values, NOW)
        if found is not None:
            assert learned.keep(tx, Stored(write_learned(found), "mark"), 0, NOW)

    with opened(home) as database:
        database.write_now(work)


@contextmanager
def background(home: Path, *arguments: str) -> Iterator[None]:
    """The program, running beside the test until it is told to end."""
    program = subprocess.Popen(
        [sys.executable, "-m", "carerespond", *arguments],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        assert program.stdout.readline().startswith(b"Listening")  # it hears signals by now
        yield
        program.send_signal(signal.SIGTERM)
        _, err = program.communicate(timeout=PATIENCE)
        assert (program.returncode, b"Traceback" in err) == (0, False), err
    finally:
        program.kill()
        program.communicate()


@pytest.mark.parametrize(
    ("config", "count", "found", "said"),
    [
        (CONFIG, 60, some_learned(), "Not in use: write learn = true under [inbox]"),
        (ON, 30, None, "Not in use: it begins with 50 decisions."),
        (ON, 60, None, "Not in use: it learns while an inbox or `carerespond listen` runs."),
        (ON, 60, some_learned(), "In use."),
    ],
)
def test_it_says_whether_what_was_learned_is_in_use(
    tmp_path: Path, here: Run, config: str, count: int, found: Learned | None, said: str
) -> None:
    home = private(tmp_path / "home", config)
    decide(home, count, found)
    told = here(home, "rules", "learned")
    lines = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    sooner = len(range(0, count, 3))
    assert lines[0] == f"{count} decisions of your team: {sooner} sooner, {count - sooner} later."
    assert lines[1].startswith(said)
    if found is not None:
        assert lines[2:] == [
            "Learned from 60 decisions. The strongest words:",
            "sooner: waiting",
            "later:  waiting room",
        ]


def test_the_rules_may_switch_it_off(tmp_path: Path, here: Run) -> None:
    home = private(tmp_path / "home", ON)
    (home / "rules.toml").write_text("[learning]\nweight = 0\n")
    (home / "rules.toml").chmod(0o600)
    decide(home, 60, some_learned())
    assert "Not in use: its weight in the rules is 0." in here(home, "rules", "learned").out


def test_words_of_strangers_are_cleaned(tmp_path: Path, here: Run) -> None:
    home = private(tmp_path / "home", ON)
    decide(home, 60, some_learned("a\x1b[31mred\u202e"))
    told = here(home, "rules", "learned")
    assert "\x1b" not in told.out
    assert "\u202e" not in told.out


@pytest.mark.parametrize("verb", [("learned",), ("forget", "--yes")])
def test_without_a_database_there_is_nothing_and_none_is_made(
    home: Path, here: Run, verb: tuple[str, ...]
) -> None:
    told = here(home, "rules", *verb)
    assert (told.code, "there is no database yet" in told.out) == (0, True)
    assert not (home / "carerespond.db").exists()


@pytest.mark.parametrize("is_on", [True, False])
def test_a_listener_learns_and_what_comes_in_is_sorted_by_it(
    tmp_path: Path, here: Run, *, is_on: bool
) -> None:
    home = private(tmp_path / "home", ON if is_on else CONFIG)
    words = ("the lift is broken", "parking is dear")
    decide(home, 60, texts=lambda number: f"{words[number % 3 > 0]} at gate {number % 7}")
    bearer = home / "secrets" / "x.bearer"
    bearer.parent.mkdir(mode=0o700)
    bearer.write_text("AAAA")
    bearer.chmod(0o600)
    with background(home, "listen"):
        deadline = time.monotonic() + PATIENCE
        while is_on and "\nIn use." not in here(home, "rules", "learned").out:
            assert time.monotonic() < deadline
    posts = home / "posts.jsonl"
    author = {"id": "77", "handle": "somebody", "name": "Some Body"}
    record = {"network": "x", "id": "900", "text": "The lift is broken at our gate"}
    posts.write_text(json.dumps({**record, "author": author, "created_at": NOW.isoformat()}))
    assert here(home, "import", str(posts)).out.startswith("1 new")
    with opened(home) as database:
        found = database.fetch_now(
            Query("SELECT reasons FROM cases WHERE author_id = '77'", (), scalar)
        )
    reasons = {one.rule: one for one in read_reasons(found[0])}
    assert ("learned" in reasons) is is_on
    if is_on:
        assert reasons["learned"].text == "learned from 60 decisions of your team"
        assert reasons["learned"].points > 0
        assert "lift" in " ".join(reasons["learned"].words)


def test_rules_alone_says_what_there_is(home: Path) -> None:
    told = ran(home, "rules")
    assert told.code == 2
    assert "COMMAND" in told.err


# -- forgetting ---------------------------------------------------------------------------------

SECRET = "zanzibarite"  # in no post, so that only what was learned holds it


def remains(home: Path, word: str = SECRET) -> list[str]:
    """The files of the database in which a word stands.

    Another program looks: to close such a file here would drop SQLite's locks of this process.
    """
    files = sorted(str(path) for path in home.glob("carerespond.db*"))
    found = subprocess.run(["grep", "-la", word, *files], capture_output=True, check=False)
    return found.stdout.decode().splitlines()


def check_forgetting(forget: Run, home: Path) -> None:
    """Learned several times over, at sizes that fill pages of their own and that do not."""
    decide(home, 60)
    with opened(home) as held:  # somebody's inbox is open: the log is there all the time
        for size in (1, 4_000, 300, 2_000):
            words = {f"{SECRET}{number}": 0.5 for number in range(size)}
            found = Learned({}, words, 0.0, 0.0, 1.0, 60, 20)

            def work(tx: Transaction, found: Learned = found) -> bool:
                return learned.keep(tx, Stored(write_learned(found), "mark"), 0, NOW)

            assert held.write_now(work)
            if size == 4_000:  # so some of it is in the file, and some in the log alone
                with closing(sqlite3.connect(home / "carerespond.db")) as other:
                    other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        assert remains(home)
        told = forget(home, "rules", "forget", "--yes")
        assert (told.code, told.err) == (0, ""), told
        assert told.out.startswith("Forgotten.")
        assert remains(home) == []
        told = forget(home, "rules", "learned")
        assert told.out.startswith("0 decisions of your team"), told


@pytest.mark.promise
def test_after_forgetting_no_learned_word_is_left_in_any_file(home: Path, here: Run) -> None:
    check_forgetting(here, home)


@pytest.mark.promise
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("storage/learned.py", '"PRAGMA secure_delete = ON"', '"PRAGMA secure_delete = OFF"'),
        ("cli/learned.py", "database.empty_log_now()", "True"),
        ("storage/learned.py", "coalesce(max(history_id), 0) FROM", "0 FROM"),
        ("storage/learned.py", "    was_there = _remove(tx)\n", "    was_there = True\n"),
    ],
    ids=["bytes stay in the file", "bytes stay in the log", "moves count again", "not removed"],
)
def test_a_wrong_way_of_forgetting_would_be_noticed(
    home: Path, tmp_path: Path, name: str, old: str, new: str
) -> None:
    program = broken(tmp_path / "program", name, old, new)
    with pytest.raises(AssertionError):
        check_forgetting(partial(ran, at=program), home)


def test_without_a_person_it_wants_to_be_told_twice(home: Path, here: Run) -> None:
    decide(home, 60, some_learned())
    told = ran(home, "rules", "forget")
    assert (told.code, told.err) == (
        2,
        "carerespond: Nobody can be asked here. Add --yes to forget without asking.\n",
    )
    assert "Learned from 60 decisions" in here(home, "rules", "learned").out


@pytest.mark.parametrize(
    ("answer", "code", "is_left"),
    [("y\r", 0, False), ("n\r", 1, True), ("\r", 1, True), ("\x04", 1, True), ("maybe\r", 1, True)],
)
def test_on_a_terminal_it_asks(
    home: Path, here: Run, answer: str, code: int, *, is_left: bool
) -> None:
    decide(home, 60, some_learned())
    with Terminal(home, "rules", "forget") as terminal:
        terminal.wait_for("y/N")
        terminal.press(answer)
        told = terminal.end()
    assert (told.code, told.out.splitlines()[-1][:4] == "Noth") == (code, is_left), told
    assert ("Learned from" in here(home, "rules", "learned").out) is is_left


def test_a_held_database_is_an_error_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, here: Run
) -> None:
    decide(home, 60, some_learned())
    monkeypatch.setattr("carerespond.storage.sqlite.BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(home / "carerespond.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = here(home, "rules", "forget", "--yes")
    assert told.code == 2
    assert "is held by another program" in told.err
    assert "Traceback" not in told.err
    assert "Learned from 60 decisions" in here(home, "rules", "learned").out


def test_a_log_that_somebody_reads_is_told_of(
    home: Path, monkeypatch: pytest.MonkeyPatch, here: Run
) -> None:
    decide(home, 60, some_learned())
    monkeypatch.setattr("carerespond.storage.sqlite.BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(home / "carerespond.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM cases").fetchone()
        told = here(home, "rules", "forget", "--yes")
    assert (told.code, told.out.splitlines()[0]) == (0, "Forgotten.")
    assert "its log keeps old words until that one ends" in told.err


@pytest.mark.parametrize("verb", [("learned",), ("forget", "--yes")])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no database at all, just some words" * 200, "is damaged"),
        (b"other", "is not a carerespond database"),
    ],
)
def test_a_file_that_is_no_database_of_ours_is_an_error_in_words(
    home: Path, here: Run, verb: tuple[str, ...], content: bytes, said: str
) -> None:
    path = home / "carerespond.db"
    if content == b"other":
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE recipes (name TEXT)")
    else:
        path.write_bytes(content)
    path.chmod(0o600)
    before = path.read_bytes()
    told = here(home, "rules", *verb)
    assert (told.code, said in told.err) == (2, True), told
    assert path.read_bytes() == before
