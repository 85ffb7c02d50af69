"""Who did what, as moves that can be taken back: every local verb is one row, however many cases.

A move says which table, key and column went from which value to which. Undo puts `before` back
and redo puts `after` back, each as a further row: history is only ever added to. Only the columns
in `MOVABLE` can move, so that no row of history can reach a reply, a draft or a post.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carerespond.domain.errors import ConflictError, NotAllowedError
from carerespond.storage import feed
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

Value = str | int | float | None

MOVABLE: Mapping[str, frozenset[str]] = {
    "cases": frozenset(
        {
            "state",
            "priority",
            "priority_set_by",
            "service",
            "owner",
            "claimed_until",
            "outcome",
            "closed_at",
            "snoozed_until",
            "is_unread",
            "is_starred",
            "is_muted",
            "wrote_again",
        }
    ),
    "labels": frozenset({"label"}),
    "notes": frozenset({"removed_at"}),
}

UNDO = "undo"
REDO = "redo"
# A person moves cases from pane to pane: what can be learned from.
RAISE = "raise"
LOWER = "lower"
# Moves that only record what happened: no key takes them back.
SENT = "sent"
_KEPT = frozenset({SENT})

_PAGE = 64


@dataclass(frozen=True, slots=True)
class Change:
    """A value to set. `key` is a case_id, a note_id, or (case_id, label) for a label's presence."""

    table: str
    key: int | tuple[int, str]
    column: str
    after: Value


@dataclass(frozen=True, slots=True)
class Move:
    """A change with what it replaced, and the case that it belongs to."""

    table: str
    key: int | tuple[int, str]
    column: str
    before: Value
    after: Value
    case_id: int

    def reverse(self) -> "Move":
        """The move back."""
        return Move(self.table, self.key, self.column, self.after, self.before, self.case_id)

    def place(self) -> tuple[str, int | tuple[int, str], str]:
        """What moved, whatever its values."""
        return (self.table, self.key, self.column)


@dataclass(frozen=True, slots=True)
class Act:
    """One row of history. `detail` is for people; `undoes` is the row that this one takes back."""

    history_id: int
    done_at: datetime
    operator: str
    session: str
    action: str
    case_id: int | None
    moves: tuple[Move, ...]
    undoes: int | None
    detail: str

    @property
    def case_ids(self) -> tuple[int, ...]:
        """The cases that it touched, each once, in order."""
        touched = dict.fromkeys(move.case_id for move in self.moves)
        return tuple(touched) or ((self.case_id,) if self.case_id is not None else ())


_COLUMNS = "history_id, done_at, operator, session, action, case_id, moves, undoes, detail"


def _act(row: Row) -> Act:
    return Act(
        history_id=row[0],
        done_at=moment(row[1]),
        operator=row[2],
        session=row[3],
        action=row[4],
        case_id=row[5],
        moves=tuple(_move(parts) for parts in json.loads(row[6])),
        undoes=row[7],
        detail=row[8],
    )


def _move(parts: list[Any]) -> Move:
    table, key, column, before, after, case_id = parts
    place = (int(key[0]), str(key[1])) if isinstance(key, list) else int(key)
    return Move(table, place, column, before, after, case_id)


def acts(case_id: int, limit: int = 200) -> Query[Act]:
    """What was done to one case, newest first; bulk acts are found by their moves."""
    return Query(
        f"SELECT {_COLUMNS} FROM history AS h WHERE case_id = ? OR (case_id IS NULL AND EXISTS"  # noqa: S608
        " (SELECT 1 FROM json_each(h.moves) AS m WHERE json_extract(m.value, '$[5]') = ?))"
        " ORDER BY history_id DESC LIMIT ?",
        (case_id, case_id, limit),
        _act,
    )


def pane_moves(after_id: int, limit: int = -1) -> Query[Act]:
    """People's moves of cases between panes, and all that was undone and redone; oldest first."""
    return Query(
        f"SELECT {_COLUMNS} FROM history WHERE history_id > ? AND action IN (?, ?, ?, ?)"  # noqa: S608
        " ORDER BY history_id LIMIT ?",
        (after_id, RAISE, LOWER, UNDO, REDO, limit),
        _act,
    )


def newest() -> Query[int]:
    """The newest row's history_id; 0 when nothing was done yet."""
    return Query("SELECT coalesce(max(history_id), 0) FROM history", (), scalar)


def _older(before_id: int, operator: str, session: str) -> Query[Act]:
    return Query(
        f"SELECT {_COLUMNS} FROM history WHERE history_id < ? AND operator = ? AND session = ?"  # noqa: S608
        " AND moves <> '[]' ORDER BY history_id DESC LIMIT ?",
        (before_id, operator, session, _PAGE),
        _act,
    )


def _newer(after_id: int) -> Query[Act]:
    return Query(
        f"SELECT {_COLUMNS} FROM history WHERE history_id > ? AND moves <> '[]'"  # noqa: S608
        " ORDER BY history_id DESC",
        (after_id,),
        _act,
    )


def note_down(
    tx: Transaction,
    operator: str,
    session: str,
    action: str,
    now: datetime,
    *,
    case_id: int | None = None,
    moves: Sequence[Move] = (),
    undoes: int | None = None,
    detail: str = "",
) -> int:
    """Add one row to history and say so on the feed; nothing else is changed.

    Returns:
        The row's history_id.
    """
    touched = dict.fromkeys(move.case_id for move in moves)
    if case_id is None and len(touched) == 1:
        case_id = next(iter(touched))
    for changed in touched or ((case_id,) if case_id is not None else ()):
        feed.announce(tx, "case", changed, now)
    written = json.dumps(
        [[m.table, m.key, m.column, m.before, m.after, m.case_id] for m in moves],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return tx.insert(
        "INSERT INTO history (done_at, operator, session, action, case_id, moves, undoes, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (ms(now), operator, session, action, case_id, written, undoes, detail),
    )


def apply(
    tx: Transaction,
    operator: str,
    session: str,
    action: str,
    changes: Iterable[Change],
    now: datetime,
    *,
    detail: str = "",
) -> Act | None:
    """Set values, and record all of them as one row of history.

    Changes that would change nothing are left out.

    Returns:
        What was recorded; None when everything already was as asked, and nothing was recorded.

    Raises:
        NotAllowedError: A case or note does not exist.
        ValueError: A column that may not move.
    """
    moves: list[Move] = []
    for change in changes:
        before = _present(tx, change.table, change.key, change.column)
        if before != change.after:
            case_id = _case_of(tx, change.table, change.key)
            move = Move(change.table, change.key, change.column, before, change.after, case_id)
            _put(tx, move)
            moves.append(move)
    if not moves:
        return None
    history_id = note_down(tx, operator, session, action, now, moves=moves, detail=detail)
    only = moves[0].case_id if len({move.case_id for move in moves}) == 1 else None
    at = moment(ms(now))
    return Act(history_id, at, operator, session, action, only, tuple(moves), None, detail)


def change_cases(
    tx: Transaction,
    operator: str,
    session: str,
    action: str,
    case_ids: Iterable[int],
    values: Mapping[str, Value],
    now: datetime,
    *,
    detail: str = "",
) -> Act | None:
    """Set the same columns on several cases as one act; see `apply`."""
    changes = [
        Change("cases", case_id, column, value)
        for case_id in case_ids
        for column, value in values.items()
    ]
    return apply(tx, operator, session, action, changes, now, detail=detail)


def add_note(
    tx: Transaction, operator: str, session: str, case_id: int, text: str, now: datetime
) -> int:
    """Write an internal note; undo takes it out of sight and redo brings it back.

    Returns:
        The note_id.
    """
    written_at = ms(now)
    note_id = tx.insert(
        "INSERT INTO notes (case_id, operator, text, written_at) VALUES (?, ?, ?, ?)",
        (case_id, operator, text, written_at),
    )
    move = Move("notes", note_id, "removed_at", written_at, None, case_id)
    note_down(tx, operator, session, "note", now, moves=[move])
    return note_id


def undo(tx: Transaction, operator: str, session: str, now: datetime) -> Act | None:
    """Take back this person's newest act of this session that still stands.

    Returns:
        The act that was taken back; None when there is none.

    Raises:
        ConflictError: Something that it changed was changed again since; names who and when.
    """
    act = _undoable(tx, operator, session)
    if act is not None:
        _turn_back(tx, act, operator, session, UNDO, now)
    return act


def redo(tx: Transaction, operator: str, session: str, now: datetime) -> Act | None:
    """Do again what this person's newest standing undo took back; None when there is none.

    Returns:
        The undo that was taken back; its `detail` says of which action.

    Raises:
        ConflictError: Something was changed again since; names who and when.
    """
    act = _redoable(tx, operator, session)
    if act is not None:
        _turn_back(tx, act, operator, session, REDO, now)
    return act


def _turn_back(
    tx: Transaction, act: Act, operator: str, session: str, action: str, now: datetime
) -> None:
    for move in act.moves:
        if _present(tx, move.table, move.key, move.column) != move.after:
            raise _conflict(tx, act, move, operator)
    back = [move.reverse() for move in reversed(act.moves)]
    for move in back:
        _put(tx, move)
    what = act.detail if act.action in (UNDO, REDO) else act.action
    note_down(tx, operator, session, action, now, moves=back, undoes=act.history_id, detail=what)


def _conflict(tx: Transaction, act: Act, move: Move, operator: str) -> ConflictError:
    what = act.detail if act.action in (UNDO, REDO) else act.action
    for newer in tx.fetch(_newer(act.history_id)):
        if any(other.place() == move.place() for other in newer.moves):
            who = "you" if newer.operator == operator else newer.operator or "another program"
            return ConflictError(
                f'"{what}" is left as it is: {who} changed the same case since'
                f" ({newer.action}, {newer.done_at:%H:%M} UTC)."
            )
    return ConflictError(
        f'"{what}" is left as it is: the case has changed since, most likely by a new post.'
    )


def _walk(tx: Transaction, operator: str, session: str) -> Iterable[Act]:
    """This person's moving acts of this session, newest first, read in short pages."""
    newest = tx.fetch(Query("SELECT coalesce(max(history_id), 0) + 1 FROM history", (), scalar))
    before_id: int = newest[0]
    while page := tx.fetch(_older(before_id, operator, session)):
        yield from page
        before_id = page[-1].history_id


def _undoable(tx: Transaction, operator: str, session: str) -> Act | None:
    taken_back: set[int] = set()
    for act in _walk(tx, operator, session):
        if act.history_id in taken_back or act.action in _KEPT:
            continue
        if act.action != UNDO:
            return act
        taken_back.add(act.undoes or 0)
    return None


def _redoable(tx: Transaction, operator: str, session: str) -> Act | None:
    taken_back: set[int] = set()
    for act in _walk(tx, operator, session):
        if act.history_id in taken_back or act.action in _KEPT:
            continue
        if act.action == UNDO:
            return act
        if act.action != REDO:
            return None
        taken_back.add(act.undoes or 0)
    return None


def _check(table: str, column: str) -> None:
    if column not in MOVABLE.get(table, frozenset()):
        raise ValueError(f"{table}.{column} may not move")


def _present(tx: Transaction, table: str, key: int | tuple[int, str], column: str) -> Value:
    """The present value; a label is present as its own word and absent as None."""
    _check(table, column)
    if table == "labels":
        found = tx.fetch(
            Query("SELECT label FROM labels WHERE case_id = ? AND label = ?", _pair(key), scalar)
        )
        return found[0] if found else None
    id_column = "case_id" if table == "cases" else "note_id"
    found = tx.fetch(
        Query(f"SELECT {column} FROM {table} WHERE {id_column} = ?", (key,), scalar)  # noqa: S608
    )
    if not found:
        raise NotAllowedError(f"There is no {table[:-1]} {key} any more.")
    value: Value = found[0]
    return value


def _case_of(tx: Transaction, table: str, key: int | tuple[int, str]) -> int:
    if isinstance(key, tuple):
        return key[0]
    if table == "cases":
        return key
    case_id: int = tx.fetch(Query("SELECT case_id FROM notes WHERE note_id = ?", (key,), scalar))[0]
    return case_id


def _put(tx: Transaction, move: Move) -> None:
    _check(move.table, move.column)
    if move.table == "labels":
        if move.after is None:
            tx.execute("DELETE FROM labels WHERE case_id = ? AND label = ?", _pair(move.key))
        else:
            tx.execute("INSERT INTO labels (case_id, label) VALUES (?, ?)", _pair(move.key))
        return
    id_column = "case_id" if move.table == "cases" else "note_id"
    tx.execute(
        f"UPDATE {move.table} SET {move.column} = ? WHERE {id_column} = ?",  # noqa: S608
        (move.after, move.key),
    )


def _pair(key: int | tuple[int, str]) -> tuple[int, str]:
    if not isinstance(key, tuple):
        raise TypeError("a label's key is (case_id, label)")
    return key
