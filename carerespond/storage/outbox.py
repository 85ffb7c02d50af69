"""The outbox: a reply is a row here before it is a request, and is decided once.

Every verb is one compare-and-set: it names the state that it starts from, and changes nothing when
the row has left it. Nothing is ever deleted here. The states are told in docs/sending.md.

`in_reply_to` is the answered post's stable id, whichever version of it was read, so that one live
answer a post (the index `outbox_once`) holds through edits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.errors import ConflictError, Refusal
from carerespond.domain.models import DraftKind, Post, Reply, SendState
from carerespond.storage import feed
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

REPLY = "reply"

# A live answer stands in the way of another to the same post. "not sent" is certain, so it does
# not: queueing again puts the older row to rest.
_LIVE = ("queued", "sending", "sent", "unknown", "hand-off")

# States in which nothing is finished yet.
_OPEN_ENDED = frozenset(
    {SendState.QUEUED, SendState.SENDING, SendState.UNKNOWN, SendState.HAND_OFF}
)

_COLUMNS = (
    "outbox_id, case_id, network, account, kind, in_reply_to, handle, text, key, state, operator,"
    " queued_at, send_at, session, attempt, fence, started_at, finished_at, remote_id, problem,"
    " price_usd"
)


@dataclass(frozen=True, slots=True)
class NewReply:
    """What goes into the outbox. `key` is fixed here and never changes (rule R4).

    Attributes:
        in_reply_to: The answered post's stable id.
        second_reason: Why a second answer to the same post is right; None for the first.
    """

    case_id: int
    network: str
    account: str
    kind: DraftKind
    in_reply_to: str
    handle: str
    text: str
    key: str
    operator: str
    session: str
    price_usd: float = 0.0
    draft_version: int = 0
    second_reason: str | None = None


def _reply(row: Row) -> Reply:
    return Reply(
        outbox_id=row[0],
        case_id=row[1],
        network=row[2],
        account=row[3],
        kind=DraftKind(row[4]),
        in_reply_to=row[5],
        handle=row[6],
        text=row[7],
        key=row[8],
        state=SendState(row[9]),
        operator=row[10],
        queued_at=moment(row[11]),
        send_at=moment(row[12]),
        session=row[13],
        attempt=row[14],
        fence=row[15],
        started_at=moment(row[16]) if row[16] is not None else None,
        finished_at=moment(row[17]) if row[17] is not None else None,
        remote_id=row[18],
        problem=row[19],
        price_usd=row[20],
    )


def _select(where: str, params: Sequence[object]) -> Query[Reply]:
    return Query(f"SELECT {_COLUMNS} FROM outbox WHERE {where}", params, _reply)  # noqa: S608


def reply(outbox_id: int) -> Query[Reply]:
    """One row."""
    return _select("outbox_id = ?", (outbox_id,))


def by_case(case_id: int) -> Query[Reply]:
    """Every row of a case, newest first."""
    return _select("case_id = ? ORDER BY queued_at DESC, outbox_id DESC", (case_id,))


def pending(session: str) -> Query[Reply]:
    """What a session has queued and not begun to send, oldest first."""
    return _select("state = 'queued' AND session = ? ORDER BY outbox_id", (session,))


def sending(session: str) -> Query[Reply]:
    """What a session has begun and not finished."""
    return _select("state = 'sending' AND session = ? ORDER BY outbox_id", (session,))


def unfinished() -> Query[Reply]:
    """Rows of every session that are queued or being sent: where a dead session leaves traces."""
    return _select("state IN ('queued', 'sending') ORDER BY outbox_id", ())


def to_look_for() -> Query[Reply]:
    """Rows whose outcome is not known and that nobody has looked for yet, oldest first."""
    return _select("state = 'unknown' AND finished_at IS NULL ORDER BY outbox_id", ())


def handed_off() -> Query[Reply]:
    """Rows that a person says to have posted in a browser and that were not found yet."""
    return _select("state = 'hand-off' AND started_at IS NOT NULL ORDER BY outbox_id", ())


def may_be_found() -> Query[Reply]:
    """Both of these, in that order."""
    return _select(
        "(state = 'unknown' AND finished_at IS NULL)"
        " OR (state = 'hand-off' AND started_at IS NOT NULL)"
        " ORDER BY state = 'hand-off', outbox_id",
        (),
    )


def waiting_for_person() -> Query[Reply]:
    """Rows that only a person can settle, oldest first: unknown, refused, not sent, handed off.

    A refused row waits until its case has had a later answer or the person has put it to rest.
    """
    return _select(
        "state IN ('unknown', 'not sent', 'hand-off') OR (state = 'refused' AND NOT EXISTS"
        " (SELECT 1 FROM outbox AS later WHERE later.case_id = outbox.case_id"
        "  AND later.outbox_id > outbox.outbox_id)) ORDER BY outbox_id",
        (),
    )


def live_answers(account: str, in_reply_to: str) -> Query[Reply]:
    """Rows that stand in the way of another answer to the same post."""
    states = ", ".join(f"'{state}'" for state in _LIVE)
    return _select(
        f"account = ? AND in_reply_to = ? AND purpose = ? AND state IN ({states})"
        " ORDER BY outbox_id",
        (account, in_reply_to, REPLY),
    )


def recent(limit: int) -> Query[Reply]:
    """The newest rows of everybody, newest first."""
    return _select("1 ORDER BY outbox_id DESC LIMIT ?", (limit,))


def known_remote_ids(network: str) -> Query[str]:
    """Ids of posts that already belong to a row."""
    return Query(
        "SELECT remote_id FROM outbox WHERE network = ? AND remote_id IS NOT NULL",
        (network,),
        scalar,
    )


def earlier_attempts(row: Reply) -> Query[Reply]:
    """Other rows to the same post that once were on the wire and were not refused.

    They make a "duplicate text" answer a hint that the earlier one arrived after all.
    """
    return _select(
        "account = ? AND in_reply_to = ? AND outbox_id <> ? AND started_at IS NOT NULL"
        " AND state <> 'refused' ORDER BY outbox_id",
        (row.account, row.in_reply_to, row.outbox_id),
    )


def mark_case(tx: Transaction, case_id: int, state: SendState | None, now: datetime) -> None:
    """Show a case's last send on its row, and say so on the feed."""
    value = state.value if state is not None else None
    tx.execute("UPDATE cases SET send_state = ? WHERE case_id = ?", (value, case_id))
    feed.announce(tx, "outbox", case_id, now)


def queue(
    tx: Transaction,
    new: NewReply,
    *,
    now: datetime,
    send_at: datetime,
    state: SendState = SendState.QUEUED,
) -> int:
    """Add a row: the first answer to its post wins.

    An earlier row to the same post that is certain not to have been sent is put to rest first.

    Args:
        tx: The open transaction; it must be a durable one.
        new: What goes in.
        now: The moment of queueing.
        send_at: When the take-back window ends, for showing; the sender waits by its own clock.
        state: QUEUED, or HAND_OFF for a text that a person posts in a browser.

    Returns:
        The row's outbox_id.

    Raises:
        ConflictError: A live answer to the same post exists; names who and how long ago.
    """
    if new.second_reason is None:
        live = tx.fetch(live_answers(new.account, new.in_reply_to))
        if live:
            raise ConflictError(
                first_was(live[0], new.operator, now),
                "Your text is kept as a draft.",
            )
    tx.execute(
        "UPDATE outbox SET state = 'taken back', finished_at = coalesce(finished_at, ?)"
        " WHERE account = ? AND in_reply_to = ? AND purpose = ? AND state = 'not sent'",
        (ms(now), new.account, new.in_reply_to, REPLY),
    )
    outbox_id = tx.insert(
        "INSERT INTO outbox (case_id, network, account, kind, purpose, in_reply_to, handle, text,"
        " key, state, operator, session, queued_at, send_at, price_usd, draft_version,"
        " second_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.case_id,
            new.network,
            new.account,
            new.kind.value,
            REPLY,
            new.in_reply_to,
            new.handle,
            new.text,
            new.key,
            state.value,
            new.operator,
            new.session,
            ms(now),
            ms(send_at),
            new.price_usd,
            new.draft_version,
            new.second_reason,
        ),
    )
    mark_case(tx, new.case_id, state, now)
    return outbox_id


_FIRST = {
    SendState.QUEUED: "queued a reply",
    SendState.SENDING: "is sending a reply",
    SendState.SENT: "sent a reply",
    SendState.UNKNOWN: "sent a reply whose outcome is not known yet",
    SendState.HAND_OFF: "took a reply to the browser",
}


def first_was(live: Reply, operator: str, now: datetime) -> str:
    """Who was first, with what and how long ago: "Asha queued a reply 4 s ago."."""
    who = "You" if live.operator == operator else live.operator or "Somebody"
    what = _FIRST[live.state]
    if who == "You":
        what = what.replace("is sending", "are sending")
    return f"{who} {what} {ago(now, live.queued_at)}."


# The shortest stretch that is told in a unit, and the unit's length, in seconds.
_UNITS = (("days", 172_800, 86_400), ("h", 7_200, 3_600), ("min", 120, 60), ("s", 0, 1))


def ago(now: datetime, then: datetime) -> str:
    """A stretch of time in the largest unit that fills two: "4 s ago", "3 h ago"."""
    seconds = max(0, int((now - then).total_seconds()))
    unit, length = next((unit, size) for unit, least, size in _UNITS if seconds >= least)
    return f"{seconds // length} {unit} ago"


def claim(tx: Transaction, outbox_id: int, session: str, now: datetime) -> Reply | None:
    """Begin to send: queued -> sending, once, by the session that queued it (rule R1).

    The transaction must be durable: after it a request may leave.

    Returns:
        The row as it now stands; None when it is no longer queued, or not this session's.
    """
    changed = tx.execute(
        "UPDATE outbox SET state = 'sending', attempt = attempt + 1, fence = fence + 1,"
        " started_at = ?, finished_at = NULL, problem = NULL"
        " WHERE outbox_id = ? AND session = ? AND state = 'queued'",
        (ms(now), outbox_id, session),
    )
    if changed != 1:
        return None
    row = tx.fetch(reply(outbox_id))[0]
    mark_case(tx, row.case_id, SendState.SENDING, now)
    return row


def finish(
    tx: Transaction,
    outbox_id: int,
    fence: int,
    state: SendState,
    remote_id: str | None,
    problem: str | None,
    now: datetime,
) -> bool:
    """Write the outcome of the attempt that holds `fence`; the transaction must be durable.

    `queued` is an outcome too: it is certain that nothing left, and the sender tries again.

    Returns:
        False when the row has been taken from this attempt; nothing was changed.

    Raises:
        ValueError: "sent" without the network's id.
    """
    _check_remote_id(state, remote_id)
    finished_at = None if state in _OPEN_ENDED else ms(now)
    changed = tx.execute(
        "UPDATE outbox SET state = ?, remote_id = ?, problem = ?, finished_at = ?"
        " WHERE outbox_id = ? AND fence = ? AND state = 'sending'",
        (state.value, remote_id, problem, finished_at, outbox_id, fence),
    )
    return _marked(tx, outbox_id, state, now, changed=changed)


def settle(
    tx: Transaction,
    outbox_id: int,
    before: SendState,
    state: SendState,
    now: datetime,
    *,
    remote_id: str | None = None,
    problem: str | None = None,
    sent_at: datetime | None = None,
) -> bool:
    """Move a row that no attempt holds, from the state that the caller saw.

    Returns:
        False when the row has left `before`; nothing was changed.

    Raises:
        ValueError: "sent" without the network's id, or `before` is "sending".
    """
    _check_remote_id(state, remote_id)
    if before is SendState.SENDING:
        raise ValueError("a row that is being sent is settled by its attempt alone")
    finished_at = None if state in _OPEN_ENDED else ms(sent_at or now)
    changed = tx.execute(
        "UPDATE outbox SET state = ?, remote_id = coalesce(?, remote_id), problem = ?,"
        " finished_at = ?, fence = fence + 1 WHERE outbox_id = ? AND state = ?",
        (state.value, remote_id, problem, finished_at, outbox_id, before.value),
    )
    return _marked(tx, outbox_id, state, now, changed=changed)


def looked(tx: Transaction, outbox_id: int, problem: str, now: datetime) -> bool:
    """An unknown row was looked for and not found: from here on it waits for a person.

    Its `finished_at` says when. False when it is no longer unknown.
    """
    changed = tx.execute(
        "UPDATE outbox SET problem = ?, finished_at = ? WHERE outbox_id = ? AND state = 'unknown'",
        (problem, ms(now), outbox_id),
    )
    return _marked(tx, outbox_id, SendState.UNKNOWN, now, changed=changed)


def posted_by_hand(tx: Transaction, outbox_id: int, problem: str, now: datetime) -> bool:
    """A person says to have posted a handed-off text; `started_at` keeps when that was first."""
    changed = tx.execute(
        "UPDATE outbox SET started_at = coalesce(started_at, ?), problem = ?"
        " WHERE outbox_id = ? AND state = 'hand-off'",
        (ms(now), problem, outbox_id),
    )
    return _marked(tx, outbox_id, SendState.HAND_OFF, now, changed=changed)


def explain(tx: Transaction, outbox_id: int, problem: str, now: datetime) -> bool:
    """Say why a queued row waits; False when it is no longer queued."""
    changed = tx.execute(
        "UPDATE outbox SET problem = ? WHERE outbox_id = ? AND state = 'queued'",
        (problem, outbox_id),
    )
    return _marked(tx, outbox_id, SendState.QUEUED, now, changed=changed)


def take_back(
    tx: Transaction, outbox_id: int, now: datetime, by: str | None = None
) -> Reply | None:
    """Stop an answer that has not begun to leave: queued -> taken back.

    Args:
        tx: The open transaction.
        outbox_id: The row.
        now: The moment.
        by: Who takes it back, when the row should say so.

    Returns:
        The row with the text; None when it is too late.
    """
    problem = f"Taken back by {by}." if by else None
    changed = tx.execute(
        "UPDATE outbox SET state = 'taken back', finished_at = ?, problem = ?, fence = fence + 1"
        " WHERE outbox_id = ? AND state = 'queued'",
        (ms(now), problem, outbox_id),
    )
    if changed != 1:
        return None
    row = tx.fetch(reply(outbox_id))[0]
    mark_case(tx, row.case_id, None, now)
    return row


ENDED = "Not sent: carerespond ended before the take-back time was over."
CUT_OFF = "carerespond ended while this was being sent; whether it arrived is not known yet."


def adopt_dead(tx: Transaction, now: datetime, dead: Collection[str] | None = None) -> list[int]:
    """Take over what dead sessions left: queued -> not sent, sending -> unknown (rule R3).

    A dead session's own late writes are refused from here on by the risen fence.

    Args:
        tx: The open transaction; it must be a durable one.
        now: The moment.
        dead: Sessions taken for dead; None for those that have no row or whose row has expired.

    Returns:
        The rows that moved.
    """
    sessions = _dead(tx, now, dead)
    rows = [row for row in tx.fetch(unfinished()) if row.session in sessions]
    for row in rows:
        queued = row.state is SendState.QUEUED
        state = SendState.NOT_SENT if queued else SendState.UNKNOWN
        tx.execute(
            "UPDATE outbox SET state = ?, problem = ?, fence = fence + 1, finished_at = ?"
            " WHERE outbox_id = ? AND state = ?",
            (
                state.value,
                ENDED if queued else CUT_OFF,
                ms(now) if queued else None,
                row.outbox_id,
                row.state.value,
            ),
        )
        mark_case(tx, row.case_id, state, now)
    return [row.outbox_id for row in rows]


def _dead(tx: Transaction, now: datetime, dead: Collection[str] | None) -> set[str]:
    if dead is not None:
        return set(dead)
    living = set(
        tx.fetch(Query("SELECT session FROM sessions WHERE expires_at > ?", (ms(now),), scalar))
    )
    return {row.session for row in tx.fetch(unfinished())} - living


def _check_remote_id(state: SendState, remote_id: str | None) -> None:
    if state is SendState.SENT and not remote_id:
        raise ValueError("sent means that the network named an id")


def _marked(
    tx: Transaction, outbox_id: int, state: SendState, now: datetime, *, changed: int
) -> bool:
    if changed == 1:
        case_id = tx.fetch(
            Query("SELECT case_id FROM outbox WHERE outbox_id = ?", (outbox_id,), scalar)
        )[0]
        shown = None if state is SendState.TAKEN_BACK else state
        mark_case(tx, case_id, shown, now)
    return changed == 1


@dataclass(frozen=True, slots=True)
class Parent:
    """What is stored of an answered post."""

    post_id: str
    version_id: str
    conversation: str
    created_at: datetime
    is_deleted: bool

    def ids(self) -> frozenset[str]:
        """Every id by which the post goes."""
        return frozenset({self.post_id, self.version_id} - {""})


def parent(network: str, post_id: str) -> Query[Parent]:
    """The answered post as stored."""
    return Query(
        "SELECT post_id, version_id, conversation, created_at, deleted_at IS NOT NULL FROM posts"
        " WHERE network = ? AND post_id = ?",
        (network, post_id),
        lambda row: Parent(row[0], row[1], row[2], moment(row[3]), bool(row[4])),
    )


def own_answers(network: str, account: str, parents: Collection[str]) -> Query[str]:
    """Ids of stored posts of ours that answer one of these ids, whoever wrote them and where."""
    marks = ", ".join("?" for _ in parents)
    return Query(
        f"SELECT post_id FROM posts WHERE network = ? AND is_ours = 1 AND in_reply_to IN ({marks})"  # noqa: S608
        " UNION SELECT post_id FROM own_posts WHERE network = ? AND account = ?"
        f" AND in_reply_to IN ({marks})",
        (network, *parents, network, account, *parents),
        scalar,
    )


def keep_own(tx: Transaction, network: str, account: str, own: Sequence[Post]) -> None:
    """Keep posts of ours as seen in our own timeline."""
    tx.execute_many(
        "INSERT INTO own_posts (network, account, post_id, in_reply_to, text, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (network, post_id) DO UPDATE SET"
        " in_reply_to = coalesce(own_posts.in_reply_to, excluded.in_reply_to)",
        [
            (network, account, post.post_id, post.in_reply_to, post.text, ms(post.created_at))
            for post in own
        ],
    )


def last_refusal(case_id: int) -> Query[Refusal]:
    """Why the network last refused an answer to this case; nothing when a later one was sent."""
    return Query(
        "SELECT detail FROM history WHERE case_id = ? AND action = 'refused' AND detail <> ''"
        " AND NOT EXISTS (SELECT 1 FROM history AS later WHERE later.case_id = history.case_id"
        "  AND later.action = 'sent' AND later.history_id > history.history_id)"
        " ORDER BY history_id DESC LIMIT 1",
        (case_id,),
        lambda row: Refusal(row[0]),
    )


def second_reason(outbox_id: int) -> Query[str]:
    """Why a row is a second answer to its post; nothing when it is the first."""
    return Query(
        "SELECT second_reason FROM outbox WHERE outbox_id = ? AND second_reason IS NOT NULL",
        (outbox_id,),
        scalar,
    )
