"""The inbox while rules change: it sorts itself, and the cursor goes with its case."""

from pathlib import Path

import pytest

from carerespond.domain.models import Priority
from tests.ui.support import House, Terminal

DOG = """\
[[group]]
id = "team_dog"
kind = "complaint"
weight = 2.0
reason = "our dogs"
patterns = ["guide dog"]
"""
NO_DOG = DOG.replace("guide dog", "no such dog")


def own(house: House) -> Path:
    return house.config.own_rules


async def moved(terminal: Terminal, handle: str, pane: Priority) -> None:
    house = terminal.house
    await terminal.until(
        lambda: house.case(handle, "priority") == (int(pane),), f"@{handle} in {pane.label}"
    )


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_an_edited_rule_sorts_the_inbox_with_the_cursor_on_its_case(
    house: House, size: tuple[int, int]
) -> None:
    before = house.case("ola_b", "priority")
    async with house.terminal(size) as terminal:
        await terminal.go_to("ola_b")
        own(house).write_text(DOG)
        await terminal.sees("the rules have changed: 1 case moves")
        await moved(terminal, "ola_b", Priority.TODAY)
        await terminal.until(
            lambda: (
                terminal.app.current is not None and terminal.app.current.priority is Priority.TODAY
            )
        )
        await terminal.is_at("ola_b")
        own(house).unlink()
        await terminal.until(lambda: house.case("ola_b", "priority") == before)
        await terminal.until(
            lambda: (
                terminal.app.current is not None and (int(terminal.app.current.priority),) == before
            )
        )
        await terminal.is_at("ola_b")


async def test_every_terminal_follows(house: House) -> None:
    async with house.terminal() as asha, house.terminal(operator="Bryn", size=(120, 40)) as bryn:
        await bryn.go_to("ola_b")
        own(house).write_text(DOG)
        await moved(asha, "ola_b", Priority.TODAY)
        await bryn.until(
            lambda: bryn.app.current is not None and bryn.app.current.priority is Priority.TODAY
        )
        await bryn.is_at("ola_b")


async def test_a_new_post_is_placed_by_the_new_rules(house: House) -> None:
    async with house.terminal() as terminal:
        own(house).write_text(DOG)
        await moved(terminal, "ola_b", Priority.TODAY)
        await house.post("new_one", "@StElsewhere is my guide dog allowed")
        await terminal.press("comma", "c")
        await terminal.until(
            lambda: house.rows("SELECT 1 FROM cases WHERE handle = 'new_one'") != []
        )
        assert house.case("new_one", "priority") == (int(Priority.TODAY),)


async def test_a_mistake_is_told_once_and_the_old_rules_hold(house: House) -> None:
    async with house.terminal((120, 40)) as terminal:
        own(house).write_text(DOG)
        await moved(terminal, "ola_b", Priority.TODAY)
        own(house).write_text(DOG + "\n[[group]]\nid = 'half'\nkind = 'silly'\n")
        await terminal.sees("rules.toml, line 8, group half", "The rules before it still hold")
        assert house.case("ola_b", "priority") == (int(Priority.TODAY),)
        own(house).write_text(DOG)
        await terminal.sees("the rules can be read again")


async def test_a_program_begins_by_placing_what_stands_by_other_rules(house: House) -> None:
    own(house).write_text(DOG)
    async with house.terminal() as terminal:
        await moved(terminal, "ola_b", Priority.TODAY)
        own(house).write_text(NO_DOG)
        await terminal.until(lambda: house.case("ola_b", "priority") != (int(Priority.TODAY),))
