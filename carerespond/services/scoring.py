"""Triage of texts alone, without a database or a network: one post, or records of a file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from carerespond.domain.models import Assessment, Author, Post
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import Context, assess, kinds_of
from carerespond.services.records import read_record

_FINE = 100  # keeps the order of pinned posts below the urgent cut
_NOISE_DOWN = 20
_SELF_HARM = "risk_self_harm"
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Scorer:
    """Scores texts.

    Args:
        rules: The rules of triage.
        context: What is known beside each text; without a moment, so that the same text has the
            same score tomorrow.
        handles: Our own handles, without @: a text that holds one names us.
    """

    def __init__(self, rules: Rules, context: Context, handles: Sequence[str] = ()) -> None:
        self._rules = rules
        self._context = context
        self._names = tuple(f"@{handle}".casefold() for handle in handles if handle)

    def assess(self, text: str, lang: str | None = None) -> Assessment:
        """Where a text belongs and why."""
        plain = text.casefold()
        post = Post(
            network="",
            post_id="",
            author=Author("", "", "", ""),
            text=text,
            created_at=_ANY_DAY,
            lang=lang,
            mentions_us=any(name in plain for name in self._names),
        )
        return assess(post, self._rules, self._context)

    def flags(self, assessed: Assessment) -> dict[str, bool]:
        """What a post is beside its place: `selfharm`, `risk`, `noise`, by name."""
        return {
            "selfharm": any(reason.rule == _SELF_HARM for reason in assessed.reasons),
            "risk": "risk" in kinds_of(assessed, self._rules),
            "noise": assessed.is_noise,
        }

    def priority_score(self, assessed: Assessment) -> float:
        """How soon a post is to be read, higher is sooner: its score, but for two kinds of post.

        A pinned post counts at least as urgent; among those it goes by its score. News and selling
        come after everything else, whatever alarming words they hold.
        """
        if assessed.is_pinned:
            urgent = self._rules.panes["urgent"]
            return max(assessed.score, round(urgent + assessed.score / _FINE, 4))
        return assessed.score - _NOISE_DOWN * assessed.is_noise

    def line(self, raw: bytes) -> dict[str, Any]:
        """The scores of one line: a record with `id` and `text`, perhaps with `lang`.

        Raises:
            ValueError: It is no such record; says why.
            RecursionError: It is nested too deeply.
        """
        record = read_record(raw)
        name, text, lang = _id(record), _text(record, "text"), record.get("lang")
        assessed = self.assess(text, None if lang is None else _text(record, "lang"))
        return {
            "id": name,
            "priority_score": self.priority_score(assessed),
            "score": assessed.score,
            "label": assessed.label,
            **self.flags(assessed),
            "priority": assessed.priority.label,
            "reasons": [
                {
                    "rule": reason.rule,
                    "reason": reason.text,
                    "points": reason.points,
                    "words": list(reason.words),
                }
                for reason in assessed.reasons
            ],
        }


def _id(record: Mapping[str, Any]) -> str | int:
    name = record.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise ValueError("id is missing" if name is None else "id is no text and no whole number")
    return name


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is missing" if value is None else f"{key} is not text")  # noqa: TRY004 - a bad line, not a bug
    return value
