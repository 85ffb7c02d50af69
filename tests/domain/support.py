"""Posts, cases and rules for the tests of the domain."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from carerespond.config import lexicon_texts, rules_texts
from carerespond.domain.models import Assessment, Author, Case, CaseState, Post, Priority
from carerespond.domain.rulebook import Rules, read_rules

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def author(number: int = 1, handle: str = "sunny77", **more: object) -> Author:
    return Author("x", f"u{number}", handle, "Sam Hill", **more)  # type: ignore[arg-type]  # by name


def post(
    text: str = "the wait was so long", post_id: str = "p1", minutes: int = 0, **more: object
) -> Post:
    by = more.pop("author", author())
    at = NOW + timedelta(minutes=minutes)
    return Post("x", post_id, by, text, at, **more)  # type: ignore[arg-type]  # by name


def case(head: Post | None = None, **more: object) -> Case:
    head = head or post(mentions_us=True)
    values: dict[str, object] = {
        "case_id": 1,
        "network": "x",
        "account": "trust",
        "conversation": "p1",
        "author": head.author,
        "head": head,
        "state": CaseState.OPEN,
        "assessment": Assessment(Priority.TODAY, 3.0),
    }
    return Case(**(values | more))  # type: ignore[arg-type]  # by name


@cache
def shipped_rules() -> Rules:
    return read_rules(rules_texts(), lexicon_texts())


def changed_rules(change: Callable[[str], str]) -> Rules:
    """The shipped rules with every file put through `change`."""
    return read_rules([(change(text), source) for text, source in rules_texts()], lexicon_texts())
