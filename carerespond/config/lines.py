"""On which line of a TOML text a key stands: asked only when there is a mistake to report."""

import tomllib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from carerespond.config.places import read_text
from carerespond.domain.errors import ConfigError


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The 1-based line of the statement that makes a place; 1 when there is no such place.

    The parser itself is asked: whatever it takes as a beginning of the text ends with a whole
    statement. So no spelling is special: quoted or dotted keys, inline tables, tables in any order,
    texts over several lines.

    Args:
        text: TOML that the parser takes.
        place: Keys and positions from the top, such as ("search", 2, "query"). Where its end is
            missing, the line of what is there of it.
    """
    lines = text.split("\n")
    while place and not _holds(lines, len(lines), place):
        place = place[:-1]
    if not place:
        return 1
    without, holding = 0, len(lines)
    while (middle := _whole_between(lines, without, holding)) is not None:
        if _holds(lines, middle, place):
            holding = middle
        else:
            without = middle
    for number in range(without + 1, holding):  # a list over several lines: which entry is it?
        if _holds(lines, number, place, end="]"):
            return number
    return without + 1


def _whole_between(lines: list[str], low: int, high: int) -> int | None:
    """A length between two at which the text's beginning is whole, near their middle."""
    middle = (low + high) // 2
    for length in chain(range(middle, low, -1), range(middle + 1, high)):
        if _parse(lines, length) is not None:
            return length
    return None


def _holds(lines: list[str], length: int, place: Sequence[str | int], end: str = "") -> bool:
    found: Any = _parse(lines, length, end)
    for step in place:
        if isinstance(step, int):
            if not isinstance(found, list) or step >= len(found):
                return False
        elif not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True


def _parse(lines: list[str], length: int, end: str = "") -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines[:length]) + "\n" + end)
    except ValueError:
        return None


def problem_at(path: Path | None, place: Sequence[str], problem: str, remedy: str) -> ConfigError:
    """An error about a key of a configuration that was read whole before; names file and line."""
    table, *keys = place
    named = f"[{table}] {'.'.join(keys)}"
    if path is None:
        return ConfigError(f"{named}: {problem}", remedy)
    try:
        where = f"line {line_of(read_text(path), place)}"
    except ConfigError:
        where = named
    return ConfigError(f"{path}, {where}: {problem}", remedy)
