"""How kind or harsh the words of a post are, from -1 to 1.

The words' ratings and the method are VADER's (C. J. Hutto and E. Gilbert, ICWSM 2014): each rated
word counts, more so after "very" or in capitals, less so after "slightly", the other way round
after "not"; what follows a "but" counts more than what precedes it. Here a sentence ends the reach
of "not" and of "but", which the original does not do.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from carerespond.domain.phrases import Words, plain_word

__all__ = ["Lexicon", "Tone", "read_lexicon", "tone_of"]

_BOOST = 0.293
_CAPITALS = 0.733
_TURNED = -0.74
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_EXCLAMATION, _EXCLAMATIONS = 0.292, 4
_QUESTION, _QUESTIONS, _MANY_QUESTIONS = 0.18, 3, 0.96
_SPREAD = 15.0
_FADING = (1.0, 0.95, 0.9)  # of a word one, two and three places before


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MORE = _words(
    "absolutely amazingly awfully bloody completely considerably decidedly deeply effing "
    "enormously entirely especially exceptionally extremely fabulously flipping fricking "
    "frigging fully fucking greatly highly hugely incredibly intensely majorly more most "
    "particularly purely quite really remarkably so soo substantially thoroughly total "
    "totally tremendously truly unbelievably unusually utter utterly very"
)
_LESS = _words(
    "almost barely hardly kinda less little marginally occasionally partly scarcely slight "
    "slightly somewhat sorta bit"
)
_TURNERS = _words(
    "not never no none nobody nothing nowhere neither nor without despite rarely seldom aint "
    "arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt shouldnt "
    "wasnt werent wont wouldnt lack lacked lacking"
)
_ENDS = frozenset(".?")
_PLAIN_LINE = re.compile(r"^([A-Za-z]+)\t(-?[0-9]+(?:\.[0-9]+)?)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Ratings from about -4 (harsh) to 4 (kind): of words in plain letters, of other signs."""

    words: Mapping[str, float]
    signs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Tone:
    """The tone of a text.

    Attributes:
        compound: From -1 to 1; 0 when no word is rated.
        harsh: The text's words that lower it, strongest first.
        kind: The text's words that raise it, strongest first.
    """

    compound: float
    harsh: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()


@lru_cache(maxsize=2)
def read_lexicon(*texts: str) -> Lexicon:
    """Ratings from lines of a word, a tab and a number; later texts overrule earlier ones."""
    words: dict[str, float] = {}
    signs: dict[str, float] = {}
    for text in texts:
        # Nearly all lines are plain words: to read them at one go takes a third of the time.
        words.update((word, float(rating)) for word, rating in _PLAIN_LINE.findall(text))
        for line in _PLAIN_LINE.sub("", text).splitlines():
            word, tab, rating = line.partition("\t")
            if not tab or line.startswith("#\t"):
                continue
            if word[:1].isalpha() and word[-1:].isalpha():
                words[plain_word(word)] = float(rating)
            else:
                signs[word] = float(rating)
    return Lexicon(words, signs)


def tone_of(words: Words, lexicon: Lexicon) -> Tone:
    """The tone of a text's words."""
    rated = _rated_words(words, lexicon) + _rated_signs(words, lexicon)
    total = math.fsum(rating for rating, _ in rated)
    if not rated:
        return Tone(0.0)
    emphasis = _emphasis(words.raw)
    total += emphasis if total > 0 else -emphasis if total < 0 else 0.0
    compound = total / math.sqrt(total * total + _SPREAD)
    strongest = sorted(rated, key=lambda one: -abs(one[0]))
    return Tone(
        round(compound, 4),
        harsh=tuple(dict.fromkeys(said for rating, said in strongest if rating < 0 and said)),
        kind=tuple(dict.fromkeys(said for rating, said in strongest if rating > 0 and said)),
    )


def _rated_words(words: Words, lexicon: Lexicon) -> list[tuple[float, str]]:
    tokens, said = _tokens(words)
    shouted = _shouted(said)
    ratings = lexicon.words
    found: list[tuple[int, float]] = []
    for at, word in enumerate(tokens):
        rating = ratings.get(word)
        if rating is None or word in _MORE or word in _LESS:
            continue
        if word == "no" and at + 1 < len(tokens) and tokens[at + 1] in ratings:
            continue  # it turns the next word and has no weight of its own
        if word == "kind" and at + 1 < len(tokens) and tokens[at + 1] == "of":
            continue
        if at in shouted:
            rating += _CAPITALS if rating > 0 else -_CAPITALS
        found.append((at, _moved(rating, tokens, at, shouted)))
    # A word that was turned round counts and is not shown: "no" as a kind word puzzles.
    return [
        (rating, said[at] if rating * ratings[tokens[at]] > 0 else "")
        for at, rating in _but(tokens, found)
    ]


def _tokens(words: Words) -> tuple[list[str], list[str]]:
    """The plain words, and what each was in the text."""
    tokens: list[str] = []
    said: list[str] = []
    ends = (*words.starts[1:], len(words.plain)) if words.starts else ()
    for start, end, (first, last) in zip(words.starts, ends, words.spans, strict=True):
        parts = words.plain[start : end - 1].split()
        tokens += parts
        said += [words.raw[first:last]] * len(parts)
    return tokens, said


def _shouted(said: list[str]) -> frozenset[int]:
    """The places of words in capitals, where not everything is."""
    loud = frozenset(at for at, word in enumerate(said) if len(word) > 1 and word.isupper())
    lettered = sum(1 for word in said if word[:1].isalpha())
    return loud if len(loud) < lettered else frozenset()


def _moved(rating: float, tokens: list[str], at: int, shouted: frozenset[int]) -> float:
    """A rating after what the three words before it do to it."""
    for back, fading in enumerate(_FADING, 1):
        before = at - back
        if before < 0 or tokens[before] in _ENDS:
            break
        word = tokens[before]
        if word in _MORE or word in _LESS:
            step = _BOOST if word in _MORE else -_BOOST
            step += _CAPITALS * (before in shouted) * (1 if step > 0 else -1)
            rating += (step if rating > 0 else -step) * fading
        elif word in _TURNERS and not _is_high_praise(tokens, before):
            rating *= _TURNED
    return rating


def _is_high_praise(tokens: list[str], at: int) -> bool:
    """Whether "never" only strengthens ("never so kind"), or "without" does ("without doubt")."""
    following = tokens[at + 1 : at + 2]
    return (tokens[at] == "never" and following in (["so"], ["this"])) or (
        tokens[at] == "without" and following == ["doubt"]
    )


def _but(tokens: list[str], found: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """What follows a "but" in its sentence counts more, what precedes it less."""
    buts = [at for at, word in enumerate(tokens) if word == "but"]
    if not buts or not found:
        return found
    weights = [1.0] * len(tokens)
    for but in buts:
        start = next((at + 1 for at in range(but, -1, -1) if tokens[at] in _ENDS), 0)
        end = next((at for at in range(but, len(tokens)) if tokens[at] in _ENDS), len(tokens))
        for at in range(start, end):
            weights[at] = _BEFORE_BUT if at < but else _AFTER_BUT
    return [(at, rating * weights[at]) for at, rating in found]


def _rated_signs(words: Words, lexicon: Lexicon) -> list[tuple[float, str]]:
    """Emoticons stand alone between spaces; emoji stand anywhere."""
    signs = lexicon.signs
    found = [(signs[word], word) for word in words.raw.split() if word in signs]
    if words.raw.isascii():
        return found
    return found + [(signs[sign], sign) for sign in words.raw if sign in signs and sign > "\xff"]


def _emphasis(raw: str) -> float:
    exclamations = min(raw.count("!"), _EXCLAMATIONS) * _EXCLAMATION
    questions = raw.count("?")
    if questions <= 1:
        return exclamations
    return exclamations + (questions * _QUESTION if questions <= _QUESTIONS else _MANY_QUESTIONS)
