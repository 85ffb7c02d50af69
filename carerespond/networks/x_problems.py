"""What X's refusals mean for us (X: docs/x-api/fundamentals/response-codes-and-errors; reports).

An unknown 403 is about that one post, never about the credentials: elsewhere a mis-filed refusal of
one reply has stopped everything.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from carerespond.domain.errors import (
    BadAnswerError,
    CreditError,
    NetworkError,
    RateLimitedError,
    Refusal,
    RefusedError,
    ServerFaultError,
    SetUpError,
    SignInError,
    StaleCursorError,
)
from carerespond.domain.text import storable
from carerespond.networks.client import Answer

_SET_UP = frozenset(
    {
        "unsupported-authentication",
        "client-forbidden",
        "client-not-enrolled",
        "oauth1-permissions",
    }
)
_CREDIT = frozenset({"credits", "credits-depleted", "usage-capped"})

# Words of a 403, in the order in which they are looked for.
_REFUSALS = (
    ("duplicate content", Refusal.DUPLICATE),
    ("deleted or not visible", Refusal.GONE),
    ("where you are mentioned", Refusal.NOT_SUMMONED),
    ("have not been mentioned", Refusal.NOT_SUMMONED),
    ("restricted who can reply", Refusal.REPLY_CLOSED),
    ("permission to dm", Refusal.DM_CLOSED),
    ("message requests", Refusal.DM_CLOSED),
    ("blocked", Refusal.BLOCKED),
    ("not permitted", Refusal.NOT_PERMITTED),
)
_REMEDIES = {
    Refusal.NOT_SUMMONED: "Answer by hand in the browser.",
    Refusal.DUPLICATE: "Change the words a little.",
    Refusal.NOT_PERMITTED: "Answer by hand in the browser.",
}
# X's edge sends these without a body; whoever sends them, nothing was carried out.
_CLEAR_WITHOUT_WORDS = frozenset({401, 402, 429})
_UNKNOWN_WAIT = timedelta(seconds=60)
_LONGEST = 300
_SERVER = 500


def problem(answer: Answer, now: datetime) -> NetworkError:
    """An answer that is not a success, as our error."""
    record: Mapping[str, Any] = answer.record if isinstance(answer.record, dict) else {}
    kind, words = _kind(record), _words(record)
    low = words.lower()
    status = answer.status
    if status >= _SERVER:
        return ServerFaultError(f"X has a fault of its own ({status}).", "It is tried again.")
    if not record and status not in _CLEAR_WITHOUT_WORDS:
        return BadAnswerError(f"X answered {status} with something that is not its API.")
    if kind in _CREDIT or status == 402 or "spendcap" in low.replace(" ", ""):  # noqa: PLR2004  # HTTP
        return CreditError(
            f"X does not take requests: {words or 'out of credit.'}",
            "Look at the credits in X's developer console.",
        )
    make = _BY_STATUS.get(status)
    if make is not None:
        return make(answer, kind, words, now)
    return BadAnswerError(f"X answered {status}: {words}")


def names_old_fields(answer: Answer) -> bool:
    """Whether a 400 refuses the parameter `tweet.fields`, which X is renaming."""
    record = answer.record if isinstance(answer.record, dict) else {}
    errors = record.get("errors")
    parameters = [
        name
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict) and isinstance(error.get("parameters"), dict)
        for name in error["parameters"]
    ]
    return answer.status == 400 and "tweet.fields" in parameters  # noqa: PLR2004  # HTTP


def _sign_in(_: Answer, __: str, ___: str, ____: datetime) -> NetworkError:
    return SignInError("X does not accept the sign-in.", "Run: carerespond login ACCOUNT")


def _limited(answer: Answer, _: str, __: str, now: datetime) -> NetworkError:
    return RateLimitedError("X asks us to wait.", _reset(answer, now))


def _unknown(_: Answer, __: str, words: str, ___: datetime) -> NetworkError:
    return RefusedError(f"X does not know it: {words}", Refusal.GONE)


def _set_up(_: Answer, __: str, words: str, ___: datetime) -> NetworkError:
    return SetUpError(f"X does not allow this to our app: {words}", "See docs/x.md.")


def _invalid(_: Answer, __: str, words: str, ___: datetime) -> NetworkError:
    low = words.lower()
    if "since_id" in low and "larger than" in low:
        return StaleCursorError("The last post read is older than X's search reaches back.")
    reason = Refusal.TOO_LONG if "too long" in low or "length" in low else Refusal.INVALID
    return RefusedError(f"X refuses the request: {words}", reason)


def _refused(answer: Answer, kind: str, words: str, now: datetime) -> NetworkError:
    if kind in _SET_UP:
        return _set_up(answer, kind, words, now)
    low = words.lower()
    reason = next((one for part, one in _REFUSALS if part in low), Refusal.UNKNOWN)
    return RefusedError(f"X refused: {words}", reason, _REMEDIES.get(reason, ""))


_BY_STATUS: dict[int, Callable[[Answer, str, str, datetime], NetworkError]] = {
    400: _invalid,
    401: _sign_in,
    403: _refused,
    404: _unknown,
    409: _set_up,
    429: _limited,
}


def _kind(record: Mapping[str, Any]) -> str:
    """The last part of the problem's type: X has moved the rest once already."""
    kind = record.get("type")
    errors = record.get("errors")
    if not isinstance(kind, str) and isinstance(errors, list) and errors:
        kind = errors[0].get("type") if isinstance(errors[0], dict) else None
    return kind.rsplit("/", 1)[-1] if isinstance(kind, str) else ""


def _words(record: Mapping[str, Any]) -> str:
    found = [record.get("title"), record.get("detail"), record.get("error_description")]
    errors = record.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            found += [error.get("message"), error.get("detail")]
    words = dict.fromkeys(text for text in found if isinstance(text, str))
    return storable(" ".join(" ".join(words).split())[:_LONGEST])


def _reset(answer: Answer, now: datetime) -> datetime:
    """When the endpoint may be asked again: its own header, never Retry-After, which X has not.

    A time that is past says that our clock and X's differ: to ask at once would only be refused.
    """
    text = answer.headers.get("x-rate-limit-reset", "")
    if text.isascii() and text.isdigit() and len(text) <= len("9999999999"):
        reset = datetime.fromtimestamp(int(text), UTC) + timedelta(seconds=1)
        if reset > now:
            return reset
    return now + _UNKNOWN_WAIT
