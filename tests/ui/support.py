"""The real inbox for tests: one folder, one practice network, and terminals that people sit at.

Everything is put together as the product does it (`cli.wiring`): a SQLite file, the listener, the
sender, the finder and the composer, on the practice network, which speaks X's wire format and
refuses as X does. Only the clock on the wall stands still until a test moves it, and the keyboard
and the screen are Textual's pilot. A test presses keys and reads what the screen shows.
"""

import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.segment import Segment
from textual import events
from textual.app import App
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.strip import Strip

from carerespond.cli import wiring
from carerespond.config import Config, Home, load_config
from carerespond.practice.script import read_script
from carerespond.practice.server import PracticeApp, create_app, make_transport
from carerespond.practice.world import World
from carerespond.services.inbox import Inbox
from carerespond.storage.sqlite import connect
from carerespond.ui.app import CarerespondApp
from carerespond.ui.desk import Desk, Failed, SignedOn, Working
from carerespond.ui.themes import choose_theme
from tests.practice.support import BASE, ORIGIN, US, Clock

if TYPE_CHECKING:
    from carerespond.storage.sqlite import SqliteDatabase

PATIENCE = 20.0  # seconds; what is waited for takes a tenth of one
SIZES = [(80, 23), (80, 24), (120, 40), (200, 60)]

CONFIG = """
[organisation]
name = "St Elsewhere NHS Trust"
phone = "01632 960114"
email = "pals@stelsewhere.example"
signature = "Asha, St Elsewhere"

[inbox]
take_back_seconds = {take_back}
theme = "{theme}"
{more}

[[operator]]
name = "Asha"

[[operator]]
name = "Bryn"

[[account]]
id = "trust"
network = "x"
handle = "StElsewhere"
base_url = "http://practice.invalid"
user_id = "1000000000000000001"
poll_seconds = 1500

[budget]
daily_usd = 5.00

[[search]]
id = "elsewhere"
name = "St Elsewhere by name"
account = "trust"
query = '"st elsewhere" -@StElsewhere -is:retweet'
purpose = "Hear what people say who do not name our account."

[[service]]
id = "eye-clinic"
name = "Eye clinic"
story_link = "https://www.careopinion.org.uk/tell/practice-eye-clinic"
page_link = "https://www.careopinion.org.uk/services/practice-eye-clinic"
phone = "01632 960127"

[[template]]
id = "sorry"
name = "Sorry, please ring"
text = "We are sorry to read this, $first_name. Please ring $phone. $signature"

[[template]]
id = "story"
name = "Tell your story"
text = "Please tell us here: $story_link $signature"
"""

# Two urgent (the first about a danger), three for today, two soon, one praise, two to watch.
# Those by @wes_cold and @ina_cold do not name us: X takes no answer by API.
POSTS: list[dict[str, Any]] = [
    {"key": "danger", "author": "dee_dee", "at": -50,
     "text": "@StElsewhere dad has chest pain in your waiting room and nobody comes"},
    {"key": "rude", "author": "maz_h", "at": -90,
     "text": "@StElsewhere waited six hours in A&E with my nan, staff were rude, disgusting"},
    {"key": "letter", "author": "rose_t", "at": -80,
     "text": "@StElsewhere lost my appointment letter again, nobody answers the phone"},
    {"key": "cold", "author": "wes_cold", "at": -70,
     "text": "Six hours waiting at St Elsewhere and the staff were rude to us"},
    {"key": "cold2", "author": "ina_cold", "at": -60,
     "text": "St Elsewhere cancelled my operation again, second time this year"},
    {"key": "park", "author": "tom_k", "at": -40,
     "text": "@StElsewhere where do I park for the eye clinic on a Saturday?"},
    {"key": "dog", "author": "ola_b", "at": -35,
     "text": "@StElsewhere can I bring my guide dog?"},
    {"key": "thanks", "author": "gran_of_5", "at": -30,
     "text": "@StElsewhere thank you, the ward 7 nurses were wonderful and so kind"},
    {"key": "quiz", "author": "quizmaster", "at": -20,
     "text": "St Elsewhere is my favourite pub quiz team name [/ [@click=app.quit]here[/]"},
    {"key": "rerun", "author": "tv_nostalgia", "at": -10,
     "text": "Watching St Elsewhere on the old tv channel, season 3"},
]  # fmt: skip


def script(posts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A practice network's script with these posts and our own account."""
    organisation = {"id": US, "username": "StElsewhere", "name": "St Elsewhere NHS Trust"}
    named = {"handle": "tom_k", "name": "Tom Kay"}  # the others' names are no names
    return {"organisation": organisation, "author": [named], "post": [dict(one) for one in posts]}


@dataclass
class House:
    """One installation: its folder, its network, its clock. Several terminals may share it."""

    home: Home
    clock: Clock
    network: PracticeApp
    config: Config
    wire: list[str] = field(default_factory=list)
    cut: bool = False

    @property
    def world(self) -> World:
        """The practice network's truth."""
        return self.network.practice.world

    def door(self) -> wiring.Door:
        """The way to the network, which notes every request."""
        return wiring.Door(lambda: _Noted(make_transport(self.network), self), "practice-user")

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call behind the network's back."""
        async with httpx.AsyncClient(
            transport=make_transport(self.network), base_url=BASE
        ) as client:
            answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, author: str, text: str, **more: Any) -> str:
        """Somebody posts; returns the post's id."""
        row = {"author": author, "text": text, **more}
        made = await self.ask("POST", "/practice/posts", row)
        return str(made["data"][0]["id"])

    async def set(self, **settings: Any) -> None:
        """Change how the network behaves."""
        await self.ask("PUT", "/practice/settings", settings)

    def id_of(self, key: str) -> str:
        """The id of a post of the script."""
        return next(one.post_id for one in self.world.posts.values() if one.key == key)

    def ours(self) -> list[str]:
        """What was posted from our account since the script began, as it was sent."""
        found = (one for one in self.world.posts.values() if one.ours and not one.key)
        return [one.sent_text for one in sorted(found, key=lambda one: one.number)]

    def writes(self) -> list[str]:
        """The requests that could have posted something."""
        return [one for one in self.wire if one.startswith("POST ")]

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """What is in the database, by a connection of its own."""
        with closing(connect(self.home.database, read_only=True)) as reader:
            return [tuple(row) for row in reader.execute(sql, params).fetchall()]

    def case(self, handle: str, *columns: str) -> tuple[Any, ...]:
        """Some columns of a person's case."""
        return self.rows(f"SELECT {', '.join(columns)} FROM cases WHERE handle = ?", handle)[0]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table but the sessions, for telling whether anything was written."""
        names = [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.rows(f"SELECT * FROM [{name}]") for name in names}

    async def listen(self) -> None:
        """One round of every source, as `carerespond listen` does it, before anybody sits down."""
        database = wiring.open_store(self.home)
        crew = wiring.Crew({})
        try:
            listener = wiring.make_listener(
                database, self.config, crew.networks, "listen", self.clock
            )
            wiring.open_networks(self.home, self.config, database, self.clock, self.door(), crew)
            await listener.work_due()
            for network in crew.networks.values():
                await network.aclose()
        finally:
            await database.aclose()

    @asynccontextmanager
    async def terminal(
        self,
        size: tuple[int, int] = (80, 24),
        *,
        operator: str = "Asha",
        look_only: bool = False,
        preview: bool = True,
        ready: bool = True,
    ) -> AsyncIterator["Terminal"]:
        """Somebody sits down, and leaves at the end as the program leaves."""
        database = wiring.open_store(self.home, look_only=look_only)
        terminal = _seat(self, database, operator, look_only=look_only, preview=preview)
        try:
            async with terminal.app.run_test(size=size) as pilot:
                terminal.pilot = pilot
                if ready and not look_only:
                    await terminal.until(lambda: terminal.app.answering is not None)
                yield terminal
        finally:
            for one in terminal.working:
                await one.aclose()
            await database.aclose()


class _Noted(httpx.AsyncBaseTransport):
    """Passes requests on and notes them; a cut line lets none through."""

    def __init__(self, inner: httpx.AsyncBaseTransport, house: House) -> None:
        self._inner, self._house = inner, house

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._house.wire.append(f"{request.method} {request.url.path}")
        if self._house.cut:
            raise httpx.ConnectError("The line is cut.", request=request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _seat(
    house: House, database: "SqliteDatabase", name: str, *, look_only: bool, preview: bool
) -> "Terminal":
    """An application put together as `cli.inbox` does it."""
    session, crew = wiring.new_session(), wiring.Crew({})
    operator, now = SignedOn(name), house.clock
    working: list[Working] = []
    reports: list[BaseException] = []

    async def start(failed: Failed) -> Working:
        working.append(
            await wiring.start_working(
                house.home,
                house.config,
                database,
                crew,
                door=house.door(),
                session=session,
                operator=operator,
                now=now,
                failed=failed,
            )
        )
        return working[0]

    def report(error: BaseException) -> str:
        reports.append(error)
        return "report.txt"

    inbox = Inbox(
        database, house.config, crew.networks, session=session, operator=operator, now=now
    )
    desk = Desk(
        house.config,
        inbox,
        operator,
        now,
        start,
        report,
        theme=choose_theme(house.config.theme, {"COLORTERM": "truecolor"}, None),
        look_only=look_only,
        rules=cache(partial(wiring.load_triage, house.config)),
    )
    return Terminal(house, CarerespondApp(desk, preview=preview), crew, working, reports)


@dataclass
class Terminal:
    """One person's keyboard and screen."""

    house: House
    app: CarerespondApp
    crew: wiring.Crew
    working: list[Working]
    reports: list[BaseException]
    patience: float = PATIENCE
    pilot: Pilot[int] = field(init=False)

    # -- keys -----------------------------------------------------------------------------------

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each when the one before has been dealt with.

        As `Pilot.press`, without its waiting for an idle processor, which takes 0.1 s a key.
        """
        for key in keys:
            await self._send([key])

    async def type(self, text: str) -> None:
        """Type a text at one go, as fast as a terminal passes it on."""
        await self.burst(*("space" if one == " " else one for one in text))

    async def burst(self, *keys: str) -> None:
        """Press keys that arrive together, as from somebody fast on a slow line."""
        await self._send(keys)

    async def _send(self, keys: Sequence[str]) -> None:
        driver = self.app._driver
        assert driver is not None
        with self.app._context():
            for key in keys:
                driver.send_message(_key(self.app, key))
            for _ in range(3):  # from the application to its screen to what has the focus
                await self.pilot._wait_for_screen()
            await self.app._in_turn.done()  # one that closed a screen has kept those behind it
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()

    async def answer(self, text: str) -> None:
        """Type a line and take it with Enter."""
        await self.type(text)
        await self.press("enter")

    async def resize(self, width: int, height: int) -> None:
        """Somebody drags the window's corner."""
        with self.app._context():
            await self.pilot.resize_terminal(width, height)

    # -- screen ---------------------------------------------------------------------------------

    def strips(self) -> list[Strip]:
        """What is painted, line by line, as the terminal would get it."""
        with self.app._context():
            return self.app.screen._compositor.render_strips()

    def lines(self) -> list[str]:
        """The screen without any colour or style."""
        return [strip.text for strip in self.strips()]

    @property
    def text(self) -> str:
        """All that the screen says, in one piece: runs of space are one, borders are none."""
        plain = "\n".join(self.lines()).translate(_BORDERS)
        return " ".join(plain.split())

    def styled(self, words: str) -> list[Segment]:
        """The segments on the screen that contain these words."""
        return [part for strip in self.strips() for part in strip if words in part.text]

    @property
    def cursor(self) -> str:
        """The line of the list that the cursor is on, "" when there is none."""
        return next((one for one in self.lines()[2:] if one.startswith(">")), "")

    @property
    def who(self) -> str:
        """Whose case the cursor is on; where the list is hidden, whose is being read."""
        titles = (one for one in self.lines() if one.startswith("-- @"))
        words = (self.cursor or next(titles, "")).split()
        return next((word.lstrip("@") for word in words if word.startswith("@")), "")

    @property
    def status(self) -> str:
        """The line above the verbs."""
        return self.lines()[-2].strip()

    @property
    def width(self) -> int:
        """Columns."""
        return self.app.size.width

    # -- waiting --------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Wait for something to be so."""
        end = time.monotonic() + self.patience
        while not holds():
            if time.monotonic() > end or self.app.failure is not None:
                shown = "\n".join(self.lines())
                raise AssertionError(f"{what or 'it'} never came.\n{self.app.failure!r}\n{shown}")
            with self.app._context():
                await self.pilot.pause(0.02)

    async def sees(self, *words: str) -> None:
        """Wait until the screen says all of these."""
        await self.until(lambda: all(one in self.text for one in words), repr(words))

    async def sees_no(self, *words: str) -> None:
        """Wait until the screen says none of these any more."""
        await self.until(lambda: not any(one in self.text for one in words), f"no {words!r}")

    async def stays(self, holds: Callable[[], bool], seconds: float = 0.3) -> None:
        """Something is so for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert holds(), "\n".join(self.lines())
            with self.app._context():
                await self.pilot.pause(0.02)

    # -- ways that many tests go ----------------------------------------------------------------

    async def is_at(self, handle: str) -> None:
        """Wait until the cursor is on somebody's case."""
        await self.until(lambda: self.who == handle, f"the cursor on @{handle}")

    async def go_to(self, handle: str) -> None:
        """Bring a case under the cursor, with the keys for it."""
        end = time.monotonic() + self.patience
        while handle not in await self._walk_to(handle):
            # A list that has just opened may still be filling, or changing into panes.
            assert time.monotonic() < end, f"no case of @{handle}"
        await self.is_at(handle)

    async def _walk_to(self, handle: str = "") -> list[str]:
        """Whose cases the cursor comes by, from the first one to this one or to the last one."""
        await self.press("g")
        found: list[str] = []
        while (row := self.app.current) is not None and row.handle not in found:
            found.append(row.handle)
            if row.handle == handle:
                break
            await self.press("j")
        return found

    async def lists(self, handles: Sequence[str]) -> None:
        """Wait until going through the list from its beginning comes by exactly these."""
        end = time.monotonic() + self.patience
        while (found := await self._walk_to()) != list(handles):
            assert time.monotonic() < end, f"listed are {found}, not {list(handles)}"

    async def write(self, handle: str, text: str) -> None:
        """Open an answer to somebody and type it."""
        await self.go_to(handle)
        await self.press("r")
        await self.sees("reply to @" + handle)
        await self.type(text)

    async def review(self, handle: str, text: str) -> None:
        """As `write`, up to the review."""
        await self.write(handle, text)
        await self.press("ctrl+d")
        await self.sees("REVIEW")


def _key(app: App[Any], key: str) -> events.Key:
    """A key event as a terminal's driver makes it."""
    if key.startswith("alt+"):
        return events.Key(key, _key(app, key.removeprefix("alt+")).character)
    name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
    try:
        character = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
    except KeyError:
        character = key if len(key) == 1 else ""
    event = events.Key(name, character or None)
    event.set_sender(app)
    return event


_BORDERS = {ord(one): " " for one in "─│┌┐└┘┏┓┗┛━┃▌▐▔▁▏▕|"}


def build(
    folder: Path,
    posts: Sequence[Mapping[str, Any]] = POSTS,
    *,
    take_back: float = 60,
    theme: str = "",
    more: str = "",
) -> House:
    """An installation in a folder, on a practice network of its own; nobody listens yet."""
    home = Home(folder, folder, folder / "secrets", folder / "logs")
    home.config_file.write_text(CONFIG.format(take_back=take_back, theme=theme, more=more))
    clock = Clock()
    world = World(read_script(script(posts), "test"), ORIGIN, 1, clock)
    house = House(home, clock, create_app(world), load_config(home.config_file))
    house.network.practice.settings.update({"search_lag_s": 0.0})
    return house


WAYS = ("list", "reading")
"""Every key acts in the list and in the open case alike."""


@asynccontextmanager
async def seated(
    house: House, way: str, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Terminal]:
    """Somebody at the list, or reading the case that stands first in it."""
    async with house.terminal(size) as terminal:
        if way == "reading":
            await terminal.press("enter")
        await terminal.sees("ROUTE")
        yield terminal
