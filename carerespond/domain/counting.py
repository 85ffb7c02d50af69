"""How X counts a post: weighted by script, every link 23, every emoji 2.

Source: twitter-text configuration v3 (`x-api/fundamentals/counting-characters` in X's docs): after
NFC, the ranges below weigh 1 and all else 2; an emoji sequence weighs 2 as a whole; a link weighs
23 however long, with or without its scheme. Where the conformance vectors and this module differ
is listed by name in tests/domain/test_counting.py.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from carerespond.domain.tlds import TLDS

LIMIT = 280
LINK = 23

_LIGHT = (
    "\u0000-\u10ff",  # Latin, Greek, Cyrillic, Arabic, Indic scripts ...: 0 to 4351
    "\u2000-\u200d",  # spaces and joiners: 8192 to 8205
    "\u2010-\u201f",  # dashes and quotation marks: 8208 to 8223
    "\u2032-\u2037",  # primes: 8242 to 8247
)

_SPACES = "\u0009-\u000d\u0020\u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_MARKERS = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_NEVER = "\ufffe\ufeff\uffff"
_PUNCTUATION = r"\!'#%&'\(\)*\+,\\\-\./:;<=>\?@\[\]\^_{|}~\$"
_LATIN = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263"
    "\u0268\u026f\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_CYRILLIC = "\u0400-\u04ff"

_LETTER = f"[^{_PUNCTUATION}{_SPACES}{_NEVER}{_MARKERS}]"
_SUBDOMAIN = rf"(?:(?:{_LETTER}(?:[_-]|{_LETTER})*)?{_LETTER}\.)"
_DOMAIN = rf"(?:(?:{_LETTER}(?:-|{_LETTER})*)?{_LETTER}\.)"
_GENERAL = rf"[a-z{_CYRILLIC}0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{_LATIN}]"
_BALANCED = rf"\((?:{_GENERAL}+|(?:{_GENERAL}*\({_GENERAL}+\){_GENERAL}*))\)"
_ENDING = rf"(?:[+\-a-z{_CYRILLIC}0-9=_#/{_LATIN}]|(?:{_BALANCED}))"
_PATH = rf"(?:(?:{_GENERAL}*(?:{_BALANCED}{_GENERAL}*)*{_ENDING})|(?:@{_GENERAL}+/))"
_QUERY = r"(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/])"

# A base that may be drawn as a picture; a keycap, a flag and joined pictures are one emoji each.
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf"
    "\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2604\u260e\u2611"
    "\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642"
    "\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b"
    "\u269c\u26a0\u26a1\u26a7\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf"
    "\u26d1\u26d3\u26d4\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f"
    "\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757"
    "\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f004\U0001f0cf\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f18e"
    "\U0001f191-\U0001f19a\U0001f201\U0001f202\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f250"
    "\U0001f251\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7f0\U0001f90c-\U0001f9ff"
    "\U0001fa70-\U0001faff]"
)
_PART = f"{_PICTURE}(?:[\U0001f3fb-\U0001f3ff]|\ufe0f)?"


@cache
def _links() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A link with what stands before it, and the ASCII host inside one that has no scheme."""
    endings = "|".join(sorted(map(re.escape, TLDS.split()), key=len, reverse=True))
    ending = rf"(?:(?:{endings})(?=[^0-9a-zA-Z@+-]|$)|xn--[\-0-9a-z]+)"
    before = rf"(?:[^A-Za-z0-9@\uff20$#\uff03{_NEVER}]|[{_MARKERS}]|^)"
    link = (
        rf"(?P<before>{before})(?P<url>(?P<scheme>https?://)?"
        rf"(?P<host>{_SUBDOMAIN}*{_DOMAIN}{ending})(?::[0-9]+)?(?P<path>/{_PATH}*)?{_QUERY}?)"
    )
    host = rf"(?:[\-a-z0-9{_LATIN}]+\.)+{ending}"
    return re.compile(link, re.IGNORECASE), re.compile(host, re.IGNORECASE)


_SHORT = re.compile(r"https?://t\.co/([a-z0-9]+)", re.IGNORECASE)
_SHORT_LONGEST = 40  # a longer path on t.co is not one of X's own links
_LABEL_LONGEST = 63  # RFC 1035
_NOT_BEFORE_HOST = tuple("-_./")


def links(text: str) -> Iterator[tuple[int, int]]:
    """Where the links stand in a text that is in NFC: start and end, in order."""
    pattern, host = _links()
    at = 0
    while found := pattern.search(text, at):
        at = max(found.end(), at + 1)
        if not _is_host(found["host"]):
            continue
        if found["scheme"]:
            end = found.end("url")
            if short := _SHORT.match(found["url"]):
                if len(short[1]) > _SHORT_LONGEST:
                    continue
                end = found.start("url") + short.end()
            at = end
            yield found.start("url"), end
        elif not found["before"].endswith(_NOT_BEFORE_HOST):
            yield from _bare(found, host)


def _is_host(host: str) -> bool:
    """Whether DNS could hold it: labels of at most 63 characters once they are ASCII."""
    try:
        labels = [
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
            for label in host.split(".")
        ]
    except UnicodeError:  # a lone surrogate
        return False
    is_false = any(label.startswith("xn--xn--") for label in labels)
    return not is_false and all(len(label) <= _LABEL_LONGEST for label in labels)


def _bare(found: re.Match[str], host: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Links without a scheme: each ASCII host in what looked like one; the last has the path."""
    offset = found.start("host")
    spans = [(offset + one.start(), offset + one.end()) for one in host.finditer(found["host"])]
    yield from spans[:-1]
    if spans:
        start, end = spans[-1]
        yield start, found.end("url") if found["path"] else end


@cache
def _units() -> re.Pattern[str]:
    return re.compile(
        "(?P<emoji>[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3"
        "|\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
        f"|{_PART}(?:\u200d{_PART})*)|[{''.join(_LIGHT)}]"
    )


def weighted_length(text: str) -> int:
    """A post's length as X counts it; at most `LIMIT` may be posted."""
    if text.isascii() and "." not in text:
        return len(text)
    text = unicodedata.normalize("NFC", text)
    total = at = 0
    for start, end in links(text):
        total += _weight(text[at:start]) + LINK
        at = end
    return total + _weight(text[at:])


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    emoji = characters = light = 0
    for unit in _units().finditer(text):
        if unit["emoji"]:
            emoji += 1
            characters += len(unit[0])
        else:
            light += 1
    return 2 * emoji + light + 2 * (len(text) - characters - light)
