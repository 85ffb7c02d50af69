"""The filtered stream and its rules."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.practice.support import APP, USER, Network

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
LISTED = "/2/connections"
DEADLINE_S = 20


async def change(net: Network, body: dict[str, Any], **query: str) -> httpx.Response:
    return await net.client.post(RULES, json=body, params=query, headers=APP)


async def add(net: Network, *values: str) -> None:
    rules = [{"value": value, "tag": f"cr:{value}"} for value in values]
    assert (await change(net, {"add": rules})).status_code == 201


async def rules(net: Network) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await net.get(RULES)).json().get("data", [])
    return found


async def arrive(net: Network, text: str, author: str = "visitor", **more: object) -> str:
    """Somebody posts now; the id."""
    row = {"author": author, "text": text, "at": net.clock().isoformat(), **more}
    answer = await net.client.post("/practice/posts", json=row)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"][0]["id"])


class Heard:
    """What comes down one connection, line by line."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self.lines = lines

    async def line(self) -> str:
        """The next line, "" for a keep-alive."""
        async with asyncio.timeout(DEADLINE_S):
            return await anext(self.lines)

    async def post(self) -> dict[str, Any]:
        """The next line that is none of silence."""
        while not (line := await self.line()):
            pass
        found: dict[str, Any] = json.loads(line)
        return found


@asynccontextmanager
async def listening(net: Network, **query: str) -> AsyncIterator[Heard]:
    async with net.client.stream("GET", STREAM, params=query, headers=APP, timeout=60) as answer:
        assert answer.status_code == 200
        yield Heard(answer.aiter_lines())


async def refused(
    net: Network, headers: dict[str, str] = APP, query: dict[str, str] | None = None
) -> httpx.Response:
    """A connection that is refused; one that is not has no end, so it may not be read."""
    async with net.client.stream("GET", STREAM, params=query, headers=headers) as answer:
        assert answer.status_code != 200
        await answer.aread()
    return answer


async def none_open(net: Network) -> None:
    """Wait until the network has noticed that a connection has ended."""
    net.settings.rate_limits = {f"GET {LISTED}": 100_000}
    async with asyncio.timeout(DEADLINE_S):
        while (await net.client.get(LISTED, headers=APP)).json()["meta"]["result_count"]:
            pass


# -- connecting -----------------------------------------------------------------------------------


async def test_a_post_that_matches_comes_with_its_rules(net: Network) -> None:
    await add(net, "giraffe", "corridor OR zebra", "nothing")
    async with listening(net, **{"tweet.fields": "created_at", "expansions": "author_id"}) as heard:
        made = await arrive(net, "a giraffe in the corridor")
        found = await heard.post()
    assert found["data"]["id"] == made
    assert {rule["tag"] for rule in found["matching_rules"]} == {
        "cr:giraffe",
        "cr:corridor OR zebra",
    }
    assert found["includes"]["users"][0]["username"] == "visitor"


async def test_only_posts_made_after_connecting_are_delivered(net: Network) -> None:
    await add(net, "elsewhere", "giraffe")
    await arrive(net, "an early giraffe")
    async with listening(net) as heard:
        net.clock.move(seconds=1)
        await arrive(net, "a later giraffe")
        assert (await heard.post())["data"]["text"] == "a later giraffe"


async def test_scripted_posts_arrive_as_time_passes(net: Network) -> None:
    await add(net, '"later today"')
    async with listening(net) as heard:
        net.clock.move(minutes=31)
        net.app.practice.hub.wake()
        assert (await heard.post())["data"]["text"] == "St Elsewhere later today"


async def test_an_account_s_token_is_refused(net: Network) -> None:
    await add(net, "giraffe")
    for answer in (
        await refused(net, USER),
        await net.get(RULES, USER),
        await net.client.post(RULES, json={"add": [{"value": "x"}]}, headers=USER),
    ):
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/unsupported-authentication")


async def test_without_rules_there_is_no_stream(net: Network) -> None:
    answer = await refused(net)
    assert answer.status_code == 409
    assert answer.json()["connection_issue"] == "RuleConfigurationIssue"


async def test_a_second_connection_is_refused_until_the_first_has_ended(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        for _ in range(2):
            answer = await refused(net)
            assert answer.status_code == 429
            assert answer.json()["title"] == "ConnectionException"
            assert answer.json()["connection_issue"] == "TooManyConnections"
        await arrive(net, "the giraffe is still heard")
        await heard.post()
    await none_open(net)
    async with listening(net):
        pass


async def test_closing_connections_cures_too_many(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        shown = (await net.get("/2/connections")).json()
        assert shown["meta"]["result_count"] == 1
        closed = await net.client.delete("/2/connections/all", headers=APP)
        assert closed.json()["data"]["successful_kills"] == 1
        with pytest.raises(StopAsyncIteration):
            await heard.post()
    await none_open(net)
    async with listening(net):
        pass


@pytest.mark.parametrize("query", [{"backfill_minutes": "2"}, {"post.fields": "created_at"}])
async def test_what_self_serve_streams_have_not_is_refused(
    net: Network, query: dict[str, str]
) -> None:
    await add(net, "giraffe")
    assert (await refused(net, query=query)).status_code in {400, 403}


# -- keeping and ending ---------------------------------------------------------------------------


async def test_a_quiet_stream_sends_a_blank_line_every_twenty_seconds(net: Network) -> None:
    await add(net, "giraffe")
    async with net.client.stream("GET", STREAM, headers=APP, timeout=60) as answer:
        raw = answer.aiter_raw()
        for _ in range(3):
            net.clock.move(seconds=19.9)
            net.app.practice.hub.wake()
            waiting = asyncio.ensure_future(anext(raw))
            for _ in range(20):  # the stream has every chance to speak too early
                await asyncio.sleep(0)
            assert not waiting.done()
            net.clock.move(seconds=0.1)
            net.app.practice.hub.wake()
            async with asyncio.timeout(DEADLINE_S):
                assert await waiting == b"\r\n"


async def test_a_post_begins_the_twenty_seconds_anew(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        net.clock.move(seconds=15)
        await arrive(net, "a giraffe")
        await heard.post()
        net.clock.move(seconds=15)
        await arrive(net, "another giraffe")
        assert json.loads(await heard.line())["data"]["text"] == "another giraffe"


async def test_the_clock_is_moved_over_the_wire_too(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        await net.set(clock_offset_s=20)
        assert await heard.line() == ""
        await net.set(clock_offset_s=-3600)
        await net.set(clock_offset_s=-3580)
        assert await heard.line() == "", "a clock that is set back does not silence the stream"


async def test_an_operational_disconnect_comes_inside_a_stream_that_began_well(
    net: Network,
) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        await net.client.post("/practice/disconnect", json={"how": "operational"})
        body = await heard.post()
        assert body["errors"][0]["title"] == "operational-disconnect"
        assert body["errors"][0]["disconnect_type"] == "UpstreamOperationalDisconnect"
        assert "data" not in body
        with pytest.raises(StopAsyncIteration):
            await heard.line()


async def test_a_stream_may_be_cut(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        await net.client.post("/practice/disconnect", json={"how": "cut"})
        with pytest.raises(httpx.ReadError):
            await heard.line()


# -- what is delivered ----------------------------------------------------------------------------


async def test_reposts_and_quoted_texts_are_delivered_unlike_in_search(net: Network) -> None:
    await add(net, "giraffe")
    first = await arrive(net, "a giraffe at St Elsewhere")
    async with listening(net) as heard:
        net.clock.move(seconds=1)
        repost = await arrive(net, "", "echo", retweets=first)
        assert (await heard.post())["data"]["id"] == repost
        net.clock.move(seconds=1)
        quote = await arrive(net, "look at this", "echo", quotes=first)
        assert (await heard.post())["data"]["id"] == quote
    net.clock.move(minutes=1)
    assert await net.search("giraffe") == ["a giraffe at St Elsewhere"]


async def test_a_rule_can_leave_reposts_out(net: Network) -> None:
    await add(net, "giraffe -is:retweet")
    first = await arrive(net, "a giraffe at St Elsewhere")
    async with listening(net) as heard:
        net.clock.move(seconds=1)
        await arrive(net, "", "echo", retweets=first)
        await arrive(net, "one more giraffe")
        assert (await heard.post())["data"]["text"] == "one more giraffe"


async def test_rules_tell_accents_apart_and_search_does_not(net: Network) -> None:
    await add(net, "café", "CWYNWR")
    async with listening(net) as heard:
        net.clock.move(seconds=1)
        await arrive(net, "the cafe is shut")
        await arrive(net, "the Café is open")
        assert (await heard.post())["data"]["text"] == "the Café is open"
        await arrive(net, "cwynŵr")
        await arrive(net, "cwynwr")
        assert (await heard.post())["data"]["text"] == "cwynwr"
    net.clock.move(minutes=1)
    assert set(await net.search("cafe (shut OR open)")) == {"the cafe is shut", "the Café is open"}


async def test_protected_and_deleted_posts_are_not_delivered(net: Network) -> None:
    await add(net, "giraffe")
    async with listening(net) as heard:
        net.clock.move(seconds=1)
        await arrive(net, "a private giraffe", "closed_door")
        await arrive(net, "a public giraffe")
        assert (await heard.post())["data"]["text"] == "a public giraffe"


# -- rules ----------------------------------------------------------------------------------------


async def test_rules_are_added_listed_and_deleted(net: Network) -> None:
    answer = await change(net, {"add": [{"value": "giraffe", "tag": "g"}, {"value": "zebra"}]})
    assert answer.status_code == 201
    body = answer.json()
    assert body["meta"]["summary"] == {"created": 2, "not_created": 0, "valid": 2, "invalid": 0}
    assert await rules(net) == body["data"]
    first, second = body["data"]
    gone = await change(net, {"delete": {"ids": [first["id"], "1"]}})
    assert gone.json()["meta"]["summary"] == {"deleted": 1, "not_deleted": 1}
    gone = await change(net, {"delete": {"values": ["zebra"]}})
    assert gone.json()["meta"]["summary"] == {"deleted": 1, "not_deleted": 0}
    assert (await net.get(RULES)).json()["meta"]["result_count"] == 0
    assert second["value"] == "zebra"


@pytest.mark.parametrize("spelt", ["true", "True"])
async def test_a_dry_run_checks_and_leaves_nothing(net: Network, spelt: str) -> None:
    good = await change(net, {"add": [{"value": "giraffe"}]}, dry_run=spelt)
    assert good.json()["meta"]["summary"]["valid"] == 1
    bad = await change(net, {"add": [{"value": "giraffe lang:cy"}]}, dry_run=spelt)
    assert bad.json()["meta"]["summary"]["invalid"] == 1
    assert "Invalid language" in bad.json()["errors"][0]["details"][0]
    assert await rules(net) == []


async def test_a_dry_run_deletes_nothing(net: Network) -> None:
    await add(net, "giraffe")
    tried = await change(net, {"delete": {"values": ["giraffe"]}}, dry_run="true")
    assert tried.json()["meta"]["summary"]["deleted"] == 1
    assert len(await rules(net)) == 1


async def test_a_dry_run_that_is_neither_true_nor_false_is_refused(net: Network) -> None:
    answer = await change(net, {"add": [{"value": "giraffe"}]}, dry_run="maybe")
    assert answer.status_code == 400
    assert await rules(net) == []


async def test_all_rules_go_at_once(net: Network) -> None:
    await add(net, "giraffe", "zebra")
    await change(net, {}, delete_all="true")
    assert await rules(net) == []


async def test_the_same_rule_twice_is_a_duplicate(net: Network) -> None:
    await add(net, "giraffe")
    answer = await change(net, {"add": [{"value": "giraffe", "tag": "other"}, {"value": "zebra"}]})
    body = answer.json()
    assert body["errors"][0]["title"] == "DuplicateRule"
    assert body["errors"][0]["id"] == (await rules(net))[0]["id"]
    assert body["meta"]["summary"] == {"created": 1, "not_created": 1, "valid": 2, "invalid": 0}
    assert [rule["value"] for rule in await rules(net)] == ["giraffe", "zebra"]


@pytest.mark.parametrize("value", ["foo:bar ((", "-giraffe", "is:reply", "x" * 1025, ""])
async def test_a_bad_rule_is_named_and_not_kept(net: Network, value: str) -> None:
    answer = await change(net, {"add": [{"value": value}]})
    assert answer.json()["errors"][0]["title"] == "UnprocessableEntity"
    assert await rules(net) == []


async def test_a_rule_may_be_twice_as_long_as_a_search(net: Network) -> None:
    await add(net, "giraffe " + "x" * 1000)


@pytest.mark.parametrize(
    "body", [{}, {"add": []}, {"add": [{"tag": "x"}]}, {"add": ["x"]}, {"change": []}]
)
async def test_a_change_that_says_nothing_is_refused(net: Network, body: dict[str, Any]) -> None:
    assert (await change(net, body)).status_code == 400
