"""The little of HTTP that the practice network needs: requests, answers, cut connections."""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from carerespond.practice.problems import RefusalError, invalid, problem
from carerespond.practice.tokens import Token

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 1_000_000
BAD_REQUEST = 400
STAND_IN = (b"x-practice", b"stand-in, not X")
CUT = "practice.cut"  # the ASGI extension that ends a connection without an answer


class AnswerCutError(ConnectionError):
    """The connection ends here without an answer, and whoever carries the app cannot cut it."""


@dataclass(slots=True)
class Request:
    """One request, its body read."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    names: dict[str, str] = field(default_factory=dict)
    token: Token | None = None

    def fields(self, known: frozenset[str], required: tuple[str, ...] = ()) -> dict[str, Any]:
        """The JSON body, refused when it has other keys than `known`.

        Raises:
            RefusalError: 400 that names the key.
        """
        try:
            found = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise invalid("body", "", "The request body is not valid JSON.") from None
        if not isinstance(found, dict):
            raise invalid("body", "", "$: object expected")
        for name in found:
            if name not in known:
                raise invalid(
                    f"$.{name}",
                    str(found[name])[:100],
                    f"$.{name}: is not defined in the schema and the schema does not allow"
                    " additional properties",
                )
        for name in required:
            if name not in found:
                raise invalid(f"$.{name}", "", f"$.{name}: is missing but it is required")
        return found

    def form(self) -> dict[str, str]:
        """A form-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Answer:
    """What goes back: JSON, a page or an endless stream of lines."""

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    stream: AsyncGenerator[bytes] | None = None
    broken: bool = False

    def encoded(self) -> tuple[str, bytes]:
        """The content type and the bytes."""
        if self.page is not None:
            return "text/html; charset=utf-8", self.page.encode()
        if self.body is None:
            return "text/plain; charset=utf-8", b""
        try:
            text = json.dumps(self.body, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:  # half of a surrogate pair travels as its escape
            text = json.dumps(self.body).encode("ascii")
        is_problem = (
            self.status >= BAD_REQUEST and isinstance(self.body, dict) and "type" in self.body
        )
        kind = "application/problem+json" if is_problem else "application/json"
        return f"{kind}; charset=utf-8", text[: len(text) // 2] if self.broken else text


def refused(error: RefusalError, headers: dict[str, str] | None = None) -> Answer:
    """The answer that a refusal stands for."""
    return Answer(error.body, error.status, {**error.headers, **(headers or {})})


async def read_request(scope: Scope, receive: Receive) -> Request:
    """The whole request.

    Raises:
        RefusalError: 413 for a body that is too large.
    """
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise problem(
                413, "Payload Too Large", f"A request body has at most {LARGEST_BODY} bytes."
            )
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], scope["path"], query, headers, body)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer that has an end."""
    kind, body = answer.encoded()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        STAND_IN,
        *((name.encode(), value.encode()) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def cut(scope: Scope, receive: Receive) -> None:
    """End the connection without an answer.

    Raises:
        AnswerCutError: The server offers no way to cut.
    """
    end = scope.get("extensions", {}).get(CUT)
    if end is None:
        raise AnswerCutError("The practice network ended the connection without an answer.")
    end()
    while (await receive())["type"] != "http.disconnect":
        pass


def pattern(path: str) -> re.Pattern[str]:
    """The expression for a path with names in braces."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
