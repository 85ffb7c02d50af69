"""The bill of a day of listening: each post is paid for once, and our ledger knows it exactly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from carerespond.networks.base import Page
from carerespond.networks.x import XNetwork
from carerespond.services.status import look
from carerespond.storage import sources
from carerespond.ui import headlines, views
from tests.listening import Ground, config, ground, search
from tests.practice.support import ORIGIN, Clock

MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
POST, MENTION, USER = 0.005, 0.001, 0.010
POSTS, MENTIONS, BEFORE = 200, 40, 60
PLACES = ("ward", "cafe", "clinic", "porter", "phone", "parking")


def day_of_posts() -> list[dict[str, Any]]:
    """Posts of the six days before, and of one day: 200 that name a place, 40 that name us."""
    start = (MIDNIGHT - ORIGIN).total_seconds() / 60
    posts = [
        {
            "key": f"before{n}",
            "author": f"old{n % 20}",
            "text": f"{PLACES[n % 6]} {n}",
            "at": start - 30 - n * 140,
        }
        for n in range(BEFORE)
    ]
    posts += [
        {
            "key": f"day{n}",
            "author": f"old{n % 20}" if n % 2 else f"new{n % 50}",
            # Every third one is found by two searches.
            "text": f"{PLACES[n % 6]} {PLACES[(n + 1) % 6] if n % 3 == 0 else ''} {n}",
            "at": start + 7 * n,
        }
        for n in range(POSTS)
    ]
    posts += [
        {
            "key": f"us{n}",
            "author": f"old{n % 20}",
            "text": f"@StElsewhere {PLACES[n % 6]} {n}",
            "at": start + 3 + 35 * n,
        }
        for n in range(MENTIONS)
    ]
    return posts


class Forgetful(XNetwork):
    """Planted bug: the cursor is not sent, so that the whole week is read at each poll."""

    async def search(self, query: str, **how: Any) -> Page:
        start = self._now() - timedelta(days=6, hours=23)
        return await super().search(query, **how | {"since_id": None, "start_at": start})


async def listen_for_a_day(
    folder: Path, polls: int, connector: type[XNetwork] = XNetwork
) -> dict[str, Any]:
    """Poll every two minutes from midnight on, after the round of the evening before."""
    searches = [search(place, place) for place in PLACES]
    with ground(folder, config(*searches), day_of_posts(), Clock(MIDNIGHT)) as on:
        listener = on.listener(connector=connector)
        on.net.clock.at = MIDNIGHT - timedelta(minutes=5)
        await listener.work_due()
        evening = on.net.app.practice.meter.usd
        on.net.clock.at = MIDNIGHT + timedelta(seconds=110)
        for _ in range(polls):
            await listener.work_due()
            on.net.clock.move(seconds=120)
        on.net.clock.move(seconds=-120)
        await _agree(on)
        meter = on.net.app.practice.meter.as_json()
        stored = len([key for key in on.script_keys() if not key.startswith("before")])
        await on.net.client.aclose()
        await on.database.aclose()
        return {**meter, "evening": evening, "stored": stored, "spent": on_day(meter)}


def on_day(meter: dict[str, Any]) -> float:
    return float(meter["usd_by_day"]["2026-11-25"])


async def _agree(on: Ground) -> None:
    """Network, ledger, `carerespond check`, first line and the page of sources say one figure."""
    billed = on.net.app.practice.meter.by_day["2026-11-25"]
    now, spend = on.net.clock(), on.spend()
    assert round(spend.today, 6) == round(billed, 6)
    status = look(on.database, on.config, on.net.clock)
    assert status.record()["spent_today_usd"] == round(billed, 6)
    assert f"${billed:.2f} today" in status.line
    assert headlines.money(spend) == f"${billed:.2f}"
    page = views.sources_content(on.database.fetch_now(sources.all_sources()), [], spend, now)
    assert f"today (UTC) ${billed:.4f}" in page.plain


def _is_right(bill: dict[str, Any], posts: int, mentions: int, users: int) -> None:
    assert bill["stored"] == posts + mentions
    assert bill["spent"] == pytest.approx(posts * POST + mentions * MENTION + users * USER)


@pytest.mark.promise
async def test_a_day_of_listening_costs_its_posts_and_no_more(tmp_path: Path) -> None:
    bill = await listen_for_a_day(tmp_path, 720)
    assert bill["requests"]["GET /2/tweets/search/recent"] == 6 * 721
    assert not bill["requests"].get("GET /2/tweets/counts/recent")
    assert bill["evening"] == pytest.approx(BEFORE * POST + 20 * USER)
    # Fifty names are new, half of them only ever in even places.
    _is_right(bill, POSTS, MENTIONS, 25)


@pytest.mark.promise
async def test_a_cursor_that_is_not_sent_is_caught(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    _is_right(await listen_for_a_day(tmp_path / "good", 15), 5, 1, 3)
    bad = await listen_for_a_day(tmp_path / "bad", 15, Forgetful)
    with pytest.raises(AssertionError):
        _is_right(bad, 5, 1, 3)
