"""X's own SDK works against the practice network: an independent judge of the stand-in.

The SDK (`xdk` on PyPI) reads every answer through models made from X's API description, so an
answer of another shape raises there. What it returned is held against the stand-in's own truth.
"""

import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.live

SDK = "xdk==0.10.6"
SCRIPT = Path(__file__).with_name("official_sdk.py")
UNREACHABLE = (
    "NewConnectionError",
    "Failed to establish a new connection",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "ProxyError",
    "Ignoring indexes",
)


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has the SDK; kept in pytest's cache between runs."""
    cache = getattr(request.config, "cache", None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = (
        cache.mkdir(f"official-sdk-{version}")
        if cache is not None
        else tmp_path_factory.mktemp("official-sdk")
    )
    found = home / "bin/python"
    if not _has_sdk(found):
        venv.create(home, with_pip=True, clear=True)
        _install(found)
    return str(found)


def _has_sdk(python: Path) -> bool:
    wanted = SDK.partition("==")[2]
    code = f"import importlib.metadata as m, xdk; assert m.version('xdk') == '{wanted}'"
    return python.exists() and subprocess.run([python, "-c", code], check=False).returncode == 0


def _install(python: Path) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20", SDK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip(f"the package registry cannot be reached, so {SDK} cannot be had")
    assert done.returncode == 0, done.stderr


@contextmanager
def practice_network() -> Iterator[str]:
    """`carerespond practice --serve` on a free port; its address."""
    command = [sys.executable, "-m", "carerespond", "practice", "--serve", "127.0.0.1:0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.fixture(scope="module")
def walked(python: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the SDK said, and the stand-in's truth after it."""
    # Without this the SDK's OAuth library refuses an address of this machine that is not https.
    environment = {**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1"}
    with practice_network() as base:
        done = subprocess.run(
            [python, str(SCRIPT), base],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        truth = httpx.get(f"{base}/practice/truth", timeout=30).json()
    return json.loads(done.stdout), truth


def tail(problem: dict[str, Any]) -> str:
    return str(problem["type"]).rpartition("/")[2]


def test_the_sdk_follows_a_search_over_its_pages(walked: Any) -> None:
    said, truth = walked
    pages = said["search"]
    texts = [post["text"] for page in pages for post in page["data"]]
    assert texts == [f"zebra crossing at St Elsewhere, number {n}" for n in reversed(range(25))]
    assert [page["meta"]["result_count"] for page in pages] == [10, 10, 5]
    assert "next_token" not in pages[-1]["meta"]
    users = {user["id"]: user["username"] for page in pages for user in page["includes"]["users"]}
    assert all(users[post["author_id"]] for page in pages for post in page["data"])
    assert pages[0]["data"][0]["public_metrics"]["repost_count"] == 0
    assert said["counts"][0]["meta"]["total_post_count"] == 25
    assert truth["meter"]["charged"]["post"] >= 25


def test_the_sdk_is_refused_a_query_with_an_operator_that_x_has_not(walked: Any) -> None:
    said, _ = walked
    assert said["search refused"]["status"] == 400
    assert tail(said["search refused"]) == "invalid-request"


def test_the_sdk_reads_what_is_missing_from_a_look_up(walked: Any) -> None:
    said, _ = walked
    there, gone, never = said["look-up ids"]
    assert [post["id"] for post in said["look-up"]["data"]] == [there]
    errors = said["look-up"]["errors"]
    assert {error["resource_id"] for error in errors} == {gone, never}
    assert {tail(error) for error in errors} == {"resource-not-found"}
    assert said["me"]["data"]["username"] == "StElsewhere"


def test_the_sdk_replies_to_somebody_who_named_us_and_to_nobody_else(walked: Any) -> None:
    said, truth = walked
    made = said["reply"]["data"]["id"]
    ours = [post for post in truth["posts"] if not post["scripted"] and post["in_reply_to"]]
    assert [(post["id"], post["text"], post["in_reply_to"]) for post in ours] == [
        (made, "Behind the chapel.", said["reply target"])
    ]
    assert made in {post["id"] for page in said["own posts"] for post in page["data"]}
    assert said["reply target"] in {p["id"] for page in said["mentions"] for p in page["data"]}
    assert said["reply refused"]["status"] == 403
    assert said["reply refused"]["detail"].startswith("You can only reply to or quote posts where")
    assert tail(said["reply refused"]) == "not-authorized-for-resource"
    assert said["reply twice"]["status"] == 403
    assert "duplicate content" in said["reply twice"]["detail"]


def test_the_sdk_hides_a_reply_in_our_own_conversation_only(walked: Any) -> None:
    said, truth = walked
    assert said["hidden"] == {"data": {"hidden": True}}
    assert len(truth["hidden"]) == 1
    assert said["hide refused"]["status"] == 403
    assert tail(said["like refused"]) == "client-forbidden"


def test_the_sdk_writes_to_an_open_inbox_and_to_no_other(walked: Any) -> None:
    said, truth = walked
    made = said["message"]["data"]
    assert made.keys() == {"dm_conversation_id", "dm_event_id"}
    assert [(row["id"], row["to"], row["text"]) for row in truth["messages"]] == [
        (made["dm_event_id"], said["message to"], "Please ring us.")
    ]
    assert said["message refused"]["status"] == 403
    assert "do not have permission to DM" in said["message refused"]["detail"]
    read = [row["id"] for page in said["messages read"] for row in page["data"]]
    assert read == [made["dm_event_id"]]


def test_the_sdk_sets_a_rule_and_hears_the_stream(walked: Any) -> None:
    said, truth = walked
    assert said["rule tried"]["meta"]["summary"]["valid"] == 1
    assert "data" not in said["rules after trying"][0], "a trial may not leave a rule"
    rule = said["rule added"]["data"][0]
    assert said["rules"][0]["data"] == [rule]
    assert said["heard"]["data"]["text"] == "a giraffe in the corridor at St Elsewhere"
    assert said["heard"]["matching_rules"] == [{"id": rule["id"], "tag": "cr:one"}]
    assert said["heard"]["includes"]["users"][0]["username"] == "visitor"
    assert said["rule deleted"]["meta"]["summary"] == {"deleted": 1, "not_deleted": 0}
    assert truth["rules"] == []


def test_blank_lines_keep_the_sdk_on_a_quiet_stream(walked: Any) -> None:
    said, _ = walked
    assert said["ended while kept alive"] is False
    assert said["heard after the quiet"]["data"]["text"] == "the giraffe is leaving"
    assert said["silent stream"] == ["connection_error"], "without them the same read gives up"


def test_the_sdk_is_refused_a_second_stream(walked: Any) -> None:
    said, _ = walked
    assert said["second stream"]["status"] == 429
    assert said["second stream"]["title"] == "ConnectionException"
    assert said["second stream"]["connection_issue"] == "TooManyConnections"


def test_the_sdk_signs_in_with_pkce(walked: Any) -> None:
    said, _ = walked
    assert {"access_token", "refresh_token"} <= set(said["signed in"])
    assert said["signed in as"] == "StElsewhere"
