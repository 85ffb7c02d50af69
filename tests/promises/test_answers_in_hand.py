"""An answer in hand: it is for one case alone, it never leaves by itself, and no end loses it."""

import signal
from pathlib import Path

import pytest

from carerespond.domain.models import SendState
from carerespond.storage import cases
from tests.promises.practising import (
    begin_answer,
    broken_copy,
    database_of,
    in_composer,
    kept_answers,
    kept_drafts,
    kept_text,
    new_day,
    open_draft,
    wait_ready,
)
from tests.terminal import ESC, Terminal, ctrl, opened, practice_env


def queue_answer(terminal: Terminal, text: str) -> str:
    """Answer the first case, up to the moment that it waits to be sent; whom it answers."""
    handle = begin_answer(terminal)
    terminal.press(text + ctrl("d"))
    terminal.wait_for("y send")
    terminal.press("y")
    terminal.wait_for(f"sending to @{handle}")
    return handle


def test_ctrl_q_asks_while_an_answer_waits(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with opened(env=practice_env(home)) as terminal:
        handle = queue_answer(terminal, "we are listening")
        question = f"An answer to @{handle} has not gone out yet."
        terminal.press(ctrl("q"))
        terminal.wait_for(question)
        terminal.press(ctrl("q"))  # again is no answer
        terminal.press("q")
        terminal.wait_gone(question)
        wait_ready(terminal)
        terminal.press(ctrl("q"))
        terminal.wait_for(question)
        terminal.press("k")
        assert terminal.exit_code() == 0
    assert [row.state for row in kept_answers(home)] == [SendState.NOT_SENT]
    assert kept_text(home) == "we are listening"


def end_while_waiting(home: Path, number: signal.Signals, **env: str) -> str:
    """End the program while an answer waits; its case's handle."""
    with opened(env=practice_env(home, **env)) as terminal:
        handle = queue_answer(terminal, "we are listening")
        terminal.signal(number)
        terminal.exit_code()
    with opened(env=practice_env(home, **env)) as terminal:
        wait_ready(terminal)
        terminal.press("O")
        terminal.wait_for(f"not sent: @{handle}")
        terminal.press(ESC)
        terminal.wait_gone("These need you")
        terminal.press(ctrl("q"))  # and nothing is asked, because nothing waits
        assert terminal.exit_code() == 0
    return handle


@pytest.mark.promise
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_an_answer_waiting_when_the_program_ends_is_a_draft_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    home = new_day(tmp_path)
    handle = end_while_waiting(home, number)
    assert [row.state for row in kept_answers(home)] == [SendState.NOT_SENT]
    assert kept_text(home) == "we are listening"
    with opened(env=practice_env(home)) as terminal:
        assert open_draft(terminal) == handle
        terminal.wait_for("we are listening")


@pytest.mark.promise
def test_the_check_notices_an_answer_that_is_not_given_back(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "services/presence.py",
        ("        if row.state is SendState.NOT_SENT:\n", "        if row.text == '':\n"),
    )
    home = new_day(tmp_path)
    end_while_waiting(home, signal.SIGKILL, PYTHONPATH=bug)
    assert kept_text(home) == ""


def texts_by_handle(home: Path) -> dict[str, str]:
    """The text kept for each person."""
    with database_of(home) as database:
        found = {}
        for draft in kept_drafts(home):
            [case] = database.fetch_now(cases.case(draft.case_id))
            found[case.author.handle] = draft.text
        return found


def write_to_three(home: Path, **env: str) -> tuple[dict[str, str], dict[str, str]]:
    """Begin answers to three people, each naming them, one interrupted by the end of the program.

    Returns:
        What a composer showed under each person's name later, and what is kept for each.
    """
    written: dict[str, str] = {}
    with opened(env=practice_env(home, **env)) as terminal:
        wait_ready(terminal)
        for _ in range(3):
            handle = begin_answer(terminal)
            terminal.press(f" for {handle} alone ")
            written[handle] = ""
            if len(written) < 3:
                terminal.press(ESC)
                terminal.wait_gone("PUBLIC reply ")
                terminal.press("j")
        terminal.wait(lambda: terminal.unread() == 0)
        terminal.signal(signal.SIGTERM)
        terminal.exit_code()
    with opened(env=practice_env(home, **env)) as terminal:
        for number in range(1, len(kept_drafts(home)) + 1):
            handle = open_draft(terminal, number)
            lines = terminal.lines
            at = next(i for i, line in enumerate(lines) if "PUBLIC reply " in line)
            text = next((line.strip() for line in lines[at:] if " alone" in line), "")
            written[handle] = text
            terminal.press(ESC)
            terminal.wait_gone("PUBLIC reply ")
    return written, texts_by_handle(home)


@pytest.mark.promise
def test_a_draft_is_shown_and_kept_for_its_own_case_alone(tmp_path: Path) -> None:
    shown, kept = write_to_three(new_day(tmp_path))
    assert len(shown) == 3
    assert shown == {handle: f"for {handle} alone" for handle in shown}
    assert {handle: text.strip() for handle, text in kept.items()} == shown


@pytest.mark.promise
def test_the_check_notices_a_draft_that_turns_up_at_another_case(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path,
        "storage/drafts.py",
        ('_AT = "case_id = ? AND ', '_AT = "case_id > 0 * ? AND '),
    )
    home = new_day(tmp_path)
    shown, kept = write_to_three(home, PYTHONPATH=bug)
    right = {handle: f"for {handle} alone" for handle in shown}
    assert (shown, {handle: text.strip() for handle, text in kept.items()}) != (right, right)


@pytest.mark.promise
def test_what_is_queued_is_for_the_case_that_the_review_named(tmp_path: Path) -> None:
    home = new_day(tmp_path)
    with opened(env=practice_env(home)) as terminal:
        handle = begin_answer(terminal)
        terminal.press("we are listening" + ctrl("d"))
        terminal.wait_for(f"REVIEW  PUBLIC reply to @{handle}")
        terminal.press("e")
        terminal.wait_gone("REVIEW")
        assert in_composer(terminal) == handle
        terminal.press(ctrl("d"))
        terminal.wait_for("y send")
        terminal.press("y")
        terminal.wait_for(f"sending to @{handle}")
    [row] = kept_answers(home)
    with database_of(home) as database:
        [case] = database.fetch_now(cases.case(row.case_id))
    assert (row.handle, row.in_reply_to) == (handle, case.head.post_id)
    assert case.author.handle == handle
