"""On disk before the wire: what the kernel was asked to do, in its order, as strace tells it."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promises.support import fill_inbox, judge, network, sending_process

pytestmark = [
    pytest.mark.promise,
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

SENDS = 100
_CALL = re.compile(r"(?P<thread>\d+)\s+(?P<call>\w+)\(\d+<(?P<file>[^>]*)>")
_RESUMED = re.compile(r"(?P<thread>\d+)\s+<\.\.\. (?P<call>\w+) resumed>")
_SYNCS = ("fdatasync", "fsync")


@dataclass(slots=True)
class Order:
    """Requests to post by what was on the disk when their first byte left.

    Attributes:
        durable: "sending" was written to the log, and the log was synced after its last write.
        early: Any other.
    """

    durable: int = 0
    early: int = 0


def read_order(trace: str) -> Order:
    """Follow the database's log and the requests through a trace of `strace -f -y`."""
    found = Order()
    is_synced, says_sending = True, False
    syncing: dict[str, str] = {}
    for line in trace.splitlines():
        resumed = _RESUMED.match(line)
        if resumed and resumed["call"] in _SYNCS:
            is_synced = syncing.pop(resumed["thread"], "").endswith("-wal") or is_synced
        call = _CALL.match(line)
        if call is None:
            continue
        if call["call"] == "pwrite64" and call["file"].endswith("-wal"):
            is_synced, says_sending = False, says_sending or "sending" in line
        elif call["call"] in _SYNCS and "<unfinished" in line:
            syncing[call["thread"]] = call["file"]
        elif call["call"] in _SYNCS:
            is_synced = is_synced or call["file"].endswith("-wal")
        elif '"POST /2/tweets ' in line:
            found.durable += is_synced and says_sending
            found.early += not (is_synced and says_sending)
            says_sending = False
    return found


def trace_sends(folder: Path, design: str, sends: int) -> Order:
    """Let a process send so many answers under strace."""
    trace = folder / "trace"
    calls = "pwrite64,fdatasync,fsync,sendto,sendmsg,writev"
    strace = ["strace", "-f", "-y", "-s", "4200", "-o", str(trace), "-e", f"trace={calls}"]
    with network(folder / "network", sends) as there:
        assert fill_inbox(folder, there.address) == sends
        job = {"folder": str(folder), "address": there.address, "design": design}
        done = subprocess.run(
            [*strace, *sending_process(job, range(1, sends + 1))],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        verdict = judge(folder, there)
        assert (verdict.is_clean, verdict.answers) == (True, sends), verdict
    return read_order(trace.read_text(encoding="utf-8", errors="replace"))


def test_sending_is_on_the_disk_before_the_first_byte_leaves(tmp_path: Path) -> None:
    assert trace_sends(tmp_path, "ours", SENDS) == Order(durable=SENDS, early=0)


def test_a_log_that_is_not_synced_is_caught(tmp_path: Path) -> None:
    """Planted bug: `synchronous=NORMAL`."""
    assert trace_sends(tmp_path, "loose", 20) == Order(durable=0, early=20)
