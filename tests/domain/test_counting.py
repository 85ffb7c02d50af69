import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from carerespond.domain.counting import links, weighted_length
from carerespond.domain.text import mentions

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data/twitter-text/vectors.json").read_text(encoding="utf-8")
)
# Written for the configuration before v3, in which an emoji weighed as much as its characters.
OLDER_CONFIGURATION = (
    "Count a mix of single byte single word, and double word unicode characters",
    "Count unicode emoji chars outside the basic multilingual plane with skin tone modifiers",
)


def vectors(*names: str) -> list[Any]:
    return [
        pytest.param(
            vector["text"], vector.get("length", vector.get("expected")), id=f"{name}-{at}"
        )
        for name in names
        for at, vector in enumerate(VECTORS[name])
        if not (
            name == "WeightedTweetsCounterTest" and vector["description"] in OLDER_CONFIGURATION
        )
    ]


@pytest.mark.parametrize(
    ("text", "length"),
    vectors(
        "WeightedTweetsCounterTest",
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        "UnicodeDirectionalMarkerCounterTest",
    ),
)
def test_a_post_is_as_long_as_the_network_says(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(("text", "expected"), vectors("urls"))
def test_links_are_those_that_the_network_sees(text: str, expected: list[str]) -> None:
    text = unicodedata.normalize("NFC", text)
    assert [text[start:end] for start, end in links(text)] == expected


@pytest.mark.parametrize(("text", "expected"), vectors("mentions"))
def test_mentions_are_those_that_the_network_sees(text: str, expected: list[str]) -> None:
    assert mentions(text) == expected


def test_a_host_without_a_scheme_is_a_link_and_a_name_is_not() -> None:
    assert weighted_length("nhs.uk/contact") == 23
    assert weighted_length("St.Elsewhere") == 12


def test_a_lone_surrogate_can_be_counted() -> None:
    assert weighted_length("\ud800.com") > 0
