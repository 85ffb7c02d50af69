"""What X reads out of a post's text: mentions, hashtags, cashtags, links and words."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

from carerespond.practice.length import links

_MENTION = re.compile(
    r"(?:(?<![A-Za-z0-9_!#$%&*@\uff20])|(?<=\b[Rr][Tt]))[@\uff20]([A-Za-z0-9_]{1,20})"
    r"(?![A-Za-z0-9_@\uff20\u00c0-\u024f]|://)"
)
_HASHTAG = re.compile(r"(?<![\w&])[#\uff03](\w*[^\W\d_]\w*)")
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)(?![\w$])")
SHOWN_LINK = 27  # characters of a link that X shows
_WORD = re.compile(r"[^\W_]+")


def mentions(text: str) -> list[str]:
    """The handles that a text names, as written."""
    return [found[1] for found in _MENTION.finditer(text)]


def hashtags(text: str) -> list[str]:
    """The hashtags of a text, without their sign."""
    return [found[1] for found in _HASHTAG.finditer(text)]


def cashtags(text: str) -> list[str]:
    """The cashtags of a text, without their sign."""
    return [found[1] for found in _CASHTAG.finditer(text)]


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A text in small letters without accents, as recent search compares."""
    parts = unicodedata.normalize("NFKD", text.replace("\u2019", "'").casefold())
    return "".join(character for character in parts if not unicodedata.combining(character))


def lowered(text: str) -> str:
    """A text in small letters with its accents, as stream rules compare."""
    return unicodedata.normalize("NFC", text.replace("\u2019", "'").casefold())


def words(text: str) -> list[str]:
    """The words of an already folded or lowered text."""
    return _WORD.findall(text)


def entities(text: str, ids: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The entities of a text in wire shape; `ids` has user ids by handle in small letters."""
    found: dict[str, list[dict[str, Any]]] = {
        "mentions": [_mention(hit, ids) for hit in _MENTION.finditer(text)],
        "hashtags": [_tag(hit) for hit in _HASHTAG.finditer(text)],
        "cashtags": [_tag(hit) for hit in _CASHTAG.finditer(text)],
        "urls": [_link(*hit) for hit in links(text)],
    }
    return {name: rows for name, rows in found.items() if rows}


def _mention(hit: re.Match[str], ids: dict[str, str]) -> dict[str, Any]:
    row = {"start": hit.start(), "end": hit.end(), "username": hit[1]}
    known = ids.get(hit[1].lower())
    return {**row, "id": known} if known else row


def _tag(hit: re.Match[str]) -> dict[str, Any]:
    return {"start": hit.start(), "end": hit.end(), "tag": hit[1]}


def _link(start: int, end: int, link: str) -> dict[str, Any]:
    bare = re.sub(r"^https?://(?:www\.)?", "", link, flags=re.IGNORECASE)
    return {
        "start": start,
        "end": end,
        "url": link,
        "expanded_url": link if "://" in link else f"http://{link}",
        "display_url": bare if len(bare) <= SHOWN_LINK else bare[: SHOWN_LINK - 1] + "\u2026",
    }
