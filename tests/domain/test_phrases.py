import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.phrases import PhraseError, PhraseIndex, Phrases, words_of


def matches(phrase: str, text: str) -> bool:
    return Phrases((phrase,)).occur(words_of(text))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("can't breathe", "she CAN\u2019T breathe!"),
        ("can't breathe", "she cant breathe"),
        ("i am scared", "I'm scared"),
        ("nobody didn't ... help", "nobody did not even help"),
        ("can't cope", "cannot cope"),
        ("can't cope", "can not cope"),
        ("i am scared", "im scared"),
        ("A&E", "stuck in a & e"),
        ("A&E", "stuck in A&amp;E"),
        ("disgust*", "Disgusting."),
        ("# hours", "waited 9 hours"),
        ("# hours", "waited nine hrs"),
        ("nobody ... called", "nobody has ever even called"),
        ("(rude|so unkind) (to)? me", "they were so unkind to me"),
        ("(rude|so unkind) (to)? me", "rude me"),
        ("(left (all|the whole) night|ignored) again", "left the whole night again"),
        ("soo long", "sooooo long"),
        ("cafe", "the CAF\u00c9 is shut"),
        ("suicide", "\U0001d42c\U0001d42e\U0001d422\U0001d41c\U0001d422\U0001d41d\U0001d41e"),
        ("?", "open?!"),
        ("<link>", "see https://example.org/a?b=c."),
        ("<name> hello", "@StElsewhere hello"),
        ("^ is it", "Hello. Is it open"),
        ("^ is it", "@StElsewhere is it open"),
        ("\u2764", "\u2764\ufe0f"),
    ],
)
def test_a_phrase_is_found(phrase: str, text: str) -> None:
    assert matches(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("die", "the diet was fine"),
        ("nobody ... called", "nobody. I called"),
        ("nobody ... called", "nobody\nCalled"),
        ("nobody ... called", "nobody\n\n- called"),
        ("nobody ... called", "nobody one two three four called"),
        ("# hours", "opening hours"),
        ("disgust*", "undisgusted"),
        ("^ is it", "that is it"),
        ("<link>", "no link here"),
        ("am ill", "I'll go"),
    ],
)
def test_a_phrase_is_not_found(phrase: str, text: str) -> None:
    assert not matches(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 3_000, "more than"),
        ("(maybe)?", "no word that must"),
        ("...", "gap"),
        ("... late", "gap"),
        ("(a|b", "brackets"),
        ("a) b", "brackets"),
        ("(a||b)", "empty choice"),
        ("()", "empty choice"),
        ("((((((deep))))))", "too deep"),
        ("a*", "three|3 letters"),
        ("*ing", "not a word"),
        ("wa*t", "not a word"),
        ("<script>", "not a word"),
        ("-", "not a word"),
        ("(a+)+$", "not a word|brackets"),
    ],
)
def test_a_phrase_that_cannot_be_read_says_why(phrase: str, problem: str) -> None:
    with pytest.raises(PhraseError, match=problem):
        Phrases((phrase,))


def test_what_was_said_is_given_as_it_was_written() -> None:
    words = words_of("Oh, she CAN\u2019T   breathe \u2014 help")
    [(start, end)] = Phrases(("cant breathe",)).spans(words)
    assert words.said(start + 1, end) == "CAN\u2019T   breathe"


WORDS = st.lists(
    st.sampled_from(
        ("wait", "waiting", "nobody", "called", "so", "long", "9", "hours", ".", "?", "not", "rude")
    ),
    max_size=40,
).map(" ".join)
LISTS = [
    Phrases(("wait*", "nobody ... called", "so long")),
    Phrases(("# hours", "(so)? long hours", "?")),
    Phrases(("not rude", "the ... rude")),
]


@given(WORDS)
def test_the_index_finds_what_each_list_finds_alone(text: str) -> None:
    words = words_of(text)
    alone = {place: found for place, one in enumerate(LISTS) if (found := one.spans(words))}
    assert PhraseIndex(LISTS).spans(words) == alone


@given(st.text(max_size=400))
def test_any_text_has_words_with_one_space_between(text: str) -> None:
    words = words_of(text)
    assert words.plain == f" {' '.join(words.plain.split())} " or not words.plain.strip()
    assert len(words.starts) == len(words.spans)
    assert all(0 <= start < end <= len(text) for start, end in words.spans)


@pytest.mark.parametrize(
    "text",
    [
        "I want to kill\nmyself",
        "I want to kill... myself",
        "I want to kill\u2026 myself",
        "I want to kil\u00adl my\u200bself",
        "I want to ki\ufe0fll my\u200dself",
        "I want to k\u00edll myse\u0301lf",
    ],
)
def test_a_sentence_and_a_word_go_on_where_a_reader_sees_them_go_on(text: str) -> None:
    assert matches("kill myself", text)


@pytest.mark.parametrize("apostrophe", "'`\u00b4\u2018\u2019\u02bc\u2032\uff07")
def test_every_kind_of_apostrophe_is_one(apostrophe: str) -> None:
    assert matches("dont want", f"I don{apostrophe}t want this")


@pytest.mark.parametrize("phrase", ["i ... i ... i ... i ... i ... z", "i" + " (i)?" * 6 + " z"])
def test_a_phrase_that_leaves_too_much_open_is_refused(phrase: str) -> None:
    with pytest.raises(PhraseError, match="too much open"):
        Phrases((phrase,))


@pytest.mark.parametrize(
    "text",
    [
        "nobody " * 3_000,
        "nobody " + "aba" * 7_000,
        "a'" * 10_000,
        "@" * 20_000,
        "\n" * 20_000,
        "e" + "\u0301" * 19_000,
        "&amp;" * 4_000,
        "((((" * 5_000,
    ],
)
def test_no_text_makes_a_phrase_slow(text: str) -> None:
    nasty = Phrases(
        ("nobody ... (no|nobody)? ... aba* ... (called|rang) ... (a|b|aba*)? rang", "# ... #")
    )
    began = time.perf_counter()
    nasty.occur(words_of(text))
    assert time.perf_counter() - began < 1.0  # seconds for 20,000 characters; measured: 0.02
