"""Brings in posts from a file: one JSON record a line, or a page of an X API search a line."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from carerespond.domain.clocks import is_plausible
from carerespond.domain.models import Author, BadRecord, Post
from carerespond.domain.text import storable
from carerespond.services.assessing import Assessor, look_back
from carerespond.services.records import LONGEST_LINE, read_record
from carerespond.storage import placing, posts
from carerespond.storage.database import Database, Transaction

BATCH = 100
_LONGEST_NAME = 500
_LONGEST_ADDRESS = 2_000
_LONGEST_TEXT = 100_000

ReadPage = Callable[[Mapping[str, Any]], tuple[Sequence[Post], Sequence[BadRecord]]]


@dataclass(slots=True)
class Imported:
    """What an import did; `bad` holds line numbers (from 1) with the problem in words."""

    new: int = 0
    known: int = 0
    lines: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    posts: Sequence[Post] = ()
    bad: Sequence[BadRecord] = ()


class Importer:
    """Reads lines, assesses the posts and stores them in batches.

    Args:
        database: Where they go.
        assess: Where triage puts a post, and which service it names.
        read_page: Reads the `{"data": [...]}` page of an X API search.
        accounts: Which of our accounts answers on a network, by network name.
        handles: Our handle on a network, by network name: tells whether a post names us.
        now: The present moment.
        pause: Called between batches, so that an importer does not keep others from writing.
    """

    def __init__(
        self,
        database: Database,
        assess: Assessor,
        read_page: ReadPage,
        *,
        accounts: Mapping[str, str],
        handles: Mapping[str, str],
        now: Callable[[], datetime],
        pause: Callable[[], None],
    ) -> None:
        self._database = database
        self._assess = assess
        self._read_page = read_page
        self._accounts = accounts
        self._handles = handles
        self._now = now
        self._pause = pause

    def run(
        self, lines: Iterable[bytes], name: str, progress: Callable[[Imported, int], None]
    ) -> Imported:
        """Store every good line; a bad one is named and its bytes are kept aside.

        Args:
            lines: The file's lines; `name` says where from, in the record of what is kept aside.
            name: The file's name.
            progress: Called after each batch with the result so far and the bytes read.

        Raises:
            StorageError: The database cannot be written; what was stored before stays.
        """
        result = Imported()
        read = 0
        source_id = storable(f"import:{name}")
        for batch, size in self._batches(lines):
            read += size
            self._store(batch, source_id, result)
            progress(result, read)
            self._pause()
        return result

    def _batches(self, lines: Iterable[bytes]) -> Iterator[tuple[list[_Line], int]]:
        batch: list[_Line] = []
        size = waiting = 0
        for number, raw in enumerate(lines, 1):
            size += len(raw)
            if raw.strip():
                batch.append(self._read(number, raw))
                waiting += max(1, len(batch[-1].posts))
            if waiting >= BATCH:
                yield batch, size
                batch, size, waiting = [], 0, 0
        if batch:
            yield batch, size

    def _read(self, number: int, raw: bytes) -> _Line:
        try:
            record = read_record(raw)
            if isinstance(record.get("data"), list):
                good, bad = self._read_page(record)
                return _Line(number, good, bad)
            return _Line(number, (self._post(record, raw),))
        except (ValueError, RecursionError) as error:
            problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            return _Line(number, (), (BadRecord(raw[:LONGEST_LINE].rstrip(b"\r\n"), problem),))

    def _post(self, record: Mapping[str, Any], raw: bytes) -> Post:
        network, text = _name(record, "network"), _text(record, "text", empty=True)
        post_id = _name(record, "id")
        author = record.get("author")
        if not isinstance(author, dict):
            raise ValueError("author is not a record with id, handle and name")  # noqa: TRY004
        handle = self._handles.get(network, "")
        return Post(
            network=network,
            post_id=post_id,
            version_id=post_id,
            author=Author(
                network=network,
                author_id=_name(author, "id"),
                handle=_text(author, "handle")[:_LONGEST_NAME],
                name=(_optional(author, "name") or "")[:_LONGEST_NAME],
                followers=_followers(record),
            ),
            text=text[:_LONGEST_TEXT],  # `raw` has all of it
            created_at=_moment(_text(record, "created_at")),
            url=_address(record),
            lang=(_optional(record, "lang") or "")[:_LONGEST_NAME] or None,
            in_reply_to=_optional_name(record, "in_reply_to"),
            conversation=_optional_name(record, "conversation") or post_id,
            mentions_us=_flag(record, "mentions_us")
            or (handle != "" and f"@{handle}".casefold() in text.casefold()),
            is_ours=handle != "" and _text(author, "handle").casefold() == handle.casefold(),
            raw=raw.strip(),
        )

    def _store(self, batch: Sequence[_Line], source_id: str, result: Imported) -> None:
        now = self._now()
        assessed: dict[str, list[posts.Assessed]] = {}
        bad: list[BadRecord] = []
        read = [post for line in batch for post in line.posts]
        earlier = look_back(read, self._database.fetch_now)
        for line in batch:
            result.lines += 1
            result.bad += [(line.number, record.problem) for record in line.bad]
            bad += line.bad
            for post in line.posts:
                found = (post, self._assess(post, earlier), self._assess.service(post))
                assessed.setdefault(post.network, []).append(found)

        def store(tx: Transaction) -> None:
            placing.note(tx, self._assess.mark)
            for network, found in assessed.items():
                account = self._accounts.get(network, network)
                stored = posts.store_page(tx, source_id, found, account=account, now=now)
                result.new += stored.new
                result.known += stored.known
            posts.quarantine(tx, source_id, bad, now)

        self._database.write_now(store)


def _text(record: Mapping[str, Any], key: str, *, empty: bool = False) -> str:
    value = record.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key == "id":
        value = str(value)
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{key} is missing" if value is None else f"{key} is not text")
    return value


def _name(record: Mapping[str, Any], key: str) -> str:
    """An id or a network: what two records are told apart by, so nothing of it may be hidden."""
    value = _text(record, key)
    if not value.isprintable() or len(value) > _LONGEST_NAME:
        raise ValueError(f"{key} is too long or holds odd characters")
    return value


def _optional_name(record: Mapping[str, Any], key: str) -> str | None:
    return None if record.get(key) in (None, "") else _name(record, key)


def _optional(record: Mapping[str, Any], key: str) -> str | None:
    return None if record.get(key) is None else _text(record, key, empty=True) or None


def _address(record: Mapping[str, Any]) -> str | None:
    address = _optional(record, "url")
    if address is not None and len(address) > _LONGEST_ADDRESS:
        raise ValueError("url is too long")
    return address


def _flag(record: Mapping[str, Any], key: str) -> bool:
    value = record.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is not true or false")  # noqa: TRY004 - a bad line, not a bug
    return value


def _followers(record: Mapping[str, Any]) -> int | None:
    value = record.get("followers")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError("followers is not a whole number")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("created_at is not ISO 8601, such as 2026-11-24T08:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("created_at has no time zone; end it with Z for UTC")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("created_at is outside the years that can be stored") from None
    if not is_plausible(moment):
        raise ValueError("created_at is outside the years in which people post")
    return moment
