"""The team's own rules file: what is added is what was meant, and nothing in it is ever lost."""

import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.config import own_rules
from carerespond.config.own_rules import add_to_own
from carerespond.domain import rule_writing
from carerespond.domain.errors import ConfigError
from carerespond.domain.phrases import words_of
from carerespond.domain.rule_writing import NewRule, free_id, reason_of, suggestions, toml_text
from carerespond.domain.rulebook import load_rules
from carerespond.domain.text import storable
from tests.promises.support import ROOT
from tests.sending import START

pytestmark = pytest.mark.promise

HOSTILE = [
    '"]\n[[group]]\nid = "risk_self_harm"\npin = false\nkind = "sign"\n#',
    '\\"]\npin = true # ',
    "'''\n\"\"\"",
    "\\u0022]",
    "a\r\nb\x00\x7f\x85\u2028\u202e\ud800",
    "\\",
    '"""',
]
TEXTS = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE))
BEFORE = "# ours\n[panes]\nsoon = 1.5\n"


def holds(text: str, phrase: str) -> bool:
    """Whether a rule with these words is one group, and says them and nothing else."""
    rule = NewRule(free_id(phrase, ()), "sign", 0.5, reason_of(text, START) + text, phrase)
    try:
        document = tomllib.loads(BEFORE + rule.text())
    except tomllib.TOMLDecodeError:
        return False
    group = {
        "id": rule.group_id,
        "kind": "sign",
        "weight": 0.5,
        "reason": storable(rule.reason),
        "patterns": [storable(phrase)],
    }
    return document == {"panes": {"soon": 1.5}, "group": [group]}


@given(text=TEXTS, phrase=TEXTS)
def test_no_words_break_out_of_what_is_written(text: str, phrase: str) -> None:
    assert holds(text, phrase)
    assert "\n" not in toml_text(phrase)


@pytest.mark.parametrize(
    "bug",
    [
        lambda character: character,
        lambda character: "\\" + character if character == '"' else character,
    ],
    ids=["nothing is escaped", "a backslash is not escaped"],
)
def test_the_check_notices_words_that_break_out(
    bug: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(holds(one, one) for one in HOSTILE)
    monkeypatch.setattr(rule_writing, "_escaped", bug)
    assert not all(holds(one, one) for one in HOSTILE)


RULES = load_rules(
    '[[group]]\nid="a"\nkind="sign"\nweight=1\nreason="r"\npatterns=["x"]\n', "rules"
)


@given(post=TEXTS, fired=st.lists(TEXTS, max_size=3))
def test_every_phrase_that_is_offered_can_be_a_rule_and_stands_in_the_post(
    post: str, fired: list[str]
) -> None:
    for phrase in suggestions(post, fired, RULES):
        rule = NewRule("team_x", "sign", 1.0, "r", phrase)
        made = load_rules(rule.text(), "rules").groups[0]
        assert made.phrases.occur(words_of(post))


# -- the file ----------------------------------------------------------------------------------


def rule(number: int) -> str:
    return NewRule(f"team_{number}", "sign", 1.0, "r", f"word{number}").text()


def ids(path: Path) -> list[str]:
    return [group["id"] for group in tomllib.loads(path.read_text())["group"]]


WRITER = """\
import sys
from pathlib import Path
from carerespond.config.own_rules import add_to_own
from tests.promises.test_rules_file import rule
for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    add_to_own(Path(sys.argv[1]), lambda text: rule(number), lambda text: None)
    print(number, flush=True)
"""


def writer(path: Path, first: int, count: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(BEFORE)
    running = [writer(path, first, 20) for first in (0, 100, 200)]
    for one in running:
        one.communicate(timeout=120)
        assert one.returncode == 0
    assert path.read_text().startswith(BEFORE)
    assert sorted(ids(path)) == sorted(f"team_{n + m}" for m in (0, 100, 200) for n in range(20))
    assert [one.name for one in tmp_path.iterdir()] == ["rules.toml"]


def lost_without_a_lock(path: Path) -> bool:
    """Two writers of this process, the second between the first's reading and its writing."""

    def make(text: str) -> str:
        other = threading.Thread(target=add_to_own, args=(path, lambda _: rule(2), lambda _: None))
        other.start()
        other.join(1.0)
        waiting.append(other)
        return rule(1)

    waiting: list[threading.Thread] = []
    add_to_own(path, make, lambda _: None)
    for one in waiting:
        one.join()
    return sorted(ids(path)) != ["team_1", "team_2"]


def test_a_second_writer_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a planted bug beside it: the lock that is taken by everybody."""
    assert not lost_without_a_lock(tmp_path / "rules.toml")
    monkeypatch.setattr(own_rules, "_took", lambda handle: True)
    assert lost_without_a_lock(tmp_path / "broken.toml")


def test_a_killed_write_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    seen = 0
    for turn in range(12):
        one = writer(path, turn * 1000, 1000)
        assert one.stdout is not None
        for _ in range(turn + 1):
            one.stdout.readline()
        os.kill(one.pid, signal.SIGKILL)
        told = one.stdout.read().splitlines()
        one.stdout.close()
        one.wait()
        found = ids(path)
        assert len(found) == len(set(found))
        assert path.read_text().startswith(BEFORE)
        assert len(found) >= seen + turn + 1 + len(told), "what was told of is there"
        seen = len(found)
    add_to_own(path, lambda _: rule(999_999), lambda _: None)
    assert [one.name for one in tmp_path.iterdir()] == ["rules.toml"], "no half file is left"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_used_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[group]\n")

    def check(text: str) -> None:
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        add_to_own(path, lambda _: rule(1), check)
    assert path.read_text() == "[[group]\n"


def test_a_link_is_followed(tmp_path: Path) -> None:
    there = tmp_path / "git" / "rules.toml"
    there.parent.mkdir()
    there.write_text(BEFORE)
    path = tmp_path / "rules.toml"
    path.symlink_to(there)
    add_to_own(path, lambda _: rule(1), lambda _: None)
    assert path.is_symlink()
    assert ids(there) == ["team_1"]


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        add_to_own(tmp_path / "none" / "rules.toml", lambda _: rule(1), lambda _: None)
