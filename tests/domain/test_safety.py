"""Which safety cards a case has, and what the page that says why can tell of its place."""

from pathlib import Path
from typing import Any

import pytest

from carerespond.config import parse_config, shipped_safety
from carerespond.domain.models import Assessment, Priority, Reason
from carerespond.domain.safety import SafetyCard, cards_for
from carerespond.domain.triage import assess, explain
from tests.domain.support import post, shipped_rules

OWN = (
    SafetyCard("harm", ("1",), ("risk_self_harm",)),
    SafetyCard("two", ("2",), ("risk_self_harm", "threat")),
)
SHIPPED = (SafetyCard("shipped danger", ("3",), ("risk_danger",)), SafetyCard("any", ("4",)))


def pinned(*rules: str) -> Assessment:
    reasons = (*(Reason(rule, rule, 3.0, is_pin=True) for rule in rules), Reason("x", "x", 9.0))
    return Assessment(Priority.URGENT, 9.0, reasons, is_pinned=True)


@pytest.mark.parametrize(
    ("rules", "titles"),
    [
        (["risk_self_harm"], ["harm", "two"]),
        (["threat", "risk_self_harm"], ["two", "harm"]),
        (["risk_danger"], ["shipped danger"]),
        (["risk_danger", "threat"], ["shipped danger", "two"]),
        (["ligature"], ["any"]),
        ([], ["any"]),
    ],
)
def test_the_organisations_cards_win_and_every_danger_has_one(
    rules: list[str], titles: list[str]
) -> None:
    assert [card.title for card in cards_for(pinned(*rules), OWN, SHIPPED)] == titles


def test_a_card_for_all_is_for_every_danger_without_its_own() -> None:
    own = (*OWN, SafetyCard("ours", ("5",)))
    assert [one.title for one in cards_for(pinned("risk_danger"), own, SHIPPED)] == ["ours"]
    assert [one.title for one in cards_for(pinned("threat"), own, SHIPPED)] == ["two"]


def test_a_case_that_nothing_holds_has_no_card() -> None:
    placed = Assessment(Priority.URGENT, 9.0, (Reason("risk_danger", "x", 9.0),))
    assert cards_for(placed, OWN, SHIPPED) == ()


def test_every_shipped_rule_that_pins_has_a_shipped_card_with_all_its_parts() -> None:
    pins = {group.group_id for group in shipped_rules().groups if group.is_pin}
    cards = shipped_safety()
    assert {rule for card in cards for rule in card.rules} == pins
    assert [card for card in cards if not card.rules] == [cards[-1]]
    for card in cards:
        assert card.is_example
        assert card.numbers
        assert card.tell
        assert card.avoid


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("risk_self_harm", ["999", "111 option 2", "116 123", "85258"]),
        ("risk_danger", ["999", "111"]),
        ("risk_safeguarding", ["999", "0808 800 5000", "0808 808 8141"]),
        ("risk_medication", ["111", "pharmacist"]),
        ("risk_deterioration", ["999", "111"]),
        ("threat", ["999", "101"]),
    ],
)
def test_the_numbers_are_those_that_people_know(rule: str, numbers: list[str]) -> None:
    (card,) = cards_for(pinned(rule), (), shipped_safety())
    said = " ".join(card.numbers)
    assert all(one in said for one in numbers)


def test_a_pinned_post_says_which_reasons_hold_it() -> None:
    placed = assess(post("dad has chest pain, staff were rude"), shipped_rules())
    assert [one.rule for one in placed.pins] == ["risk_danger"]
    assert assess(post("staff were rude"), shipped_rules()).pins == ()


def test_the_documented_card_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "triage.md").read_text(encoding="utf-8")
    card = text.split("```toml\n[[safety]]")[1].split("```")[0]
    config = parse_config(f"[organisation]\nname = 'A'\n[[safety]]{card}", "config.toml")
    assert config.safety[0].rules == ("risk_self_harm",)


# -- by which cut -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("14 hours on a trolley, disgusting, nobody told us a thing", {}, "URGENT begins at 8"),
        ("dad has chest pain", {}, "a rule about danger holds it there"),
        ("thank you, the nurses were wonderful and so kind", {}, "praise of "),
        ("where do I park for the eye clinic on a Saturday?", {"is_repost": True}, "watched"),
        ("it is a building", {}, "the sum is below 1"),
    ],
)
def test_the_cut_that_gave_the_pane_is_named(text: str, more: dict[str, Any], words: str) -> None:
    one = post(text, **more)
    placed = assess(one, shipped_rules())
    found = explain(placed, one, shipped_rules())
    assert found.priority is placed.priority
    assert words in found.why
