"""One HTTP client for every network: nothing is followed, read or believed without a limit.

Errors are named by what they mean for a write: nothing was sent, or it may have arrived.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from carerespond.domain.errors import AnswerLostError, BadAnswerError, UnreachableError

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 20.0  # the whole exchange: a server that drips must not hold a source for ever
MOST_BYTES = 10 * 1024 * 1024
_MOST_DIGITS = 100

# An answer that is a fault may repeat the request, and its words are shown and stored.
_FAULTS = 400
_HIDDEN = ("refresh_token", "code", "code_verifier", "client_secret")

# Before these, not a byte of the request has left.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `record` is its JSON, None when it is not JSON."""

    status: int
    headers: httpx.Headers
    record: Any


class Client:
    """Requests to one host.

    Args:
        base_url: Where the API is.
        name: The network's name, for errors.
        transport: Another way than the internet, for practice and tests.
    """

    def __init__(
        self, base_url: str, name: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._name = name
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,  # a proxy or a netrc file of the host must not see our tokens
            headers={"user-agent": "carerespond", "accept": "application/json"},
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request, never repeated in here.

        Raises:
            UnreachableError: Nothing was sent.
            AnswerLostError: It may have arrived.
            BadAnswerError: The answer is too large.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = self._client.build_request(
            method, path, params=params, json=body, data=form, headers=headers
        )
        hidden = [token] if token else []
        hidden += [text for name, text in (form or {}).items() if name in _HIDDEN]
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._exchange(request, hidden)
        except _NOT_SENT as error:
            raise UnreachableError(
                f"{self._name} could not be reached ({type(error).__name__}).",
                "Check this computer's network.",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            raise AnswerLostError(
                f"{self._name} did not answer to the end ({type(error).__name__})."
            ) from None

    async def _exchange(self, request: httpx.Request, hidden: Sequence[str]) -> Answer:
        answer = await self._client.send(request, stream=True)
        try:
            parts: list[bytes] = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > MOST_BYTES:
                    raise BadAnswerError(
                        f"{self._name} answered with more than {MOST_BYTES // 1024 // 1024} MB."
                    )
                parts.append(part)
        finally:
            await answer.aclose()
        data = b"".join(parts)
        if answer.status_code >= _FAULTS:
            for secret in filter(None, hidden):
                data = data.replace(secret.encode(), b"(hidden)")
        return Answer(answer.status_code, answer.headers, _json(data))

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | str:
    """A number; one that no field can mean stays text, so that its record is refused, not all."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits
