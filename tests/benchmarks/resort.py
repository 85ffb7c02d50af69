"""A rule is edited: from the saved file to the new order on the screen, and keys meanwhile."""

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks import support
from tests.benchmarks.probe import Probe, Screen
from tests.benchmarks.support import Figure, high, middle

CASES = 2_200  # posts, of which a tenth join the case before: some 2,000 open cases
DOWN, UP = "j", "k"
RULE = """\
[[group]]
id = "team_{number}"
kind = "complaint"
weight = 9.0
reason = "edit {number}"
patterns = ["{words}"]
"""
# Each begins a sixteenth of all posts; edited in turn, each brings others to the top.
WORDS = ("new mural", "volunteers in", "parking for")
_URGENT = re.compile(r"URGENT (\d+)")


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Save a rule again and again, beside nothing else and while keys are pressed."""
    first: list[float] = []
    whole: list[float] = []
    keys: list[float] = []
    quiet: list[float] = []
    with tempfile.TemporaryDirectory(prefix="carerespond-bench-") as folder:
        home = Path(shutil.copytree(support.home(given, CASES), Path(folder) / "home"))
        with support.real(home) as probe:
            probe.wait(support.has_rows)
            probe.settle(3)
            urgent = {words: _settled(probe, home, words) for words in WORDS}
            for number in range(given.runs):
                words = WORDS[number % len(WORDS)]
                at = _edit(home, number, words)
                first.append(probe.wait(partial(_stands_first, words), since=at, timeout=20))
                is_whole = partial(_has_urgent, urgent[words])
                is_whole_now = is_whole(probe.screen)
                whole.append(
                    first[-1] if is_whole_now else probe.wait(is_whole, since=at, timeout=20)
                )
                probe.settle(1)
            for number in range(given.runs):
                quiet += _keys(probe, time.perf_counter() + 1)
                _edit(home, number, WORDS[(number + 1) % len(WORDS)])
                keys += _keys(probe, time.perf_counter() + 1)
                probe.settle(1)
    what = "a rule edited, 2,000 open cases"
    return [
        Figure(f"{what}, first rows, p50", middle(first), "ms", 1000),
        Figure(f"{what}, every case, p50", middle(whole), "ms", 1000),
        Figure(f"{what}, every case, p95", high(whole), "ms", 1000),
        Figure("move in quiet, p95", high(quiet), "ms"),
        Figure("move while cases are placed anew, p95", high(keys), "ms", 100),
    ]


def _settled(probe: Probe, home: Path, words: str) -> int:
    """How many cases are urgent once the rule names these words."""
    _edit(home, 0, words)
    probe.wait(partial(_stands_first, words), timeout=20)
    probe.settle(1.5)
    found = _URGENT.search(probe.screen.display[1])
    assert found is not None
    return int(found[1])


def _edit(home: Path, number: int, words: str) -> float:
    """Save the rules as an editor does, beside and then in their place; when."""
    new = home / "rules.toml.new"
    new.write_text(RULE.format(number=number, words=words))
    at = time.perf_counter()
    new.replace(home / "rules.toml")
    return at


def _stands_first(words: str, screen: Screen) -> bool:
    """Whether what the rule names has come to the top of the list."""
    rows = [row for row in screen.display[3:] if "@" in row[:40]][:30]
    return sum(words in row.lower() for row in rows) > len(rows) // 2 > 0


def _has_urgent(count: int, screen: Screen) -> bool:
    found = _URGENT.search(screen.display[1])
    return found is not None and int(found[1]) == count


def _keys(probe: Probe, until: float) -> list[float]:
    found = []
    while time.perf_counter() < until:
        found += [probe.key(DOWN).ms, probe.key(UP).ms]
    return found


if __name__ == "__main__":
    support.tell(measure)
