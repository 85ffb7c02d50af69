"""Cases: the rows of the inbox, in their one order, and who works on them.

Lists are read by keyset: a page begins after (or before) a row that the reader has, so that a page
costs the same at any depth and no row is shown twice when others arrive above it. The one order is
priority, then pinned first, score, newest, and case_id for ties.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carerespond.domain.errors import ConflictError
from carerespond.domain.models import (
    Assessment,
    Author,
    Case,
    CaseFilter,
    CaseRow,
    CaseState,
    Note,
    Outcome,
    Post,
    Priority,
    Reason,
)
from carerespond.storage import feed
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

ROW_COLUMNS = (
    "case_id, network, handle, name, snippet, posted_at, priority, score, state, owner, writing,"
    " snoozed_until, is_unread, is_starred, is_muted, is_pinned, wrote_again, mentions_us, posts,"
    " send_state"
)
STALE_WRITING = timedelta(minutes=5)
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def as_row(row: Row) -> CaseRow:
    """One line of the inbox of `ROW_COLUMNS`."""
    return CaseRow(
        case_id=row[0],
        network=row[1],
        handle=row[2],
        name=row[3],
        snippet=row[4],
        posted_at=moment(row[5]),
        priority=Priority(row[6]),
        score=row[7],
        state=CaseState(row[8]),
        owner=row[9],
        writing=row[10],
        snoozed_until=moment(row[11]) if row[11] is not None else None,
        is_unread=bool(row[12]),
        is_starred=bool(row[13]),
        is_muted=bool(row[14]),
        is_pinned=bool(row[15]),
        wrote_again=bool(row[16]),
        mentions_us=bool(row[17]),
        posts=row[18],
        send_state=row[19],
        rank=(row[6], row[15], row[7], row[5], row[0]),
    )


def page(
    wanted: CaseFilter,
    *,
    after: CaseRow | None = None,
    before: CaseRow | None = None,
    limit: int = 128,
) -> Query[CaseRow]:
    """A stretch of a list: its beginning, or what follows `after`, or what precedes `before`.

    A stretch before a row comes nearest first: the caller turns it round.
    """
    edge = after or before
    groups = list(_groups(wanted, edge.rank if edge else None, forward=before is None))
    if not groups:
        return Query(f"SELECT {ROW_COLUMNS} FROM cases WHERE 0", (), as_row)  # noqa: S608
    conditions, values = _conditions(wanted)
    order = "DESC" if before is None else "ASC"
    parts: list[str] = []
    params: list[object] = []
    for where, place in groups:
        parts.append(
            f"SELECT * FROM (SELECT {ROW_COLUMNS} FROM cases WHERE state = ?"  # noqa: S608
            f" AND {where}{conditions}"
            f" ORDER BY score {order}, posted_at {order}, case_id {order} LIMIT ?)"
        )
        params += [wanted.state.value, *place, *values, limit]
    return Query(" UNION ALL ".join(parts) + " LIMIT ?", [*params, limit], as_row)


def _groups(
    wanted: CaseFilter, rank: tuple[int, int, float, int, int] | None, *, forward: bool
) -> Iterator[tuple[str, list[object]]]:
    """The stretches of equal (priority, is_pinned) in reading order; each is one index range."""
    panes = [int(pane) for pane in Priority] if wanted.priority is None else [int(wanted.priority)]
    places = [(pane, pinned) for pane in panes for pinned in (1, 0)]
    for pane, pinned in places if forward else reversed(places):
        where, params = "priority = ? AND is_pinned = ?", [pane, pinned]
        if rank is None:
            yield where, list[object](params)
            continue
        here, edge = (pane, -pinned), (rank[0], -rank[1])
        if here == edge:
            sign = "<" if forward else ">"
            yield f"{where} AND (score, posted_at, case_id) {sign} (?, ?, ?)", [*params, *rank[2:]]
        elif (here > edge) is forward:
            yield where, list[object](params)


def _conditions(wanted: CaseFilter) -> tuple[str, list[object]]:
    """What a filter asks for beyond the pane; words are matched as they stand, in any case."""
    conditions: list[str] = []
    params: list[object] = []
    text = "(handle || ' ' || name || ' ' || snippet)"
    for words, how in ((wanted.words, "LIKE"), (wanted.without, "NOT LIKE")):
        for word in words:
            conditions.append(f"{text} {how} ? ESCAPE '\\'")
            params.append(f"%{_plain(word)}%")
    if wanted.owner is not None:
        conditions.append("coalesce(owner, '') = ?")
        params.append(wanted.owner)
    if wanted.label is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM labels WHERE labels.case_id = cases.case_id"
            " AND labels.label = ?)"
        )
        params.append(wanted.label)
    if wanted.starred:
        conditions.append("is_starred = 1")
    return "".join(f" AND {condition}" for condition in conditions), params


def _plain(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def row(case_id: int) -> Query[CaseRow]:
    """One line of the inbox."""
    return Query(f"SELECT {ROW_COLUMNS} FROM cases WHERE case_id = ?", (case_id,), as_row)  # noqa: S608


def rows(case_ids: Sequence[int]) -> Query[CaseRow]:
    """Several lines of the inbox, in no order."""
    return Query(
        f"SELECT {ROW_COLUMNS} FROM cases WHERE case_id IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json.dumps(list(case_ids)),),
        as_row,
    )


def counts() -> Query[tuple[str, int, int]]:
    """How many cases each state and pane holds: (state, priority, cases); kept, never counted."""
    return Query(
        "SELECT state, priority, cases FROM counts WHERE cases > 0",
        (),
        lambda row: (row[0], row[1], row[2]),
    )


_CASE = """SELECT c.case_id, c.network, c.account, c.conversation, c.author_id, c.handle, c.name,
    c.state, c.priority, c.score, c.reasons, c.label, c.is_pinned, c.priority_set_by, c.owner,
    c.claimed_until, c.writing, c.writing_since, c.outcome, c.closed_at, c.snoozed_until, c.service,
    c.is_unread, c.is_starred, c.is_muted, c.wrote_again, c.deleted_at,
    (SELECT json_group_array(label) FROM labels WHERE labels.case_id = c.case_id),
    (SELECT json_group_array(DISTINCT source_id) FROM matches JOIN posts USING (post_row)
     WHERE posts.case_id = c.case_id),
    p.post_id, p.version_id, p.text, p.url, p.lang, p.created_at, p.in_reply_to, p.mentions_us,
    p.quotes_us, p.is_edited, p.has_link, p.reply_settings, p.likes, p.reposts, p.replies,
    p.followers, p.is_protected, p.receives_dm, p.raw
    FROM cases AS c JOIN posts AS p ON p.post_row = c.head_post WHERE c.case_id = ?"""


def case(case_id: int) -> Query[Case]:
    """One case in full, with its newest post."""
    return Query(_CASE, (case_id,), _as_case)


def _as_case(row: Row) -> Case:
    author = Author(
        network=row[1],
        author_id=row[4],
        handle=row[5],
        name=row[6],
        followers=row[44],
        is_protected=bool(row[45]),
        receives_dm=None if row[46] is None else bool(row[46]),
    )
    return Case(
        case_id=row[0],
        network=row[1],
        account=row[2],
        conversation=row[3],
        author=author,
        head=_head(row, author),
        state=CaseState(row[7]),
        assessment=Assessment(
            Priority(row[8]), row[9], read_reasons(row[10]), row[11], is_pinned=bool(row[12])
        ),
        priority_set_by=row[13],
        owner=row[14],
        claimed_until=moment(row[15]),
        writing=row[16],
        writing_since=moment(row[17]),
        outcome=Outcome(row[18]) if row[18] else None,
        closed_at=moment(row[19]),
        snoozed_until=moment(row[20]),
        service=row[21],
        is_unread=bool(row[22]),
        is_starred=bool(row[23]),
        is_muted=bool(row[24]),
        wrote_again=bool(row[25]),
        deleted_at=moment(row[26]),
        labels=tuple(sorted(json.loads(row[27]))),
        searches=tuple(sorted(json.loads(row[28]))),
    )


def _head(row: Row, author: Author) -> Post:
    return Post(
        network=row[1],
        post_id=row[29],
        author=author,
        version_id=row[30],
        text=row[31],
        url=row[32],
        lang=row[33],
        created_at=moment(row[34]),
        in_reply_to=row[35],
        conversation=row[3],
        mentions_us=bool(row[36]),
        quotes_us=bool(row[37]),
        is_edited=bool(row[38]),
        has_link=bool(row[39]),
        reply_settings=row[40],
        likes=row[41],
        reposts=row[42],
        replies=row[43],
        raw=bytes(row[47]),
    )


def read_reasons(text: str) -> tuple[Reason, ...]:
    """Reasons as `write_reasons` wrote them."""
    return tuple(
        Reason(rule, words, points, tuple(found), bool(is_pin))
        for rule, words, points, found, *is_pin in json.loads(text)
    )


def write_reasons(reasons: Sequence[Reason]) -> str:
    """Reasons as one JSON text: [rule, text, points, words] each, with a 1 behind one that pins."""
    if not reasons:
        return "[]"
    return _ENCODER.encode(
        [
            [one.rule, one.text, one.points, list(one.words), *([1] if one.is_pin else [])]
            for one in reasons
        ]
    )


def notes(case_id: int) -> Query[Note]:
    """A case's internal notes, oldest first."""
    return Query(
        "SELECT note_id, case_id, operator, text, written_at FROM notes"
        " WHERE case_id = ? AND removed_at IS NULL ORDER BY written_at, note_id",
        (case_id,),
        lambda row: Note(row[0], row[1], row[2], row[3], moment(row[4])),
    )


def seen_before(network: str, author_id: str, not_case: int, limit: int = 20) -> Query[CaseRow]:
    """An author's other cases, newest first."""
    return Query(
        f"SELECT {ROW_COLUMNS} FROM cases WHERE network = ? AND author_id = ? AND case_id <> ?"  # noqa: S608
        " ORDER BY posted_at DESC LIMIT ?",
        (network, author_id, not_case, limit),
        as_row,
    )


def cases_of(network: str, author_ids: Sequence[str]) -> Query[tuple[str, int]]:
    """How many cases each of these authors has: (author_id, cases)."""
    return Query(
        "SELECT author_id, count(*) FROM cases WHERE network = ?"
        " AND author_id IN (SELECT value FROM json_each(?)) GROUP BY author_id",
        (network, json.dumps(list(author_ids))),
        lambda row: (row[0], row[1]),
    )


@dataclass(frozen=True, slots=True)
class Thread:
    """An author's case in a conversation, as far as a further post of theirs matters.

    Attributes:
        cases_before: How many cases the author had before this one.
        is_closed: It is not open at the moment.
        is_reopened: They wrote after it was closed, and that opened it again.
        answered_at: When our first answer went out.
    """

    cases_before: int
    is_closed: bool = False
    is_reopened: bool = False
    answered_at: datetime | None = None


def in_threads(network: str, conversations: Sequence[str]) -> Query[tuple[str, str, Thread]]:
    """The cases in these conversations: (author_id, conversation, case)."""
    return Query(
        "SELECT author_id, conversation,"
        " (SELECT count(*) FROM cases AS o WHERE o.network = c.network"
        " AND o.author_id = c.author_id AND o.case_id < c.case_id), state <> 'open',"
        " counts_from > coalesce((SELECT min(post_row) FROM posts WHERE case_id = c.case_id), 0),"
        " (SELECT min(finished_at) FROM outbox WHERE case_id = c.case_id AND state = 'sent')"
        " FROM cases AS c WHERE network = ?"
        " AND conversation IN (SELECT value FROM json_each(?))",
        (network, json.dumps(list(conversations))),
        lambda row: (row[0], row[1], Thread(row[2], bool(row[3]), bool(row[4]), moment(row[5]))),
    )


def held(case_ids: Sequence[int], operator: str, now: datetime) -> Query[tuple[str, str]]:
    """Which of these cases a colleague holds at the moment: (handle, owner) of each."""
    return Query(
        "SELECT handle, owner FROM cases WHERE case_id IN (SELECT value FROM json_each(?))"
        " AND owner IS NOT NULL AND owner <> ? AND claimed_until > ? ORDER BY case_id",
        (json.dumps(list(case_ids)), operator, ms(now)),
        lambda row: (row[0], row[1]),
    )


def labelled(label: str) -> Query[int]:
    """The cases that carry a label."""
    return Query("SELECT case_id FROM labels WHERE label = ?", (label,), scalar)


def labels() -> Query[str]:
    """Every label in use, in alphabetical order."""
    return Query("SELECT DISTINCT label FROM labels ORDER BY label", (), scalar)


def claim(
    tx: Transaction,
    case_id: int,
    operator: str,
    until: datetime,
    now: datetime,
    *,
    force: bool = False,
) -> None:
    """Hold a case until a moment, so that colleagues see who is on it.

    Raises:
        ConflictError: A colleague holds it; names who and until when. Not with `force`.
    """
    found = tx.fetch(
        Query(
            "SELECT owner, claimed_until FROM cases WHERE case_id = ?",
            (case_id,),
            lambda row: (row[0], moment(row[1])),
        )
    )
    owner, held_until = found[0] if found else (None, None)
    held = owner not in (None, "", operator) and held_until is not None and held_until > now
    if held and not force:
        raise ConflictError(f"{owner} is on this case.", "You can take it over.")
    tx.execute(
        "UPDATE cases SET owner = ?, claimed_until = ? WHERE case_id = ?",
        (operator, ms(until), case_id),
    )
    feed.announce(tx, "case", case_id, now)


def release(tx: Transaction, case_id: int, operator: str, now: datetime) -> bool:
    """Let go of a case; False when this person did not hold it."""
    changed = tx.execute(
        "UPDATE cases SET owner = NULL, claimed_until = NULL WHERE case_id = ? AND owner = ?",
        (case_id, operator),
    )
    if changed:
        feed.announce(tx, "case", case_id, now)
    return changed == 1


def writing(tx: Transaction, case_id: int, operator: str | None, now: datetime) -> None:
    """Show who is writing an answer; None when nobody is any more."""
    since = ms(now) if operator is not None else None
    tx.execute(
        "UPDATE cases SET writing = ?, writing_since = ? WHERE case_id = ?",
        (operator, since, case_id),
    )
    feed.announce(tx, "case", case_id, now)


def still_writing(tx: Transaction, case_id: int, operator: str, now: datetime) -> None:
    """A writer was heard of; nothing without their mark."""
    tx.execute(
        "UPDATE cases SET writing_since = ? WHERE case_id = ? AND writing = ?",
        (ms(now), case_id, operator),
    )


def stop_writing(tx: Transaction, case_id: int, operator: str, now: datetime) -> bool:
    """Take a writer's mark away; False when it was not theirs."""
    changed = tx.execute(
        "UPDATE cases SET writing = NULL, writing_since = NULL WHERE case_id = ? AND writing = ?",
        (case_id, operator),
    )
    if changed:
        feed.announce(tx, "case", case_id, now)
    return changed == 1


def mark_read(tx: Transaction, case_id: int, now: datetime) -> bool:
    """Note that somebody has opened a case; False when that was known."""
    changed = tx.execute(
        "UPDATE cases SET is_unread = 0, wrote_again = 0 WHERE case_id = ?"
        " AND (is_unread = 1 OR wrote_again = 1)",
        (case_id,),
    )
    if changed:
        feed.announce(tx, "case", case_id, now)
    return changed == 1


def stale_writing(now: datetime) -> Query[int]:
    """The cases with the mark of a writer who was last heard of long ago.

    They are looked for by the drafts in sight, which are few: whoever writes has one.
    """
    return Query(
        "SELECT case_id FROM cases WHERE case_id IN"
        " (SELECT case_id FROM drafts WHERE discarded_at IS NULL)"
        " AND writing IS NOT NULL AND writing_since < ?",
        (ms(now - STALE_WRITING),),
        scalar,
    )


def forget_stale_writing(tx: Transaction, now: datetime) -> int:
    """Drop the mark of a writer who was last heard of long ago; how many there were."""
    stale: list[int] = tx.fetch(stale_writing(now))
    for case_id in stale:
        writing(tx, case_id, None, now)
    return len(stale)


def wake_snoozed(tx: Transaction, now: datetime) -> list[int]:
    """Open again what was put off until now; the cases that came back."""
    due: list[int] = tx.fetch(
        Query(
            "SELECT case_id FROM cases WHERE state = 'later' AND snoozed_until <= ?",
            (ms(now),),
            scalar,
        )
    )
    if due:
        tx.execute_many(
            "UPDATE cases SET state = 'open', snoozed_until = NULL, is_unread = 1"
            " WHERE case_id = ?",
            [(case_id,) for case_id in due],
        )
        feed.announce_all(tx, "case", due, now)
    return due


def due_to_wake(now: datetime) -> Query[int]:
    """How many cases `wake_snoozed` would bring back."""
    return Query(
        "SELECT count(*) FROM cases WHERE state = 'later' AND snoozed_until <= ?",
        (ms(now),),
        scalar,
    )
