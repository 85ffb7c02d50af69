"""Direct messages: who may be written to, what an answer holds, what we may read."""

import httpx
import pytest

from tests.practice.support import APP, US, USER, Network

NO_PERMISSION = "You do not have permission to DM one or more participants."


def person(net: Network, handle: str) -> str:
    return net.world.person(handle).user_id


async def send(net: Network, to: str, text: str = "Please ring us.") -> httpx.Response:
    path = f"/2/dm_conversations/with/{to}/messages"
    return await net.client.post(path, json={"text": text}, headers=USER)


async def events(net: Network, path: str = "/2/dm_events", **query: object) -> httpx.Response:
    return await net.get(path, USER, **query)


async def told(net: Network) -> list[str]:
    return [row["text"] for row in (await net.truth())["messages"]]


async def test_an_open_inbox_takes_a_message_and_answers_two_ids(net: Network) -> None:
    to = person(net, "open_inbox")
    answer = await send(net, to)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert answer.json() == {"data": data}
    assert data.keys() == {"dm_conversation_id", "dm_event_id"}
    assert data["dm_conversation_id"] == f"{US}-{to}"
    assert [(row["id"], row["to"]) for row in (await net.truth())["messages"]] == [
        (data["dm_event_id"], to)
    ]


@pytest.mark.parametrize("handle", ["marian_k", "closed_door"])
async def test_a_closed_inbox_refuses(net: Network, handle: str) -> None:
    answer = await send(net, person(net, handle))
    assert answer.status_code == 403
    assert answer.json()["detail"] == NO_PERMISSION
    assert await told(net) == []


async def test_nobody_of_that_id_refuses_too(net: Network) -> None:
    assert (await send(net, "1999999999999999999")).json()["detail"] == NO_PERMISSION


async def test_whoever_wrote_to_us_may_be_answered(net: Network) -> None:
    body = {"author": "marian_k", "text": "may I write here?"}
    await net.client.post("/practice/messages", json=body)
    assert (await send(net, person(net, "marian_k"))).status_code == 201


async def test_a_block_or_a_suspension_shuts_an_open_inbox(net: Network) -> None:
    for change in ({"blocks_us": True}, {"blocks_us": False, "suspended": True}):
        await net.client.post("/practice/people", json={"handle": "open_inbox", **change})
        assert (await send(net, person(net, "open_inbox"))).json()["detail"] == NO_PERMISSION
    assert await told(net) == []


async def test_the_sender_s_own_limit_is_another_refusal(net: Network) -> None:
    await net.set(dm_refusal="operation")
    answer = await send(net, person(net, "open_inbox"))
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "This operation is not permitted",
    )


async def test_an_unverified_sender_is_refused_with_code_476(net: Network) -> None:
    await net.set(dm_refusal="476")
    answer = await send(net, person(net, "open_inbox"))
    assert answer.status_code == 403
    assert answer.json()["code"] == 476
    assert answer.json()["detail"] == "Sender is not verified to send message requests"


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x", "mood": "kind"}, {"text": 5}])
async def test_a_message_wants_a_text_and_nothing_unknown(
    net: Network, body: dict[str, object]
) -> None:
    path = f"/2/dm_conversations/with/{person(net, 'open_inbox')}/messages"
    answer = await net.client.post(path, json=body, headers=USER)
    assert answer.status_code == 400
    assert await told(net) == []


async def test_fifteen_messages_a_quarter_of_an_hour(net: Network) -> None:
    to = person(net, "open_inbox")
    answers = [await send(net, to, f"number {n}") for n in range(16)]
    assert [answer.status_code for answer in answers] == [201] * 15 + [429]
    assert answers[-1].headers["x-rate-limit-remaining"] == "0"
    assert len(await told(net)) == 15
    net.clock.move(minutes=15)
    assert (await send(net, to, "later")).status_code == 201


async def test_1440_messages_a_day(net: Network) -> None:
    to = person(net, "open_inbox")
    first = await send(net, to)
    assert first.headers["x-user-limit-24hour-limit"] == "1440"
    await net.set(rate_limits={"POST /2/dm_conversations/with/{participant_id}/messages": 10_000})
    for number in range(1439):
        assert (await send(net, to, f"number {number}")).status_code == 201
    full = await send(net, to, "one too many")
    assert full.status_code == 429
    assert full.headers["x-user-limit-24hour-remaining"] == "0"
    assert len(await told(net)) == 1440


async def test_messages_are_read_newest_first_in_pages(net: Network) -> None:
    for number in range(5):
        await net.client.post("/practice/messages", json={"author": f"p{number}", "text": "hi"})
        net.clock.move(minutes=1)
    sizes: list[int] = []
    seen: list[int] = []
    token: dict[str, str] = {}
    while True:
        body = (await events(net, max_results=2, **token)).json()
        sizes.append(len(body["data"]))
        seen += [int(row["id"]) for row in body["data"]]
        if "next_token" not in body["meta"]:
            break
        token = {"pagination_token": body["meta"]["next_token"]}
    assert sizes == [2, 2, 1]
    assert seen == sorted(set(seen), reverse=True)


async def test_an_event_has_no_participants(net: Network) -> None:
    await net.client.post("/practice/messages", json={"author": "marian_k", "text": "hello"})
    wanted = "id,text,sender_id,created_at,dm_conversation_id,event_type"
    row = (await events(net, dm_event__fields=wanted)).json()["data"][0]
    assert row.keys() == set(wanted.split(","))
    refused = await events(net, dm_event__fields="participant_ids")
    assert refused.status_code == 400


async def test_there_is_no_since_id(net: Network) -> None:
    answer = await events(net, since_id="1")
    assert answer.status_code == 400
    assert "since_id" in answer.json()["errors"][0]["parameters"]


async def test_messages_are_kept_thirty_days(net: Network) -> None:
    await net.client.post("/practice/messages", json={"author": "marian_k", "text": "hello"})
    net.clock.move(days=29, hours=23)
    assert (await events(net)).json()["meta"]["result_count"] == 1
    net.clock.move(hours=2)
    assert (await events(net)).json() == {"meta": {"result_count": 0}}


async def test_a_conversation_has_only_its_own_messages(net: Network) -> None:
    for author in ("marian_k", "bigvoice"):
        await net.client.post("/practice/messages", json={"author": author, "text": author})
    path = f"/2/dm_conversations/with/{person(net, 'marian_k')}/dm_events"
    rows = (await events(net, path)).json()["data"]
    assert [row["text"] for row in rows] == ["marian_k"]
    everything = (await events(net)).json()["data"]
    assert {row["text"] for row in everything} == {"marian_k", "bigvoice"}


async def test_messages_are_read_fifteen_times_a_quarter_of_an_hour(net: Network) -> None:
    answers = [(await events(net)).status_code for _ in range(16)]
    assert answers == [200] * 15 + [429]


async def test_messages_belong_to_an_account_and_to_its_scope(net: Network) -> None:
    assert (
        (await net.get("/2/dm_events", APP)).json()["type"].endswith("/unsupported-authentication")
    )
