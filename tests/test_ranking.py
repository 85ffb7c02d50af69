"""The figures by which triage is judged, against the mean over every order of what is tied."""

from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import ranking
from tests.benchmarks.words_model import held_out_scores

Figure = Callable[[Sequence[float], Sequence[bool]], float]
FIGURES: dict[str, Figure] = {
    "AP": ranking.average_precision,
    "R@30": lambda scores, wanted: ranking.recall_at(scores, wanted, 0.3),
    "P@50": lambda scores, wanted: ranking.precision_at(scores, wanted, 0.5),
    "AUC": ranking.area,
}
LISTS = st.lists(st.tuples(st.sampled_from((0.0, 1.0, 2.0)), st.booleans()), min_size=1, max_size=6)


def plainly(name: str, wanted: Sequence[bool]) -> float:
    """A figure of a list without ties, from the top, straight from its definition."""
    places = [place for place, is_wanted in enumerate(wanted, 1) if is_wanted]
    if name == "AP":
        return fmean(sum(wanted[:place]) / place for place in places) if places else 0.0
    if name == "AUC":
        pairs = [
            one < two for one in places for two in range(1, len(wanted) + 1) if not wanted[two - 1]
        ]
        return fmean(pairs) if pairs else 0.5
    first = ranking.top(len(wanted), {"R@30": 0.3, "P@50": 0.5}[name])
    return sum(wanted[:first]) / (max(len(places), 1) if name == "R@30" else first)


@pytest.mark.parametrize("name", FIGURES)
@given(rows=LISTS)
def test_what_is_tied_counts_as_the_mean_over_every_order(
    name: str, rows: list[tuple[float, bool]]
) -> None:
    orders = [sorted(order, key=lambda one: -one[0]) for order in permutations(rows)]
    mean = fmean(plainly(name, [is_wanted for _, is_wanted in order]) for order in orders)
    scores, wanted = [score for score, _ in rows], [is_wanted for _, is_wanted in rows]
    assert FIGURES[name](scores, wanted) == pytest.approx(mean)


def test_a_score_that_says_nothing_is_worth_the_share_of_what_is_wanted() -> None:
    scores, wanted = [1.0] * 1000, [True] * 100 + [False] * 900
    assert ranking.area(scores, wanted) == 0.5
    assert ranking.recall_at(scores, wanted, 0.2) == pytest.approx(0.2)
    assert ranking.precision_at(scores, wanted, 0.1) == pytest.approx(0.1)
    assert ranking.average_precision(scores, wanted) == pytest.approx(0.1, abs=0.01)


def test_the_f1_of_each_class() -> None:
    right = ["a", "a", "b", "b", "c"]
    given_names = ["a", "b", "b", "b", "a"]
    assert ranking.f1_by_class(given_names, right) == pytest.approx({"a": 0.5, "b": 0.8, "c": 0.0})


def test_the_model_of_words_learns_and_always_the_same() -> None:
    texts = [f"{'rude' if number % 3 else 'kind'} nurse {number}" for number in range(60)]
    wanted = [number % 3 > 0 for number in range(60)]
    scores = held_out_scores(texts, wanted)
    assert ranking.area(scores, wanted) == 1.0
    assert scores == held_out_scores(texts, wanted)
