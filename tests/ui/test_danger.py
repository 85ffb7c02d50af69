"""A case that may be about a danger: its card comes first, and nothing is done to it in passing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from carerespond.domain.models import Outcome
from carerespond.services.inbox import Done
from tests.ui.support import POSTS, SIZES, WAYS, House, Terminal, build, seated

CARD = """
[[safety]]
title = "Chest pain and the like"
rules = ["risk_danger"]
numbers = ["999, [@click=app.quit]now[/]", "our heart line 01632 960199"]
tell = ["the site manager on bleep 7"]
avoid = ["advice"]
"""

# What puts cases out of sight: its keys, the state it leaves, how those it spares stay.
ASIDE: dict[str, tuple[Sequence[str], str, str]] = {
    "done": (("e", "n"), "state = 'done'", "left open (@dee_dee): possible danger, close it"),
    "not us": (("exclamation_mark",), "state = 'done'", "left open (@dee_dee)"),
    "mute": (("m",), "is_muted = 1", "left open (@dee_dee)"),
    "later": (("b", "w"), "state = 'later'", "not put off (@dee_dee): possible danger, put it off"),
    "lower": (("minus",), "priority_set_by = 'Asha'", "not lowered (@dee_dee)"),
}


def gone(house: House, where: str) -> set[str]:
    return {row[0] for row in house.rows(f"SELECT handle FROM cases WHERE {where}")}


def order(terminal: Terminal, *words: str) -> None:
    """The screen says these, one after the other."""
    places = [terminal.text.find(one) for one in words]
    assert -1 not in places, dict(zip(words, places, strict=True))
    assert places == sorted(places), dict(zip(words, places, strict=True))


def above(terminal: Terminal, card: str, words: str) -> None:
    """Both are seen whole on the screen that is open, the card first."""
    first, second = (terminal.app.screen.query_one(one) for one in (card, words))
    assert first.region.height >= 4
    assert first.region.bottom <= second.region.y
    assert second.region.bottom <= terminal.app.size.height


# -- the card -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", WAYS)
async def test_the_card_stands_above_the_post(
    house: House, way: str, size: tuple[int, int]
) -> None:
    async with seated(house, way, size) as terminal:
        order(terminal, "SAFETY: A life may be in danger now", "GIVE 999", "NHS 111", "TELL", "NOT")
        order(terminal, "SAFETY: ", "example", "dad has chest pain in your waiting")


async def test_the_card_is_short_and_stays_when_the_case_is_scrolled(house: House) -> None:
    async with seated(house, "list") as terminal:
        top = next(at for at, line in enumerate(terminal.lines()) if line.startswith("-- @dee_dee"))
        card = [line.split()[0] for line in terminal.lines()[top + 1 : top + 5]]
        assert card == ["SAFETY:", "GIVE", "TELL", "NOT"]
        assert not any("…" in line for line in terminal.lines()[top + 1 : top + 5])
        await terminal.press("J", "J", "J")
        await terminal.sees_no("dad has chest pain in your waiting room and")
        await terminal.sees("SAFETY: A life may be in danger now", "NOT a diagnosis")


async def test_no_other_case_has_a_card(house: House) -> None:
    async with seated(house, "list") as terminal:
        await terminal.go_to("maz_h")
        await terminal.sees("staff were rude, disgusting")
        await terminal.sees_no("SAFETY")
        await terminal.press("r")
        await terminal.sees("PUBLIC reply to @maz_h")
        assert "SAFETY" not in terminal.text


@pytest.mark.parametrize("size", SIZES)
async def test_the_card_stands_in_composer_and_review(house: House, size: tuple[int, int]) -> None:
    async with house.terminal(size) as terminal:
        await terminal.press("r")
        await terminal.sees("PUBLIC reply to @dee_dee")
        above(terminal, "#safety", "#words")
        await terminal.sees("SAFETY:", "GIVE 999", "TELL", "NOT")
        await terminal.type("Please ring 999.")
        await terminal.press("ctrl+d")
        await terminal.sees("REVIEW", "y send", "SAFETY:", "GIVE 999", "TELL", "NOT")
        above(terminal, "#safety", "#text")


async def test_on_the_smallest_screen_there_is_still_room_to_write(house: House) -> None:
    async with house.terminal((80, 10)) as terminal:
        await terminal.press("r")
        await terminal.sees("PUBLIC reply to @dee_dee", "SAFETY:", "GIVE 999")
        await terminal.type("Please ring 999 now.")
        await terminal.sees("Please ring 999 now.", "ctrl+d review and send")


async def test_the_organisations_own_card_takes_the_place_of_the_example(tmp_path: Path) -> None:
    house = build(tmp_path, more=CARD)
    await house.listen()
    async with house.terminal((100, 40)) as terminal:
        await terminal.sees("SAFETY: Chest pain and the like (w: all)", "our heart line")
        await terminal.sees("999, [@click=app.quit]now[/]", "the site manager on bleep 7")
        assert "example" not in terminal.text
        await terminal.press("w")
        await terminal.sees("WHY @dee_dee", "SAFETY: Chest pain and the like")


# -- out of sight -------------------------------------------------------------------------------


async def bulk_spares_the_danger(house: House, terminal: Terminal, verb: str) -> None:
    """Mark the danger and two others, do it to all: two go, one stays and is named."""
    keys, where, says = ASIDE[verb]
    await terminal.press("g", "space", "space", "space")
    await terminal.sees("3 marked")
    others = {"maz_h", *gone(house, "1")} - {"dee_dee"}
    await terminal.press(*keys)
    await terminal.sees(f"1 of 3 {says}")
    assert "dee_dee" not in gone(house, where)
    assert len(gone(house, where)) == 2
    assert gone(house, where) <= others


@pytest.mark.promise
@pytest.mark.parametrize("verb", ASIDE)
async def test_several_at_once_leave_a_danger_where_it_is(house: House, verb: str) -> None:
    async with house.terminal((120, 40)) as terminal:
        await bulk_spares_the_danger(house, terminal, verb)
        where = ASIDE[verb][1]
        await terminal.press("z")
        await terminal.sees("undone: ", "2 cases")
        assert gone(house, where) == set()


@pytest.mark.promise
async def test_a_bulk_that_takes_the_danger_along_is_noticed(house: House) -> None:
    async with house.terminal((120, 40)) as terminal:
        inbox = terminal.app.desk.inbox

        class Careless(type(inbox)):  # type: ignore[misc]  # the class is known at run time
            async def done(
                self, case_ids: Sequence[int], outcome: Outcome, *, sure: bool = False
            ) -> Done:
                for one in case_ids:
                    await super().done([one], outcome, sure=True)
                return Done("done", tuple(case_ids))

        inbox.__class__ = Careless
        terminal.patience = 2.0
        with pytest.raises(AssertionError):
            await bulk_spares_the_danger(house, terminal, "done")
        assert "dee_dee" in gone(house, "state = 'done'")


async def test_thirty_with_two_dangers_leave_two_and_name_them(tmp_path: Path) -> None:
    text = "@StElsewhere waited six hours in A&E, staff were rude, disgusting"
    risky = "@StElsewhere I dont want to be here any more"
    rows = [
        {"key": f"k{at}", "author": f"p{at}", "at": -at - 1, "text": risky if at < 2 else text}
        for at in range(30)
    ]
    house = build(tmp_path, rows)
    await house.listen()
    async with house.terminal((120, 40)) as terminal:
        await terminal.press("v", "G", "v")
        await terminal.sees("30 marked")
        await terminal.press("e", "n")
        await terminal.sees("2 of 30 left open (@p0, @p1): possible danger, close them one by one")
        await terminal.sees("done 28 cases: no answer needed - z takes it back")
        assert gone(house, "state = 'open'") == {"p0", "p1"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ASIDE)
async def test_one_by_itself_goes_after_a_question_that_names_it(
    house: House, way: str, verb: str
) -> None:
    keys, where, _ = ASIDE[verb]
    async with seated(house, way) as terminal:
        await terminal.press(*keys)
        await terminal.sees("@dee_dee: possible danger. Really", "is held as urgent: a life may")
        await terminal.press("enter")  # the bar stands on "no"
        await terminal.sees_no("Really")
        assert gone(house, where) == set()
        await terminal.press(*keys)
        await terminal.sees("@dee_dee: possible danger. Really")
        await terminal.press("Y")
        await terminal.sees_no("Really")
        await terminal.until(lambda: gone(house, where) == {"dee_dee"})


async def test_repeating_a_verb_asks_as_well(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("quizmaster")
        await terminal.press("exclamation_mark")
        await terminal.sees("not about us @quizmaster")
        await terminal.press("g", "full_stop")
        await terminal.sees("@dee_dee: possible danger. Really close it?")
        await terminal.press("q")
        assert gone(house, "state = 'done'") == {"quizmaster"}


# -- no prepared words --------------------------------------------------------------------------


async def test_no_words_are_offered_and_none_stand_there_already(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        await terminal.press("r")
        await terminal.sees("PUBLIC reply to @dee_dee", "0/280")
        await terminal.press("ctrl+t")
        await terminal.sees("no templates where there may be a danger: use your own words")
        assert "Sorry, please ring" not in terminal.text
        await terminal.press("1", "escape")
        await terminal.sees("the draft is kept")
        assert house.rows("SELECT text FROM drafts") == [("1",)]


async def test_elsewhere_templates_are_offered(house: House) -> None:
    assert [one["author"] for one in POSTS[:2]] == ["dee_dee", "maz_h"]
    async with house.terminal((80, 40)) as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("r", "ctrl+t")
        await terminal.sees("Templates", "1 Sorry, please ring")
