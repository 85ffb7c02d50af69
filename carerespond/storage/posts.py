"""Posts as the networks gave them, and how they become cases.

A post is one row however many searches found it. A case is one author's part of one conversation:
the first post of somebody in a thread opens it, further ones join it. Our own posts join the
thread and open nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carerespond.domain.models import Assessment, Author, BadRecord, CaseRow, Post
from carerespond.domain.text import storable
from carerespond.storage import feed
from carerespond.storage.cases import ROW_COLUMNS, as_row, write_reasons
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

SNIPPET = 280
_MOST_HITS = 2_000
_MOST_KEPT = 1 << 20  # bytes of a bad record

Assessed = tuple[Post, Assessment, str | None]


@dataclass(slots=True)
class PageResult:
    """What storing a page did: posts new and known, and the cases that it changed."""

    new: int = 0
    known: int = 0
    cases: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """A stored post, as far as a second sight of it matters."""

    post_row: int
    version_id: str
    text: str
    case_id: int | None


@dataclass(slots=True)
class _Open:
    """A stored case, as far as a further post matters."""

    case_id: int
    state: str
    priority: int
    score: float
    is_pinned: bool
    posted_at: int
    set_by: str | None = None
    is_muted: bool = False
    send_state: str | None = None
    head_post: int = 0


class _Storing:
    """One page on its way into the tables, inside one transaction."""

    def __init__(self, tx: Transaction, source_id: str, account: str, now: datetime) -> None:
        self._tx = tx
        self._source_id = source_id
        self._account = account
        self._now = now
        self._at = ms(now)
        self._known: dict[tuple[str, str], _Known] = {}
        self._open: dict[tuple[str, str, str], _Open] = {}
        self._matched: list[int] = []
        self._next_row = 0  # the row that the next post gets
        self._rows: list[tuple[object, ...]] = []  # new posts that go in all at once
        self.result = PageResult()

    def read_stored(self, posts: Sequence[Post]) -> None:
        """What is stored of these posts and their cases already, in two questions a network."""
        self._next_row = self._tx.fetch(_NEXT_ROW)[0]
        for network in {post.network for post in posts}:
            here = [post for post in posts if post.network == network]
            known = self._tx.fetch(_known(network, [post.post_id for post in here]))
            self._known.update({(network, post_id): one for post_id, one in known})
            threads = sorted({_conversation(post) for post in here})
            self._open.update(
                {(network, *place): one for place, one in self._tx.fetch(_open(network, threads))}
            )

    def store(self, post: Post, assessment: Assessment, service: str | None) -> None:
        """One post, seen for the first time or again."""
        known = self._known.get((post.network, post.post_id))
        if known is None:
            self._add(post, assessment, service)
        else:
            self._see_again(known, post, assessment)

    def _add(self, post: Post, assessment: Assessment, service: str | None) -> None:
        case, joined = None, False
        if not post.is_ours:
            place = (post.network, _conversation(post), storable(post.author.author_id))
            case = self._open.get(place)
            joined = case is not None
            if case is None:
                case = self._open[place] = self._open_case(post, assessment, service)
        post_row = self._insert(post, case.case_id if case else None)
        self._known[(post.network, post.post_id)] = _Known(
            post_row, post.version_id, post.text, case.case_id if case else None
        )
        self.result.new += 1
        if case is not None:
            if joined:
                self._join(case, post, assessment, post_row)
            self.result.cases.append(case.case_id)

    def _open_case(self, post: Post, assessment: Assessment, service: str | None) -> _Open:
        posted_at = ms(post.created_at)
        case_id = self._tx.insert(
            "INSERT INTO cases (network, account, conversation, author_id, handle, name, snippet,"
            " posted_at, first_seen_at, priority, score, rule_priority, is_pinned, label, reasons,"
            " mentions_us, service, head_post)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                post.network,
                self._account,
                _conversation(post),
                storable(post.author.author_id),
                storable(post.author.handle),
                storable(post.author.name),
                snippet(post.text),
                posted_at,
                self._at,
                int(assessment.priority),
                assessment.score,
                int(assessment.priority),
                assessment.is_pinned,
                assessment.label,
                write_reasons(assessment.reasons),
                post.mentions_us,
                service,
                self._next_row,
            ),
        )
        return _Open(
            case_id=case_id,
            state="open",
            priority=int(assessment.priority),
            score=assessment.score,
            is_pinned=assessment.is_pinned,
            posted_at=posted_at,
            head_post=self._next_row,
        )

    def _join(self, case: _Open, post: Post, assessment: Assessment, post_row: int) -> None:
        """A further post of somebody we know in this thread."""
        self._tx.execute(
            "UPDATE cases SET posts = posts + 1, mentions_us = max(mentions_us, ?)"
            " WHERE case_id = ?",
            (post.mentions_us, case.case_id),
        )
        posted_at = ms(post.created_at)
        if posted_at >= case.posted_at:
            case.posted_at, case.head_post = posted_at, post_row
            self._tx.execute(
                "UPDATE cases SET head_post = ?, snippet = ?, handle = ?, name = ?, posted_at = ?,"
                " is_unread = 1, deleted_at = NULL WHERE case_id = ?",
                (
                    post_row,
                    snippet(post.text),
                    storable(post.author.handle),
                    storable(post.author.name),
                    posted_at,
                    case.case_id,
                ),
            )
            self._write_again(case, assessment, post_row)
        else:
            self._weigh(case, assessment)

    def _write_again(self, case: _Open, assessment: Assessment, post_row: int) -> None:
        """They wrote after us, or after we had closed the case: it is open again.

        A muted case stays as it is, unless somebody may be in danger.
        """
        if case.is_muted and not assessment.is_pinned:
            return
        was_closed = case.state != "open"
        if was_closed or case.send_state == "sent":
            self._tx.execute(
                "UPDATE cases SET state = 'open', wrote_again = 1, outcome = NULL,"
                " closed_at = NULL, snoozed_until = NULL, is_muted = 0 WHERE case_id = ?",
                (case.case_id,),
            )
            case.state = "open"
        if was_closed:
            # What they wrote before has been seen to: the new words alone say how urgent it is.
            case.set_by = None
            self._tx.execute(
                "UPDATE cases SET counts_from = ? WHERE case_id = ?", (post_row, case.case_id)
            )
            self._place(case, assessment)
        else:
            self._weigh(case, assessment)

    def _weigh(self, case: _Open, assessment: Assessment) -> None:
        """The most pressing of an open case's posts says where it stands."""
        stands = (case.is_pinned, -case.priority, case.score)
        if assessment.pressing > stands:
            self._place(case, assessment)

    def _place(self, case: _Open, assessment: Assessment) -> None:
        """Put a case where the rules say; a person's own choice yields to a danger alone."""
        priority = int(assessment.priority)
        if case.set_by is not None and not assessment.is_pinned:
            priority = case.priority
        case.priority, case.score = priority, assessment.score
        case.is_pinned = assessment.is_pinned
        self._tx.execute(
            "UPDATE cases SET priority = ?, rule_priority = ?, score = ?, is_pinned = ?, label = ?,"
            " reasons = ?, priority_set_by = ? WHERE case_id = ?",
            (
                priority,
                int(assessment.priority),
                assessment.score,
                assessment.is_pinned,
                assessment.label,
                write_reasons(assessment.reasons),
                case.set_by,
                case.case_id,
            ),
        )

    def _see_again(self, known: _Known, post: Post, assessment: Assessment) -> None:
        self.result.known += 1
        text = storable(post.text)
        if text == known.text and (post.version_id or post.post_id) == known.version_id:
            self._matched.append(known.post_row)
            return
        self.flush()  # an older version of it may be on this very page
        self._tx.execute(
            "UPDATE posts SET text = ?, version_id = ?, is_edited = 1, raw = ?, likes = ?,"
            " reposts = ?, replies = ? WHERE post_row = ?",
            (
                text,
                storable(post.version_id or post.post_id),
                post.raw,
                post.likes,
                post.reposts,
                post.replies,
                known.post_row,
            ),
        )
        self._matched.append(known.post_row)
        known.text, known.version_id = text, post.version_id or post.post_id
        if known.case_id is not None:
            self._edited(known, post, assessment)

    def _edited(self, known: _Known, post: Post, assessment: Assessment) -> None:
        self._tx.execute(
            "UPDATE cases SET snippet = ?, is_unread = 1 WHERE case_id = ? AND head_post = ?",
            (snippet(post.text), known.case_id, known.post_row),
        )
        place = (post.network, _conversation(post), storable(post.author.author_id))
        case = self._open.get(place)
        if case is not None and case.head_post == known.post_row and case.state == "open":
            self._weigh(case, assessment)
        self.result.cases.append(known.case_id or 0)

    def flush(self) -> None:
        """Write the new posts: one statement for all takes less than one for each."""
        if self._rows:
            self._tx.execute_many(_INSERT_POST, self._rows)
            self._rows.clear()

    def match(self) -> None:
        """Note what found the posts of this page, new ones and known ones."""
        self._tx.execute_many(
            "INSERT INTO matches (post_row, source_id, matched_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [(post_row, self._source_id, self._at) for post_row in self._matched],
        )

    def _insert(self, post: Post, case_id: int | None) -> int:
        author, post_row = post.author, self._next_row
        self._next_row += 1
        self._rows.append(
            (
                post_row,
                post.network,
                storable(post.post_id),
                storable(post.version_id or post.post_id),
                storable(author.author_id),
                storable(author.handle),
                storable(author.name),
                author.followers,
                author.is_protected,
                author.receives_dm,
                storable(post.text),
                storable(post.url) if post.url else None,
                storable(post.lang) if post.lang else None,
                ms(post.created_at),
                storable(post.in_reply_to) if post.in_reply_to else None,
                _conversation(post),
                post.mentions_us,
                post.quotes_us,
                post.is_ours,
                post.is_edited,
                post.is_repost,
                post.has_link,
                storable(post.reply_settings),
                post.likes,
                post.reposts,
                post.replies,
                self._at,
                case_id,
                post.raw,
            )
        )
        self._matched.append(post_row)
        return post_row


_INSERT_POST = (
    "INSERT INTO posts (post_row, network, post_id, version_id, author_id, handle, name, followers,"
    " is_protected, receives_dm, text, url, lang, created_at, in_reply_to, conversation,"
    " mentions_us, quotes_us, is_ours, is_edited, is_repost, has_link, reply_settings,"
    " likes, reposts, replies, first_seen_at, case_id, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def store_page(
    tx: Transaction,
    source_id: str,
    assessed: Sequence[Assessed],
    *,
    account: str,
    now: datetime,
) -> PageResult:
    """Store a page of posts, open or continue their cases, and say so on the feed.

    Storing the same page again changes nothing.

    Args:
        tx: The open transaction; a page is stored whole or not at all.
        source_id: What found them.
        assessed: Each post with where triage puts it and the service that it is about.
        account: Which of our accounts would answer.
        now: The moment of reception.
    """
    storing = _Storing(tx, source_id, account, now)
    storing.read_stored([post for post, _, _ in assessed])
    # Oldest first, so that the newest of a thread becomes its case's head.
    for post, assessment, service in sorted(assessed, key=lambda one: one[0].created_at):
        storing.store(post, assessment, service)
    storing.flush()
    storing.match()
    result = storing.result
    result.cases = list(dict.fromkeys(result.cases))
    feed.announce_all(tx, "case", result.cases, now)
    return result


def store_edited(tx: Transaction, post: Post, assessment: Assessment, now: datetime) -> bool:
    """Keep the new words of a stored post that its author has edited; its case is unread again.

    Args:
        tx: The open transaction.
        post: The post as it is now, under its stable id.
        assessment: Where its case stands, which stays.
        now: The moment of reading it.

    Returns:
        False when the post is not stored, or nothing has changed.
    """
    if not tx.fetch(known(post.network, [post.post_id])):
        return False
    storing = _Storing(tx, "", "", now)  # no search has found it, and no case is opened
    storing.read_stored([post])
    storing.store(post, assessment, None)
    feed.announce_all(tx, "case", storing.result.cases, now)
    return bool(storing.result.cases)


def quarantine(tx: Transaction, source_id: str, bad: Iterable[BadRecord], now: datetime) -> int:
    """Keep records that could not be read, each once; how many were not known before."""
    new = 0
    for record in bad:
        raw = record.raw[:_MOST_KEPT]
        new += tx.execute(
            "INSERT INTO quarantine (source_id, received_at, problem, raw)"
            " SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM quarantine"
            " WHERE source_id = ? AND raw = ?)",
            (source_id, ms(now), storable(record.problem), raw, source_id, raw),
        )
    return new


_NEXT_ROW: Query[int] = Query("SELECT coalesce(max(post_row), 0) + 1 FROM posts", (), scalar)


def quarantined() -> Query[int]:
    """How many records are kept that could not be read."""
    return Query("SELECT count(*) FROM quarantine", (), scalar)


def known(network: str, post_ids: Sequence[str]) -> Query[str]:
    """Which of these posts are stored."""
    return Query(
        "SELECT post_id FROM posts WHERE network = ?"
        " AND post_id IN (SELECT value FROM json_each(?))",
        (network, json.dumps(list(post_ids))),
        scalar,
    )


def _known(network: str, post_ids: Sequence[str]) -> Query[tuple[str, _Known]]:
    return Query(
        "SELECT post_id, post_row, version_id, text, case_id FROM posts WHERE network = ?"
        " AND post_id IN (SELECT value FROM json_each(?))",
        (network, json.dumps(list(post_ids))),
        lambda row: (row[0], _Known(row[1], row[2], row[3], row[4])),
    )


def _open(network: str, threads: Sequence[str]) -> Query[tuple[tuple[str, str], _Open]]:
    return Query(
        "SELECT conversation, author_id, case_id, state, priority, score, is_pinned, posted_at,"
        " priority_set_by, is_muted, send_state, head_post FROM cases WHERE network = ?"
        " AND conversation IN (SELECT value FROM json_each(?))",
        (network, json.dumps(list(threads))),
        lambda row: (
            (row[0], row[1]),
            _Open(
                row[2],
                row[3],
                row[4],
                row[5],
                bool(row[6]),
                row[7],
                row[8],
                bool(row[9]),
                row[10],
                row[11],
            ),
        ),
    )


POST_COLUMNS = (
    "network, post_id, author_id, handle, name, followers, is_protected, receives_dm, text,"
    " created_at, version_id, url, lang, in_reply_to, conversation, mentions_us, quotes_us,"
    " is_ours, is_edited, has_link, reply_settings, likes, reposts, replies, is_repost"
)


def as_post(row: Row) -> Post:
    """A post of `POST_COLUMNS`; `raw` is left empty."""
    author = Author(
        row[0],
        row[2],
        row[3],
        row[4],
        row[5],
        is_protected=bool(row[6]),
        receives_dm=None if row[7] is None else bool(row[7]),
    )
    return Post(
        network=row[0],
        post_id=row[1],
        author=author,
        text=row[8],
        created_at=moment(row[9]),
        version_id=row[10],
        url=row[11],
        lang=row[12],
        in_reply_to=row[13],
        conversation=row[14],
        mentions_us=bool(row[15]),
        quotes_us=bool(row[16]),
        is_ours=bool(row[17]),
        is_edited=bool(row[18]),
        has_link=bool(row[19]),
        reply_settings=row[20],
        likes=row[21],
        reposts=row[22],
        replies=row[23],
        is_repost=bool(row[24]),
    )


def thread(network: str, conversation: str) -> Query[Post]:
    """A conversation as far as we know it, ours included, newest last; deleted posts are left out.

    `raw` is left empty.
    """
    return Query(
        f"SELECT {POST_COLUMNS} FROM posts WHERE network = ? AND conversation = ?"  # noqa: S608
        " AND deleted_at IS NULL ORDER BY created_at, post_row",
        (network, conversation),
        as_post,
    )


def heads_at(wanted: Sequence[tuple[int, datetime]]) -> Query[tuple[int, Post]]:
    """The newest post that each of these cases had at a moment: (case_id, post), by case_id.

    Muted cases, and those whose newest post is gone from its network, are left out.
    """
    return Query(
        f"SELECT {POST_COLUMNS}, wanted_id FROM (SELECT json_extract(value, '$[0]') AS wanted_id,"  # noqa: S608
        " json_extract(value, '$[1]') AS wanted_at FROM json_each(?)) JOIN posts ON post_row ="
        " (SELECT post_row FROM posts AS p WHERE p.case_id = wanted_id AND p.first_seen_at <="
        " wanted_at AND NOT p.is_ours ORDER BY p.created_at DESC, p.post_row DESC LIMIT 1)"
        " WHERE deleted_at IS NULL AND wanted_id IN (SELECT c.case_id FROM cases AS c"
        " WHERE NOT c.is_muted AND c.deleted_at IS NULL) ORDER BY wanted_id",
        (json.dumps([[case_id, ms(at)] for case_id, at in wanted]),),
        lambda row: (row[-1], as_post(row)),
    )


def newest_heads(before_id: int | None, limit: int) -> Query[tuple[int, Post]]:
    """The posts that stand for the newest cases, or for those before a case: (case_id, post)."""
    return Query(
        f"SELECT {POST_COLUMNS}, case_id FROM posts WHERE post_row IN (SELECT head_post FROM cases"  # noqa: S608
        " WHERE deleted_at IS NULL AND (? IS NULL OR case_id < ?) ORDER BY case_id DESC LIMIT ?)"
        " ORDER BY case_id DESC",
        (before_id, before_id, limit),
        lambda row: (row[-1], as_post(row)),
    )


def mark_deleted(tx: Transaction, network: str, post_id: str, now: datetime) -> bool:
    """Note that a post is gone from its network; False when that was known or the post is not."""
    changed = tx.execute(
        "UPDATE posts SET deleted_at = ? WHERE network = ? AND post_id = ? AND deleted_at IS NULL",
        (ms(now), network, post_id),
    )
    if not changed:
        return False
    tx.execute(
        "UPDATE cases SET deleted_at = ? WHERE head_post ="
        " (SELECT post_row FROM posts WHERE network = ? AND post_id = ?)",
        (ms(now), network, post_id),
    )
    touched: list[int] = tx.fetch(
        Query(
            "SELECT case_id FROM posts WHERE network = ? AND post_id = ? AND case_id IS NOT NULL",
            (network, post_id),
            scalar,
        )
    )
    feed.announce_all(tx, "case", touched, now)
    return True


def search(words: str, limit: int = 200) -> Query[CaseRow]:
    """Cases in whose posts all the words occur, newest first; the last word may be unfinished.

    What was typed is data: FTS5's own operators have no meaning here.
    """
    terms = [f'"{word.replace(chr(34), chr(34) * 2)}"' for word in storable(words).split()]
    if not terms:
        return Query(f"SELECT {ROW_COLUMNS} FROM cases WHERE 0", (), as_row)  # noqa: S608
    return Query(
        f"SELECT {ROW_COLUMNS} FROM cases WHERE case_id IN (SELECT case_id FROM posts"  # noqa: S608
        " WHERE deleted_at IS NULL AND post_row IN (SELECT rowid FROM posts_words"
        " WHERE posts_words MATCH ? ORDER BY rowid DESC LIMIT ?))"
        " ORDER BY posted_at DESC, case_id DESC LIMIT ?",
        (" ".join(terms) + "*", _MOST_HITS, limit),
        as_row,
    )


def snippet(text: str) -> str:
    """The beginning of a text on one line, raw."""
    return storable(" ".join(text[: 2 * SNIPPET].split())[:SNIPPET])


def _conversation(post: Post) -> str:
    return storable(post.conversation or post.post_id)
