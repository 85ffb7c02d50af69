"""A fake network that answers as X does, and means ill: hostile posts, names and error texts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.promises.hostile import PAYLOADS

US = "1000000000000000001"
NAMES = ("one", "two", "three")


def answers(method: str, path: str, query: dict[str, list[str]], text: str) -> tuple[int, Any]:
    """Status and body; `text` stands wherever a text may stand."""
    if method == "POST":
        return 403, problem(text)
    if path == "/2/tweets/search/recent":
        return 200, _page(text)
    if path == "/2/tweets":
        wanted = query.get("ids", [""])[0].split(",")
        return 200, {"data": [one for one in _posts(text) if one["id"] in wanted]}
    if path == "/2/users":
        ids = query.get("ids", [""])[0].split(",")
        return 200, {"data": [{"id": one, "username": text, "name": text} for one in ids]}
    if path.endswith("/mentions"):
        return 403, problem(text)
    return 200, {"data": [], "meta": {"result_count": 0}}


def problem(text: str) -> dict[str, Any]:
    """A refusal that says the text in every field that says something."""
    kind = "https://api.x.com/2/problems/x"
    return {"title": text, "detail": text, "type": kind, "status": 0, "errors": [{"message": text}]}


def _posts(text: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(8_000_000 + number),
            "author_id": str(9_000_000 + number),
            "text": f"yak{NAMES[number]} {text}",
            "created_at": "2026-11-24T09:00:00.000Z",
            "lang": text,
            "reply_settings": text,
            "entities": {"mentions": [{"username": text, "id": US}]},
        }
        for number in range(len(NAMES))
    ]


def _page(text: str) -> dict[str, Any]:
    bad = {"id": text, "author_id": text, "text": text, "created_at": text}
    return {"data": [*_posts(text), bad], "meta": {"newest_id": "8000002", "result_count": 4}}


@contextmanager
def hostile_server(text: str, *, refuses: int = 0) -> Iterator[str]:
    """Serve on this machine while the block runs; yields the address.

    Args:
        text: What stands wherever a text may stand.
        refuses: The status with which all is refused; 0 serves hostile posts.
    """

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            there = urlsplit(self.path)
            status, record = answers(self.command, there.path, parse_qs(there.query), text)
            if refuses:
                status, record = refuses, problem(text)
            body = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the base class asks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing is written about it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


HARMLESS = "evil " + " ".join(f"plain{number}" for number in range(len(PAYLOADS)))
