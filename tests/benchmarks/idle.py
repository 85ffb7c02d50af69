"""Doing nothing: bytes, wake-ups and CPU while the program listens and nobody touches it."""

import argparse
import sys
from collections.abc import Sequence

from tests.benchmarks import support
from tests.benchmarks.probe import Probe
from tests.benchmarks.support import Figure

SETTLE = 6.0  # seconds: the first round of listening is over
REPLY = "r"


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Watch the bare list, the inbox, and the composer with its cursor in the text."""
    figures: list[Figure] = []
    with support.quiet_network() as address:
        folder = support.home(given, base_url=address)
        with support.floor(folder) as probe:
            probe.wait(support.has_rows)
            figures += _figures("the bare list", probe, given.seconds, are_goals=False)
        with support.real(folder) as probe:
            probe.wait(support.has_rows)
            probe.settle(SETTLE, SETTLE)
            figures += _figures("the inbox", probe, given.seconds)
            probe.key(REPLY)
            probe.send("We are sorry to read this")
            probe.settle(3, SETTLE)
            figures += _figures("the composer", probe, given.seconds)
            if "We are sorry" not in "".join(probe.screen.display):
                print("the composer is not open:", *probe.screen.display, sep="\n", file=sys.stderr)
    return figures


def _figures(
    where: str, probe: Probe, seconds: float, *, are_goals: bool = True
) -> Sequence[Figure]:
    size, wakes, cpu = probe.idle(seconds)
    goals = (1e-9, 4.0, 0.5) if are_goals else (0.0, 0.0, 0.0)
    return [
        Figure(f"idle, {where}: written", size, "B/s", goals[0]),
        Figure(f"idle, {where}: wake-ups", wakes, "/s", goals[1]),
        Figure(f"idle, {where}: CPU", cpu, "%", goals[2]),
    ]


if __name__ == "__main__":
    support.tell(measure)
