"""The tone of a text: VADER's method on its lexicon, with what sentences and topics add."""

import pytest

from carerespond.config import lexicon_texts
from carerespond.domain.phrases import words_of
from carerespond.domain.tone import Lexicon, Tone, read_lexicon, tone_of

SHIPPED = read_lexicon(*lexicon_texts())


def tone(text: str, lexicon: Lexicon = SHIPPED) -> Tone:
    return tone_of(words_of(text), lexicon)


@pytest.mark.parametrize(
    ("kinder", "harsher"),
    [
        ("the staff were lovely", "the staff were rude"),
        ("lovely staff", "not lovely staff"),
        ("very lovely staff", "lovely staff"),
        ("lovely staff", "slightly lovely staff"),
        ("the staff were LOVELY", "the staff were lovely"),
        ("the staff were lovely!!", "the staff were lovely"),
        ("the staff were rude", "the staff were rude!!"),
        ("rude but lovely", "lovely but rude"),
        ("ward 7 😍", "ward 7 😡"),
        ("ward 7 :)", "ward 7 :("),
        ("never so kind", "never kind"),
    ],
)
def test_the_first_is_kinder_than_the_second(kinder: str, harsher: str) -> None:
    assert tone(kinder).compound > tone(harsher).compound


def test_a_sentence_ends_the_reach_of_not_and_but() -> None:
    assert tone("It was not. Lovely staff").compound > 0
    assert tone("Waited. But. Lovely staff").compound == tone("Waited. Lovely staff").compound


@pytest.mark.parametrize("text", ["", "   ", "the", "@somebody https://t.co/a", "..."])
def test_without_a_rated_word_there_is_no_tone(text: str) -> None:
    assert tone(text) == Tone(0.0)


def test_it_stays_between_minus_one_and_one() -> None:
    assert 0.99 < tone("lovely " * 500).compound <= 1
    assert -1 <= tone("rude " * 500).compound < -0.99


def test_the_words_that_made_it_are_told_and_none_that_was_turned_round() -> None:
    found = tone("The nurses were Lovely, the wait was awful and nobody was rude")
    assert found.kind == ("Lovely",)
    assert found.harsh == ("awful",)


def test_our_own_ratings_overrule_the_lexicon() -> None:
    vader, ours = lexicon_texts()
    assert read_lexicon(vader).words["trust"] > 1
    assert read_lexicon(vader, ours).words["trust"] == 0, "an NHS trust is no kind word"
