"""Recent search answers as X's does: its language, its window, its pages, its refusals."""

import time
from datetime import timedelta
from typing import Any

import pytest

from carerespond.practice.ids import first_id
from tests.practice.support import ORIGIN, USER, Clock, Network, build, sample_script


async def refusal(net: Network, **query: Any) -> str:
    answer = await net.get("/2/tweets/search/recent", **query)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["type"].endswith("/invalid-request")
    assert body["errors"][0]["parameters"]
    return str(body["errors"][0]["message"])


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("waiting", {"cold"}),
        ("WAITING elsewhere", {"cold"}),
        ('"st elsewhere" waiting', {"cold"}),
        ('"elsewhere st"', set()),
        ("wait", set()),
        ("waiting OR fundraiser", {"cold", "liked"}),
        ("elsewhere waiting OR fundraiser", {"cold", "liked"}),
        ("elsewhere (waiting OR fundraiser) -fundraiser", {"cold"}),
        ("cafe", {"cafe"}),
        ("CAFÉ", {"cafe"}),
        ("#lovely", {"cafe"}),
        ("#Lovel", set()),
        ("@stelsewhere -long -ward", {"named", "block", "edited"}),
        ("from:bigvoice -is:retweet", {"quoting", "under", "liked"}),
        ("from:@BigVoice is:quote", {"quoting"}),
        ("to:StElsewhere", {"under"}),
        ("from:bigvoice is:reply", {"under"}),
        ("from:bigvoice is:verified -is:nullcast fundraiser", {"liked"}),
        ("elsewhere min_likes:10", {"liked"}),
        ("min_replies:1 lines", {"ours"}),
        ("elsewhere lang:en #lovely has:hashtags", {"cafe"}),
        ("where has:mentions", {"named"}),
        ("elsewhere has:links", set()),
        ("from:1000000000000000001", {"ours"}),
    ],
)
async def test_the_query_language(net: Network, query: str, keys: set[str]) -> None:
    assert await net.keys(query) == keys


async def test_ids_in_queries(net: Network) -> None:
    ours = net.id_of("ours")
    assert await net.keys(f"conversation_id:{ours}") == {"ours", "under"}
    assert await net.keys(f"in_reply_to_tweet_id:{ours}") == {"under"}
    assert await net.keys(f"quotes_of_tweet_id:{ours}") == {"quoting"}


async def test_links_are_found_by_part_of_their_address() -> None:
    net = build(
        script=sample_script(
            [{"key": "a", "author": "x", "text": "see nhs.uk/contact and $CARE", "at": -5}]
        )
    )
    assert await net.keys("url:nhs.uk") == {"a"}
    assert await net.keys("see has:links") == {"a"}
    assert await net.keys("$care") == {"a"}
    await net.client.aclose()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("elsewhere min_faves:3", "invalid operator 'min_faves'"),
        ("-(waiting OR park) elsewhere", "Negating a group"),
        ("is:reply", "stand alone"),
        ("-waiting", "stand alone"),
        ("elsewhere OR has:links", "stand alone"),
        ("lang:en -is:retweet", "stand alone"),
        ("(elsewhere", "closing parenthesis"),
        ("elsewhere)", "no opening one"),
        ('"elsewhere', "closing quote"),
        ("elsewhere lang:cy", "Invalid language"),
        ("elsewhere is:sad", "invalid field"),
        ("elsewhere OR", "term was expected"),
        ("x" * 513, "512"),
        (" ", "empty"),
    ],
)
async def test_bad_queries_are_refused_with_words(net: Network, query: str, words: str) -> None:
    assert words in await refusal(net, query=query)


async def test_a_query_of_512_characters_is_taken(net: Network) -> None:
    assert await net.search("elsewhere " + "x" * 502) == []


@pytest.mark.parametrize(
    "query",
    [
        {"max_results": 9},
        {"max_results": 101},
        {"since_id": "12", "start_time": "2026-11-20T00:00:00Z"},
        {"until_id": "12", "end_time": "2026-11-20T00:00:00Z"},
        {"since_id": "soon"},
        {"start_time": "yesterday"},
        {"start_time": "2026-11-01T00:00:00Z"},
        {"next_token": "made-up"},
        {"colour": "red"},
        {"tweet__fields": "mood"},
        {"post__fields": "author_id"},
        {"expansions": "referenced_tweet"},
        {"user__fields": "shoe_size"},
        {"sort_order": "random"},
    ],
)
async def test_bad_parameters_are_refused(net: Network, query: dict[str, Any]) -> None:
    await refusal(net, query="elsewhere", **query)


async def test_a_stale_cursor_is_refused_with_the_real_words(net: Network) -> None:
    stale = str(int(net.id_of("old")) - 1)
    words = await refusal(net, query="elsewhere", since_id=stale)
    limit = first_id(ORIGIN - timedelta(days=7))
    assert words == (
        "'since_id' must be a tweet id created after 2026-11-17T09:00Z. Please use a 'since_id'"
        f" that is larger than {limit}"
    )
    assert await net.search("elsewhere", since_id=str(limit + 1)) != []


async def test_search_is_newest_first_and_reaches_seven_days(net: Network) -> None:
    answer = (await net.get("/2/tweets/search/recent", query="elsewhere")).json()
    ids = [int(post["id"]) for post in answer["data"]]
    assert ids == sorted(ids, reverse=True)
    assert net.id_of("old") not in map(str, ids)
    assert answer["meta"]["newest_id"] == str(ids[0])
    assert answer["meta"]["oldest_id"] == str(ids[-1])
    assert answer["meta"]["result_count"] == len(ids)


async def test_since_id_compares_numbers(net: Network) -> None:
    newer = await net.search("elsewhere", since_id=net.id_of("cafe"))
    assert newer == ["St Elsewhere fundraiser", "St Elsewhere car park, again"]


async def test_reposts_deleted_protected_and_older_versions_are_not_found(net: Network) -> None:
    assert await net.keys("from:bigvoice is:retweet") == set()
    assert await net.keys("ignore") == set()
    assert await net.keys("private") == set()
    assert await net.search("@stelsewhere thanx") == []
    assert await net.search("@stelsewhere thanks") == ["@StElsewhere thanks"]


async def test_posts_arrive_as_time_passes(net: Network) -> None:
    assert await net.keys("later") == set()
    net.clock.move(minutes=31)
    assert await net.keys("later") == {"later"}


async def test_search_ends_thirty_seconds_before_now(net: Network) -> None:
    arrives = net.world.posts[net.id_of("later")].created_at
    net.clock.at = arrives + timedelta(seconds=29)
    assert await net.keys("later") == set()
    net.clock.move(seconds=1)
    assert await net.keys("later") == {"later"}


async def test_pages_follow_without_overlap_while_posts_arrive() -> None:
    posts = [
        {"key": f"k{number}", "author": "x", "text": f"ward {number}", "at": -300 + number}
        for number in range(25)
    ]
    net = build(script=sample_script(posts))
    seen: list[str] = []
    token: dict[str, Any] = {}
    while True:
        answer = await net.get("/2/tweets/search/recent", query="ward", **token)
        seen += [post["text"] for post in answer.json()["data"]]
        await net.client.post("/practice/posts", json={"author": "y", "text": "ward new"})
        if "next_token" not in answer.json()["meta"]:
            break
        token = {"next_token": answer.json()["meta"]["next_token"]}
    assert seen == [f"ward {number}" for number in reversed(range(25))]
    await net.client.aclose()


async def test_an_empty_answer_has_no_data(net: Network) -> None:
    answer = await net.get("/2/tweets/search/recent", query="unheardof")
    assert answer.json() == {"meta": {"result_count": 0}}


async def test_counts_cover_the_seven_days(net: Network) -> None:
    answer = (await net.get("/2/tweets/counts/recent", query="elsewhere", granularity="day")).json()
    assert answer["meta"] == {"total_tweet_count": 4}
    assert sum(day["tweet_count"] for day in answer["data"]) == 4
    assert len(answer["data"]) == 8
    newer = await net.get(
        "/2/tweets/counts/recent", query="elsewhere", search_count__fields="post_count"
    )
    assert newer.json()["meta"] == {"total_post_count": 4}


async def test_search_takes_a_user_token_too(net: Network) -> None:
    assert (await net.get("/2/tweets/search/recent", USER, query="waiting")).status_code == 200


async def test_five_thousand_posts_are_searched_quickly() -> None:
    posts = [
        {
            "key": f"k{n}",
            "author": f"p{n % 90}",
            "text": f"St Elsewhere ward {n} was fine",
            "at": -n / 1,
        }
        for n in range(1, 5001)
    ]
    net = build(script=sample_script(posts), clock=Clock())
    query = '("st elsewhere" OR stelsewhere) -from:stelsewhere -@stelsewhere -is:retweet unheardof'
    await net.search(query)
    began = time.perf_counter()
    for _ in range(5):
        await net.search(query)
    took = (time.perf_counter() - began) / 5
    assert took < 0.05, f"{took * 1000:.1f} ms"  # about 6 ms on a quiet machine
    await net.client.aclose()


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_seed_gives_the_same_network(seed: int) -> None:
    one, other, third = build(seed=seed), build(seed=seed), build(seed=seed + 5)
    assert one.world.order == other.world.order
    assert one.id_of("later") != third.id_of("later")
    assert one.id_of("cold") == third.id_of("cold")
