"""Nothing typed is lost: not by a hang-up, a request to end, a crash, and little by kill -9.

"Typed" is what the program has read from its terminal, though it may not have shown it yet.
"""

import random
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promises.practising import (
    begin_answer,
    broken_copy,
    in_composer,
    kept_drafts,
    kept_text,
    new_day,
    open_draft,
    wait_ready,
)
from tests.terminal import ESC, Terminal, ctrl, opened, practice_env

_WORDS = ("sorry", "we", "are", "listening", "please", "ring", "the", "ward", "café", "naïve")
HANG_UP = 0  # no signal of ours: the terminal is closed, and the system sends SIGHUP
EXIT_CODES = {signal.SIGTERM: 143, signal.SIGHUP: 129, HANG_UP: 129}


def words(number: int, length: int) -> str:
    """So many characters of words, always the same for a number."""
    choose = random.Random(number)
    text = " ".join(choose.choice(_WORDS) for _ in range(length))
    return text[: length - 1] + "!"


@dataclass(frozen=True)
class Run:
    """What one ending has cost."""

    typed: int
    lost: int
    code: int


def type_in_bursts(terminal: Terminal, text: str, choose: random.Random) -> None:
    """As a person and a slow line do: some keys at once, some after one another."""
    at = 0
    while at < len(text):
        burst = choose.randint(1, 40)
        terminal.press(text[at : at + burst])
        at += burst
        terminal.pump(choose.uniform(0, 0.03))
    terminal.wait(lambda: terminal.unread() == 0, "the keys to be read")


def end(terminal: Terminal, how: int) -> int:
    """End the program from outside; its exit code."""
    if how == HANG_UP:
        terminal.hang_up()
    else:
        terminal.signal(how)
    return terminal.exit_code()


def type_and_end(home: Path, text: str, how: int, **env: str) -> Run:
    """Go on with the draft, or begin one, type, and end the program at once."""
    before = kept_text(home)
    with opened(env=practice_env(home, **env)) as terminal:
        if before:
            open_draft(terminal)
        else:
            begin_answer(terminal)
        type_in_bursts(terminal, text, random.Random(len(before)))
        code = end(terminal, how)
    kept = kept_text(home)
    assert (before + text).startswith(kept)
    return Run(len(text), len(before + text) - len(kept), code)


@pytest.mark.promise
def test_no_character_is_lost_by_hang_up_or_request_to_end(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    runs = 9
    for number in range(runs):
        how = list(EXIT_CODES)[number % len(EXIT_CODES)]
        length = random.Random(number).randint(100, 350)
        run = type_and_end(home, words(number, length), how)
        assert (run.lost, run.code) == (0, EXIT_CODES[how]), (number, how, run)
    typed = sum(random.Random(number).randint(100, 350) for number in range(runs))
    with opened(env=practice_env(home)) as terminal:  # and the next start finds it
        open_draft(terminal)
        terminal.wait_for(f"{typed}/280")
    assert len(kept_drafts(home)) == 1


@pytest.mark.promise
def test_the_check_notices_a_program_that_takes_no_signals(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "cli/inbox.py",
        ("_ENDS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)", "_ENDS = ()"),
    )
    for number, how in enumerate((signal.SIGTERM, HANG_UP)):
        home = new_day(tmp_path / str(number))
        run = type_and_end(home, words(1, 150), how, PYTHONPATH=bug)
        assert run.lost > 0


@pytest.mark.promise
def test_the_check_notices_a_program_that_leaves_keys_behind(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "ui/app.py",
        (
            'self._beside(partial(self._end_once_quiet, 128 + number), "end")',
            "self.exit(128 + number)",
        ),
    )
    home = new_day(tmp_path)
    with opened(env=practice_env(home, PYTHONPATH=bug)) as terminal:
        begin_answer(terminal)
        terminal.press(words(2, 400))
        terminal.wait(lambda: terminal.unread() == 0)
        assert end(terminal, signal.SIGTERM) == 143
    assert len(kept_text(home)) < 400


@pytest.mark.promise
def test_a_second_signal_while_it_ends_costs_nothing(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    text = words(3, 300)
    with opened(env=practice_env(home)) as terminal:
        begin_answer(terminal)
        terminal.press(text)
        terminal.wait(lambda: terminal.unread() == 0)
        terminal.signal(signal.SIGHUP)
        terminal.pump(0.02)
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == 129
    assert kept_text(home) == text


@pytest.mark.promise
@pytest.mark.parametrize("keys", [ctrl("q"), ESC], ids=["ctrl+q", "esc"])
def test_leaving_keeps_what_was_typed_just_before(tmp_path: Path, keys: str) -> None:
    home = new_day(tmp_path)
    text = words(4, 200)
    with opened(env=practice_env(home)) as terminal:
        begin_answer(terminal)
        terminal.press(text + keys)
        if keys == ESC:
            terminal.wait_gone("PUBLIC reply ")
            terminal.press(ctrl("q"))
        assert terminal.exit_code() == 0
    assert kept_text(home) == text


def type_until_killed(home: Path, seconds: float, **env: str) -> tuple[int, int]:
    """Type steadily, then kill -9.

    Returns:
        How many characters were kept, and how many were on the screen one second before.
    """
    shown: list[tuple[float, int]] = []
    with opened(env=practice_env(home, **env)) as terminal:
        begin_answer(terminal)
        began = time.monotonic()
        typed = 0
        while (now := time.monotonic()) - began < seconds:
            terminal.press("abcdefg "[typed % 8])
            typed += 1
            terminal.pump(0.02)
            if found := re.search(r"(\d+)/280", terminal.text):
                shown.append((now, int(found[1])))
        terminal.signal(signal.SIGKILL)
        killed = time.monotonic()
        assert terminal.exit_code() == -signal.SIGKILL
    earlier = [count for at, count in shown if at <= killed - 1.0]
    return len(kept_text(home)), max(earlier, default=0)


@pytest.mark.promise
def test_kill_9_loses_at_most_the_last_second(tmp_path: Path) -> None:
    for number in range(4):
        home = new_day(tmp_path / str(number))
        kept, owed = type_until_killed(home, random.Random(number).uniform(1.2, 2.6))
        assert owed > 0
        assert kept >= owed, f"run {number}: {kept} kept, {owed} were a second old"
        if number == 0:  # and the next start finds it
            with opened(env=practice_env(home)) as terminal:
                open_draft(terminal)
                terminal.wait_for(f"{kept}/280")


@pytest.mark.promise
def test_the_check_notices_a_save_that_waits_too_long(tmp_path: Path) -> None:
    bug = broken_copy(tmp_path, "ui/composer.py", ("SAVE_AFTER = 0.3", "SAVE_AFTER = 5.0"))
    kept, owed = type_until_killed(new_day(tmp_path), 2.4, PYTHONPATH=bug)
    assert kept < owed


@pytest.mark.promise
def test_ctrl_c_never_quits_with_text_in_hand(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with opened(env=practice_env(home)) as terminal:
        begin_answer(terminal)
        terminal.press("we are listening" + ctrl("c") + ctrl("c") + " still")
        terminal.wait_for("we are listening still")
        in_composer(terminal)
        terminal.press(ESC)
        terminal.wait_gone("PUBLIC reply ")
        terminal.press(ctrl("c"))
        terminal.wait_for("ctrl+q leaves carerespond")
        wait_ready(terminal)
    assert kept_text(home) == "we are listening still"
