"""Requests a quarter of an hour and a day, and the headers that say so."""

import pytest

from tests.practice.support import APP, US, USER, Network

SEARCH = "/2/tweets/search/recent?query=unheardof"
LIMITS = [
    ("GET", SEARCH, APP, 450),
    ("GET", SEARCH, USER, 300),
    ("GET", "/2/tweets/counts/recent?query=unheardof", APP, 300),
    ("GET", f"/2/users/{US}/mentions", APP, 450),
    ("GET", f"/2/users/{US}/mentions", USER, 300),
    ("GET", "/2/tweets?ids=1", APP, 3500),
    ("GET", "/2/tweets?ids=1", USER, 5000),
    ("GET", "/2/users/me", USER, 75),
    ("GET", "/2/users/by/username/marian_k", APP, 300),
    ("GET", "/2/users?ids=1", USER, 900),
    ("POST", "/2/tweets", USER, 100),
    ("PUT", "/2/tweets/1/hidden", USER, 50),
    ("POST", f"/2/users/{US}/retweets", USER, 50),
    ("POST", "/2/dm_conversations/with/1/messages", USER, 15),
    ("GET", "/2/dm_events", USER, 15),
    ("GET", "/2/dm_conversations/with/1/dm_events", USER, 15),
    ("GET", "/2/tweets/search/stream/rules", APP, 450),
    ("POST", "/2/tweets/search/stream/rules", APP, 100),
    ("GET", "/2/tweets/search/stream", APP, 50),
    ("GET", "/2/usage/tweets", APP, 50),
]


@pytest.mark.parametrize(("method", "path", "headers", "limit"), LIMITS)
async def test_every_answer_says_how_many_requests_are_left(
    net: Network, method: str, path: str, headers: dict[str, str], limit: int
) -> None:
    for used in (1, 2):
        answer = await net.client.request(method, path, json={}, headers=headers)
        assert answer.headers["x-rate-limit-limit"] == str(limit)
        assert answer.headers["x-rate-limit-remaining"] == str(limit - used)
        left = int(answer.headers["x-rate-limit-reset"]) - net.clock().timestamp()
        assert left == 15 * 60


async def test_a_full_window_is_a_429_without_retry_after_until_it_resets(net: Network) -> None:
    for _ in range(75):
        assert (await net.get("/2/users/me", USER)).status_code == 200
    before = await net.usd()
    full = await net.get("/2/users/me", USER)
    assert full.status_code == 429
    assert full.json()["type"].endswith("/rate-limit-exceeded")
    assert full.headers["x-rate-limit-remaining"] == "0"
    assert "retry-after" not in full.headers
    assert await net.usd() == before
    net.clock.move(minutes=14, seconds=59)
    assert (await net.get("/2/users/me", USER)).status_code == 429
    net.clock.move(seconds=1)
    assert (await net.get("/2/users/me", USER)).status_code == 200


async def test_each_call_and_each_kind_of_token_has_its_own_window(net: Network) -> None:
    await net.set(rate_limits={"GET /2/tweets/search/recent": 1})
    path = "/2/tweets/search/recent"
    assert (await net.get(path, APP, query="elsewhere")).status_code == 200
    assert (await net.get(path, APP, query="elsewhere")).status_code == 429
    assert (await net.get(path, USER, query="elsewhere")).status_code == 200
    assert (await net.get(f"/2/users/{US}/mentions", APP)).status_code == 200


async def test_a_refused_request_counts_too(net: Network) -> None:
    first = await net.get("/2/tweets/search/recent", query="-(a)")
    second = await net.get("/2/tweets/search/recent", query="-(a)")
    assert [answer.status_code for answer in (first, second)] == [400, 400]
    assert second.headers["x-rate-limit-remaining"] == "448"


@pytest.mark.parametrize(
    ("method", "path", "a_day"),
    [
        ("POST", "/2/tweets", "10000"),
        ("POST", "/2/dm_conversations/with/1/messages", "1440"),
    ],
)
async def test_writes_say_how_many_are_left_today(
    net: Network, method: str, path: str, a_day: str
) -> None:
    answer = await net.client.request(method, path, json={"text": "Hello."}, headers=USER)
    assert answer.headers["x-app-limit-24hour-limit"] == "10000"
    assert answer.headers["x-user-limit-24hour-limit"] == a_day
    assert answer.headers["x-user-limit-24hour-remaining"] == str(int(a_day) - 1)
    left = int(answer.headers["x-user-limit-24hour-reset"]) - net.clock().timestamp()
    assert left == 24 * 60 * 60


async def test_reads_have_no_daily_headers(net: Network) -> None:
    answer = await net.get("/2/tweets/search/recent", query="elsewhere")
    assert not [name for name in answer.headers if "24hour" in name]


async def test_the_month_s_cap_is_a_429_that_no_wait_of_minutes_helps(net: Network) -> None:
    await net.set(usage_capped=True)
    for _ in range(2):
        answer = await net.get("/2/tweets/search/recent", query="elsewhere")
        assert answer.status_code == 429
        assert answer.json()["type"].endswith("/usage-capped")
        assert answer.json()["title"] == "UsageCapExceeded"
        assert int(answer.headers["x-rate-limit-remaining"]) > 0, "the quarter is not the reason"
        net.clock.move(minutes=15)
