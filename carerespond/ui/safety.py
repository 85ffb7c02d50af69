"""Safety cards on the screen: short above a post and an answer, whole on the page that says why."""

from collections.abc import Sequence

from textual.content import Content

from carerespond.domain.safety import SafetyCard
from carerespond.domain.text import one_line
from carerespond.ui.content import cells, content, fit
from carerespond.ui.lines import Line, plain, wrap

_TITLE = "SAFETY: "
_LABEL = 8  # columns before what a row says
_LONGEST = 200  # characters of one number or name
_BETWEEN = " | "
EXAMPLE = "example: have it checked"


def card_lines(
    cards: Sequence[SafetyCard], width: int, more: str = "", *, is_whole: bool = False
) -> list[Line]:
    """The first card in few lines; numbers are never cut.

    Args:
        cards: The cards of a case; none makes no lines.
        width: Columns.
        more: Which key shows all of it.
        is_whole: There is room beside the list: nothing of it is cut.
    """
    rows = _short_rows(cards, width, more, is_whole=is_whole)
    return [plain(row, "plain" if index else "warn") for index, row in enumerate(rows)]


def card_content(cards: Sequence[SafetyCard], width: int, *, is_whole: bool = False) -> Content:
    """As `card_lines`, for a widget that takes contents."""
    rows = _short_rows(cards, width, "", is_whole=is_whole)
    return Content("\n").join(
        [content(row, "" if index else "bold") for index, row in enumerate(rows)]
    )


def whole_cards(cards: Sequence[SafetyCard], width: int) -> list[Content]:
    """Every card with all that it says, in at most `width` columns."""
    lines: list[Content] = []
    for card in cards:
        example = f" ({EXAMPLE})" if card.is_example else ""
        lines += [content(row, "bold") for row in wrap(f"{_TITLE}{card.title}{example}", width)]
        lines += [content(row) for part in _parts(card) for row in _rows(*part, width)]
    return lines


def _short_rows(cards: Sequence[SafetyCard], width: int, more: str, *, is_whole: bool) -> list[str]:
    """The title with what is to know of the card, then each part in as many rows as it takes."""
    if not cards:
        return []
    card = cards[0]
    numbers, *rest = _parts(card)
    return [
        _title(card, len(cards) - 1, width, more),
        *_rows(*numbers, width),
        *(
            row
            for label, text in rest
            for row in _rows(label, text if is_whole else str(fit(text, width - _LABEL)), width)
        ),
    ]


def _title(card: SafetyCard, others: int, width: int, more: str) -> str:
    """The title, and in brackets as much of what is to know of the card as there is room for."""
    title = whole = f"{_TITLE}{card.title}"
    for example in (EXAMPLE, EXAMPLE.partition(":")[0]):
        parts = (example if card.is_example else "", f"+{others} more" if others else "", more)
        tail = ", ".join(part for part in parts if part)
        whole = f"{title} ({tail})" if tail else title
        if cells(whole) <= width:
            return whole
    return str(fit(whole, width))


def _parts(card: SafetyCard) -> list[tuple[str, str]]:
    """What it says, each part on one line behind its label."""
    parts = (("  GIVE", card.numbers), ("  TELL", card.tell), ("  NOT", card.avoid))
    return [
        (label, _BETWEEN.join(one_line(text, _LONGEST) for text in texts))
        for label, texts in parts
        if texts
    ]


def _rows(label: str, text: str, width: int) -> list[str]:
    """A text behind its label, in as many rows as it takes."""
    rows = wrap(text, max(width - _LABEL, 1))
    return [f"{label if index == 0 else '':<{_LABEL}}{row}" for index, row in enumerate(rows)]
