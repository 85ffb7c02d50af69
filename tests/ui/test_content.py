import re
from datetime import UTC, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from carerespond.domain.text import clean, one_line
from carerespond.ui.content import ago, cells, clock, column, content, fit, footnoted

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
POST = "@StElsewhere 4 hrs in A&E corridor with my nan, nobody told us anything and she."
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
THUMB = "\U0001f44d\U0001f3fd"
PAYLOADS = [
    "[/",
    "[/nope] text [=",
    "[type=x, v={'a[0]'}]",
    "[@click=app.boom]CLICK me[/]",
    "[bold $nothing]x",
    "[link='https://evil.example']NHS[/link]",
    "\x1b]0;title\x07\x1b[c\x9b31m",
    "a\u202eb\u2066c",
    "\x00\x05\x0e\x7f\x85",
    "\ud800 half",
    "trailing \\",
    "\U0001f3f4\U000e0067\U000e0062",
]
hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("[]/\\@=$\x1b\u200d\ufe0f\u0301\u202e\u20e3\U0001f468\U0001f3fd가漢"),
    ),
    max_size=60,
)


class Boards(App[None]):
    """Shows texts by every road of the module."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts
        self.booms = 0

    def action_boom(self) -> None:
        self.booms += 1

    def compose(self) -> ComposeResult:
        for text in self.texts:
            yield Static(content(text, "bold $error"), classes="post")
            yield Static(footnoted(text, {1: ["text"], 2: ["[/", "click"]}), classes="post")
            yield Static(Content(fit(text, 30)), classes="post")


async def test_a_post_is_shown_as_it_stands_and_can_press_nothing() -> None:
    app = Boards(PAYLOADS)
    async with app.run_test(size=(80, 60)) as pilot:
        for post in app.query(Static):
            assert str(post.visual).replace("\n", "").isprintable()
            if "CLICK" in str(post.visual):
                await pilot.click(post, offset=(19, 0))
                await pilot.click(post, offset=(1, 0))
        shown = [str(post.visual) for post in app.query(Static)]
    assert app.booms == 0
    assert shown[3] == PAYLOADS[1]
    assert shown[9] == PAYLOADS[3]


@given(hostile, st.integers(0, 40))
@example(FAMILY * 5, 4)
@example(THUMB * 5, 3)
@example("1\ufe0f\u20e3" * 9, 5)
@example("e" + "\u0301" * 50 + "x" * 9, 4)
@example("漢字" * 9, 5)
@example(" " * 500 + "x", 10)
def test_a_line_never_takes_more_columns_than_it_may(text: str, width: int) -> None:
    shown = fit(text, width)
    assert cell_len(shown) <= width
    assert shown == clean(shown)
    assert "\n" not in shown
    if width:
        assert cell_len(column(text, width)) == width


@given(hostile, st.lists(hostile, max_size=3))
@example("\u2764\ufe0f x", ["\u2764"])
def test_what_is_marked_is_the_text_itself_with_numbers_between(
    text: str, words: list[str]
) -> None:
    made = footnoted(text, {700 + at: [word] for at, word in enumerate(words)})
    assert re.sub(r"\[70[0-2]\]", "", made.plain) == re.sub(r"\[70[0-2]\]", "", clean(text))
    assert all(0 <= span.start <= span.end <= len(made.plain) for span in made.spans)


def _marked(text: str, notes: dict[int, list[str]]) -> tuple[str, list[str]]:
    made = footnoted(text, notes)
    lined = [made.plain[one.start : one.end] for one in made.spans if "underline" in str(one.style)]
    return made.plain, lined


@pytest.mark.parametrize(
    ("text", "notes", "shown", "lined"),
    [
        ("Pain and PAIN.", {2: ["pain"]}, "Pain[2] and PAIN[2].", ["Pain", "PAIN"]),
        ("so painful", {1: ["pain"]}, "so pain[1]ful", ["pain"]),  # nowhere a word of its own
        ("painful pain", {1: ["pain"]}, "painful pain[1]", ["pain"]),
        ("left in\n pain", {1: ["in pain"]}, "left in\n pain[1]", ["in\n pain"]),
        ("a b c", {1: ["a b"], 2: ["b c"]}, "a b[1] c[2]", ["a ", "b", " c"]),
        ("no one", {1: ["no one"], 2: ["one"]}, "no one[1][2]", ["no ", "one"]),
        ("long words here", {1: ["long wo\u2026"]}, "long wo[1]rds here", ["long wo"]),
        (
            "see [/x] or (a|b",
            {1: ["[/x]"], 2: ["(a|b"]},
            "see [/x][1] or (a|b[2]",
            ["[/x]", "(a|b"],
        ),
        ("ok \u2764\ufe0f yes", {1: ["\u2764"]}, "ok \u2764\ufe0f[1] yes", ["\u2764\ufe0f"]),
        ("nothing", {1: ["else"], 2: [" "], 3: []}, "nothing", []),
        ("", {1: ["x"]}, "", []),
    ],
)
def test_words_are_underlined_and_carry_their_numbers(
    text: str, notes: dict[int, list[str]], shown: str, lined: list[str]
) -> None:
    assert _marked(text, notes) == (shown, lined)


def test_a_word_repeated_without_end_costs_little() -> None:
    made = footnoted("rude? " * 4_000, {1: ["rude"], 2: ["?"]})
    assert made.plain.count("[1]") == made.plain.count("[2]") == 8


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 5, "short"),
        ("shorter", 5, "shor…"),
        ("two\nlines  here", 20, "two lines here"),
        ("a " * 20, 5, "a a…"),
        ("漢字漢字", 4, "漢…"),
        (THUMB * 3, 5, THUMB * 2 + "…"),
        (FAMILY * 3, 4, FAMILY + "…"),
        ("word", 0, ""),
        ("word", 1, "…"),
    ],
)
def test_what_is_cut_ends_in_an_ellipsis_after_a_whole_character(
    text: str, width: int, shown: str
) -> None:
    assert fit(text, width) == shown


def test_a_screen_of_plain_characters_has_no_ellipsis() -> None:
    assert fit("shorter", 5, ascii_only=True) == "shor~"
    assert column("ab", 4) == "ab  "
    assert column("ab", 4, right=True) == "  ab"


@given(hostile)
def test_columns_are_counted_as_textual_counts_them(text: str) -> None:
    shown = one_line(text, 100)
    assert cells(shown) == Content(shown).cell_length


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(seconds=-300), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=60), "1m"),
        (timedelta(minutes=59, seconds=59), "59m"),
        (timedelta(hours=2), "2h"),
        (timedelta(hours=23, minutes=59), "23h"),
        (timedelta(days=6, hours=23), "6d"),
        (timedelta(days=7), "17 Nov"),
        (timedelta(days=43), "12 Oct"),
        (timedelta(days=400), "Oct 2025"),
    ],
)
def test_how_long_ago(before: timedelta, shown: str) -> None:
    assert ago(NOW - before, NOW, UTC) == shown


def test_days_have_their_names_where_the_reader_is() -> None:
    late = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    assert ago(late, NOW, LONDON) == "1 Jul"
    assert ago(late, NOW, UTC) == "30 Jun"
    assert clock(late, zone=LONDON) == "00:30"


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (NOW + timedelta(hours=5), "14:00"),
        (NOW + timedelta(days=2), "Thu 09:00"),
        (NOW - timedelta(days=6), "Wed 09:00"),
        (NOW - timedelta(days=43), "12 Oct 09:00"),
        (NOW + timedelta(days=60), "23 Jan 2027 09:00"),
    ],
)
def test_a_time_has_as_much_of_its_date_as_is_needed(at: datetime, shown: str) -> None:
    assert clock(at, NOW, UTC) == shown


@pytest.mark.parametrize("road", [content, lambda text: fit(text, 60), lambda text: fit(text, 90)])
def test_a_line_of_a_list_costs_next_to_nothing(road: object) -> None:
    assert callable(road)
    best = 1.0
    for _ in range(5):
        begun = perf_counter()
        for _ in range(1000):
            road(POST)
        best = min(best, (perf_counter() - begun) / 1000)
    assert best < 30e-6  # seconds a call, for 80 plain characters
