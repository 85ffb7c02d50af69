"""60 posts of the practice day stand in the pane that a careful duty officer would want.

The panes were written down from reading the posts, before triage was run on them.
"""

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from carerespond import practice
from carerespond.config import Config, load_config
from carerespond.domain.models import Post, Priority
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import Context, assess
from carerespond.practice.script import Script, load_script
from tests.domain.support import author, changed_rules, post, shipped_rules

LABELS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "practice_panes.toml").read_text(encoding="utf-8")
)
CONFIG = Path(practice.__file__).parent / "config.toml"
PANES = {pane.label for pane in Priority}


@cache
def day() -> tuple[Script, Config]:
    return load_script(), load_config(CONFIG)


def as_read(key: str) -> Post:
    """A post of the day as the network connector hands it over."""
    script, _ = day()
    found = next(one for one in script.posts if one.key == key)
    person = next(one for one in script.people if one.handle == found.author)
    return post(
        found.text,
        author=author(handle=person.handle, followers=person.followers),
        lang=found.lang,
        mentions_us="@StElsewhere" in found.text,
        has_link="http" in found.text,
    )


def known() -> Context:
    """What the practice installation knows when a post arrives."""
    _, config = day()
    return Context(service_names=[n for one in config.services for n in (one.name, *one.nicknames)])


def lands(key: str, rules: Rules) -> bool:
    return assess(as_read(key), rules, known()).priority.label in LABELS[key]["panes"]


@pytest.mark.parametrize("key", sorted(LABELS))
def test_a_practice_post_stands_where_a_careful_officer_would_want_it(key: str) -> None:
    found = assess(as_read(key), shipped_rules(), known())
    assert found.priority.label in LABELS[key]["panes"], (LABELS[key]["why"], found)


def test_there_are_60_labels_of_every_kind() -> None:
    assert len(LABELS) == 60
    assert {pane for label in LABELS.values() for pane in label["panes"]} == PANES
    assert all(label["why"] and set(label["panes"]) <= PANES for label in LABELS.values())
    kinds = {key.partition("-")[0] for key in LABELS}
    assert {"danger", "grief", "ask", "upset", "praise", "barb", "cy", "news", "spam"} <= kinds


def _without_pins(text: str) -> str:
    return text.replace("pin = true", "pin = false").replace("weight = 6.0", "weight = 0.2")


def _without_praise(text: str) -> str:
    return text.replace('kind = "praise"', 'kind = "sign"')


def _without_noise(text: str) -> str:
    return text.replace('kind = "noise"', 'kind = "sign"')


def _without_questions(text: str) -> str:
    return text.replace('kind = "question"', 'kind = "noise"')


@pytest.mark.promise
@pytest.mark.parametrize(
    "plant", [_without_pins, _without_praise, _without_noise, _without_questions]
)
def test_the_posts_notice_rules_that_have_lost_a_part(plant: Callable[[str], str]) -> None:
    planted = changed_rules(plant)
    landed = [key for key in LABELS if lands(key, shipped_rules())]
    assert not all(lands(key, planted) for key in landed)
