"""History: every local act can be taken back, nothing in it can be changed."""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carerespond.domain.errors import ConflictError, NotAllowedError
from carerespond.storage import history
from carerespond.storage.database import Database, Query, Transaction, scalar
from carerespond.storage.history import Change
from tests.sending import Clock, add_case, opened

ME, MINE = "Asha", "session-a"

_TABLES = (
    "SELECT case_id, state, priority, priority_set_by, service, owner, claimed_until, outcome,"
    " closed_at, snoozed_until, is_unread, is_starred, is_muted, wrote_again FROM cases ORDER BY 1",
    "SELECT case_id, label FROM labels ORDER BY 1, 2",
    "SELECT note_id, case_id, text FROM notes WHERE removed_at IS NULL ORDER BY 1",
)


def fingerprint(database: Database) -> str:
    """A hash of all that a local act may change, as a person sees it."""
    rows = [
        repr(row) for sql in _TABLES for row in database.fetch_now(Query(sql, (), lambda row: row))
    ]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def count(database: Database) -> int:
    return int(database.fetch_now(Query("SELECT count(*) FROM history", (), scalar))[0])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        database.write_now(lambda tx: [add_case(tx, number) for number in range(1, 6)])
        yield database


Verb = Callable[[Transaction, int, Clock], object]


def cases_set(action: str, **values: str | int | None) -> Verb:
    return lambda tx, case_id, clock: history.change_cases(
        tx, ME, MINE, action, [case_id], values, clock.now()
    )


def label(word: str, *, there: bool) -> Verb:
    return lambda tx, case_id, clock: history.apply(
        tx,
        ME,
        MINE,
        "label",
        [Change("labels", (case_id, word), "label", word if there else None)],
        clock.now(),
    )


VERBS: list[Verb] = [
    cases_set("done", state="done", outcome="resolved", closed_at=1),
    cases_set("later", state="later", snoozed_until=99),
    cases_set("open", state="open", outcome=None),
    cases_set("mine", owner=ME, claimed_until=1_000),
    cases_set("release", owner=None, claimed_until=None),
    cases_set("raise", priority=0, priority_set_by=ME),
    cases_set("lower", priority=2, priority_set_by=ME),
    cases_set("star", is_starred=1),
    cases_set("unstar", is_starred=0),
    cases_set("mute", is_muted=1),
    cases_set("read", is_unread=0),
    label("parking", there=True),
    label("parking", there=False),
    label("food", there=True),
    lambda tx, case_id, clock: history.add_note(tx, ME, MINE, case_id, "rang back", clock.now()),
    lambda tx, case_id, clock: history.change_cases(
        tx, ME, MINE, "done", [1, 2, 3, 4, 5], {"state": "done"}, clock.now()
    ),
]


def act(database: Database, verb: Verb, case_id: int, clock: Clock) -> None:
    database.write_now(lambda tx: verb(tx, case_id, clock))


def change(
    database: Database,
    action: str,
    cases: list[int],
    values: Mapping[str, str | int],
    now: datetime,
) -> None:
    database.write_now(lambda tx: history.change_cases(tx, ME, MINE, action, cases, values, now))


def test_twenty_acts_and_twenty_undos_end_where_they_began(database: Database) -> None:
    clock, begun, done = Clock(), fingerprint(database), 0
    chance = random.Random(7)
    while done < 20:
        before = count(database)
        verb, case_id = chance.choice(VERBS), chance.randint(1, 5)
        act(database, verb, case_id, clock)
        done += count(database) - before
    assert fingerprint(database) != begun

    for _ in range(20):
        assert database.write_now(lambda tx: history.undo(tx, ME, MINE, clock.now())) is not None

    assert fingerprint(database) == begun
    assert count(database) == 40
    assert database.write_now(lambda tx: history.undo(tx, ME, MINE, clock.now())) is None


def test_redo_brings_everything_back_in_order(database: Database) -> None:
    clock = Clock()
    for verb in VERBS:
        act(database, verb, 2, clock)
    ended, acts = fingerprint(database), count(database)
    for _ in range(acts):
        database.write_now(lambda tx: history.undo(tx, ME, MINE, clock.now()))
    for _ in range(acts):
        assert database.write_now(lambda tx: history.redo(tx, ME, MINE, clock.now())) is not None
    assert fingerprint(database) == ended
    assert database.write_now(lambda tx: history.redo(tx, ME, MINE, clock.now())) is None


class Model:
    """What undo and redo must do, as two plain stacks of fingerprints."""

    def __init__(self, present: str) -> None:
        self.present = present
        self.past: list[str] = []
        self.future: list[str] = []

    def act(self, after: str) -> None:
        self.past.append(self.present)
        self.future.clear()
        self.present = after

    def undo(self) -> None:
        self.future.append(self.present)
        self.present = self.past.pop()

    def redo(self) -> None:
        self.past.append(self.present)
        self.present = self.future.pop()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, len(VERBS) - 1), st.integers(1, 5)),
        st.sampled_from([("undo", 0), ("undo", 0), ("redo", 0)]),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_mix_of_acts_undos_and_redos_is_two_stacks(
    steps: list[tuple[int | str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = Clock()
    with opened(tmp_path_factory.mktemp("mix")) as database:
        database.write_now(lambda tx: [add_case(tx, number) for number in range(1, 6)])
        model = Model(fingerprint(database))
        for step, case_id in steps:
            clock.pass_seconds(1)
            if step == "undo":
                undone = database.write_now(lambda tx: history.undo(tx, ME, MINE, clock.now()))
                assert (undone is not None) == bool(model.past)
                if undone:
                    model.undo()
            elif step == "redo":
                redone = database.write_now(lambda tx: history.redo(tx, ME, MINE, clock.now()))
                assert (redone is not None) == bool(model.future)
                if redone:
                    model.redo()
            else:
                before, verb = count(database), VERBS[int(step)]
                act(database, verb, case_id, clock)
                if count(database) > before:
                    model.act(fingerprint(database))
            assert fingerprint(database) == model.present


def test_a_bulk_act_is_one_row_and_one_undo(database: Database) -> None:
    clock, begun = Clock(), fingerprint(database)
    act = database.write_now(
        lambda tx: history.change_cases(
            tx, ME, MINE, "done", range(1, 6), {"state": "done", "outcome": "resolved"}, clock.now()
        )
    )
    assert act is not None
    assert act.case_ids == (1, 2, 3, 4, 5)
    assert count(database) == 1
    undone = database.write_now(lambda tx: history.undo(tx, ME, MINE, clock.now()))
    assert undone is not None
    assert undone.case_ids == (1, 2, 3, 4, 5)
    assert fingerprint(database) == begun


def test_what_already_is_so_is_not_recorded(database: Database) -> None:
    act = database.write_now(
        lambda tx: history.change_cases(tx, ME, MINE, "star", [1], {"is_starred": 0}, Clock().now())
    )
    assert act is None
    assert count(database) == 0


def test_undo_is_ones_own_and_of_this_session(database: Database) -> None:
    now = Clock().now()
    star = {"is_starred": 1}
    database.write_now(
        lambda tx: history.change_cases(tx, "Ben", "session-b", "star", [1], star, now)
    )
    database.write_now(lambda tx: history.change_cases(tx, ME, "older", "star", [2], star, now))
    assert database.write_now(lambda tx: history.undo(tx, ME, MINE, now)) is None


def test_undo_is_refused_when_a_colleague_changed_the_same_and_names_them(
    database: Database,
) -> None:
    now = Clock().now()
    database.write_now(
        lambda tx: history.change_cases(tx, ME, MINE, "lower", [1, 2], {"priority": 3}, now)
    )
    database.write_now(
        lambda tx: history.change_cases(tx, "Ben", "session-b", "raise", [2], {"priority": 0}, now)
    )
    before = fingerprint(database)
    with pytest.raises(ConflictError, match=r"Ben changed the same case since \(raise, 09:00"):
        database.write_now(lambda tx: history.undo(tx, ME, MINE, now))
    assert fingerprint(database) == before, "a refused undo changes nothing, not even case 1"
    assert count(database) == 2


def test_undo_is_refused_when_the_listener_changed_the_same(database: Database) -> None:
    now = Clock().now()
    database.write_now(
        lambda tx: history.change_cases(tx, ME, MINE, "done", [1], {"state": "done"}, now)
    )
    database.write_now(lambda tx: tx.execute("UPDATE cases SET state = 'open' WHERE case_id = 1"))
    with pytest.raises(ConflictError, match="by a new post"):
        database.write_now(lambda tx: history.undo(tx, ME, MINE, now))


def test_a_colleagues_change_of_something_else_does_not_stand_in_the_way(
    database: Database,
) -> None:
    now = Clock().now()
    database.write_now(
        lambda tx: history.change_cases(tx, ME, MINE, "star", [1], {"is_starred": 1}, now)
    )
    database.write_now(
        lambda tx: history.change_cases(tx, "Ben", "b", "mute", [1], {"is_muted": 1}, now)
    )
    assert database.write_now(lambda tx: history.undo(tx, ME, MINE, now)) is not None


def test_a_note_goes_out_of_sight_by_undo_and_comes_back_by_redo(database: Database) -> None:
    now = Clock().now()
    shown = Query("SELECT text FROM notes WHERE removed_at IS NULL", (), scalar)
    database.write_now(lambda tx: history.add_note(tx, ME, MINE, 1, "matron told", now))
    database.write_now(lambda tx: history.undo(tx, ME, MINE, now))
    assert database.fetch_now(shown) == []
    database.write_now(lambda tx: history.redo(tx, ME, MINE, now))
    assert database.fetch_now(shown) == ["matron told"]


@pytest.mark.parametrize(
    ("table", "column"),
    [("outbox", "state"), ("cases", "handle"), ("cases", "send_state"), ("posts", "text")],
)
def test_only_listed_columns_can_move(database: Database, table: str, column: str) -> None:
    change = Change(table, 1, column, "x")
    with pytest.raises(ValueError, match="may not move"):
        database.write_now(lambda tx: history.apply(tx, ME, MINE, "bad", [change], Clock().now()))


def test_a_case_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(NotAllowedError, match="no case 77"):
        database.write_now(
            lambda tx: history.change_cases(
                tx, ME, MINE, "star", [77], {"is_starred": 1}, Clock().now()
            )
        )


@pytest.mark.parametrize("sql", ["UPDATE history SET operator = 'Eve'", "DELETE FROM history"])
def test_history_is_only_added_to(database: Database, sql: str) -> None:
    now = Clock().now()
    database.write_now(
        lambda tx: history.change_cases(tx, ME, MINE, "star", [1], {"is_starred": 1}, now)
    )
    with pytest.raises(Exception, match="only added to"):
        database.write_now(lambda tx: tx.execute(sql))
    assert count(database) == 1


def test_the_acts_of_a_case_include_bulk_ones(database: Database) -> None:
    now = Clock().now()
    for cases, action in (([1, 2], "done"), ([2], "star"), ([3], "mute")):
        column = {"done": "state", "star": "is_starred", "mute": "is_muted"}[action]
        value: str | int = "done" if action == "done" else 1
        change(database, action, cases, {column: value}, now)
    assert [act.action for act in database.fetch_now(history.acts(2))] == ["star", "done"]
