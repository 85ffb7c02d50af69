"""Runs the measurements that are named, else all: `python -m tests.benchmarks [NAME ...]`."""

import sys
from importlib import import_module

from tests.benchmarks import support

NAMES = ("start", "keys", "search", "busy", "ingest", "resort", "idle", "triage")


def run() -> int:
    """Measure and print; 1 when a goal was missed."""
    given = support.options()
    missed = 0
    for name in given.names or NAMES:
        if name not in NAMES:
            print(f"There is no measurement {name!r}; there are: {', '.join(NAMES)}.")
            return 2
        if not given.json:
            print(f"\n{name}")
        for figure in import_module(f"tests.benchmarks.{name}").measure(given):
            support.show(figure, given)
            missed += not figure.is_met
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(run())
