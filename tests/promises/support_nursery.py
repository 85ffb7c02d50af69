"""Starts terminals as processes and kills each at a random moment: `python -m` this with a job.

Children are forked from a process that has everything imported, so that several can live and die
in a second. Each is a process of its own with its own connections; SIGKILL is SIGKILL.

The job is a JSON object on the command line; the answer is one on standard output.
"""

import asyncio
import ctypes
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite  # noqa: F401  # here, once, and not in each child
import anyio._backends._asyncio  # noqa: F401

from carerespond.domain.privacy import check_reply
from carerespond.domain.text import x_length
from tests.promises.support_terminal import UNTOUCHED, live, open_terminal, words
from tests.sending import person_post

PATIENCE = 120.0


def spawn(work: Callable[[Callable[[], object]], None]) -> tuple[int, int]:
    """Fork a child; its process id, and a pipe that gives a byte when it is up and then ends."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    code = 1
    try:
        work(lambda: os.write(writing, b"u"))
        code = 0
    except BaseException:  # noqa: BLE001  # whatever it is, it is told, and the child ends here
        traceback.print_exc()
    finally:
        os._exit(code)


def waited(pipe: int, seconds: float) -> bool:
    """Whether the child said something or ended within so many seconds."""
    return bool(select.select([pipe], [], [], seconds)[0])


def usual_send(job: dict[str, Any]) -> float:
    """Seconds that writing and sending one answer takes here when nobody kills it."""

    async def send(up: Callable[[], object]) -> None:
        terminal = open_terminal(Path(job["folder"]), job["address"], "ours")
        await terminal.presence.keep()
        up()
        for case_id in await terminal.database.fetch(UNTOUCHED):
            await terminal.answer(case_id)
            await terminal.sender.work_due()

    child, pipe = spawn(lambda up: asyncio.run(send(up)))
    assert waited(pipe, PATIENCE), "a terminal did not start"
    assert os.read(pipe, 1), "a terminal did not start"
    begun = time.monotonic()
    waited(pipe, PATIENCE)
    seconds = time.monotonic() - begun
    os.close(pipe)
    assert os.waitpid(child, 0)[1] == 0
    return seconds


def moment(dice: random.Random, pipe: int, usual: float) -> None:
    """Let a random time pass: in the start, in one of a few sends, or in what comes long after."""
    kind = dice.random()
    if kind < 0.2:
        waited(pipe, dice.uniform(0, 0.04))
        return
    assert waited(pipe, PATIENCE), "a terminal did not start"
    if os.read(pipe, 1):
        waited(pipe, dice.uniform(0, 3 * usual) if kind < 0.95 else dice.uniform(0.5, 1.5))


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Kill `kills` lives, then let a last one finish what is left."""
    folder, dice, begun = Path(job["folder"]), random.Random(job["seed"]), time.monotonic()
    killed = ended = 0

    def life(new: int) -> Callable[[Callable[[], object]], None]:
        def work(up: Callable[[], object]) -> None:
            terminal = open_terminal(folder, job["address"], job["design"], speed=job["speed"])
            asyncio.run(live(terminal, up, new=new))

        return work

    usual = usual_send(job) if job["kills"] else 0.0
    for _ in range(job["kills"]):
        child, pipe = spawn(life(new=3))
        moment(dice, pipe, usual)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        os.close(pipe)
        killed += os.WIFSIGNALED(status)
        ended += not os.WIFSIGNALED(status)
    child, pipe = spawn(life(new=0))
    limit = time.monotonic() + PATIENCE
    while waited(pipe, max(0.0, limit - time.monotonic())) and os.read(pipe, 1):
        pass
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {
        "killed": killed,
        "ended": ended,
        "last": code,
        "usual": round(usual, 3),
        "seconds": round(time.monotonic() - begun, 1),
    }


# -- every step of one send ---------------------------------------------------------------------

PR_SET_PTRACER = 0x59616D61  # Yama: let a process that is not our parent trace us


def wait_for_tracer() -> None:
    """Stand still until every thread of this process is traced."""
    tasks = Path("/proc/self/task")
    while any("TracerPid:\t0\n" in (one / "status").read_text("ascii") for one in tasks.iterdir()):
        select.select([], [], [], 0.001)


async def send_when_traced(job: dict[str, Any], case_id: int, up: Callable[[], object]) -> None:
    """Queue an answer, wait for the tracer, send."""
    terminal = open_terminal(Path(job["folder"]), job["address"], job["design"])
    await terminal.presence.keep()
    await terminal.answer(case_id)
    up()
    wait_for_tracer()
    await terminal.sender.work_due()


def step(job: dict[str, Any], case_id: int, call: str, number: int) -> bool:
    """Disturb one send at its n-th call of a kind; False when it made fewer.

    What befalls it is in strace's words: "signal=KILL", or "error=EIO" for a disk that fails.
    """

    def work(up: Callable[[], object]) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_long(-1), 0, 0, 0)
        asyncio.run(send_when_traced(job, case_id, up))

    child, pipe = spawn(work)
    assert waited(pipe, PATIENCE), "a terminal did not start"
    assert os.read(pipe, 1), "a terminal died before it was traced"
    trace = Path(job["folder"]) / "trace"
    inject = f"inject={call}:{job['fault']}:when={number}"
    strace = ["strace", "-q", "-f", "-o", str(trace), "-e", f"trace={call}", "-e", inject]
    tracer = subprocess.Popen([*strace, "-p", str(child)])
    ended = waited(pipe, PATIENCE)
    if not ended:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    tracer.wait(PATIENCE)
    os.close(pipe)
    assert ended, "a send did not end"
    assert code in (0, 1, -signal.SIGKILL), f"a terminal ended with {code}"
    return code == -signal.SIGKILL or "(INJECTED)" in trace.read_text("utf-8", "replace")


def steps(job: dict[str, Any]) -> dict[str, Any]:
    """Disturb sends at their first, second, third call, until one gets through; for each kind."""
    begun, met, case_id = time.monotonic(), dict.fromkeys(job["calls"], 0), 0
    for call in job["calls"]:
        case_id += 1
        while step(job, case_id, call, met[call] + 1):
            met[call] += 1
            case_id += 1
    return {**met, "seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    check_reply(words(1), person_post(1), [])  # patterns and tables are made when first needed
    x_length(words(1))
    given = json.loads(sys.argv[1])
    print(json.dumps(steps(given) if "calls" in given else run(given)))  # noqa: T201  # its answer
