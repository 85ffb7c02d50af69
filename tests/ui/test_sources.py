"""With a network that does badly the inbox stays usable, and says what is wrong and since when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot

from carerespond.cli import wiring
from carerespond.config import BudgetConfig, Config, Home
from carerespond.domain.models import Assessment, Author, Health, Post, Priority, Source
from carerespond.services.inbox import Inbox
from carerespond.services.status import FORGOTTEN
from carerespond.storage import posts, sources
from carerespond.storage.sqlite import open_database
from carerespond.ui import headlines
from carerespond.ui.app import CarerespondApp
from carerespond.ui.content import clock
from carerespond.ui.desk import Desk, Failed, SignedOn, Working
from carerespond.ui.themes import choose_theme
from carerespond.ui.views import sources_content
from tests.listening import WARD, Ground, Line, config, ground, search, wards
from tests.practice.support import ORIGIN

PATIENCE = 30.0  # seconds on a slow machine
WIDE = (150, 40)


class LineBelow(httpx.AsyncBaseTransport):
    """The line to the network, which closing one terminal does not cut."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._line.handle_async_request(request)


def terminal(on: Ground, folder: Path) -> tuple[CarerespondApp, list[Working]]:
    """The inbox as the program puts it together, on the practice network."""
    home = Home(folder, folder, folder / "secrets", folder / "logs")
    crew, operator, working = wiring.Crew({}), SignedOn("Asha"), list[Working]()

    async def start(failed: Failed) -> Working:
        working.append(
            await wiring.start_working(
                home,
                on.config,
                on.database,
                crew,
                door=wiring.Door(lambda: LineBelow(on.line), "practice-user"),
                session="s1",
                operator=operator,
                now=on.net.clock,
                failed=failed,
            )
        )
        return working[-1]

    inbox = Inbox(
        on.database,
        on.config,
        crew.networks,
        session="s1",
        operator=operator,
        now=on.net.clock,
    )
    theme = choose_theme("", {}, folder / "themes")
    desk = Desk(on.config, inbox, operator, on.net.clock, start, repr, theme)
    return CarerespondApp(desk), working


@asynccontextmanager
async def shown(on: Ground, folder: Path, **how: Any) -> AsyncIterator[Pilot[int]]:
    app, working = terminal(on, folder)
    try:
        async with app.run_test(size=how.get("size", WIDE)) as pilot:
            yield pilot
    finally:
        for one in working:
            await one.aclose()
    assert app.failure is None


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Ground]:
    """An installation with one saved search that has found six posts already."""
    settings = config(search("ward", "ward"))
    with ground(tmp_path, settings, wards(6)) as installation:
        await installation.listener("before").work_due()
        installation.net.clock.move(minutes=10)
        yield installation
        await installation.net.client.aclose()
        await installation.database.aclose()


def screen_text(pilot: Pilot[int]) -> str:
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def until(pilot: Pilot[int], holds: Callable[[str], bool], what: str) -> str:
    """Wait until the screen says something; the whole screen."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds(screen_text(pilot)):
                await pilot.pause(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} was never shown:\n{screen_text(pilot)}") from None
    return screen_text(pilot)


async def _is_usable(pilot: Pilot[int]) -> None:
    """Moving, reading and going back do what they do on any day."""
    app = pilot.app
    assert isinstance(app, CarerespondApp)
    first = app.current
    assert first is not None
    await pilot.press("j")
    await until(pilot, lambda _: app.current is not None and app.current != first, "the next case")
    await pilot.press("enter")
    second = app.current
    assert second is not None
    await until(pilot, lambda text: second.handle in text, "the case")
    await pilot.press("q", "k")
    await until(pilot, lambda _: app.current == first, "the first case again")


def fail(**failure: Any) -> dict[str, Any]:
    return {"fail_next": [{"path": "/2/", "count": 10_000, **failure}]}


FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("401", fail(status=401), "refused", "Run: carerespond login x"),
    ("402", {"credits": "credits"}, "out of credit", "developer console"),
    ("403", fail(status=403), "refused", "X refused"),
    ("429", fail(status=429), "rate limited", "X asks us to wait."),
    ("5xx", fail(status=503, body="<html>"), "down", "fault of its own (503)"),
    ("malformed JSON", fail(status=200, body='{"data": [}'), "odd answer", "not its API"),
    ("half a page", {"truncate_json": True}, "odd answer", "not its API"),
    ("cut", fail(drop=True), "down", "did not answer to the end"),
    ("budget", {}, "budget spent", "nothing is asked"),
    ("no network", {}, "down", "could not be reached"),
]


@pytest.mark.parametrize(
    ("setting", "word", "why"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS]
)
async def test_the_first_line_and_the_sources_say_what_and_since_when(
    on: Ground, tmp_path: Path, setting: dict[str, Any], word: str, why: str
) -> None:
    await on.net.set(**setting)
    on.line.down = why == "could not be reached"
    if word == "budget spent":
        on.config = _spent(on)
    since = clock(on.net.clock(), on.net.clock())
    async with shown(on, tmp_path) as pilot:
        text = await until(pilot, lambda text: word in text.split("\n")[0], word)
        assert f"mentions: {word} since {since}" in text.split("\n")[0]
        await until(pilot, lambda text: "(+1)" in text.split("\n")[0], "the other source")
        await _is_usable(pilot)
        await pilot.press("W")
        text = await until(pilot, lambda text: "SOURCES" in text and why in text, why)
        assert text.count(word.upper()) >= 2
        assert f"since {since}" in text
        await pilot.press("q")
        await _is_usable(pilot)


def _spent(on: Ground) -> Config:
    return replace(on.config, budget=BudgetConfig(0.01, 0.0))


async def test_all_is_well_again_without_a_key(on: Ground, tmp_path: Path) -> None:
    await on.net.set(truncate_json=True)
    async with shown(on, tmp_path) as pilot:
        await until(pilot, lambda text: "odd answer" in text.split("\n")[0], "the fault")
        await on.net.set(truncate_json=False)
        on.net.clock.move(minutes=30)
        await on.post("ward 99 is back")
        await pilot.press("comma")
        await until(pilot, lambda text: "check now" in text, "the question")
        await pilot.press("c")
        text = await until(pilot, lambda text: "ward 99" in text, "the new post")
        await until(pilot, lambda text: text.split("\n")[0].rstrip().endswith("OK"), "all well")
        assert "odd answer" not in text.split("\n")[0]


async def test_what_another_terminal_has_stored_is_shown_without_a_key(
    on: Ground, tmp_path: Path
) -> None:
    elsewhere = open_database(on.database.path)
    now = on.net.clock()
    post = Post("x", "99", Author("x", "7", "quick"), "ward 99 is cold", now, conversation="99")
    page = [(post, Assessment(Priority.URGENT, 9.0), None)]
    async with shown(on, tmp_path) as pilot:
        await until(pilot, lambda text: text.split("\n")[0].rstrip().endswith("OK"), "all well")
        await elsewhere.write(lambda tx: posts.store_page(tx, WARD, page, account="x", now=now))
        await until(pilot, lambda text: "ward 99 is cold" in text, "the new post")
        await _is_usable(pilot)
    await elsewhere.aclose()


async def test_a_gap_stands_until_somebody_has_looked(on: Ground, tmp_path: Path) -> None:
    now = on.net.clock()
    on.database.write_now(
        lambda tx: sources.add_gap(
            tx, WARD, now - timedelta(hours=3), now - timedelta(hours=1), now
        )
    )
    async with shown(on, tmp_path) as pilot:
        await until(pilot, lambda text: "wards: gap since" in text.split("\n")[0], "the gap")
        await pilot.press("W")
        await until(pilot, lambda text: "GAPS: nobody looked" in text, "the page of sources")
        await pilot.press("q")
        await until(pilot, lambda text: "1 gap: has somebody looked" in text, "the question")
        await pilot.press("n")
        await until(pilot, lambda text: "has somebody looked" not in text, "no question")
        assert len(on.gaps()) == 1
        await pilot.press("W")
        await until(pilot, lambda text: "GAPS: nobody looked" in text, "the page of sources")
        await pilot.press("q")
        await until(pilot, lambda text: "1 gap: has somebody looked" in text, "the question")
        await pilot.press("l")
        await until(pilot, lambda text: text.split("\n")[0].rstrip().endswith("OK"), "all well")
        assert not on.gaps()


def test_what_a_person_must_mend_stands_before_what_passes() -> None:
    ill = [
        Source(f"search:{health}", health.name, "x", health, since_at=ORIGIN)
        for health in headlines.WORST_FIRST[::-1]
    ]
    line, is_well = headlines.sources_line(ill, "", ORIGIN)
    assert line.startswith("REFUSED: refused since ")
    assert line.endswith("(+7)")
    assert not is_well
    assert set(headlines.WORST_FIRST) | set(headlines.WELL) == set(Health)


def test_a_source_that_nobody_asks_any_more_is_not_well() -> None:
    heard = ORIGIN - timedelta(hours=3)
    left = Source(*("search:a", "wards", "x", Health.OK), last_ok_at=heard, next_poll_at=heard)
    asked = replace(left, source_id="search:b", name="cafes", next_poll_at=ORIGIN - FORGOTTEN)
    since = f"not listened to since {clock(heard, ORIGIN)}"
    assert headlines.sources_line([asked], "", ORIGIN) == ("OK", True)
    assert headlines.sources_line([left], "", ORIGIN) == (since, False)
    down = replace(asked, source_id="search:c", health=Health.REFUSED)
    assert headlines.sources_line([asked, down, left], "", ORIGIN) == (
        f"wards: {since} (+1)",
        False,
    )
    page = str(sources_content([left, asked], [], None, ORIGIN))
    assert "NOT LISTENED TO wards" in page
    assert f"since {clock(heard, ORIGIN)}" in page
    assert "every stretch of time was looked at" not in page
    assert "every stretch of time was looked at" in str(sources_content([asked], [], None, ORIGIN))


async def test_nobody_signed_in_is_said_and_the_inbox_opens(on: Ground, tmp_path: Path) -> None:
    app, working = terminal(on, tmp_path)
    home = Home(tmp_path, tmp_path, tmp_path / "secrets", tmp_path / "logs")
    crew = wiring.Crew({})

    async def start(failed: Failed) -> Working:
        working.append(
            await wiring.start_working(
                home,
                on.config,
                on.database,
                crew,
                door=wiring.Door(),
                session="s1",
                operator=app.desk.operator,
                now=on.net.clock,
                failed=failed,
            )
        )
        return working[-1]

    app.desk.start = start
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda text: "Nobody is signed in to x." in text, "why")
        await _is_usable(pilot)
    for one in working:
        await one.aclose()
