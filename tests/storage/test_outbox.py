"""The outbox: decided once, moved only from the state that the mover saw."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from carerespond.domain.errors import ConflictError, Refusal
from carerespond.domain.models import Reply, SendState
from carerespond.storage import duty, history, outbox
from carerespond.storage.database import Database, Query, scalar
from carerespond.storage.outbox import NewReply
from tests.sending import START, Clock, add_case, new_reply, opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        database.write_now(lambda tx: [add_case(tx, number) for number in (1, 2, 3)])
        yield database


def queue(database: Database, new: NewReply, clock: Clock | None = None) -> int:
    now = (clock or Clock()).now()
    return database.write_now(lambda tx: outbox.queue(tx, new, now=now, send_at=now))


def row(database: Database, outbox_id: int) -> Reply:
    return database.fetch_now(outbox.reply(outbox_id))[0]


def send_state(database: Database, case_id: int) -> str | None:
    sql = "SELECT send_state FROM cases WHERE case_id = ?"
    found: str | None = database.fetch_now(Query(sql, (case_id,), scalar))[0]
    return found


def test_the_second_person_sees_who_was_first_and_how_long_ago(database: Database) -> None:
    clock = Clock()
    queue(database, new_reply(1, operator="Asha"), clock)
    clock.pass_seconds(4)
    with pytest.raises(ConflictError, match=r"Asha queued a reply 4 s ago\."):
        queue(database, new_reply(1, operator="Ben"), clock)
    with pytest.raises(ConflictError, match=r"You queued a reply 4 s ago\."):
        queue(database, new_reply(1, operator="Asha"), clock)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (-9, "0 s ago")],
)
def test_a_stretch_of_time_is_told_in_its_largest_unit(seconds: int, told: str) -> None:
    assert outbox.ago(START + timedelta(seconds=seconds), START) == told


@pytest.mark.parametrize("state", [SendState.SENDING, SendState.SENT, SendState.UNKNOWN])
def test_an_answer_that_may_be_out_stands_in_the_way_of_another(
    database: Database, state: SendState
) -> None:
    first = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, first, "s1", START))
    if state is not SendState.SENDING:
        remote_id = "r1" if state is SendState.SENT else None
        database.write_now(lambda tx: outbox.finish(tx, first, 1, state, remote_id, None, START))
    with pytest.raises(ConflictError):
        queue(database, new_reply(1, operator="Ben"))


def test_the_table_itself_refuses_a_second_answer(database: Database) -> None:
    queue(database, new_reply(1))
    copy = (
        "INSERT INTO outbox (case_id, network, account, kind, in_reply_to, handle, text, key,"
        " state, operator, session, queued_at, send_at) SELECT case_id, network, account, kind,"
        " in_reply_to, handle, text, 'k2', state, operator, session, queued_at, send_at FROM outbox"
    )
    with pytest.raises(Exception, match="UNIQUE"):
        database.write_now(lambda tx: tx.execute(copy))


def test_a_second_answer_goes_in_with_a_reason(database: Database) -> None:
    queue(database, new_reply(1))
    second = queue(database, new_reply(1, second_reason="the clinic has moved"))
    assert database.fetch_now(outbox.second_reason(second)) == ["the clinic has moved"]


def test_an_answer_that_was_not_sent_makes_room_and_is_put_to_rest(database: Database) -> None:
    first = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.adopt_dead(tx, START, {"s1"}))
    assert [one.outbox_id for one in database.fetch_now(outbox.waiting_for_person())] == [first]
    queue(database, new_reply(1, operator="Ben"))
    assert row(database, first).state is SendState.TAKEN_BACK
    assert database.fetch_now(outbox.waiting_for_person()) == []


def test_a_row_is_begun_once_and_only_by_its_own_session(database: Database) -> None:
    outbox_id = queue(database, new_reply(1, session="s1"))
    assert database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s2", START)) is None
    begun = database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
    assert begun is not None
    assert (begun.state, begun.attempt, begun.fence) == (SendState.SENDING, 1, 1)
    assert database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START)) is None
    assert send_state(database, 1) == "sending"


def test_sent_needs_the_networks_id_in_the_verb_and_in_the_table(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))

    def sent_as(remote_id: str | None) -> None:
        database.write_now(
            lambda tx: outbox.finish(tx, outbox_id, 1, SendState.SENT, remote_id, None, START)
        )

    with pytest.raises(ValueError, match="named an id"):
        sent_as(None)
    with pytest.raises(ValueError, match="named an id"):
        sent_as("")
    with pytest.raises(Exception, match="CHECK"):
        database.write_now(lambda tx: tx.execute("UPDATE outbox SET state = 'sent'"))


def test_a_stale_senders_outcome_is_refused(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
    database.write_now(lambda tx: outbox.adopt_dead(tx, START, {"s1"}))
    late = database.write_now(
        lambda tx: outbox.finish(tx, outbox_id, 1, SendState.REFUSED, None, "late", START)
    )
    assert not late
    assert row(database, outbox_id).state is SendState.UNKNOWN


def test_taking_back_works_only_while_queued(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    taken = database.write_now(lambda tx: outbox.take_back(tx, outbox_id, START, by="Asha"))
    assert taken is not None
    assert taken.state is SendState.TAKEN_BACK
    assert send_state(database, 1) is None
    assert database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START)) is None

    other = queue(database, new_reply(2))
    database.write_now(lambda tx: outbox.claim(tx, other, "s1", START))
    assert database.write_now(lambda tx: outbox.take_back(tx, other, START)) is None
    assert row(database, other).state is SendState.SENDING


def test_what_dead_sessions_left_is_told_apart(database: Database) -> None:
    clock = Clock()
    database.write_now(lambda tx: duty.start_session(tx, "alive", "Ben", "h", 1, clock.now()))
    database.write_now(lambda tx: duty.start_session(tx, "dead", "Asha", "h", 2, clock.now()))
    waiting = queue(database, new_reply(1, session="dead"), clock)
    begun = queue(database, new_reply(2, session="dead"), clock)
    database.write_now(lambda tx: outbox.claim(tx, begun, "dead", clock.now()))
    others = queue(database, new_reply(3, session="alive"), clock)
    clock.pass_seconds(31)
    database.write_now(lambda tx: duty.renew_session(tx, "alive", clock.now()))

    moved = database.write_now(lambda tx: outbox.adopt_dead(tx, clock.now()))

    assert moved == [waiting, begun]
    assert row(database, waiting).state is SendState.NOT_SENT
    assert row(database, begun).state is SendState.UNKNOWN
    assert row(database, others).state is SendState.QUEUED
    assert database.write_now(lambda tx: outbox.adopt_dead(tx, clock.now())) == []


def test_a_row_in_sending_is_settled_by_nobody_else(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
    with pytest.raises(ValueError, match="its attempt alone"):
        database.write_now(
            lambda tx: outbox.settle(tx, outbox_id, SendState.SENDING, SendState.NOT_SENT, START)
        )


def test_an_unknown_row_is_looked_for_until_it_was(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
    database.write_now(
        lambda tx: outbox.finish(tx, outbox_id, 1, SendState.UNKNOWN, None, "lost", START)
    )
    assert [one.outbox_id for one in database.fetch_now(outbox.to_look_for())] == [outbox_id]
    database.write_now(lambda tx: outbox.looked(tx, outbox_id, "not there", START))
    assert database.fetch_now(outbox.to_look_for()) == []
    assert [one.problem for one in database.fetch_now(outbox.waiting_for_person())] == ["not there"]


def test_a_refused_row_waits_until_its_case_has_a_later_answer(database: Database) -> None:
    outbox_id = queue(database, new_reply(1))
    database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
    database.write_now(
        lambda tx: outbox.finish(tx, outbox_id, 1, SendState.REFUSED, None, "no", START)
    )
    assert len(database.fetch_now(outbox.waiting_for_person())) == 1
    queue(database, new_reply(1))
    assert database.fetch_now(outbox.waiting_for_person()) == []


def test_the_last_refusal_is_told_until_an_answer_was_sent(database: Database) -> None:
    note = history.note_down
    refused = Refusal.NOT_SUMMONED.value
    database.write_now(lambda tx: note(tx, "A", "s", "refused", START, case_id=1, detail=refused))
    assert database.fetch_now(outbox.last_refusal(1)) == [Refusal.NOT_SUMMONED]
    assert database.fetch_now(outbox.last_refusal(2)) == []
    database.write_now(lambda tx: note(tx, "A", "s", "sent", START, case_id=1, detail="r1"))
    assert database.fetch_now(outbox.last_refusal(1)) == []


ENDS = (
    SendState.SENT,
    SendState.UNKNOWN,
    SendState.REFUSED,
    SendState.NOT_SENT,
    SendState.QUEUED,
)


@pytest.mark.parametrize(("state", "by"), list(itertools.product(ENDS, ["finish", "settle"])))
def test_every_move_is_on_the_feed_and_on_the_case(
    database: Database, state: SendState, by: str
) -> None:
    outbox_id = queue(database, new_reply(1))
    seen = database.fetch_now(Query("SELECT max(seq) FROM changes", (), scalar))[0]
    remote_id = "r1" if state is SendState.SENT else None
    if by == "finish":
        database.write_now(lambda tx: outbox.claim(tx, outbox_id, "s1", START))
        assert database.write_now(
            lambda tx: outbox.finish(tx, outbox_id, 1, state, remote_id, None, START)
        )
    else:
        assert database.write_now(
            lambda tx: outbox.settle(
                tx, outbox_id, SendState.QUEUED, state, START, remote_id=remote_id
            )
        )
    told = Query("SELECT kind FROM changes WHERE seq > ? AND case_id = 1", (seen,), scalar)
    assert "outbox" in database.fetch_now(told)
    assert send_state(database, 1) == state.value
