"""No text, whatever its size and shape, keeps a person from using the keys.

What is bounded is the program's own work between a key and what it shows, in CPU seconds: on a busy
machine it waits for its turn, and that is no fault of its. A screen that hangs without working is
caught by the patience of whoever waits for it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.promises.hostile import lines, record
from tests.promises.hostile_home import Place, installed, with_bug

MARKS = "".join(map(chr, [*range(0x300, 0x370), *range(0x483, 0x488), *range(0x591, 0x5BE)]))
SHAPES: dict[str, str] = {
    "100,000 newlines": "\n" * 100_000,
    "a long word": "x" * 100_000,
    "a megabyte of words": "wait " * 200_000,
    "a megabyte of one word": "w" * 1_000_000,
    "one letter with marks": "e" + "\u0301" * 100_000,
    "marks of all kinds": MARKS * 2_000,
    "letters with marks": ("a" + MARKS[:50]) * 2_000,
    "a chain of joiners": "\U0001f469\u200d" * 50_000,
    "nothing to see": "\u200b" * 100_000,
    "tabs and returns": "\t\r\n" * 100_000,
    "escapes": "\x1b[2J" * 100_000,
    "brackets": "[/" * 200_000,
    "names": "@someone " * 50_000,
    "addresses": "http://a.example/b " * 20_000,
    "wide letters": "\u4e00" * 100_000,
    "flags": "\U0001f1ec\U0001f1e7" * 50_000,
    "directions": "\u202e\u2066a" * 50_000,
    "digits": "07700 900123 " * 30_000,
    "every letter": "".join(map(chr, range(0x20, 0xD800)))
    + "".join(map(chr, range(0xE000, 0xFFFE))),
}
BOUND = 2.0  # CPU seconds from a key to what it shows; usual is a tenth of it at most


def worked(pid: int) -> float:
    """CPU seconds of a process so far; where there is no /proc, the time by the clock."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Times:
    """CPU seconds of a program from a key to what it shows."""

    pid: int
    taken: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, name: str, act: Callable[[], object]) -> None:
        start = worked(self.pid)
        act()
        self.taken.setdefault(name, []).append(worked(self.pid) - start)

    def worst(self) -> dict[str, float]:
        return {name: max(found) for name, found in self.taken.items()}


def filled(folder: Path, shapes: dict[str, str]) -> Place:
    place = installed(folder / "home", "http://127.0.0.1:9", "St Elsewhere")
    people = [f"size{number:02}" for number in range(len(shapes))]
    file = place.home / "posts.jsonl"
    posts = [
        record(number, text, author={"id": who, "handle": who, "name": text[:1000]})
        for number, (who, text) in enumerate(zip(people, shapes.values(), strict=True))
    ]
    file.write_bytes(lines(posts))
    done = place.run("import", str(file))
    assert f"{len(posts)} new".encode() in done.stdout, done.stderr
    return place


def use(place: Place, shapes: int) -> Times:
    """List, detail, why and composer of every post; the bounds are the caller's."""
    with place.inbox(columns=120, rows=40) as inbox:
        times = Times(inbox.process.pid)
        times.measure("start", lambda: inbox.wait("-- @size"))
        inbox.settle(1.0)
        for number in range(shapes):
            if number:
                times.measure("next", lambda: inbox.press("j", "-- @size"))
            times.measure("why", lambda: inbox.press("w", "WHY  @size"))
            inbox.settle(0.05)
            times.measure("leave", lambda: inbox.stir("q", 0.05))
            times.measure("compose", lambda: inbox.press("r", "PUBLIC"))
            inbox.settle(0.1)
            times.measure("type", lambda: inbox.press("a", "1/280"))
            inbox.press("\x7f")
            inbox.settle(0.1)
            times.measure("keep", lambda: inbox.press("\x1b", "the draft is kept"))
            inbox.settle(0.1)
        inbox.press("\x11")
        assert inbox.ends() == 0
    return times


@pytest.mark.promise
def test_no_shape_of_text_blocks_a_key(tmp_path: Path) -> None:
    place = filled(tmp_path, SHAPES)
    worst = use(place, len(SHAPES)).worst()
    assert max(worst.values()) < BOUND, worst


@pytest.mark.promise
def test_the_check_catches_a_text_that_is_not_cut(tmp_path: Path) -> None:
    place = filled(tmp_path, {"newlines": SHAPES["100,000 newlines"]})
    right = "    return SafeText(_cut(text, lines, characters, was_cut=was_cut))"
    mutant = with_bug(place, tmp_path, "domain/text.py", right, "    return SafeText(text)")
    right_takes, wrong_takes = use(place, 1).worst()["why"], use(mutant, 1).worst()["why"]
    assert wrong_takes > 5 * max(right_takes, 0.01), "whatever the machine is worth"
