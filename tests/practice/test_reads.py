"""Look-ups, timelines and the two vocabularies."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.practice.support import APP, US, USER, Network, build, sample_script

OLD = (
    "created_at,author_id,conversation_id,in_reply_to_user_id,referenced_tweets,entities,lang,"
    "reply_settings,public_metrics,note_tweet,edit_history_tweet_ids,possibly_sensitive,withheld"
)
NEW = (
    "created_at,conversation_id,entities,lang,reply_settings,public_metrics,note_post,"
    "possibly_sensitive,withheld"
)


async def look_up(net: Network, *ids: str, **query: Any) -> dict[str, Any]:
    answer = await net.get("/2/tweets", ids=",".join(ids), **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# -- batch reads ----------------------------------------------------------------------------------


async def test_a_look_up_gives_what_is_there_and_says_what_is_not(net: Network) -> None:
    ids = [net.id_of(key) for key in ("cold", "gone", "hidden")]
    body = await look_up(net, *ids, "1999999999999999999")
    assert [row["id"] for row in body["data"]] == [ids[0]]
    errors = {row["resource_id"]: row for row in body["errors"]}
    assert {one: row["type"].rpartition("/")[2] for one, row in errors.items()} == {
        ids[1]: "resource-not-found",
        ids[2]: "not-authorized-for-resource",
        "1999999999999999999": "resource-not-found",
    }
    assert all(
        row.keys() >= {"value", "detail", "title", "resource_type", "parameter"}
        for row in errors.values()
    )


async def test_a_look_up_of_nothing_that_is_there_is_still_a_200(net: Network) -> None:
    body = await look_up(net, net.id_of("gone"))
    assert "data" not in body
    assert len(body["errors"]) == 1


async def test_a_suspended_author_s_post_is_not_shown(net: Network) -> None:
    await net.client.post("/practice/people", json={"handle": "marian_k", "suspended": True})
    body = await look_up(net, net.id_of("cold"))
    assert body["errors"][0]["type"].endswith("/not-authorized-for-resource")


async def test_an_edit_is_a_new_id_with_the_whole_history(net: Network) -> None:
    first, second = net.id_of("edited", 0), net.id_of("edited", 1)
    assert first != second
    rows = (await look_up(net, first, second, tweet__fields="edit_history_tweet_ids"))["data"]
    assert [(row["id"], row["text"]) for row in rows] == [
        (first, "@StElsewhere thanx"),
        (second, "@StElsewhere thanks"),
    ]
    assert [row["edit_history_tweet_ids"] for row in rows] == [[first, second]] * 2


async def test_an_edit_made_now_is_seen_in_the_timeline_once(net: Network) -> None:
    answer = await net.client.post(
        "/practice/edit", json={"id": net.id_of("named"), "text": "@StElsewhere where is level 2?"}
    )
    found = await net.get(f"/2/users/{US}/mentions", USER, max_results=100)
    texts = [row["text"] for row in found.json()["data"]]
    assert "@StElsewhere where is level 2?" in texts
    assert "@StElsewhere where do I park?" not in texts
    assert answer.json()["id"] in {row["id"] for row in found.json()["data"]}


async def test_a_single_look_up_is_one_record(net: Network) -> None:
    body = (await net.get(f"/2/tweets/{net.id_of('cold')}")).json()
    assert body["data"]["id"] == net.id_of("cold")
    gone = (await net.get(f"/2/tweets/{net.id_of('gone')}")).json()
    assert "data" not in gone


@pytest.mark.parametrize("ids", ["", "abc", "1,,2", ",".join(map(str, range(1, 102)))])
async def test_ids_that_are_none_or_too_many_are_refused(net: Network, ids: str) -> None:
    assert (await net.get("/2/tweets", ids=ids)).status_code == 400


# -- timelines ------------------------------------------------------------------------------------


async def test_the_mentions_have_every_post_that_names_us(net: Network) -> None:
    found = await net.get(f"/2/users/{US}/mentions", USER, max_results=100)
    keys = [net.world.posts[row["id"]].key for row in found.json()["data"]]
    assert keys == ["edited", "block", "long", "named"]


@pytest.mark.parametrize(("size", "status"), [(4, 400), (5, 200), (100, 200), (101, 400)])
async def test_a_timeline_page_has_5_to_100_posts(net: Network, size: int, status: int) -> None:
    answer = await net.get(f"/2/users/{US}/mentions", USER, max_results=size)
    assert answer.status_code == status


async def test_a_protected_account_s_timeline_is_not_shown(net: Network) -> None:
    hidden = net.world.person("closed_door").user_id
    body = (await net.get(f"/2/users/{hidden}/tweets")).json()
    assert body["errors"][0]["type"].endswith("/not-authorized-for-resource")


async def test_accounts_are_found_by_id_and_by_name(net: Network) -> None:
    wanted = net.world.person("open_inbox").user_id
    fields = "receives_your_dm,connection_status,verified_type,protected"
    mine = (await net.get("/2/users", USER, ids=f"{wanted},1", user__fields=fields)).json()
    assert mine["data"][0]["receives_your_dm"] is True
    assert mine["data"][0]["connection_status"] == []
    assert mine["errors"][0]["resource_type"] == "user"
    alone = (await net.get("/2/users", APP, ids=wanted, user__fields=fields)).json()
    assert "receives_your_dm" not in alone["data"][0], "it means something to an account only"
    named = (await net.get("/2/users/by/username/Open_Inbox")).json()
    assert named["data"]["id"] == wanted
    assert (await net.get("/2/users/me", USER)).json()["data"]["id"] == US


# -- vocabularies ---------------------------------------------------------------------------------


async def row_of(net: Network, key: str, **query: Any) -> dict[str, Any]:
    found = (await look_up(net, net.id_of(key), **query))["data"][0]
    assert isinstance(found, dict)
    return found


async def test_an_answer_speaks_the_words_of_the_request(net: Network) -> None:
    old = await row_of(net, "long", tweet__fields=OLD)
    new = await row_of(net, "long", post__fields=NEW, expansions="author_id,edit_history_post_ids")
    assert {"note_tweet", "edit_history_tweet_ids", "author_id"} <= old.keys()
    assert {"note_post", "edit_history_post_ids", "author_id"} <= new.keys()
    assert not {"note_post", "edit_history_post_ids"} & old.keys()
    assert not {"note_tweet", "edit_history_tweet_ids"} & new.keys()
    assert "retweet_count" in old["public_metrics"]
    assert "repost_count" in new["public_metrics"]
    assert old["note_tweet"]["text"] == new["note_post"]["text"]
    assert old["text"].endswith("\u2026")


async def test_the_newer_words_give_references_with_the_expansion_only(net: Network) -> None:
    old = await row_of(net, "under", tweet__fields="referenced_tweets,in_reply_to_user_id")
    assert old["referenced_tweets"] == [{"type": "replied_to", "id": net.id_of("ours")}]
    assert old["in_reply_to_user_id"] == US
    without = await row_of(net, "under", post__fields="created_at")
    assert "referenced_posts" not in without
    new = await row_of(net, "under", expansions="referenced_posts")
    assert new["referenced_posts"] == old["referenced_tweets"]


async def test_expanded_posts_and_people_come_along(net: Network) -> None:
    body = await look_up(net, net.id_of("quoting"), expansions="referenced_tweets.id,author_id")
    assert [row["id"] for row in body["includes"]["tweets"]] == [net.id_of("ours")]
    assert body["includes"]["users"][0]["username"] == "bigvoice"
    body = await look_up(net, net.id_of("quoting"), expansions="referenced_posts")
    assert [row["id"] for row in body["includes"]["posts"]] == [net.id_of("ours")]


async def test_a_switch_refuses_the_older_words(net: Network) -> None:
    await net.set(refuse_tweet_fields=True)
    ids = net.id_of("cold")
    answer = await net.get("/2/tweets", ids=ids, tweet__fields="created_at")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameters"] == {"tweet.fields": ["created_at"]}
    assert (await net.get("/2/tweets", ids=ids, post__fields="created_at")).status_code == 200


async def test_a_switch_leaves_long_texts_cut(net: Network) -> None:
    await net.set(note_text=False)
    row = await row_of(net, "long", tweet__fields=OLD)
    assert "note_tweet" not in row
    assert row["text"].endswith("\u2026")


@pytest.mark.parametrize("vocabulary", ["tweet", "post"])
async def test_a_switch_chooses_the_words_for_requests_that_use_none(
    net: Network, vocabulary: str
) -> None:
    await net.set(vocabulary=vocabulary)
    assert f"edit_history_{vocabulary}_ids" in await row_of(net, "cold")


# -- cursors and pages ----------------------------------------------------------------------------

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["post", "page", "wait", "delete"]), st.integers(1, 7)),
    min_size=1,
    max_size=40,
)


class Poller:
    """Polls a search as a careful client does; `seen` is every post once it was returned.

    While paging, since_id stays; the cursor moves to page one's newest with the last page.
    """

    def __init__(self, net: Network) -> None:
        self.net = net
        self.seen: list[str] = []
        self.cursor: str | None = None
        self.newest: str | None = None
        self.token: str | None = None

    async def page(self) -> None:
        query: dict[str, Any] = {"query": "ward -is:retweet", "max_results": 10}
        if self.cursor is not None:
            query["since_id"] = self.cursor
        if self.token is not None:
            query["next_token"] = self.token
        body = (await self.net.get("/2/tweets/search/recent", **query)).json()
        if self.token is None:
            self.newest = body["meta"].get("newest_id")
        self.seen += [row["id"] for row in body.get("data", [])]
        self.token = body["meta"].get("next_token")
        if self.token is None and self.newest is not None:
            self.cursor = self.newest

    async def rest(self) -> None:
        """Every page until the search has no more."""
        await self.page()
        while self.token is not None:
            await self.page()


async def _interleave(steps: list[Step]) -> None:
    net = build(script=sample_script([]))
    net.settings.rate_limits = {"GET /2/tweets/search/recent": 10_000}
    poller, made, deleted = Poller(net), [], set()
    for kind, count in steps:
        if kind == "post":
            rows = [{"author": f"p{n}", "text": f"ward {n}"} for n in range(count)]
            answer = await net.client.post("/practice/posts", json={"posts": rows})
            made += [row["id"] for row in answer.json()["data"]]
        elif kind == "page":
            await poller.page()
        elif kind == "wait":
            net.clock.move(seconds=count)
        elif made:
            gone = made[count % len(made)]
            await net.client.post("/practice/delete", json={"id": gone})
            deleted.add(gone)
    net.clock.move(minutes=1)
    await poller.rest()
    await poller.rest()
    assert len(set(poller.seen)) == len(poller.seen), "no post comes twice"
    assert set(made) - deleted <= set(poller.seen) <= set(made), "none is passed over"
    await net.client.aclose()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_pages_and_cursors_pass_over_no_post_while_others_arrive(steps: list[Step]) -> None:
    asyncio.run(_interleave(steps))
