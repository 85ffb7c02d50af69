"""What is added to a saved search on its way to X."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.searching import complete_query
from carerespond.practice.query import compile_query

ALL = "-from:Us -@Us -is:retweet -is:nullcast"


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        ("ward", f"ward {ALL}"),
        ('"st elsewhere" ward', f'"st elsewhere" ward {ALL}'),
        ("a OR b", f"(a OR b) {ALL}"),
        ("(a OR b) c", f"(a OR b) c {ALL}"),
        ('"this OR that"', f'"this OR that" {ALL}'),
        ("this or that", f"this or that {ALL}"),
        ("ward -@us", "ward -@us -from:Us -is:retweet -is:nullcast"),
        ("ward -from:@US -is:retweet", "ward -from:@US -is:retweet -@Us -is:nullcast"),
        ("a OR b -@us", f"(a OR b -@us) {ALL}"),
        ("ward @Us", "ward @Us -from:Us -is:retweet -is:nullcast"),
        ("from:us ward", "from:us ward -@Us -is:retweet -is:nullcast"),
        ("  ward\n-is:nullcast ", "ward\n-is:nullcast -from:Us -@Us -is:retweet"),
        ('"half a phrase', f'"half a phrase {ALL}'),
    ],
)
def test_what_is_missing_is_added(query: str, whole: str) -> None:
    assert complete_query(query, "Us") == whole


@given(st.text(alphabet='ab"() OR-@:usfromis\n', max_size=60))
def test_nothing_of_a_query_is_lost(query: str) -> None:
    whole = complete_query(query, "Us")
    assert query.strip() in whole
    for term in ("from:us", "@us", "is:retweet", "is:nullcast"):
        assert term in whole.lower().replace(":@", ":")


def test_a_choice_is_still_a_choice_for_x() -> None:
    compile_query(complete_query('ward OR "eye clinic" OR (a b)', "Us"))  # refuses what X would
