"""No request goes to a place that an answer or a post has named, and our token to no other host."""

import json
import stat
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.app import App
from textual.driver import Driver

from carerespond.config import AccountConfig
from carerespond.domain.errors import NetworkError
from carerespond.networks import client
from carerespond.networks.tokens import FixedToken, SignIn, Token, save_token
from carerespond.networks.x import XNetwork
from carerespond.ui.app import CarerespondApp
from carerespond.ui.opener import open_address
from tests.promises.hostile import PAYLOADS, naughty_strings
from tests.sending import START

HOST = "api.x.example"
# Spellings of this machine and of the networks behind it; httpx takes most of them.
PLACES = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::]",
    "127\u30020\u30020\u30021",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.64.0.1",
    "192.0.0.8",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[fd00::1]",
    "evil.example",
    "api.x.example.evil.example",
    "api.x.example@evil.example",
]


@dataclass
class Recorder(httpx.AsyncBaseTransport):
    """A fake internet: answers as it is told, and remembers every request."""

    status: int = 200
    location: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        headers = {
            "location": self.location,
            "link": f'<{self.location}>; rel="next"',
            "refresh": f"0; url={self.location}",
            "set-cookie": "a=b; Domain=example",
            "alt-svc": f'h2="{self.location}"',
        }
        return httpx.Response(
            self.status,
            headers={name.encode(): value.encode() for name, value in headers.items()},
            content=json.dumps(self.body),
            request=request,
        )

    def elsewhere(self) -> list[str]:
        return [str(one.url) for one in self.asked if one.url.host != HOST]


def post(number: int, place: str) -> dict[str, Any]:
    """A post that names a place wherever a place may stand."""
    url = f"http://{place}/steal"
    return {
        "id": str(number),
        "author_id": "5",
        "text": f"see {url} https://t.co/{place}",
        "created_at": "2026-11-24T08:00:00.000Z",
        "attachments": {"media_keys": [url]},
        "entities": {"urls": [{"url": url, "expanded_url": url, "unwound_url": url}]},
    }


def answer(place: str) -> dict[str, Any]:
    url = f"http://{place}/steal"
    return {
        "data": [post(1, place), post(2, place)],
        "includes": {
            "users": [{"id": "5", "username": f"../../{place}", "url": url, "image": url}],
            "media": [{"media_key": url, "url": url}],
        },
        "meta": {"next_token": url, "newest_id": "2", "previous_token": url, "next": url},
        "links": {"next": url},
        "access_token": "other",
        "refresh_token": "other",
        "token_endpoint": url,
    }


async def everything(network: XNetwork) -> None:
    """Every call that the connector has; an error is an answer too."""
    calls: list[Callable[[], Awaitable[object]]] = [
        network.me,
        lambda: network.search("words"),
        lambda: network.search("words", page_token="http://127.0.0.1/next"),
        network.mentions,
        network.own_posts,
        lambda: network.lookup(["1", "2"]),
        lambda: network.reply("sorry", "1", "key"),
    ]
    for call in calls:
        try:
            await call()
        except NetworkError:
            continue


async def _requests_stay_at_home(folder: Path) -> None:
    asked = 0
    for place in PLACES:
        for status in (200, 301, 302, 303, 307, 308, 401):
            recorder = Recorder(status, f"http://{place}/steal", answer(place))
            account = AccountConfig("x", "x", "StElsewhere", base_url=f"https://{HOST}")
            token = folder / "x.token"
            save_token(token, Token("secret", "secret-too", 4e9, "c"))
            renewing = client.Client(account.base_url, "X", recorder)
            sign_in = SignIn(token, renewing, now=lambda: START, account="x")
            network = XNetwork(account, sign_in, now=lambda: START, transport=recorder)
            await everything(network)
            await network.aclose()
            await renewing.aclose()
            assert recorder.elsewhere() == [], (place, status)
            assert all(one.url.scheme == "https" for one in recorder.asked)
            assert all("cookie" not in one.headers for one in recorder.asked)
            asked += len(recorder.asked)
    assert asked > len(PLACES) * 40, "the calls were made"


@pytest.mark.promise
async def test_no_answer_leads_a_request_or_the_token_to_another_host(tmp_path: Path) -> None:
    await _requests_stay_at_home(tmp_path)


@pytest.mark.promise
async def test_the_check_catches_a_client_that_follows_redirects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Following(httpx.AsyncClient):
        def __init__(self, **how: Any) -> None:
            super().__init__(**{**how, "follow_redirects": True})

    monkeypatch.setattr("carerespond.networks.client.httpx.AsyncClient", Following)
    with pytest.raises(AssertionError, match="steal"):
        await _requests_stay_at_home(tmp_path)


@pytest.mark.promise
async def test_no_proxy_or_netrc_of_the_surroundings_sees_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login a password b\n")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))
    recorder = Recorder(body={"data": []})
    account = AccountConfig("x", "x", "StElsewhere", base_url=f"https://{HOST}", user_id="1")
    token = FixedToken("secret", can_write=False)
    network = XNetwork(account, token, now=lambda: START, transport=recorder)
    await network.search("words")
    await network.aclose()
    assert [one.headers["authorization"] for one in recorder.asked] == ["Bearer secret"]
    assert network._client._client.trust_env is False


# -- opening ------------------------------------------------------------------------------------

ADDRESSES = [
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ftp://evil.example",
    "--help",
    "-o/etc/passwd",
    "",
    " https://evil.example",
    "HTTPS",
    "https:/evil.example",
    "data:text/html,x",
    "ssh://evil.example",
    "https://evil.example/ --new-window",
    "https://evil.example/\n--new-window",
    "http://a\x00b",
    "https://evil.example/\x1b]0;x\x07",
    "https://evil.example/\u202egnp",
]
OPENED = [
    "https://x.com/rose/status/1",
    "http://x.com/$(touch%20owned)?a=1&b=;rm#'\"",
    "https://x.com/`touch`|cat",
]


def _opener(folder: Path) -> tuple[list[str], Path]:
    """A program that notes its arguments, a line each time."""
    noted = folder / "noted"
    program = folder / "opener"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(noted)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
    )
    program.chmod(stat.S_IRWXU)
    return [str(program), "--one"], noted


def _noted(file: Path, number: int) -> list[list[str]]:
    end, found = time.monotonic() + 30, list[str]()
    while time.monotonic() < end:
        found = file.read_text().splitlines() if file.exists() else []
        if len(found) >= number:
            return [json.loads(line) for line in found]
    raise AssertionError(f"only {found} were started")


@pytest.mark.promise
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # an opener outlives us: nobody waits for it
def test_the_opener_gets_a_web_address_as_one_argument_or_nothing(tmp_path: Path) -> None:
    opener, noted = _opener(tmp_path)
    texts = [*ADDRESSES, *PAYLOADS.values(), *naughty_strings()]
    texts += [f"https://x.example/{text}" for text in PAYLOADS.values() if not text.isprintable()]
    for address in texts:
        if not address.startswith(("https://", "http://")) or not address.isprintable():
            assert open_address(opener, address) == "only web addresses are opened", address
    assert not noted.exists()
    for address in OPENED:
        assert "started" in open_address(opener, address)
    assert sorted(_noted(noted, len(OPENED))) == sorted(["--one", one] for one in OPENED)


def _opens(app: type[App[Any]]) -> bool:
    """Whether an application's own way of opening links starts something."""
    opened: list[str] = []

    class Screenless:
        """A fake driver that notes what it is told to open."""

        def open_url(self, url: str, new_tab: bool = True) -> None:
            opened.append(url)

    one = app.__new__(app)
    one._driver = Screenless()  # type: ignore[assignment]  # as much of a driver as this needs
    app.open_url(one, "https://evil.example")
    return bool(opened)


@pytest.mark.promise
def test_a_link_on_the_screen_opens_nothing_on_the_host() -> None:
    assert hasattr(Driver, "open_url")
    assert not _opens(CarerespondApp)
    assert _opens(App), "the check sees what Textual would do"
