"""Taking posts in: parse, triage, store and index, beside plain `sqlite3` on the same tables.

The anchor writes the same rows of posts, cases, matches and changes into the product's own schema,
triggers and full-text index included, with one `executemany` each and a commit every 100 posts.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from carerespond.cli import wiring
from carerespond.config import Config, parse_config
from carerespond.domain.models import Assessment, Post, Priority
from carerespond.networks.x_wire import Us, read_page
from carerespond.services.assessing import Assessor
from carerespond.storage import posts
from carerespond.storage.cases import write_reasons
from carerespond.storage.database import Transaction
from carerespond.storage.sqlite import connect, open_database
from carerespond.storage.times import ms
from tests.benchmarks import support
from tests.benchmarks.data import CONFIG, NOBODY, START, make_post
from tests.benchmarks.support import Figure, middle

COUNT, BATCH = 5_000, 100
US = Us("1000000000000000001", "StElsewhere")
_SOMEWHERE = Assessment(Priority.WATCH, 0.0, ())


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Take the same posts in, each way in turn."""
    pages = [_page(start) for start in range(0, COUNT, BATCH)]
    config = parse_config(CONFIG.format(base_url=NOBODY, token_file="unused"), "config.toml")
    ways: dict[str, Callable[[Path], float]] = {
        "raw": lambda path: _raw(path, pages),
        "stored": lambda path: _stored(path, pages, None),
        "whole": lambda path: _stored(path, pages, wiring.make_assessor(config, lambda: START)),
        "again": lambda path: _again(path, pages),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(3, given.runs // 2)):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(prefix="carerespond-bench-") as folder:
                rates[name].append(COUNT / way(Path(folder) / "carerespond.db"))
    raw, stored, whole, again = (middle(rates[name]) for name in ways)
    triage = _triage_rate(config)
    return [
        Figure("taken in, plain sqlite3 (posts a CPU second)", raw, "/s"),
        Figure("taken in without triage: parsed and stored", stored, "/s"),
        Figure("taken in without triage, of plain sqlite3's", stored / raw, ">=x", 0.5),
        Figure("taken in whole: parsed, triaged, stored", whole, "/s"),
        Figure("taken in whole, of plain sqlite3's", whole / raw, "x"),
        Figure("triage alone", triage, "/s"),
        Figure("posts seen again", again, "/s"),
    ]


def _page(start: int) -> bytes:
    """An answer of X's search with a hundred posts."""
    made = [make_post(number) for number in range(start, start + BATCH)]
    records = [
        {
            "id": post.post_id,
            "author_id": post.author.author_id,
            "text": post.text,
            "created_at": post.created_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conversation_id": post.conversation,
            "edit_history_tweet_ids": [post.post_id],
            "lang": "en",
            "reply_settings": "everyone",
            "public_metrics": {"like_count": 1, "retweet_count": 0, "reply_count": 0},
            **({"referenced_tweets": [_parent(post)]} if post.in_reply_to else {}),
        }
        for post in made
    ]
    users = {
        post.author.author_id: {
            "id": post.author.author_id,
            "username": post.author.handle,
            "name": post.author.name,
            "public_metrics": {"followers_count": post.author.followers},
        }
        for post in made
    }
    return json.dumps({"data": records, "includes": {"users": list(users.values())}}).encode()


def _parent(post: Post) -> dict[str, str | None]:
    return {"type": "replied_to", "id": post.in_reply_to}


def _stored(path: Path, pages: Sequence[bytes], assessor: Assessor | None) -> float:
    """CPU seconds of the product's own way, on one thread."""
    database = open_database(path)
    try:
        began = time.process_time()
        for raw in pages:
            good, _ = read_page(json.loads(raw), US)
            assessed: list[posts.Assessed] = [
                (post, assessor(post), assessor.service(post))
                if assessor
                else (post, _SOMEWHERE, None)
                for post in good
            ]

            def store(tx: Transaction, assessed: Sequence[posts.Assessed] = assessed) -> None:
                posts.store_page(tx, "search:names-us", assessed, account="x", now=START)

            database.write_now(store)
        return time.process_time() - began
    finally:
        database.close_now()


def _again(path: Path, pages: Sequence[bytes]) -> float:
    """CPU seconds of taking in what is all known."""
    _stored(path, pages, None)
    return _stored(path, pages, None)


def _raw(path: Path, pages: Sequence[bytes]) -> float:
    """CPU seconds of the anchor; its rows are made beforehand."""
    batches = [_rows(list(read_page(json.loads(raw), US)[0])) for raw in pages]
    open_database(path).close_now()
    connection = connect(path)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        began = time.process_time()
        for cases, stored in batches:
            connection.execute("BEGIN IMMEDIATE")
            _insert(connection, "cases", _CASES, cases)
            _insert(connection, "posts", _POSTS, stored)
            _insert(
                connection,
                "matches",
                ("post_row", "source_id", "matched_at"),
                [(row[0], "search:names-us", 0) for row in stored],
            )
            _insert(
                connection,
                "changes",
                ("kind", "case_id", "changed_at"),
                [("case", row[0], 0) for row in cases],
            )
            connection.execute("COMMIT")
        return time.process_time() - began
    finally:
        connection.close()


def _insert(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    places = ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
        rows,
    )


_CASES = (
    *("case_id", "network", "account", "conversation", "author_id", "handle", "name", "snippet"),
    *("head_post", "posted_at", "first_seen_at", "priority", "rule_priority", "reasons"),
)
_POSTS = (
    *("post_row", "network", "post_id", "version_id", "author_id", "handle", "name", "followers"),
    *("text", "url", "lang", "created_at", "in_reply_to", "conversation", "first_seen_at"),
    *("case_id", "raw"),
)
_Rows = list[tuple[object, ...]]


def _rows(found: Sequence[Post]) -> tuple[_Rows, _Rows]:
    cases: _Rows = []
    stored: _Rows = []
    reasons = write_reasons(())
    for post in found:
        number = int(post.post_id) - 1_900_000_000_000_000_000 + 1
        at, who = ms(post.created_at), post.author
        case = (number, "x", "x", post.conversation, who.author_id, who.handle, who.name)
        cases.append((*case, posts.snippet(post.text), number, at, at, 4, 4, reasons))
        row = (number, "x", post.post_id, post.post_id, who.author_id, who.handle, who.name)
        rest = (who.followers, post.text, post.url, "en", at, post.in_reply_to, post.conversation)
        stored.append((*row, *rest, at, number, post.raw))
    return cases, stored


def _triage_rate(config: Config) -> float:
    """Posts a CPU second."""
    assessor = wiring.make_assessor(config, lambda: START)
    made = [make_post(number) for number in range(1_000)]
    began = time.process_time()
    for post in made:
        assessor(post)
        assessor.service(post)
    return len(made) / (time.process_time() - began)


if __name__ == "__main__":
    support.tell(measure)
