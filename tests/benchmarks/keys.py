"""Keys: a cursor move with and without the preview, a hundred downs, a page, beside the anchor."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import support
from tests.benchmarks.probe import Probe, Reading
from tests.benchmarks.support import Figure, high, middle

DOWNS = 20  # moves of one round: no edge is reached, so that a move is a move
MANY_DOWNS = 100
DOWN, UP, PAGE = "j", "k", "\x06"


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Move in each program in turn."""
    folder = support.home(given)
    with (
        support.floor(folder) as floor,
        support.real(folder, "--look", lean=True) as lean,
        support.real(folder, "--look") as real,
    ):
        programs = {"floor": floor, "lean": lean, "real": real}
        for probe in programs.values():
            probe.wait(support.has_rows)
            probe.settle(1.5)
            _rest(probe)
        moves: dict[str, list[Reading]] = {name: [] for name in programs}
        for _ in range(max(3, given.runs // 2)):
            for name, probe in programs.items():
                moves[name] += [probe.key(DOWN) for _ in range(DOWNS)]
                moves[name] += [probe.key(UP) for _ in range(DOWNS)]
        pages = {name: [probe.key(PAGE) for _ in range(12)] for name, probe in programs.items()}
    downs = {name: _mean_of_downs(folder, name) for name in ("floor", "lean", "real")}
    return [*_moves(moves), *_downs(downs), *_pages(pages)]


def _rest(probe: Probe) -> None:
    for key in (DOWN, UP, DOWN):
        probe.key(key)


def _moves(moves: dict[str, list[Reading]]) -> Sequence[Figure]:
    ms = {name: [one.ms for one in found] for name, found in moves.items()}
    size = {name: middle([one.size for one in found]) for name, found in moves.items()}
    return [
        Figure("move, the bare list, p50", middle(ms["floor"]), "ms"),
        Figure("move, the bare list, p95", high(ms["floor"]), "ms"),
        Figure("move, p50", middle(ms["lean"]), "ms"),
        Figure("move, p50 of the bare list's", middle(ms["lean"]) / middle(ms["floor"]), "x", 2.5),
        Figure("move, p95", high(ms["lean"]), "ms"),
        Figure("move beside the preview, p50", middle(ms["real"]), "ms"),
        Figure("move beside the preview, p95", high(ms["real"]), "ms"),
        Figure("bytes of a move, the bare list", size["floor"], "B"),
        Figure("bytes of a move", size["lean"], "B", 400),
        Figure("bytes of a move and its preview", size["real"], "B", 2000),
    ]


def _mean_of_downs(folder: Path, name: str) -> float:
    """Bytes of a hundred downs from the top, edges included, by the number of downs."""
    with _open(folder, name) as probe:
        probe.wait(support.has_rows)
        probe.settle(1.5)
        before = probe.size
        for _ in range(MANY_DOWNS):
            probe.key(DOWN)
        return (probe.size - before) / MANY_DOWNS


def _open(folder: Path, name: str) -> Probe:
    if name == "floor":
        return support.floor(folder)
    return support.real(folder, "--look", lean=name == "lean")


def _downs(downs: dict[str, float]) -> Sequence[Figure]:
    return [
        Figure("bytes of a down, mean of 100, the bare list", downs["floor"], "B"),
        Figure("bytes of a down, mean of 100", downs["lean"], "B"),
        Figure("bytes of a down, of the bare list's", downs["lean"] / downs["floor"], "x", 1.0),
        Figure("bytes of a down with its preview, mean of 100", downs["real"], "B"),
    ]


def _pages(pages: dict[str, list[Reading]]) -> Sequence[Figure]:
    return [
        Figure("page, the bare list, p50", middle([one.ms for one in pages["floor"]]), "ms"),
        Figure("page, p50", middle([one.ms for one in pages["lean"]]), "ms"),
        Figure("bytes of a page, the bare list", middle([one.size for one in pages["floor"]]), "B"),
        Figure("bytes of a page", middle([one.size for one in pages["lean"]]), "B", 9000),
        Figure(
            "bytes of a page with its preview", middle([one.size for one in pages["real"]]), "B"
        ),
    ]


if __name__ == "__main__":
    support.tell(measure)
