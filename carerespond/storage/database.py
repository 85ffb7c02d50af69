"""What storage needs of an engine: queries as values, whole transactions, and a change feed.

A read is a `Query`: SQL, parameters and how to make one result of one row. A write is a plain
function of a `Transaction` that an engine runs whole, so that cancelling whoever waits for it can
never cut it in half. SQL is written once, in the verbs of this package.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A read: `make` turns one row into one result."""

    sql: str
    params: Sequence[object]
    make: Callable[[Row], T]


def scalar(row: Row) -> Any:
    """The first column, for queries of one value."""
    return row[0]


class Transaction(Protocol):
    """One open write transaction; verbs take it as their first argument."""

    def fetch(self, query: Query[T]) -> list[T]:
        """All results of a query, seeing this transaction's own writes."""
        ...

    def execute(self, sql: str, params: Sequence[object] = ()) -> int:
        """Run one statement; the number of rows it changed."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Run one statement for each row of parameters; the number of rows changed in all."""
        ...

    def insert(self, sql: str, params: Sequence[object] = ()) -> int:
        """Run one INSERT; the new row's integer key."""
        ...


class Database(Protocol):
    """One engine. `now` variants are synchronous: for commands, signals and the first page."""

    def fetch_now(self, query: Query[T]) -> list[T]:
        """All results of a query, on the calling thread."""
        ...

    async def fetch(self, query: Query[T]) -> list[T]:
        """All results of a query, off the event loop's thread."""
        ...

    def write_now(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` as one transaction on the calling thread."""
        ...

    async def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` as one transaction off the event loop's thread.

        It commits or rolls back whole even when the caller is cancelled. With `durable` it is on
        disk when this returns (rule R1: sends and claims).

        Raises:
            StorageError: It could not be written; nothing was.
        """
        ...

    def watch(self) -> AsyncIterator[None]:
        """Yields after a commit by any process; several commits may yield once."""
        ...

    async def aclose(self) -> None:
        """Close connections and stop the threads."""
        ...
