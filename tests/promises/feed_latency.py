"""How long it takes until a follower in one process has what another process has committed."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from carerespond.config import Config
from carerespond.services.inbox import Inbox
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.promises.installation import ROOT
from tests.sending import START

LONGEST = 5.0  # seconds; what takes longer was not told at all
FIRST_POSTS = 5

# Stores one post at each line of its input; says when it was committed, and as which case.
WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
{planted}
from carerespond.domain.models import Assessment, Author, Post, Priority
from carerespond.storage import posts
from carerespond.storage.sqlite import open_database

database = open_database(Path(sys.argv[1]))
now = datetime.now(UTC)
for number, _ in enumerate(sys.stdin, 1):
    post = Post("x", str(number), Author("x", str(number), f"p{{number}}"), "the wait", now,
                version_id=str(number), conversation=str(number))
    page = [(post, Assessment(Priority.SOON, 1.0), None)]
    stored = database.write_now(
        lambda tx: posts.store_page(tx, "search:a", page, account="x", now=now)
    )
    print(stored.cases[0], time.monotonic(), flush=True)
"""


@dataclass
class _Heard:
    """When each case was first heard of."""

    at: dict[int, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


def latencies(folder: Path, posts: int, planted: str = "") -> list[float]:
    """Seconds from each commit to its batch on the follower's side, one after the other."""
    database = open_database(folder / "carerespond.db")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER.format(planted=planted), folder / "carerespond.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
    )
    try:
        return asyncio.run(_measure(database, writer, posts))
    finally:
        writer.kill()
        writer.communicate()
        database.close_now()


async def _measure(
    database: SqliteDatabase, writer: "subprocess.Popen[str]", posts: int
) -> list[float]:
    inbox = Inbox(
        database, Config("us"), {}, session="s", operator=lambda: "Asha", now=lambda: START
    )
    heard = _Heard()
    following = asyncio.ensure_future(_follow(inbox, heard))
    took: list[float] = []
    try:
        # A follower hears of what is committed once it has begun: the first posts find out when.
        for _ in range(FIRST_POSTS):
            case_id, _committed = await asyncio.to_thread(_write_one, writer)
            if await _wait_for(heard, case_id, 0.5) is not None:
                break
        for _ in range(posts):
            case_id, committed = await asyncio.to_thread(_write_one, writer)
            found = await _wait_for(heard, case_id, LONGEST)
            if found is None:
                break
            took.append(found - committed)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await database.aclose()
    return took


async def _follow(inbox: Inbox, heard: _Heard) -> None:
    async for batch in inbox.follow():
        at = time.monotonic()
        for case_id in batch.case_ids:
            heard.at.setdefault(case_id, at)
        heard.changed.set()


async def _wait_for(heard: _Heard, case_id: int, seconds: float) -> float | None:
    """When a case was heard of; None when it was not within a time that nobody would wait."""
    try:
        async with asyncio.timeout(seconds):
            while case_id not in heard.at:
                heard.changed.clear()
                await heard.changed.wait()
    except TimeoutError:
        return None
    return heard.at[case_id]


def _write_one(writer: "subprocess.Popen[str]") -> tuple[int, float]:
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    case_id, committed = writer.stdout.readline().split()
    return int(case_id), float(committed)
