"""`carerespond check`: what it says and every exit code, reached by what is in the database."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from carerespond.config import X_PRICES
from carerespond.domain.models import Charge, DraftKind, Health
from carerespond.storage import ledger, outbox, sources
from carerespond.storage.database import Transaction
from carerespond.storage.outbox import NewReply
from carerespond.storage.sqlite import open_database
from tests.cli.support import PATIENCE, Ran, Run, broken, content, environment, ran

URGENT = "my dad collapsed in your waiting room, nobody came and he cannot breathe"
COMPLAINT = "waited six hours in the eye clinic, rude staff, nobody told us anything"
PRAISE = "lovely staff on the ward, thank you so much"


def write(home: Path, work: Callable[[Transaction], object]) -> None:
    database = open_database(home / "carerespond.db")
    try:
        database.write_now(work)
    finally:
        database.close_now()


def spend(home: Path, posts: int) -> None:
    charges = [Charge("post_read", str(number)) for number in range(posts)]
    write(home, lambda tx: ledger.charge(tx, "x", charges, X_PRICES, datetime.now(UTC)))


def source(home: Path, health: Health, *, ago: timedelta = timedelta(0)) -> None:
    now = datetime.now(UTC)

    def work(tx: Transaction) -> None:
        sources.sync(tx, [sources.Wanted("search:names-us", "Names us", "x", "words")], now)
        sources.set_health(tx, "search:names-us", health, "", now)
        sources.poll_again(tx, "search:names-us", now - ago)

    write(home, work)


def post(here: Run, home: Path, number: int, text: str, *, hours: float = 0) -> None:
    when = datetime.now(UTC) - timedelta(hours=hours)
    author = {"id": f"9{number}", "handle": f"person{number}"}
    record = {"network": "x", "id": str(number), "text": text, "author": author}
    path = home / "posts.jsonl"
    path.write_text(json.dumps({**record, "created_at": when.isoformat()}))
    told = here(home, "import", str(path))
    assert told.out.startswith("1 new"), told


def failed_send(home: Path) -> None:
    """An answer that its program never sent."""
    now = datetime.now(UTC)

    def work(tx: Transaction) -> None:
        new = NewReply(
            *(1, "x", "x", DraftKind.PUBLIC, "1", "person1", "We are sorry", "key", "Asha", "s")
        )
        row = outbox.queue(tx, new, now=now, send_at=now)
        tx.execute("UPDATE outbox SET state = 'not sent' WHERE outbox_id = ?", (row,))

    write(home, work)


def check_codes(check: Run, home: Path, here: Run) -> None:
    """Less pressing things first: each step adds one that weighs more than all before it."""

    def said(code: int, *words: str) -> None:
        told = check(home, "check")
        assert (told.code, told.err) == (code, ""), told
        assert len(told.out.splitlines()) == 1
        for word in (*words, " today"):
            assert word in told.out
        record = json.loads(check(home, "check", "--json").out)
        assert record["code"] == code
        assert record.keys() >= {"sources", "spent_today_usd", "daily_budget_usd"}

    said(0, "0 urgent", "0 sends need a person", "0 late", "0 waiting", "nobody has listened yet")
    source(home, Health.OK)
    said(0, "sources ok", "$0.00/2.00")
    spend(home, 400)
    source(home, Health.BUDGET)  # as every listener then marks every source
    said(30, "0 waiting", "sources ok", "$2.00/2.00 today (budget spent)")
    source(home, Health.DOWN)
    said(20, "Names us: down", "budget spent")
    post(here, home, 1, PRAISE)
    said(10, "0 late", "1 waiting", "Names us: down", "budget spent")
    post(here, home, 2, COMPLAINT, hours=24 * 30)
    said(12, "0 urgent", "1 late", "2 waiting", "Names us: down", "budget spent")
    failed_send(home)
    said(13, "1 send needs a person", "1 late", "Names us: down", "budget spent")
    post(here, home, 3, URGENT)
    said(11, "1 urgent", "1 send needs a person", "1 late", "Names us: down", "budget spent")


@pytest.mark.promise
def test_the_most_pressing_decides_and_sources_and_budget_are_always_told(
    home: Path, here: Run
) -> None:
    check_codes(here, home, here)


@pytest.mark.promise
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "(self.urgent, URGENT),\n            (self.sends, SEND),",
            "(self.sends, SEND),(self.urgent, URGENT),",
        ),
        (
            "(self.late, LATE),\n            (self.waiting, WAITING),",
            "(self.waiting, WAITING),(self.late, LATE),",
        ),
        ("Health.LIMITED, Health.BUDGET)", "Health.LIMITED)"),
        ("            self._money(),\n", ""),
    ],
    ids=["a send before what is urgent", "waiting before late", "30 is hidden", "no money"],
)
def test_a_wrong_order_would_be_noticed(
    home: Path, here: Run, tmp_path: Path, old: str, new: str
) -> None:
    program = broken(tmp_path / "program", "services/status.py", old, new)
    with pytest.raises(AssertionError):
        check_codes(partial(ran, at=program), home, here)


@pytest.mark.parametrize(
    ("health", "ago", "words", "code"),
    [
        (Health.OK, timedelta(minutes=14), "sources ok", 0),
        (Health.LIMITED, timedelta(minutes=14), "sources ok", 0),
        (Health.OK, timedelta(minutes=61), "nobody has listened for 61 min", 20),
        (Health.OK, timedelta(hours=30), "nobody has listened for 30 h", 20),
        (Health.DOWN, timedelta(hours=30), "Names us: down; nobody has listened for 30 h", 20),
        (Health.REFUSED, timedelta(0), "Names us: refused", 20),
        (Health.CREDIT, timedelta(0), "Names us: out of credit", 20),
        (Health.GAP, timedelta(0), "Names us: gap", 20),
        (Health.SILENT, timedelta(0), "Names us: silent too long", 20),
    ],
)
def test_a_source_that_does_badly_or_is_asked_by_nobody_is_told(
    home: Path, here: Run, health: Health, ago: timedelta, words: str, code: int
) -> None:
    source(home, health, ago=ago)
    told = here(home, "check")
    assert (told.code, words in told.out) == (code, True), told


@contextmanager
def listening(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    secret = home / "secrets" / "x.bearer"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("AAAA")
    secret.chmod(0o600)
    program = subprocess.Popen(
        [sys.executable, "-m", "carerespond", "listen"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def until(here: Run, home: Path, code: int) -> Ran:
    """Look again and again, as cron would, until it says so."""
    deadline = time.monotonic() + PATIENCE
    while (told := here(home, "check")).code != code:
        assert time.monotonic() < deadline, told
    return told


def test_a_listener_whose_network_is_away_makes_it_20_and_ctrl_c_ends_it(
    home: Path, here: Run
) -> None:
    with listening(home) as program:  # nothing answers at the address in its configuration
        told = until(here, home, 20)
        assert "Names us: down" in told.out or "mentions: down" in told.out
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0
    assert out.startswith(b"Listening to 1 saved searches")
    assert b"Traceback" not in err


def test_a_spent_budget_makes_it_30_while_a_listener_runs(home: Path, here: Run) -> None:
    spend(home, 400)
    with listening(home) as program:
        deadline = time.monotonic() + PATIENCE
        while "budget spent" not in str(content(home / "carerespond.db")["sources"]):
            assert time.monotonic() < deadline
        told = here(home, "check")
        assert (told.code, "budget spent" in told.out) == (30, True)
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=PATIENCE)
    assert program.returncode == 0
    assert here(home, "check").code == 30


def test_looking_changes_nothing(home: Path, here: Run) -> None:
    post(here, home, 1, URGENT)
    before = content(home / "carerespond.db")
    for _ in range(3):
        assert here(home, "check").code == 11
    assert content(home / "carerespond.db") == before


def test_it_calls_no_network_and_loads_no_screen(home: Path) -> None:
    """The interpreter tells of every connection, look-up and program that is begun."""
    program = """
import sys
def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.")):
        raise SystemExit(99)
sys.addaudithook(hook)
from carerespond.cli.main import main
code = main(["check"])
heavy = {"textual", "httpx", "pydantic", "asyncio", "aiosqlite"} & set(sys.modules)
print(sorted(heavy), file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(home),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"textual" not in done.stderr
    assert b"httpx" not in done.stderr


def test_it_reads_while_others_write(home: Path, here: Run) -> None:
    post(here, home, 1, PRAISE)
    database = open_database(home / "carerespond.db")
    seen = set()

    def work(tx: Transaction) -> None:
        tx.execute("UPDATE cases SET priority = 0")
        seen.add(here(home, "check").code)

    try:
        database.write_now(work)
    finally:
        database.close_now()
    assert seen == {10}, "as it was before the write ended"
    assert here(home, "check").code == 11
