"""Drafts: one a case, operator and kind, kept until a person decides.

Nothing moves or drops a draft by itself: not a colleague's take-over, not a new post, not the end
of the program. A draft that was queued or discarded is out of sight with its text kept;
`restore` and `give_back` bring it into sight again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carerespond.domain.models import Draft, DraftKind
from carerespond.storage import feed
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

_COLUMNS = "case_id, operator, kind, text, fingerprint, started_at, saved_at, version"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a draft lies; public and private are never the same row."""

    case_id: int
    operator: str
    kind: DraftKind

    def key(self) -> tuple[int, str, str]:
        """The row's key."""
        return (self.case_id, self.operator, self.kind.value)


def _draft(row: Row) -> Draft:
    return Draft(
        case_id=row[0],
        operator=row[1],
        kind=DraftKind(row[2]),
        text=row[3],
        fingerprint=row[4],
        started_at=moment(row[5]),
        saved_at=moment(row[6]),
        version=row[7],
    )


_AT = "case_id = ? AND operator = ? AND kind = ?"


def draft(case_id: int, operator: str, kind: DraftKind) -> Query[Draft]:
    """The draft in a place, when there is one in sight."""
    return Query(
        f"SELECT {_COLUMNS} FROM drafts WHERE {_AT} AND discarded_at IS NULL",  # noqa: S608
        (case_id, operator, kind.value),
        _draft,
    )


def drafts(operator: str) -> Query[Draft]:
    """One person's drafts with words in them, newest first."""
    return Query(
        f"SELECT {_COLUMNS} FROM drafts WHERE operator = ? AND discarded_at IS NULL"  # noqa: S608
        " AND text <> '' ORDER BY saved_at DESC, case_id",
        (operator,),
        _draft,
    )


def drafts_of_case(case_id: int) -> Query[Draft]:
    """Everybody's drafts on a case, in sight and with words in them, oldest first."""
    return Query(
        f"SELECT {_COLUMNS} FROM drafts WHERE case_id = ? AND discarded_at IS NULL"  # noqa: S608
        " AND text <> '' ORDER BY started_at, operator",
        (case_id,),
        _draft,
    )


def remembered(case_id: int, operator: str, kind: DraftKind) -> Query[list[dict[str, Any]]]:
    """What the conversation was when the draft began, as `domain.threads.remember` made it."""
    return Query(
        f"SELECT thread FROM drafts WHERE {_AT}",  # noqa: S608
        (case_id, operator, kind.value),
        lambda row: list(json.loads(row[0])),
    )


def begin(
    tx: Transaction,
    place: Place,
    fingerprint: str,
    thread: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Draft:
    """The draft in this place, begun now unless one is in sight already.

    A draft in sight keeps its text and what it remembers of the conversation. A discarded or
    sent one makes room for an empty one; its version goes on rising.
    """
    found = tx.fetch(draft(place.case_id, place.operator, place.kind))
    if found:
        return found[0]
    kept = json.dumps(list(thread), ensure_ascii=False)
    tx.execute(
        "INSERT INTO drafts (case_id, operator, kind, text, fingerprint, thread, started_at,"
        " saved_at) VALUES (?, ?, ?, '', ?, ?, ?, ?) ON CONFLICT (case_id, operator, kind)"
        " DO UPDATE SET text = '', fingerprint = excluded.fingerprint, thread = excluded.thread,"
        " started_at = excluded.started_at, saved_at = excluded.saved_at,"
        " version = version + 1, discarded_at = NULL",
        (*place.key(), fingerprint, kept, ms(now), ms(now)),
    )
    return tx.fetch(draft(place.case_id, place.operator, place.kind))[0]


def remember_again(
    tx: Transaction,
    place: Place,
    fingerprint: str,
    thread: Sequence[Mapping[str, Any]],
) -> bool:
    """Take the conversation as now seen: its changes have been looked at. False without a draft."""
    changed = tx.execute(
        f"UPDATE drafts SET fingerprint = ?, thread = ? WHERE {_AT}"  # noqa: S608
        " AND discarded_at IS NULL",
        (fingerprint, json.dumps(list(thread), ensure_ascii=False), *place.key()),
    )
    return changed == 1


def save(
    tx: Transaction, place: Place, text: str, now: datetime, *, begun: str | None = None
) -> int:
    """Keep the text; a draft that is not in sight comes into sight when its text has changed.

    So a late save of a text that has been queued meanwhile does not make a second copy of it.

    Args:
        tx: The open transaction.
        place: Where the draft lies.
        text: What the writer has now.
        now: The moment.
        begun: What the writer had last, when it is known: what lies in this place beyond it was
            typed in another terminal, and is kept below the text.

    Returns:
        The draft's version, which rises when the text has changed.
    """
    if begun is not None:
        found = tx.fetch(draft(place.case_id, place.operator, place.kind))
        text = _joined(text, _beyond(found[0].text, begun)) if found else text
    tx.execute(
        "INSERT INTO drafts (case_id, operator, kind, text, started_at, saved_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (case_id, operator, kind) DO UPDATE SET"
        " version = version + (text <> excluded.text), text = excluded.text,"
        " saved_at = excluded.saved_at,"
        " discarded_at = CASE WHEN text = excluded.text THEN discarded_at END",
        (*place.key(), text, ms(now), ms(now)),
    )
    return _version(tx, place)


def discard(tx: Transaction, place: Place, now: datetime) -> bool:
    """Put a draft out of sight, its text kept; False when there was none in sight."""
    changed = tx.execute(
        f"UPDATE drafts SET discarded_at = ? WHERE {_AT} AND discarded_at IS NULL",  # noqa: S608
        (ms(now), *place.key()),
    )
    if changed:
        feed.announce(tx, "draft", place.case_id, now)
    return changed == 1


def restore(tx: Transaction, place: Place, now: datetime) -> Draft | None:
    """Bring a discarded draft back into sight.

    Returns:
        The draft; None when there is none, or its text has become an answer in the outbox.
    """
    tx.execute(
        f"UPDATE drafts SET discarded_at = NULL, saved_at = ? WHERE {_AT}"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.case_id = drafts.case_id"
        "  AND outbox.operator = drafts.operator AND outbox.kind = drafts.kind"
        "  AND outbox.draft_version = drafts.version"
        "  AND outbox.state IN ('queued', 'sending', 'sent', 'unknown', 'hand-off'))",
        (ms(now), *place.key()),
    )
    found = tx.fetch(draft(place.case_id, place.operator, place.kind))
    if found:
        feed.announce(tx, "draft", place.case_id, now)
    return found[0] if found else None


def give_back(tx: Transaction, place: Place, text: str, now: datetime) -> int:
    """Make the text of an answer that was not sent a draft again, in the same place.

    Should another draft have been begun there meanwhile, both texts are kept, one after the other.

    Returns:
        The draft's version.
    """
    found = tx.fetch(draft(place.case_id, place.operator, place.kind))
    present = found[0].text if found else ""
    if present.strip():
        text = present if text in present else _joined(present, text)
    version = save(tx, place, text, now)
    tx.execute(f"UPDATE drafts SET discarded_at = NULL WHERE {_AT}", place.key())  # noqa: S608
    feed.announce(tx, "draft", place.case_id, now)
    return version


_GAP = "\n\n"


def _joined(text: str, other: str) -> str:
    """Both texts, one below the other; a text that has the other in it already stands alone."""
    if not other.strip() or other in text:
        return text
    return other if other.startswith(text.strip()) else f"{text}{_GAP}{other}"


def _beyond(stored: str, begun: str) -> str:
    """What a stored text has beyond the writer's own part of it; all when that is not there."""
    if stored == begun:
        return ""
    if begun.strip() and stored.startswith(begun + _GAP):
        return stored.removeprefix(begun + _GAP)
    if begun.strip() and stored.endswith(_GAP + begun):
        return stored.removesuffix(_GAP + begun)
    return stored


def _version(tx: Transaction, place: Place) -> int:
    version: int = tx.fetch(
        Query(f"SELECT version FROM drafts WHERE {_AT}", place.key(), scalar)  # noqa: S608
    )[0]
    return version
