"""`carerespond import`: every field, every kind of line, and that nothing is lost or doubled."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from carerespond.domain.models import Priority
from tests.cli.support import (
    PATIENCE,
    Ran,
    Run,
    Terminal,
    broken,
    content,
    environment,
    ran,
    run,
)

DATABASE = "carerespond.db"


def record(number: int = 1, **more: object) -> dict[str, Any]:
    return {
        "network": "x",
        "id": str(number),
        "text": f"post {number}",
        "created_at": "2026-11-24T08:00:00Z",
        "author": {"id": f"9{number}", "handle": f"person{number}", "name": "Jo"},
        **more,
    }


def line(number: int = 1, **more: object) -> bytes:
    return json.dumps(record(number, **more), ensure_ascii=False).encode() + b"\n"


def write(folder: Path, *lines: bytes) -> str:
    path = folder / "posts.jsonl"
    path.write_bytes(b"".join(lines))
    return str(path)


def row(home: Path, sql: str) -> tuple[Any, ...]:
    with closing(sqlite3.connect(home / DATABASE)) as connection:
        found: tuple[Any, ...] = connection.execute(sql).fetchone()
        return found


POST = (
    "SELECT network, post_id, author_id, handle, name, followers, text, url, lang, created_at,"
    " in_reply_to, conversation, mentions_us, is_ours FROM posts"
)


def test_every_field_arrives(home: Path, here: Run) -> None:
    whole = record(
        7,
        text="the wait at the eye clinic \N{SLIGHTLY SMILING FACE}",
        created_at="2026-11-24T09:30:00.25+01:30",
        author={"id": 42, "handle": "jo", "name": "Jo \u05d0"},
        followers=12,
        url="https://x.example/7",
        lang="cy",
        in_reply_to="6",
        conversation="5",
        mentions_us=True,
    )
    told = here(home, "import", write(home, json.dumps(whole).encode()))
    assert told == Ran(0, "1 new, 0 known, 0 bad, of 1 lines.\n")
    moment = 1795507200250  # 2026-11-24T08:00:00.25Z in ms
    assert row(home, POST) == (
        *("x", "7", "42", "jo", "Jo \u05d0", 12, whole["text"], "https://x.example/7", "cy"),
        *(moment, "6", "5", 1, 0),
    )


def test_the_optional_fields_may_be_missing(home: Path, here: Run) -> None:
    least = record(7, text="", author={"id": "1", "handle": "jo"})
    assert here(home, "import", write(home, json.dumps(least).encode())).code == 0
    assert row(home, POST)[3:] == ("jo", "", None, "", None, None, 1795507200000, None, "7", 0, 0)


def test_our_own_posts_and_those_that_name_us_are_known_by_our_handle(
    home: Path, here: Run
) -> None:
    lines = [
        line(1, text="thank you @STELSEWHERE!"),
        line(2, author={"id": "5", "handle": "stelsewhere"}),
        line(3),
    ]
    here(home, "import", write(home, *lines))
    with closing(sqlite3.connect(home / DATABASE)) as connection:
        found = connection.execute("SELECT mentions_us, is_ours FROM posts ORDER BY post_id")
        assert found.fetchall() == [(1, 0), (0, 1), (0, 0)]


BAD: dict[str, tuple[bytes, str]] = {
    "no network": (line(network=None), "network is missing"),
    "no id": (line(id=None), "id is missing"),
    "an empty id": (line(id=""), "id is not text"),
    "a flag for an id": (line(id=True), "id is not text"),
    "no text": (line(text=None), "text is missing"),
    "a number for text": (line(text=7), "text is not text"),
    "no moment": (line(created_at=None), "created_at is missing"),
    "a moment in words": (line(created_at="today"), "created_at is not ISO 8601"),
    "no time zone": (line(created_at="2026-11-24T08:00:00"), "no time zone; end it with Z"),
    "before all time": (line(created_at="0001-01-01T00:00:00+14:00"), "outside the years"),
    "no author": (line(author=None), "author is not a record with id, handle and name"),
    "an author in words": (line(author="jo"), "author is not a record"),
    "no author's id": (line(author={"handle": "jo"}), "id is missing"),
    "no handle": (line(author={"id": "1"}), "handle is missing"),
    "a number for a name": (line(author={"id": "1", "handle": "jo", "name": 7}), "name is not"),
    "a list for an address": (line(url=[]), "url is not text"),
    "a number for a language": (line(lang=7), "lang is not text"),
    "a number for what it answers": (line(in_reply_to=7), "in_reply_to is not text"),
    "a number for its thread": (line(conversation=7), "conversation is not text"),
    "a word for a flag": (line(mentions_us="yes"), "mentions_us is not true or false"),
    "a word for a number": (line(followers="7"), "followers is not a whole number"),
    "less than no followers": (line(followers=-1), "followers is not a whole number"),
    "no JSON": (b"hello\n", "not JSON: Expecting value at character 1"),
    "a control character": (
        b'{"a": "\x01"}\n',
        "not JSON: Invalid control character at character 8",
    ),
    "half a record": (b'{"network": "x"\n', "not JSON: "),
    "a list": (b"[1]\n", "not a record in { }"),
    "not UTF-8": (b'{"network": "\xff"}\n', "not UTF-8 (byte 14)"),
    "too deep": (b"[" * 100_000 + b"\n", "nested too deeply"),
    "a number beyond use": (b'{"id": ' + b"9" * 5000 + b"}\n", "a number in it is beyond all use"),
    "too long": (b'{"text": "' + b"a" * (8 << 20) + b'"}\n', "longer than 8 MiB"),
    "much too long": (b'{"text": "' + b"a" * (20 << 20) + b'"}\n', "longer than 8 MiB"),
}


def check_named_and_kept_aside(here: Run, home: Path, bad: bytes, words: str) -> None:
    told = here(home, "import", write(home, line(1), b"\n", bad, line(2)))
    assert told.code == 0, "good lines went in"
    assert told.out == "2 new, 0 known, 1 bad, of 3 lines.\n"
    assert "posts.jsonl, line 3: " in told.err
    assert words in told.err
    assert "kept aside" in told.err
    kept = row(home, "SELECT count(*), max(raw) FROM quarantine")
    assert kept[0] == 1
    assert bad.strip().startswith(kept[1][:100])


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named_by_its_number_and_kept_aside(home: Path, here: Run, case: str) -> None:
    bad, words = BAD[case]
    check_named_and_kept_aside(here, home, bad, words)


def test_marks_line_ends_and_empty_lines_are_no_fault(home: Path, here: Run) -> None:
    lines = [
        b"\xef\xbb\xbf",
        line(1)[:-1],
        b"\r\n\r\n",
        b"  \n\n",
        line(2)[:-1],
        b"\r\n",
        line(3)[:-1],
    ]
    told = here(home, "import", write(home, *lines))
    assert told == Ran(0, "3 new, 0 known, 0 bad, of 3 lines.\n")


@pytest.mark.parametrize("words", ["tweet", "post"])
def test_a_page_of_x_is_taken_in_both_its_vocabularies(home: Path, here: Run, words: str) -> None:
    """X renames "tweet" to "post" in its fields."""
    one = {
        "id": "11",
        "text": "the wait was long",
        "author_id": "77",
        "created_at": "2026-11-24T08:00:00.000Z",
        "conversation_id": "10",
        f"edit_history_{words}_ids": ["11"],
        f"referenced_{words}s": [{"type": "replied_to", "id": "10"}],
        "lang": "en",
    }
    users = [{"id": "77", "username": "jo", "name": "Jo", "public_metrics": {"followers_count": 3}}]
    page = {"data": [one, {"id": "12"}], "includes": {"users": users}, "meta": {"result_count": 2}}
    told = here(home, "import", write(home, json.dumps(page).encode(), b"\n", line(1)))
    assert told.out == "2 new, 0 known, 1 bad, of 2 lines.\n"
    assert "line 1: " in told.err
    found = row(home, POST + " WHERE post_id = '11'")
    assert found[:9] == (
        *("x", "11", "77", "jo", "Jo", 3, "the wait was long"),
        *("https://x.com/jo/status/11", "en"),
    )
    assert found[10:12] == ("10", "10")


def test_imported_posts_are_sorted_by_triage_and_service_and_stand_in_the_inbox(
    home: Path, here: Run
) -> None:
    words = "my dad collapsed in the eye clinic, nobody came and he cannot breathe"
    here(home, "import", write(home, line(1, text=words), line(2, text="lovely staff, thank you")))
    sorted_ = row(home, "SELECT priority, service, reasons FROM cases WHERE handle = 'person1'")
    assert sorted_[0] == Priority.URGENT
    assert sorted_[1] == "eye"
    assert len(json.loads(sorted_[2])) >= 1
    assert row(home, "SELECT priority FROM cases WHERE handle = 'person2'") == (Priority.PRAISE,)
    assert here(home, "check").code == 11
    with Terminal(home, "--look") as terminal:
        terminal.wait_for("person1")
        terminal.wait_for("collapsed")
        terminal.program.terminate()
        assert terminal.end().code == 143


def test_a_terminal_shows_a_bar_and_a_script_none(home: Path) -> None:
    path = write(home, *(line(number) for number in range(3000)))
    with Terminal(home, "import", path) as terminal:
        shown = terminal.end()
    assert shown.code == 0
    assert "] " in shown.out
    assert "%" in shown.out
    assert "3000 new" in shown.out
    again = ran(home, "import", path)
    assert again == Ran(0, "0 new, 3000 known, 0 bad, of 3000 lines.\n")


def test_standard_input_is_read(home: Path) -> None:
    done = run(home, "import", "-", stdin=line(1) + b"nonsense\n")
    assert done.returncode == 0
    assert b"1 new" in done.stdout
    assert b"-, line 2: not JSON" in done.stderr


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "it is a folder"),
    ],
)
def test_what_cannot_be_read_is_named(
    home: Path, here: Run, make: Callable[[Path], None], words: str
) -> None:
    make(home / "posts.jsonl")
    told = here(home, "import", str(home / "posts.jsonl"))
    assert told.code == 2
    assert told.err.startswith(f"carerespond: {home}/posts.jsonl: cannot be read ({words})")
    assert not (home / DATABASE).exists()


def test_a_standard_input_that_is_closed_is_named(home: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -m carerespond import - <&-', sys.executable],
        env=environment(home),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert b"-: cannot be read (standard input is closed)" in done.stderr


def test_an_odd_name_is_no_fault_of_the_program(home: Path, here: Run) -> None:
    assert here(home, "import", "a\0b").code == 2


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\n\x00\xff\n" * 30, b'{\n  "data": [\n  ]\n}\n'])
def test_a_file_of_something_else_is_refused(home: Path, here: Run, data: bytes) -> None:
    told = here(home, "import", write(home, data))
    assert told.code == 2
    assert "0 new" in told.out
    assert "line 1: not " in told.err
    assert "kept aside in the database; there were no others." in told.err
    assert len(told.err.splitlines()) <= 22, "a few are named, not all"


def test_an_empty_file_is_no_fault(home: Path, here: Run) -> None:
    told = here(home, "import", write(home))
    assert told == Ran(0, "0 new, 0 known, 0 bad, of 0 lines.\n")


def test_a_pipe_is_read_though_its_writer_comes_later(home: Path) -> None:
    path = home / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(
        [sys.executable, "-m", "carerespond", "import", str(path)],
        env=environment(home),
        stdout=subprocess.PIPE,
    ) as program:

        def feed() -> None:  # opening waits for the reader
            with path.open("wb", buffering=0) as pipe:
                for number in range(300):
                    pipe.write(line(number))

        writer = threading.Thread(target=feed)
        writer.start()
        out = program.communicate(timeout=PATIENCE)[0]
        writer.join(PATIENCE)
    assert (program.returncode, out.split(b",")[0]) == (0, b"300 new")


# -- nothing lost, nothing doubled -------------------------------------------------------------

MANY = [line(number, text=f"the wait was {number} hours") for number in range(1, 1231)]
MIXED = [*MANY[:150], b"nonsense\n", line(9001, text=7), *MANY[150:250]]


def check_twice_changes_nothing(again: Run, home: Path, here: Run) -> None:
    path = write(home, *MIXED)
    here(home, "import", path)
    before = content(home / DATABASE)
    assert len(before["posts"]) == 250
    assert len(before["quarantine"]) == 2
    told = again(home, "import", path)
    assert told.out == "0 new, 250 known, 2 bad, of 252 lines.\n"
    assert content(home / DATABASE) == before


@pytest.mark.promise
def test_importing_twice_changes_nothing(home: Path, here: Run) -> None:
    check_twice_changes_nothing(here, home, here)


@pytest.mark.promise
def test_an_import_that_doubles_would_be_noticed(home: Path, here: Run, tmp_path: Path) -> None:
    program = broken(
        tmp_path / "program",
        "services/importer.py",
        "            post_id=post_id,",
        '            post_id=post_id + "x",',
    )
    with pytest.raises(AssertionError, match="250 new"):
        check_twice_changes_nothing(lambda *given: ran(*given, at=program), home, here)


def check_killed_and_run_again(again: Run, home: Path) -> None:
    """Killed with SIGKILL while it reads, after at least 300 posts are stored."""
    with subprocess.Popen(
        [sys.executable, "-m", "carerespond", "import", "-"],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as program:
        assert program.stdin is not None
        program.stdin.write(b"".join(MANY[:650]))
        program.stdin.flush()
        until = time.monotonic() + PATIENCE
        while count(home) < 300:
            assert time.monotonic() < until
            assert program.poll() is None
        program.kill()
    assert 300 <= count(home) < len(MANY)
    told = again(home, "import", write(home, *MANY))
    assert told.code == 0
    assert f"of {len(MANY)} lines" in told.out
    posts = content(home / DATABASE)["posts"]
    assert sorted(str(post[2]) for post in posts) == sorted(str(n) for n in range(1, 1231))
    assert row(home, "SELECT count(*), count(DISTINCT author_id) FROM cases") == (1230, 1230)
    assert row(home, "SELECT sum(cases) FROM counts") == (1230,)


def count(home: Path) -> int:
    try:
        found: int = row(home, "SELECT count(*) FROM posts")[0]
    except sqlite3.Error:  # it is being made
        return 0
    return found


@pytest.mark.promise
def test_an_import_killed_half_way_is_made_whole_by_the_next(home: Path, here: Run) -> None:
    check_killed_and_run_again(here, home)


@pytest.mark.promise
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        if batch:\n", "        if len(batch) > BATCH:\n"),
        ("            if raw.strip():\n", "            if raw.strip() and number != 700:\n"),
        ("            post_id=post_id,", "            post_id=post_id.zfill(9),"),
    ],
    ids=["the last batch is forgotten", "a line is passed over", "a post is not known again"],
)
def test_an_import_that_loses_or_doubles_would_be_noticed(
    home: Path, tmp_path: Path, old: str, new: str
) -> None:
    program = broken(tmp_path / "program", "services/importer.py", old, new)
    with pytest.raises(AssertionError):
        check_killed_and_run_again(lambda *given: ran(*given, at=program), home)
