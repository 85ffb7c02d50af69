from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from carerespond.domain.models import (
    Assessment,
    Author,
    BadRecord,
    Case,
    CaseFilter,
    CaseRow,
    CaseState,
    Post,
    Priority,
    Reason,
)
from carerespond.storage import cases, feed, posts
from carerespond.storage.database import Database, Query, scalar
from tests.sending import ACCOUNT, START, opened

SOON = Assessment(Priority.SOON, 3.0, (Reason("waiting", "A long wait", 3.0, ("wait",)),))
PRAISE = Assessment(Priority.PRAISE, 1.0, label="praise")
DANGER = Assessment(Priority.URGENT, 30.0, is_pinned=True)


@pytest.fixture(name="database")
def open_one(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


def post(
    number: int, text: str = "the wait", *, by: int = 1, thread: int = 0, minutes: int = 0
) -> Post:
    author = Author("x", f"u{by}", f"person{by}", f"Person {by}")
    return Post(
        "x",
        f"p{number}",
        author,
        text,
        START + timedelta(minutes=minutes),
        version_id=f"p{number}",
        conversation=f"t{thread or number}",
        raw=b'{"id": 1}',
    )


def store(
    database: Database,
    *found: Post,
    assessment: Assessment = SOON,
    source: str = "search:a",
    minutes: int = 0,
) -> posts.PageResult:
    now = START + timedelta(minutes=minutes)
    assessed = [(one, assessment, None) for one in found]
    return database.write_now(
        lambda tx: posts.store_page(tx, source, assessed, account=ACCOUNT, now=now)
    )


def only_case(database: Database) -> Case:
    return database.fetch_now(cases.case(1))[0]


def number_of(database: Database, table: str) -> int:
    number: int = database.fetch_now(Query(f"SELECT count(*) FROM {table}", (), scalar))[0]
    return number


def test_a_post_becomes_a_case_with_all_that_was_known(database: Database) -> None:
    result = store(database, post(1))
    assert (result.new, result.known, result.cases) == (1, 0, [1])
    case = only_case(database)
    assert case.head.text == "the wait"
    assert case.head.raw == b'{"id": 1}'
    assert case.author.name == "Person 1"
    assert case.assessment == SOON
    assert case.searches == ("search:a",)
    assert case.state is CaseState.OPEN


def test_a_post_found_by_two_searches_is_one_row(database: Database) -> None:
    store(database, post(1))
    again = store(database, post(1), source="search:b")
    assert (again.new, again.known) == (0, 1)
    assert number_of(database, "posts") == 1
    assert only_case(database).searches == ("search:a", "search:b")


def test_storing_a_page_again_changes_nothing_and_wakes_nobody(database: Database) -> None:
    store(database, post(1), post(2))
    before = database.fetch_now(feed.latest())
    store(database, post(1), post(2))
    assert database.fetch_now(feed.latest()) == before
    assert database.fetch_now(cases.counts()) == [("open", int(Priority.SOON), 2)]


def test_several_posts_of_one_person_in_a_thread_are_one_case(database: Database) -> None:
    store(database, post(2, "and another thing", thread=7, minutes=2), post(1, thread=7))
    case = only_case(database)
    assert number_of(database, "cases") == 1
    assert case.head.text == "and another thing"
    row = database.fetch_now(cases.row(1))[0]
    assert (row.posts, row.snippet) == (2, "and another thing")


def test_two_people_in_a_thread_are_two_cases(database: Database) -> None:
    store(database, post(1, thread=7), post(2, by=2, thread=7))
    assert number_of(database, "cases") == 2


def test_our_own_post_joins_the_thread_and_is_no_case(database: Database) -> None:
    ours = replace(post(2, "We are sorry", by=9, thread=7, minutes=1), is_ours=True)
    store(database, post(1, thread=7), ours)
    assert number_of(database, "cases") == 1
    assert [one.is_ours for one in database.fetch_now(posts.thread("x", "t7"))] == [False, True]


@pytest.mark.parametrize("state", ["done", "later"])
def test_a_new_post_opens_a_closed_case_again(database: Database, state: str) -> None:
    store(database, post(1, thread=7))
    database.write_now(
        lambda tx: tx.execute("UPDATE cases SET state = ?, outcome = 'resolved'", (state,))
    )
    store(database, post(2, "thank you!", thread=7, minutes=5), assessment=PRAISE)
    case = only_case(database)
    assert (case.state, case.wrote_again, case.outcome) == (CaseState.OPEN, True, None)
    assert case.assessment.priority is Priority.PRAISE


def test_an_open_case_stands_where_its_most_pressing_post_puts_it(database: Database) -> None:
    store(database, post(1, thread=7), assessment=DANGER)
    store(database, post(2, "thanks", thread=7, minutes=5), assessment=PRAISE)
    assert only_case(database).assessment == DANGER
    assert only_case(database).head.text == "thanks"


def test_a_persons_own_choice_of_pane_yields_to_danger_alone(database: Database) -> None:
    store(database, post(1, thread=7), assessment=PRAISE)
    database.write_now(
        lambda tx: tx.execute("UPDATE cases SET priority = 4, priority_set_by = 'Asha'")
    )
    store(database, post(2, thread=7, minutes=1), assessment=SOON)
    assert only_case(database).assessment.priority is Priority.WATCH
    store(database, post(3, thread=7, minutes=2), assessment=DANGER)
    assert only_case(database).assessment.priority is Priority.URGENT


def test_a_muted_case_stays_closed_unless_there_is_danger(database: Database) -> None:
    store(database, post(1, thread=7))
    database.write_now(lambda tx: tx.execute("UPDATE cases SET state = 'done', is_muted = 1"))
    store(database, post(2, thread=7, minutes=1))
    assert only_case(database).state is CaseState.DONE
    store(database, post(3, thread=7, minutes=2), assessment=DANGER)
    assert only_case(database).state is CaseState.OPEN


def test_an_edited_post_shows_its_new_words_and_is_searched_by_them(database: Database) -> None:
    store(database, post(1, "the weight"))
    edited = replace(post(1, "the wait was endless"), version_id="p1-2", is_edited=True)
    assert store(database, edited).known == 1
    case = only_case(database)
    assert (case.head.text, case.head.version_id) == ("the wait was endless", "p1-2")
    assert database.fetch_now(cases.row(1))[0].snippet == "the wait was endless"
    assert [row.case_id for row in database.fetch_now(posts.search("endless"))] == [1]
    assert database.fetch_now(posts.search("weight")) == []


def test_two_versions_on_one_page_leave_the_newer_words(database: Database) -> None:
    edited = replace(post(1, "the wait was endless"), version_id="p1-2", is_edited=True)
    done = store(database, post(1, "the weight"), edited, post(2, "another"))
    assert (done.new, done.known) == (2, 1)
    heads = [database.fetch_now(cases.case(case_id))[0].head.text for case_id in (1, 2)]
    assert heads == ["the wait was endless", "another"]
    assert [row.case_id for row in database.fetch_now(posts.search("endless"))] == [1]
    assert database.fetch_now(posts.search("weight")) == []


def test_a_deleted_post_is_out_of_the_thread_and_of_the_search(database: Database) -> None:
    store(database, post(1, "ward six"))
    assert database.write_now(lambda tx: posts.mark_deleted(tx, "x", "p1", START))
    assert not database.write_now(lambda tx: posts.mark_deleted(tx, "x", "p1", START))
    assert database.fetch_now(posts.thread("x", "t1")) == []
    assert database.fetch_now(posts.search("ward")) == []
    assert only_case(database).deleted_at == START


@pytest.mark.parametrize(
    "words",
    ['"', "*", "a OR b", "NEAR(a b)", "text:wait", "^wait", "(", "-wait", "a AND", "\ud800", "'"],
)
def test_what_is_typed_into_the_search_is_never_an_operator(database: Database, words: str) -> None:
    store(database, post(1, "nothing of the kind"))
    assert database.fetch_now(posts.search(words)) == []


def test_the_search_takes_an_unfinished_last_word_and_no_accents(database: Database) -> None:
    store(database, post(1, "the café by the clinic"), post(2, "another clinic"))
    assert [row.case_id for row in database.fetch_now(posts.search("cafe clin"))] == [1]


def test_a_text_that_is_no_unicode_is_stored_all_the_same(database: Database) -> None:
    store(database, post(1, "a lone \ud83d surrogate"))
    assert "surrogate" in only_case(database).head.text


def test_a_bad_record_is_kept_once(database: Database) -> None:
    bad = [BadRecord(b"{", "cut off"), BadRecord(b"[]", "no object")]
    for expected in (2, 0):
        kept = database.write_now(lambda tx: posts.quarantine(tx, "search:a", bad, START))
        assert kept == expected
    assert database.fetch_now(posts.quarantined()) == [2]


def fill(database: Database, number: int) -> list[CaseRow]:
    """Cases in every pane, with ties in every column; all of them in the one order."""
    for one in range(number):
        assessment = Assessment(
            Priority(one % 5), float(one % 3), is_pinned=one % 5 == 0 and one % 2 == 0
        )
        store(database, post(one + 1, by=one, minutes=one % 4), assessment=assessment)
    found: list[CaseRow] = []
    for pane in Priority:
        found += database.fetch_now(cases.page(CaseFilter(pane), limit=number))
    return found


def test_pages_follow_each_other_both_ways_without_a_hole_or_a_double(database: Database) -> None:
    everything = [row.case_id for row in fill(database, 83)]
    assert len(set(everything)) == 83
    down: list[CaseRow] = []
    while page := database.fetch_now(
        cases.page(CaseFilter(), after=down[-1] if down else None, limit=7)
    ):
        down += page
    assert [row.case_id for row in down] == everything
    up = [down[-1]]
    while page := database.fetch_now(cases.page(CaseFilter(), before=up[-1], limit=7)):
        up += page
    assert [row.case_id for row in reversed(up)] == everything


def test_the_order_is_priority_then_danger_then_score_then_newest(database: Database) -> None:
    keys = [
        (row.priority, not row.is_pinned, -row.score, -row.posted_at.timestamp(), -row.case_id)
        for row in fill(database, 60)
    ]
    assert keys == sorted(keys)


def test_a_page_is_read_from_the_index_without_sorting(database: Database) -> None:
    query = cases.page(CaseFilter(), limit=30)
    plan = database.fetch_now(
        Query(f"EXPLAIN QUERY PLAN {query.sql}", query.params, lambda row: str(row[3]))
    )
    assert not [line for line in plan if "TEMP B-TREE" in line]
    assert any("cases_in_order" in line for line in plan)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (CaseFilter(words=("WAIT",)), {1, 2}),
        (CaseFilter(words=("wait", "person2")), {2}),
        (CaseFilter(without=("dentist",)), {1}),
        (CaseFilter(words=("%",)), set()),
        (CaseFilter(owner="Asha"), {1}),
        (CaseFilter(owner=""), {2}),
        (CaseFilter(label="eyes"), {2}),
        (CaseFilter(starred=True), {1}),
        (CaseFilter(state=CaseState.DONE), set()),
    ],
)
def test_a_filter_keeps_what_it_asks_for(
    database: Database, wanted: CaseFilter, expected: set[int]
) -> None:
    store(database, post(1, "the wait"), post(2, "the wait at the dentist", by=2))
    database.write_now(
        lambda tx: tx.execute("UPDATE cases SET owner = 'Asha', is_starred = 1 WHERE case_id = 1")
    )
    database.write_now(lambda tx: tx.execute("INSERT INTO labels VALUES (2, 'eyes')"))
    assert {row.case_id for row in database.fetch_now(cases.page(wanted))} == expected


def test_counts_follow_every_move(database: Database) -> None:
    fill(database, 20)
    database.write_now(lambda tx: tx.execute("UPDATE cases SET state = 'done' WHERE priority = 1"))
    kept = {(state, pane): number for state, pane, number in database.fetch_now(cases.counts())}
    true = database.fetch_now(
        Query(
            "SELECT state, priority, count(*) FROM cases GROUP BY 1, 2",
            (),
            lambda row: ((row[0], row[1]), row[2]),
        )
    )
    assert kept == dict(true)


def test_what_was_put_off_comes_back_when_it_is_due(database: Database) -> None:
    store(database, post(1), post(2, by=2))
    later = int((START + timedelta(hours=1)).timestamp() * 1000)
    database.write_now(
        lambda tx: tx.execute(
            "UPDATE cases SET state = 'later', snoozed_until = ? + case_id", (later,)
        )
    )
    due = START + timedelta(hours=1, milliseconds=1)
    assert database.fetch_now(cases.due_to_wake(due)) == [1]
    assert database.write_now(lambda tx: cases.wake_snoozed(tx, due)) == [1]
    assert only_case(database).state is CaseState.OPEN
