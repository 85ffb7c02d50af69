"""What the measurements share: the programs compared, the data, and how figures are told."""

import argparse
import json
import re
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.benchmarks.data import make_home
from tests.benchmarks.probe import Probe, Screen

MANY, VERY_MANY = 100_000, 1_000_000
ROWS = 30
_PERSON = re.compile(r"@[a-z]+_[a-z]+[\d\u2026]")  # cut in a narrow column


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its goal; `goal` 0 when there is none."""

    what: str
    value: float
    unit: str
    goal: float = 0.0
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether it is within its goal; speeds have theirs as a floor."""
        if not self.goal:
            return True
        return self.value >= self.goal if self.unit.startswith(">=") else self.value <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.unit.startswith(">=") else "<="
        unit = self.unit.removeprefix(">=")
        goal = f"{sign} {self.goal:g} {unit}" if self.goal else "-"
        mark = "" if self.is_met else "MISSED"
        return f"{self.what:<58} {self.value:>10.4g} {unit:<6} {goal:<14} {mark:<7}{self.note}"


Measure = Callable[[argparse.Namespace], Sequence[Figure]]


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What every measurement may be told."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", help="which measurements; all when none is named")
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "carerespond-bench"
    )
    parser.add_argument("--runs", type=int, default=9, help="runs of each program")
    parser.add_argument("--seconds", type=float, default=60, help="how long idling is watched")
    parser.add_argument("--quick", action="store_true", help="leave the million posts out")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    return parser.parse_args(arguments)


def tell(measure: Measure, arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    given = options(arguments)
    for figure in measure(given):
        show(figure, given)


def show(figure: Figure, given: argparse.Namespace) -> None:
    """Print one figure."""
    if given.json:
        record = {
            "what": figure.what,
            "value": figure.value,
            "unit": figure.unit,
            "goal": figure.goal,
        }
        print(json.dumps(record), flush=True)
    else:
        print(figure, flush=True)


def home(given: argparse.Namespace, count: int = MANY, base_url: str | None = None) -> Path:
    """An installation with so many posts."""
    folder: Path = given.data
    return make_home(folder, count, base_url) if base_url else make_home(folder, count)


def has_rows(screen: Screen) -> bool:
    """Whether at least 30 real rows are on the screen."""
    return sum(bool(_PERSON.search(row)) for row in screen.display) >= ROWS


def real(folder: Path, *arguments: str, lean: bool = False) -> Probe:
    """The program as a person starts it."""
    module = "tests.benchmarks.lean" if lean else "carerespond"
    return Probe(
        [sys.executable, "-m", module, *arguments],
        {"CARERESPOND_HOME": str(folder), "USER": "asha"},
    )


def floor(folder: Path) -> Probe:
    """The anchor on the same database."""
    return Probe([sys.executable, "-m", "tests.benchmarks.floor", str(folder / "carerespond.db")])


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def high(values: Sequence[float], share: float = 0.95) -> float:
    """The value that so great a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Quiet(BaseHTTPRequestHandler):
    """A network on which nobody says anything.

    A fake: it answers every question for posts with an empty page, in the form of X's own answer,
    and refuses everything else as X does.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name that http.server looks for
        path = self.path.partition("?")[0]
        known = path.startswith("/2/") and path.rpartition("/")[2] in (
            "recent",
            "mentions",
            "tweets",
        )
        body = b'{"meta":{"result_count":0}}' if known else b'{"title":"Not Found","status":404}'
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def quiet_network() -> Iterator[str]:
    """A network on this machine that never has anything new; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
