"""Reading and answering on X, against the practice network and against records of its shapes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from carerespond.domain.errors import BadAnswerError, RefusedError, SetUpError, StaleCursorError
from carerespond.domain.models import Charge, Post
from carerespond.networks.base import Page
from carerespond.networks.x import XNetwork
from tests.networks.support import (
    HANDLE,
    answer,
    app_only,
    canned,
    connected,
    page,
    problem,
    record,
)
from tests.practice.support import LONG, ORIGIN, US, Network, build, sample_script

SEARCH, USERS, ME = "GET /2/tweets/search/recent", "GET /2/users", "GET /2/users/me"


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    network = build()
    yield network
    await network.client.aclose()


@pytest.fixture
async def x(net: Network) -> AsyncIterator[XNetwork]:
    network = connected(net)
    yield network
    await network.aclose()


def keys(net: Network, posts: Sequence[Post]) -> list[str]:
    return [net.world.posts[post.post_id].key for post in posts]


async def pages(net: Network, x: XNetwork, query: str, **how: Any) -> list[Page]:
    """Every page of a search; `limit` is a page's size."""
    found = [await x.search(query, **how)]
    while found[-1].next_token is not None:
        found.append(await x.search(query, page_token=found[-1].next_token, **how))
    return found


def wards(count: int) -> Network:
    posts = [
        {"key": f"k{n}", "author": "marian_k", "text": f"ward {n}", "at": n - 300}
        for n in range(count)
    ]
    return build(script=sample_script(posts))


# -- search ---------------------------------------------------------------------------------------


async def test_search_finds_what_does_not_name_us(net: Network, x: XNetwork) -> None:
    found = await x.search("elsewhere")
    assert keys(net, found.posts) == ["liked", "shut", "cafe", "cold"]
    assert found.newest_id == net.id_of("liked")
    assert found.next_token is None
    assert not found.bad


async def test_a_query_is_completed_on_its_way() -> None:
    x, sent = canned(page())
    await x.search('"st elsewhere" OR "the elsie"')
    await x.search("eye clinic -@stelsewhere -is:retweet")
    assert [query["query"] for query in sent.queries] == [
        f'("st elsewhere" OR "the elsie") -from:{HANDLE} -@{HANDLE} -is:retweet -is:nullcast',
        f"eye clinic -@stelsewhere -is:retweet -from:{HANDLE} -is:nullcast",
    ]


async def test_since_id_compares_numbers(net: Network, x: XNetwork) -> None:
    found = await x.search("elsewhere", since_id=net.id_of("cafe"))
    assert keys(net, found.posts) == ["liked", "shut"]


async def test_start_at_bounds_a_search_without_a_cursor(net: Network, x: XNetwork) -> None:
    found = await x.search("elsewhere", start_at=ORIGIN - timedelta(minutes=37))
    assert keys(net, found.posts) == ["liked", "shut"]


async def test_pages_keep_since_id_and_follow_without_overlap() -> None:
    net = wards(25)
    x = connected(net)
    cursor = net.id_of("k2")
    found = await pages(net, x, "ward", since_id=cursor, limit=10)
    got = [key for one in found for key in keys(net, one.posts)]
    assert got == [f"k{n}" for n in range(24, 2, -1)]
    assert found[0].newest_id == net.id_of("k24")
    assert found[1].newest_id == net.id_of("k14"), "only page 1 names the newest of a round"
    await net.client.aclose()


async def test_every_page_is_asked_with_the_same_since_id() -> None:
    x, sent = canned(page(record("9"), next_token="more"), page(record("5")))
    await x.search("ward", since_id="3")
    await x.search("ward", since_id="3", page_token="more")
    first, second = sent.queries
    assert (first["since_id"], first.get("next_token")) == ("3", None)
    assert (second["since_id"], second["next_token"]) == ("3", "more")
    assert "start_time" not in first


async def test_a_stale_cursor_is_told_from_other_refusals(net: Network, x: XNetwork) -> None:
    with pytest.raises(StaleCursorError):
        await x.search("elsewhere", since_id="1")


async def test_an_empty_answer_is_an_empty_page(x: XNetwork) -> None:
    found = await x.search("unheardof")
    assert (list(found.posts), found.newest_id, found.next_token) == ([], None, None)
    assert not found.charges


# -- mentions, look-up, ourselves -----------------------------------------------------------------


async def test_mentions_name_us(net: Network, x: XNetwork) -> None:
    found = await x.mentions()
    assert set(keys(net, found.posts)) == {"edited", "block", "long", "named"}
    assert all(post.mentions_us for post in found.posts)
    newer = await x.mentions(since_id=net.id_of("long"))
    assert set(keys(net, newer.posts)) == {"edited", "block"}


async def test_mentions_can_begin_at_a_time(net: Network, x: XNetwork) -> None:
    found = await x.mentions(start_at=ORIGIN - timedelta(minutes=38))
    assert set(keys(net, found.posts)) == {"edited", "block"}


async def test_mentions_come_in_pages() -> None:
    posts = [
        {"key": f"k{n}", "author": "marian_k", "text": f"@{HANDLE} {n}", "at": n - 300}
        for n in range(7)
    ]
    net = build(script=sample_script(posts))
    x = connected(net)
    first = await x.mentions(limit=5)
    assert first.next_token is not None
    second = await x.mentions(limit=5, page_token=first.next_token)
    assert keys(net, [*first.posts, *second.posts]) == [f"k{n}" for n in range(6, -1, -1)]
    await net.client.aclose()


async def test_a_look_up_says_which_posts_are_gone_and_why(net: Network, x: XNetwork) -> None:
    gone, hidden, cold = net.id_of("gone"), net.id_of("hidden"), net.id_of("cold")
    found = await x.lookup([cold, gone, hidden, "12"])
    assert keys(net, found.posts) == ["cold"]
    assert found.gone == {
        gone: "deleted",
        hidden: "protected or suspended",
        "12": "deleted",
    }
    assert [charge.resource_id for charge in found.charges if charge.kind == "post_read"] == [cold]


async def test_me_is_our_account(x: XNetwork) -> None:
    author = await x.me()
    assert (author.author_id, author.handle) == (US, HANDLE)


async def test_our_id_is_asked_for_once(net: Network) -> None:
    x = connected(net, user_id="")
    await asyncio.gather(x.mentions(), x.search("elsewhere"), x.search("parking"))
    assert net.app.practice.meter.requests[ME] == 1
    await x.aclose()


async def test_a_bearer_finds_our_id_by_our_name(net: Network) -> None:
    x = connected(net, token=app_only(), user_id="")
    found = await x.mentions()
    assert {charge.kind for charge in found.charges} == {"post_read", "user_read"}
    assert not x.capabilities.reply
    await x.aclose()


async def test_a_wrong_handle_is_a_matter_of_set_up(net: Network) -> None:
    x = connected(net, token=app_only(), user_id="", handle="NobodyHere")
    with pytest.raises((SetUpError, BadAnswerError), match="NobodyHere"):
        await x.mentions()
    await x.aclose()


async def test_our_own_timeline(net: Network, x: XNetwork) -> None:
    found = await x.own_posts()
    assert keys(net, found.posts) == ["ours"]
    assert all(post.is_ours for post in found.posts)
    later = await x.own_posts(start_at=ORIGIN - timedelta(minutes=1))
    assert not later.posts


async def test_an_answer_is_posted_once_under_its_post(net: Network, x: XNetwork) -> None:
    named = net.id_of("named")
    sent = await x.reply("Level 2 has spaces.", named, "key")
    (ours,) = await net.ours()
    assert (ours["id"], ours["in_reply_to"]) == (sent.remote_id, named)
    assert sent.charges == [Charge("summoned_reply")]
    (shown,) = (await x.own_posts(start_at=ORIGIN)).posts
    assert (shown.post_id, shown.in_reply_to, shown.is_ours) == (sent.remote_id, named, True)


async def test_the_address_for_a_browser_carries_the_words() -> None:
    x, _ = canned(page())
    assert x.intent_url("12", "We're sorry & listen").endswith(
        "/intent/tweet?in_reply_to=12&text=We%27re+sorry+%26+listen"
    )


# -- two vocabularies -----------------------------------------------------------------------------


async def test_both_vocabularies_read_the_same(net: Network) -> None:
    x, other = connected(net), connected(net)
    before = [*(await x.search("elsewhere")).posts, *(await x.mentions()).posts]
    await net.set(refuse_tweet_fields=True)
    after = [*(await other.search("elsewhere")).posts, *(await other.mentions()).posts]
    assert [replace(post, raw=b"") for post in after] == [replace(p, raw=b"") for p in before]
    await x.aclose()
    await other.aclose()


async def test_the_newer_words_are_learnt_once(net: Network, x: XNetwork) -> None:
    await net.set(refuse_tweet_fields=True)
    await x.search("elsewhere")
    asked = net.app.practice.meter.requests[SEARCH]
    assert asked == 2
    await x.search("elsewhere")
    await x.mentions()
    assert net.app.practice.meter.requests[SEARCH] == asked + 1
    assert net.app.practice.meter.requests["GET /2/users/{id}/mentions"] == 1


async def test_another_400_does_not_change_the_words() -> None:
    x, sent = canned(
        answer(
            400,
            {
                "errors": [{"parameters": {"query": ["("]}, "message": "no closing parenthesis"}],
                "title": "Invalid Request",
                "type": "https://api.x.com/2/problems/invalid-request",
            },
        ),
        page(),
    )
    with pytest.raises(RefusedError, match="no closing parenthesis"):
        await x.search("(")
    await x.search("ward")
    assert len(sent.requests) == 2
    assert all("tweet.fields" in query for query in sent.queries)


# -- one post -------------------------------------------------------------------------------------


async def one_post(**fields: Any) -> Post:
    x, _ = canned(page(record("900", **fields)))
    (post,) = (await x.search("ward")).posts
    return post


@pytest.mark.parametrize("note", ["note_tweet", "note_post"])
async def test_a_long_post_is_read_whole(note: str) -> None:
    post = await one_post(text="The ward was ki...", **{note: {"text": LONG}})
    assert post.text == LONG


async def test_a_long_post_without_its_note_is_kept_as_it_came(net: Network, x: XNetwork) -> None:
    whole = next(p for p in (await x.mentions()).posts if "ward" in p.text)
    assert len(whole.text) > 280
    await net.set(note_text=False)
    short = next(p for p in (await x.mentions()).posts if "ward" in p.text)
    assert whole.text.startswith(short.text[:200])
    assert len(short.text) < len(whole.text)


@pytest.mark.parametrize("history", ["edit_history_tweet_ids", "edit_history_post_ids"])
async def test_an_edit_is_the_same_post_in_a_newer_version(history: str) -> None:
    newest = record("900")
    del newest["edit_history_tweet_ids"]
    x, _ = canned(page({**newest, history: ["880", "890", "900"]}))
    (post,) = (await x.search("ward")).posts
    assert (post.post_id, post.version_id, post.is_edited) == ("880", "900", True)
    assert post.url is not None
    assert post.url.endswith("/marian_k/status/900")


async def test_a_post_looked_up_by_its_first_id_comes_in_its_newest_version(
    net: Network, x: XNetwork
) -> None:
    first, newest = net.id_of("edited"), net.id_of("edited", 1)
    (post,) = (await x.lookup([first])).posts
    assert (post.post_id, post.version_id, post.is_edited) == (first, newest, True)


async def test_an_edit_on_the_practice_network(net: Network, x: XNetwork) -> None:
    (post,) = [p for p in (await x.mentions()).posts if "thanks" in p.text]
    assert post.post_id == net.id_of("edited")
    assert post.version_id == net.id_of("edited", 1)


@pytest.mark.parametrize("names", [{"username": "STELSEWHERE"}, {"username": "old", "id": US}])
async def test_a_mention_of_us_by_name_or_id(names: dict[str, str]) -> None:
    post = await one_post(entities={"mentions": [{"start": 0, "end": 4, **names}]})
    assert post.mentions_us


async def test_a_name_like_ours_is_not_us() -> None:
    post = await one_post(
        text="@StElsewhereFC", entities={"mentions": [{"username": "StElsewhereFC", "id": "5"}]}
    )
    assert not post.mentions_us


@pytest.mark.parametrize("references", ["referenced_tweets", "referenced_posts"])
@pytest.mark.parametrize(
    ("link", "is_ours"),
    [
        ("https://twitter.com/StElsewhere/status/500", True),
        ("https://x.com/stelsewhere/status/500", True),
        ("https://x.com/OtherTrust/status/500", False),
        ("https://x.com/StElsewhere/status/501", False),
    ],
)
async def test_a_quote_of_us(references: str, link: str, is_ours: bool) -> None:
    post = await one_post(
        **{references: [{"type": "quoted", "id": "500"}]},
        entities={"urls": [{"url": "https://t.co/a", "expanded_url": link}]},
    )
    assert post.quotes_us is is_ours
    assert post.has_link


@pytest.mark.parametrize("references", ["referenced_tweets", "referenced_posts"])
async def test_what_a_post_belongs_to(references: str) -> None:
    post = await one_post(
        conversation_id="400",
        reply_settings="mentionedUsers",
        lang="cy",
        public_metrics={"like_count": 4, "reply_count": 2, "repost_count": 3},
        **{references: [{"type": "replied_to", "id": "450"}]},
    )
    assert (post.conversation, post.in_reply_to) == ("400", "450")
    assert (post.reply_settings, post.lang) == ("mentionedUsers", "cy")
    assert (post.likes, post.replies, post.reposts) == (4, 2, 3)


async def test_escaped_characters_are_read_as_typed() -> None:
    assert (await one_post(text="A&amp;E &lt;3 &amp;lt;")).text == "A&E <3 &lt;"


async def test_a_bad_record_spoils_nothing_but_itself(net: Network, x: XNetwork) -> None:
    await net.set(bad_records=2)
    found = await x.search("elsewhere")
    assert len(found.posts) == 2
    assert len(found.bad) == 2
    assert all(one.raw and one.problem for one in found.bad)


# -- authors and charges --------------------------------------------------------------------------


async def test_an_author_is_paid_for_once(net: Network, x: XNetwork) -> None:
    found = await x.search("elsewhere")
    assert {post.author.handle for post in found.posts} == {"marian_k", "open_inbox", "bigvoice"}
    await x.search("elsewhere")
    await x.mentions()
    assert net.app.practice.meter.requests[USERS] == 2  # the second for who had not been met


async def test_posts_are_kept_when_their_authors_cannot_be_asked(net: Network, x: XNetwork) -> None:
    await net.set(fail_next={"path": "/2/users", "status": 503, "count": 9})
    found = await x.search("elsewhere")
    assert len(found.posts) == 4
    assert all(post.author.handle == post.author.author_id for post in found.posts)
    assert {charge.kind for charge in found.charges} == {"post_read"}


async def test_authors_are_not_asked_for_while_they_are_limited(net: Network, x: XNetwork) -> None:
    await net.set(rate_limits={USERS: 0})
    await x.search("elsewhere")
    await x.search("elsewhere")
    assert net.app.practice.meter.requests[USERS] == 1
    net.clock.move(minutes=16)
    await net.set(rate_limits={USERS: 300})
    found = await x.search("elsewhere")
    assert {post.author.handle for post in found.posts} == {"marian_k", "open_inbox", "bigvoice"}


async def bill(net: Network, x: XNetwork, call: str) -> dict[str, int]:
    """What one call is charged by our list, which must be what the network charges."""
    before = dict(net.app.practice.meter.by_class)
    found: Any
    if call == "lookup":
        found = await x.lookup([net.id_of("cold"), net.id_of("gone")])
    elif call == "reply":
        found = await x.reply("Level 2.", net.id_of("named"), "key")
    elif call == "search":
        found = await x.search("elsewhere")
    else:
        found = await getattr(x, call)()
    counts: dict[str, int] = {}
    for kind, _ in {(c.kind, c.resource_id) for c in found.charges}:
        counts[kind] = counts.get(kind, 0) + 1
    meter = {
        {"post": "post_read", "user": "user_read", "owned": "owned_read"}.get(k, k): n
        - before.get(k, 0)
        for k, n in net.app.practice.meter.by_class.items()
    }
    assert counts == {
        {"reply_summoned": "summoned_reply"}.get(k, k): n for k, n in meter.items() if n
    }
    return counts


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("search", {"post_read": 4, "user_read": 3}),
        ("mentions", {"owned_read": 4, "user_read": 2}),
        ("own_posts", {"owned_read": 1}),
        ("lookup", {"post_read": 1, "user_read": 1}),
        ("reply", {"summoned_reply": 1}),
    ],
)
async def test_what_each_call_costs(
    net: Network, x: XNetwork, call: str, wanted: dict[str, int]
) -> None:
    assert await bill(net, x, call) == wanted


@pytest.mark.parametrize("call", ["search", "mentions", "lookup"])
async def test_what_the_newer_words_cost(net: Network, x: XNetwork, call: str) -> None:
    await net.set(refuse_tweet_fields=True)
    await bill(net, x, call)


async def test_our_own_name_is_on_the_bill(net: Network) -> None:
    x = connected(net, user_id="")
    assert (await bill(net, x, "own_posts"))["user_read"] == 1
    await x.aclose()


async def test_an_app_of_somebody_else_pays_the_full_price(net: Network) -> None:
    x = connected(net, owns_app=False)
    assert {c.kind for c in (await x.mentions()).charges} == {"post_read", "user_read"}
    await x.aclose()


async def test_a_refusal_costs_nothing(net: Network, x: XNetwork) -> None:
    with pytest.raises(RefusedError):
        await x.search("y" * 600)
    assert await net.usd() == 0


async def test_problem_types_are_known_by_their_last_part() -> None:
    x, _ = canned(problem(403, "no", "client-forbidden"))
    with pytest.raises(SetUpError):
        await x.search("ward")
