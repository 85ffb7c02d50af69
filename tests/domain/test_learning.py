"""Learning from the team: always the same, never before there is enough, never against a danger."""

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_loader
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carerespond.domain import triage
from carerespond.domain.learning import (
    LONGEST_WORD,
    MOST_NGRAMS,
    MOST_WORDS,
    Decision,
    Features,
    Learned,
    features,
    learn,
    points_of,
    read_learned,
    strongest,
    write_learned,
)
from carerespond.domain.models import Assessment, Post, Priority
from carerespond.domain.phrases import words_of
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import Context, features_of
from tests.domain.support import post, shipped_rules

SETTINGS = {"weight": 2.5, "from": 50.0, "half": 300.0}
SUBJECTS = ("the ward", "reception", "the scan", "my mum", "the chemist", "the night nurse")
SOONER = ("lift is broken", "no hoist again", "locked out of the garden")
LATER = ("parking is dear", "the radio was loud", "tea was cold")


@cache
def decisions(count: int = 120, seed: int = 7) -> tuple[Decision, ...]:
    """What a team might have moved: the lift and the hoist sooner, parking and tea later."""
    mixed = random.Random(seed)
    made = []
    for number in range(count):
        is_sooner = number % 3 == 0
        text = f"{mixed.choice(SUBJECTS)}, {mixed.choice(SOONER if is_sooner else LATER)}"
        made.append(Decision(features_of(post(text), shipped_rules()), is_sooner))
    return tuple(made)


@cache
def taught() -> Learned:
    return learn(decisions())


def judge(text: str, learned: Learned | None) -> Assessment:
    return triage.assess(post(text), shipped_rules(), Context(), learned)


def learned_of(found: Assessment) -> float:
    return sum(one.points for one in found.reasons if one.rule == "learned")


# -- what it does -------------------------------------------------------------------------------


def test_what_the_team_raises_comes_sooner_and_what_it_lowers_later() -> None:
    for text, sign in (("the lift is broken", 1), ("parking is dear", -1)):
        before, after = judge(text, None), judge(text, taught())
        assert sign * (after.score - before.score) > 0.1
        assert after.score == round(sum(one.points for one in after.reasons), 3)
        reason = next(one for one in after.reasons if one.rule == "learned")
        assert reason.text == "learned from 120 decisions of your team"
        assert reason.words
        assert all(word in text for word in reason.words), reason.words


def test_words_are_shown_as_they_stand_in_the_post() -> None:
    found = judge("The LIFT is   broken!!", taught())
    reason = next(one for one in found.reasons if one.rule == "learned")
    assert "LIFT" in reason.words or "LIFT is" in reason.words
    hostile = judge("the [bold]lift\x1b[31m is broken", taught())
    assert "\x1b" not in "".join(word for one in hostile.reasons for word in one.words)


def test_a_post_of_which_nothing_is_known_gets_no_points() -> None:
    assert learned_of(judge("zxq vvw qqj", taught())) == 0
    assert points_of(taught(), Features({}, ()), SETTINGS) == (0.0, ())


def test_more_decisions_weigh_more_and_never_more_than_the_rules_allow() -> None:
    post_ = features_of(post("the lift is broken"), shipped_rules())
    few = points_of(learn(decisions(60)), post_, SETTINGS)[0]
    many = points_of(learn(decisions(600)), post_, SETTINGS)[0]
    assert 0 < few < many <= 3 * SETTINGS["weight"]
    assert points_of(taught(), post_, {**SETTINGS, "weight": 0.0})[0] == 0


@pytest.mark.parametrize("count", [2, 30, 49])
def test_it_is_off_below_fifty_decisions(count: int) -> None:
    learned = learn(decisions()[:count])
    for text in ("the lift is broken", "parking is dear"):
        assert judge(text, learned) == judge(text, None)
    enough = learn(decisions()[:50])
    assert judge("the lift is broken", enough) != judge("the lift is broken", None)


def test_it_is_off_while_nearly_all_decisions_are_of_one_kind() -> None:
    later = [one for one in decisions(300) if not one.is_sooner]
    sooner = [one for one in decisions(300) if one.is_sooner]
    one_sided = learn([*later[:150], *sooner[:4]])
    assert judge("the lift is broken", one_sided) == judge("the lift is broken", None)
    with pytest.raises(ValueError, match="one kind"):
        learn(later)


def test_posts_that_are_all_alike_do_not_stand_out() -> None:
    same = features_of(post("the lift is broken"), shipped_rules())
    learned = learn(decisions(), [same] * 200)
    assert points_of(learned, same, SETTINGS)[0] == 0


def test_points_are_levelled_by_what_comes_in() -> None:
    """A team that mostly lowers must not thereby lower everything."""
    recent = [one.features for one in decisions(400, seed=3)]
    learned = learn(decisions(), recent)
    points = [points_of(learned, one, SETTINGS)[0] for one in recent]
    assert abs(math.fsum(points) / len(points)) < 0.05


# -- always the same ----------------------------------------------------------------------------

_ELSEWHERE = """
from tests.domain.test_learning import decisions
from carerespond.domain.learning import learn, write_learned
print(write_learned(learn(decisions())))
"""


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_same_decisions_give_the_same_bit_for_bit_in_any_process(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.decode().rstrip("\n") == write_learned(taught())


def test_others_get_their_turn_while_it_learns() -> None:
    turns = []
    learn(decisions(), (), lambda: turns.append(1))
    assert len(turns) > 12 * len(decisions()) / 50


# -- what strangers write -----------------------------------------------------------------------


def test_a_post_counts_by_its_first_words_and_by_no_monster() -> None:
    long = features({"wait": 99}, words_of("one " * 50_000))
    assert long == Features({"wait": 3}, ("one", "one one"))
    many = features({}, words_of(" ".join(f"w{number}" for number in range(9_000))))
    assert len(many.ngrams) <= 2 * MOST_WORDS
    monster = "xyz" * LONGEST_WORD
    assert features({}, words_of(f"so {monster} loud")).ngrams == ("so", "loud")


def test_pairs_do_not_cross_the_end_of_a_sentence() -> None:
    assert "cold nobody" not in features({}, words_of("It was cold. Nobody came")).ngrams


def test_words_of_one_post_alone_are_not_learned() -> None:
    rare = Decision(features({}, words_of("zanzibar")), is_sooner=True)
    assert "zanzibar" not in learn([*decisions(), rare]).words


def test_what_is_stored_stays_below_two_megabytes() -> None:
    """However hard somebody tries: the longest words of the widest letters."""
    wide = [f"{number:05}" + "\U0001f9ff" * (LONGEST_WORD - 5) for number in range(8_000)]
    posts = [tuple(f"{one} {two}" for one, two in pairwise(wide))] * 2
    made = [Decision(Features({}, ngrams), bool(number)) for number, ngrams in enumerate(posts)]
    learned = learn(made)
    assert len(learned.words) == MOST_NGRAMS
    assert len(write_learned(learned).encode()) < 2_000_000


# -- as text ------------------------------------------------------------------------------------


def test_what_was_written_is_read_back_to_the_same_bit() -> None:
    assert read_learned(write_learned(taught())) == taught()


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("bias"),
        lambda values: values.update(spread=0),
        lambda values: values.update(spread=-1.0),
        lambda values: values.update(mean=float("nan")),
        lambda values: values.update(words={"a": "b"}),
        lambda values: values.update(groups=[1]),
        lambda values: values.update(decisions="many"),
        lambda values: values.update(words={"a": float("inf")}),
        lambda values: values.update(words={"a": 1e300}),
        lambda values: values.update(spread=1e-300),
        lambda values: values.update(bias=10**400),
    ],
)
def test_anything_else_is_nothing(change: Callable[[dict[str, object]], object]) -> None:
    values = json.loads(write_learned(taught()))
    change(values)
    assert read_learned(json.dumps(values)) is None


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert read_learned(text) is None or text.startswith("{")


def test_the_strongest_words_stand_first() -> None:
    sooner = strongest(taught(), 5, sooner=True)
    assert [weight for _, weight in sooner] == sorted((w for _, w in sooner), reverse=True)
    assert {"lift", "hoist", "locked"} & {word for word, _ in sooner}
    assert all(weight < 0 for _, weight in strongest(taught(), 5, sooner=False))


# -- never against a danger ---------------------------------------------------------------------

PINNED = (
    "I want to die",
    "chest pain since 4am, should I go to A&E?",
    "a carer slapped my nan at the home",
    "they've given my son someone else's tablets",
)
NOISE = (
    "We're hiring! Staff nurse, apply now https://jobs.example/1",
    "Use code SMILE for a discount on whitening, link in bio",
    "Hospital trust publishes annual report https://news.example/a",
)
PRAISE = ("Thank you to everyone on ward 7, amazing care", "the chemo nurses are angels")
Assess = Callable[[Post, Rules, Context, Learned | None], Assessment]


def some_learned(seed: int, strength: float) -> Learned:
    """What a team might have taught that cares for nothing of what the rules say."""
    mixed = random.Random(seed)
    ngrams = {n for text in (*PINNED, *NOISE, *PRAISE) for n in features({}, words_of(text)).ngrams}
    return Learned(
        groups={group.group_id: mixed.gauss(0, strength) for group in shipped_rules().groups},
        words={ngram: mixed.gauss(0, strength) for ngram in sorted(ngrams)},
        bias=mixed.gauss(0, strength),
        mean=mixed.gauss(0, strength),
        spread=0.1,
        decisions=100_000,
        sooner=50_000,
    )


def check_dangers_stay(assess: Assess, seed: int, strength: float) -> None:
    learned = some_learned(seed, strength)
    for text in (*PINNED, *NOISE, *PRAISE):
        before = assess(post(text), shipped_rules(), Context(), None)
        after = assess(post(text), shipped_rules(), Context(), learned)
        assert after.is_pinned == before.is_pinned
        assert after.label == before.label
        if text in PINNED:
            assert after.priority == Priority.URGENT
            assert after.reasons[0].rule.startswith("risk")
        elif text in NOISE:
            assert after.priority == before.priority == Priority.WATCH
        else:
            assert after.priority == before.priority == Priority.PRAISE


@pytest.mark.promise
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.floats(0.01, 100.0))
def test_no_decision_moves_a_danger_out_of_urgent_or_makes_or_undoes_noise(
    seed: int, strength: float
) -> None:
    check_dangers_stay(triage.assess, seed, strength)


def broken(old: str, new: str) -> Assess:
    """Triage with one line changed: a planted bug."""
    text = Path(triage.__file__).read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    spec = spec_from_loader("broken_triage", loader=None)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    exec(compile(text.replace(old, new), "broken_triage", "exec"), vars(module))
    found: Assess = module.assess
    return found


@pytest.mark.promise
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "    if strength.is_pinned:\n        return Priority.URGENT\n",
            "    if strength.is_pinned and score > 0:\n        return Priority.URGENT\n",
        ),
        (
            "    if _is_noise(post, strength, rules, context):\n",
            "    if score < 3 and _is_noise(post, strength, rules, context):\n",
        ),
        (
            "    strength.words = math.fsum(one.points for one in reasons)\n",
            "    if learned is not None:\n        strength.noise -= learned.bias\n"
            "    strength.words = math.fsum(one.points for one in reasons)\n",
        ),
        (
            '    if strength.praise < panes["praise"]:\n',
            '    if strength.praise < panes["praise"] or score > 5:\n',
        ),
    ],
    ids=["a pin yields to the score", "noise yields", "noise is learned", "praise yields"],
)
def test_a_bug_that_lets_it_would_be_noticed(old: str, new: str) -> None:
    wrong = broken(old, new)

    def check() -> None:
        for seed in range(40):
            check_dangers_stay(wrong, seed, 10.0)

    with pytest.raises(AssertionError):
        check()
