"""The practice network as a server: errors in the wire's format, addresses, start and end."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from carerespond.practice.server import ListenError, check_host, serve
from tests.practice.support import USER, Network, served

ODD_VALUES: tuple[object, ...] = (
    None,
    5,
    -1.5,
    "",
    "x",
    "\ud800",
    [],
    [5],
    [{}],
    {},
    {"a": []},
    True,
)
WRITES = {
    ("POST", "/2/tweets"): ("text", "reply", "quote_tweet_id", "reply_settings"),
    ("PUT", "/2/tweets/1/hidden"): ("hidden",),
    ("POST", "/2/users/1/retweets"): ("tweet_id",),
    ("POST", "/2/dm_conversations/with/1/messages"): ("text", "attachments"),
    ("POST", "/2/tweets/search/stream/rules"): ("add", "delete"),
    ("DELETE", "/2/connections"): ("uuids",),
    ("PUT", "/practice/settings"): (
        "fail_next", "balance", "keep_alive_s", "rate_limits", "credits", "clock_offset_s",
        "summon_wording", "summon_rule", "redirect_uris", "bad_records", "nothing",
    ),
    ("POST", "/practice/posts"): ("posts", "author", "text", "at", "likes", "withheld"),
    ("POST", "/practice/delete"): ("id",),
    ("POST", "/practice/edit"): ("id", "text"),
    ("POST", "/practice/messages"): ("author", "text"),
    ("POST", "/practice/people"): ("handle", "followers", "protected"),
    ("POST", "/practice/disconnect"): ("how",),
}  # fmt: skip
APP_ONLY = ("/2/tweets/search/stream/rules", "/2/connections")


def _is_error_in_format(answer: httpx.Response) -> bool:
    body = answer.json()
    return (
        400 <= answer.status_code < 500
        and answer.headers["content-type"].startswith("application/problem+json")
        and answer.headers["x-practice"] == "stand-in, not X"
        and body.keys() >= {"title", "detail", "type"}
    )


@pytest.mark.parametrize(("call", "names"), WRITES.items(), ids=lambda one: str(one[-1]))
async def test_odd_bodies_are_answered_and_never_crash_the_network(
    net: Network, call: tuple[str, str], names: tuple[str, ...]
) -> None:
    method, path = call
    token = "practice-app" if path in APP_ONLY else "practice-user"
    headers = {"Authorization": f"Bearer {token}"}
    bodies: list[Any] = [{name: odd} for name in names for odd in ODD_VALUES]
    if path == "/2/tweets":
        bodies += [{"text": "x", "reply": odd} for odd in ODD_VALUES]
        bodies += [{"text": "x", "quote_tweet_id": odd} for odd in ODD_VALUES]
        bodies += [{"text": "x", "reply_settings": odd} for odd in ODD_VALUES]
        one = "exclude_reply_user_ids"
        target = net.id_of("named")
        bodies += [
            {"text": "x", "reply": {"in_reply_to_tweet_id": target, one: odd}} for odd in ODD_VALUES
        ]
    if path == "/practice/posts":
        base = {"author": "a", "text": "b"}
        bodies += [{**base, name: odd} for name in ("at", "likes", "key") for odd in ODD_VALUES]
        bodies += [{"posts": [odd]} for odd in ODD_VALUES]
    net.settings.rate_limits = {f"POST {path}": 10_000, f"DELETE {path}": 10_000}
    for body in bodies:
        content = json.dumps(body)
        answer = await net.client.request(method, path, content=content, headers=headers)
        assert answer.status_code < 300 or _is_error_in_format(answer), (body, answer.text)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 200_000, b"[1]", b"null", b'"x"'])
@pytest.mark.parametrize("call", ["POST /2/tweets", "PUT /practice/settings"])
async def test_a_body_that_is_no_object_is_a_400(net: Network, call: str, body: bytes) -> None:
    method, path = call.split()
    answer = await net.client.request(method, path, content=body, headers=USER)
    assert answer.status_code == 400
    assert _is_error_in_format(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/2/nothing", 404),
        ("GET", "/2/tweets/1/2/3", 404),
        ("POST", "/practice/nothing", 404),
        ("GET", "/1.1/statuses/update.json", 404),
        ("PATCH", "/2/tweets", 405),
        ("DELETE", "/2/users/me", 405),
    ],
)
async def test_unknown_paths_and_methods_are_problems(
    net: Network, method: str, path: str, status: int
) -> None:
    answer = await net.client.request(method, path, headers=USER)
    assert answer.status_code == status
    assert _is_error_in_format(answer)


async def test_a_huge_body_is_refused(net: Network) -> None:
    answer = await net.client.post("/2/tweets", content=b"a" * 1_000_001, headers=USER)
    assert answer.status_code == 413
    assert _is_error_in_format(answer)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic eDp5", "Bearer ü"])
async def test_without_a_valid_token_nothing_is_answered(net: Network, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1")} if authorization else {}
    answer = await net.client.get("/2/users/me", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "title": "Unauthorized",
        "detail": "Unauthorized",
        "type": "about:blank",
        "status": 401,
    }


def test_errors_over_a_port_are_the_same(tmp_path: Path) -> None:
    with served(tmp_path) as base, httpx.Client(base_url=base, timeout=20) as client:
        for answer in (
            client.get("/2/nothing"),
            client.patch("/2/tweets", headers=USER),
            client.post("/2/tweets", content=b"{bad", headers=USER),
            client.post("/2/tweets", content=b"a" * 3_000_000, headers=USER),
            client.put("/practice/settings", json={"nothing": 1}),
        ):
            assert _is_error_in_format(answer), answer.text


# -- addresses ------------------------------------------------------------------------------------


def _is_refused(host: str, *, any_host: bool) -> bool:
    """Whether the server refuses to listen where other machines reach it; it never gets to serve.

    The port is taken, so a server that would listen says so instead.
    """
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        try:
            serve(host, taken.getsockname()[1], any_host=any_host)
        except ListenError as error:
            return "this machine only" in str(error)
    return False


@pytest.mark.promise
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::", "127.0.0.1.evil"])
def test_the_practice_network_listens_on_this_machine_only(host: str) -> None:
    assert _is_refused(host, any_host=False)


@pytest.mark.promise
def test_a_server_that_listens_anywhere_is_caught() -> None:
    assert not _is_refused("0.0.0.0", any_host=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.9"])
def test_addresses_of_this_machine_are_taken(host: str) -> None:
    check_host(host)


# -- the command ----------------------------------------------------------------------------------


def command(place: str) -> list[str]:
    return [sys.executable, "-m", "carerespond", "practice", "--serve", place]


def refused(place: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command where it cannot serve."""
    environment = {**os.environ, "CARERESPOND_HOME": str(home)}
    return subprocess.run(
        command(place), capture_output=True, text=True, check=False, timeout=60, env=environment
    )


@contextmanager
def running(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command on a free port; the process and its address."""
    environment = {**os.environ, "CARERESPOND_HOME": str(home)}
    environment.pop("PYTHONUNBUFFERED", None)  # whoever reads the pipe must not need it
    with subprocess.Popen(
        command("127.0.0.1:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def test_the_command_says_where_it_answers_and_ends_quietly_on_interrupt(tmp_path: Path) -> None:
    with running(tmp_path) as (process, base):
        assert httpx.get(f"{base}/practice/truth", timeout=20).status_code == 200
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=30)
        assert (process.returncode, said, complained) == (0, "", "")


def test_an_open_stream_does_not_hold_the_command_back(tmp_path: Path) -> None:
    app = {"Authorization": "Bearer practice-app"}
    with running(tmp_path) as (process, base), httpx.Client(base_url=base, timeout=30) as client:
        rule = {"add": [{"value": "elsewhere"}]}
        client.post("/2/tweets/search/stream/rules", json=rule, headers=app)
        client.put("/practice/settings", json={"keep_alive_s": 0.1})
        with client.stream("GET", "/2/tweets/search/stream", headers=app) as stream:
            lines = stream.iter_raw()
            assert next(lines) == b"\r\n"
            process.send_signal(signal.SIGINT)
            for _ in lines:
                pass
        said, complained = process.communicate(timeout=30)
        assert (process.returncode, said, complained) == (0, "", "")


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = refused(place, tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (f"carerespond: {place}: Address already in use. Choose another port.\n")


@pytest.mark.parametrize("place", ["8808", "here", ":8808", "127.0.0.1:", "127.0.0.1:99999"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    done = refused(place, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("carerespond: ")
    assert "Traceback" not in done.stderr
