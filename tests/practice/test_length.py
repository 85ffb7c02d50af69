"""The stand-in counts as X does: the conformance vectors of twitter-text, whatever we count."""

import unicodedata

import pytest

from carerespond.domain import counting
from carerespond.practice.entities import mentions
from carerespond.practice.length import links, weighted_length
from tests.domain.test_counting import vectors


@pytest.mark.parametrize(
    ("text", "length"),
    vectors(
        "WeightedTweetsCounterTest",
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        "UnicodeDirectionalMarkerCounterTest",
    ),
)
def test_a_post_is_as_long_as_on_x(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(("text", "expected"), vectors("urls"))
def test_links_are_those_of_x(text: str, expected: list[str]) -> None:
    text = unicodedata.normalize("NFC", text)
    assert [link for _, _, link in links(text)] == expected


@pytest.mark.parametrize(("text", "expected"), vectors("mentions"))
def test_mentions_are_those_of_x(text: str, expected: list[str]) -> None:
    assert mentions(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Write to pals@stelsewhere.example or see nhs.uk",
        "nhs.uk/contact, stelsewhere.example.",
        "St.Elsewhere is no link",
        "https://www.careopinion.org.uk/tell/practice-eye-clinic?x=1#top",
        "Diolch! gofal.cymru",
        "\ud800.com",
    ],
)
def test_the_stand_in_and_we_agree(text: str) -> None:
    assert weighted_length(text) == counting.weighted_length(text)
    assert [(start, end) for start, end, _ in links(text)] == list(counting.links(text))


@pytest.mark.parametrize(
    "text",
    ["a." * 5000, "http://" + "a-" * 5000, "http://a.com/" + "(a" * 3000, "x.com/" + "!" * 9000],
)
def test_no_text_keeps_the_stand_in_busy(text: str) -> None:
    assert weighted_length(text) > 0
