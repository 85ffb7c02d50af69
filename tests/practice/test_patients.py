"""People of the practice network react to answers, the same way for the same seed."""

import random
from collections.abc import AsyncIterator, Sequence

import pytest

from carerespond.practice.patients import (
    _LINES,
    _SCENES,
    PatientReaction,
    react,
    read_answer,
    temper_of,
)
from carerespond.practice.script import Script, load_script
from carerespond.practice.world import Reaction
from tests.practice.support import US, USER, Network, build

KIND = "We are sorry to read this. Please ring 01632 960114 and somebody will listen. Asha"
COLD = "Thank you for your feedback."
INVITING = "Thank you! Tell your story: https://www.careopinion.org.uk/tell/practice-st-elsewhere"
ANSWERS = (KIND, COLD, INVITING, "Sorry.", "Yes, it is open from 8.", "Diolch, mae'n ddrwg gennym.")
LONGEST_WAIT_S = 15 * 60


@pytest.fixture(scope="module")
def script() -> Script:
    return load_script()


@pytest.fixture
async def day(script: Script) -> AsyncIterator[Network]:
    network = build(script=script, react=react)
    yield network
    await network.client.aclose()


def after(key: str, author: str, text: str, seed: int = 1) -> Sequence[PatientReaction]:
    return react(author, key, text, "careopinion.org" in text, random.Random(seed))


async def answer(net: Network, key: str, text: str) -> list[str]:
    """Answer a post over the wire; the texts that its author writes within a quarter of an hour."""
    sent = await net.post(text, net.id_of(key, -1))
    assert sent.status_code == 201, sent.text
    net.clock.move(seconds=LONGEST_WAIT_S)
    rows = (
        await net.get(
            f"/2/users/{US}/mentions",
            headers=USER,
            max_results=100,
            since_id=sent.json()["data"]["id"],
        )
    ).json()
    author = net.world.posts[net.id_of(key)].author.user_id
    return [
        net.world.posts[row["id"]].text
        for row in rows.get("data", [])
        if net.world.posts[row["id"]].author.user_id == author
        and not net.world.posts[row["id"]].key
    ]


def test_the_same_answer_under_the_same_seed_gives_the_same_reactions(script: Script) -> None:
    for post in script.posts:
        for text in ANSWERS:
            first = after(post.key, post.author, text, seed=5)
            assert first == after(post.key, post.author, text, seed=5)


def test_another_seed_gives_other_words_or_delays() -> None:
    days = {repr(after("ask-parking", "ned_carrowby", KIND, seed)) for seed in range(20)}
    assert len(days) > 10


def test_all_reactions_are_ones_that_the_network_carries_out(script: Script) -> None:
    kinds = set()
    for seed, post in enumerate(script.posts):
        for text in ANSWERS:
            reactions: Sequence[Reaction] = after(post.key, post.author, text, seed)
            times = [reaction.after_seconds for reaction in reactions]
            assert times == sorted(times)
            assert all(10 <= at <= LONGEST_WAIT_S for at in times)
            assert all(r.text or r.kind == "delete" for r in reactions)
            kinds |= {reaction.kind for reaction in reactions}
    assert kinds == {"reply", "quote", "delete"}


def test_every_scene_has_its_words_and_its_post(script: Script) -> None:
    keys = {post.key for post in script.posts}
    assert set(_SCENES) <= keys
    assert {mood for scene in _SCENES.values() for mood in scene} - {"delete"} <= set(_LINES)


def test_people_differ(script: Script) -> None:
    assert {temper_of(post.author) for post in script.posts} == {"warm", "plain", "hot", "shy"}
    said = [bool(after(post.key, post.author, KIND)) for post in script.posts if post.at <= 0]
    assert any(said)
    assert not all(said), "some stay silent"


def test_an_answer_is_heard_for_what_it_says() -> None:
    kind = read_answer(KIND, story=False)
    assert (kind.sorry, kind.contact, kind.story) == (True, True, False)
    assert read_answer("Ring 999 or Samaritans on 116 123", story=False).crisis
    assert read_answer("Our records show that you missed it", story=False).exposing
    assert read_answer("Write to pals@stelsewhere.example", story=False).contact
    assert not read_answer(COLD, story=False).contact


@pytest.mark.parametrize(
    ("key", "author", "text", "mood"),
    [
        ("danger-tide", "quietquay_x7", "If you are in danger please ring 999.", "safer"),
        ("danger-tide", "quietquay_x7", COLD, "adrift"),
        ("grief-letter", "joan_pellbrook", KIND, "grief-thanks"),
        ("grief-letter", "joan_pellbrook", INVITING, "grief-link"),
        ("before-2", "alma_rookhope", KIND, "again-phone"),
        ("before-2", "alma_rookhope", COLD, "crosser"),
        ("eye-1", "ted_yarrowick", KIND, "will-ring"),
        ("eye-1", "ted_yarrowick", COLD, "no-sorry"),
        ("ask-parking", "ned_carrowby", "Yes, it is open.", "thanks"),
        ("cy-ask-letter", "gethin_brynisel", "Diolch am ofyn.", "cy-thanks"),
        ("cy-ask-letter", "gethin_brynisel", "Yes, you can.", "cy-please"),
        ("hostile-insult", "anon_egg_88213", KIND, "crosser"),
    ],
)
def test_what_we_say_decides_what_they_do(key: str, author: str, text: str, mood: str) -> None:
    reactions = after(key, author, text)
    assert reactions[0].text in _LINES[mood]


def test_an_invitation_to_somebody_warm_ends_in_a_story() -> None:
    reactions = after("praise-naming", "ruby_castlgt9", INVITING)
    assert reactions[-1].text in _LINES["told"]


def test_an_answer_that_gives_a_patient_away_is_told_off_and_the_post_comes_down() -> None:
    reactions = after("eye-1", "ted_yarrowick", "Our records show your injection was moved. Sorry.")
    assert reactions[0].text in _LINES["exposed"]
    assert [reaction.kind for reaction in reactions] == ["reply", "delete"]


def test_news_and_spam_answer_nobody(script: Script) -> None:
    for post in script.posts:
        if post.key.split("-")[0] in {"news", "promo", "spam", "noise"}:
            assert not after(post.key, post.author, KIND), post.key


async def test_a_patient_answers_over_the_wire_and_names_us(day: Network) -> None:
    texts = await answer(day, "ask-parking", "Yes, it is open again from 7.")
    assert len(texts) == 1
    assert texts[0].startswith("@StElsewhere ")
    assert texts[0].removeprefix("@StElsewhere ") in _LINES["thanks"]


async def test_a_patient_takes_a_post_down_after_a_private_way_was_offered(day: Network) -> None:
    post_id = day.id_of("ask-dm-open")
    texts = await answer(day, "ask-dm-open", KIND)
    assert len(texts) == 1
    gone = (await day.get(f"/2/tweets/{post_id}")).json()
    assert "data" not in gone


async def test_a_patient_who_was_told_of_an_invitation_says_so_later(day: Network) -> None:
    texts = await answer(day, "praise-naming", INVITING)
    assert len(texts) == 2


async def test_somebody_stays_silent(day: Network) -> None:
    assert await answer(day, "ask-wheelchair", "We lend them at the main door.") == []


async def test_the_world_that_ships_has_people_who_react() -> None:
    from carerespond.practice.world import load_world
    from tests.practice.support import Clock

    clock = Clock()
    assert load_world(now=clock).react is react
