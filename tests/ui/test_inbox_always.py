"""`+`, `-` and "always?": a rule made of one case, shown before it is saved."""

import tomllib
from pathlib import Path

import pytest

from carerespond.domain.models import Priority
from tests.ui.support import House, Terminal

COMMENTED = """# ours, äöü\r
[[group]]
id = "team_own"   # kept
kind = "sign"
weight = 0.1
reason = "r"
patterns = ["zebra"]"""


def own(house: House) -> Path:
    return house.config.own_rules


async def raised(terminal: Terminal, handle: str = "ola_b") -> None:
    await terminal.go_to(handle)
    await terminal.press("plus")
    await terminal.sees(f"raise @{handle}: to", "z takes it back; = always?")


async def to_preview(terminal: Terminal, phrase: str) -> None:
    """From the list to the last screen, by a phrase that is typed."""
    await terminal.press("equals_sign")
    await terminal.sees("which words of @ola_b matter?")
    await terminal.press("t")
    await terminal.sees("which phrase?")
    await terminal.answer(phrase)
    await terminal.sees("how much is", "much: +")
    await terminal.press("1")
    await terminal.sees("would move", "y saves the rule")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_rule_is_made_shown_and_saved(house: House, size: tuple[int, int]) -> None:
    await house.post("other", "@StElsewhere can I bring a guide dog in?")
    house.clock.move(minutes=30)
    await house.listen()
    own(house).write_bytes(COMMENTED.encode())
    before = house.case("other", "priority")
    async with house.terminal(size) as terminal:
        await raised(terminal)
        await to_preview(terminal, "guide dog")
        await terminal.sees("Of 11 cases of the last 30 days", "@other")
        assert own(house).read_bytes() == COMMENTED.encode(), "nothing is written before y"
        await terminal.press("y")
        await terminal.sees("saved in rules.toml as team_guide_dog")
        await terminal.until(lambda: house.case("other", "priority") != before)
    written = own(house).read_bytes()
    assert written.startswith(COMMENTED.encode() + b"\n"), "what was there stays byte for byte"
    group = tomllib.loads(written.decode())["group"][-1]
    assert group["id"] == "team_guide_dog"
    assert group["patterns"] == ["guide dog"]
    assert group["reason"].startswith("the team's own rule, by Asha on ")
    assert house.rows("SELECT operator, detail FROM history WHERE action = 'rule'") == [
        ("Asha", "team_guide_dog: guide dog")
    ]


async def test_the_numbers_shown_are_the_cases_that_move(house: House) -> None:
    for number in range(4):
        await house.post(f"dog{number}", f"@StElsewhere guide dog, number {number}")
    house.clock.move(minutes=30)
    await house.listen()
    async with house.terminal((120, 40)) as terminal:
        await raised(terminal)
        await to_preview(terminal, "guide dog")
        before = dict(house.rows("SELECT case_id, priority FROM cases"))
        text = terminal.text
        await terminal.press("y")
        await terminal.sees("saved in rules.toml")
        after = dict(house.rows("SELECT case_id, priority FROM cases"))
    moved = sum(after[case_id] != pane for case_id, pane in before.items())
    assert moved > 0
    assert f"cases of the last 30 days, {moved} would move" in text


@pytest.mark.parametrize("keys", [["enter"], ["enter", "enter", "enter"], ["q"], ["escape"]])
async def test_enter_never_saves_and_leaving_keeps_nothing(house: House, keys: list[str]) -> None:
    async with house.terminal() as terminal:
        await raised(terminal)
        await to_preview(terminal, "guide dog")
        await terminal.press(*keys)
        if keys[0] == "enter":
            await terminal.stays(lambda: "y saves the rule" in terminal.text)
        else:
            await terminal.sees("which words of @ola_b matter?")
            await terminal.press("q")
            await terminal.sees("r reply")
        assert not own(house).exists()


async def test_the_case_that_was_moved_is_meant_until_the_cursor_goes_on(house: House) -> None:
    async with house.terminal() as terminal:
        await raised(terminal)
        assert terminal.who != "ola_b", "the cursor stays where the case was"
        await terminal.press("equals_sign")
        await terminal.sees("which words of @ola_b matter?")
        await terminal.press("q")
        await terminal.go_to("rose_t")
        await terminal.press("equals_sign")
        await terminal.sees("which words of @rose_t matter?")


async def test_without_a_choice_it_offers_both_ways(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("ola_b")
        await terminal.press("equals_sign")
        await terminal.sees("which words of @ola_b matter?", "guide dog")
        await terminal.press("1")
        await terminal.sees("much: +", "much: -", "a little: +", "be in TODAY")


async def test_a_phrase_that_is_not_in_the_post_is_asked_again(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("ola_b")
        await terminal.press("equals_sign")
        await terminal.sees("matter?")
        await terminal.press("t")
        await terminal.sees("which phrase?")
        await terminal.answer("car park")
        await terminal.sees("That does not stand in the post.", "car park")
        await terminal.press("ctrl+u")
        await terminal.answer("guide (dog")
        await terminal.sees("That is no phrase", "guide (dog")
        await terminal.press("ctrl+u")
        await terminal.answer("guide do*")
        await terminal.sees("guide do*", "That is no phrase")
        await terminal.press("escape")
        assert not own(house).exists()


async def test_a_file_with_a_mistake_is_refused_and_left_alone(house: House) -> None:
    async with house.terminal((120, 40)) as terminal:
        await raised(terminal)
        await to_preview(terminal, "guide dog")
        broken = b"[[group]]\nid = 'x\n"
        own(house).write_bytes(broken)
        await terminal.press("y")
        await terminal.sees("not valid TOML")
        assert own(house).read_bytes() == broken
        assert "saved" not in terminal.text
    assert house.rows("SELECT 1 FROM history WHERE action = 'rule'") == []


async def test_a_danger_is_not_taken_lower_by_a_phrase(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("dee_dee")
        await terminal.press("minus")
        await terminal.sees("possible danger. Really")
        await terminal.press("Y")
        await terminal.sees("lower @dee_dee: to today")
        await terminal.press("equals_sign")
        await terminal.sees("A rule about danger holds it in urgent")
        assert house.case("dee_dee", "priority") == (int(Priority.TODAY),)


async def test_raising_several_offers_no_rule(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.go_to("rose_t")
        await terminal.press("space", "space", "plus")
        await terminal.sees("raise 2 cases")
        assert "always?" not in terminal.text


async def test_after_a_rule_undo_leaves_the_case_where_the_rules_put_it(house: House) -> None:
    async with house.terminal() as terminal:
        await raised(terminal)
        await to_preview(terminal, "guide dog")
        await terminal.press("y")
        await terminal.sees("saved in rules.toml")
        await terminal.press("z")
        await terminal.sees("undone: raise @ola_b")
        assert house.case("ola_b", "priority", "priority_set_by") == (int(Priority.TODAY), None)


async def test_looking_only_makes_no_rule(house: House) -> None:
    async with house.terminal(look_only=True) as terminal:
        await terminal.sees("@ola_b")
        await terminal.until(lambda: terminal.app._verbs is not None)
        await terminal.press("equals_sign")
        await terminal.sees("Look only")
