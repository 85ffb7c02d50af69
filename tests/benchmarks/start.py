"""Cold start to 30 rows, its CPU time and memory, beside the anchor; also with a million posts."""

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import support
from tests.benchmarks.probe import Probe
from tests.benchmarks.support import Figure, middle


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Start each program in turn."""
    many = support.home(given)
    very_many = many if given.quick else support.home(given, support.VERY_MANY)
    names = ["floor", "real", "real 1M"]
    first: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in [*names, "import"]}
    rss: dict[str, list[float]] = {name: [] for name in names}
    for run in range(given.runs + 1):
        for name in names:
            with _open(name, many, very_many) as probe:
                ms = probe.wait(support.has_rows)
                used = probe.usage().cpu_s
                probe.settle(1.0)
                memory = probe.usage().rss_mb
            if run:  # the first one warms the page cache
                first[name].append(ms)
                cpu[name].append(used)
                rss[name].append(memory)
        cpu["import"].append(_import_cpu())
    return _figures(first, cpu, rss, quick=given.quick)


def _figures(
    first: dict[str, list[float]],
    cpu: dict[str, list[float]],
    rss: dict[str, list[float]],
    *,
    quick: bool,
) -> Sequence[Figure]:
    floor, real, most = (middle(first[name]) for name in ("floor", "real", "real 1M"))
    imported = middle(cpu["import"])
    figures = [
        Figure("start to 30 rows, the bare list", floor, "ms"),
        Figure("start to 30 rows", real, "ms"),
        Figure("start to 30 rows, of the bare list's", real / floor, "x", 1.6),
        Figure("CPU of `import textual.app`", imported, "s"),
        Figure("CPU of the start to 30 rows", middle(cpu["real"]), "s"),
        Figure("CPU of the start, of the import's", middle(cpu["real"]) / imported, "x", 1.8),
        Figure("memory of the bare list", middle(rss["floor"]), "MB"),
        Figure("memory, everything running", middle(rss["real"]), "MB", 69),
    ]
    if quick:
        return figures
    return [
        *figures,
        Figure("start to 30 rows with 1M posts, of 100k's", most / real, "x", 1.25),
        Figure(
            "memory with 1M posts, of 100k's",
            middle(rss["real 1M"]) / middle(rss["real"]),
            "x",
            1.1,
        ),
    ]


def _open(name: str, many: Path, very_many: Path) -> Probe:
    if name == "floor":
        return support.floor(many)
    return support.real(many if name == "real" else very_many)


def _import_cpu() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    support.tell(measure)
