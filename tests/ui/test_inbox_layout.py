"""What the inbox looks like at each size: nothing clipped, and nothing told by colour alone."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.containers import VerticalScroll
from textual.widgets import Static

from carerespond.ui.commands import BROWSE, COMMANDS, footer_line, key_label
from tests.ui.support import POSTS, SIZES, House, Terminal, build

VERBS = {
    f"{key_label(command.keys[0])} {command.title}"
    for command in COMMANDS
    if command.where in BROWSE and command.footer
}

# The keys that lead from the list to each screen, and words that say that it is there.
SCREENS: dict[str, tuple[Sequence[str], str]] = {
    "list": ((), "ROUTE"),
    "reading": (("enter",), "ROUTE"),
    "empty pane": (("4", "e", "t"), "Nothing"),
    "done": (("e",), "how did it end?"),
    "later": (("b",), "when again?"),
    "label": (("L",), "put on, or take off"),
    "why": (("w",), "POSSIBLE DANGER"),
    "address": (("o",), "The post's address"),
    "find": (("slash",), "Find in this list"),
    "filter": (("backslash",), "Show only cases with"),
    "search": (("F",), "Search every stored post"),
    "sources": (("W",), "COST today"),
    "check now": (("comma",), "Ask the networks now?"),
    "outbox": (("O",), "OUTBOX"),
    "presence": (("at",), "Who is at these keys now?"),
    "help": (("question_mark",), "Keys"),
    "palette": (("colon",), "Enter takes it"),
    "composer": (("r", *"Sorry"), "PUBLIC reply"),
    "note": (("i", *"Sorry"), "NOTE on"),
    "templates": (("j", "r", "ctrl+t"), "Templates"),
    "no templates": (("r", "ctrl+t"), "no templates where"),
    "danger": (("m",), "Really close it?"),
    "checks": (("r", *"Sorry", "f4"), "Checks before sending"),
    "review": (("r", *"Sorry", "ctrl+d"), "REVIEW"),
    "drafts": (("r", *"Sorry", "escape", "D"), "Drafts: open which?"),
}


def exact(terminal: Terminal) -> list[str]:
    """The lines that are not as wide as the screen, or too many, or too few."""
    width, height = terminal.app.size
    strips = terminal.strips()
    wrong = [strip.text for strip in strips if strip.cell_length != width]
    return wrong + ([f"{len(strips)} lines"] if len(strips) != height else [])


def cut_off(terminal: Terminal) -> list[str]:
    """The texts of which some words are not on the screen, apart from what scrolls."""
    lines = terminal.lines()
    cut = []
    for widget in terminal.app.screen.query(Static):
        scrolls = any(isinstance(one, VerticalScroll) for one in widget.ancestors)
        if scrolls or not widget.display or widget.id == "words":
            continue
        box = widget.region
        shown = "\n".join(line[box.x : box.right] for line in lines[box.y : box.bottom])
        wanted = str(widget.content).split()
        if [word for word in wanted if word not in shown]:
            cut.append(f"{widget.id}: {str(widget.content)!r} is shown as {shown!r}")
    return cut


def footer(lines: Sequence[str]) -> list[str]:
    """The verbs on the last line."""
    return [one for one in lines[-1].strip().split("  ") if one]


async def reach(terminal: Terminal, keys: Sequence[str], words: str) -> None:
    await terminal.sees("ROUTE")
    for key in keys:
        await terminal.press(key)
    await terminal.sees(words)


@pytest.mark.parametrize("screen", SCREENS)
async def test_nothing_is_clipped(house: House, screen: str) -> None:
    keys, words = SCREENS[screen]
    async with house.terminal((80, 23)) as terminal:
        await reach(terminal, keys, words)
        for size in SIZES:
            await terminal.resize(*size)
            await terminal.sees(words)
            assert exact(terminal) == []
            assert cut_off(terminal) == []


@pytest.mark.parametrize("size", SIZES[1:])
async def test_nothing_is_clipped_from_the_start(house: House, size: tuple[int, int]) -> None:
    async with house.terminal(size) as terminal:
        for screen in ("list", "done", "why", "palette", "composer"):
            keys, words = SCREENS[screen]
            await reach(terminal, keys, words)
            assert exact(terminal) == []
            assert cut_off(terminal) == []
            await terminal.press("escape")


@pytest.mark.parametrize("size", SIZES)
async def test_the_footer_has_whole_verbs_and_always_help(
    house: House, size: tuple[int, int]
) -> None:
    async with house.terminal(size) as terminal:
        for key in ("g", "enter", "5", "space"):
            await terminal.press(key)
            verbs = footer(terminal.lines())
            assert set(verbs) <= VERBS
            assert len(verbs) <= 15
            assert verbs[-1] == "? help"
            assert " " + footer_line(BROWSE, size[0] - 2) == terminal.lines()[-1].rstrip()


def test_a_clipped_verb_would_be_noticed() -> None:
    assert not set(footer([" r reply  i note  e do"])) <= VERBS


async def test_one_row_less_drops_the_holders_line_alone(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("a", "j", "k")
        await terminal.sees("ROUTE")
        tall = terminal.lines()
        assert tall[-3].startswith("~ you hold the case of @dee_dee")
        await terminal.resize(80, 23)
        await terminal.until(lambda: terminal.lines() == [*tall[:-3], *tall[-2:]])
        await terminal.resize(80, 24)
        await terminal.until(lambda: terminal.lines() == tall)


@pytest.mark.parametrize("width", [40, 60, 80, 83, 84, 119])
async def test_below_120_columns_the_detail_stands_under_the_list(house: House, width: int) -> None:
    async with house.terminal((width, 24)) as terminal:
        await terminal.sees("WHY URGENT")
        lines = terminal.lines()
        title = next(i for i, one in enumerate(lines) if one.startswith("-- @dee_dee"))
        last = max(i for i, one in enumerate(lines) if "@gran_o" in one)
        assert last < title
        assert exact(terminal) == []


async def test_from_120_columns_list_and_detail_stand_side_by_side(house: House) -> None:
    async with house.terminal((120, 40)) as terminal:
        await terminal.sees("ROUTE")
        title = next(one for one in terminal.lines() if "-- @dee_dee" in one)
        assert title.index("|") == 60
        assert "URGENT (2)" in title[:60]
        await terminal.press("enter")  # the list stays beside what is read
        assert any("@maz_h" in one[:60] for one in terminal.lines())


async def test_empty_panes_are_one_line_each_under_their_heading(tmp_path: Path) -> None:
    house = build(tmp_path, [one for one in POSTS if one["key"] in ("rude", "quiz")])
    await house.listen()
    async with house.terminal((120, 40)) as terminal:
        await terminal.sees("ROUTE")
        left = [one[:60].strip() for one in terminal.lines()[2:9]]
        assert left[0] == "URGENT (1)"
        assert "@maz_h" in left[1]
        assert left[2:5] == ["TODAY (0)", "SOON (0)", "PRAISE (0)"]
        assert left[5] == "WATCH (1)"
        assert "@quizmaster" in left[6]


async def test_fixed_rows_stay_where_they_are(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("a")
        await terminal.sees("mine @dee_dee - z takes it back")
        for key in ("enter", "q", "1", "0", "G"):
            await terminal.press(key)
            lines = terminal.lines()
            assert lines[0].startswith("carerespond")
            assert "1 URGENT 2" in lines[1]
            held = "~ you hold the case of @dee_dee"
            assert lines[-3].rstrip() == (held if terminal.who == "dee_dee" else "")
            assert lines[-2].strip() == "mine @dee_dee - z takes it back"
            assert lines[-1].rstrip().endswith("? help")


async def test_a_storm_of_sizes_leaves_the_screen_whole(house: House) -> None:
    dice = random.Random(7)
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("j", "j")
        sizes = [(1, 1), (2, 3), (40, 10), (0, 0), (300, 90), (119, 24), (120, 23), (20, 5)]
        sizes += [(dice.randint(1, 240), dice.randint(1, 70)) for _ in range(12)]
        for number, (width, height) in enumerate(sizes):
            await terminal.resize(width, height)
            if number % 5 == 0:
                await terminal.press("enter" if number % 2 else "q")
        await terminal.resize(80, 24)
        await terminal.press("q")
        await terminal.sees("ROUTE")
        assert exact(terminal) == []
        assert terminal.who == "wes_cold"
        assert terminal.app.failure is None


@pytest.mark.parametrize("screen", ["composer", "review", "help", "palette"])
async def test_a_storm_of_sizes_over_other_screens(house: House, screen: str) -> None:
    keys, words = SCREENS[screen]
    async with house.terminal((80, 24)) as terminal:
        await reach(terminal, keys, words)
        for size in [(1, 1), (40, 10), (200, 60), (2, 3), (119, 23), (120, 40), (80, 24)]:
            await terminal.resize(*size)
        assert exact(terminal) == []
        assert cut_off(terminal) == []
        assert terminal.app.failure is None


# -- no meaning by colour alone -----------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_without_colours_everything_is_still_told(
    house: House, size: tuple[int, int]
) -> None:
    async with house.terminal(size) as terminal:
        await terminal.press("a", "j", "s", "j", "space", "G", "g", "j")
        await terminal.sees(">0 all 10<" if size[0] < 200 else ">1 URGENT 2<", "-- @maz_h")
        rows = {
            word: line
            for line in terminal.lines()[2:-3]
            if not line.startswith("--")
            for word in line.split()
            if word.startswith("@")
        }
        danger, late = rows["@dee_dee"], rows["@maz_h"]
        assert "!" in danger[:4]  # held in its pane by a rule about danger
        assert " me " in danger[:85] + " "
        assert "LATE" in late
        assert late.startswith(">")
        assert "Xs" in late  # the network, and the star
        assert "*" in rows["@wes_cold"][:3]  # marked
        assert "Xn" in rows["@tom_k"]  # not read yet
        if size[0] < 120:
            assert danger[2] == "U"
            assert rows["@tom_k"][2] == "S"
        text = terminal.text
        assert "1 marked" in text
        assert "late 1" in text


async def test_what_is_wrong_with_listening_stands_in_words(house: House) -> None:
    await house.set(credits="credits-depleted")
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("comma", "c")
        await terminal.sees("out of credit")
        await terminal.press("W")
        await terminal.sees("OUT OF CREDIT")


# -- no cases, odd sizes ------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_inbox_says_so(tmp_path: Path, size: tuple[int, int]) -> None:
    house = build(tmp_path, [])
    async with house.terminal(size) as terminal:
        await terminal.sees("No case here. 'W' shows what is listened to", "? help", "1 URGENT 0")
        for key in ("j", "k", "G", "g", "pagedown", "space", "v", "enter", "q", "J", "n", "U"):
            await terminal.press(key)
        await terminal.press("r")
        await terminal.sees("There is no case here.")
        await terminal.press("D")
        await terminal.sees("There are no drafts.")
        await terminal.press("w")
        await terminal.sees("There is no case here.")
        await terminal.press("right_square_bracket")
        assert exact(terminal) == []
        assert terminal.app.failure is None


async def test_a_filter_that_fits_nothing_says_how_to_leave_it(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("backslash")
        await terminal.answer("nosuchword")
        await terminal.sees("Nothing matches.", "filter: nosuchword")
        await terminal.press("q")
        await terminal.sees("@dee_dee")


@pytest.mark.parametrize("size", [(40, 10), (41, 11), (60, 12), (190, 12), (40, 120)])
async def test_odd_sizes_are_usable(house: House, size: tuple[int, int]) -> None:
    async with house.terminal(size) as terminal:
        await terminal.press("j")
        assert terminal.who.startswith("maz")
        for keys, words in (SCREENS["composer"], SCREENS["help"], SCREENS["done"]):
            for key in keys:
                await terminal.press(key)
            await terminal.sees(words.split()[0])
            assert exact(terminal) == []
            await terminal.press("escape")
        assert "? help" in terminal.lines()[-1]
