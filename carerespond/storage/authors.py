"""Authors that we have met, so that nobody's name is paid for twice."""

import json
from collections.abc import Mapping, Sequence

from carerespond.domain.models import Author
from carerespond.storage.database import Database, Query, Row


def known_authors(network: str, author_ids: Sequence[str]) -> Query[Author]:
    """Authors of stored cases, as they were last seen."""
    return Query(
        "SELECT c.author_id, c.handle, c.name, p.followers, p.is_protected, p.receives_dm,"
        " max(c.posted_at) FROM cases AS c JOIN posts AS p ON p.post_row = c.head_post"
        " WHERE c.network = ? AND c.author_id IN (SELECT value FROM json_each(?))"
        " AND c.handle <> c.author_id GROUP BY c.author_id",
        (network, json.dumps(list(author_ids))),
        lambda row: _author(network, row),
    )


def _author(network: str, row: Row) -> Author:
    return Author(
        network,
        row[0],
        row[1],
        row[2],
        row[3],
        is_protected=bool(row[4]),
        receives_dm=None if row[5] is None else bool(row[5]),
    )


class StoredAuthors:
    """Known authors of one network, for a connector."""

    def __init__(self, database: Database, network: str) -> None:
        self._database = database
        self._network = network

    async def get(self, author_ids: Sequence[str]) -> Mapping[str, Author]:
        """Those that are known."""
        found = await self._database.fetch(known_authors(self._network, author_ids))
        return {author.author_id: author for author in found}

    async def put(self, authors: Sequence[Author]) -> None:
        """Nothing to do: an author is stored with the post."""
