"""The terminal is as it was, however the program ends; and it bears any size while it runs."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.promises.practising import begin_answer, broken_copy, kept_text, new_day, wait_ready
from tests.terminal import ENTER, F4, PRACTICE, Terminal, ctrl, opened, practice_env

_SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}
_CRASH_IN_LIST = (
    "ui/app.py",
    ("        self.cases.toggle_mark()\n", '        raise RuntimeError("@somebody said so")\n'),
)
_CRASH_IN_COMPOSER = (
    "ui/composer.py",
    (
        "        findings = self._writing.checks(self.text)\n        lines",
        '        raise RuntimeError("@somebody said so")\n        lines',
    ),
)


def looks_clean(terminal: Terminal) -> None:
    """Put back, and nothing of the program's inside on it."""
    assert terminal.left_on() == set()
    after = terminal.raw.rpartition(b"\x1b[?1049l")[2]
    for word in (b"Traceback", b"Error", b"Warning", b"@somebody", b"coroutine"):
        assert word not in after, after


@pytest.mark.promise
@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    with opened(env=practice_env(new_day(tmp_path))) as terminal:
        begin_answer(terminal)
        assert {"mode 1049", "mode 25", "mode 2004", "raw keys"} <= terminal.left_on()
        terminal.press("we are")
        terminal.signal(number)
        assert terminal.exit_code() == _SIGNALS[number]
        looks_clean(terminal)


@pytest.mark.promise
def test_a_signal_as_soon_as_it_has_the_terminal_restores_it(tmp_path: Path) -> None:
    with opened(env=practice_env(new_day(tmp_path))) as terminal:
        terminal.wait(lambda: b"\x1b[?1049h" in terminal.raw)
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == 143
        looks_clean(terminal)


@pytest.mark.promise
def test_the_check_notices_a_terminal_that_is_not_restored(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "cli/inbox.py",
        ("_ENDS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)", "_ENDS = ()"),
    )
    with opened(env=practice_env(new_day(tmp_path), PYTHONPATH=bug)) as terminal:
        wait_ready(terminal)
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == -signal.SIGTERM
        assert {"mode 1049", "mode 25", "mode 2004", "raw keys"} <= terminal.left_on()


@pytest.mark.promise
def test_leaving_restores_the_terminal(tmp_path: Path) -> None:
    with opened(env=practice_env(new_day(tmp_path))) as terminal:
        wait_ready(terminal)
        terminal.press(ctrl("q"))
        assert terminal.exit_code() == 0
        looks_clean(terminal)


def _takes_the_screen(terminal: Terminal, since: int) -> bool:
    return b"\x1b[?1049h" in terminal.raw[since:]


@pytest.mark.promise
def test_being_continued_without_having_been_stopped_changes_nothing(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with opened(env=practice_env(home)) as terminal:
        begin_answer(terminal)
        for letter in "abc":
            seen = len(terminal.raw)
            terminal.signal(signal.SIGCONT)
            terminal.wait(partial(_takes_the_screen, terminal, seen))
            terminal.press(letter)
        terminal.wait_for("3/280")
        for letter in "def":
            for _ in range(4):  # some come while the terminal is still being taken
                terminal.signal(signal.SIGCONT)
                terminal.pump(0.002)
            terminal.press(letter)
        terminal.wait_for("6/280")
        terminal.press(ctrl("q"))
        assert terminal.exit_code() == 0
    assert kept_text(home) == "abcdef"


@pytest.mark.promise
def test_a_crash_restores_the_terminal_and_tells_where_the_report_is(tmp_path: Path) -> None:
    bug = broken_copy(tmp_path, *_CRASH_IN_LIST)
    home = new_day(tmp_path)
    with opened(env=practice_env(home, PYTHONPATH=bug), size=(200, 24)) as terminal:
        wait_ready(terminal)
        terminal.press(" ")
        assert terminal.exit_code() == 70
        looks_clean(terminal)
        assert "something went wrong inside the program" in terminal.text
    [report] = (home / "carerespond" / "logs").iterdir()
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text(encoding="utf-8")
    assert "RuntimeError" in text
    assert "app.py" in text
    assert "somebody" not in text


@pytest.mark.promise
def test_a_crash_keeps_what_was_typed(tmp_path: Path) -> None:
    bug = broken_copy(tmp_path, *_CRASH_IN_COMPOSER)
    home = new_day(tmp_path)
    with opened(env=practice_env(home, PYTHONPATH=bug)) as terminal:
        begin_answer(terminal)
        terminal.press("we are listening" + F4)
        assert terminal.exit_code() == 70
        looks_clean(terminal)
    assert kept_text(home) == "we are listening"


@pytest.mark.promise
def test_the_check_notices_a_crash_that_drops_the_text(tmp_path: Path) -> None:
    drops = ("                self._writing.save_now(text)\n", "                pass\n")
    bug = broken_copy(tmp_path, *_CRASH_IN_COMPOSER, drops)
    home = new_day(tmp_path)
    with opened(env=practice_env(home, PYTHONPATH=bug)) as terminal:
        begin_answer(terminal)
        terminal.press("we are listening" + F4)
        assert terminal.exit_code() == 70
    assert kept_text(home) == ""


# -- any size -----------------------------------------------------------------------------------

_STORM = [(1, 1), (2, 3), (80, 24), (200, 60), (3, 2), (120, 40), (1, 60), (300, 1), (40, 10)]


def storm(terminal: Terminal) -> None:
    """Every size, twice, faster than anything can be drawn; back at the usual one."""
    for size in (*_STORM, *reversed(_STORM)):
        terminal.resize(size)
        terminal.pump(0.03)
    terminal.resize((80, 24))


@pytest.mark.promise
def test_any_size_is_borne_and_the_text_kept(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with opened(env=practice_env(home)) as terminal:
        wait_ready(terminal)
        storm(terminal)
        terminal.press("j")
        wait_ready(terminal)
        terminal.press(ENTER)
        storm(terminal)
        terminal.press("q")
        begin_answer(terminal)
        terminal.press("before ")
        storm(terminal)
        terminal.press("after")
        terminal.wait_for("before after")
        terminal.wait_for("12/280")
        terminal.press(ctrl("d"))
        terminal.wait_for("REVIEW")
        storm(terminal)
        terminal.wait_for("before after")
        terminal.press("q")
        terminal.wait_for("12/280")
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == 143
        looks_clean(terminal)
    assert kept_text(home) == "before after"


@pytest.mark.promise
def test_the_check_notices_a_size_that_is_not_borne(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "ui/app.py",
        (
            '        body.set_class(width >= WIDE, "wide")\n',
            '        body.set_class(1 // (width // 2) == 0 and width >= WIDE, "wide")\n',
        ),
    )
    with opened(env=practice_env(new_day(tmp_path), PYTHONPATH=bug)) as terminal:
        wait_ready(terminal)
        storm(terminal)
        assert terminal.exit_code() == 70


# -- where it cannot be shown -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "size", "word"),
    [
        ("dumb", (80, 24), "TERM=xterm-256color"),
        ("unknown", (80, 24), "TERM=xterm-256color"),
        ("", (80, 24), "TERM=xterm-256color"),
        ("xterm", (39, 24), "too small (39x24)"),
        ("xterm", (80, 9), "too small (80x9)"),
    ],
)
def test_a_terminal_that_cannot_show_it_is_told_so_once(
    tmp_path: Path, term: str, size: tuple[int, int], word: str
) -> None:
    with opened(env=practice_env(tmp_path, TERM=term), size=size) as terminal:
        assert terminal.exit_code() == 2
        said = terminal.raw.decode()
    assert word in said
    assert said.count("carerespond: ") == 1
    assert "\x1b" not in said
    assert len(said.splitlines()) <= 2


@pytest.mark.parametrize("missing", ["input", "output"])
def test_without_a_terminal_it_says_what_to_run_instead(tmp_path: Path, missing: str) -> None:
    terminal_fd, other = os.openpty()
    try:
        done = subprocess.run(
            PRACTICE,
            env=practice_env(tmp_path),
            stdin=subprocess.DEVNULL if missing == "input" else other,
            stdout=subprocess.PIPE if missing == "output" else other,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(other)
        os.close(terminal_fd)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "carerespond: The inbox needs a terminal. From a script, use: carerespond check --json"
    ]
