"""What a conversation looked like, and what has happened in it since.

A draft remembers the conversation as it was when writing began: ids, hashes and handles, never the
words, so that a post which its author deletes does not live on in a draft.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from carerespond.domain.models import Post, ThreadChange

_GONE = "a post that stood here when you began"


def thread_fingerprint(posts: Sequence[Post]) -> str:
    """A conversation's state as one short text: another order of the same posts has the same.

    It changes with a new, edited or missing post and with a handle; never with likes or counts.
    """
    lines = sorted(json.dumps(one, sort_keys=True) for one in remember(posts))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def remember(posts: Sequence[Post]) -> list[dict[str, Any]]:
    """What to keep of a conversation beside a draft, ready for JSON: no words of anybody."""
    return [
        {
            "id": post.post_id,
            "version": post.version_id or post.post_id,
            "text": _digest(post.text),
            "author": post.author.author_id,
            "handle": post.author.handle,
            "ours": post.is_ours,
        }
        for post in posts
    ]


def changes_between(
    before: Sequence[Mapping[str, Any]], posts: Sequence[Post]
) -> list[ThreadChange]:
    """What has happened in a conversation, in the order of its posts, then what is gone.

    Args:
        before: What `remember` gave; when nothing is remembered, every post is new.
        posts: The conversation now.
    """
    known = {str(one.get("id", "")): one for one in before}
    handles = {str(one.get("author", "")): str(one.get("handle", "")) for one in before}
    changes: list[ThreadChange] = []
    renamed: set[str] = set()
    for post in sorted(posts, key=lambda one: (one.created_at, one.post_id)):
        author = post.author
        old = handles.get(author.author_id)
        if old is not None and old != author.handle and author.author_id not in renamed:
            renamed.add(author.author_id)
            changes.append(
                ThreadChange("has a new handle", author.handle, f"was @{old}, the same account")
            )
        changes.extend(_change(known.get(post.post_id), post))
    present = {post.post_id for post in posts}
    for post_id, one in known.items():
        if post_id not in present:
            handle = str(one.get("handle", ""))
            changes.append(ThreadChange("deleted or hidden", handle, _GONE))
    return changes


def _change(known: Mapping[str, Any] | None, post: Post) -> list[ThreadChange]:
    handle = post.author.handle
    if known is None:
        what = "answered as us" if post.is_ours else "wrote"
        return [ThreadChange(what, handle, post.text, post.created_at)]
    version = post.version_id or post.post_id
    if known.get("text") != _digest(post.text) or known.get("version") != version:
        return [ThreadChange("edited", handle, post.text)]
    return []


def _digest(text: str) -> str:
    # A lone surrogate has no UTF-8, and a hostile post may hold one.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
