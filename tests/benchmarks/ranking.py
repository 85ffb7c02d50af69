"""How well scores put the right posts first; equal scores count as their mean over every order."""

from collections.abc import Iterator, Sequence

Ties = Iterator[tuple[int, int]]


def _ties(scores: Sequence[float], wanted: Sequence[bool]) -> Ties:
    """From the top: how many posts share a score, and how many of them are wanted."""
    count = hits = 0
    last: float | None = None
    for score, is_wanted in sorted(zip(scores, wanted, strict=True), key=lambda one: -one[0]):
        if score != last and count:
            yield count, hits
            count = hits = 0
        last = score
        count += 1
        hits += is_wanted
    if count:
        yield count, hits


def average_precision(scores: Sequence[float], wanted: Sequence[bool]) -> float:
    """The mean, over the wanted posts, of the precision of the list down to each."""
    above = hits_above = 0
    total = 0.0
    for count, hits in _ties(scores, wanted):
        for place in range(1, count + 1):
            # Where this place holds a wanted post, so many of those tied before it do in the mean.
            before = (place - 1) * (hits - 1) / (count - 1) if count > 1 else 0.0
            total += hits / count * (hits_above + 1 + before) / (above + place)
        above += count
        hits_above += hits
    return total / hits_above if hits_above else 0.0


def hits_in_first(scores: Sequence[float], wanted: Sequence[bool], share: float) -> float:
    """How many wanted posts stand in the first share of the list."""
    room = top(len(scores), share)
    found = 0.0
    for count, hits in _ties(scores, wanted):
        found += hits * min(room / count, 1.0)
        room = max(room - count, 0)
    return found


def top(count: int, share: float) -> int:
    """How many posts the first share of a list holds."""
    return max(1, round(count * share))


def recall_at(scores: Sequence[float], wanted: Sequence[bool], share: float) -> float:
    """The share of all wanted posts that stands in the first share of the list."""
    return hits_in_first(scores, wanted, share) / max(sum(wanted), 1)


def precision_at(scores: Sequence[float], wanted: Sequence[bool], share: float) -> float:
    """The share of the first share of the list that is wanted."""
    return hits_in_first(scores, wanted, share) / top(len(scores), share)


def area(scores: Sequence[float], wanted: Sequence[bool]) -> float:
    """The chance that a wanted post stands above another (AUC); an equal score is half a chance."""
    better = hits_above = 0.0
    for count, hits in _ties(scores, wanted):
        better += (count - hits) * (hits_above + hits / 2)
        hits_above += hits
    pairs = hits_above * (len(scores) - hits_above)
    return better / pairs if pairs else 0.5


def f1_by_class(given: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """The F1 of each class that is right somewhere; their plain mean is the macro-F1."""
    scores = {}
    for name in sorted(set(right)):
        hits = sum(one == two == name for one, two in zip(given, right, strict=True))
        both = list(given).count(name) + list(right).count(name)
        scores[name] = 2 * hits / both if both else 0.0
    return scores
