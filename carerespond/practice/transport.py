"""Carries httpx requests to the practice network inside one process, with no port."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx

from carerespond.practice.asgi import CUT, AnswerCutError, App, Message


class _Exchange:
    """One request on its way through the application."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self.request, self.body = request, body
        self.sent_body = False
        self.closed = asyncio.Event()
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def scope(self) -> dict[str, Any]:
        url = self.request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.request.method,
            "headers": [(name.lower(), value) for name, value in self.request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 1),
            "root_path": "",
            "extensions": {CUT: self.cut},
        }

    def cut(self) -> None:
        self.messages.put_nowait({"type": "cut"})
        self.closed.set()

    async def receive(self) -> Message:
        if not self.sent_body:
            self.sent_body = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.put_nowait(message)

    async def next(self) -> Message:
        message = await self.messages.get()
        if message["type"] == "failed":
            raise message["error"]
        if message["type"] == "cut":
            raise httpx.ReadError("The connection ended without an answer.", request=self.request)
        return message

    def ended(self, task: "asyncio.Task[None]") -> None:
        """The application is through: whoever still waits for a message learns it."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, AnswerCutError):
            self.messages.put_nowait({"type": "failed", "error": error})
        self.cut()


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self.exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.exchange.next()
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def aclose(self) -> None:
        self.exchange.closed.set()


class PracticeTransport(httpx.AsyncBaseTransport):
    """An httpx transport over an ASGI application.

    A request that the client gives up is carried out all the same, as it would be over a network.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.running: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; a cut answer is `httpx.ReadError`."""
        exchange = _Exchange(request, await request.aread())
        task = asyncio.get_running_loop().create_task(self._run(exchange))
        self.running.add(task)
        task.add_done_callback(exchange.ended)
        task.add_done_callback(self.running.discard)
        try:
            start = await exchange.next()
        except BaseException:
            exchange.closed.set()
            raise
        return httpx.Response(
            start["status"], headers=start["headers"], stream=_Body(exchange), request=request
        )

    async def _run(self, exchange: _Exchange) -> None:
        await self.app(exchange.scope(), exchange.receive, exchange.send)

    async def aclose(self) -> None:
        """Stop what still runs."""
        for task in list(self.running):
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
