"""What follows from the end of a reply: the case, its history and the writer's draft.

Each function is part of a caller's transaction, so that a reply's state and all that follows from
it are on disk together or not at all.
"""

from datetime import datetime

from carerespond.domain.models import Outcome, Reply
from carerespond.storage import drafts, history
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.history import Change, Value
from carerespond.storage.times import ms

ANSWERED = "answered"


def close_answered(tx: Transaction, row: Reply, remote_id: str, now: datetime) -> None:
    """Record a sent reply, and close its case unless the person has written again since.

    The act is the reply's: it names the operator who sent it, and no undo takes it back.
    """
    changes: list[Change] = []
    if _answers_newest(tx, row):
        values: dict[str, Value] = {"state": "done", "outcome": Outcome.ANSWERED.value}
        values |= {"closed_at": ms(now)}
        values |= {"snoozed_until": None, "wrote_again": 0, "claimed_until": None}
        changes = [Change("cases", row.case_id, name, value) for name, value in values.items()]
    tx.execute(
        "UPDATE cases SET writing = NULL, writing_since = NULL WHERE case_id = ? AND writing = ?",
        (row.case_id, row.operator),
    )
    act = history.apply(tx, row.operator, row.session, history.SENT, changes, now, detail=remote_id)
    if act is None:
        note(tx, row, history.SENT, now, remote_id)


def back_to_draft(tx: Transaction, row: Reply, action: str, now: datetime, detail: str = "") -> int:
    """Make a reply's text the writer's draft again, and record why.

    Returns:
        The draft's version.
    """
    place = drafts.Place(row.case_id, row.operator, row.kind)
    version = drafts.give_back(tx, place, row.text, now)
    note(tx, row, action, now, detail)
    return version


def note(tx: Transaction, row: Reply, action: str, now: datetime, detail: str = "") -> None:
    """Record something about a reply under its writer's name."""
    history.note_down(
        tx, row.operator, row.session, action, now, case_id=row.case_id, detail=detail
    )


def _answers_newest(tx: Transaction, row: Reply) -> bool:
    found = tx.fetch(
        Query(
            "SELECT 1 FROM cases JOIN posts ON posts.post_row = cases.head_post"
            " WHERE cases.case_id = ? AND cases.state <> 'done' AND posts.post_id = ?",
            (row.case_id, row.in_reply_to),
            scalar,
        )
    )
    return bool(found)
