"""What would move: stored cases placed by rules that are not in force. Nothing is changed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carerespond.domain.models import Post, Priority
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import may_differ
from carerespond.services.assessing import Assessor, Earlier, look_back
from carerespond.services.resorting import Counted, most_pressing
from carerespond.storage import placing
from carerespond.storage.database import Database

DAYS = 30
_MANY = 1_000  # cases looked through at once


@dataclass(frozen=True, slots=True)
class Move:
    """A case that would go into another pane. `handle` and `snippet` are raw."""

    case_id: int
    handle: str
    snippet: str
    before: Priority
    after: Priority
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What other rules would change.

    Attributes:
        days: How far back was looked.
        cases: How many cases of any state have a post since.
        let_go: How many would no longer be held as a possible danger.
        moves: Those that would move: first where they would go, then where they stand, then newest.
    """

    days: float
    cases: int
    moves: tuple[Move, ...]
    let_go: int = 0

    @property
    def counts(self) -> Mapping[tuple[Priority, Priority], int]:
        """How many would go from one pane to another, the most pressing end first."""
        return Counter((move.before, move.after) for move in self.moves)


async def what_if(
    database: Database,
    assessor: Assessor,
    rules: Rules,
    now: datetime,
    *,
    days: float = DAYS,
) -> WhatIf:
    """Which stored cases other rules would place otherwise than those of this moment.

    Args:
        database: Where the cases are; it is only read.
        assessor: Goes by the rules of this moment.
        rules: The other rules.
        now: The present moment.
        days: Cases with a post since then are looked at, whatever their state.
    """
    case_ids = await database.fetch(placing.recent(now - timedelta(days=days)))
    differs = may_differ(assessor.rules, rules)
    moves: list[Move] = []
    let_go = 0
    for start in range(0, len(case_ids), _MANY):
        part = case_ids[start : start + _MANY]
        texts = await database.fetch(placing.texts(part))
        touched = await asyncio.to_thread(_touched, texts, differs)
        posts = await database.fetch(placing.counted(touched))
        stands = await database.fetch(placing.stands(touched))
        earlier = look_back([post for _, _, post in posts], database.fetch_now, is_stored=True)
        by = (assessor, rules, earlier)
        found, lost = await asyncio.to_thread(_moves, stands, posts, *by)
        moves += found
        let_go += lost
    moves.sort(key=lambda one: (one.after, one.before, -one.posted_at.timestamp(), one.case_id))
    return WhatIf(days, len(case_ids), tuple(moves), let_go)


def _touched(
    texts: Sequence[tuple[int, str, bool]], differs: Callable[[str, bool], bool]
) -> list[int]:
    return sorted({case_id for case_id, text, has_link in texts if differs(text, has_link)})


def _moves(
    stands: Sequence[placing.Stand],
    posts: Counted,
    assessor: Assessor,
    rules: Rules,
    earlier: Earlier,
) -> tuple[list[Move], int]:
    """Those that would move, and how many would no longer be held."""
    by_case: dict[int, list[Post]] = {}
    for case_id, _, post in posts:
        by_case.setdefault(case_id, []).append(post)
    found, let_go = [], 0
    for stand in stands:
        own = by_case.get(stand.case_id)
        if own is None:
            continue
        now_is = most_pressing(assessor(post, earlier) for post in own)
        would_be = most_pressing(assessor.by(rules, post, earlier) for post in own)
        let_go += now_is.is_pinned and not would_be.is_pinned
        before, after = stand.pane(now_is), stand.pane(would_be)
        if before is not after:
            found.append(
                Move(stand.case_id, stand.handle, stand.snippet, before, after, stand.posted_at)
            )
    return found, let_go
