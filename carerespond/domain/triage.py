"""Where a post goes and why: rules on its words, then what is known beside the words.

The same post, rules and context always give the same assessment. Triage flags some posts, not all:
a post without a flag still has to be seen by a person.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import Assessment, Post, Priority, Reason
from carerespond.domain.phrases import PhraseIndex, Words, words_of
from carerespond.domain.rulebook import Group, Language, Rules, load_rules
from carerespond.domain.text import one_line
from carerespond.domain.tone import tone_of

__all__ = ["Context", "Rules", "assess", "fires", "load_rules", "may_differ", "misfits"]

_WORDS_SHOWN = 4
_WORD_LONGEST = 60
_SECONDS_A_MINUTE = 60
_FEW_FOLLOWERS = 10
_NO_WORDS = frozenset({".", "?", "<link>", "<name>"})
_FEW_WORDS = 4  # fewer do not show their language
_SHARE_OTHER = 0.2
_SHARE_KNOWN = 0.1
_CODE = 2

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
    """What the groups add up to, by kind, in positive points; `words` is the words' whole score."""

    complaint: float = 0.0
    question: float = 0.0
    praise: float = 0.0
    noise: float = 0.0
    words: float = 0.0
    tone: float = 0.0
    is_pinned: bool = False


def assess(post: Post, rules: Rules, context: Context = _NO_CONTEXT) -> Assessment:
    """Where a post goes, its score (higher is sooner) and the reasons, which add up to the score.

    A post in a language without rules is placed by what is known beside its words, and by words
    that hold a case in the urgent pane, in whatever language they stand.

    Pinned risks stand first among the reasons, then the strongest.
    """
    words = words_of(post.text)
    foreign = _foreign(words, post.lang, rules)
    found = _matches(_linked(words, has_link=post.has_link), rules, foreign)
    strength = _strength(found)
    reasons = [_reason(group, said) for group, said in found]
    if foreign is None:
        reasons += _wording_reasons(words, rules, strength)
    strength.words = math.fsum(one.points for one in reasons)
    if foreign is not None:
        reasons.append(_foreign_reason(foreign, rules))
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


Differs = Callable[[str, bool], bool]


def may_differ(before: Rules, after: Rules) -> Differs:
    """Tells the posts that two sets of rules may assess otherwise; for all others they agree.

    A group says nothing of a post in which none of its phrases stands.

    Returns:
        Given a post's text and whether it has a link, False when both say the same of it.
    """
    if _beside_groups(before) != _beside_groups(after):
        return lambda text, has_link: True  # noqa: ARG005
    old = {group.group_id: group for group in before.groups}
    new = {group.group_id: group for group in after.groups}
    names = sorted({*old, *new})
    changed = [name for name in names if old.get(name) != new.get(name)]
    phrases = [rules[name].phrases for name in changed for rules in (old, new) if name in rules]
    index = PhraseIndex(phrases)
    return lambda text, has_link: bool(index.spans(_linked(words_of(text), has_link=has_link)))


def _beside_groups(rules: Rules) -> tuple[object, ...]:
    return (
        rules.panes,
        rules.labels,
        rules.tone,
        rules.length,
        rules.context,
        rules.languages,
        rules.lexicon,
    )


def misfits(rules: Rules) -> list[str]:
    """Sentences of the rules file that do not do what it says of them; empty when all do."""
    wrong = []
    for group in rules.groups:
        for sentence in group.must_match:
            if not fires(group, sentence):
                wrong.append(f"{group.group_id} must match: {sentence}")
        for sentence in group.must_not_match:
            if fires(group, sentence):
                wrong.append(f"{group.group_id} must not match: {sentence}")
    return wrong


# -- the words ---------------------------------------------------------------------------------


def _linked(words: Words, *, has_link: bool) -> Words:
    """The words of a post, with the link that the network took out of them."""
    if has_link and "<link>" not in words.plain:
        return Words(words.plain + "<link> ", words.raw, words.starts, words.spans)
    return words


def _matches(words: Words, rules: Rules, foreign: Language | None) -> list[tuple[Group, list[str]]]:
    found = [
        (group, said)
        for place, spans in sorted(rules.index.spans(words).items())
        if (said := _said(group := rules.groups[place], words, spans))
        and (foreign is None or group.is_pin or not group.is_bound)
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


def fires(group: Group, sentence: str) -> bool:
    """Whether a group counts in a sentence."""
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


# -- the wording as a whole --------------------------------------------------------------------


def _wording_reasons(words: Words, rules: Rules, strength: _Strength) -> list[Reason]:
    """The tone, and a little for who takes the trouble to write at length."""
    reasons = []
    if rules.lexicon is not None and rules.tone["weight"]:
        tone = tone_of(words, rules.lexicon)
        strength.tone = tone.compound
        points = round(-rules.tone["weight"] * tone.compound, 3)
        if points:
            text, said = ("harsh words", tone.harsh) if points > 0 else ("kind tone", tone.kind)
            shown = tuple(str(one_line(one, _WORD_LONGEST)) for one in said[:_WORDS_SHOWN])
            reasons.append(Reason("tone", text, points, shown))
    length = rules.length
    if len(words.starts) > length["words"] > 0:
        doublings = math.log2(len(words.starts) / length["words"])
        points = round(min(length["weight"] * doublings, length["most"]), 3)
        if points:
            reasons.append(Reason("length", "it is long", points))
    return reasons


def _foreign(words: Words, tag: str | None, rules: Rules) -> Language | None:
    """The language of a text when there are no rules for it; None when there are, or in doubt.

    A language shows itself by its common little words. The network's own tag counts only where
    the words say nothing: it is often wrong for short posts.
    """
    counts = dict.fromkeys(rules.languages, 0)
    total = 0
    letters = rules.language_words
    for token in words.plain.split():
        if token in _NO_WORDS:
            continue
        total += 1
        for language in letters.get(token, ()):
            counts[language] += 1
    if total < _FEW_WORDS:
        return None
    known = max((count for one, count in counts.items() if one.has_rules), default=0)
    others = [(count, one.code) for one, count in counts.items() if not one.has_rules]
    most, code = max(others, default=(0, ""))
    if most > known and most >= max(_SHARE_OTHER * total, 2):
        return next(one for one in rules.languages if one.code == code)
    if known >= _SHARE_KNOWN * total:
        return None
    if _is_other_script(words):
        return _tagged(tag, rules) or Language("", "another alphabet", frozenset(), has_rules=False)
    return _tagged(tag, rules)


def _tagged(tag: str | None, rules: Rules) -> Language | None:
    """The language that the network names, unless there are rules for it or it names none."""
    code = (tag or "").split("-")[0].lower()
    if len(code) != _CODE or code in ("in",):  # X writes "in" for Indonesian, and much else
        return None
    named = next((one for one in rules.languages if one.code == code), None)
    if named is None:
        return Language(code, f"the language {code}", frozenset(), has_rules=False)
    return None if named.has_rules else named


def _is_other_script(words: Words) -> bool:
    """Whether most letters are of no Latin alphabet."""
    letters = [one for one in words.raw if one.isalpha()]
    return sum(one > "\u024f" for one in letters) * 2 > len(letters)


def _foreign_reason(language: Language, rules: Rules) -> Reason:
    text = f"in {language.name}, for which there are no rules: placed by the rest"
    return Reason("context.unknown_language", text, rules.context["unknown_language"])


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
    if strength.complaint >= panes["barb"] or strength.question >= panes["soon"]:
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
    """Complaint, question, praise or other; complaint wins at a low cut."""
    labels = rules.labels
    against = strength.complaint - strength.praise - rules.tone["weight"] * strength.tone
    asks = strength.question >= labels["question"]
    if strength.is_pinned or (
        strength.complaint
        and against >= labels["complaint"]
        and not (asks and strength.complaint < labels["beside_question"])
    ):
        return "complaint"
    if asks and strength.praise < rules.panes["praise"]:
        return "question"
    if strength.praise >= rules.panes["praise"] or strength.tone > labels["kind_tone"]:
        return "praise"
    return "other"
