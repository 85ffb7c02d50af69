"""How the program begins and ends: the first start, junk answers, Ctrl-C, pipes that close."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from carerespond import __version__
from carerespond.cli.inbox import put_aside
from tests.cli.support import PATIENCE, Ran, Terminal, environment, private, ran, run


def answered(home: Path, *answers: str) -> Ran:
    """The first start on a terminal, where a person answers each question in turn."""
    with Terminal(home) as terminal:
        for number, answer in enumerate(answers):
            terminal.wait_for("p, s or q [p]:")
            terminal.press(answer)
            if number + 1 < len(answers):
                terminal.shown = ""
        return terminal.end()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["q\n"], 0),
        (["Quit\n"], 0),
        (["\x04"], 0),
        (["junk\n", "\u00e9\u2028\n", "\x1b[A\n", "q\n"], 0),
    ],
)
def test_the_first_start_can_be_left(tmp_path: Path, answers: list[str], code: int) -> None:
    told = answered(tmp_path, *answers)
    assert told.code == code
    assert "Traceback" not in told.out
    assert list(tmp_path.iterdir()) == [], "nothing was made"


def test_the_first_start_offers_practice(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.wait_for("p, s or q [p]:")
        terminal.press("\n")
        terminal.wait_for("PRACTICE")
        terminal.program.send_signal(signal.SIGTERM)
        assert terminal.end().code == 128 + signal.SIGTERM
    assert not (tmp_path / "config.toml").exists(), "practice lies beside the real thing"


def test_the_first_start_sets_up(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        for question, answer in (
            ("p, s or q", "s"),
            ("organisation's name", "St Elsewhere"),
            ("without the @", "@StElsewhere"),
            ("Your own name", "Priya"),
        ):
            terminal.wait_for(question)
            terminal.press(f"{answer}\n")
        told = terminal.end()
    assert told.code == 0
    assert "Wrote " in told.out
    assert ran(tmp_path, "doctor").code == 0


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        (["s\n", "\x04", "\x04"], 2, "needs the organisation's name"),
        (["s\n", "A\n", "not a handle!\n"], 2, "its handle on X"),
    ],
)
def test_setting_up_can_be_broken_off(
    tmp_path: Path, answers: list[str], code: int, words: str
) -> None:
    questions = ["p, s or q", "organisation's name", "without the @"]
    with Terminal(tmp_path) as terminal:
        for question, answer in zip(questions, answers, strict=False):
            terminal.wait_for(question)
            terminal.press(answer)
        told = terminal.end()
    assert told.code == code
    assert words in told.out
    assert "Traceback" not in told.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answers", [[], ["s\n"], ["s\n", "A\n"]])
def test_ctrl_c_ends_every_question(tmp_path: Path, answers: list[str]) -> None:
    questions = ["p, s or q", "organisation's name", "without the @"]
    with Terminal(tmp_path) as terminal:
        for question, answer in zip(questions, [*answers, None], strict=False):
            terminal.wait_for(question)
            if answer is not None:
                terminal.press(answer)
        told = terminal.interrupt()
    assert told.code == 130
    assert "Traceback" not in told.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        'St "Else" \\ Where',
        "Ysbyty \u00c6\u200f",
        "a\tb\x7fc",
        "'''",
        "x" * 3000,
        "[[search]]\nid = 1",
    ],
)
def test_every_name_makes_a_configuration_that_can_be_read(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, "init", "--name", name, "--handle", "A_1").returncode == 0
    told = ran(tmp_path, "doctor")
    assert told.code == 0, told
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_bytes_that_are_no_text_make_a_configuration_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "carerespond", "init", "--name", b"A\xff", "--handle", "A"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ran(tmp_path, "doctor").code == 0


# -- the plain things --------------------------------------------------------------------------


def test_the_version_is_told(tmp_path: Path) -> None:
    assert ran(tmp_path, "--version") == Ran(0, f"carerespond {__version__}\n")


def test_the_command_and_the_module_are_one(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("carerespond")
    if not command.exists():
        pytest.skip("the package is not installed beside this interpreter")
    done = subprocess.run(
        [command, "--help"], env=environment(tmp_path), capture_output=True, check=True
    )
    assert done.stdout.decode() == ran(tmp_path, "--help").out


def test_an_unknown_command_is_named_with_those_that_are(tmp_path: Path) -> None:
    told = ran(tmp_path, "chek")
    assert told.code == 2
    assert "invalid choice: 'chek'" in told.err
    assert "check" in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "place", ["127.0.0.1", ":8808", "127.0.0.1:99999", "127.0.0.1:\u00b2", "x:"]
)
def test_a_place_to_serve_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    told = ran(tmp_path, "practice", "--serve", place)
    assert told.code == 2
    assert "is no HOST:PORT. For example" in told.err


def test_serving_to_other_computers_or_on_a_taken_port_is_refused(tmp_path: Path) -> None:
    assert "this machine only" in ran(tmp_path, "practice", "--serve", "0.0.0.0:0").err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = ran(tmp_path, "practice", "--serve", f"127.0.0.1:{port}")
    assert told.code == 2
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) == 1


def leave(terminal: Terminal) -> None:
    terminal.wait_for("OK")
    terminal.program.send_signal(signal.SIGTERM)
    terminal.end()


@pytest.mark.parametrize("another", [["--fresh"], ["--seed", "2"]])
def test_a_practice_day_is_not_thrown_away_while_somebody_is_in_it(
    tmp_path: Path, another: list[str]
) -> None:
    day = tmp_path / "practice" / "practice.json"
    with Terminal(tmp_path, "practice") as colleague:
        colleague.wait_for("OK")
        begun = day.read_text()
        with Terminal(tmp_path, "practice", *another) as terminal:
            told = terminal.end()
        assert (told.code, day.read_text()) == (2, begun)
        assert "A practice inbox is open" in told.out
        leave(colleague)
    with Terminal(tmp_path, "practice", *another) as terminal:
        leave(terminal)
    assert day.read_text() != begun


def test_practice_goes_on_with_the_day_that_was_chosen(tmp_path: Path) -> None:
    with Terminal(tmp_path, "practice", "--seed", "2") as terminal:
        leave(terminal)
    begun = (tmp_path / "practice" / "practice.json").read_text()
    with Terminal(tmp_path, "practice") as terminal:
        leave(terminal)
    assert (tmp_path / "practice" / "practice.json").read_text() == begun


def test_looking_at_a_practice_day_that_has_not_begun_is_refused(tmp_path: Path) -> None:
    with Terminal(tmp_path, "practice", "--look") as terminal:
        told = terminal.end()
    assert told.code == 2
    assert "no practice day has begun. Run: carerespond practice" in told.out
    assert list(tmp_path.iterdir()) == []


def test_a_user_that_is_nobody_here_is_named(tmp_path: Path) -> None:
    told = ran(Path("~nosuchuser/home"), "check")
    assert told.code == 2
    assert told.err.startswith("carerespond: CARERESPOND_HOME=~nosuchuser/home: ")
    assert len(told.err.splitlines()) == 1


# -- the end -----------------------------------------------------------------------------------


def test_ctrl_c_ends_the_practice_network(tmp_path: Path) -> None:
    with Terminal(tmp_path, "practice", "--serve", "127.0.0.1:0") as terminal:
        terminal.wait_for("answers at http://127.0.0.1:")
        told = terminal.interrupt()
    assert told.code in (0, 130)
    assert "Traceback" not in told.out


def test_ctrl_c_ends_an_import_that_waits(tmp_path: Path) -> None:
    home = private(tmp_path / "home")
    with Terminal(home, "import", "-") as terminal:
        until = time.monotonic() + PATIENCE
        while not (home / "carerespond.db").exists():  # it is opened just before the first read
            assert time.monotonic() < until
        told = terminal.interrupt()
    assert told.code == 130
    assert "Traceback" not in told.out


@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["doctor"], ["--help"]])
def test_a_reader_who_leaves_is_no_fault(tmp_path: Path, command: list[str]) -> None:
    """As in `carerespond check | true`: the exit code is what it would have been."""
    home = private(tmp_path / "home")
    expected = ran(home, *command).code
    gone, end = os.pipe()
    os.close(gone)
    with os.fdopen(end, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "carerespond", *command],
            env=environment(home),
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (expected, b"")


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    home = private(tmp_path / "home")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "carerespond", "check"],
            env=environment(home),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"carerespond: The output cannot be written (")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["check", ""])
def test_a_stream_that_is_closed_is_no_fault(tmp_path: Path, closed: str, command: str) -> None:
    home = private(tmp_path / "home")
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m carerespond {command} {closed}', sys.executable],
        env=environment(home),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == (0 if command else 2), done
    assert b"Traceback" not in done.stderr


def test_letters_that_a_terminal_has_not_are_replaced(tmp_path: Path) -> None:
    config = 'name = "A"\n[[account]]\nid = "\u00e6"\nnetwork = "x"\nhandle = "a"\n'
    home = private(tmp_path / "home", "[organisation]\n" + config)
    done = run(home, "login", "x", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert re.search(rb"Known: \?", done.stderr)


@pytest.mark.promise
def test_words_that_no_database_took_are_put_into_a_file_of_their_writers_alone(
    tmp_path: Path,
) -> None:
    said = put_aside("We are sorry\u2028to read this", tmp_path / "logs")
    (path,) = (tmp_path / "logs").iterdir()
    assert said == f"What you typed last is not kept as a draft: it is in {path}"
    assert path.read_text(encoding="utf-8") == "We are sorry\u2028to read this"
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "file").write_text("")
    assert "NOT kept: no draft and no file" in put_aside("x", tmp_path / "file")
