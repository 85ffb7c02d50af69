"""Signing in, keeping a token, and renewing it by one process at a time."""

import asyncio
import fcntl
import json
import os
import stat
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from carerespond.domain.errors import ConfigError, NetworkError, SignInError, UnreachableError
from carerespond.networks import oauth
from carerespond.networks.client import Client
from carerespond.networks.registry import open_network
from carerespond.networks.tokens import (
    SignIn,
    Token,
    find_bearer,
    load_token,
    save_token,
    token_path,
)
from carerespond.practice.server import make_transport
from tests.networks.support import HANDLE, account
from tests.networks.support import Canned as CannedTransport
from tests.practice.support import BASE, ORIGIN, Network, build, served

BACK = "http://127.0.0.1:8976/callback"
PATIENCE = 60.0  # seconds that a process may take on a slow machine

CONFIG = """\
[organisation]
name = "St Elsewhere"
public_body = true

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
base_url = "{address}"
client_id = "our-app"
"""


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    network = build()
    yield network
    await network.client.aclose()


def began(**changes: Any) -> oauth.Attempt:
    values = {"base_url": BASE, "scopes": oauth.WRITE}
    return oauth.begin("our-app", BACK, **values | changes)


async def allowed(net: Network, attempt: oauth.Attempt) -> str:
    """Where the browser of a person who says yes ends."""
    answer = await net.client.get(attempt.address)
    assert answer.status_code == 302
    return str(answer.headers["location"])


async def finish(net: Network, attempt: oauth.Attempt, pasted: str) -> Token:
    client = Client(BASE, "X", make_transport(net.app))
    try:
        return await oauth.finish(attempt, pasted, client, net.clock)
    finally:
        await client.aclose()


# -- by the functions -----------------------------------------------------------------------------


async def test_a_pasted_address_becomes_a_token(net: Network, tmp_path: Path) -> None:
    attempt = began()
    token = await finish(net, attempt, f"  {await allowed(net, attempt)}\n")
    path = token_path(tmp_path / "secrets", "x")
    save_token(path, token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    x = open_network(
        account(), secrets=path.parent, now=net.clock, transport=make_transport(net.app)
    )
    assert (await x.me()).handle == HANDLE
    assert (await x.reply("Level 2.", net.id_of("named"), "key")).remote_id
    await x.aclose()


def test_the_address_asks_by_pkce_and_shows_no_secret() -> None:
    attempt = began()
    query = {name: one[0] for name, one in parse_qs(urlsplit(attempt.address).query).items()}
    assert query["code_challenge_method"] == "S256"
    assert "offline.access" in query["scope"]
    assert query["redirect_uri"] == BACK
    assert attempt.verifier not in attempt.address
    assert attempt.verifier not in repr(attempt)
    other = began()
    assert (other.state, other.verifier) != (attempt.state, attempt.verifier)


def test_to_look_only_asks_for_no_right_to_write() -> None:
    scope = parse_qs(urlsplit(began(scopes=oauth.READ).address).query)["scope"][0]
    assert "write" not in scope


def test_on_x_itself_the_address_is_of_its_site() -> None:
    assert began(base_url="https://api.x.com").address.startswith("https://x.com/i/oauth2/")


async def test_an_address_of_another_attempt_is_refused(net: Network) -> None:
    first, second = began(), began()
    with pytest.raises(SignInError, match="another attempt"):
        await finish(net, second, await allowed(net, first))


async def test_the_code_of_another_attempt_is_of_no_use(net: Network) -> None:
    first, second = began(), began()
    code = parse_qs(urlsplit(await allowed(net, first)).query)["code"][0]
    forged = f"{BACK}?{urlencode({'code': code, 'state': second.state})}"
    with pytest.raises(SignInError):
        await finish(net, second, forged)


async def test_a_code_is_dead_after_thirty_seconds(net: Network) -> None:
    attempt = began()
    pasted = await allowed(net, attempt)
    net.clock.move(seconds=31)
    with pytest.raises(SignInError):
        await finish(net, attempt, pasted)


async def test_a_code_works_once(net: Network) -> None:
    attempt = began()
    pasted = await allowed(net, attempt)
    await finish(net, attempt, pasted)
    with pytest.raises(SignInError):
        await finish(net, attempt, pasted)


async def test_whoever_cancels_in_the_browser_is_told(net: Network) -> None:
    await net.set(deny_sign_in=True)
    attempt = began()
    with pytest.raises(SignInError, match="refused in the browser"):
        await finish(net, attempt, await allowed(net, attempt))


@pytest.mark.parametrize(
    "pasted", ["", "hello", BACK, f"{BACK}?state=x", f"{BACK}?code={'a' * 600}&state=x"]
)
def test_what_has_no_code_is_told_from_what_has(pasted: str) -> None:
    with pytest.raises(SignInError, match="no code"):
        oauth.code_of(began(), pasted)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"access_token": 5}'),
        (200, b'{"access_token": "\\u00e9", "refresh_token": "r"}'),
        (500, b"{}"),
        (404, b""),
    ],
)
async def test_an_answer_that_is_no_token_is_not_kept(status: int, body: bytes) -> None:
    attempt = began()
    client = Client(BASE, "X", CannedTransport(httpx.Response(status, content=body)))
    with pytest.raises(NetworkError):
        await oauth.finish(attempt, f"{BACK}?code=a&state={attempt.state}", client, lambda: ORIGIN)
    await client.aclose()


# -- by the command -------------------------------------------------------------------------------


@contextmanager
def logging_in(home: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "carerespond", "login", "x", *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "CARERESPOND_HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An installation whose network is served by another process."""
    place = tmp_path / "network"
    place.mkdir()
    with served(place) as address:
        (tmp_path / "config.toml").write_text(CONFIG.format(address=address), encoding="utf-8")
        yield tmp_path


def shown_address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http"):
            return line.strip()
    raise AssertionError("no address was shown")


@pytest.mark.live
def test_login_over_a_terminal_that_is_not_here(home: Path) -> None:
    with logging_in(home) as process:
        shown = shown_address(process)
        back = httpx.get(shown).headers["location"]
        out, errors = process.communicate(f"{back}\n", timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "Signed in as @StElsewhere" in out
    token = load_token(home / "secrets" / "x.token")
    assert token is not None
    for secret in (
        token.access_token,
        token.refresh_token,
        parse_qs(urlsplit(back).query)["code"][0],
    ):
        assert secret not in out + errors
    assert stat.S_IMODE((home / "secrets" / "x.token").stat().st_mode) == 0o600


@pytest.mark.live
def test_login_refuses_another_state_and_keeps_nothing(home: Path) -> None:
    with logging_in(home) as process:
        shown_address(process)
        _, errors = process.communicate(f"{BACK}?code=abc&state=other\n", timeout=PATIENCE)
    assert process.returncode == 2
    assert "another attempt" in errors
    assert not (home / "secrets" / "x.token").exists()


@pytest.mark.live
def test_login_without_an_answer_ends_in_words(home: Path) -> None:
    with logging_in(home) as process:
        _, errors = process.communicate("", timeout=PATIENCE)
    assert process.returncode == 2
    assert "no code" in errors


# -- where a bearer token is taken from -----------------------------------------------------------


def private(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def bearer(
    folder: Path, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> str | None:
    return find_bearer(folder / "secrets", "x", "x", file, environ or {})


def test_each_place_of_a_bearer_yields_to_the_one_before_it(tmp_path: Path) -> None:
    assert bearer(tmp_path) is None
    private(tmp_path / "secrets" / "x.bearer", "from-secrets")
    assert bearer(tmp_path) == "from-secrets"
    environ = {"CARERESPOND_X_BEARER": " from-variable "}
    assert bearer(tmp_path, environ) == "from-variable"
    named = private(tmp_path / "named", "from-token-file")
    assert bearer(tmp_path, environ, named) == "from-token-file"
    environ["CARERESPOND_X_BEARER_FILE"] = str(private(tmp_path / "file", "from-file"))
    assert bearer(tmp_path, environ, named) == "from-file"
    environ["CREDENTIALS_DIRECTORY"] = str(private(tmp_path / "c" / "x.bearer", "systemd").parent)
    assert bearer(tmp_path, environ, named) == "systemd"
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "nothing-here")
    assert bearer(tmp_path, environ, named) == "from-file"


def test_a_secret_of_systemd_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.bearer").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        bearer(tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o666])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "secrets" / "x.bearer", "s3cret")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="can be read by others") as refused:
        bearer(tmp_path)
    assert "chmod 600" in refused.value.remedy
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["x.bearer", "x.token"])
def test_a_secret_behind_a_link_is_refused(tmp_path: Path, name: str) -> None:
    real = private(tmp_path / "elsewhere", "s3cret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / name).symlink_to(real)
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_network(account(), secrets=tmp_path / "secrets", now=lambda: ORIGIN)


def test_a_mark_before_a_token_is_no_part_of_it(tmp_path: Path) -> None:
    private(tmp_path / "secrets" / "x.bearer", "\ufefftoken")
    assert bearer(tmp_path) == "token"
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "secrets")}
    assert bearer(tmp_path, environ) == "token"


@pytest.mark.parametrize("text", ["s3cr\u00e9t", "s3cret\nBearer x", "s3cret\x07", "s3\ufeffcret"])
@pytest.mark.parametrize("place", ["secrets", "systemd", "token_file", "_FILE", "variable"])
def test_what_no_header_can_hold_is_no_token(tmp_path: Path, text: str, place: str) -> None:
    kept = private(tmp_path / place / "x.bearer", text)
    environ = {
        "systemd": {"CREDENTIALS_DIRECTORY": str(kept.parent)},
        "_FILE": {"CARERESPOND_X_BEARER_FILE": str(kept)},
        "variable": {"CARERESPOND_X_BEARER": text},
    }.get(place, {})
    with pytest.raises(ConfigError, match="no token") as refused:
        bearer(tmp_path, environ, kept if place == "token_file" else None)
    assert ("BEARER" if place == "variable" else str(kept)) in str(refused.value)
    assert "s3" not in str(refused.value).replace(str(kept), "")
    assert refused.value.remedy


@pytest.mark.parametrize("text", ["s3cr\u00e9t", 7])
def test_a_sign_in_that_no_header_can_hold_is_refused(tmp_path: Path, text: object) -> None:
    kept = {"access_token": text, "refresh_token": "r", "expires_at": 9e9, "client_id": "our-app"}
    private(tmp_path / "secrets" / "x.token", json.dumps(kept))
    with pytest.raises(ConfigError, match="no sign-in"):
        open_network(account(), secrets=tmp_path / "secrets", now=lambda: ORIGIN)


def test_a_link_to_nowhere_is_refused_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "x.bearer").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        bearer(tmp_path, {})


def test_a_token_file_that_is_none_is_told(tmp_path: Path) -> None:
    private(tmp_path / "secrets" / "x.token", "{not json")
    with pytest.raises(ConfigError, match="no sign-in") as refused:
        open_network(account(), secrets=tmp_path / "secrets", now=lambda: ORIGIN)
    assert "not json" not in str(refused.value)


def test_without_a_token_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CREDENTIALS_DIRECTORY", "CARERESPOND_X_BEARER", "CARERESPOND_X_BEARER_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SignInError, match="carerespond login x"):
        open_network(account(), secrets=tmp_path, now=lambda: ORIGIN)


# -- renewing -------------------------------------------------------------------------------------


async def signed_in(net: Network, folder: Path) -> Path:
    attempt = began()
    path = token_path(folder, "x")
    save_token(path, await finish(net, attempt, await allowed(net, attempt)))
    return path


async def test_a_token_is_renewed_before_it_ends(net: Network, tmp_path: Path) -> None:
    path = await signed_in(net, tmp_path)
    before = load_token(path)
    client = Client(BASE, "X", make_transport(net.app))
    sign_in = SignIn(path, client, now=net.clock, account="x")
    assert before is not None
    assert await sign_in.token() == before.access_token
    net.clock.move(minutes=119, seconds=30)
    renewed = await sign_in.token()
    after = load_token(path)
    assert after is not None
    assert renewed == after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    await client.aclose()


async def test_a_network_that_is_down_ends_no_sign_in(net: Network, tmp_path: Path) -> None:
    path = await signed_in(net, tmp_path)
    before = load_token(path)
    net.clock.move(hours=3)
    down = Client(BASE, "X", CannedTransport(httpx.ConnectError("refused")))
    with pytest.raises(NetworkError) as failed:
        await SignIn(path, down, now=net.clock, account="x").token()
    assert not isinstance(failed.value, SignInError)
    assert load_token(path) == before
    await down.aclose()


async def test_a_sign_in_that_was_taken_back_says_how_to_go_on(
    net: Network, tmp_path: Path
) -> None:
    path = await signed_in(net, tmp_path)
    token = load_token(path)
    assert token is not None
    save_token(path, replace(token, refresh_token="used-up", expires_at=0.0))
    client = Client(BASE, "X", make_transport(net.app))
    with pytest.raises(SignInError, match="carerespond login x"):
        await SignIn(path, client, now=net.clock, account="x").token()
    await client.aclose()


@pytest.mark.parametrize("broken", ["token", "folder"])
async def test_a_token_file_that_cannot_be_used_is_a_sign_in_that_cannot(
    net: Network, tmp_path: Path, broken: str
) -> None:
    path = await signed_in(net, tmp_path)
    client = Client(BASE, "X", make_transport(net.app))
    sign_in = SignIn(path, client, now=net.clock, account="x")
    await sign_in.token()
    net.clock.move(hours=3)
    if broken == "token":
        path.chmod(0o644)
    else:
        # Its name as a folder: a new file can neither be opened there nor take its place.
        path.with_name(f".{path.name}.{os.getpid()}.new").mkdir()
    with pytest.raises(SignInError, match=str(path)) as failed:
        await sign_in.token()
    assert failed.value.remedy
    await client.aclose()


async def test_many_calls_at_once_renew_once(net: Network, tmp_path: Path) -> None:
    path = await signed_in(net, tmp_path)
    net.clock.move(hours=3)
    counted = CountedTransport(net)
    client = Client(BASE, "X", counted)
    sign_in = SignIn(path, client, now=net.clock, account="x")
    tokens = await asyncio.gather(*(sign_in.token() for _ in range(8)))
    assert len(set(tokens)) == 1
    assert counted.renewals == 1
    await client.aclose()


@contextmanager
def renewing_elsewhere(path: Path) -> Iterator[None]:
    """Another program holds the lock and was stopped."""
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


async def test_a_program_stopped_while_renewing_is_told_and_not_waited_for(
    net: Network, tmp_path: Path
) -> None:
    path = await signed_in(net, tmp_path)
    net.clock.move(hours=3)
    client = Client(BASE, "X", make_transport(net.app))
    sign_in = SignIn(path, client, now=net.clock, account="x", patience=0.3)
    with renewing_elsewhere(path):
        async with asyncio.timeout(PATIENCE):
            ends = await asyncio.gather(
                *(sign_in.token() for _ in range(3)), return_exceptions=True
            )
        assert [type(one) for one in ends] == [UnreachableError] * 3
        assert "was stopped" in str(ends[0])
    assert await sign_in.token()
    await client.aclose()


async def test_waiting_for_another_program_can_be_left(net: Network, tmp_path: Path) -> None:
    path = await signed_in(net, tmp_path)
    net.clock.move(hours=3)
    client = Client(BASE, "X", make_transport(net.app))
    sign_in = SignIn(path, client, now=net.clock, account="x")
    with renewing_elsewhere(path):
        waiting = asyncio.ensure_future(sign_in.token())
        await asyncio.sleep(0.05)
        assert open_locks(path) == 2
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=PATIENCE)
        assert waiting.cancelled()
        assert open_locks(path) == 1
    await client.aclose()


def open_locks(path: Path) -> int:
    """How often this process has the lock's file open."""
    lock = path.with_suffix(".lock").stat()
    count = 0
    for one in Path("/dev/fd").iterdir():
        try:
            count += os.path.samestat(os.fstat(int(one.name)), lock)
        except OSError:
            continue  # the listing's own
    return count


class CountedTransport(httpx.AsyncBaseTransport):
    """The practice network, counting calls of its token endpoint."""

    def __init__(self, net: Network) -> None:
        self._inner = make_transport(net.app)
        self.renewals = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.renewals += request.url.path == "/2/oauth2/token"
        return await self._inner.handle_async_request(request)


async def test_a_token_that_a_colleague_renewed_is_used(net: Network, tmp_path: Path) -> None:
    path = await signed_in(net, tmp_path)
    mine, theirs = (
        open_network(account(), secrets=tmp_path, now=net.clock, transport=make_transport(net.app))
        for _ in range(2)
    )
    assert (await mine.me()).handle == HANDLE
    net.clock.move(minutes=119, seconds=30)
    assert (await theirs.me()).handle == HANDLE
    net.clock.move(minutes=10)
    assert (await mine.me()).handle == HANDLE
    assert load_token(path) is not None
    await mine.aclose()
    await theirs.aclose()


# Three processes whose token has ended, let go at the same moment.
RACER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from carerespond.config import AccountConfig
from carerespond.networks.client import Client
from carerespond.networks.registry import open_network
{planted}
request = Client.request
async def slow(self, method, path, **how):
    if path.endswith("/token"):  # as over the internet, so that the three overlap
        await asyncio.sleep(1.0)
    return await request(self, method, path, **how)
Client.request = slow
async def main():
    account = AccountConfig("x", "x", "StElsewhere", base_url=sys.argv[1])
    x = open_network(account, secrets=Path(sys.argv[2]), now=lambda: datetime.now(UTC))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        for _ in range(3):
            author = await x.me()
        print("in as", author.handle)
    finally:
        await x.aclose()
asyncio.run(main())
"""
NO_LOCK = """
from carerespond.networks import tokens
tokens.SignIn._is_locked = lambda self, handle: True
"""


def race(address: str, secrets: Path, planted: str) -> tuple[int, list[str]]:
    """How often the token was renewed, and how each process ended."""
    racers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(RACER).format(planted=planted),
                address,
                secrets,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(secrets.parent),
        )
        for _ in range(3)
    ]
    for one in racers:
        assert one.stdout is not None
        assert one.stdout.readline().strip() == "ready"
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    ends = [one.communicate(timeout=PATIENCE)[0].strip().splitlines()[-1] for one in racers]
    return renewals(secrets.parent / "network" / "journal.jsonl"), ends


def renewals(journal: Path) -> int:
    """How many access tokens the network has given out after the first."""
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    given = [one for one in events if one.get("do") == "granted" and one.get("kind") == "access"]
    return len(given) - 1


def ended_sign_in(home: Path, address: str) -> Path:
    """A sign-in on the served network whose access token has ended."""

    attempt = oauth.begin("our-app", BACK, base_url=address, scopes=oauth.WRITE)
    pasted = httpx.get(attempt.address).headers["location"]

    async def exchange() -> Token:
        client = Client(address, "X")
        try:
            return await oauth.finish(attempt, pasted, client, lambda: ORIGIN)
        finally:
            await client.aclose()

    secrets = home / "secrets"
    save_token(token_path(secrets, "x"), replace(asyncio.run(exchange()), expires_at=0.0))
    return secrets


def _races(home: Path, planted: str = "") -> None:
    config = tomllib.loads((home / "config.toml").read_text(encoding="utf-8"))
    address = config["account"][0]["base_url"]
    count, ends = race(address, ended_sign_in(home, address), planted)
    assert ends == ["in as StElsewhere"] * 3, ends
    assert count == 1


@pytest.mark.promise
@pytest.mark.live
def test_three_processes_renew_a_token_once_and_none_is_locked_out(home: Path) -> None:
    _races(home)


@pytest.mark.promise
@pytest.mark.live
def test_renewing_without_a_lock_is_caught(home: Path) -> None:
    """Planted bug: no lock around the renewal."""
    with pytest.raises(AssertionError):
        _races(home, NO_LOCK)
