import re

import pytest

from carerespond.domain.errors import ConfigError
from carerespond.domain.rulebook import load_rules

GOOD = """
[panes]
urgent = 5.0

[[group]]
id = "wait"
kind = "complaint"
weight = 1.0
reason = "a long wait"
patterns = [
  "so long",
  "# hours",
]

[[group]]
id = "thanks"
kind = "praise"
weight = 1.0
reason = "thanks"
patterns = ["thank*"]
"""


def test_groups_are_read_and_what_is_unsaid_has_its_default() -> None:
    rules = load_rules(GOOD, "rules.toml")
    assert [group.group_id for group in rules.groups] == ["thanks", "wait"]
    assert rules.panes["urgent"] == 5.0
    assert rules.panes["today"] == 3.0
    assert rules.groups[1].cap == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("urgent = 5.0", "urgent = 0.5", 2, "must fall"),
        ("urgent = 5.0", "urgnet = 5.0", 3, "Did you mean 'urgent'"),
        ("urgent = 5.0", 'urgent = "five"', 3, "urgent is not a number"),
        (
            'weight = 1.0\nreason = "a long',
            'weight = -1\nreason = "a long',
            8,
            "group wait: weight is not",
        ),
        ('kind = "complaint"', 'kind = "moan"', 7, "group wait: kind is not one of"),
        ('reason = "a long wait"\n', "", 5, "group wait: it has no reason"),
        ('"# hours"', '"(hours"', 12, "group wait: patterns: '(hours': its brackets"),
        ('"# hours"', '"(a+)+$"', 12, "group wait: patterns"),
        ('"# hours"', "7", 10, "group wait: patterns is not a list of texts"),
        ('id = "thanks"', 'id = "wait"', 16, "group wait: there are two"),
        ('kind = "praise"', 'kind = "praise"\npinn = true', 18, "group thanks: unknown key 'pinn'"),
        (
            'kind = "praise"',
            'kind = "praise"\npin = "yes"',
            18,
            "group thanks: pin is not true or false",
        ),
        (
            'kind = "praise"',
            'kind = "praise"\nnot = ["thank* ...", "*"]',
            18,
            "group thanks: not: '*'",
        ),
        ('id = "wait"', "id = wait", 6, "not valid TOML"),
        ("[panes]", "[pains]", 2, "unknown key 'pains'. Did you mean 'panes'"),
    ],
)
def test_a_mistake_names_the_file_the_line_and_the_group(
    old: str, new: str, line: int, problem: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_rules(GOOD.replace(old, new, 1), "team/rules.toml")
    said = str(caught.value)
    assert said.startswith("team/rules.toml")
    assert problem in said
    assert re.search(rf"line {line}\b", said)


def test_a_file_without_groups_is_refused() -> None:
    with pytest.raises(ConfigError, match="no groups"):
        load_rules("[panes]\nurgent = 9.0\n", "empty.toml")
