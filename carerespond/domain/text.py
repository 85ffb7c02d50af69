"""Strangers' text made safe to show, and text measured as terminals and networks measure it.

`clean` is the one door to `SafeText`. The store keeps what a network said, raw; everything that
reaches a terminal, a file or a log goes through here first. What `clean` does:

- CRLF, CR, LS, PS and NEL become newlines, a tab four spaces;
- every other control becomes visible: U+2400 + n below 0x20, its number in brackets above;
- a lone surrogate becomes U+FFFD, a bidi control its number in brackets;
- format, private and unassigned characters are dropped, save joiners, variation selectors and
  the tags of the three flags that have them;
- at most 8 marks a base, 20,000 characters and 200 lines; then "... cut".
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

LINES: Final = 200
CHARACTERS: Final = 20_000
MARKS: Final = 8  # combining marks a base: a screen stays readable, every language keeps its own
CUT: Final = " ... cut"
ELLIPSIS: Final = "\u2026"


class SafeText(str):
    """Text that can do nothing but be read; made by `clean`, `one_line` and `shorten` alone."""

    __slots__ = ()


_ZWNJ, _ZWJ, _VS16 = "\u200c", "\u200d", "\ufe0f"
_KEPT_FORMATS = frozenset((_ZWNJ, _ZWJ))
_NEWLINES = frozenset("\r\u2028\u2029\x85")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DELETE = 0x7F

# Tag characters can smuggle text past a reader: only the flags of England, Scotland and Wales
# (RGI emoji tag sequences) keep theirs.
_TAGS = "\U000e0020-\U000e007f"
_FLAGS = tuple(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_TAG_RUN = re.compile(f"(\U0001f3f4(?:{'|'.join(_FLAGS)}))|[{_TAGS}]+")


def clean(text: str, *, lines: int = LINES, characters: int = CHARACTERS) -> SafeText:
    """Make text of others safe to show; cleaning again changes nothing.

    Args:
        text: Raw text.
        lines: The most lines that are kept; past them the text ends in "... cut".
        characters: The most characters that are kept, "... cut" included.
    """
    if text.isascii() and text.isprintable() and len(text) <= characters:
        return SafeText(text)
    was_cut = len(text) > characters * (MARKS + 2)  # nothing past this can be among those kept
    if was_cut:
        text = text[: characters * (MARKS + 2)]
    text = _limit_marks(_without_controls(text))
    return SafeText(_cut(text, lines, characters, was_cut=was_cut))


def one_line(text: str, characters: int) -> SafeText:
    """Clean text on one line: a run of space or newlines is a space; too long ends in an ellipsis.

    Args:
        text: Raw or clean text.
        characters: The most characters that are kept, the ellipsis included.
    """
    reach = characters * (MARKS + 2) + 64
    was_cut = len(text) > reach
    if was_cut:
        text = text[:reach]
    if not (text.isascii() and text.isprintable()):
        text = _limit_marks(_without_controls(text))
    if "  " in text or not text.isprintable() or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    if was_cut or len(text) > characters:
        text = _whole(text[: max(characters - 1, 0)]).rstrip() + ELLIPSIS[:characters]
    return SafeText(text)


def storable(text: str) -> str:
    """Text that SQLite and UTF-8 take: lone surrogates become U+FFFD, all else stays raw."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text


def shorten(text: SafeText, cells: int) -> SafeText:
    """At most `cells` terminal columns of one line; what is cut ends in an ellipsis."""
    if text.isascii():
        return (
            text if len(text) <= cells else SafeText(text[: max(cells - 1, 0)] + ELLIPSIS[:cells])
        )
    if width(text) <= cells:
        return text
    if cells <= 0:
        return SafeText("")
    end = used = 0
    for part in _graphemes(text):
        wide = _part_width(part)
        if used + wide > cells - 1:
            break
        used += wide
        end += len(part)
    return SafeText(text[:end] + ELLIPSIS)


def width(text: str) -> int:
    """How many terminal columns a line takes: wide characters and joined emoji two, marks none."""
    if text.isascii():
        return len(text)
    if _ZWJ not in text and _VS16 not in text:
        return sum(map(_character_width, text))
    return sum(map(_part_width, _graphemes(text)))


def x_length(text: str) -> int:
    """A post's length as X counts it: weighted, each link 23, an emoji 2 (`domain.counting`)."""
    from carerespond.domain import counting  # its patterns cost 10 ms that a first paint saves

    return counting.weighted_length(text)


_MENTION = re.compile(
    r"(?:(?<![A-Za-z0-9_!#$%&*@\uff20])|(?<![A-Za-z0-9_+~.-][Rr][Tt])(?<=\b[Rr][Tt]))"
    r"[@\uff20]([A-Za-z0-9_]{1,20})(?![A-Za-z0-9_@\uff20\u00c0-\u024f]|://)"
)


def mentions(text: str) -> list[str]:
    """The handles that a text names with @, as written, in order; those in addresses are none."""
    return _MENTION.findall(text)


# -- one character at a time -------------------------------------------------------------------


def _without_controls(text: str) -> str:
    """Every rule of the module but marks and length; costs nothing for what is printable."""
    text = text.replace("\r\n", "\n")
    odd = {character for character in set(text) if not character.isprintable()}
    odd.discard("\n")
    if not odd:
        return text
    if any("\U000e0020" <= character <= "\U000e007f" for character in odd):
        text = _TAG_RUN.sub(lambda run: run[1] or "", text)
    return text.translate({ord(character): _visible(character) for character in odd})


@lru_cache(maxsize=512)
def _visible(character: str) -> str | None:  # noqa: PLR0911  a case a line
    """What stands for a character that is not printable; None to drop it."""
    code = ord(character)
    if character in _NEWLINES:
        return "\n"
    if character == "\t":
        return "    "
    if character in _BIDI:
        return f"\u27e8{code:04X}\u27e9"
    match unicodedata.category(character):
        case "Cc":
            return _control(code)
        case "Cs":
            return "\ufffd"
        case "Zs" | "Zl" | "Zp":
            return character
        case _:
            is_tag = _TAGS[0] <= character <= _TAGS[-1]  # those still here belong to a flag
            return character if character in _KEPT_FORMATS or is_tag else None


def _control(code: int) -> str:
    if code == _DELETE:
        return "\u2421"
    return chr(0x2400 + code) if code < 0x20 else f"\u27e8{code:02X}\u27e9"  # noqa: PLR2004 - the C0 controls


@lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    return character in _KEPT_FORMATS or unicodedata.category(character)[0] == "M"


def _limit_marks(text: str) -> str:
    """At most `MARKS` marks, selectors and joiners in a row, and as many joined to one sign."""
    if text.isascii():
        return text
    marks = {character for character in set(text) if character > "\u02ff" and _is_mark(character)}
    if sum(map(text.count, marks)) <= MARKS:
        return text
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if character in marks else 0
        if run <= MARKS:
            kept.append(character)
    # Textual measures a sign of thousands of parts for ten seconds; real ones have five.
    return _CHAIN.sub(lambda chain: chain[0][:-1], "".join(kept))


_CHAIN = re.compile(
    f"(?:[^\u200d\\s][\ufe0f\u0300-\u036f\U0001f3fb-\U0001f3ff]{{0,{MARKS}}}\u200d){{{MARKS}}}"
)


def _cut(text: str, lines: int, characters: int, *, was_cut: bool) -> str:
    end = len(text)
    if text.count("\n") >= lines:
        end = -1
        for _ in range(lines):
            end = text.index("\n", end + 1)
    room = characters - len(CUT)
    if end == len(text) <= characters and not was_cut:
        return text
    return _whole(text[: max(min(end, room), 0)]) + CUT[-characters:]


def _whole(text: str) -> str:
    """A text that was cut somewhere, less half a flag or an open joiner at its end."""
    tail = text[-8:]
    if "\U0001f3f4" in tail and tail[-1] != "\U000e007f":
        return re.sub(f"[{_TAGS}]+\\Z", "", text)
    return text.rstrip(_ZWJ)


@lru_cache(maxsize=4096)
def _character_width(character: str) -> int:
    if _is_mark(character) or unicodedata.category(character) == "Cf":
        return 0
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # skin tones colour what stands before them
        return 0
    if "\u1160" <= character <= "\u11ff":  # vowels and finals of conjoining Hangul
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_GRAPHEME = re.compile(
    # A character with its marks, selectors and tags, and all that is joined on to it.
    f"[^{_TAGS}](?:{_ZWJ}.|{_VS16}|[{_TAGS}\U0001f3fb-\U0001f3ff\u0300-\u036f\u20e3])*|.",
    re.DOTALL,
)


def _graphemes(text: str) -> list[str]:
    return _GRAPHEME.findall(text)


def _part_width(part: str) -> int:
    wide = _character_width(part[0])
    is_picture = wide == 1 and _VS16 in part and (part[0] in "#*0123456789" or part[0] > "\xa8")
    return 2 if is_picture else wide
