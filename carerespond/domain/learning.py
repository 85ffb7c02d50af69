"""What a team's own moves between panes teach: a small logistic regression, the same every time.

It knows two things about a post: which groups of the rules fired, and which words and pairs of
words stand in it. Words of strangers are keys of a dictionary here and nothing else. What it finds
becomes points beside those of the rules; it decides no pane, and no danger or noise hangs on it.
"""

import heapq
import json
import math
import random
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from carerespond.domain.phrases import Words

MOST_WORDS = 400  # of a post
LONGEST_WORD = 30  # characters: a longer one is no word of a language
MOST_NGRAMS = 6_000
RARER_KIND = 5  # decisions of either kind, fewer of which say nothing about it
_SEEN_IN = 2  # decisions with an n-gram, fewer of which are chance
_COUNT_MOST = 3

# Tuned by `python -m tests.benchmarks.learning`, by nothing else.
_GROUPS = 0.15  # the rules have weighed their groups already: they speak softly here
_WORDS = 1.4
_L2 = 0.01
_RATE = 0.5
_EPOCHS = 12
_SEED = 1
_RARER_COUNTS = 5
_FURTHEST = 3.0  # standard deviations
_RECENT_FEWEST = 100
_LEAST_SPREAD = 0.01  # posts that are all alike: nothing stands out
_ODDS_MOST = 30.0
_SLICE = 25  # posts between two pauses
_DIGITS = 5
_MOST = 1e6  # any number of a model beyond it was not learned

Pause = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a post: how often each group fired, and its words and pairs of words."""

    groups: Mapping[str, int]
    ngrams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A post that a person has put among the urgent ones or for today (`is_sooner`), or lower."""

    features: Features
    is_sooner: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned.

    Attributes:
        groups: Weights by the group's id; above 0 means sooner.
        words: Weights by word or pair of words.
        mean: Of what it says about posts in general; `spread` is the standard deviation.
        decisions: How many it was learned from; `sooner` of them were to come sooner.
    """

    groups: Mapping[str, float]
    words: Mapping[str, float]
    bias: float
    mean: float
    spread: float
    decisions: int
    sooner: int


def features(groups: Mapping[str, int], words: Words) -> Features:
    """What learning looks at in a post: the groups that fired, and its first `MOST_WORDS` words."""
    found: dict[str, None] = {}
    before = ""
    for word in words.plain.split(maxsplit=MOST_WORDS)[:MOST_WORDS]:
        if word == "." or len(word) > LONGEST_WORD:
            before = ""
            continue
        found[word] = None
        if before:
            found[f"{before} {word}"] = None
        before = "" if word == "?" else word
    counts = {group: min(count, _COUNT_MOST) for group, count in groups.items()}
    return Features(counts, tuple(found))


def is_enough(decisions: int, sooner: int, settings: Mapping[str, float]) -> bool:
    """Whether so many decisions can be learned from; `settings` is the table [learning]."""
    return decisions >= settings["from"] and min(sooner, decisions - sooner) >= RARER_KIND


def points_of(
    learned: Learned, post: Features, settings: Mapping[str, float]
) -> tuple[float, tuple[str, ...]]:
    """Points for a post, and its words that speak for them, the strongest first.

    The less there is to go by, the fewer the points: by the decisions, and by the rarer kind of
    them, as 500 cases put lower and 5 put higher teach little. Nothing known means no points.
    """
    if not is_enough(learned.decisions, learned.sooner, settings):
        return 0.0, ()
    words = [word for word in post.ngrams if word in learned.words]
    if not words and not any(group in learned.groups for group in post.groups):
        return 0.0, ()
    away = (_said(learned, post) - learned.mean) / learned.spread
    rarer = min(learned.sooner, learned.decisions - learned.sooner)
    evidence = min(learned.decisions, _RARER_COUNTS * rarer)
    share = evidence / (evidence + settings["half"])
    points = settings["weight"] * share * max(-_FURTHEST, min(_FURTHEST, away))
    sign = 1 if points > 0 else -1
    telling = [word for word in words if sign * learned.words[word] > 0]
    telling.sort(key=lambda word: (-sign * learned.words[word], word))
    return points, tuple(telling)


def strongest(learned: Learned, count: int, *, sooner: bool) -> list[tuple[str, float]]:
    """The words that speak most for sooner, or for later, with their weights."""
    sign = 1 if sooner else -1
    found = ((word, weight) for word, weight in learned.words.items() if sign * weight > 0)
    return heapq.nsmallest(count, found, key=lambda one: (-sign * one[1], one[0]))


def _said(learned: Learned, post: Features) -> float:
    """What the model says of a post, in log-odds."""
    parts = [learned.bias]
    for group, count in post.groups.items():
        parts.append(_GROUPS * count * learned.groups.get(group, 0.0))
    share = _share(post)
    parts += [share * learned.words[word] for word in post.ngrams if word in learned.words]
    return math.fsum(parts)


def _share(post: Features) -> float:
    """How much one word of a post counts: a long post is not more certain than a short one."""
    return _WORDS / math.sqrt(len(post.ngrams) or 1)


# -- learning ----------------------------------------------------------------------------------


def _no_pause() -> None:
    """Nobody waits."""


def learn(
    decisions: Sequence[Decision], recent: Sequence[Features] = (), pause: Pause = _no_pause
) -> Learned:
    """Learn from decisions: the same decisions in the same order give the same, bit for bit.

    Args:
        decisions: Of both kinds.
        recent: Posts as they come in, by which points are levelled: what is raised here is
            lowered there, so that the panes stay as full as they were. Few of them: the decisions.
        pause: Called every few posts, so that others get their turn.

    Raises:
        ValueError: All decisions are of one kind.
    """
    sooner = sum(one.is_sooner for one in decisions)
    if sooner in (0, len(decisions)):
        raise ValueError("all decisions are of one kind")
    fit = _Fit(decisions, sooner, pause)
    fit.run()
    learned = fit.learned(0.0, 1.0)
    level = recent if len(recent) >= _RECENT_FEWEST else [one.features for one in decisions]
    said = []
    for number, post in enumerate(level):
        said.append(_said(learned, post))
        if number % _SLICE == 0:
            pause()
    mean = math.fsum(said) / len(said)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in said) / len(said))
    return fit.learned(mean, max(spread, _LEAST_SPREAD))


def _vocabulary(decisions: Sequence[Decision]) -> list[str]:
    """The n-grams that several decisions have in common, the most frequent of them."""
    counts = Counter(ngram for one in decisions for ngram in one.features.ngrams)
    known = (ngram for ngram, count in counts.items() if count >= _SEEN_IN)
    return heapq.nsmallest(MOST_NGRAMS, known, key=lambda ngram: (-counts[ngram], ngram))


@dataclass(frozen=True, slots=True)
class _Example:
    """One decision by places of weights; arrays, as nothing has to be looked at for garbage."""

    groups: "array[int]"
    values: "array[float]"
    words: "array[int]"
    share: float
    wanted: float
    weight: float


class _Fit:
    """Logistic regression by AdaGrad: a step after each post, ever shorter where much was seen."""

    def __init__(self, decisions: Sequence[Decision], sooner: int, pause: Pause) -> None:
        self._groups = sorted({group for one in decisions for group in one.features.groups})
        self._words = _vocabulary(decisions)
        self._sooner = sooner
        self._pause = pause
        place = {group: number for number, group in enumerate(self._groups)}
        first = len(place)
        ngram_place = {ngram: first + number for number, ngram in enumerate(self._words)}
        both = len(decisions) / 2  # each kind weighs the same, however rare
        self._examples = []
        for number, one in enumerate(decisions):
            post = one.features
            self._examples.append(
                _Example(
                    groups=array("L", (place[group] for group in post.groups)),
                    values=array("d", (_GROUPS * count for count in post.groups.values())),
                    words=array("L", (ngram_place[n] for n in post.ngrams if n in ngram_place)),
                    share=_share(post),
                    wanted=float(one.is_sooner),
                    weight=both / (sooner if one.is_sooner else len(decisions) - sooner),
                )
            )
            if number % _SLICE == 0:
                pause()
        self._weights = [0.0] * (first + len(self._words))
        self._steps = [1e-8] * len(self._weights)
        self._bias, self._bias_steps = 0.0, 1e-8

    def run(self) -> None:
        """Go through all posts several times, each time in another order, the same ones always."""
        order = list(range(len(self._examples)))
        # Not for secrets: the order must be the same on every machine.
        mixed = random.Random(_SEED)  # noqa: S311
        for _ in range(_EPOCHS):
            mixed.shuffle(order)
            for number, place in enumerate(order):
                self._step(self._examples[place])
                if number % _SLICE == 0:
                    self._pause()

    def _step(self, one: _Example) -> None:
        weights, share = self._weights, one.share
        odds = self._bias
        for place, value in zip(one.groups, one.values, strict=True):
            odds += weights[place] * value
        for place in one.words:
            odds += weights[place] * share
        odds = max(-_ODDS_MOST, min(_ODDS_MOST, odds))
        error = (1.0 / (1.0 + math.exp(-odds)) - one.wanted) * one.weight
        self._bias_steps += error * error
        self._bias -= _RATE * error / math.sqrt(self._bias_steps)
        for place, value in zip(one.groups, one.values, strict=True):
            self._move(place, error * value)
        for place in one.words:
            self._move(place, error * share)

    def _move(self, place: int, slope: float) -> None:
        slope += _L2 * self._weights[place]
        self._steps[place] += slope * slope
        self._weights[place] -= _RATE * slope / math.sqrt(self._steps[place])

    def learned(self, mean: float, spread: float) -> Learned:
        """What came of it."""
        weights = [round(one, _DIGITS) for one in self._weights]
        first = len(self._groups)
        return Learned(
            groups=dict(zip(self._groups, weights[:first], strict=True)),
            words=dict(zip(self._words, weights[first:], strict=True)),
            bias=self._bias,
            mean=mean,
            spread=spread,
            decisions=len(self._examples),
            sooner=self._sooner,
        )


# -- as text -----------------------------------------------------------------------------------

_NUMBERS = ("bias", "mean", "spread")
_COUNTS = ("decisions", "sooner")


def write_learned(learned: Learned) -> str:
    """As one JSON text of less than 2 MB, which `read_learned` reads back to the same bit."""
    values = {name: getattr(learned, name) for name in (*_NUMBERS, *_COUNTS)}
    values |= {"groups": dict(learned.groups), "words": dict(learned.words)}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def mark_of(learned: Learned) -> str:
    """The same for the same model and no other, to tell by which one a case was placed."""
    import hashlib  # most installations do not learn

    return hashlib.sha256(write_learned(learned).encode()).hexdigest()[:16]


def read_learned(text: str) -> Learned | None:
    """What `write_learned` wrote; None when it is anything else."""
    try:
        values = json.loads(text)
        numbers = [values[name] for name in _NUMBERS]
        counts = [values[name] for name in _COUNTS]
        groups, words = values["groups"], values["words"]
        numbers += [*groups.values(), *words.values()]
        is_sound = all(isinstance(one, int | float) and abs(one) <= _MOST for one in numbers)
        is_sound &= all(isinstance(one, int) for one in counts) and values["spread"] >= 1 / _MOST
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    return Learned(groups, words, *numbers[:3], *counts) if is_sound else None
