"""Going about in the inbox by keys: moving, reading, marking, finding, narrowing, looking up."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from carerespond.ui.commands import BROWSE, COMMANDS, labels
from tests.ui.support import POSTS, WAYS, House, Terminal, build, seated

ORDER = [
    *("dee_dee", "maz_h", "wes_cold", "rose_t", "ina_cold", "tom_k", "ola_b"),
    *("gran_of_5", "quizmaster", "tv_nostalgia"),
]


# -- moving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_each_key_moves_as_it_says(house: House, way: str) -> None:
    moves: list[tuple[Sequence[str], str]] = [
        (["j"], "maz_h"),
        (["down"], "wes_cold"),
        (["k"], "maz_h"),
        (["up"], "dee_dee"),
        (["k"], "dee_dee"),
        (["G"], "tv_nostalgia"),
        (["j"], "tv_nostalgia"),
        (["g"], "dee_dee"),
        (["end"], "tv_nostalgia"),
        (["home"], "dee_dee"),
    ]
    async with seated(house, way) as terminal:
        await terminal.lists(ORDER)
        await terminal.press("g")
        for keys, handle in moves:
            await terminal.press(*keys)
            await terminal.is_at(handle)


@pytest.mark.parametrize(("down", "up"), [("pagedown", "pageup"), ("ctrl+f", "pageup")])
async def test_a_page_is_the_height_of_the_list(house: House, down: str, up: str) -> None:
    async with house.terminal((80, 24)) as terminal:
        shown = sum("@" in one for one in terminal.lines()[3:11])
        await terminal.press(down)
        await terminal.is_at(ORDER[shown - 1])
        await terminal.press(up)
        await terminal.is_at(ORDER[0])


@pytest.mark.parametrize("way", WAYS)
async def test_panes_are_chosen_by_number_and_by_side(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        for key, chosen, handle in [
            ("1", ">1 URGENT 2<", "dee_dee"),
            ("2", ">2 TODAY 3<", "wes_cold"),
            ("3", ">3 SOON 2<", "tom_k"),
            ("4", ">4 PRAISE 1<", "gran_of_5"),
            ("5", ">5 WATCH 2<", "quizmaster"),
            ("0", ">0 all 10<", "dee_dee"),
            ("l", ">1 URGENT 2<", "dee_dee"),
            ("right", ">2 TODAY 3<", "wes_cold"),
            ("h", ">1 URGENT 2<", "dee_dee"),
            ("left", ">0 all 10<", "dee_dee"),
            ("h", ">5 WATCH 2<", "quizmaster"),
            # Going back is no reason to leave a case.
            *([("q", ">0 all 10<", "quizmaster")] if way == "list" else []),
            ("0", ">0 all 10<", "dee_dee"),
        ]:
            await terminal.press(key)
            await terminal.sees(chosen)
            await terminal.is_at(handle)


@pytest.mark.parametrize("way", WAYS)
async def test_the_next_waiting_case_is_one_that_nobody_is_on(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("at", "2", "j", "a", "j", "a", "g", "at", "1")
        await terminal.sees("Asha is at the keys")
        await terminal.press("right_square_bracket")
        await terminal.is_at("rose_t")
        await terminal.press("left_square_bracket")
        await terminal.is_at("dee_dee")
        await terminal.press("left_square_bracket")
        await terminal.sees("no further case waits for an answer here")


async def test_open_shows_the_whole_conversation_and_back_the_list(house: House) -> None:
    rude = house.id_of("rude")
    await house.post("kel_b", "@StElsewhere same happened to us last week", reply_to=rude)
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("comma", "c")
        await terminal.sees("@kel_b")
        await terminal.go_to("maz_h")
        for leave in ("q", "escape"):
            await terminal.press("enter")
            await terminal.sees("-- conversation", "same happened to us")
            assert terminal.cursor == ""
            await terminal.press(leave)
            await terminal.until(lambda: terminal.cursor != "")
            assert terminal.who == "maz_h"


async def test_tab_goes_between_list_and_detail(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        for key in ("tab", "shift+tab"):
            await terminal.press(key)
            await terminal.until(lambda: terminal.cursor == "")
            await terminal.press(key)
            await terminal.until(lambda: terminal.cursor != "")


@pytest.mark.parametrize("way", WAYS)
async def test_the_detail_scrolls_and_says_what_is_below(tmp_path: Path, way: str) -> None:
    words = " ".join(f"word{number}" for number in range(200))
    long = {"key": "long", "author": "wordy", "text": f"@StElsewhere rude {words}", "at": -10}
    house = build(tmp_path, [long])
    await house.listen()
    async with house.terminal((80, 24)) as terminal:
        if way == "reading":
            await terminal.press("enter")
        await terminal.sees("word50 ", "more lines below: J")
        for _ in range(60):
            await terminal.press("J")
        await terminal.sees("word199", "FOUND BY")
        await terminal.sees_no("more lines below", "word50 ")
        for _ in range(60):
            await terminal.press("K")
        await terminal.sees("word50 ", "more lines below: J")


async def test_redraw_changes_nothing(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.sees("ROUTE")
        before = terminal.lines()
        await terminal.press("ctrl+l")
        assert terminal.lines() == before


# -- marks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_marks_are_counted_and_taken_off(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("space", "space")
        await terminal.sees("2 marked")
        await terminal.is_at("wes_cold")
        await terminal.press("k", "space")
        await terminal.sees("1 marked")
        await terminal.press("q")
        await terminal.sees_no("marked")
        assert terminal.who == "wes_cold"


@pytest.mark.parametrize("way", WAYS)
async def test_a_range_marks_where_the_cursor_goes(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("j", "v", "j", "j")
        await terminal.sees("3 marked")
        await terminal.press("v", "j", "j")
        await terminal.sees("3 marked")
        await terminal.press("s")
        await terminal.sees("star 3 cases - z takes it back")
        await terminal.sees_no("marked")
        starred = house.rows("SELECT handle FROM cases WHERE is_starred ORDER BY case_id")
        assert sorted(one for (one,) in starred) == ["maz_h", "rose_t", "wes_cold"]


async def test_marks_are_seen_in_the_list(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("j", "space")
        await terminal.until(lambda: any(one.startswith(" *U") for one in terminal.lines()))


# -- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_find_goes_to_words_and_on_and_back(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("slash")
        await terminal.sees("Find in this list")
        await terminal.answer("@RUDE")  # nobody needs the @ of a name
        await terminal.is_at("maz_h")
        await terminal.press("n")
        await terminal.is_at("wes_cold")
        await terminal.press("n")
        await terminal.sees("nothing further has RUDE in this list")
        await terminal.press("N")
        await terminal.is_at("maz_h")
        await terminal.press("slash", "escape")
        await terminal.is_at("maz_h")


async def test_find_next_without_a_word_says_what_to_do(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("n")
        await terminal.sees("/ asks what to find")


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        ("rude", ["maz_h", "wes_cold"]),
        ("rude -nan", ["wes_cold"]),
        ("hours rude", ["maz_h", "wes_cold"]),
        ("@maz", ["maz_h"]),
        ("owner:me", ["dee_dee"]),
        ("owner:nobody nurses", []),
        ("owner:nobody st -nan", ["wes_cold", *ORDER[3:7], "tv_nostalgia"]),
        ("label:parking", ["maz_h"]),
        ("is:star", ["wes_cold"]),
        ("is:later", ["gran_of_5"]),
        ("is:done", ["quizmaster"]),
        ("is:star -six", []),
        ("100%", []),
        ("", [*ORDER[:7], "tv_nostalgia"]),
    ],
)
async def test_the_filter_keeps_what_it_says(house: House, text: str, handles: list[str]) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("a", "j", "L")
        await terminal.answer("parking")
        await terminal.press("j", "s")
        await terminal.go_to("gran_of_5")
        await terminal.press("b", "w")
        await terminal.go_to("quizmaster")
        await terminal.press("e", "n")
        await terminal.sees("done @quizmaster")
        await terminal.press("g", "backslash")
        await terminal.sees("Show only cases with", "owner:NAME", "is:later")
        await terminal.answer(text)
        if text:
            await terminal.sees(f"filter: {text}")
        if not handles:
            await terminal.sees("Nothing matches.")
        await terminal.lists(handles)
        if text:
            await terminal.press("q")
            await terminal.sees_no("filter:")
            await terminal.go_to("dee_dee")


async def test_a_filter_that_means_nothing_is_refused_in_words(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.press("backslash")
        await terminal.answer("is:hidden")
        await terminal.sees("is:hidden means nothing here.", "is:later")
        await terminal.lists(ORDER)


@pytest.mark.parametrize("way", WAYS)
async def test_search_finds_words_of_every_stored_post(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.go_to("ola_b")
        await terminal.press("e", "a", "F")
        await terminal.sees("Search every stored post")
        await terminal.answer("guide dog")
        await terminal.sees("search: guide dog (1)")
        await terminal.is_at("ola_b")  # though it is done
        if way == "reading":
            await terminal.press("q")
        await terminal.press("q")
        await terminal.sees_no("search:")
        await terminal.press("F")
        await terminal.answer("zebra")
        await terminal.sees("search: zebra (0)", "Nothing matches.")


def below(terminal: Terminal) -> str:
    """How many lines a page has below, in its own words."""
    found = re.search(r"\d+ more lines below", terminal.text)
    return found[0] if found else ""


async def scrolled(terminal: Terminal, left: str) -> None:
    await terminal.until(lambda: below(terminal) != left, "the rest of the page")


# -- help, palette, the end ---------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_lists_the_table_and_says_that_there_is_more(
    house: House, way: str, key: str
) -> None:
    async with seated(house, way) as terminal:
        await terminal.press(key)
        await terminal.sees("more lines below: j")
        assert any(one.lstrip().startswith("┌") for one in terminal.lines())
        shown: list[str] = []
        for _ in range(12):
            inside = [one.strip("│ ").rstrip() for one in terminal.lines()]
            shown += [one for one in inside if one not in shown]
            if left := below(terminal):
                await terminal.press("pagedown")
                await scrolled(terminal, left)
        await terminal.sees_no("more lines below")
        for command in (one for one in COMMANDS if one.where in BROWSE):
            assert f"{labels(command):<12}{command.help}" in shown, command.name
        others = [one.help for one in COMMANDS if one.where not in BROWSE]
        assert not [one for one in others if any(line.endswith("  " + one) for line in shown)]
        await terminal.press("q")
        await terminal.sees("ROUTE")


async def test_the_palette_runs_what_is_chosen_by_name(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        for key, words, then in [
            ("colon", "star", "star @dee_dee"),
            ("ctrl+p", "last case", ""),
            ("colon", "why", "WHY @"),
        ]:
            await terminal.press(key)
            await terminal.sees("Enter takes it")
            await terminal.answer(words)
            if then:
                await terminal.sees(then)
            else:
                await terminal.is_at("tv_nostalgia")
        await terminal.press("q", "colon", *"nosuch", "enter", "escape")
        await terminal.sees_no("Enter takes it")


@pytest.mark.parametrize("way", WAYS)
async def test_quit_leaves_at_once_when_nothing_waits(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("q", "q", "q", "q")
        await terminal.sees("ctrl+q leaves carerespond")
        await terminal.press("ctrl+q")
        await terminal.until(lambda: terminal.app.return_code == 0)
    assert terminal.app.failure is None


async def test_quitting_before_it_has_started_is_no_fault(house: House) -> None:
    async with house.terminal((80, 24), ready=False) as terminal:
        await terminal.press("ctrl+q")
    assert terminal.app.failure is None
    assert terminal.reports == []


@pytest.mark.parametrize("answer", ["escape", "k", "w"])
async def test_quit_asks_while_an_answer_waits(tmp_path: Path, answer: str) -> None:
    house = build(tmp_path, POSTS, take_back=2 if answer == "w" else 60)
    await house.listen()
    async with house.terminal((80, 24)) as terminal:
        await terminal.review("maz_h", "We are sorry to read this.")
        await terminal.press("y")
        await terminal.sees("sending to @maz_h")
        await terminal.press("ctrl+q")
        await terminal.sees("An answer to @maz_h has not gone out yet.")
        await terminal.press("enter" if answer == "w" else answer)
        if answer == "escape":
            await terminal.sees_no("has not gone out yet")
            assert terminal.app.return_code is None
        else:
            await terminal.until(lambda: terminal.app.return_code == 0)
    sent = ["We are sorry to read this."] if answer == "w" else []
    assert house.ours() == sent
    state = house.rows("SELECT state FROM outbox")
    assert state == [("sent",)] if sent else state == [("not sent",)]
