"""Listening: what is asked, what is kept, what is said when it goes badly, and what it may cost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from carerespond.config import BudgetConfig
from carerespond.domain.errors import ConfigError, DiskFullError
from carerespond.domain.models import Charge, Health, SendState, Spend
from carerespond.networks import x
from carerespond.services.composer import Composer
from carerespond.services.listener import Listener, _Round
from carerespond.storage import ledger, posts, sources
from carerespond.storage.database import Transaction
from tests.listening import (
    CAFE,
    MENTIONS,
    MENTIONS_CALL,
    SEARCH_CALL,
    WARD,
    Ground,
    config,
    ground,
    search,
    wards,
)
from tests.sending import Clock, FakeNetwork, add_case, desk, opened, person_post

DAY = timedelta(days=1)


@pytest.fixture(name="make")
async def make_ground(tmp_path: Path) -> AsyncIterator[Callable[..., Ground]]:
    """Makes the installation of a test; closes it at the end."""
    made: list[tuple[Any, Ground]] = []

    def make(*args: Any, **how: Any) -> Ground:
        manager = ground(tmp_path, *args, **how)
        made.append((manager, manager.__enter__()))
        return made[-1][1]

    yield make
    for manager, one in made:
        await one.net.client.aclose()
        await one.database.aclose()
        manager.__exit__(None, None, None)


Make = Callable[..., Ground]


def fail(count: int = 1, path: str = "/2/tweets/search", **failure: Any) -> dict[str, Any]:
    return {"fail_next": {"path": path, "count": count, **failure}}


# -- pages and cursors ----------------------------------------------------------------------------


async def test_a_first_round_reads_seven_days_and_the_next_what_is_new(make: Make) -> None:
    on = make()
    listener = on.listener()
    assert await listener.poll_once(WARD) is not None
    first = on.line.searches()[-1]
    assert "since_id" not in first
    assert first["start_time"].startswith("2026-11-17T10:00")
    new = await on.post("the ward was kind")
    on.net.clock.move(seconds=130)
    assert await listener.poll_once(WARD) == 1
    assert new in on.post_ids()
    on.net.clock.move(seconds=130)
    assert await listener.poll_once(WARD) == 0
    assert on.line.searches()[-1]["since_id"] == on.source(WARD).cursor == new
    assert on.health(WARD) == (Health.OK, "")


async def test_a_round_follows_every_page_with_one_cursor(make: Make) -> None:
    on = make(posts=wards(250))
    assert await on.listener().poll_once(WARD) == 250
    assert on.script_keys() == {f"w{n}" for n in range(250)}
    assert len(on.line.searches()) == 3
    assert on.source(WARD).cursor == on.net.id_of("w249")
    assert on.source(WARD).found == 250
    assert not on.gaps()


@pytest.mark.parametrize("broken", [2, 3])
async def test_a_round_that_breaks_off_is_read_again_whole(make: Make, broken: int) -> None:
    on = make(posts=wards(250))
    listener = on.listener()
    await fails_on_page(on, broken)
    assert await listener.poll_once(WARD) is None
    assert len(on.post_ids()) == 100 * (broken - 1), "what was read is kept, page by page"
    assert on.source(WARD).cursor is None
    assert on.health(WARD)[0] is Health.DOWN
    on.line.before = None
    on.net.clock.move(minutes=5)
    assert await listener.poll_once(WARD) == 250 - 100 * (broken - 1)
    assert on.script_keys() == {f"w{n}" for n in range(250)}
    assert on.source(WARD).cursor == on.net.id_of("w249")


async def fails_on_page(on: Ground, number: int) -> None:
    """The line answers this page of a search with an error."""
    seen = 0

    async def before(request: httpx.Request) -> None:
        nonlocal seen
        if request.url.path.endswith("/search/recent"):
            seen += 1
            if seen == number:
                raise httpx.ReadError("cut")

    on.line.before = before


class Interrupted(Listener):
    """A listener whose database fails at the very end of a page."""

    times = 1

    def _store(self, *args: Any, **how: Any) -> bool:
        result = super()._store(*args, **how)
        self.times -= 1
        if self.times >= 0:
            raise DiskFullError("The disk is full.")
        return result


async def test_a_page_is_stored_whole_with_its_cost_or_not_at_all(make: Make) -> None:
    on = make(posts=wards(30))
    listener = on.listener(kind=Interrupted)
    with pytest.raises(DiskFullError):
        await listener.poll_once(WARD)
    assert on.post_ids() == []
    assert on.spend().today == 0
    assert on.source(WARD).cursor is None
    on.net.clock.move(seconds=9)
    assert await listener.poll_once(WARD) == 30
    assert on.spend().today == pytest.approx(on.net.app.practice.meter.usd - 5 * 0.010), (
        "the names of the first try were paid for and are not on the bill"
    )


async def test_bad_records_are_kept_aside_once(make: Make) -> None:
    on = make(posts=wards(10))
    await on.net.set(bad_records=2)
    listener = on.listener()
    assert await listener.poll_once(WARD) == 8
    assert on.database.fetch_now(posts.quarantined()) == [2]
    assert on.health(WARD)[0] is Health.OK


async def test_posts_that_name_us_come_from_the_mentions_alone(make: Make) -> None:
    words = ["@StElsewhere the ward was cold", "the ward was cold"]
    on = make(
        posts=[
            {"key": f"k{n}", "author": f"p{n}", "text": text, "at": n - 60}
            for n, text in enumerate(words)
        ]
    )
    await on.listener().work_due()
    assert sorted(on.post_ids()) == sorted([on.net.id_of("k0"), on.net.id_of("k1")])
    assert (on.source(MENTIONS).found, on.source(WARD).found) == (1, 1)
    charged = on.net.app.practice.meter.by_class
    assert (charged["owned"], charged["post"]) == (1, 1)


async def test_a_first_round_of_mentions_goes_back_no_further_than_searches(make: Make) -> None:
    on = make(
        posts=[
            {"key": "old", "author": "a", "text": "@StElsewhere hello", "at": -60 * 24 * 20},
            {"key": "new", "author": "b", "text": "@StElsewhere hello", "at": -60},
        ]
    )
    await on.listener().poll_once(MENTIONS)
    assert on.script_keys() == {"new"}


async def test_a_post_that_several_searches_find_is_one_row(make: Make) -> None:
    on = make(config(search("ward", "ward"), search("cafe", "cafe OR ward")), posts=wards(3))
    await on.listener().work_due()
    assert len(on.post_ids()) == len(set(on.post_ids())) == 3
    assert (on.source(WARD).found, on.source(CAFE).found) in ((3, 0), (0, 3))


async def test_a_search_with_other_words_begins_anew(make: Make) -> None:
    on = make(posts=[*wards(3), {"key": "c", "author": "a", "text": "the cafe", "at": -200}])
    await on.listener().poll_once(WARD)
    on.config = config(search("ward", "ward OR cafe"))
    await on.listener("s2").work_due()
    assert on.script_keys() == {"w0", "w1", "w2", "c"}
    assert [one.source_id for one in on.database.fetch_now(sources.all_sources())] == [
        MENTIONS,
        WARD,
    ]


@pytest.mark.promise
@pytest.mark.parametrize("text", ["the ward was cold", "@StElsewhere hello"])
async def test_a_post_that_is_listed_late_is_not_missed(make: Make, text: str) -> None:
    await _late_post_is_found(make, text)


@pytest.mark.promise
@pytest.mark.parametrize("text", ["the ward was cold", "@StElsewhere hello"])
async def test_beginning_right_at_the_newest_post_is_caught(
    make: Make, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted bug: a round begins at the newest post that the one before has seen."""
    monkeypatch.setattr(x, "OVERLAP", -DAY)
    with pytest.raises(AssertionError):
        await _late_post_is_found(make, text)


async def _late_post_is_found(make: Make, text: str) -> None:
    """Two posts within half a minute; the network lists the newer one first."""
    on = make(posts=wards(3))
    late = await on.post(text, "slow")
    on.net.clock.move(seconds=20)
    await on.post(text, "quick")
    hidden = on.net.world.posts[late]
    hidden.author.suspended = True
    listener = on.listener()
    await listener.work_due()
    assert late not in on.post_ids()
    hidden.author.suspended = False
    on.net.clock.move(minutes=3)
    await listener.work_due()
    assert late in on.post_ids()
    assert len(on.post_ids()) == len(set(on.post_ids())) == 5
    assert on.spend().today == pytest.approx(on.net.app.practice.meter.usd)
    # Nothing new, and the minute is over: nothing is read again and again.
    on.net.clock.move(minutes=3)
    await listener.work_due()
    asked = on.line.searches()
    on.net.clock.move(minutes=3)
    await listener.work_due()
    assert on.line.searches()[-1] == asked[-1]


# -- gaps -----------------------------------------------------------------------------------------


async def test_a_cursor_that_is_too_old_leaves_a_gap(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.poll_once(WARD)
    last = on.source(WARD).last_ok_at
    on.net.clock.move(days=9)
    new = await on.post("the ward again")
    on.net.clock.move(minutes=1)
    assert await listener.poll_once(WARD) == 1
    (gap,) = on.gaps()
    assert gap.source_id == WARD
    assert (gap.from_at, gap.to_at) == (last, on.net.clock() - timedelta(days=6, hours=23))
    assert on.health(WARD) == (Health.GAP, "Some posts may have been missed: W shows when.")
    assert on.source(WARD).cursor == new
    on.net.clock.move(minutes=3)
    await listener.poll_once(WARD)
    assert len(on.gaps()) == 1
    assert on.health(WARD)[0] is Health.GAP, "it stands until a person has looked"
    on.database.write_now(lambda tx: sources.dismiss_gap(tx, gap.gap_id, on.net.clock()))
    on.net.clock.move(minutes=3)
    await listener.poll_once(WARD)
    assert on.health(WARD)[0] is Health.OK


async def test_a_search_that_finds_nothing_for_long_leaves_no_gap(make: Make) -> None:
    on = make(config(search("ward", "ward"), silent_days=60), posts=wards(3))
    listener = on.listener()
    for _ in range(10):
        await listener.poll_once(WARD)
        on.net.clock.move(days=1)
    assert not on.gaps()
    assert on.health(WARD)[0] is Health.OK


async def test_the_page_cap_leaves_a_gap_and_reads_nothing_twice(make: Make) -> None:
    on = make(config(search("ward", "ward", page_cap=2)), posts=wards(250))
    listener = on.listener()
    assert await listener.poll_once(WARD) == 200
    (gap,) = on.gaps()
    assert gap.to_at == on.net.world.posts[on.net.id_of("w50")].created_at
    assert on.health(WARD)[0] is Health.GAP
    asked = on.asked()
    on.net.clock.move(minutes=3)
    assert await listener.poll_once(WARD) == 0
    assert on.asked() == asked + 1
    assert len(on.gaps()) == 1


# -- how a source does ----------------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], Health, str]] = [
    ("401", fail(99, status=401), Health.REFUSED, "sign-in of x. Run: carerespond login x"),
    ("402", {"credits": "credits"}, Health.CREDIT, "X does not take requests"),
    ("spend cap", {"spend_cap": True}, Health.CREDIT, "spend cap"),
    ("usage cap", {"usage_capped": True}, Health.CREDIT, "cap exceeded"),
    ("403", fail(99, status=403), Health.REFUSED, "X refused"),
    ("429", {"rate_limits": {SEARCH_CALL: 0}}, Health.LIMITED, "asks us to wait"),
    ("500", fail(99, status=500), Health.DOWN, "fault of its own (500)"),
    ("503", fail(99, status=503, body="<html>"), Health.DOWN, "(503)"),
    ("cut", fail(99, drop=True), Health.DOWN, "did not answer to the end"),
    ("HTML", {"html_instead_of_json": True}, Health.ODD, "not its API"),
    ("half a page", {"truncate_json": True}, Health.ODD, "not its API"),
    ("malformed", fail(99, status=200, body="{"), Health.ODD, "not its API"),
]
WELL: dict[str, Any] = {
    "fail_next": [],
    "credits": "ok",
    "spend_cap": False,
    "usage_capped": False,
    "rate_limits": {},
    "html_instead_of_json": False,
    "truncate_json": False,
}


@pytest.mark.parametrize(
    ("setting", "health", "words"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
async def test_each_fault_has_its_word_and_its_time(
    make: Make, setting: dict[str, Any], health: Health, words: str
) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.poll_once(WARD)
    on.net.clock.move(minutes=5)
    await on.net.set(**setting)
    began = on.net.clock()
    assert await listener.poll_once(WARD) is None
    assert on.health(WARD)[0] is health
    assert words in on.health(WARD)[1]
    assert on.source(WARD).since_at == began
    on.net.clock.move(minutes=20)
    await listener.poll_once(WARD)
    assert on.source(WARD).since_at == began, "since when, not when last"
    assert on.told[-1].startswith(f"wards: {health}. ")
    await on.net.set(**WELL)
    on.net.clock.move(minutes=20)
    await on.post("the ward again")
    assert await listener.poll_once(WARD) == 1
    assert on.health(WARD) == (Health.OK, "")
    assert on.source(WARD).since_at == on.net.clock()
    assert on.told[-1] == "wards: ok."


async def test_no_network_at_all(make: Make) -> None:
    on = make(posts=wards(3))
    on.line.down = True
    await on.listener().work_due()
    for source in (WARD, CAFE, MENTIONS):
        assert on.health(source)[0] is Health.DOWN
        assert "could not be reached" in on.health(source)[1]


async def test_a_source_that_has_fallen_silent(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.work_due()
    on.net.clock.move(days=2, hours=5)
    await listener.work_due()
    assert on.health(WARD) == (Health.SILENT, "Nothing found for 2 days; are the words right?")
    assert on.health(CAFE)[0] is Health.OK, "it has never found anything"
    await on.post("the ward again")
    on.net.clock.move(minutes=3)
    await listener.work_due()
    assert on.health(WARD)[0] is Health.OK


async def test_one_bad_query_stops_no_other_source(make: Make) -> None:
    on = make(config(search("ward", "ward"), search("cafe", "cafe min_faves:3")), posts=wards(3))
    await on.listener().work_due()
    assert on.health(CAFE)[0] is Health.REFUSED
    assert "min_faves" in on.health(CAFE)[1]
    assert on.health(WARD)[0] is Health.OK


# -- when it asks again ---------------------------------------------------------------------------


def wait_of(on: Ground, source_id: str = WARD) -> float:
    """Seconds until the source may be asked again."""
    at = on.source(source_id).next_poll_at
    assert at is not None
    return (at - on.net.clock()).total_seconds()


async def test_a_network_that_is_down_is_asked_less_and_less(make: Make) -> None:
    on = make(posts=wards(3))
    on.line.down = True
    listener, waits = on.listener(), []
    for _ in range(8):
        await listener.poll_once(WARD)
        waits.append(wait_of(on))
        on.net.clock.move(seconds=waits[-1])
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    on.line.down = False
    await listener.poll_once(WARD)
    assert wait_of(on) == 120
    on.line.down = True
    on.net.clock.move(seconds=121)
    await listener.poll_once(WARD)
    assert wait_of(on) == 30


@pytest.mark.parametrize("setting", [{"credits": "credits"}, fail(99, status=401)])
async def test_what_only_a_person_can_mend_is_asked_slowly(
    make: Make, setting: dict[str, Any]
) -> None:
    on = make()
    await on.net.set(**setting)
    await on.listener().poll_once(WARD)
    assert wait_of(on) == 600


async def test_nothing_is_asked_before_it_is_due(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.work_due()
    asked = on.asked()
    on.net.clock.move(seconds=119)
    assert await listener.work_due() == pytest.approx(1.0)
    assert await listener.poll_once(WARD) is None
    assert on.asked() == asked
    on.net.clock.move(seconds=1)
    await listener.work_due()
    assert on.asked() == asked + 2


async def test_a_person_may_ask_now(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.work_due()
    asked = on.asked()
    await listener.check_now()
    await listener.work_due()
    assert on.asked() == asked + 2


async def test_a_clock_that_was_set_back_puts_nobody_to_sleep(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.work_due()
    on.net.clock.move(hours=-5)
    on.net.settings.update({"clock_offset_s": 5 * 3600.0})
    on.net.world.offset = timedelta(hours=5)
    asked = on.asked()
    await listener.work_due()
    assert on.asked() > asked


class Hasty(Listener):
    """Planted bug: does not look whether the network asked to wait."""

    async def _check(self, one: _Round) -> None:
        return None


@pytest.mark.promise
async def test_while_a_limit_holds_no_process_asks(make: Make) -> None:
    await _holds(make, Listener)


@pytest.mark.promise
async def test_asking_while_a_limit_holds_is_caught(make: Make) -> None:
    with pytest.raises(AssertionError):
        await _holds(make, Hasty)


async def _holds(make: Make, kind: type[Listener]) -> None:
    on = make(config(*(search(f"s{n}", f"ward {n}") for n in range(6))), posts=wards(3))
    await on.net.set(rate_limits={SEARCH_CALL: 0})
    first, second = on.listener("s1", kind), on.listener("s2", kind)
    await first.work_due()
    assert on.asked() == 1, "the other five are not asked into the same refusal"
    assert on.asked(MENTIONS_CALL) == 1
    for minutes in (1, 5, 8):
        on.net.clock.move(minutes=minutes)
        await second.check_now()
        await second.work_due()
        await first.work_due()
        assert on.asked() == 1
        assert on.health("search:s3")[0] is Health.LIMITED
    await on.net.set(rate_limits={})
    on.net.clock.move(minutes=1, seconds=2)
    await second.work_due()
    assert on.asked() == 7
    assert on.health("search:s3")[0] is Health.OK


@pytest.mark.parametrize("reset", [10 * 365 * 86_400, 3 * 3600])
async def test_a_wait_that_no_window_has_ends_after_half_an_hour(make: Make, reset: int) -> None:
    on = make(posts=wards(3))
    at = int(on.net.clock().timestamp()) + reset
    await on.net.set(**fail(99, status=429, headers={"x-rate-limit-reset": str(at)}))
    listener = on.listener()
    await listener.poll_once(WARD)
    asked = len(on.line.searches())
    assert wait_of(on) == 1800
    for _ in range(6):
        on.net.clock.move(minutes=4)
        await listener.work_due()
    assert len(on.line.searches()) == asked
    await on.net.set(fail_next=[])
    on.net.clock.move(minutes=7)
    await listener.work_due()
    assert len(on.post_ids()) == 3


async def test_a_limit_does_not_outlast_a_clock_that_was_set_back(make: Make) -> None:
    on = make(posts=wards(3))
    on.net.clock.move(hours=2)
    await on.net.set(rate_limits={SEARCH_CALL: 0})
    listener = on.listener()
    await listener.poll_once(WARD)
    await on.net.set(rate_limits={})
    on.net.clock.move(hours=-2)
    await listener.work_due()
    assert len(on.post_ids()) == 3


# -- the budget -----------------------------------------------------------------------------------


def with_budget(daily: float, monthly: float = 0.0, **more: Any) -> Any:
    return config(budget=BudgetConfig(daily, monthly, 80), **more)


def spent(on: Ground, usd: float, back: timedelta = timedelta(0)) -> None:
    """So much was spent before; in pence of a dollar."""
    at = on.net.clock() - back
    charges = [Charge("counts")] * round(usd / 0.005)
    on.database.write_now(lambda tx: ledger.charge(tx, "x", charges, on.config.prices, at))


async def test_past_the_soft_stop_sources_are_asked_less_often(make: Make) -> None:
    on = make(with_budget(1.0))
    spent(on, 0.80)
    await on.listener().poll_once(WARD)
    assert wait_of(on) == 360
    assert on.health(WARD) == (Health.OK, "The budget is nearly spent: asked less often.")


@pytest.mark.parametrize(
    ("budget", "back"),
    [((1.0, 0.0), timedelta(0)), ((0.0, 1.0), timedelta(0)), ((0.0, 1.0), 20 * DAY)],
    ids=["day", "month", "earlier this month"],
)
async def test_past_the_hard_stop_nothing_is_asked(
    make: Make, budget: tuple[float, float], back: timedelta
) -> None:
    on = make(with_budget(*budget))
    spent(on, 1.0, back)
    await on.listener().work_due()
    assert not on.line.asked
    for source in (WARD, CAFE, MENTIONS):
        assert on.health(source)[0] is Health.BUDGET
        assert 0 < wait_of(on, source) <= 900


async def test_a_new_day_begins_a_new_budget(make: Make) -> None:
    on = make(with_budget(1.0), posts=wards(3))
    spent(on, 1.0)
    listener = on.listener()
    on.net.clock.move(hours=14, minutes=55)
    await listener.work_due()
    assert wait_of(on) == 300, "midnight, UTC"
    on.net.clock.move(minutes=5)
    await listener.work_due()
    assert on.health(WARD)[0] is Health.OK
    assert len(on.post_ids()) == 3


async def test_a_new_month_begins_a_new_budget(make: Make) -> None:
    on = make(with_budget(0.0, 1.0))
    spent(on, 1.0)
    on.net.clock.move(days=7)
    await on.listener().work_due()
    assert on.health(WARD)[0] is Health.OK


async def test_a_raised_budget_is_noticed_within_a_quarter_of_an_hour(make: Make) -> None:
    on = make(with_budget(1.0), posts=wards(3))
    spent(on, 1.0)
    await on.listener().work_due()
    on.config = with_budget(5.0)
    on.net.clock.move(minutes=15)
    await on.listener("restarted").work_due()
    assert len(on.post_ids()) == 3


@pytest.mark.promise
async def test_a_round_stops_at_the_page_that_spends_the_budget(make: Make) -> None:
    await _stops_at_the_page(make, Listener)


@pytest.mark.promise
async def test_a_round_that_spends_on_is_caught(make: Make) -> None:
    """Planted bug: the budget is looked at before a round and not during it."""
    with pytest.raises(AssertionError):
        await _stops_at_the_page(make, Spendthrift)


class Spendthrift(Listener):
    """Looks at the budget once a round."""

    def _store(
        self, tx: Transaction, one: _Round, page: Any, assessed: Any, *, is_at_cap: bool
    ) -> bool:
        budget, self._config = self._config, replace(self._config, budget=BudgetConfig(0.0, 0.0))
        try:
            return super()._store(tx, one, page, assessed, is_at_cap=is_at_cap)
        finally:
            self._config = budget

    async def _check(self, one: _Round) -> None:
        if one.newest is None:
            await super()._check(one)


async def _stops_at_the_page(make: Make, kind: type[Listener]) -> None:
    on = make(with_budget(0.90, searches=(search("ward", "ward"),)), posts=wards(450, before=500))
    await on.listener(kind=kind).poll_once(WARD)
    assert len(on.post_ids()) == 200
    assert on.spend().today == pytest.approx(200 * 0.005 + 5 * 0.010)
    (gap,) = on.gaps()
    assert gap.to_at == on.net.world.posts[on.net.id_of("w250")].created_at
    on.net.clock.move(minutes=20)
    await on.listener("s2", kind).poll_once(WARD)
    assert on.health(WARD)[0] is Health.BUDGET


@pytest.mark.parametrize(
    ("daily", "monthly", "size"),
    [(0.02, 0.0, 10), (0.2, 0.0, 40), (9.0, 0.15, 30), (9.0, 9.0, 100), (0.0, 0.0, 100)],
)
async def test_no_more_posts_are_asked_for_than_the_budget_pays(
    make: Make, daily: float, monthly: float, size: int
) -> None:
    settings = with_budget(daily, monthly, searches=(search("ward", "ward"),))
    on = make(settings, posts=wards(120))
    await on.listener().poll_once(WARD)
    assert on.line.searches()[0]["max_results"] == str(size), "10 is the least that X takes"
    if size < 100:
        assert len(on.post_ids()) == size
        assert on.gaps(), "what was not read is told"


@contextmanager
def answering(folder: Path) -> Iterator[tuple[Composer, Any, FakeNetwork, Clock]]:
    """A terminal where somebody answers, with a budget that listening has used up."""
    clock = Clock()
    with opened(folder) as database:
        database.write_now(lambda tx: add_case(tx, 1))
        network = FakeNetwork(now=clock.now, posts={"p1": person_post(1)})
        at = desk(database, network, clock)

        async def spend() -> Spend:
            return Spend(2.0, 2.0, 2.0, 40.0)

        yield (
            Composer(
                database,
                {network.account: network},
                config(),
                presence=at.presence,
                sender=at.sender,
                finder=at.finder,
                now=clock.now,
                spend=spend,
            ),
            at,
            network,
            clock,
        )


@pytest.mark.promise
async def test_what_listening_has_spent_never_keeps_an_answer_back(tmp_path: Path) -> None:
    with answering(tmp_path) as (composer, at, network, clock):
        await _answers_all_the_same(composer, at, network, clock)


@pytest.mark.promise
async def test_an_answer_kept_back_by_the_budget_is_caught(tmp_path: Path) -> None:
    """Planted bug: a spent budget stands against the review."""

    class Stingy(Composer):
        async def review(self, *args: Any, **how: Any) -> Any:
            found = await super().review(*args, **how)
            assert self._spend is not None
            is_spent = (await self._spend()).state == "hard"
            return replace(found, blocked="The budget is spent.") if is_spent else found

    with answering(tmp_path) as (composer, at, network, clock):
        composer.__class__ = Stingy
        with pytest.raises(AssertionError):
            await _answers_all_the_same(composer, at, network, clock)


async def _answers_all_the_same(
    composer: Composer, at: Any, network: FakeNetwork, clock: Clock
) -> None:
    draft = await composer.begin(1)
    await composer.save(draft, "We are sorry. Please ring us.")
    review = await composer.review(1)
    assert review.blocked is None
    assert [one.rule for one in review.findings if "budget" in one.text] == ["budget"]
    row = await composer.queue(review)
    await at.work_until(30)
    assert at.row(row.outbox_id).state is SendState.SENT
    assert network.calls.count("reply") == 1
    assert "lookup" in network.calls, "the post is read again before, budget or not"


# -- several processes ----------------------------------------------------------------------------


async def test_a_source_that_another_process_reads_is_left_to_it(make: Make) -> None:
    on = make(posts=wards(3))
    started, go_on = asyncio.Event(), asyncio.Event()

    async def before(_: httpx.Request) -> None:
        started.set()
        await go_on.wait()

    on.line.before = before
    first, second = on.listener("s1"), on.listener("s2")
    reading = asyncio.ensure_future(first.poll_once(WARD))
    await started.wait()
    assert await second.poll_once(WARD) is None
    assert len(on.line.searches()) == 1
    go_on.set()
    assert await reading == 3
    assert await second.poll_once(WARD) is None, "it is not due yet"


class Unfenced(Listener):
    """Planted bug: a page is written whether the lease is still held or not."""

    def _hold(self, tx: Transaction, one: _Round) -> None:
        return None


@pytest.mark.promise
async def test_a_process_thought_dead_writes_nothing_more(make: Make) -> None:
    await _writes_nothing_late(make, Listener)


@pytest.mark.promise
async def test_a_late_write_is_caught(make: Make) -> None:
    with pytest.raises(AssertionError):
        await _writes_nothing_late(make, Unfenced)


async def _writes_nothing_late(make: Make, kind: type[Listener]) -> None:
    on = make(posts=wards(3))
    first, second = on.listener("s1", kind), on.listener("s2", kind)
    answered, go_on = asyncio.Event(), asyncio.Event()
    is_first = True

    async def after(response: httpx.Response) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            answered.set()
            await go_on.wait()

    on.line.after = after
    reading = asyncio.ensure_future(first.poll_once(WARD))
    await answered.wait()
    await on.post("the ward again")
    on.net.clock.move(seconds=9)
    assert await second.poll_once(WARD) == 4
    cursor = on.source(WARD).cursor
    go_on.set()
    await reading
    assert on.source(WARD).cursor == cursor
    assert on.spend().today == pytest.approx(on.net.app.practice.meter.usd)


# -- what goes to a person ------------------------------------------------------------------------


class Blocked(Listener):
    """A listener whose database cannot be written for so long as it is told."""

    left = 3

    async def work_due(self) -> float:
        self.left -= 1
        self._wake.set()
        if self.left >= 0:
            raise DiskFullError("The disk is full.")
        raise asyncio.CancelledError


async def test_a_database_that_cannot_be_written_is_told_once(make: Make) -> None:
    on = make()
    with pytest.raises(asyncio.CancelledError):
        await on.listener(kind=Blocked).run()
    assert on.told == ["The disk is full."]


class Odd(Listener):
    """A listener that meets an error that no network may raise, and then ends."""

    left = 2

    async def work_due(self) -> float:
        self.left -= 1
        self._wake.set()
        if self.left >= 0:
            raise ConfigError("A file cannot be used.")
        raise asyncio.CancelledError


async def test_no_error_in_words_ends_listening(make: Make) -> None:
    on = make()
    with pytest.raises(asyncio.CancelledError):
        await on.listener(kind=Odd).run()
    assert on.told == ["A file cannot be used."]


class Unreadable(x.XNetwork):
    """A connector whose searches meet a file that cannot be used."""

    async def search(self, *_: Any, **__: Any) -> Any:
        raise ConfigError("x.token: this secret can be read by others.", "Run: chmod 600 x.token")


async def test_a_file_that_cannot_be_used_is_told_at_its_source(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener(connector=Unreadable)
    await listener.work_due()
    assert on.health(WARD)[0] is Health.REFUSED
    assert "chmod 600" in on.health(WARD)[1]
    assert on.health(MENTIONS)[0] is Health.OK, "the other sources are asked"


async def test_a_listener_tells_of_changes_alone(make: Make) -> None:
    on = make(posts=wards(3))
    listener = on.listener()
    await listener.poll_once(WARD)
    on.net.clock.move(minutes=3)
    await listener.poll_once(WARD)
    assert on.told == ["wards: ok."]
