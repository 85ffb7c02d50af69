"""Serves the practice network on a port with uvicorn."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from carerespond.practice.asgi import CUT, Receive, Scope, Send
from carerespond.practice.server import ListenError, PracticeApp

CLOSING_SECONDS = 1


class CuttableProtocol(H11Protocol):
    """HTTP whose application may cut the connection: what a lost answer looks like from outside."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Hand the application a way to cut this connection."""
        super().connection_made(transport)
        app = self.app

        async def with_cut(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CUT] = transport.abort
            await app(scope, receive, send)

        self.app = with_cut


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: PracticeApp, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.practice_app, self.ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.practice_app.practice.hub.disconnect("closed")
        await super().shutdown(sockets)


def bound(host: str, port: int) -> socket.socket:
    """A socket on the address.

    Raises:
        ListenError: Something listens there, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio takes Nagle's delay (40 ms an answer) off sockets alone that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OverflowError:
        listener.close()
        raise ListenError(f"{port} is no port: they end at 65535.") from None
    except OSError as error:
        listener.close()
        raise ListenError(f"{host}:{port}: {error.strerror}. Choose another port.") from error
    return listener


def listen(app: PracticeApp, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ListenError: The address cannot be had.
    """
    listener = bound(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    server = _Server(config, app, lambda: on_ready(address))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        listener.close()
