"""Strangers' text on its way to a widget: cleaned, never markup, measured as Textual measures it.

A plain string given to a widget is parsed as markup, which a post could use to end the program or
to press its keys; `Content` never is. Everything here cleans first (`domain.text`).
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from itertools import islice, pairwise
from typing import Final

from rich.cells import cell_len, split_graphemes
from textual.content import Content

from carerespond.domain.text import CHARACTERS, ELLIPSIS, SafeText, clean, one_line

_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WEEK_DAYS: Final = 7
_MARKS_A_WORD: Final = 8  # a text may repeat one word thousands of times
_MOST_FOR_ONE: Final = 6  # characters in which a control is shown
_CHARACTERS_A_CELL: Final = 10  # a base with the most marks that cleaning leaves, and one more


def content(text: str, style: str = "", *, characters: int = CHARACTERS) -> Content:
    """Text of others for a widget.

    Args:
        text: Raw or clean text; brackets in it mean nothing.
        style: A Textual style of our own, such as "bold $error".
        characters: The most characters that are kept.
    """
    return Content.styled(clean(text, characters=characters), style)


def whole(text: str) -> Content:
    """Text of which nothing may be cut, because it is about to be sent."""
    return Content(clean(text, lines=len(text) + 1, characters=_MOST_FOR_ONE * len(text) + 1))


def footnoted(text: str, notes: Mapping[int, Iterable[str]]) -> Content:
    """Text of others in which some words stand out, each with a number behind it: "slow[2]".

    Args:
        text: Raw or clean text.
        notes: Words by their number, as `domain.models.Reason` has them: found in any case, however
            they are spaced, and also where they were cut to end in an ellipsis.
    """
    safe = clean(text)
    edges = [end for _, end, _ in split_graphemes(safe)[0]]
    marked = sorted(
        (start, edges[bisect_left(edges, end)], number)
        for number, words in notes.items()
        for start, end in places(safe, words)
    )
    labels: dict[int, list[int]] = {}
    for _, end, number in marked:
        if number not in labels.setdefault(end, []):
            labels[end].append(number)
    cuts = sorted({0, len(safe), *labels, *(start for start, _, _ in marked)})
    parts: list[Content] = []
    reach = 0
    for at, until in pairwise(cuts):
        reach = max([reach, *(end for start, end, _ in marked if start == at)])
        parts.append(Content.styled(safe[at:until], "bold underline" if at < reach else ""))
        numbers = "".join(f"[{number}]" for number in sorted(labels.get(until, ())))
        parts.append(Content.styled(numbers, "bold"))
    return Content("").join(parts)


def places(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Where words stand in a text that is clean: from and to, of each word the first few."""
    return [place for word in words for place in _places(text, word)]


def _places(text: str, word: str) -> list[tuple[int, int]]:
    shown = one_line(word, CHARACTERS)
    for wanted in dict.fromkeys((shown, shown.removesuffix(ELLIPSIS).rstrip())):
        parts = wanted.split()
        if not parts:
            continue
        body = r"\s+".join(map(re.escape, parts))
        before = r"(?<!\w)" if re.match(r"\w", parts[0]) else ""
        after = r"(?!\w)" if re.search(r"\w\Z", parts[-1]) else ""
        for pattern in dict.fromkeys((before + body + after, body)):
            found = re.finditer(pattern, text, re.IGNORECASE)
            if spans := [one.span() for one in islice(found, _MARKS_A_WORD)]:
                return spans
    return []


def cells(text: str) -> int:
    """How many columns Textual gives a line."""
    # A cut text is plain save for its end; measuring each character would be most of a repaint.
    return len(text) if text.removesuffix(ELLIPSIS).isascii() else cell_len(text)


def fit(text: str, width: int, *, ascii_only: bool = False) -> SafeText:
    """Text of others on one line of at most `width` columns.

    Args:
        text: Raw or clean text; newlines and runs of space become one space.
        width: Columns; a character that is two columns wide is never halved.
        ascii_only: What is cut ends in "~" in place of an ellipsis.
    """
    if width <= 0:
        return SafeText("")
    reach = width * _CHARACTERS_A_CELL
    is_whole = len(text) <= reach
    shown = one_line(text if is_whole else text[:reach], reach)
    if is_whole and cells(shown) <= width:
        return shown
    mark = "~" if ascii_only else ELLIPSIS
    return SafeText(_head(shown, width - 1).rstrip() + mark)


def column(text: str, width: int, *, right: bool = False, ascii_only: bool = False) -> SafeText:
    """Text of others in exactly `width` columns, to the left or to the right."""
    shown = fit(text, width, ascii_only=ascii_only)
    space = " " * (width - cells(shown))
    return SafeText(space + shown if right else shown + space)


def ago(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """How long ago, in at most 8 characters: "now", "3m", "2h", "5d", "12 Oct", "Oct 2024".

    Args:
        at: Aware; a time ahead of `now`, as clocks differ, is "now".
        now: Aware.
        zone: In which days have their names; None is the machine's.
    """
    seconds = (now - at).total_seconds()
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)}m"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)}h"
    if seconds < _WEEK_DAYS * _DAY:
        return f"{int(seconds // _DAY)}d"
    there = at.astimezone(zone)
    month = _MONTHS[there.month - 1]
    is_this_year = there.year == now.astimezone(zone).year
    return f"{there.day} {month}" if is_this_year else f"{month} {there.year}"


def clock(at: datetime, now: datetime | None = None, zone: tzinfo | None = None) -> str:
    """A time of day, with as much of the date as is needed: "14:05", "Tue 14:05", "12 Oct 14:05".

    Args:
        at: Aware, past or to come.
        now: Aware; None leaves the date out.
        zone: In which it is told; None is the machine's.
    """
    there = at.astimezone(zone)
    time = f"{there.hour:02}:{there.minute:02}"
    if now is None:
        return time
    here = now.astimezone(zone)
    days = abs((there.date() - here.date()).days)
    if not days:
        return time
    if days < _WEEK_DAYS:
        return f"{_DAYS[there.weekday()]} {time}"
    year = "" if there.year == here.year else f" {there.year}"
    return f"{there.day} {_MONTHS[there.month - 1]}{year} {time}"


def lines_below(left: int) -> str:
    """How much stands below what is seen: "1 more line below"."""
    return f"{left} more line{'s' if left != 1 else ''} below"


def _head(text: str, width: int) -> str:
    """The most whole characters, as people count them, that fit into `width` columns."""
    if text[: width + 1].isascii():
        return text[:width]
    used = 0
    for start, _, wide in split_graphemes(text)[0]:
        used += wide
        if used > width:
            return text[:start]
    return text
