"""What was learned from the team's own moves: one row of this database, and the way to forget it.

The row holds words that patients wrote. Whatever replaces or removes it overwrites its bytes in the
file; `SqliteDatabase.empty_log_now` does the same for the log.
"""

from dataclasses import dataclass
from datetime import datetime

from carerespond.storage import feed, history
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.history import Act

_MODEL = "learned"
_FORGOTTEN = "learned_after"
CHANGED = "learned"  # on the change feed


@dataclass(frozen=True, slots=True)
class Stored:
    """What was learned, as text, and a mark of what it was learned from; both "" when nothing."""

    model: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """The last pane that a person set for a case, and when."""

    case_id: int
    pane: int
    at: datetime


def stored() -> Query[Stored]:
    """What was learned; no row when nothing was."""
    return Query("SELECT value FROM settings WHERE name = ?", (_MODEL,), _stored)


def _stored(row: Row) -> Stored:
    mark, _, model = str(row[0]).partition("\n")
    return Stored(model, mark)


def forgotten_to() -> Query[int]:
    """The history_id up to which nothing counts any more; no row when all counts."""
    return Query(
        "SELECT CAST(value AS INTEGER) FROM settings WHERE name = ?", (_FORGOTTEN,), scalar
    )


def standing(acts: list[Act]) -> list[Decided]:
    """What people decided, by these acts: the last pane of each case, without what was undone.

    The one decided last stands last.
    """
    taken_back: set[int] = set()
    found: dict[int, Decided] = {}
    for act in reversed(acts):
        if act.history_id in taken_back:
            continue
        if act.undoes is not None:
            taken_back.add(act.undoes)
        elif act.action in (history.RAISE, history.LOWER):
            for move in act.moves:
                if move.table == "cases" and move.column == "priority":
                    pane = int(move.after or 0)
                    found.setdefault(move.case_id, Decided(move.case_id, pane, act.done_at))
    return list(found.values())[::-1]


def keep(tx: Transaction, new: Stored, forgotten: int, now: datetime) -> bool:
    """Keep what was learned, or that there is nothing; tell followers.

    Args:
        tx: The open transaction.
        new: What to keep in place of what there is.
        forgotten: What `forgotten_to` said when learning began.
        now: The present moment.

    Returns:
        False when a person has had everything forgotten meanwhile: nothing was kept.
    """
    if (tx.fetch(forgotten_to()) or [0])[0] != forgotten:
        return False
    _remove(tx)
    if new.model:
        value = f"{new.mark}\n{new.model}"
        tx.execute("INSERT INTO settings (name, value) VALUES (?, ?)", (_MODEL, value))
    feed.announce(tx, CHANGED, None, now)
    return True


def forget(tx: Transaction, now: datetime) -> bool:
    """Remove what was learned, and let no decision of before count again; False: nothing was."""
    was_there = _remove(tx)
    tx.execute(
        "INSERT INTO settings (name, value) SELECT ?, coalesce(max(history_id), 0) FROM history"
        " WHERE true ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_FORGOTTEN,),
    )
    feed.announce(tx, CHANGED, None, now)
    return was_there


def _remove(tx: Transaction) -> bool:
    """Remove the row and overwrite its bytes, which SQLite would else leave in the file."""
    before = int(tx.fetch(Query("PRAGMA secure_delete", (), scalar))[0])
    tx.execute("PRAGMA secure_delete = ON")
    try:
        return tx.execute("DELETE FROM settings WHERE name = ?", (_MODEL,)) == 1
    finally:
        tx.execute(f"PRAGMA secure_delete = {before}")
