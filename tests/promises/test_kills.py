"""A program that is killed at any moment loses no answer and sends none twice.

Real processes, SIGKILL, and a network in another process over loopback. One answer in twenty of the
network's is lost after it has been carried out, and our timeline shows a post a quarter of a second
late. The network takes the same text twice, so that nothing but our own care keeps an answer from
being doubled, unless a test says otherwise.
"""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.promises.support import (
    Network,
    Verdict,
    disturb_at_every,
    fill_inbox,
    judge,
    kill_again_and_again,
    network,
)

pytestmark = [pytest.mark.promise, pytest.mark.live]

FAULTS: dict[str, Any] = {
    "drop_answers": 0.05,
    "timeline_lag_s": 0.25,
    "delay_before_s": 0.003,
    "delay_after_s": 0.003,
    "duplicate_text_403": False,
    "seed": 7,
}
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture(name="there")
def open_network(tmp_path: Path) -> Iterator[Network]:
    with network(tmp_path / "network", 700) as there:
        there.set(**FAULTS)
        assert fill_inbox(tmp_path, there.address) == 700
        yield there


def tell(runs: list[dict[str, Any]], verdict: Verdict) -> None:
    """Log the figures: `pytest -o log_cli=true -o log_cli_level=INFO` shows them."""
    killed, seconds = sum(one["killed"] for one in runs), sum(one["seconds"] for one in runs)
    figures: dict[str, object] = {"kills": killed, "seconds": round(seconds, 1)}
    for name in ("answers", "unclear", "doubled", "lost", "untrue", "unowned", "states"):
        value = getattr(verdict, name)
        figures[name] = len(value) if isinstance(value, list) else value
    logging.getLogger(__name__).info("%s", figures)


def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path, there: Network) -> None:
    run = kill_again_and_again(tmp_path, there.address, "ours", kills=200)
    verdict = judge(tmp_path, there)
    tell([run], verdict)
    assert verdict.is_clean, verdict
    assert set(verdict.states) <= {"sent", "taken back"}, "the last life had time to settle all"
    assert verdict.answers == verdict.states["sent"] > 50
    assert verdict.unclear > 0, "kills and lost answers left nothing unclear: they missed the send"


def test_a_network_that_refuses_the_same_text_is_believed_with_care(
    tmp_path: Path, there: Network
) -> None:
    there.set(duplicate_text_403=True, drop_answers=0.2)
    run = kill_again_and_again(tmp_path, there.address, "ours", kills=30, seed=3)
    verdict = judge(tmp_path, there)
    tell([run], verdict)
    assert verdict.is_clean, verdict
    assert verdict.answers == verdict.states["sent"] > 5


@pytest.mark.parametrize(
    ("design", "fault"),
    [("post then mark", "doubled"), ("mark then post", "untrue"), ("no settling", "unowned")],
)
def test_a_broken_design_is_caught(
    tmp_path: Path,
    there: Network,
    design: str,
    fault: str,
) -> None:
    """Planted bugs: the same kills, until the fault shows.

    Without settling, the inbox calls answers not sent that the network has: some are doubled.
    """
    there.set(drop_answers=0.3)  # so that the fault shows soon
    runs, verdict = list[dict[str, Any]](), judge(tmp_path, there)
    while not getattr(verdict, fault) and len(runs) < 12:
        seed = len(runs) + 1
        runs.append(kill_again_and_again(tmp_path, there.address, design, kills=20, seed=seed))
        verdict = judge(tmp_path, there)
    tell(runs, verdict)
    assert getattr(verdict, fault), verdict
    assert not verdict.is_clean


# -- every step of one send ---------------------------------------------------------------------

# What reaches the disk, and what comes from the network or wakes the loop: each is made by one
# thread alone, so that the n-th call of that thread is the n-th of the process.
STEPS = ("fdatasync", "pwrite64", "recvfrom")


@needs_strace
def test_a_kill_at_every_step_of_a_send_loses_and_doubles_nothing(
    tmp_path: Path, there: Network
) -> None:
    there.set(drop_answers=0.0)
    steps = disturb_at_every(tmp_path, there.address, "ours", STEPS)
    before = judge(tmp_path, there)
    assert before.unowned, "no kill fell between the network's deed and our note of it"
    run = kill_again_and_again(tmp_path, there.address, "ours", kills=0)
    verdict = judge(tmp_path, there)
    tell([run], verdict)
    logging.getLogger(__name__).info("%s", {**steps, "said": ""})
    assert verdict.is_clean, verdict
    assert all(steps[call] for call in STEPS), steps
    assert verdict.answers == verdict.states["sent"] == sum(steps[call] + 1 for call in STEPS)


@needs_strace
def test_a_mark_that_comes_after_the_request_is_caught_at_a_step(
    tmp_path: Path, there: Network
) -> None:
    """Planted bug: at one of the steps the network has an answer that the inbox calls not sent."""
    there.set(drop_answers=0.0)
    disturb_at_every(tmp_path, there.address, "post then mark", ["recvfrom"])
    kill_again_and_again(tmp_path, there.address, "ours", kills=0)
    assert judge(tmp_path, there).unowned


@needs_strace
def test_a_disk_error_at_every_step_of_a_send_loses_and_doubles_nothing(
    tmp_path: Path, there: Network
) -> None:
    """The disk fails once; the program ends, and the next one finds a disk that works."""
    there.set(drop_answers=0.0)
    calls = ("fdatasync", "pwrite64")
    steps = disturb_at_every(tmp_path, there.address, "ours", calls, "error=EIO")
    run = kill_again_and_again(tmp_path, there.address, "ours", kills=0)
    verdict = judge(tmp_path, there)
    tell([run], verdict)
    logging.getLogger(__name__).info("%s", {**steps, "said": ""})
    assert verdict.is_clean, verdict
    assert all(steps[call] for call in calls), steps
    assert verdict.answers == verdict.states["sent"] == sum(steps[call] + 1 for call in calls)
