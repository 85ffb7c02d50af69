"""Every error that a person may be shown.

CarerespondError
├── ConfigError              a file, key or secret that cannot be used as it stands
├── StorageError             the database cannot be used as it stands
│   ├── NewerDatabaseError   written by a newer carerespond
│   ├── DiskFullError        no room to write
│   ├── ReadOnlyError        the folder or file cannot be written
│   ├── NotKeptError         what somebody is writing could not be stored; holds the text
│   └── NetworkDriveError    on a file system that several hosts may mount
├── NotAllowedError          a verb that the present state does not allow; says what to do instead
│   ├── ConflictError        a colleague was first
│   └── DangerError          a case about a danger is put out of sight only by itself, knowingly
└── NetworkError             a network did not do what was asked
    ├── UnreachableError     no connection was made: nothing was sent
    ├── AnswerLostError      the request may have arrived and the answer did not: outcome unknown
    ├── BadAnswerError       not an answer to what was asked; after a write: outcome unknown
    ├── ServerFaultError     5xx; after a write: outcome unknown
    ├── RateLimitedError     wait until `retry_at`
    ├── SignInError          401 after one refresh: a person must sign in again
    ├── SetUpError           the app or token lacks a right; a person must change the set-up
    ├── CreditError          out of credit, spending limit or monthly cap: cannot be waited out
    ├── StaleCursorError     the cursor is older than the network reaches back: there is a gap
    ├── BudgetError          our own budget forbids the call; nothing was sent
    └── RefusedError         this one post or query was refused, for a `Refusal` reason
"""

from datetime import datetime
from enum import StrEnum


class CarerespondError(Exception):
    """A problem in words for a person, with what to do about it.

    Args:
        problem: What is wrong, naming the file, line, key or account.
        remedy: What to do next; empty when there is nothing to do.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


class ConfigError(CarerespondError):
    """A configuration file, key or secret that cannot be used as it stands."""


class StorageError(CarerespondError):
    """The database cannot be used as it stands."""


class NewerDatabaseError(StorageError):
    """The database was written by a newer carerespond."""


class DiskFullError(StorageError):
    """There is no room to write."""


class ReadOnlyError(StorageError):
    """The folder or the database cannot be written."""


class NetworkDriveError(StorageError):
    """The database lies on a file system that several hosts may mount."""


class NotKeptError(StorageError):
    """What somebody is writing could not be stored; `text` is all of it."""

    def __init__(self, error: CarerespondError, text: str) -> None:
        super().__init__(error.problem, error.remedy)
        self.text = text


class NotAllowedError(CarerespondError):
    """The present state does not allow the verb."""


class ConflictError(NotAllowedError):
    """A colleague, or another terminal, was first."""


class DangerError(NotAllowedError):
    """The case may be about a danger: it is put out of sight only when a person says so of it."""


class NetworkError(CarerespondError):
    """A network did not do what was asked."""


class UnreachableError(NetworkError):
    """No connection was made, so nothing was sent."""


class AnswerLostError(NetworkError):
    """The request may have arrived, the answer did not: the outcome is unknown."""


class BadAnswerError(NetworkError):
    """The answer is not what was asked for (HTML, broken JSON, wrong types, too large)."""


class ServerFaultError(NetworkError):
    """The network answered 5xx."""


class RateLimitedError(NetworkError):
    """The network asks us to wait.

    Args:
        retry_at: Aware UTC; no request to this endpoint before it.
    """

    def __init__(self, problem: str, retry_at: datetime, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.retry_at = retry_at


class SignInError(NetworkError):
    """The account's sign-in is no longer accepted."""


class SetUpError(NetworkError):
    """The app or its token lacks a right that a person must grant."""


class CreditError(NetworkError):
    """Out of credit, past the spending limit or past the monthly cap."""


class StaleCursorError(NetworkError):
    """The cursor is older than the network reaches back: posts may have been missed."""


class BudgetError(NetworkError):
    """Our own daily or monthly budget forbids the call, so nothing was sent."""


class Refusal(StrEnum):
    """Why a network refused one post or query; the value is stored and shown."""

    NOT_SUMMONED = "not summoned"
    DUPLICATE = "duplicate text"
    GONE = "post is gone"
    REPLY_CLOSED = "replies are closed"
    BLOCKED = "blocked"
    DM_CLOSED = "direct messages are closed"
    TOO_LONG = "too long"
    INVALID = "invalid request"
    NOT_PERMITTED = "not permitted"
    UNKNOWN = "refused"


class RefusedError(NetworkError):
    """This one post or query was refused; nothing else is affected.

    Args:
        reason: The kind of refusal.
    """

    def __init__(self, problem: str, reason: Refusal, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.reason = reason
