"""What tests of listening stand on: a practice network, a database, a clock to turn, listeners."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from carerespond.cli.wiring import make_assessor
from carerespond.config import AccountConfig, BudgetConfig, Config, SearchConfig
from carerespond.domain.models import Gap, Health, Source, Spend
from carerespond.networks.tokens import FixedToken
from carerespond.networks.x import XNetwork
from carerespond.practice.server import make_transport
from carerespond.services.listener import Listener
from carerespond.storage import ledger, sources
from carerespond.storage.authors import StoredAuthors
from carerespond.storage.database import Query
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.practice.support import BASE, US, Clock, Network, build, sample_script

WARD, CAFE, MENTIONS = "search:ward", "search:cafe", "mentions:x"
SEARCH_CALL = "GET /2/tweets/search/recent"
MENTIONS_CALL = "GET /2/users/{id}/mentions"


class Even(random.Random):
    """No spread, so that the next poll can be foretold."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def search(search_id: str, query: str, **more: Any) -> SearchConfig:
    return SearchConfig(search_id, f"{search_id}s", "x", query, "test", **more)


def config(*searches: SearchConfig, **more: Any) -> Config:
    """Our account with these saved searches, else with two; no budget unless it is given."""
    wanted: dict[str, Any] = {
        "organisation": "St Elsewhere",
        "accounts": (
            AccountConfig("x", "x", "StElsewhere", base_url=BASE, user_id=US, poll_seconds=120.0),
        ),
        "searches": searches or (search("ward", "ward"), search("cafe", "cafe")),
        "budget": BudgetConfig(0.0, 0.0),
    }
    return Config(**wanted | more)


class Line(httpx.AsyncBaseTransport):
    """The line to the practice network, which can be cut and does as it is told before a request.

    Attributes:
        down: The next connections fail.
        before: Called with each request, and awaited.
        after: Called with each answer, and awaited.
        asked: Paths of the requests that went out.
    """

    def __init__(self, net: Network) -> None:
        self._inner = make_transport(net.app)
        self.down = False
        self.before: Callable[[httpx.Request], Any] | None = None
        self.after: Callable[[httpx.Response], Any] | None = None
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        self.asked.append(request)
        if self.before is not None:
            await self.before(request)
        answer = await self._inner.handle_async_request(request)
        if self.after is not None:
            await self.after(answer)
        return answer

    def searches(self) -> list[dict[str, str]]:
        """The query strings of the searches that went out."""
        return [
            dict(request.url.params)
            for request in self.asked
            if request.url.path.endswith("/search/recent")
        ]


@dataclass
class Ground:
    """One installation on one practice network."""

    net: Network
    database: SqliteDatabase
    config: Config
    line: Line
    told: list[str] = field(default_factory=list)

    def listener(
        self,
        session: str = "s1",
        kind: type[Listener] = Listener,
        connector: type[XNetwork] = XNetwork,
    ) -> Listener:
        """A listener as the program makes it; several of them are several terminals."""
        account = self.config.accounts[0]
        network = connector(
            account,
            FixedToken("practice-user", can_write=True),
            now=self.net.clock,
            transport=self.line,
            authors=StoredAuthors(self.database, "x"),
        )
        return kind(
            self.database,
            {account.account_id: network},
            self.config,
            session=session,
            now=self.net.clock,
            assessor=make_assessor(self.config, self.net.clock),
            jitter=Even(),
            tell=self.told.append,
        )

    def source(self, source_id: str) -> Source:
        (found,) = self.database.fetch_now(sources.source(source_id))
        return found

    def health(self, source_id: str) -> tuple[Health, str]:
        found = self.source(source_id)
        return found.health, found.message

    def gaps(self) -> list[Gap]:
        return self.database.fetch_now(sources.gaps())

    def post_ids(self) -> list[str]:
        """Every stored post's id, doubled ones twice."""
        query: Query[str] = Query("SELECT post_id FROM posts ORDER BY post_id", (), _first)
        return self.database.fetch_now(query)

    def script_keys(self) -> set[str]:
        """The script's keys of the stored posts."""
        return {self.net.world.posts[post_id].key for post_id in self.post_ids()}

    def spend(self) -> Spend:
        query = ledger.spend(self.config.budget, self.net.clock())
        return self.database.fetch_now(query)[0]

    def asked(self, call: str = SEARCH_CALL) -> int:
        """How many requests of a kind the network has had."""
        return self.net.app.practice.meter.requests[call]

    async def post(self, text: str, author: str = "marian_k") -> str:
        """Somebody posts now; the id."""
        answer = await self.net.client.post(
            "/practice/posts", json={"author": author, "text": text}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"][0]["id"])


def _first(row: tuple[Any, ...]) -> Any:
    return row[0]


@contextmanager
def ground(
    folder: Path,
    settings: Config | None = None,
    posts: list[dict[str, Any]] | None = None,
    clock: Clock | None = None,
) -> Iterator[Ground]:
    """An installation in a folder; `posts` as the practice script has them."""
    net = build(script=sample_script(posts), clock=clock)
    database = open_database(folder / "carerespond.db")
    try:
        yield Ground(net, database, settings or config(), Line(net))
    finally:
        database.close_now()


def wards(count: int, *, before: float = 300.0) -> list[dict[str, Any]]:
    """So many posts about wards, a minute apart, the last one `before` minus their number ago."""
    return [
        {"key": f"w{n}", "author": f"person{n % 5}", "text": f"ward {n}", "at": n - before}
        for n in range(count)
    ]
