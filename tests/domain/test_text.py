import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.text import (
    MARKS,
    SafeText,
    clean,
    mentions,
    one_line,
    shorten,
    storable,
    width,
    x_length,
)

BLNS = json.loads((Path(__file__).parents[1] / "data/blns/blns.json").read_text(encoding="utf-8"))
HOSTILE = (
    "\x1b]52;c;cm0=\x07",
    "\x1b]0;title\x1b\\",
    "\x1b[2J\x1b[6n",
    "\x9b31m\x9d0;x\x9c",
    "a\x00b\x08\x0e\x7f",
    "\u202egnp.exe\u2066",
    "\U000e0041\U000e0042",
    "\ud800 half a pair",
    "e" + "\u0301" * 500,
)
# The alphabet leans towards what does harm: escapes, C1, bidi, tags, marks, surrogates.
NASTY = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b[]0;m\x07\x00\x7f\x85\x9b\x9c\x9d\r\n\t \u2028\u202e\u2066\u200d\ufe0f"
        ),
        st.sampled_from("\U000e0067\U000e007f\U0001f3f4\u0301\ud800\udfff\U0010ffffab"),
        st.characters(),
    ),
    max_size=300,
)
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def is_harmless(text: str, *, newline: bool = True) -> bool:
    controls = {one for one in text if unicodedata.category(one) in ("Cc", "Cs")}
    return controls <= ({"\n"} if newline else set()) and not BIDI.search(text)


@given(NASTY)
def test_clean_text_holds_no_control_bidi_or_surrogate(text: str) -> None:
    assert is_harmless(clean(text))
    assert is_harmless(one_line(text, 80), newline=False)


@given(NASTY)
def test_cleaning_again_changes_nothing(text: str) -> None:
    once = clean(text)
    assert isinstance(once, SafeText)
    assert clean(once) == once


@given(NASTY, st.integers(0, 60))
def test_shortened_text_fits_its_columns(text: str, cells: int) -> None:
    line = one_line(text, 200)
    short = shorten(line, cells)
    assert width(short) <= max(cells, 0)
    assert short == line or width(line) > cells


@given(NASTY, st.integers(1, 60))
def test_one_line_keeps_to_its_characters(text: str, characters: int) -> None:
    line = one_line(text, characters)
    assert len(line) <= characters
    assert "\n" not in line


@given(NASTY)
def test_storable_text_has_a_utf8_form_and_is_otherwise_raw(text: str) -> None:
    kept = storable(text)
    kept.encode()
    assert len(kept) == len(text)
    assert all(
        one == two for one, two in zip(kept, text, strict=True) if not "\ud800" <= two <= "\udfff"
    )


@pytest.mark.parametrize("text", [*HOSTILE, *BLNS])
def test_hostile_strings_come_out_harmless(text: str) -> None:
    assert is_harmless(clean(text))


def _lets_c1_through(text: str) -> str:
    return "".join(one if "\x80" <= one <= "\x9f" else clean(one) for one in text)


def _strips_what_textual_strips(text: str) -> str:
    return text.translate(dict.fromkeys((7, 8, 11, 12, 13)))


def _forgets_bidi(text: str) -> str:
    return "".join(one if BIDI.match(one) else clean(one) for one in text)


@pytest.mark.promise
@pytest.mark.parametrize(
    "mutant", [_lets_c1_through, _strips_what_textual_strips, _forgets_bidi, str]
)
def test_the_hostile_strings_catch_a_sanitiser_that_lets_something_through(
    mutant: Callable[[str], str],
) -> None:
    assert not all(is_harmless(mutant(text)) for text in HOSTILE)


def test_controls_stay_visible() -> None:
    assert clean("a\x1b[31mb") == "a\u241b[31mb"
    assert clean("\x9b") == "\u27e89B\u27e9"
    assert clean("\u202e") == "\u27e8202E\u27e9"


def test_line_ends_and_tabs_become_plain() -> None:
    assert clean("a\r\nb\rc\u2028d\x85e\tf") == "a\nb\nc\nd\ne    f"


def test_flags_of_nations_keep_their_tags_and_hidden_words_do_not() -> None:
    wales = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
    assert clean(wales) == wales
    assert clean("hi\U000e0068\U000e0069") == "hi"


def test_long_text_is_cut_and_says_so() -> None:
    assert clean("\n" * 100_000).endswith("... cut")
    assert clean("\n" * 100_000).count("\n") < 200
    assert len(clean("x" * 1_000_000)) == 20_000
    assert clean("y" * 30, characters=20) == "y" * 12 + " ... cut"


def test_marks_are_limited_to_eight_a_base() -> None:
    assert clean("e" + "\u0301" * 500) == "e" + "\u0301" * 8


def test_a_line_is_shortened_by_columns_not_letters() -> None:
    assert shorten(one_line("abcdef", 80), 4) == "abc\u2026"
    assert shorten(one_line("\u4e00\u4e01\u4e02", 80), 4) == "\u4e00\u2026"
    assert width("\U0001f469\u200d\u2695\ufe0f") == 2


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=280))
def test_plain_letters_without_hosts_weigh_one_each(text: str) -> None:
    text = text.replace(".", " ")
    assert x_length(text) == len(text)


def test_mentions_are_found_and_addresses_are_not() -> None:
    assert mentions("hi @StElsewhere and @sam_1, not a@b.uk") == ["StElsewhere", "sam_1"]


def test_a_chain_of_joiners_is_no_one_sign() -> None:
    family = "\U0001f469\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f469\U0001f3fd"
    assert clean(f"{family} {family} {family}") == f"{family} {family} {family}"
    chain = clean("\U0001f469\u200d" * 1000, characters=5000)
    assert chain.count("\U0001f469") == 1000
    assert max(len(part) for part in re.split("(?<!\u200d)(?=\U0001f469)", chain)) < 2 * MARKS
    assert clean(chain, characters=5000) == chain
