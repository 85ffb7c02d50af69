"""Two people at two terminals of one database, the posts that come in, and looking only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from carerespond.services.composer import Composer
from carerespond.storage.sqlite import SqliteDatabase
from carerespond.ui.case_list import PAGE, CaseList
from tests.ui.support import POSTS, WAYS, House, Terminal, build, seated
from tests.ui.test_inbox_answering import SORRY, kept, states

OTHER = "We are so sorry, please write to pals@stelsewhere.example. Bryn, St Elsewhere"


@asynccontextmanager
async def two(
    house: House, size: tuple[int, int] = (80, 40)
) -> AsyncIterator[tuple[Terminal, Terminal]]:
    """Asha and Bryn, each at a terminal."""
    async with house.terminal(size) as asha, house.terminal(size, operator="Bryn") as bryn:
        await asha.sees("ROUTE")
        await bryn.sees("ROUTE")
        yield asha, bryn


# -- two people ---------------------------------------------------------------------------------


async def test_what_the_other_does_shows_by_itself(house: House) -> None:
    async with two(house) as (asha, bryn):
        await bryn.press("a")
        await asha.sees("~ Bryn holds the case of @dee_dee")
        await asha.until(lambda: " Bryn " in asha.cursor)
        await bryn.write("maz_h", "Sor")
        await asha.go_to("maz_h")
        await asha.sees("~ Bryn is writing to @maz_h")
        await asha.until(lambda: "Bryn*" in asha.cursor)
        await bryn.press("escape")
        await bryn.go_to("gran_of_5")
        await bryn.press("e", "t")
        await asha.sees("4 PRAISE 0", "0 all 9")
        await asha.sees_no("@gran_of_5")
        await bryn.press("z")
        await asha.sees("4 PRAISE 1", "@gran_of_5")
        assert asha.who == "maz_h"


async def test_a_case_that_a_colleague_holds_is_answered_only_after_a_question(
    house: House,
) -> None:
    async with two(house) as (asha, bryn):
        await bryn.write("maz_h", OTHER)
        await asha.go_to("maz_h")
        await asha.press("r")
        await asha.sees("Take over?", "Bryn is on this case.")
        await asha.press("enter")
        await asha.sees_no("Take over?")
        assert house.case("maz_h", "owner") == ("Bryn",)
        await asha.press("r", "T")
        await asha.sees("PUBLIC reply to @maz_h")
        assert house.rows("SELECT detail FROM history WHERE action = 'took over'") == [
            ("from Bryn",)
        ]
        await bryn.press("ctrl+s")
        assert kept(house, "Bryn") == [("maz_h", OTHER)]


async def second_is_told(house: House, asha: Terminal, bryn: Terminal) -> None:
    """Both have reviewed an answer to the same post; only the first to queue gets through."""
    await bryn.review("maz_h", OTHER)
    await asha.go_to("maz_h")
    await asha.press("r", "T")
    await asha.sees("PUBLIC reply to @maz_h")
    await asha.type(SORRY)
    await asha.press("ctrl+d")
    await asha.sees("REVIEW")
    await asha.press("y")
    await asha.sees("sending to @maz_h")
    house.clock.move(seconds=4)
    await bryn.press("y")
    await bryn.sees("Asha queued a reply 4 s ago.", "Your text is kept as a draft.")
    assert states(house) == ["queued"]
    assert kept(house, "Bryn") == [("maz_h", OTHER)]


@pytest.mark.promise
async def test_the_second_to_queue_is_told_who_was_first_and_keeps_the_draft(
    house: House,
) -> None:
    async with two(house) as (asha, bryn):
        await second_is_told(house, asha, bryn)
        await bryn.until(lambda: "sends" in bryn.cursor)
        await bryn.press("r")
        await bryn.press("T")
        await bryn.sees("PUBLIC reply to @maz_h", OTHER[:50])
        await bryn.press("ctrl+d")
        await bryn.sees("Asha queued a reply")


@pytest.mark.promise
async def test_a_second_answer_that_gets_through_is_noticed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(house) as (asha, bryn):
        composer = bryn.working[0].composer

        class Careless(Composer):
            """Looks for another answer in the review alone, as if nobody were quicker."""

            def _new(self, review, second_reason):  # type: ignore[no-untyped-def]  # as its base
                return super()._new(review, second_reason or "nobody was here")

        composer.__class__ = Careless
        bryn.patience = 3.0
        with pytest.raises(AssertionError):
            await second_is_told(house, asha, bryn)
        assert states(house) == ["queued", "queued"]


async def test_who_is_here_is_seen_by_both(house: House) -> None:
    async with two(house) as (asha, bryn):
        await asha.press("at")
        await asha.sees("Asha on", "Bryn on")
        await bryn.press("at")
        await bryn.sees("Asha on", "Bryn on")


# -- posts that come in -------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_a_post_that_arrives_is_on_the_screen_by_itself(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await house.post("newcomer", "@StElsewhere staff were rude, waited 9 hours, disgusting")
        await terminal.working[0].listening.check_now()
        await terminal.sees("1 URGENT 3", "0 all 11")
        assert terminal.who == "dee_dee"


async def cursor_stays(house: House, terminal: Terminal) -> None:
    """Posts stream in above a reader who has gone down the list."""
    await terminal.press("G", "g")
    await terminal.go_to("rose_t")
    await terminal.press(*["j"] * 30, *["k"] * 5)
    who = terminal.who
    row = next(i for i, one in enumerate(terminal.lines()[2:]) if one.startswith(">"))
    for number in range(4):
        text = f"@StElsewhere staff were rude, waited {number + 3} hours, disgusting"
        await house.post(f"newcomer_{number}", text)
        await terminal.working[0].listening.check_now()
        await terminal.sees(f"1 URGENT {3 + number}")
        assert terminal.who == who
        assert terminal.lines()[2:][row].startswith(">"), "the list jumped under the reader"


def long_day(folder: Path) -> House:
    """An installation with seventy cases."""
    more = [
        {"key": f"m{n}", "author": f"more_{n}", "at": -200 - n, "text": f"@StElsewhere hello {n}?"}
        for n in range(60)
    ]
    return build(folder, [*POSTS, *more])


@pytest.mark.promise
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_cursor_stays_on_its_case_and_row_while_posts_stream_in(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    house = long_day(tmp_path)
    await house.listen()
    async with house.terminal(size) as terminal:
        await cursor_stays(house, terminal)


@pytest.mark.promise
async def test_a_list_that_begins_anew_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reload(self: CaseList) -> None:
        self.show(await self._fetch(None, None, PAGE), at_end=True)

    house = long_day(tmp_path)
    await house.listen()
    monkeypatch.setattr(CaseList, "reload", reload)
    async with house.terminal() as terminal:
        with pytest.raises(AssertionError):
            await cursor_stays(house, terminal)


async def test_the_first_page_does_not_jump_once_somebody_has_moved(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.press("j", "j")
        assert terminal.who == "wes_cold"
        for number in range(3):
            text = f"@StElsewhere staff were rude, waited {number + 3} hours, disgusting"
            await house.post(f"newcomer_{number}", text)
            await terminal.working[0].listening.check_now()
            await terminal.sees(f"1 URGENT {3 + number}")
            assert terminal.who == "wes_cold"


async def test_marks_and_a_reader_survive_what_comes_in(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.press("j", "space", "enter")
        await terminal.sees("-- @wes_cold")
        await house.post("newcomer", "@StElsewhere staff were rude, waited 9 hours, disgusting")
        await terminal.working[0].listening.check_now()
        await terminal.sees("1 U 3", "1 marked", "-- @wes_cold")


# -- looking only -------------------------------------------------------------------------------

CHANGING: dict[str, tuple[Sequence[str], str]] = {
    "reply": (("r",), "look-only"),
    "note": (("i",), "look-only"),
    "done": (("e", "r"), "look-only"),
    "later": (("b", "1"), "look-only"),
    "mine": (("a",), "look-only"),
    "label": (("L", *"x", "enter"), "look-only"),
    "star": (("s",), "look-only"),
    "mute": (("m",), "look-only"),
    "not about us": (("exclamation_mark",), "look-only"),
    "raise": (("minus",), "look-only"),
    "lower": (("minus",), "look-only"),
    "unread": (("j", "U"), "look-only"),
    "undo": (("z",), "look-only"),
    "redo": (("Z",), "look-only"),
    "repeat": (("full_stop",), "no verb to repeat"),
    "check now": (("comma",), "ook only"),
}


async def looks_only(house: House, terminal: Terminal, way: str) -> None:
    """Every key that would change something, and none that does."""
    before = house.everything()
    await terminal.sees("LOOK ONLY", "@dee_dee")
    if way == "reading":
        await terminal.press("enter")
    for place in (["g", "j"], ["g"]):  # a case, then a danger, which asks before it goes
        for keys, says in CHANGING.values():
            await terminal.press(*place, *keys)
            await terminal.sees(says)
            terminal.app.say("")
    for keys in (["D"], ["O"], ["W"], ["w", "q"], ["G"], ["space", "v", "j", "q"], ["U"]):
        await terminal.press(*keys)
        await terminal.press("escape")
    assert house.everything() == before


@pytest.mark.promise
@pytest.mark.parametrize("way", WAYS)
async def test_looking_only_changes_nothing_and_says_so(house: House, way: str) -> None:
    house.wire.clear()
    async with house.terminal((80, 24), look_only=True) as terminal:
        await looks_only(house, terminal, way)
        assert house.wire == []


@pytest.mark.promise
async def test_a_look_that_writes_is_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = SqliteDatabase.__init__

    def writable(self, path, *, read_only=False):  # type: ignore[no-untyped-def]  # as the real one
        opened(self, path, read_only=False)

    monkeypatch.setattr(SqliteDatabase, "__init__", writable)
    async with house.terminal((80, 24), look_only=True) as terminal:
        await terminal.sees("ROUTE")
        before, terminal.patience = house.everything(), 3.0
        with pytest.raises(AssertionError):
            await looks_only(house, terminal, "list")
        assert house.everything() != before


async def test_a_look_follows_what_others_do(house: House) -> None:
    async with house.terminal() as asha, house.terminal(operator="Bryn", look_only=True) as looker:
        await asha.press("a")
        await looker.sees("LOOK ONLY", "Asha holds the case of @dee_dee")
