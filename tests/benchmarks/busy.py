"""Keys while a thousand posts a second stream in from another process, beside quiet.

python -m tests.benchmarks.busy HOME RATE SECONDS     only the stream
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from carerespond.services.assessing import look_back
from carerespond.storage import posts
from carerespond.storage.database import Transaction
from carerespond.storage.sqlite import open_database
from tests.benchmarks import support
from tests.benchmarks.data import made_assessor, make_post
from tests.benchmarks.probe import Probe
from tests.benchmarks.support import Figure, high, middle

RATE, BATCH = 1_000, 100
SEARCHES = 20
FIRST = 5_000_000  # the number of the first streamed post: no other has it
MOVES = 150
DOWN, UP = "j", "k"


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """Move in quiet and under the stream, in turn, on a copy of the data."""
    quiet: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory(prefix="carerespond-bench-") as folder:
        home = Path(shutil.copytree(support.home(given), Path(folder) / "home"))
        with support.real(home) as probe:
            probe.wait(support.has_rows)
            probe.settle(2)
            for turn in range(max(2, given.runs // 3)):
                quiet += _moves(probe)
                argv = [sys.executable, "-m", "tests.benchmarks.busy", str(home), str(RATE), "60"]
                stream = subprocess.Popen([*argv, str(turn)], stdout=subprocess.PIPE)
                try:
                    begun(stream)
                    busy += _moves(probe)
                finally:
                    stream.kill()
                    stream.wait()
                probe.settle(1)
    return [
        Figure("move in quiet, p50", middle(quiet), "ms"),
        Figure("move in quiet, p95", high(quiet), "ms"),
        Figure(f"move at {RATE} posts/s, p50", middle(busy), "ms"),
        Figure(f"move at {RATE} posts/s, p95", high(busy), "ms"),
        Figure(f"move at {RATE} posts/s, p95 of quiet's", high(busy) / high(quiet), "x", 1.5),
    ]


def begun(stream: "subprocess.Popen[bytes]") -> None:
    """Wait until posts are coming."""
    assert stream.stdout is not None
    with stream.stdout as output:
        output.readline()


def _moves(probe: Probe) -> list[float]:
    """How long until the cursor has moved; what else changes on the screen does not count."""
    times: list[float] = []
    for number in range(MOVES):
        row = _cursor(probe)
        key = DOWN if number // 10 % 2 == 0 else UP
        at = probe.send(key)
        times.append(
            probe.wait(lambda _, row=row: _cursor(probe) not in (row, -1), since=at, timeout=10)  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
        )
        probe.settle(0.03, 0.05)
    return times


def _cursor(probe: Probe) -> int:
    """The row of the screen that the cursor is on; -1 while there is none."""
    rows = [y for y, text in enumerate(probe.screen.display) if text.startswith(">")]
    return rows[0] if rows else -1


def stream(home: Path, rate: int, seconds: float, turn: int) -> None:
    """Assess and store posts at a steady pace, as a listener in another terminal would.

    Each page is of one of twenty saved searches, and every post goes through all rules.
    """
    database = open_database(home / "carerespond.db")
    assess = made_assessor()
    first = FIRST + turn * 100_000
    made = [
        [make_post(number, datetime.now(UTC)) for number in range(start, start + BATCH)]
        for start in range(first, first + int(rate * seconds), BATCH)
    ]
    print("begun", flush=True)
    began = time.monotonic()
    try:
        for number, page in enumerate(made):
            time.sleep(max(0.0, began + number * BATCH / rate - time.monotonic()))
            earlier = look_back(page, database.fetch_now)
            assessed = [(post, assess(post, earlier), assess.service(post)) for post in page]
            source = f"search:{number % SEARCHES}"

            def store(
                tx: Transaction,
                assessed: Sequence[posts.Assessed] = assessed,
                source: str = source,
            ) -> None:
                posts.store_page(tx, source, assessed, account="x", now=datetime.now(UTC))

            database.write_now(store)
    finally:
        database.close_now()


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        stream(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:
        support.tell(measure)
