"""Telling an answer of ours in our own timeline from all the others.

A network gives a text back changed: the answered person's name in front, links shortened, `&`
spelled out. So texts are compared by their words. Whom a post answers is compared by id, always:
the same words to somebody else are another answer.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

from carerespond.domain.models import Post

# How alike a text must be that a person posted by hand, and may have changed a little.
BY_HAND = 0.6

_MENTIONS = re.compile(r"\A(?:\s*@\w{1,30})+")
_LINK = re.compile(r"(?:https?://|\bwww\.)\S+", re.IGNORECASE)
_LONGEST = 4_000


def plain(text: str) -> str:
    """A text's words for comparing: no leading mentions, every link alike, single spaces."""
    text = unicodedata.normalize("NFC", html.unescape(text[:_LONGEST]))
    text = _LINK.sub("<link>", _MENTIONS.sub("", text))
    return " ".join(text.split()).casefold()


def likeness(text: str, other: str) -> float:
    """How alike two texts are by their words: 1.0 is the same, 0.0 has nothing in common."""
    first, second = plain(text), plain(other)
    if first == second:
        return 1.0
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def find_answer(
    text: str,
    parents: Collection[str],
    posts: Iterable[Post],
    taken: Collection[str] = (),
    *,
    least: float = 1.0,
) -> Post | None:
    """The post of ours that is this answer, if it is among `posts`.

    Args:
        text: What was to be sent.
        parents: Every id by which the answered post goes (its versions have ids of their own).
        posts: Our own posts.
        taken: Ids that already belong to another answer.
        least: How alike the words must be; 1.0 for the same.

    Returns:
        The most alike; the oldest of those that are equally alike.
    """
    found = [
        (-likeness(text, post.text), post.created_at, post)
        for post in posts
        if post.in_reply_to in parents and post.post_id not in taken
    ]
    near = sorted((one for one in found if -one[0] >= least), key=lambda one: one[:2])
    return near[0][2] if near else None
