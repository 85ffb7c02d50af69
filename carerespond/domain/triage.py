"""Where a post goes and why: rules on its words, then what is known beside the words.

The same post, rules and context always give the same assessment. Triage flags some posts, not all:
a post without a flag still has to be seen by a person.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import Assessment, Post, Priority, Reason
from carerespond.domain.phrases import Words, words_of
from carerespond.domain.rulebook import Group, Rules, load_rules
from carerespond.domain.text import one_line

__all__ = ["Context", "Rules", "assess", "load_rules", "misfits"]

_WORDS_SHOWN = 4
_WORD_LONGEST = 60
_SECONDS_A_MINUTE = 60
_FEW_FOLLOWERS = 10

_NEGATED = re.compile(
    r"(?: (?:not|never|isnt|wasnt|arent|werent|dont|didnt|doesnt|hasnt|havent|hadnt|cant|couldnt"
    r"|wont|wouldnt|hardly|far from|lack of|less than|nid|dim)(?: [^ .?]+){0,2}"
    r"| (?:no|nothing|nobody|neither|nor)(?: [^ .?]+)?) ?\Z"
)
_NEGATION_REACH = 48


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about a post beside its words.

    Attributes:
        now: The present moment, aware UTC; None leaves waiting out.
        names_us: The words name us without @ (a mention or quote is known from the post).
        service_names: Names and nicknames of our services, to look for in the words.
        seen_before: How many earlier cases its author has.
        wrote_again: Its author wrote again after we answered or ended the case.
        followers: None to take it from the author.
        target_minutes: How long a case may wait; 0 leaves waiting out.
    """

    now: datetime | None = None
    names_us: bool = False
    service_names: Sequence[str] = ()
    seen_before: int = 0
    wrote_again: bool = False
    followers: int | None = None
    target_minutes: float = 0.0


_NO_CONTEXT = Context()


@dataclass(slots=True)
class _Strength:
    """What the groups add up to, by kind, in positive points."""

    complaint: float = 0.0
    question: float = 0.0
    praise: float = 0.0
    noise: float = 0.0
    is_pinned: bool = False


def assess(post: Post, rules: Rules, context: Context = _NO_CONTEXT) -> Assessment:
    """Where a post goes, its score (higher is sooner) and the reasons, which add up to the score.

    Pinned risks stand first among the reasons, then the strongest.
    """
    words = words_of(post.text)
    found = _matches(post, words, rules)
    strength = _strength(found)
    reasons = [_reason(group, said) for group, said in found]
    if not post.is_ours:
        reasons += _context_reasons(post, words, rules, context, strength)
    pins = {group.group_id for group, _ in found if group.is_pin}
    reasons.sort(key=lambda one: (one.rule not in pins, -abs(one.points), one.rule))
    score = round(math.fsum(one.points for one in reasons), 3)
    return Assessment(
        priority=_priority(post, score, strength, rules, context),
        score=score,
        reasons=tuple(reasons),
        label=_label(strength, rules),
        is_pinned=strength.is_pinned,
    )


def misfits(rules: Rules) -> list[str]:
    """Sentences of the rules file that do not do what it says of them; empty when all do."""
    wrong = []
    for group in rules.groups:
        for sentence in group.must_match:
            if not _fires(group, sentence):
                wrong.append(f"{group.group_id} must match: {sentence}")
        for sentence in group.must_not_match:
            if _fires(group, sentence):
                wrong.append(f"{group.group_id} must not match: {sentence}")
    return wrong


# -- the words ---------------------------------------------------------------------------------


def _matches(post: Post, words: Words, rules: Rules) -> list[tuple[Group, list[str]]]:
    if post.has_link and "<link>" not in words.plain:
        words = Words(words.plain + "<link> ", words.raw, words.starts, words.spans)
    found = [
        (group, said)
        for place, spans in sorted(rules.index.spans(words).items())
        if (said := _said(group := rules.groups[place], words, spans))
    ]
    return [one for one in found if not _yields(one[0], found, rules)]


def _yields(group: Group, found: Sequence[tuple[Group, list[str]]], rules: Rules) -> bool:
    """Whether a group gives way to the praise around it.

    None does in a post that complains of something else. A pinned one needs much praise, and a post
    that asks nothing.
    """
    if not group.yields_to_praise:
        return False
    praise = sum(one.weight * len(said) for one, said in found if one.kind == "praise")
    against = {"risk", "complaint", "question"} if group.is_pin else {"risk", "complaint"}
    if any(one.kind in against and not one.yields_to_praise for one, _ in found):
        return False
    return praise >= rules.panes["praise"] * (2 if group.is_pin else 1)


def _fires(group: Group, sentence: str) -> bool:
    words = words_of(sentence)
    return bool(_said(group, words, group.phrases.spans(words)))


def _said(group: Group, words: Words, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The different words that make a group fire, at most `cap` of them."""
    if not spans or group.unless.occur(words):
        return []
    idioms = group.idioms.spans(words)
    said: dict[str, str] = {}
    for start, end in spans:
        if any(first < end and start < last for first, last in idioms):
            continue
        if group.is_negatable and _is_negated(words.plain, start):
            continue
        said.setdefault(words.plain[start:end], words.said(start + 1, end))
    return list(said.values())[: group.cap]


def _is_negated(plain: str, start: int) -> bool:
    return _NEGATED.search(plain, max(start - _NEGATION_REACH, 0), start) is not None


def _strength(found: Sequence[tuple[Group, list[str]]]) -> _Strength:
    strength = _Strength()
    for group, said in found:
        points = group.weight * len(said)
        side = "complaint" if group.kind == "risk" else group.kind
        if side != "sign":
            setattr(strength, side, getattr(strength, side) + points)
        strength.is_pinned = strength.is_pinned or group.is_pin
    return strength


def _reason(group: Group, said: Sequence[str]) -> Reason:
    sign = -1 if group.kind in ("praise", "noise") else 1
    shown = tuple(str(one_line(one, _WORD_LONGEST)) for one in said[:_WORDS_SHOWN])
    return Reason(group.group_id, group.reason, round(sign * group.weight * len(said), 3), shown)


# -- beside the words --------------------------------------------------------------------------


def _context_reasons(
    post: Post, words: Words, rules: Rules, context: Context, strength: _Strength
) -> list[Reason]:
    weights = rules.context
    named = _service_named(words, context.service_names)
    seen = min(weights["seen_before"] * context.seen_before, weights["seen_before_most"])
    terms = (
        ("names_us", "it names us", weights["names_us"] * _is_to_us(post, context), ()),
        (
            "service_named",
            "it names a service of ours",
            weights["service_named"] * bool(named),
            named,
        ),
        ("wrote_again", "they wrote again", weights["wrote_again"] * context.wrote_again, ()),
        ("seen_before", f"they wrote {context.seen_before} times before", seen, ()),
        ("waiting", "it has waited", _waiting(post, rules, context), ()),
        ("reach", "many will read it", _reach(post, rules, context, strength), ()),
    )
    return [
        Reason(f"context.{name}", text, round(points, 3), said)
        for name, text, points, said in terms
        if round(points, 3)
    ]


def _is_to_us(post: Post, context: Context) -> bool:
    return post.mentions_us or post.quotes_us or context.names_us


def _service_named(words: Words, names: Sequence[str]) -> tuple[str, ...]:
    named = [
        name for name in names if (plain := words_of(name).plain).strip() and plain in words.plain
    ]
    return tuple(str(one_line(name, _WORD_LONGEST)) for name in sorted(set(named)))


def _waiting(post: Post, rules: Rules, context: Context) -> float:
    """Even until the target, steeper after it, never above `waiting_most`."""
    if context.now is None or context.target_minutes <= 0:
        return 0.0
    waited = (context.now - post.created_at).total_seconds() / _SECONDS_A_MINUTE
    share = max(waited / context.target_minutes, 0.0)
    steep = share if share <= 1 else 2 * share - 1
    return min(rules.context["waiting"] * steep, rules.context["waiting_most"])


def _reach(post: Post, rules: Rules, context: Context, strength: _Strength) -> float:
    """Small, and only for what complains: twelve followers and a cry for help must win."""
    followers = context.followers if context.followers is not None else post.author.followers
    if not followers or followers <= _FEW_FOLLOWERS or not strength.complaint:
        return 0.0
    points = rules.context["reach"] * math.log10(followers / _FEW_FOLLOWERS)
    return min(points, rules.context["reach_most"])


# -- the pane ----------------------------------------------------------------------------------


def _priority(
    post: Post, score: float, strength: _Strength, rules: Rules, context: Context
) -> Priority:
    panes = rules.panes
    if strength.is_pinned:
        return Priority.URGENT
    if _is_noise(post, strength, rules, context):
        return Priority.WATCH
    by_score = _by_score(score, rules)
    if strength.praise < panes["praise"]:
        return by_score
    if strength.complaint or strength.question >= panes["soon"]:
        return min(by_score, Priority.SOON)  # praise with a barb is not left among the thanks
    return Priority.PRAISE


def _is_noise(post: Post, strength: _Strength, rules: Rules, context: Context) -> bool:
    if strength.complaint >= rules.panes["today"]:
        return False
    if post.is_repost:
        return True
    is_for_us = _is_to_us(post, context) and (strength.complaint or strength.question)
    return strength.noise >= rules.panes["noise"] and not is_for_us


def _by_score(score: float, rules: Rules) -> Priority:
    for priority in (Priority.URGENT, Priority.TODAY, Priority.SOON):
        if score >= rules.panes[priority.label]:
            return priority
    return Priority.WATCH


def _label(strength: _Strength, rules: Rules) -> str:
    """Complaint, question, praise or other; complaint wins at a low cut, save over more praise."""
    outweighed = not strength.is_pinned and strength.praise > strength.complaint
    if strength.is_pinned or (strength.complaint >= rules.labels["complaint"] and not outweighed):
        return "complaint"
    if strength.question >= rules.labels["question"] and strength.praise < rules.panes["praise"]:
        return "question"
    if strength.praise >= rules.panes["praise"]:
        return "praise"
    return "other"
