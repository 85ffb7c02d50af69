"""Full-text search over every stored post: from the last key to the results on the screen."""

import argparse
from collections.abc import Sequence

from tests.benchmarks import support
from tests.benchmarks.data import RARE
from tests.benchmarks.support import Figure, high, middle

WORDS = {"rare": RARE, "common": "eye clinic", "unfinished": RARE[:5]}
SEARCH, CLEAR, ENTER, BACK = "F", "\x15", "\r", "q"


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Search for some words, again and again."""
    found: dict[str, list[float]] = {name: [] for name in WORDS}
    with support.real(support.home(given), "--look") as probe:
        probe.wait(support.has_rows)
        probe.settle(1.5)
        for _ in range(given.runs):
            for name, words in WORDS.items():
                probe.key(SEARCH)
                probe.send(CLEAR)  # what was asked last is there to be changed
                probe.settle()
                probe.key(words)
                results = f"search: {words}"
                ms = probe.key(
                    ENTER,
                    lambda screen, results=results: (  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
                        any(results in row for row in screen.display[:3])
                        and support.has_rows(screen)
                    ),
                ).ms
                found[name].append(ms)
                probe.key(BACK)
    return [
        figure
        for name, times in found.items()
        for figure in (
            Figure(f"search, {name} words, key to results, p50", middle(times), "ms", 75),
            Figure(f"search, {name} words, key to results, p95", high(times), "ms"),
        )
    ]


if __name__ == "__main__":
    support.tell(measure)
