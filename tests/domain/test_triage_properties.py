"""What must hold of triage for every post, and for each a planted bug that the check notices."""

import json
import os
import random
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carerespond.config import lexicon_texts, rules_texts
from carerespond.domain.models import Assessment, Post, Priority
from carerespond.domain.rulebook import Rules, read_rules
from carerespond.domain.triage import Context, assess
from tests.domain.support import NOW, author, post, shipped_rules
from tests.domain.test_triage import CONTEXTS, POSTS, PRAISE, SOON_OR_MORE, URGENT, WATCH
from tests.promises.practising import broken_copy

ROOT = Path(__file__).parent.parent.parent
SENTENCES = (*URGENT, *SOON_OR_MORE, *PRAISE, *WATCH)
MILLION = 1_000_000
MINUTES = st.integers(0, 240) | st.integers(0, 100_000)
TARGETS = {pane.label: 60.0 for pane in Priority}
each = settings(deadline=None)  # the machine may be busy; no figure here is a time


@cache
def dangers() -> tuple[str, ...]:
    """Sentences of the rules file that no other words around them may undo."""
    return tuple(
        sentence
        for group in shipped_rules().groups
        if group.is_pin and not group.yields_to_praise and not group.unless.by_key()
        for sentence in group.must_match
    )


def place(one: Assessment) -> tuple[Priority, bool, float]:
    """Where a case stands in the list: the smaller, the sooner."""
    return one.priority, not one.is_pinned, -one.score


# -- risk first ---------------------------------------------------------------------------------


@each
@given(st.data(), POSTS, CONTEXTS, POSTS, CONTEXTS)
def test_a_pinned_post_stands_before_every_other_whatever_is_around_it(
    data: st.DataObject, around: Post, context: Context, other: Post, other_context: Context
) -> None:
    danger = data.draw(st.sampled_from(dangers()))
    risky = replace(around, text=f"{around.text}. {danger}. {around.text}")
    pinned = assess(risky, shipped_rules(), context)
    assert pinned.is_pinned
    assert pinned.priority is Priority.URGENT
    assert not pinned.is_noise
    unpinned = assess(other, shipped_rules(), other_context)
    if not unpinned.is_pinned:
        assert place(pinned) < place(unpinned)
        assert pinned.pressing > unpinned.pressing


@each
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_no_score_however_great_lifts_a_post_over_a_pinned_one(one: float, other: float) -> None:
    pinned = Assessment(Priority.URGENT, one, is_pinned=True)
    assert pinned.pressing > Assessment(Priority.URGENT, other).pressing


# -- waiting and reach --------------------------------------------------------------------------


@each
@given(POSTS, CONTEXTS, st.lists(MINUTES, min_size=2, max_size=6))
def test_waiting_longer_never_lowers_the_score_or_the_pane(
    one: Post, context: Context, minutes: list[int]
) -> None:
    context = replace(context, targets=TARGETS)
    assessed = [
        assess(one, shipped_rules(), replace(context, now=NOW + timedelta(minutes=waited)))
        for waited in sorted(minutes)
    ]
    # A post that spreads is counted by the hour, so that waiting is measured without it.
    scores = [
        sum(reason.points for reason in a.reasons if reason.rule != "context.spreading")
        for a in assessed
    ]
    assert all(late - early > -1e-6 for early, late in pairwise(scores))
    most = shipped_rules().context["waiting_most"]
    assert scores[-1] - scores[0] <= most + 1e-6
    waiting = [reason for a in assessed for reason in a.reasons if reason.rule == "context.waiting"]
    assert all(0 < reason.points <= most for reason in waiting)


@each
@given(POSTS, CONTEXTS, st.lists(st.integers(0, 10**12), min_size=2, max_size=6))
def test_more_followers_never_lower_the_score_nor_add_more_than_the_cap(
    one: Post, context: Context, followers: list[int]
) -> None:
    scores = [
        assess(one, shipped_rules(), replace(context, followers=count)).score
        for count in (0, *sorted(followers))
    ]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] <= shipped_rules().context["reach_most"] + 1e-6


@each
@given(st.data(), POSTS, st.integers(0, 10**12))
def test_twelve_followers_and_a_danger_stand_above_a_million_and_a_queue(
    data: st.DataObject, queue: Post, followers: int
) -> None:
    few = assess(
        post(data.draw(st.sampled_from(dangers())), author=author(followers=12)), shipped_rules()
    )
    many = assess(queue, shipped_rules(), Context(followers=max(followers, MILLION)))
    assert few.priority is Priority.URGENT
    assert many.is_pinned or place(few) < place(many)


# -- the same for the same ----------------------------------------------------------------------


@each
@given(POSTS, CONTEXTS, POSTS)
def test_the_same_post_has_the_same_assessment_whatever_came_between(
    one: Post, context: Context, between: Post
) -> None:
    first = assess(one, shipped_rules(), context)
    assess(between, shipped_rules(), context)
    assert assess(one, shipped_rules(), context) == first
    assert assess(one, rules_read_again(), context) == first


@cache
def rules_read_again() -> Rules:
    return read_rules(rules_texts(), lexicon_texts())


def scored_with_seed(folder: Path, seed: int, code: str | None = None) -> bytes:
    """What the program makes of many texts in a process whose hashes begin at a seed."""
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(SENTENCES)]
    lines += [json.dumps({"id": "all", "text": " ".join(SENTENCES)})]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "carerespond", "triage", "--score", "-", "-"],
        env={
            **os.environ,
            "CARERESPOND_HOME": str(folder / "home"),
            "PYTHONHASHSEED": str(seed),
            "PYTHONPATH": code or str(ROOT),
        },
        input="\n".join(lines).encode(),
        capture_output=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == len(lines)
    return done.stdout


def test_the_same_text_has_the_same_score_and_reasons_in_every_process(tmp_path: Path) -> None:
    assert scored_with_seed(tmp_path, 1) == scored_with_seed(tmp_path, 2)


@pytest.mark.promise
def test_words_in_the_order_of_their_hashes_would_be_noticed(tmp_path: Path) -> None:
    code = broken_copy(
        tmp_path,
        "domain/triage.py",
        ("return list(said.values())", "return [*{*said.values()}]"),
    )
    assert scored_with_seed(tmp_path, 1, code) != scored_with_seed(tmp_path, 2, code)


# -- order has no meaning -----------------------------------------------------------------------


def written(document: Mapping[str, Any]) -> str:
    """A rules file as TOML."""
    parts = []
    for name, value in document.items():
        for table in value if isinstance(value, list) else [value]:
            parts.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            parts += [
                f"{key} = {json.dumps(one, ensure_ascii=False)}" for key, one in table.items()
            ]
    return "\n".join(parts) + "\n"


def shuffled_rules(seed: int) -> Rules:
    """The shipped rules with groups, languages, phrases and files in another order.

    A file may change only a group that an earlier one has, so each stays behind the file whose
    groups it adds to.
    """
    dice = random.Random(seed)
    files = []
    for text, source in rules_texts():
        document = tomllib.loads(text)
        for value in document.values():
            tables = value if isinstance(value, list) else [value]
            dice.shuffle(tables)
            for table in tables:
                for value_of_key in table.values():
                    if isinstance(value_of_key, list):
                        dice.shuffle(value_of_key)
        keys = list(document)
        dice.shuffle(keys)
        files.append((written({key: document[key] for key in keys}), source))
    dice.shuffle(files)
    files.sort(key=lambda one: not one[1].endswith("en.toml"))
    rest = files[1:]
    dice.shuffle(rest)
    return read_rules([files[0], *rest], lexicon_texts())


SHUFFLED = cache(shuffled_rules)


@each
@given(POSTS | st.sampled_from(SENTENCES).map(post), CONTEXTS, st.integers(1, 4))
def test_the_order_of_files_groups_and_phrases_has_no_meaning(
    one: Post, context: Context, seed: int
) -> None:
    assert assess(one, SHUFFLED(seed), context) == assess(one, shipped_rules(), context)


def test_order_has_no_meaning_for_the_sentences() -> None:
    for seed in (1, 2, 3, 4):
        for text in SENTENCES:
            assert assess(post(text), SHUFFLED(seed)) == assess(post(text), shipped_rules()), text


# -- planted bugs -------------------------------------------------------------------------------

HERE = "tests.domain.test_triage_properties"
RUN = """\
import sys
from hypothesis import Phase, settings

settings.register_profile(
    "planted", phases=[Phase.explicit, Phase.generate], database=None, derandomize=True,
    deadline=None, max_examples=200,
)
settings.load_profile("planted")
from importlib import import_module
import carerespond

assert carerespond.__file__.startswith(sys.argv[1]), carerespond.__file__
module, check = sys.argv[2].split(":")
check = getattr(import_module(module), check)
try:
    check()
except (AssertionError, ExceptionGroup) as error:
    print("NOTICED", type(error))
"""


def noticed(code: str, check: str) -> bool:
    """Whether a property fails when it is run against a copy of the program."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, code, check],
        env={**os.environ, "PYTHONPATH": f"{code}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return "NOTICED" in done.stdout


PINNED_FIRST = "test_a_pinned_post_stands_before_every_other_whatever_is_around_it"
REACH = "test_more_followers_never_lower_the_score_nor_add_more_than_the_cap"
WAITING = "test_waiting_longer_never_lowers_the_score_or_the_pane"
ORDER = "test_the_order_of_files_groups_and_phrases_has_no_meaning"
POINTS = "test_points_add_up_and_reasons_stand_strongest_first"
BUGS: dict[str, tuple[str, str, str, str]] = {
    "a pin that only raises the score": (
        *(
            "domain/triage.py",
            "    if strength.is_pinned:\n",
            "    if strength.is_pinned and score > 9:\n",
        ),
        f"{HERE}:{PINNED_FIRST}",
    ),
    "a pin that the next group takes away": (
        "domain/triage.py",
        "strength.is_pinned = strength.is_pinned or group.is_pin",
        "strength.is_pinned = group.is_pin",
        f"{HERE}:{PINNED_FIRST}",
    ),
    "praise that outweighs a pin": (
        "domain/triage.py",
        "    if strength.is_pinned:\n",
        '    if strength.is_pinned and strength.praise < panes["praise"]:\n',
        f"{HERE}:{PINNED_FIRST}",
    ),
    "a score that has no end": (
        "domain/models.py",
        "return (self.is_pinned, -self.priority, self.score)",
        "return (self.score, self.is_pinned, -self.priority)",
        f"{HERE}:test_no_score_however_great_lifts_a_post_over_a_pinned_one",
    ),
    "who is late is forgotten": (
        *(
            "domain/triage.py",
            "share if share <= 1 else 2 * share - 1",
            "share if share <= 1 else 0.5",
        ),
        f"{HERE}:{WAITING}",
    ),
    "waiting without an end": (
        "domain/triage.py",
        'min(rules.context["waiting"] * steep, most)',
        'rules.context["waiting"] * steep',
        f"{HERE}:{WAITING}",
    ),
    "reach without a cap": (
        *("domain/triage.py", 'return min(points, rules.context["reach_most"])', "return points"),
        f"{HERE}:{REACH}",
    ),
    "a cap on who may be heard": (
        "domain/triage.py",
        'return min(points, rules.context["reach_most"])',
        'return points if points < rules.context["reach_most"] else 0.0',
        f"{HERE}:{REACH}",
    ),
    "a million counts more than a danger": (
        "domain/triage.py",
        'return min(points, rules.context["reach_most"])',
        "strength.is_pinned = strength.is_pinned and followers > 50\n    return points",
        f"{HERE}:test_twelve_followers_and_a_danger_stand_above_a_million_and_a_queue",
    ),
    "something remembered from the post before": (
        "domain/triage.py",
        "    words = words_of(post.text)\n"
        "    foreign = _foreign(words, post.lang, rules)\n    found",
        "    words = words_of(vars(rules.index).get('said', '') + post.text)\n"
        "    rules.index.said = post.text[:40]\n"
        "    foreign = _foreign(words, post.lang, rules)\n    found",
        f"{HERE}:test_the_same_post_has_the_same_assessment_whatever_came_between",
    ),
    "the first phrase of a list wins": (
        "domain/phrases.py",
        "sorted(pieces, key=lambda one: (-len(one.source), one.source))",
        "[*dict.fromkeys(_piece(phrase) for phrase in phrases)]",
        f"{HERE}:test_order_has_no_meaning_for_the_sentences",
    ),
    "groups that came first are lost": (
        "domain/rulebook.py",
        "for group_id in sorted(self.groups)",
        "for group_id in list(self.groups)[-20:]",
        f"{HERE}:{ORDER}",
    ),
    "points that are not told": (
        "domain/triage.py",
        "score = round(math.fsum(one.points for one in reasons), 3)",
        "score = round(math.fsum(one.points for one in reasons[:4]), 3)",
        f"tests.domain.test_triage:{POINTS}",
    ),
}


@pytest.mark.promise
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_noticed(tmp_path: Path, bug: str) -> None:
    module, before, after, check = BUGS[bug]
    assert noticed(broken_copy(tmp_path, module, (before, after)), check)


@pytest.mark.promise
def test_the_program_as_it_is_has_no_such_bug(tmp_path: Path) -> None:
    assert not noticed(broken_copy(tmp_path, "domain/words.py"), f"{HERE}:{PINNED_FIRST}")
