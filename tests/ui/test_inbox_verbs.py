"""What each verb does to a case, in the list and in the open case alike, and how it is undone."""

import contextlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from carerespond.domain.errors import NetworkError
from carerespond.domain.models import Outcome
from carerespond.services.inbox import Done
from carerespond.ui import app as app_module
from carerespond.ui.answering import Answering
from tests.ui.support import WAYS, House, Terminal, build, seated

# The keys of each local verb on the case under the cursor, and words that say that it was done.
VERBS: dict[str, tuple[Sequence[str], str]] = {
    "done": (("e", "r"), "done "),
    "later": (("b", "w"), "later "),
    "mine": (("a",), "mine "),
    "label": (("L", *"parking", "enter"), "label "),
    "star": (("s",), "star "),
    "mute": (("m",), "mute "),
    "not about us": (("exclamation_mark",), "not about us "),
    "raise": (("plus",), "raise "),
    "lower": (("minus",), "lower "),
    "unread": (("U",), "unread "),
}


def local(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """All that local verbs may change."""
    return {
        "cases": house.rows("SELECT * FROM cases ORDER BY case_id"),
        "labels": house.rows("SELECT * FROM labels ORDER BY case_id, label"),
        "notes": house.rows("SELECT note_id, text, removed_at IS NULL FROM notes"),
    }


# -- one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_done_asks_the_outcome_and_moves_on(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.go_to("tom_k")
        await terminal.press("e")
        await terminal.sees("Done: how did it end?")
        await terminal.press("q")
        await terminal.sees_no("how did it end?")
        assert house.case("tom_k", "state") == ("open",)
        await terminal.press("e", "j", "j", "enter")  # the third: invited
        await terminal.sees("done @tom_k: invited - z takes it back")
        await terminal.is_at("ola_b")
        assert house.case("tom_k", "state", "outcome") == ("done", "invited")
        assert (terminal.cursor == "") == (way == "reading")


async def test_every_outcome_has_a_key(house: House) -> None:
    keys = dict(zip("apisrtnu", Outcome, strict=True))
    async with house.terminal((80, 24)) as terminal:
        for key, outcome in keys.items():
            who = terminal.who
            await terminal.press("e", key)
            if who == "dee_dee":
                await terminal.sees("possible danger. Really")
                await terminal.press("Y")
            await terminal.sees(f"done @{who}: {outcome}")
            assert house.case(who, "outcome") == (outcome.value,)
            await terminal.until(lambda who=who: terminal.who != who)  # type: ignore[misc]  # bound now
        await terminal.sees(">0 all 2<")


@pytest.mark.parametrize("way", WAYS)
async def test_later_puts_a_case_away_and_it_wakes_by_itself(
    house: House, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "HEADER_SECONDS", 0.2)
    async with seated(house, way) as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("b")
        await terminal.sees("Later: when again?", "in an hour")
        await terminal.press("1")
        await terminal.sees("later @maz_h: until", "1 URGENT 1")
        await terminal.is_at("wes_cold")
        house.clock.move(minutes=59)
        await terminal.stays(lambda: "1 URGENT 1" in terminal.text, 0.6)
        house.clock.move(minutes=2)
        await terminal.sees("1 URGENT 2")
        assert house.case("maz_h", "state", "is_unread") == ("open", 1)
        assert terminal.who == "wes_cold"


async def test_another_time_may_be_typed_and_nonsense_is_refused(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.go_to("tom_k")
        await terminal.press("b", "o")
        await terminal.sees("2h, 3d, 14:30, tomorrow, monday")
        await terminal.answer("soonish")
        await terminal.sees("'soonish' is no time that I know.")
        await terminal.press("b", "o")
        await terminal.answer("2020-01-01")
        await terminal.sees("has passed already")
        assert house.case("tom_k", "state") == ("open",)
        await terminal.press("b", "o")
        await terminal.answer("2h")
        await terminal.sees("later @tom_k")
        until = house.case("tom_k", "snoozed_until")[0]
        assert until == int(house.clock.at.timestamp() * 1000) + 7_200_000


@pytest.mark.parametrize("way", WAYS)
async def test_mine_claims_and_again_releases(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("a")
        await terminal.sees("mine @dee_dee", "~ you hold the case of @dee_dee")
        assert house.case("dee_dee", "owner") == ("Asha",)
        await terminal.press("a")
        await terminal.sees("release @dee_dee")
        assert house.case("dee_dee", "owner") == (None,)


@pytest.mark.parametrize("way", WAYS)
async def test_a_colleagues_case_is_taken_over_only_after_a_question(
    house: House, way: str
) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("at", "2")
        await terminal.sees("duty: Bryn")
        await terminal.press("a")
        await terminal.sees("mine @dee_dee")
        await terminal.press("at", "1", "a")
        await terminal.sees("Take over?", "Bryn is on the case of @dee_dee.")
        await terminal.press("enter")  # the bar stands on "no"
        await terminal.sees_no("Take over?")
        assert house.case("dee_dee", "owner") == ("Bryn",)
        await terminal.press("a", "T")
        await terminal.sees("mine @dee_dee: from Bryn")
        assert house.case("dee_dee", "owner") == ("Asha",)
        await terminal.press("w", "G")
        await terminal.sees("WHAT WAS DONE TO IT", "Asha mine: from Bryn")


@pytest.mark.parametrize("way", WAYS)
async def test_a_label_is_put_on_and_taken_off(house: House, way: str) -> None:
    async with seated(house, way, (80, 40)) as terminal:
        await terminal.press("L")
        await terminal.answer("waiting  times")
        await terminal.sees("label @dee_dee: waiting times", "LABELS waiting times")
        await terminal.press("L")
        await terminal.sees("waiting times Enter takes it")  # the labels in use
        await terminal.answer("waiting times")
        await terminal.sees("unlabel @dee_dee: waiting times")
        await terminal.sees_no("LABELS")
        await terminal.press("L", "escape", "L", "enter")
        assert house.rows("SELECT * FROM labels") == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_muted_conversation_stays_shut(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("m")
        await terminal.sees("mute @maz_h", "1 URGENT 1")
        await house.post("maz_h", "@StElsewhere still rude", reply_to=house.id_of("rude"))
        await house.post("newcomer", "@StElsewhere staff were rude and I waited 9 hours")
        await terminal.press("comma", "c")
        await terminal.sees(">0 all 10<")
        assert house.case("maz_h", "state", "is_muted") == ("done", 1)


@pytest.mark.parametrize("way", WAYS)
async def test_not_about_us_closes_with_that_outcome(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.go_to("quizmaster")
        await terminal.press("exclamation_mark")
        await terminal.sees("not about us @quizmaster")
        assert house.case("quizmaster", "state", "outcome") == ("done", "not about us")
        await terminal.is_at("tv_nostalgia")


@pytest.mark.parametrize("way", WAYS)
async def test_priority_moves_by_one_pane_and_says_who_moved_it(house: House, way: str) -> None:
    async with seated(house, way, (80, 40)) as terminal:
        await terminal.go_to("ola_b")
        await terminal.press("plus")
        await terminal.sees("raise @ola_b: to today", "2 TODAY 4", "3 SOON 1")
        await terminal.go_to("ola_b")
        await terminal.sees("WHY TODAY 3 - moved here by Asha")
        await terminal.press("w")
        await terminal.sees("Asha has put it into this pane.", "Asha raise: to today")
        await terminal.press("q", "minus")
        await terminal.sees("lower @ola_b: to soon", "2 TODAY 3", "3 SOON 2")
        await terminal.go_to("dee_dee")
        await terminal.press("plus")
        await terminal.sees("raise: nothing to change")
        await terminal.go_to("quizmaster")
        await terminal.press("minus")
        await terminal.sees("lower: nothing to change")


@pytest.mark.parametrize("way", WAYS)
async def test_opening_marks_as_read_and_unread_takes_it_back(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        if way == "list":
            await terminal.press("enter", "q")
        await terminal.until(lambda: house.case("dee_dee", "is_unread") == (0,))
        await terminal.press("U")
        await terminal.sees("unread @dee_dee")
        assert house.case("dee_dee", "is_unread") == (1,)


@pytest.mark.parametrize("way", WAYS)
async def test_why_shows_every_rule_with_points_and_words(house: House, way: str) -> None:
    async with seated(house, way, (96, 50)) as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("w")
        await terminal.sees("WHY @maz_h", "It flags some posts, not all")
        reasons = json.loads(house.case("maz_h", "reasons")[0])
        shown = re.sub(r"\[\d+\]", "", terminal.text)
        assert (
            "@StElsewhere waited six hours in A&E with my nan, staff were rude, disgusting" in shown
        )
        for rule, words, points, found in reasons:
            said = f"{points:+.1f} {words} ({rule})"
            number = re.search(rf"\[(\d+)\] {re.escape(said)}", terminal.text)
            assert number is not None, said
            for one in found:
                await terminal.sees(f"'{one}'")
                behind = rf"{re.escape(one.split()[-1])}(\[\d+\])*\[{number[1]}\]"
                assert re.search(behind, terminal.text), (one, number[1])
        score = house.case("maz_h", "score")[0]
        await terminal.sees(f"SUM {score:+.1f} URGENT: URGENT begins at 8", "TODAY from 3.2")
        assert len(reasons) >= 5


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_why_says_a_danger_first_and_marks_words_without_colour(
    house: House, size: tuple[int, int]
) -> None:
    async with house.terminal(size) as terminal:
        await terminal.press("w")
        held = "POSSIBLE DANGER, held here whatever the score: a life may be in danger"
        await terminal.sees(held, "SAFETY:", "GIVE 999", "chest pain[1]")
        assert terminal.text.index(held) < terminal.text.index("GIVE 999")
        assert terminal.text.index("GIVE 999") < terminal.text.index("chest pain[1]")
        for words in ("chest", "[1]"):
            assert any(one.style and one.style.bold for one in terminal.styled(words)), words
        assert any(one.style and one.style.underline for one in terminal.styled("chest"))
        await terminal.press("G")
        await terminal.sees("SUM", "a rule about danger holds it there", "still needs a person.")


async def test_why_shows_the_words_of_an_earlier_post_too(house: House) -> None:
    async with house.terminal((100, 50)) as terminal:
        await house.post("maz_h", "@StElsewhere anybody there", reply_to=house.id_of("rude"))
        await terminal.press("comma", "c")
        await terminal.until(lambda: house.case("maz_h", "posts") == (2,))
        await terminal.go_to("maz_h")
        await terminal.press("w")
        await terminal.sees("@StElsewhere anybody there", "staff were rude[")


async def test_why_says_when_there_are_no_rules_for_the_language(tmp_path: Path) -> None:
    text = "@StElsewhere czekam w szpitalu na lekarza i nie wiem co dalej, nikt nie przychodzi"
    house = build(tmp_path, [{"key": "pl", "author": "ola_pl", "at": -5, "text": text}])
    await house.listen()
    async with house.terminal((100, 50)) as terminal:
        await terminal.press("w")
        await terminal.sees("LANGUAGE in Polish, for which there are no rules", "read all of it.")


@pytest.mark.parametrize("way", WAYS)
async def test_copy_gives_words_and_address_and_shows_the_address(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.go_to("tom_k")
        await terminal.press("y")
        await terminal.sees("the words were copied")
        assert terminal.app.clipboard.startswith("@StElsewhere where do I park")
        await terminal.press("Y")
        await terminal.sees("copied, if your terminal allows it: https://")
        address = terminal.app.clipboard
        assert address.endswith(f"/tom_k/status/{house.id_of('park')}")
        await terminal.press("o")
        await terminal.sees("The post's address", address)


async def test_a_configured_opener_gets_the_address_as_one_argument(tmp_path: Path) -> None:
    note = tmp_path / "opened"
    code = f"import sys, pathlib; pathlib.Path({str(note)!r}).write_text(repr(sys.argv[1:]))"
    house = build(tmp_path, more=f'opener = [{sys.executable!r}, \'-c\', """{code}"""]')
    await house.listen()
    async with house.terminal((80, 24)) as terminal:
        await terminal.go_to("tom_k")
        await terminal.press("o")
        await terminal.sees("was started")
        await terminal.until(lambda: note.exists() and note.read_text().endswith("]"))
        assert f"/tom_k/status/{house.id_of('park')}'" in note.read_text()
        assert note.read_text().count("https://") == 1


# -- notes never reach a network ----------------------------------------------------------------


async def note_reaches_nobody(house: House, terminal: Terminal) -> None:
    """Write and file a note with the line cut: nothing may even try it."""
    await terminal.sees("ROUTE")
    house.cut = True
    house.wire.clear()
    await terminal.press("i")
    await terminal.sees("NOTE on @dee_dee, never sent")
    await terminal.type("matron told")
    await terminal.press("ctrl+d")
    await terminal.sees("note filed", "NOTE Asha")
    await terminal.stays(lambda: not house.wire, 0.2)
    assert house.wire == []


@pytest.mark.promise
@pytest.mark.parametrize("way", WAYS)
async def test_a_note_never_reaches_a_network(house: House, way: str) -> None:
    async with seated(house, way, (80, 40)) as terminal:
        await note_reaches_nobody(house, terminal)
        await terminal.press("z")
        await terminal.sees("undone: note @dee_dee")
        await terminal.sees_no("NOTE Asha")
        await terminal.press("Z")
        await terminal.sees("NOTE Asha")
        assert house.rows("SELECT text FROM notes") == [("matron told",)]
        assert house.rows("SELECT * FROM outbox") == []


@pytest.mark.promise
async def test_a_note_that_goes_out_is_noticed(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        network = terminal.crew.networks["trust"]

        class Leaky(Answering):
            async def note(self, case_id: int) -> None:
                await super().note(case_id)
                with contextlib.suppress(NetworkError):
                    await network.lookup(["1"])

        terminal.app.answering.__class__ = Leaky
        with pytest.raises(AssertionError):
            await note_reaches_nobody(house, terminal)
        assert house.wire == ["GET /2/tweets"]


# -- undo ---------------------------------------------------------------------------------------


async def undo_and_redo(house: House, terminal: Terminal, verb: str) -> None:
    """Do, take back, do again: each leaves exactly what it should."""
    keys, says = VERBS[verb]
    before = local(house)
    await terminal.press(*keys)
    await terminal.sees(f"{says}", "z takes it back")
    await terminal.until(lambda: local(house) != before)
    done = local(house)
    await terminal.press("z")
    await terminal.sees(f"undone: {says}")
    assert local(house) == before
    await terminal.press("Z")
    await terminal.sees(f"redone: {says}")
    assert local(house) == done


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", ["many", "reading"])
async def test_every_local_verb_is_undone_and_redone(house: House, verb: str, how: str) -> None:
    async with seated(house, "reading" if how == "reading" else "list") as terminal:
        await terminal.go_to("tom_k")
        await terminal.press("enter")
        if how == "many":
            await terminal.press("q")
            await terminal.press("space", "space", "space")
            await terminal.sees("3 marked")
        await undo_and_redo(house, terminal, verb)
        if how == "many" and verb != "unread":  # two of the three were that already
            assert "3 cases" in terminal.status


async def test_a_broken_undo_is_noticed(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        inbox = terminal.app.desk.inbox

        class Forgetful(type(inbox)):  # type: ignore[misc]  # the class is known at run time
            async def undo(self) -> Done | None:
                done = await super().undo()
                await self.star([1])
                return done if done is None or isinstance(done, Done) else None

        inbox.__class__ = Forgetful
        await terminal.go_to("tom_k")
        with pytest.raises(AssertionError):
            await undo_and_redo(house, terminal, "raise")


async def test_undo_walks_back_through_several_verbs(house: House) -> None:
    async with house.terminal((80, 24)) as terminal:
        await terminal.go_to("tom_k")
        before = local(house)
        await terminal.press("s")
        await terminal.sees("star @tom_k")
        await terminal.press("plus")
        await terminal.sees("raise @tom_k")
        await terminal.press("e", "r")
        await terminal.sees("done @")
        for says in ("undone: done", "undone: raise", "undone: star"):
            await terminal.press("z")
            await terminal.sees(says)
        assert local(house) == before
        await terminal.press("z")
        await terminal.sees("there is nothing to take back")
        for says in ("redone: star", "redone: raise", "redone: done"):
            await terminal.press("Z")
            await terminal.sees(says)
        await terminal.press("Z")
        await terminal.sees("there is nothing to do again")


@pytest.mark.parametrize("way", WAYS)
async def test_repeat_does_the_last_verb_here(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("full_stop")
        await terminal.sees("There is no verb to repeat yet.")
        await terminal.press("L")
        await terminal.answer("parking")
        await terminal.sees("label @dee_dee: parking")
        await terminal.press("j", "full_stop")
        await terminal.sees("label @maz_h: parking")
        await terminal.press("j", "e", "r")
        await terminal.sees("done @wes_cold: resolved")
        await terminal.is_at("rose_t")
        await terminal.press("full_stop")
        await terminal.sees("done @rose_t: resolved")
        labelled = "SELECT handle FROM labels JOIN cases USING (case_id) ORDER BY handle"
        assert house.rows(labelled) == [("dee_dee",), ("maz_h",)]


# -- what is watched ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_check_now_shows_its_price_first_and_asks_only_then(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        house.wire.clear()
        for key in ("comma", "f5"):
            await terminal.press(key)
            await terminal.sees("Ask the networks now?", "charged", "$")
            await terminal.press("enter")  # the bar stands on "no"
            await terminal.sees_no("Ask the networks now?")
        await terminal.stays(lambda: not house.wire, 0.2)
        await house.post("newcomer", "@StElsewhere staff were rude, waited 9 hours, disgusting")
        await terminal.press("comma", "c")
        await terminal.sees("checking now")
        await terminal.sees("1 URGENT 3")


@pytest.mark.parametrize("way", WAYS)
async def test_sources_tell_their_state_and_cost(house: House, way: str) -> None:
    async with seated(house, way, (80, 40)) as terminal:
        await terminal.press("W")
        await terminal.sees(
            "OK St Elsewhere by name", "OK mentions", "found 4", "found 6", "No gaps", "COST"
        )


@pytest.mark.parametrize("way", WAYS)
async def test_acts_name_who_is_at_the_keys(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.press("at")
        await terminal.sees("Who is at these keys now?", "Asha on")
        await terminal.press("o")
        await terminal.answer("Cat [/")
        await terminal.sees("duty: Cat [/")
        await terminal.press("s")
        await terminal.sees("star @dee_dee")
        assert house.rows("SELECT operator FROM history WHERE action = 'star'") == [("Cat [/",)]
        await terminal.press("at", "1")
        await terminal.sees("duty: Asha")
        await terminal.press("z")
        await terminal.sees("there is nothing to take back")  # Cat's act is not Asha's to undo
