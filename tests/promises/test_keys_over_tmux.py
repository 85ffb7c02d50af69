"""The keys inside tmux, which takes a row, holds Esc back, and keeps some keys for itself."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carerespond.ui.commands import BROWSE, footer_line
from tests.promises.practising import (
    begin_answer,
    broken_copy,
    in_composer,
    kept_answers,
    kept_text,
    new_day,
    wait_ready,
)
from tests.terminal import (
    DOWN,
    ENTER,
    ESC,
    F1,
    F3,
    F4,
    F5,
    PAGE_DOWN,
    PAGE_UP,
    PRACTICE,
    UP,
    Terminal,
    ctrl,
    opened,
    practice_env,
)

_TMUX = shutil.which("tmux")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(_TMUX is None, reason="tmux is not installed"),
]


@contextmanager
def in_tmux(home: Path, **env: str) -> Iterator[Terminal]:
    """The practice inbox in a tmux of its own at tmux's defaults; its server ends with it."""
    socket = str(home / "tmux.socket")
    whole = practice_env(home, **env)
    command = (_TMUX or "", "-S", socket, "-f", os.devnull, "new-session", *PRACTICE)
    try:
        with opened(command, env=whole) as terminal:
            yield terminal
    finally:
        subprocess.run(
            (_TMUX or "", "-S", socket, "kill-server"), env=whole, capture_output=True, check=False
        )


def cursor_case(terminal: Terminal) -> str:
    """The handle of the case under the cursor."""
    return next((line.split("@")[1].split()[0] for line in terminal.lines if line[:1] == ">"), "")


def pause(terminal: Terminal, seconds: float) -> None:
    """Let time pass as between two keys, with output taken in."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        terminal.pump(left)


def escape_then_j(terminal: Terminal) -> str:
    """Mark the first case, go back to it; then Esc and j 50 ms apart.

    Returns:
        The case that they were pressed on.
    """
    wait_ready(terminal)
    terminal.wait(lambda: cursor_case(terminal) != "")
    first = cursor_case(terminal)
    terminal.press(" ")
    terminal.wait_for("*U!")
    terminal.press("k")
    terminal.wait(lambda: cursor_case(terminal) == first)
    terminal.press(ESC)
    pause(terminal, 0.05)
    terminal.press("j")
    return first


@pytest.mark.promise
def test_esc_and_a_letter_soon_after_are_both_taken(tmp_path: Path) -> None:
    with in_tmux(new_day(tmp_path)) as terminal:
        first = escape_then_j(terminal)
        terminal.wait_gone("*U!")
        terminal.wait(lambda: cursor_case(terminal) not in ("", first))


@pytest.mark.promise
def test_the_check_notices_when_esc_and_the_letter_are_one_key(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "ui/app.py",
        ("        for key in _apart(event):\n", "        for key in [event]:\n"),
    )
    with in_tmux(new_day(tmp_path), PYTHONPATH=bug) as terminal:
        first = escape_then_j(terminal)
        pause(terminal, 1.5)
        assert "*U!" in terminal.text
        assert cursor_case(terminal) == first


@pytest.mark.promise
def test_esc_and_a_letter_leave_the_composer_with_the_draft_kept(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with in_tmux(home) as terminal:
        begin_answer(terminal)
        first = cursor_case(terminal)
        terminal.press("we are listening")
        terminal.wait_for("16/280")
        terminal.press(ESC)
        pause(terminal, 0.05)
        terminal.press("j")
        terminal.wait_gone("PUBLIC reply ")
        terminal.wait(lambda: cursor_case(terminal) not in ("", first))
    assert kept_text(home) == "we are listening"


# What opens something, and words that only it shows.
_OPENED = [
    ("w", "WHY  @"),
    ("?", "/ finds a word"),
    ("e", "Done: how did it end?"),
    ("b", "Later: when again?"),
    ("O", "OUTBOX  the newest"),
    ("W", "SOURCES  what is"),
    ("@", "Who is at these keys now?"),
    ("o", "The post's address"),
    (",", "Ask the networks now?"),
    ("D", "Drafts: open which?"),
]


@pytest.mark.parametrize("leave", ["q", ESC], ids=["q", "esc"])
def test_q_and_esc_leave_whatever_is_open(tmp_path: Path, leave: str) -> None:
    home = new_day(tmp_path)
    with in_tmux(home) as terminal:
        begin_answer(terminal)
        terminal.press("kept" + ctrl("d"))
        terminal.wait_for("REVIEW")
        terminal.press(leave)
        terminal.wait_gone("REVIEW")
        in_composer(terminal)
        terminal.press(ESC)
        terminal.wait_gone("PUBLIC reply ")
        for key, words in _OPENED:
            terminal.press(key)
            terminal.wait_for(words)
            terminal.press(leave)
            terminal.wait_gone(words)
        terminal.press(ENTER)
        terminal.wait_gone("Left N  Who")
        terminal.press(leave)
        terminal.wait_for("Left N  Who")
        terminal.press("2")
        terminal.wait_for(">2 TODAY")
        terminal.press(leave)
        terminal.wait_gone(">2 TODAY")
    assert kept_text(home) == "kept"


def test_q_is_a_letter_where_text_is_typed(tmp_path: Path) -> None:
    with in_tmux(new_day(tmp_path)) as terminal:
        wait_ready(terminal)
        for key, title in (("/", "Find in this list"), ("\\", "Show only"), ("F", "Search every")):
            terminal.press(key)
            terminal.wait_for(title)
            terminal.press("quay:q")
            terminal.wait_for("quay:q")
            terminal.press(ESC)
            terminal.wait_gone(title)
        begin_answer(terminal)
        terminal.press("q:?,y")
        terminal.wait_for("q:?,y")


def test_the_keys_that_matter_arrive(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf ' and edited' >> \"$1\"\n")
    editor.chmod(0o700)
    with in_tmux(new_day(tmp_path), EDITOR=str(editor)) as terminal:
        wait_ready(terminal)
        terminal.wait(lambda: cursor_case(terminal) != "")
        first = cursor_case(terminal)
        for away, back in (
            (DOWN, UP),
            (PAGE_DOWN, PAGE_UP),
            (ctrl("f"), "\x1b[1~"),
            ("\x1b[4~", "g"),
        ):
            terminal.press(away)
            terminal.wait(lambda: cursor_case(terminal) not in ("", first), repr(away))
            terminal.press(back)
            terminal.wait(lambda: cursor_case(terminal) == first, repr(back))
        for key, words in ((F1, "/ finds a word"), (F5, "Ask the networks now?"), (ctrl("p"), "q")):
            terminal.press(key)
            terminal.wait_for(words)
            terminal.press(ESC)
            if words != "q":
                terminal.wait_gone(words)
        pause(terminal, 0.7)
        begin_answer(terminal)
        for key, words in (
            (F1, "/ finds a word"),
            (F3, "Put in an address"),
            (F4, "Checks before sending"),
        ):
            terminal.press(key)
            terminal.wait_for(words)
            terminal.press("q")
            terminal.wait_gone(words)
        terminal.press(ctrl("t"))
        terminal.wait_for("no templates where there may be a danger")  # as on the first case
        terminal.press("typed" + ctrl("o"))
        terminal.wait_for("typed and edited")
        terminal.press(ctrl("s"))
        terminal.wait_for("kept")
        terminal.press(ctrl("d"))
        terminal.wait_for("REVIEW")


# -- Enter --------------------------------------------------------------------------------------

_ENTERS = (ENTER, "\n", ESC + ENTER, "\x1b[13;5u", "\x1b[27;5;13~")


def press_every_enter(home: Path, **env: str) -> int:
    """Press each kind of Enter in a review that `y` would send; how many answers were queued."""
    with in_tmux(home, **env) as terminal:
        begin_answer(terminal)
        for enter in _ENTERS:
            terminal.press("a")
            pause(terminal, 0.2)
            terminal.press(ctrl("d"))
            terminal.wait_for("y send")
            terminal.press(enter)
            pause(terminal, 0.7)
            if kept_answers(home):
                break
            if "REVIEW" in terminal.text:
                terminal.press("e")
            in_composer(terminal)
    return len(kept_answers(home))


@pytest.mark.promise
def test_no_kind_of_enter_sends(tmp_path: Path) -> None:
    assert press_every_enter(new_day(tmp_path)) == 0


@pytest.mark.promise
def test_the_check_notices_an_enter_that_sends(tmp_path: Path) -> None:
    says_seen = "        self._has_seen = True\n        self._say()\n"
    bug = broken_copy(
        tmp_path, "ui/review.py", (says_seen, says_seen + "        self.action_send()\n")
    )
    assert press_every_enter(new_day(tmp_path), PYTHONPATH=bug) == 1


# -- one row less -------------------------------------------------------------------------------


def test_it_fits_into_the_row_less_that_tmux_leaves(tmp_path: Path) -> None:
    with in_tmux(new_day(tmp_path)) as terminal:
        wait_ready(terminal)
        assert "[0] 0:" in terminal.lines[23]  # tmux's own row
        assert terminal.lines[22] == " " + footer_line(BROWSE, 78)
        terminal.press("e")
        terminal.wait_for("Enter or its key chooses, q goes back")
        terminal.press("q")
        terminal.wait_gone("Enter or its key")
        terminal.press("j")  # a case with three rows of words, and two of a route
        begin_answer(terminal)
        verbs = terminal.lines[22]
        assert verbs.endswith("esc leave")
        terminal.press("your HIV clinic rang Dr Smith on 07700 900123, NHS number 943 476 5919 @x ")
        terminal.wait_for("stop")
        terminal.wait_for("kept")
        assert terminal.lines[22] == verbs
        assert "/280" in terminal.lines[21]
        terminal.press(ctrl("d"))
        terminal.wait_for("REVIEW")
        terminal.wait_for("y asks why")
        assert "e edit   p postpone   X discard   q back" in terminal.text
        assert terminal.lines[21].startswith("└")
