"""A small practice network for tests: a clock that stands still, a few people, an httpx client."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from carerespond.practice.script import Script, read_script
from carerespond.practice.server import PracticeApp, create_app, make_transport
from carerespond.practice.settings import Settings
from carerespond.practice.world import React, World

US = "1000000000000000001"
ORIGIN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
APP = {"Authorization": "Bearer practice-app"}
USER = {"Authorization": "Bearer practice-user"}
BASE = "http://practice.invalid"
ENDING = (
    "import sys\n"
    "from pathlib import Path\n"
    "from carerespond.practice.server import serve\n"
    "posts, journal = (Path(one) if one else None for one in sys.argv[1:3])\n"
    "say = lambda address: print(address, flush=True)\n"
    "serve('127.0.0.1', 0, posts=posts, journal=journal, on_ready=say)\n"
)
LONG = "The ward was kind. " * 30

SAMPLE: dict[str, Any] = {
    "organisation": {
        "id": US,
        "username": "StElsewhere",
        "name": "St Elsewhere NHS Trust",
        "story_links": ["https://www.careopinion.org.uk/tell/st-elsewhere"],
    },
    "author": [
        {"handle": "marian_k", "name": "Marian K", "followers": 87, "follows_us": True},
        {"handle": "closed_door", "name": "Closed", "protected": True},
        {"handle": "blocker", "name": "Blocker", "blocks_us": True},
        {"handle": "open_inbox", "name": "Open", "receives_your_dm": True},
        {"handle": "bigvoice", "name": "Big Voice", "verified": True, "followers": 90_000},
    ],
    "post": [
        {"key": "ours", "author": "StElsewhere", "text": "Our phone lines are back.", "at": -500},
        {
            "key": "cold",
            "author": "marian_k",
            "text": "Six hours waiting at St Elsewhere A&E",
            "at": -60,
        },
        {"key": "named", "author": "marian_k", "text": "@StElsewhere where do I park?", "at": -50},
        {"key": "quoting", "author": "bigvoice", "text": "Finally!", "at": -45, "quotes": "ours"},
        {"key": "under", "author": "bigvoice", "text": "Not mine.", "at": -44, "reply_to": "ours"},
        {
            "key": "cafe",
            "author": "marian_k",
            "text": "The café at St Elsewhere is #lovely",
            "at": -40,
        },
        {"key": "long", "author": "marian_k", "text": f"@StElsewhere {LONG}", "at": -39},
        {"key": "hidden", "author": "closed_door", "text": "@StElsewhere private words", "at": -38},
        {"key": "block", "author": "blocker", "text": "@StElsewhere you again", "at": -37},
        {
            "key": "shut",
            "author": "open_inbox",
            "text": "St Elsewhere car park, again",
            "at": -36,
            "reply_settings": "following",
        },
        {
            "key": "gone",
            "author": "open_inbox",
            "text": "@StElsewhere ignore me",
            "at": -35,
            "deleted_at": -30,
        },
        {
            "key": "edited",
            "author": "marian_k",
            "text": "@StElsewhere thanx",
            "at": -34,
            "edited_at": -20,
            "edited_text": "@StElsewhere thanks",
        },
        {
            "key": "liked",
            "author": "bigvoice",
            "text": "St Elsewhere fundraiser",
            "at": -33,
            "likes": 40,
            "lang": "en",
        },
        {"key": "repost", "author": "bigvoice", "text": "", "at": -32, "retweets": "cold"},
        {"key": "old", "author": "marian_k", "text": "St Elsewhere long ago", "at": -60 * 24 * 8},
        {"key": "later", "author": "marian_k", "text": "St Elsewhere later today", "at": 30},
    ],
}


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, at: datetime = ORIGIN) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **span: float) -> None:
        self.at += timedelta(**span)


def sample_script(posts: list[dict[str, Any]] | None = None) -> Script:
    """The sample, or its people with other posts."""
    return read_script(SAMPLE if posts is None else {**SAMPLE, "post": posts}, "sample")


@dataclass
class Network:
    """A practice network in this process and clients for it."""

    app: PracticeApp
    clock: Clock
    client: httpx.AsyncClient

    @property
    def settings(self) -> Settings:
        return self.app.practice.settings

    @property
    def world(self) -> World:
        return self.app.practice.world

    def id_of(self, key: str, version: int = 0) -> str:
        """The id of a post of the script."""
        return next(
            post.versions[version].post_id for post in self.world.posts.values() if post.key == key
        )

    async def get(self, path: str, headers: dict[str, str] = APP, **query: Any) -> httpx.Response:
        names = {name.replace("__", "."): str(value) for name, value in query.items()}
        return await self.client.get(path, params=names, headers=headers)

    async def search(self, query: str, **more: Any) -> list[str]:
        """The texts that a search finds."""
        found = await self.get("/2/tweets/search/recent", query=query, max_results=100, **more)
        assert found.status_code == 200, found.text
        return [post["text"] for post in found.json().get("data", [])]

    async def keys(self, query: str) -> set[str]:
        """The keys of the posts that a search finds."""
        found = await self.get("/2/tweets/search/recent", query=query, max_results=100)
        assert found.status_code == 200, found.text
        return {self.world.posts[post["id"]].key for post in found.json().get("data", [])}

    async def post(self, text: str, reply_to: str | None = None, **more: Any) -> httpx.Response:
        body: dict[str, Any] = {"text": text, **more}
        if reply_to is not None:
            body["reply"] = {"in_reply_to_tweet_id": reply_to}
        return await self.client.post("/2/tweets", json=body, headers=USER)

    async def set(self, **settings: Any) -> None:
        answer = await self.client.put("/practice/settings", json=settings)
        assert answer.status_code == 200, answer.text

    async def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get("/practice/truth")).json()
        return found

    async def usd(self) -> float:
        """The bill so far."""
        return float((await self.truth())["meter"]["usd"])

    async def ours(self) -> list[dict[str, Any]]:
        """The posts of ours that the script did not have."""
        return [post for post in (await self.truth())["posts"] if not post["scripted"]]


def build(
    *,
    script: Script | None = None,
    clock: Clock | None = None,
    journal: Path | None = None,
    react: React | None = None,
    seed: int = 1,
) -> Network:
    """A practice network in this process."""
    clock = clock or Clock()
    world = World(script or sample_script(), ORIGIN, seed, clock, journal, react=react)
    app = create_app(world)
    client = httpx.AsyncClient(transport=make_transport(app), base_url=BASE, timeout=5)
    return Network(app, clock, client)


@contextmanager
def served(folder: Path, script: dict[str, Any] | None = None) -> Iterator[str]:
    """The sample served by another process; yields its address."""
    posts = folder / "posts.toml"
    posts.write_text(toml(script or SAMPLE), encoding="utf-8")
    command = [sys.executable, "-c", ENDING, str(posts), str(folder / "journal.jsonl")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def toml(script: dict[str, Any]) -> str:
    """A script as the TOML file that `load_script` reads."""
    lines = ["[organisation]", *_rows(script["organisation"])]
    for table in ("author", "post"):
        for row in script[table]:
            lines += [f"[[{table}]]", *_rows(row)]
    return "\n".join(lines) + "\n"


def _rows(row: dict[str, Any]) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in row.items()]
