import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.templates import NAMES, fill

VALUES = {"first_name": "Sam", "organisation": "St Elsewhere", "phone": "0113 496 0000"}


def test_names_are_filled_in_either_form() -> None:
    filled = fill("Hi $first_name, from ${organisation}s.", VALUES)
    assert filled.text == "Hi Sam, from St Elsewheres."
    assert (filled.missing, filled.unknown) == ((), ())


def test_two_dollars_are_one() -> None:
    assert fill("It costs $$5, $$first_name", VALUES).text == "It costs $5, $first_name"


def test_a_name_without_a_value_stays_and_is_missing_once() -> None:
    filled = fill("$story_link or $story_link", {"story_link": "  "})
    assert filled.text == "$story_link or $story_link"
    assert filled.missing == ("story_link",)


def test_a_name_outside_the_closed_set_is_unknown_even_with_a_value() -> None:
    filled = fill("$diagnosis $first_name", VALUES | {"diagnosis": "flu"})
    assert filled.text == "$diagnosis Sam"
    assert filled.unknown == ("diagnosis",)


@pytest.mark.parametrize(
    "name",
    [
        "@everyone",
        "evil.example",
        "Sam https://x.co",
        "$phone",
        "{0.__class__}",
        "Sam\nBuy",
        "S" * 31,
    ],
)
def test_a_strangers_name_that_is_more_than_a_name_is_missing(name: str) -> None:
    filled = fill("Hi $first_name", {"first_name": name})
    assert filled.text == "Hi $first_name"
    assert filled.missing == ("first_name",)


@pytest.mark.parametrize("name", ["Siân", "Jean-Luc", "O'Neill", "Łucja", "愛"])
def test_names_of_all_languages_are_names(name: str) -> None:
    assert fill("$first_name", {"first_name": name}).text == name


@given(st.dictionaries(st.sampled_from(sorted(NAMES - {"first_name"})), st.text(max_size=30)))
def test_values_are_never_looked_at_again(values: dict[str, str]) -> None:
    marked = {name: f"<{value}$phone${{email}}$$>" for name, value in values.items()}
    filled = fill("|".join(f"${name}" for name in marked), marked)
    assert filled.missing == ()
    assert filled.text.count("$phone${email}$$>") == len(marked)


@given(st.text(max_size=200), st.text(max_size=30))
def test_filling_never_fails_and_keeps_what_it_does_not_know(text: str, value: str) -> None:
    filled = fill(text, dict.fromkeys(NAMES, value))
    assert all(name not in NAMES for name in filled.unknown)
    if "$" not in text:
        assert filled.text == text
