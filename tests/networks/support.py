"""X as tests reach it: the practice network in this process, or answers prepared beforehand."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from carerespond.config import AccountConfig
from carerespond.networks.tokens import FixedToken
from carerespond.networks.x import Authors, Credentials, XNetwork
from carerespond.practice.server import make_transport
from tests.practice.support import BASE, ORIGIN, US, Network

HANDLE = "StElsewhere"


def account(**changes: Any) -> AccountConfig:
    values = {"account_id": "x", "network": "x", "handle": HANDLE, "base_url": BASE, "user_id": US}
    return AccountConfig(**values | changes)


def user() -> FixedToken:
    return FixedToken("practice-user", can_write=True)


def app_only() -> FixedToken:
    return FixedToken("practice-app", can_write=False)


def connected(
    net: Network,
    *,
    token: Credentials | None = None,
    authors: Authors | None = None,
    **changes: Any,
) -> XNetwork:
    """Our account on a practice network in this process."""
    return XNetwork(
        account(**changes),
        token or user(),
        now=net.clock,
        transport=make_transport(net.app),
        authors=authors,
    )


Part = httpx.Response | Exception


class Canned(httpx.AsyncBaseTransport):
    """Not a network: gives out prepared answers in turn, the last one for ever, and keeps count."""

    def __init__(self, *answers: Part) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(request.url.params) for request in self.requests]


def canned(
    *answers: Part, token: Credentials | None = None, now: Callable[[], datetime] = lambda: ORIGIN
) -> tuple[XNetwork, Canned]:
    """Our account on a network that gives these answers."""
    transport = Canned(*answers)
    return XNetwork(account(), token or user(), now=now, transport=transport), transport


def answer(
    status: int, body: object = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=dict(headers or {}), content=content)


def problem(
    status: int, detail: str, kind: str = "about:blank", title: str = "Forbidden", **more: Any
) -> httpx.Response:
    """A problem document as X writes it, by the last part of its type."""
    where = kind if kind == "about:blank" else f"https://api.twitter.com/2/problems/{kind}"
    body = {"title": title, "detail": detail, "type": where, "status": status}
    return answer(status, body, more.get("headers"))


def record(post_id: str, **more: Any) -> dict[str, Any]:
    """A post as X's API gives it."""
    return {
        "id": post_id,
        "text": "the wait was long",
        "author_id": "77",
        "created_at": "2026-11-24T08:00:00.000Z",
        "edit_history_tweet_ids": [post_id],
        **more,
    }


def page(*records: object, **meta: Any) -> httpx.Response:
    """A page of a search, with its one author."""
    users = [{"id": "77", "username": "marian_k", "name": "Marian"}]
    return answer(200, {"data": list(records), "includes": {"users": users}, "meta": meta})
