"""What calls cost, and the ways in which the network says that no money is left."""

from typing import Any

import httpx
import pytest

from tests.practice.support import APP, US, USER, Network

LINK = "https://www.careopinion.org.uk/tell/st-elsewhere"


async def search(net: Network, headers: dict[str, str] = APP, **query: Any) -> httpx.Response:
    return await net.get("/2/tweets/search/recent", headers, query="elsewhere -later", **query)


async def test_each_post_costs_once_a_utc_day(net: Network) -> None:
    found = (await search(net)).json()["meta"]["result_count"]
    assert found == 4
    assert await net.usd() == pytest.approx(found * 0.005)
    for _ in range(5):
        await search(net)
    await net.get("/2/tweets", ids=net.id_of("cold"))
    assert await net.usd() == pytest.approx(found * 0.005), "the same resource, the same day"
    net.clock.move(hours=14, minutes=59)
    await search(net)
    assert await net.usd() == pytest.approx(0.02), "a minute to midnight"
    net.clock.move(minutes=2)
    again = (await search(net)).json()["meta"]["result_count"]
    assert await net.usd() == pytest.approx((found + again) * 0.005), "a new UTC day"


async def test_empty_and_failed_answers_are_free(net: Network) -> None:
    await net.get("/2/tweets/search/recent", query="unheardof")
    await net.get("/2/tweets/search/recent", query="-(a b)")
    await net.get("/2/tweets", ids=net.id_of("gone"))
    await net.get("/2/dm_events", USER)
    await net.post("We are sorry.", net.id_of("cold"))
    await net.post("a" * 281)
    await net.client.post("/2/tweets", json={"text": "Hello."})
    assert await net.usd() == 0


async def test_expansions_are_charged(net: Network) -> None:
    await search(net, expansions="author_id")
    meter = (await net.truth())["meter"]
    assert meter["charged"] == {"post": 4, "user": 3}
    assert meter["usd"] == pytest.approx(4 * 0.005 + 3 * 0.010)


async def test_our_own_timelines_cost_less_with_our_own_token(net: Network) -> None:
    await net.get(f"/2/users/{US}/tweets", USER)
    await net.get(f"/2/users/{US}/mentions", USER)
    assert (await net.truth())["meter"]["charged"] == {"owned": 1 + 4}
    assert await net.usd() == pytest.approx(5 * 0.001)


async def test_a_mention_that_is_looked_up_the_same_day_costs_once(net: Network) -> None:
    mentions = (await net.get(f"/2/users/{US}/mentions", USER)).json()["data"]
    await net.get("/2/tweets", USER, ids=",".join(post["id"] for post in mentions))
    assert await net.usd() == pytest.approx(len(mentions) * 0.001)


async def test_our_own_timelines_cost_as_any_with_the_app_s_token(net: Network) -> None:
    await net.get(f"/2/users/{US}/mentions", APP)
    assert (await net.truth())["meter"]["charged"] == {"post": 4}


@pytest.mark.parametrize(
    ("text", "key", "price"),
    [
        ("The car park is open.", None, 0.015),
        (f"Tell us: {LINK}", None, 0.200),
        ("It is open.", "named", 0.010),
        (f"Tell us: {LINK}", "named", 0.010),
        ("And the lifts.", "ours", 0.015),
    ],
)
async def test_a_post_costs_by_its_class(
    net: Network, text: str, key: str | None, price: float
) -> None:
    answer = await net.post(text, net.id_of(key) if key else None)
    assert answer.status_code == 201
    assert await net.usd() == pytest.approx(price)


async def test_the_other_calls_cost_as_listed(net: Network) -> None:
    async def cost(method: str, path: str, body: object = None) -> float:
        before = await net.usd()
        answer = await net.client.request(method, path, json=body, headers=USER)
        assert answer.status_code < 300, answer.text
        return round(await net.usd() - before, 6)

    to = net.world.person("open_inbox").user_id
    message = {"text": "Please ring us."}
    hidden = f"/2/tweets/{net.id_of('under')}/hidden"
    assert await cost("POST", f"/2/dm_conversations/with/{to}/messages", message) == 0.015
    assert await cost("PUT", hidden, {"hidden": True}) == 0.005
    repost = {"tweet_id": net.id_of("cafe")}
    assert await cost("POST", f"/2/users/{US}/retweets", repost) == 0.015
    made = (await net.post("Hello.")).json()["data"]["id"]
    assert await cost("DELETE", f"/2/tweets/{made}") == 0.010
    assert await cost("GET", "/2/dm_events") == 0.010
    assert await cost("GET", "/2/users/me") == 0.010
    assert await cost("GET", "/2/tweets/counts/recent?query=elsewhere") == 0.005
    assert await cost("GET", "/2/tweets/counts/recent?query=unheardof") == 0.005, "per request"


async def test_a_stream_charges_what_it_delivers_and_rules_are_free(net: Network) -> None:
    rule = {"add": [{"value": "giraffe"}]}
    await net.client.post("/2/tweets/search/stream/rules", json=rule, headers=APP)
    await net.get("/2/tweets/search/stream/rules")
    assert await net.usd() == 0
    async with net.client.stream("GET", "/2/tweets/search/stream", headers=APP) as stream:
        for text in ("a giraffe", "a zebra"):
            await net.client.post("/practice/posts", json={"author": "x", "text": text})
        async for line in stream.aiter_lines():
            if line:
                break
    assert await net.usd() == pytest.approx(0.005)


# -- no money left --------------------------------------------------------------------------------

EVERY_CALL = (
    ("GET", "/2/tweets/search/recent?query=elsewhere"),
    ("GET", f"/2/users/{US}/mentions"),
    ("POST", "/2/tweets"),
    ("GET", "/2/dm_events"),
)


@pytest.mark.parametrize(
    ("form", "title", "tail"),
    [
        ("credits", "CreditsDepleted", "credits"),
        ("credits-depleted", "Payment Required", "credits-depleted"),
    ],
)
@pytest.mark.parametrize(("method", "path"), EVERY_CALL)
async def test_without_credits_every_call_is_a_402_in_both_forms(
    net: Network, method: str, path: str, form: str, title: str, tail: str
) -> None:
    await net.set(credits=form)
    answer = await net.client.request(method, path, json={"text": "Hello."}, headers=USER)
    assert answer.status_code == 402
    body = answer.json()
    assert (body["title"], body["type"].rpartition("/")[2]) == (title, tail)
    assert "does not have any credits" in body["detail"]
    assert await net.ours() == []


async def test_credits_run_out_while_we_work(net: Network) -> None:
    await net.set(balance=0.02)
    assert (await net.post("One.")).status_code == 201
    assert (await net.post("Two.")).status_code == 201, "the last one may go a little below"
    assert (await net.post("Three.")).status_code == 402
    assert len(await net.ours()) == 2
    await net.set(balance=1.0)
    assert (await net.post("Three.")).status_code == 201


async def test_the_owner_s_spending_limit_is_a_403(net: Network) -> None:
    await net.set(spend_cap=True)
    answer = await search(net)
    body = answer.json()
    assert (answer.status_code, body["title"]) == (403, "SpendCapReached")
    assert "billing cycle spend cap" in body["detail"]
    assert body["reset_date"] in body["detail"]
    assert await net.usd() == 0


async def test_the_credits_call_may_exist_or_not(net: Network) -> None:
    await net.set(balance=3.5)
    there = await net.get("/2/usage/credits")
    assert there.json() == {
        "data": {"total_balance": 3.5, "prepaid_balance": 3.5, "free_balance": 0.0}
    }
    await net.set(credits_endpoint=False)
    assert (await net.get("/2/usage/credits")).status_code == 404


async def test_what_is_left_can_be_asked_when_nothing_is(net: Network) -> None:
    await net.set(credits="credits", balance=0.0)
    assert (await net.get("/2/usage/credits")).json()["data"]["total_balance"] == 0
    assert (await net.get("/2/usage/tweets")).status_code == 200


async def test_usage_counts_the_month_s_posts(net: Network) -> None:
    await search(net)
    data = (await net.get("/2/usage/tweets")).json()["data"]
    assert data["project_usage"] == "4"
    assert data["project_cap"] == "3000000"
