"""One installation with real processes: a practice network that keeps a log, and `listen`."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from carerespond.storage.database import Query
from carerespond.storage.sqlite import open_database
from tests.practice.support import SAMPLE, US, toml

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0  # seconds that anything may take on a slow machine

# The practice network with a log of its requests. Each takes a while, as over the internet, and
# later pages wait as long as a file is there.
SERVER = """
import asyncio, itertools, json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from carerespond.practice.listening import listen
from carerespond.practice.server import PracticeApp, create_app
from carerespond.practice.world import load_world

posts, log, hold = map(Path, sys.argv[1:])
numbers = itertools.count()
file = log.open("a", encoding="utf-8", buffering=1)

class Recorded(PracticeApp):
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith("/2/"):
            await super().__call__(scope, receive, send)
            return
        query, number = scope["query_string"].decode(), next(numbers)
        host = dict(scope["headers"])[b"host"].decode().split(":")[0]
        def note(what):
            row = {"what": what, "number": number, "at": time.monotonic(), "host": host}
            file.write(json.dumps({**row, "path": scope["path"], "query": query}) + "\\n")
        note("begin")
        await asyncio.sleep(0.2)
        while "next_token" in query and hold.exists():
            await asyncio.sleep(0.02)
        await super().__call__(scope, receive, send)
        note("end")

app = create_app(load_world(posts, now=lambda: datetime.now(UTC)))
app.__class__ = Recorded
listen(app, "127.0.0.1", 0, lambda address: print(address, flush=True))
"""

CONFIG = """\
[organisation]
name = "St Elsewhere"

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
base_url = "{address}"
user_id = "{us}"
poll_seconds = 1

[[search]]
id = "ward"
name = "Wards"
account = "x"
query = "ward"
purpose = "test"

[[search]]
id = "cafe"
name = "Cafes"
account = "x"
query = "{second}"
purpose = "test"

[budget]
daily_usd = 0
monthly_usd = 0
"""


def start(home: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """The program on an installation that looks with the practice network's bearer token."""
    return subprocess.Popen(
        [sys.executable, "-m", "carerespond", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={
            "PATH": os.environ.get("PATH", ""),
            "CARERESPOND_HOME": str(home),
            "CARERESPOND_X_BEARER": "practice-app",
            "PYTHONPATH": str(ROOT),
            **environment,
        },
    )


@dataclass
class Request:
    """One request as the network saw it; `end` is None while it waits or when nobody waited."""

    host: str
    path: str
    query: str
    begin: float
    end: float | None = None

    @property
    def source(self) -> str:
        """What was asked: a search by its words, or the mentions."""
        words = httpx.QueryParams(self.query).get("query")
        return words or self.path


@dataclass
class Installation:
    """A home folder, the network beside it, and the processes that run on it."""

    home: Path
    address: str
    log: Path
    hold: Path
    code: Path
    second: str

    def start(self, host: str) -> "subprocess.Popen[str]":
        """`carerespond listen`, which reaches the network by this name of the machine."""
        address = self.address.replace("127.0.0.1", host)
        config = CONFIG.format(address=address, us=US, second=self.second)
        (self.home / "config.toml").write_text(config, encoding="utf-8")
        process = self.run("listen")
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "Listening to 2 saved searches; Ctrl-C ends it.\n", first
        return process

    def run(self, *arguments: str) -> "subprocess.Popen[str]":
        return start(self.home, *arguments, PYTHONPATH=str(self.code))

    def requests(self) -> list[Request]:
        """Every request of a source so far, in the order of their beginnings."""
        found: dict[int, Request] = {}
        for line in self.log.read_text(encoding="utf-8").split("\n")[:-1]:  # one may be on its way
            row = json.loads(line)
            if row["what"] == "end" and row["number"] in found:
                found[row["number"]].end = row["at"]
            elif row["what"] == "begin" and row["path"].endswith(("/search/recent", "/mentions")):
                found[row["number"]] = Request(row["host"], row["path"], row["query"], row["at"])
        return list(found.values())

    def stored(self) -> list[str]:
        """The ids of the stored posts; empty as long as there is no database."""
        if not (self.home / "carerespond.db").exists():
            return []
        database = open_database(self.home / "carerespond.db", read_only=True)
        query: Query[str] = Query("SELECT post_id FROM posts", (), lambda row: str(row[0]))
        try:
            return database.fetch_now(query)
        finally:
            database.close_now()

    def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.address}/practice/truth").json()
        return found


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
    """Wait for a condition; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        select.select([], [], [], 0.02)
    return time.monotonic() - began


def wards(count: int) -> list[dict[str, Any]]:
    return [
        {"key": f"w{n}", "author": f"person{n % 5}", "text": f"ward {n}", "at": n - 300}
        for n in range(count)
    ]


@contextmanager
def installation(
    folder: Path, posts: int, code: Path = ROOT, *, second: str = "cafe"
) -> Iterator[Installation]:
    """A network with so many posts about wards, and a home folder on it.

    Args:
        folder: Where all of it lies.
        posts: How many posts there are.
        code: Where the program is imported from.
        second: The second saved search; the first is "ward".
    """
    home, log, hold = folder / "home", folder / "requests.jsonl", folder / "hold"
    home.mkdir()
    log.touch()
    script = folder / "posts.toml"
    script.write_text(toml({**SAMPLE, "post": wards(posts)}), encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, script, log, hold],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
    )
    assert server.stdout is not None
    try:
        yield Installation(home, server.stdout.readline().strip(), log, hold, code, second)
    finally:
        server.kill()
        server.communicate()


def ended(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> tuple[str, str]:
    """End a process by a signal; what it said."""
    process.send_signal(number)
    return process.communicate(timeout=PATIENCE)


def mutated(folder: Path, name: str, old: str, new: str) -> Path:
    """A copy of the package with one change, for PYTHONPATH: the planted bug."""
    copy = folder / "mutated"
    shutil.copytree(
        ROOT / "carerespond", copy / "carerespond", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = copy / "carerespond" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name} has changed: plant the bug anew"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return copy
