"""One bad record never stops the feed: the good ones of its page are stored, it is kept aside."""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from carerespond.cli.wiring import make_assessor
from carerespond.config import AccountConfig, BudgetConfig, Config, SearchConfig
from carerespond.domain.models import Health, Post
from carerespond.networks import x_wire
from carerespond.networks.tokens import FixedToken
from carerespond.networks.x import XNetwork
from carerespond.services.importer import Importer
from carerespond.services.listener import Listener
from carerespond.storage import posts, sources
from carerespond.storage.database import Database, Query
from carerespond.storage.sqlite import open_database
from tests.promises.hostile import EVERYTHING, json_files, lines, misnamed, record
from tests.sending import START

SOURCE = "search:one"
BIG = 10**4000  # more than SQLite holds, less than Python refuses
HUGE = "9" * 5_000


def good(number: int) -> dict[str, Any]:
    return {
        "id": str(100 + number),
        "author_id": str(500 + number),
        "text": f"post {number}",
        "created_at": "2026-11-24T08:00:00.000Z",
        "conversation_id": str(100 + number),
        "public_metrics": {"like_count": 1},
    }


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


# Each of these is one record of X's, and no post.
HOSTILE: list[Any] = [
    None,
    True,
    7,
    BIG,
    "text",
    [],
    {},
    {**good(1), "id": None},
    {**good(1), "id": 101},
    {**good(1), "id": "1\ud8001"},
    {**good(1), "id": "1\x00"},
    {**good(1), "id": "\u0661\u0662"},
    {**good(1), "id": "9" * 26},
    {**good(1), "author_id": EVERYTHING},
    {**good(1), "text": None},
    {**good(1), "text": {"a": 1}},
    {**good(1), "created_at": EVERYTHING},
    {**good(1), "created_at": "9999-12-31T23:59:59-23:59"},
    {**good(1), "created_at": "0001-01-01T00:00:00+23:59"},
    {**good(1), "edit_history_tweet_ids": [{}]},
]
# These are posts, with something odd in what they need not have.
ODD: list[dict[str, Any]] = [
    {"text": "a\ud800b\x00c\udfff"},
    {"text": EVERYTHING, "lang": EVERYTHING, "reply_settings": EVERYTHING},
    {"text": "\x00"},
    {"lang": {"a": []}, "entities": [], "public_metrics": 3},
    {"public_metrics": {"like_count": BIG, "reply_count": -1, "retweet_count": True}},
    {"entities": {"mentions": [None, 3, {"username": None}], "urls": [{"url": 5}, "x"]}},
    {"referenced_tweets": [None, {"type": [], "id": "1"}, {"type": "quoted", "id": EVERYTHING}]},
    {"conversation_id": EVERYTHING, "in_reply_to_user_id": BIG, "note_tweet": []},
    {"extra": nested(50), "number": float("nan"), "most": float("inf")},
]


CONFIG = Config(
    "St Elsewhere",
    accounts=(AccountConfig("x", "x", "StElsewhere", user_id="1"),),
    searches=(SearchConfig("one", "One", "x", "st elsewhere", "to hear"),),
    budget=BudgetConfig(daily_usd=0, monthly_usd=0),  # no limit
)


@dataclass
class Feed:
    """One source with its database and the body that its network will answer with."""

    database: Database
    listener: Listener
    body: list[bytes]
    status: list[int]

    async def round(self, body: bytes, status: int = 200) -> int | None:
        self.body[:], self.status[:] = [body], [status]
        await self.database.write(lambda tx: sources.poll_all_now(tx, START))
        return await self.listener.poll_once(SOURCE)

    def stored(self) -> set[str]:
        ids: Query[str] = Query("SELECT post_id FROM posts", (), lambda row: str(row[0]))
        return set(self.database.fetch_now(ids))

    def aside(self) -> list[bytes]:
        raw: Query[bytes] = Query("SELECT raw FROM quarantine", (), lambda row: bytes(row[0]))
        return self.database.fetch_now(raw)

    def cursor(self) -> str | None:
        return self.database.fetch_now(sources.source(SOURCE))[0].cursor

    def health(self) -> Health:
        return self.database.fetch_now(sources.source(SOURCE))[0].health


@asynccontextmanager
async def feed(folder: Path) -> AsyncIterator[Feed]:
    body, status = [b""], [200]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/2/users":
            return httpx.Response(200, content=json.dumps({"data": EVERYTHING}).encode())
        return httpx.Response(status[0], content=body[0])

    network = XNetwork(
        CONFIG.accounts[0],
        FixedToken("token", can_write=False),
        now=lambda: START,
        transport=httpx.MockTransport(answer),
    )
    database = open_database(folder / "carerespond.db", now=lambda: START)
    listener = Listener(
        database,
        {"x": network},
        CONFIG,
        session="s",
        now=lambda: START,
        assessor=make_assessor(CONFIG, lambda: START),
        jitter=random.Random(1),
    )
    try:
        yield Feed(database, listener, body, status)
    finally:
        await network.aclose()
        await database.aclose()


def page(records: list[Any]) -> bytes:
    meta = {"newest_id": "999", "result_count": len(records)}
    text = json.dumps({"data": records, "meta": meta})
    return text.replace(str(BIG), HUGE).encode() if str(BIG) in text else text.encode()


async def _a_page_of_80_good_and_20_hostile(folder: Path) -> None:
    records: list[Any] = [good(number) for number in range(80)]
    for number, one in enumerate(HOSTILE):
        records.insert(number * 4 + 1, one)
    async with feed(folder) as one:
        assert await one.round(page(records)) == 80
        assert one.stored() == {str(100 + number) for number in range(80)}
        kept = one.aside()
        assert len(kept) == len(HOSTILE) == 20
        assert all(json.loads(raw) == _known(it) for raw, it in zip(kept, HOSTILE, strict=True))
        assert one.cursor() == "999"
        assert one.health() is Health.OK


def _known(one: Any) -> Any:
    return HUGE if one == BIG else one


@pytest.mark.promise
async def test_good_records_are_stored_and_bad_ones_kept_aside_as_they_came(
    tmp_path: Path,
) -> None:
    await _a_page_of_80_good_and_20_hostile(tmp_path)


def _all_or_nothing(
    records: list[Any], us: x_wire.Us, authors: Any, real: Callable[..., Any] = x_wire.read_posts
) -> tuple[list[Post], list[Any]]:
    """The planted bug: one `try` around the whole page."""
    found, bad = real(records, us, authors)
    return ([], bad[:1]) if bad else (found, [])


@pytest.mark.promise
async def test_the_check_catches_one_try_around_the_whole_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x_wire, "read_posts", _all_or_nothing)
    with pytest.raises(AssertionError):
        await _a_page_of_80_good_and_20_hostile(tmp_path)


@pytest.mark.promise
async def test_what_a_record_need_not_have_may_be_anything(tmp_path: Path) -> None:
    records = [{**good(number), **odd} for number, odd in enumerate(ODD)]
    async with feed(tmp_path) as one:
        assert await one.round(page(records)) == len(ODD)
        assert one.aside() == []
        assert one.cursor() == "999"
        # The same again, and what can be shown of it.
        assert await one.round(page(records)) == 0
        text: Query[str] = Query("SELECT text FROM posts", (), lambda row: str(row[0]))
        assert "a\ufffdb\x00c\ufffd" in one.database.fetch_now(text)


@pytest.mark.promise
async def test_a_record_nested_as_deep_as_can_be_read_stops_nobody(tmp_path: Path) -> None:
    async with feed(tmp_path) as one:
        for depth in range(800, 1000, 2):
            deep = f'{{"id": "7", "deep": {"[" * depth}{"]" * depth}}}'
            body = page([good(1)]).replace(b'"data": [', f'"data": [{deep}, '.encode())
            await one.round(body)
        assert one.stored() == {"101"}


@pytest.mark.promise
def test_a_record_too_deep_to_be_written_down_is_bad_alone() -> None:
    records = [{**good(1), "deep": nested(50_000)}, good(2)]
    found, bad = x_wire.read_posts(records, x_wire.Us("1", "StElsewhere"), {})
    assert [post.post_id for post in found] == ["102"]
    assert [one.problem for one in bad] == ["The record is nested too deeply."]


BODIES: dict[str, tuple[int, bytes]] = {
    "HTML": (200, b"<!DOCTYPE html><title>Log in to the hotel's network</title>"),
    "nothing": (200, b""),
    "no list": (200, b'{"data": "\\u001b[2J"}'),
    "too large": (200, b'{"data": [' + b" " * (11 << 20) + b"]}"),
    "no object": (200, b"[]"),
    "an error that is no object": (403, b'["\\u001b[2J"]'),
    "an error in odd text": (403, json.dumps({"title": EVERYTHING, "detail": 5}).encode()),
    "an error with odd parts": (400, b'{"errors": [null, {"parameters": [], "message": []}, 7]}'),
    "a fault in odd text": (503, b"\xff\xfe\x00"),
}


async def _is_stopped_by(one: Feed, body: bytes, status: int = 200) -> bool:
    """Whether the source still hears the next good page."""
    await one.round(body, status)
    before = one.stored()
    fresh = good(1_000 + len(before))
    new = await one.round(page([fresh]))
    return new != 1 or one.stored() != before | {fresh["id"]} or one.health() is not Health.OK


@pytest.mark.promise
async def test_a_body_that_is_no_page_is_told_of_and_the_next_round_goes_on(
    tmp_path: Path,
) -> None:
    async with feed(tmp_path) as one:
        for name, (status, body) in BODIES.items():
            assert not await _is_stopped_by(one, body, status), name


@pytest.mark.promise
async def test_no_json_of_the_suite_stops_a_source(tmp_path: Path) -> None:
    files = json_files()
    assert len(files) == 271
    async with feed(tmp_path) as one:
        for name, body in files.items():
            assert not await _is_stopped_by(one, body), name
            assert not await _is_stopped_by(one, b'{"data": [' + body + b"]}"), name


def importing(database: Database) -> Importer:
    us = x_wire.Us("1", "StElsewhere")
    return Importer(
        database,
        make_assessor(CONFIG, lambda: START),
        lambda found: x_wire.read_page(found, us),
        accounts={"x": "x"},
        handles={"x": "StElsewhere"},
        now=lambda: START,
        pause=lambda: None,
    )


@pytest.mark.promise
async def test_an_import_takes_every_good_line_whatever_stands_between(tmp_path: Path) -> None:
    bad = [
        *(body.replace(b"\n", b" ").replace(b"\r", b" ") for body in json_files().values()),
        *lines(misnamed(1, EVERYTHING)).splitlines(),
        *lines([{**record(1, "x"), "created_at": "9999-12-31T23:59:59Z"}]).splitlines(),
        *lines([{**record(1, "x"), "created_at": "0001-01-01T00:00:00Z"}]).splitlines(),
        *lines([{**record(1, "x"), "followers": 2**70}]).splitlines(),
        *lines([{**record(1, "x"), "id": "1\ud800"}]).splitlines(),
        lines([record(1, "x")]).rstrip().replace(b'"7000001"', HUGE.encode()),
        b"\xff" * 100,
        b"x" * (9 << 20),
    ]
    bad = [line for line in bad if line.strip()]
    hostile = [record(2_000 + n, text) for n, text in enumerate(["a\ud800b", "\x00", EVERYTHING])]
    file: list[bytes] = []
    for number, line in enumerate(bad):
        file += [line + b"\n", *lines([record(number, f"post {number}")]).splitlines(keepends=True)]
    file += lines(hostile).splitlines(keepends=True)
    database = open_database(tmp_path / "carerespond.db", now=lambda: START)
    try:
        for expected in (len(bad) + len(hostile), 0):  # and again: nothing changes
            done = importing(database).run(file, "odd \udcff name.jsonl", lambda *_: None)
            assert (done.new, len(done.bad)) == (expected, len(bad))
            assert [number for number, _ in done.bad] == [2 * n + 1 for n in range(len(bad))]
        kept = database.fetch_now(posts.quarantined())[0]
        assert kept == len({line[: 1 << 20] for line in bad})
    finally:
        await database.aclose()
