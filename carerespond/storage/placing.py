"""Placing stored cases anew by other rules: which posts count, and by which rules all stand.

The setting `rules_marks` holds every mark of rules (see `domain.rulebook.Rules`) by which an open
case may have been placed. Whoever stores posts adds the mark of its rules; whoever has placed
every case by one mark leaves that one alone. So a pass that was cut short can be told, whatever
rules the next program brings.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import Assessment, CaseState, Post, Priority
from carerespond.storage import feed
from carerespond.storage.cases import write_reasons
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.posts import POST_COLUMNS, as_post
from carerespond.storage.times import moment, ms

RULES = "rules"  # the kind of change on the feed

_NAME = "rules_marks"
_UNKNOWN = "?"
_PLACED_AT = "placed_at"
_NEARLY = 0.9  # several programs do not wake at quite the same moment


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a case stands. `handle` and `snippet` are raw; `reasons` is as it is stored."""

    case_id: int
    state: CaseState
    priority: Priority
    rule_priority: Priority
    score: float
    is_pinned: bool
    label: str
    reasons: str
    set_by: str | None
    handle: str
    snippet: str
    posted_at: datetime

    def pane(self, assessment: Assessment) -> Priority:
        """The pane by an assessment: a person's own choice yields to a new danger alone.

        A danger that was known when the person chose is no news.
        """
        is_news = assessment.is_pinned and not self.is_pinned
        return self.priority if self.set_by is not None and not is_news else assessment.priority


def _stand(row: Row) -> Stand:
    return Stand(
        case_id=row[0],
        state=CaseState(row[1]),
        priority=Priority(row[2]),
        rule_priority=Priority(row[3]),
        score=row[4],
        is_pinned=bool(row[5]),
        label=row[6],
        reasons=row[7],
        set_by=row[8],
        handle=row[9],
        snippet=row[10],
        posted_at=moment(row[11]),
    )


def stands(case_ids: Sequence[int]) -> Query[Stand]:
    """Where some cases stand, in no order."""
    return Query(
        "SELECT case_id, state, priority, rule_priority, score, is_pinned, label, reasons,"
        " priority_set_by, handle, snippet, posted_at FROM cases"
        " WHERE case_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(case_ids)),),
        _stand,
    )


def waiting() -> Query[int]:
    """The cases that are open or put off, in the order of the list: those on the screens first."""
    return Query(
        "SELECT case_id FROM cases WHERE state IN ('open', 'later') ORDER BY state DESC, priority,"
        " is_pinned DESC, score DESC, posted_at DESC, case_id DESC",
        (),
        scalar,
    )


def recent(since: datetime) -> Query[int]:
    """The cases of any state with a post since a moment."""
    return Query("SELECT case_id FROM cases WHERE posted_at >= ?", (ms(since),), scalar)


def counted(case_ids: Sequence[int]) -> Query[tuple[int, int, Post]]:
    """The posts that say where some cases stand, as they arrived: (case_id, post_row, post)."""
    return Query(
        f"SELECT case_id, post_row, {POST_COLUMNS} FROM posts"  # noqa: S608
        " WHERE case_id IN (SELECT value FROM json_each(?)) AND post_row >="
        " (SELECT counts_from FROM cases WHERE cases.case_id = posts.case_id)"
        " ORDER BY case_id, post_row",
        (json.dumps(list(case_ids)),),
        lambda row: (row[0], row[1], as_post(row[2:])),
    )


def texts(case_ids: Sequence[int]) -> Query[tuple[int, str, bool]]:
    """The words of the posts of `counted`, and whether a link goes with them, by case."""
    return Query(
        "SELECT case_id, text, has_link FROM posts"
        " WHERE case_id IN (SELECT value FROM json_each(?)) AND post_row >="
        " (SELECT counts_from FROM cases WHERE cases.case_id = posts.case_id)",
        (json.dumps(list(case_ids)),),
        lambda row: (row[0], row[1], bool(row[2])),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """Where cases stood before they were placed anew.

    Attributes:
        moved: Those that went into another pane.
        let_go: Those that were held as a possible danger, and are no longer.
    """

    moved: list[Stand]
    let_go: list[Stand]


def place(tx: Transaction, found: Mapping[int, Assessment], now: datetime) -> Placed:
    """Put cases where an assessment says, and say so on the feed.

    Args:
        tx: The open transaction.
        found: By case_id, the assessment of the most pressing of its posts that count.
        now: The present moment.

    Returns:
        The cases that are not where they were, as they stood before.
    """
    moved: list[Stand] = []
    let_go: list[Stand] = []
    changed: list[tuple[object, ...]] = []
    for stand in tx.fetch(stands(list(found))):
        if stand.state is CaseState.DONE:
            continue  # closed meanwhile
        assessment = found[stand.case_id]
        pane = stand.pane(assessment)
        after = (
            int(pane),
            int(assessment.priority),
            assessment.score,
            assessment.is_pinned,
            assessment.label,
            write_reasons(assessment.reasons),
        )
        before = (
            int(stand.priority),
            int(stand.rule_priority),
            stand.score,
            stand.is_pinned,
            stand.label,
            stand.reasons,
        )
        if after != before:
            changed.append((*after, stand.case_id))
        if pane is not stand.priority:
            moved.append(stand)
        if stand.is_pinned and not assessment.is_pinned:
            let_go.append(stand)
    tx.execute_many(
        "UPDATE cases SET priority = ?, rule_priority = ?, score = ?, is_pinned = ?, label = ?,"
        " reasons = ? WHERE case_id = ?",
        changed,
    )
    feed.announce_all(tx, RULES, [int(str(values[-1])) for values in changed], now)
    return Placed(moved, let_go)


def by_rules(tx: Transaction, case_ids: Sequence[int]) -> None:
    """Put cases that no person has placed where the rules had put them last.

    The caller announces them.
    """
    tx.execute(
        "UPDATE cases SET priority = rule_priority WHERE priority_set_by IS NULL"
        " AND priority <> rule_priority AND case_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(case_ids)),),
    )


# -- by which rules all stand ------------------------------------------------------------------


def marks(tx: Transaction) -> frozenset[str]:
    """By which rules cases may have been placed; empty when there are none yet."""
    return frozenset(_marks(tx.fetch(_MARKS)))


def stored_marks() -> Query[str]:
    """The same as it is stored, one result or none; for those who only look."""
    return _MARKS


_MARKS: Query[str] = Query("SELECT value FROM settings WHERE name = ?", (_NAME,), scalar)


def _marks(found: Sequence[str]) -> Iterator[str]:
    return (mark for text in found for mark in text.split())


def _keep(tx: Transaction, found: frozenset[str]) -> None:
    tx.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_NAME, " ".join(sorted(found))),
    )


def is_due(tx: Transaction, now: datetime, seconds: float) -> bool:
    """Whether nobody has placed the waiting cases for so long; whoever asks does so from here."""
    found = tx.fetch(Query("SELECT value FROM settings WHERE name = ?", (_PLACED_AT,), scalar))
    at = int(found[0]) if found and str(found[0]).isdigit() else 0
    if 0 <= ms(now) - at < seconds * 1000 * _NEARLY:
        return False
    tx.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_PLACED_AT, str(ms(now))),
    )
    return True


def note(tx: Transaction, mark: str) -> None:
    """Cases are placed by these rules in this transaction."""
    found = marks(tx)
    if mark not in found:
        _keep(tx, found | {mark})


def begin(tx: Transaction, mark: str) -> frozenset[str]:
    """Begin to place every waiting case by these rules; by which others they may stand so far."""
    before = marks(tx) or frozenset({_UNKNOWN})
    _keep(tx, before | {mark})
    return before


def end(tx: Transaction, mark: str, before: frozenset[str], now: datetime) -> bool:
    """Every case is placed by these rules; False when somebody has placed some by others since."""
    if marks(tx) - before - {mark}:
        return False
    _keep(tx, frozenset({mark}))
    feed.announce(tx, RULES, None, now)
    return True
