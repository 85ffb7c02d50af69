"""Where a post goes and why: rules on its words, then what is known beside the words.

The same post, rules and context always give the same assessment. Triage flags some posts, not all:
a post without a flag still has to be seen by a person.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carerespond.domain.clocks import WorkingHours, counted
from carerespond.domain.learning import Features, Learned, features, points_of
from carerespond.domain.models import Assessment, Post, Priority, Reason
from carerespond.domain.phrases import PhraseIndex, Words, words_of
from carerespond.domain.rulebook import Group, Language, Rules, load_rules
from carerespond.domain.text import one_line
from carerespond.domain.tone import tone_of

__all__ = [
    "Context",
    "Placing",
    "Rules",
    "assess",
    "explain",
    "features_of",
    "fires",
    "kinds_of",
    "load_rules",
    "may_differ",
    "misfits",
]

_WORDS_SHOWN = 4
_WORD_LONGEST = 60
_SECONDS_A_MINUTE = 60
_SECONDS_AN_HOUR = 3600
_QUARTERS = 4
_WHOLE = 1
_LONGEST_WAIT = 4
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
        now: The present moment, aware UTC; None leaves waiting and spreading out.
        names_us: The words name us without @ (a mention or quote is known from the post).
        service_names: Names and nicknames of our services, to look for in the words.
        seen_before: How many earlier cases its author has.
        wrote_again: Its author wrote again after we answered or ended the case.
        followers: None to take it from the author.
        targets: Minutes that a case of each pane may wait, by label; none leaves waiting out.
        hours: When somebody works; None counts every minute.
    """

    now: datetime | None = None
    names_us: bool = False
    service_names: Sequence[str] = ()
    seen_before: int = 0
    wrote_again: bool = False
    followers: int | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    hours: WorkingHours | None = None


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
    waiting: float = 0.0
    is_pinned: bool = False


def assess(
    post: Post, rules: Rules, context: Context = _NO_CONTEXT, learned: Learned | None = None
) -> Assessment:
    """Where a post goes, its score (higher is sooner) and the reasons, which add up to the score.

    A post in a language without rules is placed by what is known beside its words, and by words
    that hold a case in the urgent pane, in whatever language they stand.

    What was learned from the team adds to the score. It makes no risk, noise or praise, and undoes
    none.

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
        waiting = _waiting_reasons(post, rules, context, strength)
        reasons += waiting
        strength.waiting = math.fsum(one.points for one in waiting)
        reasons += _learned_reasons(learned, words, found, rules)
    pins = {group.group_id for group, _ in found if group.is_pin}
    reasons.sort(key=lambda one: (one.rule not in pins, -abs(one.points), one.rule))
    score = round(math.fsum(one.points for one in reasons), 3)
    return Assessment(
        priority=_priority(post, score, strength, rules, context),
        score=score,
        reasons=tuple(reasons),
        label=_label(strength, rules),
        is_pinned=strength.is_pinned,
        is_noise=not strength.is_pinned and _is_noise(post, strength, rules, context),
    )


def kinds_of(assessment: Assessment, rules: Rules) -> frozenset[str]:
    """The kinds of the groups that fired: risk, complaint, question, praise, noise, sign."""
    fired = {reason.rule for reason in assessment.reasons}
    return frozenset(group.kind for group in rules.groups if group.group_id in fired)


@dataclass(frozen=True, slots=True)
class Placing:
    """Which pane the rules give, and by which of their cuts, in words."""

    priority: Priority
    why: str


def explain(placed: Assessment, post: Post, rules: Rules) -> Placing:
    """Where these reasons put a case by the rules of today, and which cut decides it.

    The pane differs from the one in `placed` where a person has moved the case, or where the rules
    have changed since.
    """
    kinds = {group.group_id: group.kind for group in rules.groups}
    strength = _Strength(is_pinned=placed.is_pinned)
    for one in placed.reasons:
        side = {"risk": "complaint"}.get(kind := kinds.get(one.rule, "sign"), kind)
        if side != "sign":
            setattr(strength, side, getattr(strength, side) + abs(one.points))
    strength.waiting = sum(one.points for one in placed.reasons if one.rule == "context.waiting")
    names_us = any(one.rule == "context.names_us" for one in placed.reasons)
    found = _priority(post, placed.score, strength, rules, Context(names_us=names_us))
    by_score = _by_score(placed.score, strength.waiting, rules)
    if placed.is_pinned:
        why = "a rule about danger holds it there, whatever the sum"
    elif found is Priority.PRAISE:
        cut = rules.panes["praise"]
        why = f"praise of {strength.praise:g} points is enough from {cut:g}, and no complaint"
    elif found is Priority.WATCH and by_score is not Priority.WATCH:
        why = "news, selling and reposts are watched, whatever the sum"
    elif found is not by_score:
        why = "praise with a complaint or a question in it is at least for soon"
    elif found is Priority.WATCH:
        why = f"the sum is below {rules.panes['soon']:g}"
    else:
        why = f"{found.name} begins at {rules.panes[found.label]:g}"
    return Placing(found, why)


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
        rules.learning,
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
    said: dict[str, str] = {}
    for start, end in spans:
        if len(said) == group.cap:
            break
        if group.idioms.overlap(words, start, end):
            continue
        if group.is_negatable and _is_negated(words.plain, start):
            continue
        said.setdefault(words.plain[start:end], words.said(start + 1, end))
    return list(said.values())


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
    points = round(sign * group.weight * len(said), 3)
    return Reason(group.group_id, group.reason, points, shown, group.is_pin)


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
    tokens = [token for token in words.plain.split() if token not in _NO_WORDS]
    total = len(tokens)
    if total < _FEW_WORDS:
        return None
    known, most, other = _common(tokens, rules)
    if most > known and most >= max(_SHARE_OTHER * total, 2):
        return other
    if known >= _SHARE_KNOWN * total:
        return None
    if _is_other_script(words):
        return _tagged(tag, rules) or Language("", "another alphabet", frozenset(), has_rules=False)
    return _tagged(tag, rules)


def _common(tokens: Sequence[str], rules: Rules) -> tuple[int, int, Language | None]:
    """How many words are common in a language with rules, at best; the same without, and which."""
    counts = [0] * len(rules.languages)
    for token in tokens:
        for place in rules.language_words.get(token, ()):
            counts[place] += 1
    known, most, other = 0, 0, None
    for language, count in zip(rules.languages, counts, strict=True):
        if language.has_rules:
            known = max(known, count)
        elif count > most:
            most, other = count, language
    return known, most, other


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
        ("reach", "many will read it", _reach(post, rules, context, strength), ()),
        ("spreading", "it is spreading fast", _spreading(post, rules, context, strength), ()),
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


def _waiting_reasons(
    post: Post, rules: Rules, context: Context, strength: _Strength
) -> list[Reason]:
    """Waiting, against the target of the pane where the words alone would put the post.

    Not of the pane where it stands: what is known besides would change its target, and could take
    more points away than it gives.
    """
    pane = _priority(post, strength.words, strength, rules, context)
    target = context.targets.get(pane.label, 0)
    if context.now is None or target <= 0:
        return []
    most = rules.context["waiting_most"]
    share = _share_waited(post.created_at, context.now, target, counted(context.hours, pane))
    steep = share if share <= 1 else 2 * share - 1
    points = round(min(rules.context["waiting"] * steep, most), 3)
    text = f"it has waited {share:.0%} of what its pane allows" if share < _WHOLE else "it is late"
    return [Reason("context.waiting", text, points)] if points else []


def _share_waited(
    since: datetime, now: datetime, target: float, hours: WorkingHours | None
) -> float:
    """How much of its time a post has waited, in quarters: a score is not to change by the minute.

    Counted up to four times the target.
    """
    most = target * _LONGEST_WAIT
    if hours is None:
        waited = min(max((now - since).total_seconds() / _SECONDS_A_MINUTE, 0.0), most)
    else:
        waited = hours.between(since, now, most)
    return math.floor(waited / target * _QUARTERS) / _QUARTERS


def _spreading(post: Post, rules: Rules, context: Context, strength: _Strength) -> float:
    """Only for what complains: shared and answered more often in an hour than the rules allow."""
    if context.now is None or not strength.complaint:
        return 0.0
    hours = max((context.now - post.created_at).total_seconds() / _SECONDS_AN_HOUR, 1.0)
    is_fast = (post.reposts + post.replies) / hours >= max(rules.context["spreading_from"], 1)
    return rules.context["spreading"] * is_fast


def _reach(post: Post, rules: Rules, context: Context, strength: _Strength) -> float:
    """Small, and only for what complains: twelve followers and a cry for help must win."""
    followers = context.followers if context.followers is not None else post.author.followers
    if not followers or followers <= _FEW_FOLLOWERS or not strength.complaint:
        return 0.0
    points = rules.context["reach"] * math.log10(followers / _FEW_FOLLOWERS)
    return min(points, rules.context["reach_most"])


# -- the team's own moves ----------------------------------------------------------------------


def features_of(post: Post, rules: Rules) -> Features:
    """What learning looks at in a post."""
    words = words_of(post.text)
    foreign = _foreign(words, post.lang, rules)
    return _features(words, _matches(_linked(words, has_link=post.has_link), rules, foreign))


def _features(words: Words, found: Sequence[tuple[Group, list[str]]]) -> Features:
    return features({group.group_id: len(said) for group, said in found}, words)


def _learned_reasons(
    learned: Learned | None,
    words: Words,
    found: Sequence[tuple[Group, list[str]]],
    rules: Rules,
) -> list[Reason]:
    if learned is None:
        return []
    points, telling = points_of(learned, _features(words, found), rules.learning)
    points = round(points, 3)
    if not points:
        return []
    shown = tuple(_as_written(words, one) for one in telling[:_WORDS_SHOWN])
    text = f"learned from {learned.decisions} decisions of your team"
    return [Reason("learned", text, points, shown)]


def _as_written(words: Words, plain: str) -> str:
    """Plain words of a post as they stand in it."""
    start = words.plain.find(f" {plain} ")
    said = words.said(start + 1, start + 1 + len(plain)) if start >= 0 else plain
    return str(one_line(said, _WORD_LONGEST))


# -- the pane ----------------------------------------------------------------------------------


def _priority(
    post: Post, score: float, strength: _Strength, rules: Rules, context: Context
) -> Priority:
    panes = rules.panes
    if strength.is_pinned:
        return Priority.URGENT
    if _is_noise(post, strength, rules, context):
        return Priority.WATCH
    by_score = _by_score(score, strength.waiting, rules)
    if strength.praise < panes["praise"]:
        return by_score
    if strength.complaint >= panes["barb"] or strength.question >= panes["soon"]:
        return min(by_score, Priority.SOON)  # praise with a barb is not left among the thanks
    return Priority.PRAISE


def _is_noise(post: Post, strength: _Strength, rules: Rules, context: Context) -> bool:
    """News, selling and reposts; in doubt it is somebody who should be heard."""
    panes = rules.panes
    is_plain = strength.noise >= panes["noise_for_sure"]  # a headline may be full of alarming words
    if strength.complaint >= panes["today"] and not is_plain:
        return False
    if post.is_repost:
        return True
    if _is_to_us(post, context) and (strength.complaint or strength.question):
        return False
    return is_plain or (strength.noise >= panes["noise"] and strength.praise < panes["praise"])


def _by_score(score: float, waiting: float, rules: Rules) -> Priority:
    """By the score; waiting alone makes nothing urgent: that pane is for what cannot wait."""
    panes = rules.panes
    if score - waiting >= panes["urgent"]:
        return Priority.URGENT
    if score >= panes["today"]:
        return Priority.TODAY
    return Priority.SOON if score >= panes["soon"] else Priority.WATCH


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
