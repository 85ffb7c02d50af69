"""What the words alone teach: logistic regression on TF-IDF of words and pairs, five folds."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from carerespond.domain.phrases import words_of

_FOLDS, _ROUNDS, _SEED = 5, 6, 1
_STEP, _RIDGE = 0.1, 1e-6  # the best of a few, in favour of this model
_RAREST = 2

Vector = list[tuple[int, float]]


def held_out_scores(texts: Sequence[str], wanted: Sequence[bool]) -> list[float]:
    """A score for each text from a model that has not seen it; always the same for the same."""
    grams = [_grams(text) for text in texts]
    order = list(range(len(texts)))
    random.Random(_SEED).shuffle(order)
    scores = [0.0] * len(texts)
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        seen = [place for number, place in enumerate(order) if number % _FOLDS != fold]
        rarity = _rarity([grams[place] for place in seen])
        weights = _learn(
            [_vector(grams[place], rarity) for place in seen], [wanted[place] for place in seen]
        )
        for place in held:
            scores[place] = _sum(_vector(grams[place], rarity), weights)
    return scores


def _grams(text: str) -> Counter[str]:
    words = words_of(text).plain.split()
    return Counter(words + [f"{one} {two}" for one, two in pairwise(words)])


def _rarity(seen: Sequence[Counter[str]]) -> dict[str, tuple[int, float]]:
    """A number and the inverse document frequency for each word and pair that is not too rare."""
    spread = Counter(gram for one in seen for gram in one)
    common = sorted(gram for gram, count in spread.items() if count >= _RAREST)
    return {
        gram: (number, math.log((1 + len(seen)) / (1 + spread[gram])) + 1)
        for number, gram in enumerate(common)
    }


def _vector(grams: Counter[str], rarity: dict[str, tuple[int, float]]) -> Vector:
    vector = [
        (rarity[gram][0], (1 + math.log(count)) * rarity[gram][1])
        for gram, count in grams.items()
        if gram in rarity
    ]
    length = math.sqrt(sum(value * value for _, value in vector)) or 1.0
    return [(number, value / length) for number, value in vector]


def _learn(vectors: Sequence[Vector], wanted: Sequence[bool]) -> list[float]:
    """The weights by AdaGrad; the last is the constant."""
    size = 1 + max((number for one in vectors for number, _ in one), default=-1)
    weights, squares = [0.0] * (size + 1), [1e-8] * (size + 1)
    order = list(range(len(vectors)))
    shuffled = random.Random(_SEED)
    for _ in range(_ROUNDS):
        shuffled.shuffle(order)
        for place in order:
            vector = [*vectors[place], (size, 1.0)]
            guess = 1 / (1 + math.exp(-max(min(_sum(vector, weights), 30.0), -30.0)))
            error = guess - wanted[place]
            for number, value in vector:
                slope = error * value + _RIDGE * weights[number]
                squares[number] += slope * slope
                weights[number] -= _STEP * slope / math.sqrt(squares[number])
    return weights


def _sum(vector: Vector, weights: Sequence[float]) -> float:
    constant = 0.0 if vector and vector[-1][0] == len(weights) - 1 else weights[-1]
    return constant + sum(weights[number] * value for number, value in vector)
