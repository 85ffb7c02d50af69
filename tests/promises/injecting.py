"""Runs the command line with a fault at one place: `python injecting.py WHAT ARGUMENTS...`.

A place is where the program's code is entered or goes on after an await, "ui/app.py:120". WHAT is

- `list:FILE`: no fault; every place that is passed is written to FILE, in order, once.
- `at:PLACE`: the fault happens there, the first time.
- `each:FOLDER`: a child for every place in turn, or every $STEP-th, its output in FOLDER/<number>.

The fault's message and a local variable hold the secret that $CANARY names, as faults do.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import carerespond.__main__ as program

PACKAGE = str(Path(program.__file__).parent) + os.sep
SECONDS = 6.0  # how long a child may take to get to its place, and to pass all of them
TO_END = 1.5  # how long one that was asked to end may take
AFTERWARDS = 0.15  # how long it may go on after the fault before it is asked to end
# This starts in place of the program's own start; nothing of it is safe before its first lines.
NOT_OURS = ("__main__.py:",)


class InjectedError(Exception):
    """The fault."""


class Tracer:
    """Sees every entry into the program's own code."""

    def __init__(self, wanted: str = "") -> None:
        self.places: dict[str, None] = {}
        self.happened = threading.Event()
        self._wanted = wanted

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(PACKAGE):
            return
        place = f"{name.removeprefix(PACKAGE)}:{frame.f_lineno}"
        if place.startswith(NOT_OURS):
            return
        if not self._wanted:
            self.places.setdefault(place)
        elif place == self._wanted:
            self._wanted = "-"
            self.happened.set()
            token = os.environ["CANARY"]
            raise InjectedError(f"authorization: Bearer {token}")

    def start(self) -> None:
        """Begin to see, on this thread and those that come."""
        threading.settrace(self)
        sys.settrace(self)


def run(arguments: list[str]) -> None:
    """The program, as its own start runs it."""
    sys.argv = ["carerespond", *arguments]
    program.run()


def list_places(file: Path, arguments: list[str]) -> None:
    """Run without a fault, and write down the places."""
    tracer = Tracer()
    tracer.start()
    try:
        run(arguments)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        file.write_text("\n".join(tracer.places), encoding="utf-8")


def each(folder: Path, arguments: list[str]) -> None:
    """One child for the list of places, then one for each of them."""
    for name in ("aiosqlite", "httpx", "pydantic", "tomllib"):
        importlib.import_module(name)  # once here, not in every child
    places = folder / "places"
    _child(folder / "list", lambda: list_places(places, arguments), threading.Event())
    found = places.read_text(encoding="utf-8").split("\n")
    for number in range(0, len(found), int(os.environ.get("STEP", "1"))):
        place = found[number]
        tracer = Tracer(place)

        def work(tracer: Tracer = tracer) -> None:
            tracer.start()
            run(arguments)

        _child(folder / str(number), work, tracer.happened)


def _child(output: Path, work: Callable[[], None], happened: threading.Event) -> None:
    """Run in a child of its own, which is asked to end after a while and reports its exit code."""
    pid = os.fork()
    if pid == 0:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        threading.Thread(target=_end_after, args=(happened,), daemon=True).start()
        work()
    _, status = os.waitpid(pid, 0)
    with output.open("a", encoding="utf-8") as file:
        file.write(f"\nexit {os.waitstatus_to_exitcode(status)}\n")


def _end_after(happened: threading.Event) -> None:
    if happened.wait(SECONDS):
        threading.Event().wait(AFTERWARDS)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(TO_END)
    os.kill(os.getpid(), signal.SIGKILL)  # a fault while ending may leave a thread behind


if __name__ == "__main__":
    what, _, value = sys.argv[1].partition(":")
    if what == "list":
        list_places(Path(value), sys.argv[2:])
    elif what == "each":
        each(Path(value), sys.argv[2:])
    else:
        Tracer(value).start()
        run(sys.argv[2:])
