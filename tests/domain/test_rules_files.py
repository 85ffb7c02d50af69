"""Several rules files as one: the shipped ones, further languages, a team's own."""

import re
from pathlib import Path

import pytest

from carerespond.config import lexicon_texts, rules_texts
from carerespond.domain.errors import ConfigError
from carerespond.domain.models import Assessment, Priority
from carerespond.domain.rulebook import Rules, read_rules
from carerespond.domain.triage import assess
from tests.domain.support import post, shipped_rules

DOCUMENT = Path(__file__).parents[2] / "docs" / "triage.md"


def with_own(text: str) -> Rules:
    return read_rules([*rules_texts(), (text, "rules.toml")], lexicon_texts())


def fired(assessed: Assessment) -> dict[str, float]:
    return {reason.rule: reason.points for reason in assessed.reasons}


def test_the_examples_in_the_document_are_rules() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    own = [text for text in examples if "[[group]]" in text]
    assert len(own) == 2
    for text in own:
        with_own(text)


def test_an_own_file_adds_words_to_a_group_and_keeps_the_rest() -> None:
    own = with_own('[[group]]\nid = "wait"\npatterns = ["stuck in minors"]\n')
    text = "stuck in minors with a toddler"
    assert "wait" not in fired(assess(post(text), shipped_rules()))
    assert fired(assess(post(text), own))["wait"] == 1.2
    assert "wait" in fired(assess(post("the wait was so long"), own))


def test_an_own_file_overrules_weights_cuts_and_context() -> None:
    own = with_own(
        '[panes]\nurgent = 50.0\n[context]\nnames_us = 2.5\n[[group]]\nid = "wait"\nweight = 3.0\n'
    )
    assessed = assess(post("the wait was so long", mentions_us=True), own)
    assert (fired(assessed)["wait"], fired(assessed)["context.names_us"]) == (3.0, 2.5)
    pinned = assess(post("I want to kill myself"), own)
    assert pinned.priority is Priority.URGENT, "a pin does not go by the cut"


def test_an_own_file_takes_words_away() -> None:
    own = with_own('[[group]]\nid = "wait"\nremove = ["backlog"]\n')
    assert "wait" in fired(assess(post("such a backlog"), shipped_rules()))
    assert "wait" not in fired(assess(post("such a backlog"), own))


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('[[group]]\nid = "wiat"\npatterns = ["x"]\n', 1, "did you mean the group 'wait'"),
        ('[[group]]\nid = "wait"\nremove = [\n"backlogs",\n]\n', 4, "Did you mean 'backlog'"),
        ('[[group]]\nid = "wait"\nweight = -2\n', 3, "weight is not a number"),
        ("[[group]]\nweight = 2\n", 1, "it has no id"),
        ("[tone]\nwieght = 2\n", 2, "Did you mean 'weight'"),
        ('[[language]]\ncode = "pl"\nname = "Polish"\n', 1, "the language has no words"),
        ('[[language]]\ncode = "pl"\nname = 3\nwords = ["nie"]\n', 3, "name is not a text"),
    ],
)
def test_a_mistake_in_an_own_file_names_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_own(text)
    said = str(caught.value)
    assert said.startswith(f"rules.toml, line {line}")
    assert problem in said


def test_the_mark_tells_other_rules_apart() -> None:
    assert with_own("[panes]\nsoon = 1.5\n").mark != shipped_rules().mark
    assert read_rules(rules_texts(), lexicon_texts()).mark == shipped_rules().mark


# -- languages -----------------------------------------------------------------------------------

POLISH = "Czekam już trzeci miesiąc na wizytę i nikt nie oddzwonił, to jest bardzo przykre"


def test_a_language_without_rules_says_so_and_is_placed_by_the_rest() -> None:
    assessed = assess(post(POLISH), shipped_rules())
    assert [reason.rule for reason in assessed.reasons] == ["context.unknown_language"]
    assert "Polish" in assessed.reasons[0].text
    assert assessed.priority is Priority.SOON, "somebody has to look at it"
    assert assess(post(POLISH, mentions_us=True), shipped_rules()).score > assessed.score


@pytest.mark.parametrize(
    "text",
    [
        "شكرا لطاقم المستشفى على رعاية والدي، كانوا لطفاء جدا معنا",
        "תודה לצוות של בית החולים על הטיפול בסבתא שלי",
        "我在医院 等了 六个 小时 没有人 理我",
    ],
)
def test_another_alphabet_says_so(text: str) -> None:
    assert "no rules" in assess(post(text), shipped_rules()).reasons[0].text


def test_a_cry_for_help_is_held_in_whatever_language_it_stands() -> None:
    assessed = assess(post(POLISH + ". I want to kill myself"), shipped_rules())
    assert assessed.priority is Priority.URGENT
    assert assessed.is_pinned


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Cleanliness. Parking. Staffing levels. Food quality.", "en"),
        ("Cleanliness. Parking. Staffing levels. Food quality.", None),
        ("waited from 4 til gone midnight no water no info", "ro"),
        ("Dw i wedi bod yn aros ers wyth o'r gloch a does neb yn ateb", "cy"),
        ("merci 👏 the nurses were lovely", "fr"),
        ("", "pl"),
    ],
)
def test_english_and_welsh_are_not_taken_for_another(text: str, lang: str | None) -> None:
    rules = {reason.rule for reason in assess(post(text, lang=lang), shipped_rules()).reasons}
    assert "context.unknown_language" not in rules


def test_a_file_for_a_language_takes_the_place_of_its_words_alone() -> None:
    own = with_own(
        '[language]\ncode = "pl"\nname = "Polish"\nwords = ["nie", "jest", "i", "to"]\n'
        '[[group]]\nid = "no_response"\npatterns = ["nikt nie oddzwonił"]\n'
    )
    rules = fired(assess(post(POLISH), own))
    assert "context.unknown_language" not in rules
    assert rules["no_response"] > 0
