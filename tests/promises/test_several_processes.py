"""Several people at several terminals never answer the same post twice.

Four processes on one database race to write, queue and send an answer to each of the same posts.
That each source is asked by one process at a time is shown where listening is tested.
"""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from carerespond.domain.models import SendState
from carerespond.storage import outbox
from carerespond.storage.sqlite import open_database
from tests.promises.support import (
    MANY,
    ROOT,
    Verdict,
    fill_inbox,
    judge,
    network,
    sending_process,
)
from tests.promises.support_terminal import DATABASE

pytestmark = [pytest.mark.promise, pytest.mark.live]

PEOPLE = ("Asha", "Ben", "Carys", "Dewi")


def race(folder: Path, design: str, posts: int) -> Verdict:
    """All begin at once, and each tries to answer every post."""
    with network(folder / "network", posts) as there:
        there.set(duplicate_text_403=False, timeline_lag_s=0.25)
        assert fill_inbox(folder, there.address) == posts
        job = {"folder": str(folder), "address": there.address, "design": design, "wait": True}
        running = [
            subprocess.Popen(
                sending_process({**job, "operator": person}, range(1, posts + 1)),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for person in PEOPLE
        ]
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "up\n"
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        said = [one.communicate(timeout=300) for one in running]
        assert [one.returncode for one in running] == [0, 0, 0, 0], json.dumps(said)
        return judge(folder, there)


def test_four_processes_answer_each_post_once(tmp_path: Path) -> None:
    verdict = race(tmp_path, "ours", 200)
    assert verdict.is_clean, verdict
    assert (verdict.answers, verdict.states) == (200, {"sent": 200})
    database = open_database(tmp_path / DATABASE, read_only=True)
    rows = database.fetch_now(outbox.recent(MANY))
    database.close_now()
    writers = Counter(row.operator for row in rows if row.state is SendState.SENT)
    assert len(writers) > 1, "one process has done it all: there was no race"


def test_looking_first_and_queueing_then_is_caught(tmp_path: Path) -> None:
    """Planted bug: whether a post is answered is looked up, and no row decides it."""
    verdict = race(tmp_path, "check then queue", 100)
    assert verdict.doubled, verdict
