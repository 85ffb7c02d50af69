"""What a newcomer sees and can do: the shipped day through the product's own parts.

The stand-in, the listener, triage and the sender are the real ones; only the clock is moved.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from carerespond.cli import wiring
from carerespond.cli.inbox import practice_door, prepare_practice
from carerespond.config import Config, find_home, load_config, practice_home
from carerespond.domain.models import (
    CaseFilter,
    CaseRow,
    CaseState,
    Outcome,
    Priority,
    RouteKind,
    SendState,
)
from carerespond.services.composer import Composer
from carerespond.services.finder import Finder
from carerespond.services.inbox import CaseView, Inbox
from carerespond.services.listener import Listener
from carerespond.services.presence import Presence
from carerespond.services.sender import Sender
from carerespond.storage.sqlite import SqliteDatabase
from carerespond.ui.detail import Frame, head_lines
from tests.sending import Clock

LEAST_OPEN = 40
KIND = "We are sorry to read this. Please ring 01632 960114 and somebody will listen. Asha"


@dataclass
class Day:
    """A practice day as one person at one terminal has it."""

    clock: Clock
    config: Config
    database: SqliteDatabase
    listener: Listener
    inbox: Inbox
    composer: Composer
    sender: Sender
    views: dict[str, CaseView] = field(default_factory=dict)

    async def listen(self) -> None:
        """Ask every source now."""
        await self.listener.check_now()
        await self.listener.work_due()

    async def rows(self) -> list[CaseRow]:
        """Every open case in reading order, as the pane "all" has them."""
        found: list[CaseRow] = []
        while page := await self.inbox.page(CaseFilter(), after=found[-1] if found else None):
            found += page
        return found

    async def pane(self, priority: Priority) -> list[str]:
        rows = await self.inbox.page(CaseFilter(priority=priority), limit=200)
        return [row.handle for row in rows]

    async def view(self, handle: str, words: str = "") -> CaseView:
        """The open case of a person; the one with these words where there are several."""
        for row in await self.rows():
            if row.handle == handle:
                view = await self.inbox.open_case(row.case_id)
                if words in view.case.head.text:
                    return view
        raise AssertionError(f"@{handle} has no open case with {words!r}")

    async def answer(self, handle: str, text: str, words: str = "") -> SendState:
        """Answer by API as a person does, and let the take-back time pass."""
        case_id = (await self.view(handle, words)).case.case_id
        draft = await self.composer.begin(case_id)
        await self.composer.save(draft, text)
        review = await self.composer.review(case_id)
        await self.composer.queue(review, seen_changes=True, reason="practice")
        self.clock.pass_seconds(self.config.take_back_seconds + 1)
        await self.sender.work_due()
        return (await self.inbox.open_case(case_id)).sends[0].state


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Day]:
    clock = Clock()
    home = practice_home(find_home({"CARERESPOND_HOME": str(tmp_path)}))
    prepare_practice(home, seed=1, fresh=False, now=clock.at)
    config = load_config(home.config_file)
    database, crew = wiring.open_store(home), wiring.Crew({})
    wiring.open_networks(home, config, database, clock.now, practice_door(home, clock.now), crew)
    session = "here"
    presence = Presence(
        database,
        session=session,
        operator=lambda: "Asha",
        now=clock.now,
        host="host",
        pid=os.getpid(),
        clock=clock.monotonic,
    )
    charge = wiring.charger(config)
    finder = Finder(
        database, crew.networks, session=session, now=clock.now, charge=charge,
        clock=clock.monotonic,
    )  # fmt: skip
    sender = Sender(
        database,
        crew.networks,
        config,
        presence=presence,
        finder=finder,
        now=clock.now,
        charge=charge,
        free_bytes=lambda: 10**12,
        clock=clock.monotonic,
    )
    day = Day(
        clock,
        config,
        database,
        wiring.make_listener(database, config, crew.networks, session, clock.now),
        Inbox(
            database, config, crew.networks, session=session, operator=lambda: "Asha",
            now=clock.now,
        ),
        Composer(
            database, crew.networks, config, presence=presence, sender=sender, finder=finder,
            now=clock.now,
        ),
        sender,
    )  # fmt: skip
    await presence.keep()
    await day.listen()
    yield day
    for network in crew.networks.values():
        await network.aclose()
    await database.aclose()


# -- what stands where ----------------------------------------------------------------------------


async def test_the_first_screen_is_full_and_whole(day: Day) -> None:
    rows = await day.rows()
    assert len(rows) >= LEAST_OPEN
    assert len({row.case_id for row in rows}) == len(rows)
    panes = [await day.pane(priority) for priority in Priority]
    assert all(panes), "every pane has something to show"
    assert len(panes[Priority.URGENT]) <= 12, "an urgent pane with everything in it says nothing"


async def test_a_danger_to_life_is_urgent_and_first(day: Day) -> None:
    first = (await day.rows())[0]
    assert first.handle == "quietquay_x7"
    assert (await day.pane(Priority.URGENT))[0] == "quietquay_x7"
    view = await day.view("quietquay_x7")
    assert view.case.assessment.is_pinned
    assert "somebody may harm themselves" in [why.text for why in view.case.assessment.reasons]


@pytest.mark.parametrize("handle", ["joan_pellbrook", "tolly_wexmoor"])
async def test_a_bereavement_is_for_today_and_says_why(day: Day, handle: str) -> None:
    assert handle in await day.pane(Priority.URGENT) + await day.pane(Priority.TODAY)
    assert handle not in await day.pane(Priority.PRAISE)
    reasons = [why.text for why in (await day.view(handle)).case.assessment.reasons]
    assert "somebody has died" in reasons


@pytest.mark.parametrize(
    "handle", ["ned_carrowby", "brindle_oost", "corin_habbley", "wheels_pdx41", "gethin_brynisel"]
)
async def test_a_small_question_that_names_us_waits_a_little_and_is_answered_by_api(
    day: Day, handle: str
) -> None:
    assert handle in await day.pane(Priority.SOON)
    view = await day.view(handle)
    assert view.routes[0].kind is RouteKind.API
    assert view.routes[0].is_open
    assert "it asks something" in [why.text for why in view.case.assessment.reasons]


@pytest.mark.parametrize(
    ("handle", "pane"),
    [
        ("dessa_fawkmoor", Priority.TODAY),
        ("bram_ettersley", Priority.TODAY),
        ("posy_tarnfell", Priority.URGENT),  # ninety, fourteen hours on a trolley, no dignity
    ],
)
async def test_an_upset_post_that_does_not_name_us_is_for_today_by_hand(
    day: Day, handle: str, pane: Priority
) -> None:
    assert handle in await day.pane(pane)
    ways = {way.kind: way for way in (await day.view(handle)).routes}
    assert ways[RouteKind.API].is_open is False
    assert ways[RouteKind.BROWSER].is_open
    assert "name or quote us" in ways[RouteKind.API].reason


async def test_several_people_write_about_one_clinic_over_a_whole_week(day: Day) -> None:
    cases = [(await day.inbox.open_case(row.case_id)).case for row in await day.rows()]
    about = [case for case in cases if case.service == "eye-clinic"]
    assert len({case.author.handle for case in about}) >= 5
    times = [case.head.created_at for case in about]
    assert max(times) - min(times) > timedelta(days=5), "a first round reaches a week back"


async def test_somebody_was_answered_before(day: Day) -> None:
    view = await day.view("alma_rookhope")
    authors = [post.author.handle for post in view.thread]
    assert sorted(authors) == ["StElsewhere", "alma_rookhope", "alma_rookhope"]
    assert [post.is_ours for post in view.thread].count(True) == 1
    assert "alma_rookhope" in await day.pane(Priority.TODAY) + await day.pane(Priority.URGENT)


async def test_somebody_may_be_rung(day: Day) -> None:
    view = await day.view("otto_fenwhistle")
    assert "they ask to be contacted" in [why.text for why in view.case.assessment.reasons]
    assert "07700 900142" in view.case.head.text
    ways = {way.kind: way for way in view.routes}
    assert ways[RouteKind.DM].is_open


@pytest.mark.parametrize("handle", ["ruby_castlgt9", "davey_marlpit", "nan_to_seven_q"])
async def test_thanks_worth_an_invitation_stand_with_the_praise(day: Day, handle: str) -> None:
    assert handle in await day.pane(Priority.PRAISE), "alarming words or not"


async def test_praise_with_a_barb_is_not_filed_as_praise(day: Day) -> None:
    assert "sal_overthwaite" in await day.pane(Priority.SOON)


async def test_spam_and_television_need_no_answer(day: Day) -> None:
    watched = await day.pane(Priority.WATCH)
    assert {"deal_x99120", "tvrewatch_zz8"} <= set(watched)


async def test_what_nobody_may_see_is_not_there(day: Day) -> None:
    handles = {row.handle for row in await day.rows()}
    assert not handles & {"locked_gate_q", "gone_gremlin_q", "StElsewhere"}


# -- what can be tried ----------------------------------------------------------------------------


async def test_every_way_of_answering_can_be_met(day: Day) -> None:
    firsts: set[tuple[RouteKind, bool | None]] = set()
    hands: set[bool | None] = set()
    private: set[bool | None] = set()
    for row in await day.rows():
        ways = (await day.inbox.open_case(row.case_id)).routes
        firsts.add((ways[0].kind, ways[0].is_open))
        hands |= {way.is_open for way in ways if way.kind is RouteKind.BROWSER}
        private |= {way.is_open for way in ways if way.kind is RouteKind.DM}
    assert firsts == {(RouteKind.API, True), (RouteKind.API, False), (RouteKind.NONE, False)}
    assert hands == {True, False, None}
    assert {True, False} <= private


async def test_a_refusal_that_nobody_could_foresee_can_be_met(day: Day) -> None:
    text = "We are sorry that nobody rang. Please write to pals@stelsewhere.example. Asha"
    assert await day.answer("blocked_u_zq", text) is SendState.REFUSED
    ways = (await day.view("blocked_u_zq")).routes
    assert ways[0].kind is RouteKind.NONE
    assert ways[0].reason == "They have blocked us."


async def test_the_verbs_have_something_to_act_on(day: Day) -> None:
    inbox, rows = day.inbox, await day.rows()
    ids = [row.case_id for row in rows if row.priority is not Priority.URGENT][:12]
    assert len(ids) == 12
    await inbox.note(ids[0], "Rang the ward.")
    await inbox.later([ids[1]], day.clock.at + timedelta(minutes=5))
    await inbox.mine([ids[2]])
    await inbox.label(ids[3:6], "parking")
    await inbox.star([ids[6]])
    await inbox.raise_priority([ids[7]])
    await inbox.lower_priority([ids[8]])
    await inbox.mute([ids[9]])
    await inbox.not_about_us([ids[10]])
    await inbox.done([ids[11]], Outcome.ANSWERED)
    await inbox.unread([ids[0]])
    left = {row.case_id: row for row in await day.rows()}
    assert ids[1] not in left, "put away"
    assert not {ids[9], ids[10], ids[11]} & set(left)
    undone = await inbox.undo()
    assert undone is not None
    day.clock.pass_seconds(6 * 60)
    await inbox.wake_due()
    assert ids[1] in {row.case_id for row in await day.rows()}
    assert await inbox.late() >= 5, "some wait too long already"


# -- an answer and what comes of it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "text", "heard"),
    [
        ("ned_carrowby", "Yes, it is open again from 7. Asha", True),
        ("brindle_oost", "It is, from 8 to 8 every day. Asha", True),
        ("alma_rookhope", KIND, True),
        ("wheels_pdx41", "We lend them at the main door. Asha", False),
    ],
)
async def test_an_answer_gets_its_reaction_within_two_minutes_or_none(
    day: Day, handle: str, text: str, heard: bool
) -> None:
    before = await day.view(handle)
    assert await day.answer(handle, text) is SendState.SENT
    for _ in range(13):  # as often as the practice inbox asks by itself
        day.clock.pass_seconds(15)
        await day.listen()
    after = await day.inbox.open_case(before.case.case_id)
    assert after.case.wrote_again is heard
    assert len(after.thread) == len(before.thread) + 1 + heard, "ours, and theirs"
    listed = {row.case_id: row.wrote_again for row in await day.rows()}
    assert listed.get(before.case.case_id, False) is heard
    title = head_lines(after, Frame(80, day.clock.at, False, {}, {}))[0]
    assert ("wrote again" in "".join(text for text, _ in title)) is heard


async def test_a_closed_case_comes_back_when_they_write_again(day: Day) -> None:
    case_id = (await day.view("ned_carrowby")).case.case_id
    assert await day.answer("ned_carrowby", "Yes, from 7. Asha") is SendState.SENT
    await day.inbox.done([case_id], Outcome.ANSWERED)
    assert case_id not in {row.case_id for row in await day.rows()}
    for _ in range(13):
        day.clock.pass_seconds(15)
        await day.listen()
    view = await day.inbox.open_case(case_id)
    assert view.case.state is CaseState.OPEN


async def test_posts_go_on_arriving_while_one_watches(day: Day) -> None:
    before = {row.case_id for row in await day.rows()}
    day.clock.pass_seconds(10 * 60)
    await day.listen()
    fresh = [row for row in await day.rows() if row.case_id not in before]
    assert len(fresh) >= 8
    urgent = [row.handle for row in fresh if row.priority is Priority.URGENT]
    assert "tyr_ollander_z" in urgent, "a chest pain comes in while they look"


async def test_the_same_seed_gives_the_same_first_screen(day: Day) -> None:
    assert [row.handle for row in await day.rows()][:3] == [
        "quietquay_x7",
        "dot_lavenham_r",
        "norm_catterby",
    ]


def test_a_new_day_begins_when_the_old_one_is_over(tmp_path: Path) -> None:
    home = practice_home(find_home({"CARERESPOND_HOME": str(tmp_path)}))
    start = datetime.fromisoformat("2026-11-24T09:00:00+00:00")

    def begun(seed: int, fresh: bool, hours: float) -> str:
        now = start + timedelta(hours=hours)
        prepare_practice(home, seed=seed, fresh=fresh, now=now)
        return (home.data / "practice.json").read_text(encoding="utf-8")

    first = begun(1, False, 0)
    assert begun(1, False, 23) == first, "it goes on after a restart"
    assert begun(1, True, 23.5) != first, "--fresh"
    second = begun(2, False, 23.6)
    assert '"seed": 2' in second
    assert begun(2, False, 24.5) == second
    assert begun(2, False, 48) != second
