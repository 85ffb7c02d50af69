"""What the tests of sending stand on: a network in another process, a full inbox, a verdict."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from carerespond.cli.wiring import make_listener
from carerespond.domain.models import SendState
from carerespond.storage import outbox
from carerespond.storage.database import Query, scalar
from carerespond.storage.sqlite import open_database
from tests.practice.support import SAMPLE, served
from tests.promises.support_terminal import (
    ACCOUNT,
    DATABASE,
    QUEUED,
    configured,
    open_x,
    utc_now,
)

ROOT = Path(__file__).parents[2]
MANY = 100_000
NO_LIMITS = dict.fromkeys(
    (
        "POST /2/tweets",
        "GET /2/tweets",
        "GET /2/users",
        "GET /2/users/me",
        "GET /2/users/{id}/tweets",
        "GET /2/users/{id}/mentions",
    ),
    MANY,
)


@dataclass(frozen=True, slots=True)
class Network:
    """The practice network in another process, reached over loopback alone."""

    address: str

    def set(self, **settings: Any) -> None:
        """Change some settings."""
        httpx.put(f"{self.address}/practice/settings", json=settings).raise_for_status()

    def truth(self) -> dict[str, Any]:
        """What exists on the network, whatever we believe."""
        found: dict[str, Any] = httpx.get(f"{self.address}/practice/truth").json()
        return found

    def answers(self) -> list[dict[str, Any]]:
        """Our answers as they exist on the network."""
        return [one for one in self.truth()["posts"] if one["in_reply_to"] is not None]


@contextmanager
def network(folder: Path, posts: int) -> Iterator[Network]:
    """A network with so many posts by as many people, all of whom name us."""
    people = [{"handle": f"person{number}", "followers": number} for number in range(posts)]
    said = [
        {
            "key": f"k{number}",
            "author": f"person{number}",
            "text": f"@StElsewhere I waited {number} minutes.",
            "at": -posts - 10 + number,
        }
        for number in range(posts)
    ]
    script = {**SAMPLE, "author": people, "post": said}
    folder.mkdir(parents=True, exist_ok=True)
    with served(folder, script) as address:
        found = Network(address)
        found.set(rate_limits=NO_LIMITS)
        yield found


def fill_inbox(folder: Path, address: str) -> int:
    """Listen once: every post of the network is a case. How many there are."""
    folder.mkdir(parents=True, exist_ok=True)

    async def listen() -> None:
        database = open_database(folder / DATABASE)
        config = configured(address)
        x = open_x(config, database)
        try:
            listener = make_listener(database, config, {ACCOUNT: x}, "seed", utc_now)
            await listener.poll_once(f"mentions:{ACCOUNT}")
        finally:
            await x.aclose()
            await database.aclose()

    asyncio.run(listen())
    database = open_database(folder / DATABASE)
    cases: int = database.fetch_now(Query("SELECT count(*) FROM cases", (), scalar))[0]
    database.close_now()
    return cases


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the outbox says, held against what the network has.

    Attributes:
        doubled: Posts with two answers or more on the network.
        lost: Queued answers that neither are on the network nor wait for a person with their text.
        untrue: Rows that are "sent" though the network has no such answer.
        unowned: Answers on the network that no row owns.
        states: Rows by state.
        unclear: How often an outcome was not known at first.
    """

    answers: int
    doubled: list[str]
    lost: list[str]
    untrue: list[str]
    unowned: list[str]
    states: dict[str, int] = field(default_factory=dict)
    unclear: int = 0

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or claimed wrongly."""
        return not (self.doubled or self.lost or self.untrue or self.unowned)


def judge(folder: Path, there: Network) -> Verdict:
    """Hold the outbox against the network's truth."""
    database = open_database(folder / DATABASE, read_only=True)
    rows = database.fetch_now(outbox.recent(MANY))
    waiting = {row.in_reply_to: row.text for row in database.fetch_now(outbox.waiting_for_person())}
    unclear = database.fetch_now(
        Query("SELECT count(*) FROM history WHERE action = 'outcome unknown'", (), scalar)
    )
    kept = database.fetch_now(
        Query("SELECT text FROM drafts WHERE discarded_at IS NULL", (), scalar)
    )
    database.close_now()
    answers = {one["id"]: one for one in there.answers()}
    counted = Counter(one["in_reply_to"] for one in answers.values())
    sent = {row.remote_id: row for row in rows if row.state is SendState.SENT}
    queued = folder / QUEUED
    noted = queued.read_text(encoding="utf-8").splitlines() if queued.exists() else []
    wanted = dict(line.split(" ", 1) for line in noted)
    return Verdict(
        answers=len(answers),
        doubled=[post for post, number in counted.items() if number > 1],
        lost=[
            post
            for post, text in wanted.items()
            if not any(one["in_reply_to"] == post for one in answers.values())
            and (waiting.get(post) != text or (text not in kept and text not in waiting.values()))
        ],
        untrue=[
            row.in_reply_to
            for remote_id, row in sent.items()
            if remote_id not in answers
            or (answers[remote_id]["in_reply_to"], answers[remote_id]["text"])
            != (row.in_reply_to, row.text)
        ],
        unowned=[one for one in answers if one not in sent],
        states=dict(Counter(row.state.value for row in rows)),
        unclear=unclear[0],
    )


def sending_process(job: dict[str, Any], cases: Sequence[int]) -> list[str]:
    """The command of a process that answers these cases."""
    whole = json.dumps({"design": "ours", **job, "cases": list(cases)})
    return [sys.executable, "-m", "tests.promises.support_send", whole]


def kill_again_and_again(
    folder: Path, address: str, design: str, *, kills: int, seed: int = 1, speed: float = 100.0
) -> dict[str, Any]:
    """So many lives, each ended by SIGKILL, and a last one that finishes what is left."""
    job = {"folder": str(folder), "address": address, "design": design}
    found = _nursery({**job, "kills": kills, "seed": seed, "speed": speed})
    assert (found["ended"], found["last"]) == (0, 0), found
    return found


def disturb_at_every(
    folder: Path, address: str, design: str, calls: Sequence[str], fault: str = "signal=KILL"
) -> dict[str, Any]:
    """Disturb a send at its first call of a kind, the next at its second, until one gets through.

    Returns:
        How many were disturbed, by the kind of call; and "seconds".
    """
    job = {"folder": str(folder), "address": address, "design": design}
    return _nursery({**job, "calls": list(calls), "fault": fault})


def _nursery(job: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.promises.support_nursery", json.dumps(job)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "said": done.stderr[-3000:]}
