"""The shipped posts: enough of them, of every kind, found by the shipped searches."""

import re
import tomllib
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from carerespond import practice
from carerespond.config import Config, load_config
from carerespond.domain.models import Author, Post
from carerespond.domain.privacy import check_reply
from carerespond.domain.templates import fill
from carerespond.practice.length import weighted_length
from carerespond.practice.script import POSTS, Script, ScriptError, load_script, read_script
from tests.practice.support import US, USER, Network, build

CONFIG = Path(practice.__file__).with_name("config.toml")
LEAST_POSTS = 180
LEAST_CASES = 45
MOST_FIRST_MINUTES = 10
SEARCHES = [search.search_id for search in load_config(CONFIG).searches]
KINDS = {
    "danger to life, names us": "danger-tide",
    "bereavement": "grief-letter",
    "small question, names us": "ask-parking",
    "upset, does not name us": "upset-ae-chair",
    "one clinic over weeks": "eye-1",
    "answered before": "before-2",
    "may be rung": "rung-volunteer",
    "thanks worth an invitation": "praise-naming",
    "praise with alarming words": "praise-saved",
    "praise with a barb": "barb-bleeding",
    "terse": "praise-short",
    "run-on": "upset-ae-runon",
    "polite but upset": "upset-cancelled",
    "thread of one author": "thread-ward-4",
    "reply by another": "thread-ward-other",
    "Welsh": "cy-upset-ae",
    "news": "news-rating",
    "promotion": "promo-run",
    "spam": "spam-pills",
    "noise": "noise-tv",
    "surgery": "upset-gp-phone",
    "optician": "upset-opt-varifocals",
    "dentist": "upset-dent-pain",
    "care home": "upset-home-bruise",
    "mental health": "upset-tide-callback",
    "deleted later": "state-deleted",
    "edited later": "state-edited",
    "replies closed": "state-closed",
    "protected": "state-protected",
    "blocks us": "state-blocks",
    "suspended": "state-suspended",
    "withheld": "state-withheld",
    "quotes us": "upset-quote-phones",
    "long": "upset-long-story",
}
HOSTILE = {
    "hostile-ansi": "\x1b[2J",
    "hostile-bidi": "\u202e",
    "hostile-markup": "[bold red]",
    "hostile-zalgo": "\u0336",
    "hostile-longword": "o" * 120,
    "hostile-emoji": "\u200d",
    "hostile-rtl": "\u0634",
    "hostile-newlines": "\n\n\n",
    "hostile-nul": "\x00",
    "hostile-tags": "DROP TABLE",
}
DRAMA = re.compile(r"01632960\d{3}|07700900\d{3}")
NUMBER = re.compile(r"\b0[\d ]{9,12}\d\b")


@pytest.fixture(scope="module")
def script() -> Script:
    return load_script()


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(CONFIG)


@pytest.fixture
async def day(script: Script) -> AsyncIterator[Network]:
    network = build(script=script)
    yield network
    await network.client.aclose()


async def found(net: Network, query: str, **more: Any) -> list[dict[str, Any]]:
    """What a saved search gives at this moment."""
    answer = await net.get(
        "/2/tweets/search/recent",
        query=query,
        max_results=100,
        tweet__fields="author_id,conversation_id,created_at",
        **more,
    )
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json().get("data", [])
    return rows


async def mentions(net: Network) -> list[dict[str, Any]]:
    answer = await net.get(
        f"/2/users/{US}/mentions",
        headers=USER,
        max_results=100,
        tweet__fields="author_id,conversation_id,created_at",
    )
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json().get("data", [])
    return rows


def test_there_are_posts_enough_and_no_text_twice(script: Script) -> None:
    assert len(script.posts) >= LEAST_POSTS
    texts = [post.text for post in script.posts if post.retweets is None]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() for text in texts)


def test_posts_are_there_at_once_and_go_on_arriving(script: Script) -> None:
    times = [post.at for post in script.posts]
    early = sum(0 < at <= MOST_FIRST_MINUTES for at in times)
    assert early >= 12
    assert sum(at <= 0 for at in times) >= 60
    assert max(times) <= 24 * 60
    arrivals = sorted(at for at in times if at > 0)
    gaps = [later - at for at, later in pairwise(arrivals)]
    assert max(gaps) <= 60, "an hour without a post looks like a fault"


@pytest.mark.parametrize(("kind", "key"), KINDS.items())
def test_every_kind_of_post_is_there(script: Script, kind: str, key: str) -> None:
    assert key in {post.key for post in script.posts}, kind


@pytest.mark.parametrize(("key", "part"), HOSTILE.items())
def test_hostile_text_reaches_the_wire_as_written(script: Script, key: str, part: str) -> None:
    post = next(post for post in script.posts if post.key == key)
    assert part in post.text


def test_the_script_file_itself_shows_no_hostile_character() -> None:
    text = POSTS.read_text(encoding="utf-8").replace("\n", "")
    hidden = {
        hex(ord(sign)) for sign in text if unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp"}
    }
    assert hidden == set(), "a reader of the file must be safe: write such signs as escapes"


def test_kinds_say_what_they_promise(script: Script) -> None:
    posts = {post.key: post for post in script.posts}
    people = {person.handle: person for person in script.people}
    assert all("@StElsewhere" in posts[key].text for key in ("danger-tide", "ask-parking"))
    assert "@StElsewhere" not in posts["upset-ae-chair"].text
    assert posts["before-us"].author == "StElsewhere"
    assert posts["before-us"].reply_to == "before-1"
    assert posts["before-2"].reply_to == "before-us"
    assert len({posts[f"thread-ward-{n}"].author for n in (1, 2, 3, 4)}) == 1
    assert posts["thread-ward-other"].author != posts["thread-ward-2"].author
    assert posts["state-deleted"].deleted_at is not None
    assert posts["state-edited"].edited_text is not None
    assert posts["state-closed"].reply_settings != "everyone"
    assert people[posts["state-protected"].author].protected
    assert people[posts["state-blocks"].author].blocks_us
    assert people[posts["state-suspended"].author].suspended
    assert sum(post.lang == "cy" for post in script.posts) >= 6
    assert weighted_length(posts["upset-long-story"].text) > 280


def test_the_eye_clinic_is_heard_of_over_weeks(script: Script) -> None:
    times = [post.at for post in script.posts if post.key.startswith("eye-") and post.at <= 0]
    assert len(times) >= 5
    assert max(times) - min(times) > 14 * 24 * 60


def test_telephone_numbers_are_from_the_drama_range(script: Script, config: Config) -> None:
    texts = [post.text for post in script.posts] + [one.phone for one in config.services]
    numbers = [hit.replace(" ", "") for text in texts for hit in NUMBER.findall(text)]
    assert numbers
    assert all(DRAMA.fullmatch(number) for number in numbers), numbers


@pytest.mark.parametrize("search_id", SEARCHES)
async def test_each_saved_search_finds_something_at_once(
    day: Network, config: Config, search_id: str
) -> None:
    query = next(one.query for one in config.searches if one.search_id == search_id)
    assert await found(day, query)
    ours = {row["author_id"] == US for row in await found(day, query)}
    assert ours == {search_id == "ours"}, "one search shows what we said, the others never do"


async def test_the_first_screen_has_cases_enough(day: Network, config: Config) -> None:
    rows = await mentions(day)
    for search in config.searches:
        rows += await found(day, search.query)
    cases = {(row["conversation_id"], row["author_id"]) for row in rows}
    assert len(cases) >= LEAST_CASES
    keys = {day.world.posts[row["id"]].key for row in rows}
    hidden = {"state-protected", "state-suspended", "state-withheld", "thread-ward-2"}
    missing = {
        key for key in KINDS.values() if day.world.posts[day.id_of(key)].created_at <= day.clock()
    } - keys
    assert missing <= hidden | {"upset-quote-phones"}, "a search or the mentions must find it"


async def test_nearly_every_post_of_the_day_is_found(day: Network, config: Config) -> None:
    day.clock.move(hours=25)
    keys = {day.world.posts[row["id"]].key for row in await mentions(day)}
    for search in config.searches:
        rows = await found(day, search.query)
        while rows:
            keys |= {day.world.posts[row["id"]].key for row in rows}
            rows = await found(day, search.query, until_id=rows[-1]["id"])
    assert len(keys) >= LEAST_POSTS


async def test_posts_arrive_in_the_first_minutes(day: Network, config: Config) -> None:
    query = config.searches[0].query
    before = {row["id"] for row in await found(day, query)} | {r["id"] for r in await mentions(day)}
    day.clock.at += timedelta(minutes=3)
    after = {row["id"] for row in await found(day, query)} | {r["id"] for r in await mentions(day)}
    assert len(after - before) >= 2


def test_the_configuration_shows_every_service_and_several_operators(config: Config) -> None:
    assert len(config.searches) == 7
    assert len(config.operators) >= 3
    assert len(config.templates) >= 6
    assert {account.handle for account in config.accounts} == {"StElsewhere"}
    assert all(
        one.story_link.startswith("https://www.careopinion.org.uk/") for one in config.services
    )
    assert all(one.story_link and one.phone and one.email for one in config.services)


def test_the_shipped_searches_stay_below_the_network_s_limit(config: Config) -> None:
    requests = len(config.searches) * 15 * 60 / config.accounts[0].poll_seconds
    assert requests * 1.1 <= 300, "with a tenth more for the spread between polls"


def test_templates_fill_completely_and_give_nothing_away(config: Config) -> None:
    service = config.services[0]
    names = {
        "first_name": "Guinevere",
        "organisation": config.organisation,
        "signature": config.signature,
        "service": service.name,
        "story_link": service.story_link,
        "page_link": service.page_link,
        "phone": service.phone,
        "email": service.email,
    }
    author = Author("x", "1", "gwen", "Guinevere")
    stranger = Post("x", "2", author, "the wait was long", datetime(2026, 11, 24, tzinfo=UTC))
    ours = (service.phone, service.email)
    for template in config.templates:
        filled = fill(template.text, names)
        assert not filled.missing
        assert not filled.unknown
        assert weighted_length(filled.text) <= 280, template.template_id
        stops = [one for one in check_reply(filled.text, stranger, ours) if one.level == "stop"]
        assert not stops, template.template_id


def test_a_script_with_an_unknown_key_is_refused_by_name() -> None:
    row = {"key": "a", "author": "b", "text": "c", "at": 0, "mood": "sad"}
    with pytest.raises(ScriptError, match=r"post 1 has an unknown key: mood"):
        read_script({"post": [row]})


def test_a_script_whose_post_answers_none_is_refused() -> None:
    found_in_file = tomllib.loads(POSTS.read_text(encoding="utf-8"))
    found_in_file["post"].append(
        {"key": "lost", "author": "b", "text": "c", "at": 0, "reply_to": "nowhere"}
    )
    with pytest.raises(ScriptError, match="'lost' names 'nowhere'"):
        read_script(found_in_file)
