"""What is known of an author when a post arrives, and after it is stored."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from carerespond.config import Config
from carerespond.domain.models import Assessment, Author, Post
from carerespond.domain.rulebook import load_rules
from carerespond.services.assessing import Assessor, look_back
from carerespond.storage import posts
from carerespond.storage.database import Database
from tests.sending import START, opened

RULES = """
[[group]]
id = "wait"
kind = "complaint"
weight = 2.0
reason = "a long wait"
patterns = ["so long"]
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as made:
        yield made


@cache
def assessor() -> Assessor:
    rules = load_rules(RULES, "rules")
    return Assessor(rules, Config("St Elsewhere", reply_minutes={}), lambda: START)


def written(number: int, author: str = "a", thread: str = "", minutes: int = 0) -> Post:
    return Post(
        "x",
        f"p{number}",
        Author("x", author, author),
        "so long",
        START + timedelta(minutes=minutes),
        conversation=thread or f"p{number}",
    )


def arrive(database: Database, post: Post) -> dict[str, float]:
    earlier = look_back([post], database.fetch_now)
    assessed = assessor()(post, earlier)
    found = [(post, assessed, None)]
    database.write_now(lambda tx: posts.store_page(tx, "search:a", found, account="x", now=START))
    return known(assessed)


def again(database: Database, post: Post) -> dict[str, float]:
    return known(assessor()(post, look_back([post], database.fetch_now, is_stored=True)))


def known(assessed: Assessment) -> dict[str, float]:
    return {one.rule: one.points for one in assessed.reasons if one.rule != "wait"}


def test_earlier_cases_count_up_to_the_most(database: Database) -> None:
    points = [
        arrive(database, written(number)).get("context.seen_before", 0) for number in range(1, 7)
    ]
    assert points == [0, 0.3, 0.6, 0.9, 0.9, 0.9]
    assert arrive(database, written(7, author="b")) == {}
    assert again(database, written(2)) == {"context.seen_before": 0.3}, "those after it do not"


def test_a_further_post_of_an_open_case_is_nothing_new(database: Database) -> None:
    arrive(database, written(1))
    assert arrive(database, written(2, thread="p1", minutes=5)) == {}


def test_whoever_writes_after_the_end_of_a_case_wrote_again(database: Database) -> None:
    arrive(database, written(1))
    database.write_now(lambda tx: tx.execute("UPDATE cases SET state = 'done'", ()))
    reply = written(2, thread="p1", minutes=5)
    assert arrive(database, reply) == {"context.wrote_again": 1.0}
    assert again(database, reply) == {"context.wrote_again": 1.0}, "and so it stays"


def test_a_stored_post_of_a_case_that_is_put_off_did_not_write_again(database: Database) -> None:
    arrive(database, written(1))
    database.write_now(lambda tx: tx.execute("UPDATE cases SET state = 'later'", ()))
    assert again(database, written(1)) == {}
