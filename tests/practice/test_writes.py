"""Writing posts: every reason for which X refuses one, the lost answer, hiding, removed calls."""

from typing import Any

import httpx
import pytest

from carerespond.practice.patients import react
from carerespond.practice.script import load_script
from tests.practice.support import APP, US, USER, Network, build

CURRENT = "You can only reply to or quote posts where you are mentioned or are the author."
OLDER = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise"
    " engaged by the author of the post you are replying to."
)
LINK = (
    "https://www.careopinion.org.uk/tell/st-elsewhere?with=a-long-path-that-counts-23-all-the-same"
)


async def assert_refused(
    net: Network, answer: httpx.Response, detail: str, kind: str = "about:blank"
) -> None:
    """A 403 with these words; and nothing was written."""
    assert answer.status_code == 403, answer.text
    body = answer.json()
    assert (body["detail"], body["type"].rpartition("/")[2]) == (detail, kind)
    assert body["status"] == 403
    assert await net.ours() == []


# -- summoned or not ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["named", "quoting"])
async def test_a_reply_to_who_named_or_quoted_us_is_stored(net: Network, key: str) -> None:
    target = net.id_of(key)
    answer = await net.post("The multi-storey is open.", target)
    assert answer.status_code == 201
    data = answer.json()["data"]
    ours = await net.ours()
    assert [(row["id"], row["text"], row["in_reply_to"]) for row in ours] == [
        (data["id"], "The multi-storey is open.", target)
    ]
    assert data["text"].endswith(" The multi-storey is open."), "X puts the @names in front"
    assert data["text"].startswith("@")


@pytest.mark.parametrize(("wording", "detail"), [("current", CURRENT), ("older", OLDER)])
@pytest.mark.parametrize("kind", ["not-authorized-for-resource", "about:blank"])
async def test_a_cold_reply_is_refused_in_both_wordings_and_types(
    net: Network, wording: str, detail: str, kind: str
) -> None:
    await net.set(summon_wording=wording, summon_type=kind)
    answer = await net.post("We are sorry.", net.id_of("cold"))
    await assert_refused(net, answer, detail, kind)


@pytest.mark.parametrize(("wording", "detail"), [("current", CURRENT), ("older", OLDER)])
@pytest.mark.parametrize("kind", ["not-authorized-for-resource", "about:blank"])
async def test_a_cold_quote_is_refused_in_both_wordings_and_types(
    net: Network, wording: str, detail: str, kind: str
) -> None:
    await net.set(summon_wording=wording, summon_type=kind)
    answer = await net.post("We are sorry.", quote_tweet_id=net.id_of("cold"))
    await assert_refused(net, answer, detail, kind)


@pytest.mark.parametrize("key", ["named", "ours"])
async def test_quoting_is_no_part_of_self_serve_access(net: Network, key: str) -> None:
    answer = await net.post("As we said.", quote_tweet_id=net.id_of(key))
    detail = "Quote posts are not part of this access level."
    await assert_refused(net, answer, detail, "client-forbidden")


async def test_an_answer_under_our_post_that_does_not_name_us_summons_nobody(net: Network) -> None:
    await assert_refused(
        net,
        await net.post("Thank you.", net.id_of("under")),
        CURRENT,
        "not-authorized-for-resource",
    )
    await net.set(reply_without_mention_summons=True)
    assert (await net.post("Thank you.", net.id_of("under"))).status_code == 201


async def test_we_may_answer_ourselves(net: Network) -> None:
    assert (await net.post("And the lifts work.", net.id_of("ours"))).status_code == 201


async def test_an_exempt_app_may_answer_anybody(net: Network) -> None:
    await net.set(summon_rule=False)
    assert (await net.post("We are sorry.", net.id_of("cold"))).status_code == 201


async def test_a_fresh_post_may_not_name_a_stranger(net: Network) -> None:
    answer = await net.post("Well done @open_door_2")
    await assert_refused(net, answer, "You are not permitted to perform this action.")
    assert (await net.post("Well done @marian_k")).status_code == 201, "she named us"


# -- the other refusals ---------------------------------------------------------------------------


async def test_the_same_text_twice_is_refused_until_a_day_has_passed(net: Network) -> None:
    first = await net.post("Please ring us.", net.id_of("named"))
    for text in ("Please ring us.", "  Please   ring us. "):
        again = await net.post(text, net.id_of("quoting"))
        assert again.status_code == 403
        assert again.json()["detail"] == (
            "You are not allowed to create a Tweet with duplicate content."
        )
    assert [row["id"] for row in await net.ours()] == [first.json()["data"]["id"]]
    net.clock.move(hours=24, minutes=1)
    assert (await net.post("Please ring us.", net.id_of("quoting"))).status_code == 201


async def test_a_text_that_was_taken_down_is_no_duplicate(net: Network) -> None:
    first = (await net.post("Please ring us.", net.id_of("named"))).json()["data"]["id"]
    assert (await net.client.delete(f"/2/tweets/{first}", headers=USER)).status_code == 200
    assert (await net.post("Please ring us.", net.id_of("named"))).status_code == 201


@pytest.mark.parametrize("key", ["gone", "hidden"])
async def test_a_deleted_or_invisible_target_is_refused(net: Network, key: str) -> None:
    answer = await net.post("Hello.", net.id_of(key))
    await assert_refused(
        net, answer, "You attempted to reply to a Tweet that is deleted or not visible to you."
    )


@pytest.mark.parametrize("target", ["1", "1999999999999999999"])
async def test_an_unknown_target_is_a_403_too(net: Network, target: str) -> None:
    await assert_refused(
        net,
        await net.post("Hello.", target),
        "You attempted to reply to a Tweet that is deleted or not visible to you.",
    )


async def test_a_post_of_the_future_is_no_target(net: Network) -> None:
    answer = await net.post("Hello.", net.id_of("later"))
    assert answer.status_code == 403


async def test_an_account_that_blocks_us_is_refused(net: Network) -> None:
    answer = await net.post("Hello.", net.id_of("block"))
    await assert_refused(
        net, answer, "You have been blocked from replying to this Tweet by its author."
    )


@pytest.mark.parametrize("setting", ["following", "mentionedUsers", "subscribers", "verified"])
async def test_an_author_who_restricts_replies_is_refused(net: Network, setting: str) -> None:
    await net.set(summon_rule=False)
    made = (
        await net.client.post(
            "/practice/posts",
            json={"author": "quiet", "text": "St Elsewhere", "reply_settings": setting},
        )
    ).json()["data"][0]["id"]
    await assert_refused(
        net,
        await net.post("Hello.", made),
        "The original Tweet author restricted who can reply to this Tweet.",
    )


@pytest.mark.parametrize(("setting", "status"), [("mentionedUsers", 201), ("subscribers", 403)])
async def test_a_restriction_lets_those_in_whom_it_names(
    net: Network, setting: str, status: int
) -> None:
    body = {"author": "quiet", "text": "help", "mentions_us": True, "reply_settings": setting}
    made = (await net.client.post("/practice/posts", json=body)).json()["data"][0]["id"]
    assert (await net.post("Hello.", made)).status_code == status


async def test_a_share_of_posts_is_refused_for_no_reason(net: Network) -> None:
    await net.set(intermittent_403=0.5, seed=3)
    answers = [await net.post(f"Hello {n}.", net.id_of("named")) for n in range(30)]
    refused = [answer for answer in answers if answer.status_code == 403]
    assert 5 <= len(refused) <= 25
    assert {answer.json()["detail"] for answer in refused} == {
        "You are not permitted to perform this action."
    }
    assert len(await net.ours()) == 30 - len(refused)


# -- the body -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"text": "Hello.", "colour": "red"},
        {"text": "Hello.", "reply": {"in_reply_to_tweet_id": "1", "quietly": True}},
        {"text": "Hello.", "reply": {"in_reply_to_status_id": "1"}},
        {"text": "Hello.", "reply": {}},
        {"text": "Hello.", "reply": {"in_reply_to_tweet_id": 1}},
        {"text": "Hello.", "reply_settings": "everyone"},
        {"text": ""},
        {"text": "   "},
        {},
    ],
)
async def test_unknown_and_missing_keys_are_refused(net: Network, body: dict[str, Any]) -> None:
    answer = await net.client.post("/2/tweets", json=body, headers=USER)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/invalid-request")
    assert next(iter(answer.json()["errors"][0]["parameters"])).startswith("$.")
    assert await net.ours() == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("a" * 280, 201),
        ("a" * 281, 400),
        ("漢" * 140, 201),
        ("漢" * 140 + "a", 400),
        ("\U0001f600" * 140, 201),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 140, 201),
        ("\U0001f600" * 140 + "a", 400),
        (f"{'a' * 256} {LINK}", 201),
        (f"{'a' * 257} {LINK}", 400),
        ("e\u0301" * 280, 201),
        ("$CARE and $HOPE", 400),
    ],
)
async def test_a_post_has_280_weighted_characters(net: Network, text: str, status: int) -> None:
    answer = await net.post(text)
    assert answer.status_code == status, answer.text
    assert len(await net.ours()) == (status == 201)


async def test_the_names_in_front_of_a_reply_do_not_count(net: Network) -> None:
    target = net.id_of("named")
    assert (await net.post(f"@marian_k {'a' * 280}", target)).status_code == 201
    assert (await net.post(f"@marian_k {'b' * 281}", target)).status_code == 400
    assert (await net.post(f"@marian_k {'c' * 280}")).status_code == 400, "no reply: they count"


async def test_only_our_account_may_write(net: Network) -> None:
    answer = await net.client.post("/2/tweets", json={"text": "Hello."}, headers=APP)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/unsupported-authentication")


# -- the lost answer ------------------------------------------------------------------------------


async def _own_texts(net: Network) -> list[str]:
    found = await net.get(f"/2/users/{US}/tweets", USER, max_results=100)
    return [row["text"] for row in found.json().get("data", [])]


async def test_a_lost_answer_hides_a_post_that_was_stored(net: Network) -> None:
    await net.set(drop_answers=1.0)
    with pytest.raises(httpx.ReadError):
        await net.post("We hear you.", net.id_of("named"))
    assert [row["text"] for row in await net.ours()] == ["We hear you."]
    assert (await _own_texts(net))[0] == "@marian_k We hear you.", "our timeline shows it"


async def test_a_lost_request_hides_that_nothing_was_stored(net: Network) -> None:
    await net.set(drop_requests=1.0)
    with pytest.raises(httpx.ReadError):
        await net.post("We hear you.", net.id_of("named"))
    assert await net.ours() == []
    assert not any("We hear you." in text for text in await _own_texts(net))


async def test_our_timeline_may_lag_behind_a_lost_answer(net: Network) -> None:
    await net.set(drop_answers=1.0, timeline_lag_s=30)
    with pytest.raises(httpx.ReadError):
        await net.post("We hear you.", net.id_of("named"))
    assert not any("We hear you." in text for text in await _own_texts(net))
    net.clock.move(seconds=30)
    assert any("We hear you." in text for text in await _own_texts(net))


@pytest.mark.parametrize(("stored", "posts"), [(True, 1), (False, 0)])
async def test_a_planned_failure_may_carry_the_post_out(
    net: Network, stored: bool, posts: int
) -> None:
    await net.set(fail_next=[{"status": 503, "path": "/2/tweets", "stored": stored}])
    assert (await net.post("We hear you.", net.id_of("named"))).status_code == 503
    assert len(await net.ours()) == posts
    again = await net.post("We hear you.", net.id_of("named"))
    assert again.status_code == (403 if stored else 201), "one failure, then X's own word"


# -- hiding, reposting, what is gone --------------------------------------------------------------


async def test_replies_are_hidden_in_our_own_conversations_only(net: Network) -> None:
    async def hide(key: str) -> httpx.Response:
        path = f"/2/tweets/{net.id_of(key)}/hidden"
        return await net.client.put(path, json={"hidden": True}, headers=USER)

    assert (await hide("under")).json() == {"data": {"hidden": True}}
    for key in ("cold", "named", "ours", "gone"):
        assert (await hide(key)).status_code == 403, key
    assert (await net.truth())["hidden"] == [net.id_of("under")]


async def test_a_hidden_reply_can_be_shown_again(net: Network) -> None:
    path = f"/2/tweets/{net.id_of('under')}/hidden"
    for hidden in (True, False):
        answer = await net.client.put(path, json={"hidden": hidden}, headers=USER)
        assert answer.json() == {"data": {"hidden": hidden}}
    assert (await net.truth())["hidden"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/2/users/{US}/likes"),
        ("DELETE", f"/2/users/{US}/likes/1"),
        ("POST", f"/2/users/{US}/following"),
        ("DELETE", f"/2/users/{US}/following/1"),
    ],
)
async def test_likes_and_follows_are_refused(net: Network, method: str, path: str) -> None:
    answer = await net.client.request(method, path, json={"tweet_id": "1"}, headers=USER)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/client-forbidden")
    assert answer.json()["reason"] == "client-not-enrolled"


async def test_we_delete_our_own_posts_only(net: Network) -> None:
    made = (await net.post("Hello.", net.id_of("named"))).json()["data"]["id"]
    theirs = await net.client.delete(f"/2/tweets/{net.id_of('cold')}", headers=USER)
    assert theirs.status_code == 403
    mine = await net.client.delete(f"/2/tweets/{made}", headers=USER)
    assert mine.json() == {"data": {"deleted": True}}
    again = await net.client.delete(f"/2/tweets/{made}", headers=USER)
    assert again.status_code == 404


async def test_every_person_of_the_shipped_day_is_refused_or_answered_as_the_rule_says() -> None:
    net = build(script=load_script(), react=react)
    net.settings.rate_limits = {"POST /2/tweets": 10_000}
    outcomes: dict[int, int] = {}
    for number, post in enumerate(list(net.world.posts.values())):
        if post.ours or post.created_at > net.clock():
            continue
        answer = await net.post(f"Thank you for writing, number {number}.", post.post_id)
        blocked = post.author.blocks_us or post.author.protected or post.author.suspended
        summoned = net.world.names_us(post) or net.world.quotes_us(post)
        assert answer.status_code == (201 if summoned and not blocked else 403), post.key
        outcomes[answer.status_code] = outcomes.get(answer.status_code, 0) + 1
    assert outcomes[201] >= 10
    assert outcomes[403] >= 30
    await net.client.aclose()
