"""A key acts on the case that the person saw, whatever comes in between."""

import pytest

from tests.ui.support import House, Terminal, seated
from tests.ui.test_inbox_together import two


async def arrive(house: House, terminal: Terminal, handle: str) -> None:
    """A pressing post comes in from somebody new."""
    await house.post(handle, "@StElsewhere I want to end it all tonight, nobody answers")
    await terminal.working[0].listening.check_now()
    await terminal.until(lambda: bool(house.rows("SELECT 1 FROM cases WHERE handle = ?", handle)))


def state(house: House, handle: str) -> str:
    return str(house.case(handle, "state")[0])


@pytest.mark.promise
@pytest.mark.parametrize(
    ("key", "asks", "answer"), [("e", "Done: how did it", "n"), ("b", "Later: when again", "1")]
)
async def test_what_was_asked_about_a_case_is_done_to_that_case(
    house: House, key: str, asks: str, answer: str
) -> None:
    async with seated(house, "list") as terminal:
        asked = terminal.who
        await terminal.press(key)
        await terminal.sees(asks, f"@{asked}")
        await arrive(house, terminal, "newcomer")
        await terminal.press(answer)
        await terminal.sees(f"@{asked}: possible danger. Really")
        await arrive(house, terminal, "latecomer")
        await terminal.press("Y")
        await terminal.until(lambda: state(house, asked) != "open")
        assert state(house, "latecomer") == "open"
        assert state(house, "newcomer") == "open"


@pytest.mark.promise
async def test_a_case_that_a_colleague_closes_meanwhile_does_not_pass_its_fate_on(
    house: House,
) -> None:
    async with two(house) as (asha, bryn):
        asked = asha.who
        await asha.press("e")
        await bryn.press("e", "n")
        await bryn.sees("possible danger. Really")
        await bryn.press("Y")
        await asha.until(lambda: state(house, asked) == "done")
        await asha.press("n")
        await asha.sees(f"The case of @{asked} is held as urgent")
        await asha.press("Y")
        await asha.sees("done")
        closed = house.rows("SELECT handle FROM cases WHERE state = 'done'")
        assert closed == [(asked,)]


async def test_the_cursor_stays_on_the_case_that_is_read(house: House) -> None:
    async with seated(house, "reading") as terminal:
        read = terminal.who
        await arrive(house, terminal, "newcomer")
        await terminal.stays(lambda: terminal.who == read)


async def test_what_is_typed_ahead_of_the_composer_is_text(house: House) -> None:
    async with seated(house, "list") as terminal:
        await terminal.go_to("maz_h")
        await terminal._send(["r", *"hello", "space", *"two", "ctrl+d"])
        await terminal.sees("REVIEW", "hello two")


async def test_a_key_between_the_composer_and_the_review_is_no_verb(house: House) -> None:
    async with seated(house, "list") as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("r")
        await terminal.sees("PUBLIC reply")
        await terminal._send([*"abc", "ctrl+d", "!", "m", "s"])
        await terminal.sees("REVIEW")
        assert house.rows("SELECT handle FROM cases WHERE state <> 'open'") == []
