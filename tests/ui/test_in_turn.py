"""Keys that arrive together act one after the other, each where the one before has led."""

import pytest

from tests.ui.support import House


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.parametrize("back", ["escape", "q"])
async def test_a_key_behind_one_that_closes_a_page_is_the_lists(
    house: House, back: str, size: tuple[int, int]
) -> None:
    async with house.terminal(size) as terminal:
        await terminal.press("W")
        await terminal.sees("SOURCES what is listened to")
        await terminal.burst(back, "w")
        await terminal.sees("WHY @dee_dee")


@pytest.mark.parametrize(
    ("key", "page"), [("w", "WHY @"), ("question_mark", "Keys (/ finds a word)")]
)
async def test_escape_and_a_key_in_one_piece_are_two_keys(
    house: House, key: str, page: str
) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("W")
        await terminal.sees("SOURCES what is listened to")
        await terminal.press(f"alt+{key}")
        await terminal.sees(page)


async def test_a_whole_errand_may_be_typed_at_once(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.go_to("maz_h")
        await terminal.burst("L", *"parking", "enter", "b", "1", "W", "q", "w")
        await terminal.sees("WHY @")
        assert house.rows("SELECT 1 FROM cases WHERE handle = 'maz_h' AND state = 'later'")
        assert house.rows("SELECT 1 FROM labels")


async def test_what_is_typed_behind_an_answer_waits_until_the_verb_has_ended(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("dee_dee")
        await terminal.press("minus")
        await terminal.sees("possible danger. Really")
        await terminal.burst("Y", "equals_sign")
        await terminal.sees("A rule about danger holds it in urgent")


async def test_letters_of_a_text_reach_the_text(house: House) -> None:
    text = "thank you, we will look into it and ring you back"
    async with house.terminal() as terminal:
        await terminal.go_to("maz_h")
        await terminal.burst("r", *("space" if one == " " else one for one in text), "escape", "w")
        await terminal.sees("WHY @maz_h")
        assert house.rows("SELECT text FROM drafts") == [(text,)]


@pytest.mark.promise
@pytest.mark.parametrize("keys", [("ctrl+d", "y"), ("ctrl+d", "ctrl+d", "y", "y")])
async def test_an_answer_typed_ahead_of_its_review_does_not_go(
    house: House, keys: tuple[str, ...]
) -> None:
    async with house.terminal() as terminal:
        await terminal.write("maz_h", "thank you, we will ring you")
        await terminal.burst(*keys)
        await terminal.sees("REVIEW", "y send")
        await terminal.stays(lambda: house.rows("SELECT 1 FROM outbox") == [])
        await terminal.press("y")
        await terminal.until(lambda: len(house.rows("SELECT 1 FROM outbox")) == 1)


@pytest.mark.promise
@pytest.mark.parametrize("keys", [("minus", "Y"), ("e", "n", "Y"), ("exclamation_mark", "Y")])
async def test_a_danger_is_not_let_go_by_keys_typed_ahead_of_the_question(
    house: House, keys: tuple[str, ...]
) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("dee_dee")
        before = house.case("dee_dee", "state", "priority")
        await terminal.burst(*keys)
        await terminal.sees("possible danger. Really", "that key was not used")
        await terminal.stays(lambda: house.case("dee_dee", "state", "priority") == before)
