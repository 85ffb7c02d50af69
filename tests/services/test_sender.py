"""The sender: an answer leaves once, after its take-back time, or is not sent and says why."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from carerespond.domain.errors import (
    AnswerLostError,
    BadAnswerError,
    BudgetError,
    CarerespondError,
    ConfigError,
    CreditError,
    NetworkError,
    NotAllowedError,
    RateLimitedError,
    Refusal,
    RefusedError,
    ServerFaultError,
    SetUpError,
    SignInError,
    UnreachableError,
)
from carerespond.domain.models import Charge, SendState
from carerespond.networks.base import Capabilities
from carerespond.storage import history, outbox
from carerespond.storage.database import Query, scalar
from tests.sending import (
    START,
    Clock,
    Desk,
    FakeNetwork,
    add_case,
    add_post,
    desk,
    opened,
    person_post,
)

LOOK_SECONDS = 20 + 2 * 5


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    clock = Clock()
    with opened(tmp_path) as database:
        database.write_now(lambda tx: [add_case(tx, number) for number in range(1, 6)])
        network = FakeNetwork(now=clock.now, posts={f"p{n}": person_post(n) for n in range(1, 6)})
        yield desk(database, network, clock)


def case(here: Desk, number: int, column: str) -> object:
    sql = f"SELECT {column} FROM cases WHERE case_id = ?"
    return here.database.fetch_now(Query(sql, (number,), scalar))[0]


async def test_an_answer_leaves_when_its_take_back_time_is_over(here: Desk) -> None:
    outbox_id = here.queue(1)
    await here.work_until(19.9)
    assert here.network.calls == []
    assert here.sender.seconds_left(outbox_id) == pytest.approx(0.1)
    await here.work_until(0.1)
    row = here.row(outbox_id)
    assert (row.state, row.remote_id, row.attempt) == (SendState.SENT, "r1", 1)
    assert here.network.keys == [row.key]
    assert here.network.truth[0].in_reply_to == "p1"


async def test_a_sent_answer_closes_its_case_under_the_name_of_its_writer(here: Desk) -> None:
    here.queue(1)
    await here.work_until(20)
    assert case(here, 1, "state") == "done"
    assert case(here, 1, "outcome") == "answered"
    assert case(here, 1, "send_state") == "sent"
    (act,) = here.database.fetch_now(history.acts(1))
    assert (act.action, act.operator, act.detail) == ("sent", "Asha", "r1")
    undone = here.database.write_now(lambda tx: history.undo(tx, "Asha", "s1", START))
    assert undone is None, "no key takes a sent answer back"


async def test_a_case_stays_open_when_the_person_has_written_again(here: Desk) -> None:
    here.queue(1)
    here.database.write_now(
        lambda tx: add_post(tx, 1, "p1b", "p1", 1, text="and another thing", in_reply_to="p1")
    )
    await here.work_until(20)
    assert case(here, 1, "state") == "open"
    assert case(here, 1, "send_state") == "sent"


async def test_what_was_asked_of_the_network_is_charged(here: Desk) -> None:
    here.queue(1)
    await here.work_until(20)
    assert here.charged == [Charge("post_read", "p1"), Charge("summoned_reply")]


@pytest.mark.parametrize("hours", [-2, 2])
async def test_the_wall_clock_does_not_move_the_take_back_time(here: Desk, hours: float) -> None:
    outbox_id = here.queue(1)
    await here.work_until(10)
    here.clock.jump(hours)
    await here.work_until(9.9)
    assert here.row(outbox_id).state is SendState.QUEUED
    await here.work_until(0.1)
    assert here.row(outbox_id).state is SendState.SENT


async def test_only_the_session_that_queued_sends(here: Desk) -> None:
    outbox_id = here.queue(1)
    other = desk(here.database, here.network, here.clock, session="s2", operator="Ben", pid=2)
    await here.presence.keep()
    await other.work_until(20)
    assert here.network.calls == []
    assert await other.sender.send(outbox_id) is not None
    assert here.network.calls.count("reply") == 0
    await here.work_until(0)
    assert here.row(outbox_id).state is SendState.SENT


async def test_a_row_of_ours_that_nobody_announced_still_gets_its_whole_take_back_time(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    here.sender.forget(outbox_id)
    await here.work_until(19.9)
    assert here.row(outbox_id).state is SendState.QUEUED
    await here.work_until(0.1)
    assert here.row(outbox_id).state is SendState.SENT


# -- before the wire ----------------------------------------------------------------------------


async def test_a_post_that_is_gone_is_not_answered(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.gone["p1"] = "deleted by its author"
    await here.work_until(20)
    row = here.row(outbox_id)
    assert row.state is SendState.NOT_SENT
    assert row.problem == "Not sent: The post is gone (deleted by its author)."
    assert "reply" not in here.network.calls
    assert here.draft(1) == "We are sorry"
    assert case(here, 1, "deleted_at") is not None


async def test_a_post_edited_since_it_was_read_is_not_answered(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.edit("p1", "thank you, all is well")
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert "edited" in str(here.row(outbox_id).problem)
    assert here.network.truth == []


async def test_a_post_that_cannot_be_read_again_is_not_answered(here: Desk) -> None:
    outbox_id = here.queue(1)
    del here.network.posts["p1"]
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert here.network.truth == []


@pytest.mark.parametrize(
    ("later", "why"), [(105, "answered from our account already"), (801, "could not be checked")]
)
async def test_an_answer_by_hand_stops_ours_however_much_we_have_posted_since(
    here: Desk, later: int, why: str
) -> None:
    outbox_id = here.queue(1)
    here.network.post_by_hand("so sorry, DM us", "p1")
    for number in range(later):
        here.network.post_by_hand(f"flu clinic {number}", "elsewhere")
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert why in str(here.row(outbox_id).problem)
    assert here.network.calls.count("reply") == 0


@pytest.mark.parametrize(("later", "state"), [(105, "sent"), (801, "unknown")])
async def test_a_lost_answer_is_not_there_only_when_we_have_looked_far_enough(
    here: Desk, later: int, state: str
) -> None:
    here.network.lost = [AnswerLostError("no answer")]
    outbox_id = here.queue(1)
    await here.work_until(20)
    for number in range(later):
        here.network.post_by_hand(f"flu clinic {number}", "elsewhere")
    await here.work_until(LOOK_SECONDS)
    row = here.row(outbox_id)
    assert row.state.value == state
    assert "none there" not in str(row.problem)


async def test_an_answer_from_the_networks_own_application_stops_ours(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.post_by_hand("so sorry, DM us", "p1")
    await here.work_until(20)
    row = here.row(outbox_id)
    assert row.state is SendState.NOT_SENT
    assert "answered from our account already" in str(row.problem)
    assert len(here.network.truth) == 1


async def test_an_answer_of_ours_in_the_stored_thread_stops_another_without_a_read(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    here.database.write_now(
        lambda tx: add_post(tx, None, "r9", "p1", 0, text="on it", is_ours=True, in_reply_to="p1")
    )
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert here.network.calls == ["lookup"]


async def test_a_second_answer_with_a_reason_goes_out_beside_the_first(here: Desk) -> None:
    here.network.post_by_hand("so sorry, DM us", "p1")
    outbox_id = here.queue(1, second_reason="the clinic has moved")
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.SENT


async def test_nothing_leaves_while_its_outcome_could_not_be_written_down(
    tmp_path: Path,
) -> None:
    clock, free = Clock(), [1000]
    with opened(tmp_path) as database:
        database.write_now(lambda tx: add_case(tx, 1))
        network = FakeNetwork(now=clock.now, posts={"p1": person_post(1)})
        here = desk(database, network, clock, free_bytes=lambda: free[-1])
        outbox_id = here.queue(1)
        await here.work_until(21)
        assert network.calls == []
        assert "disk is full" in str(here.row(outbox_id).problem)
        free.append(1 << 30)
        await here.work_until(31)
        assert here.row(outbox_id).state is SendState.SENT


async def test_an_account_without_a_sign_in_sends_nothing(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.account = "elsewhere"
    bare = desk(here.database, here.network, here.clock)
    bare.sender.expect(here.row(outbox_id))
    await bare.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert here.draft(1) == "We are sorry"


async def test_an_error_that_is_no_networks_ends_no_sender(here: Desk) -> None:
    error = ConfigError("x.token: this secret can be read by others.", "Run: chmod 600 x.token")
    first, second = here.queue(1), here.queue(2)
    here.network.reads = [error]  # type: ignore[list-item]  # what a network must not raise
    here.network.answers = [error]  # type: ignore[list-item]
    await here.work_until(20)
    assert (here.row(first).state, here.row(first).problem) == (SendState.REFUSED, str(error))
    assert here.draft(1) == "We are sorry"
    assert here.row(second).state is SendState.UNKNOWN, "after the wire nothing is certain"
    third = here.queue(3)
    await here.work_until(20)
    assert here.row(third).state is SendState.SENT


async def test_working_the_outbox_never_ends_by_an_error_in_words(here: Desk) -> None:
    met: list[CarerespondError] = []

    async def work() -> None:
        met.append(ConfigError("A file cannot be used."))
        raise met[-1]

    here.finder.work_due = work  # type: ignore[method-assign]  # nothing else raises it
    running = asyncio.ensure_future(here.sender.run())
    for _ in range(200):
        if met:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert met
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# -- what the network says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        SignInError("The sign-in has expired.", "Run: carerespond login x"),
        SetUpError("The app may not write."),
        CreditError("Out of credit."),
        BudgetError("The budget is spent."),
        RefusedError("They did not mention us.", Refusal.NOT_SUMMONED, "Answer in the browser."),
        RefusedError("Said before.", Refusal.DUPLICATE),
    ],
)
@pytest.mark.parametrize("when", ["reading", "replying"])
async def test_a_refusal_keeps_the_text_and_says_what_to_do(
    here: Desk, error: NetworkError, when: str
) -> None:
    outbox_id = here.queue(1)
    (here.network.reads if when == "reading" else here.network.answers).append(error)
    await here.work_until(20)
    row = here.row(outbox_id)
    assert (row.state, row.problem) == (SendState.REFUSED, str(error))
    assert here.draft(1) == "We are sorry"
    assert here.network.truth == []
    assert case(here, 1, "state") == "open"
    reasons = here.database.fetch_now(outbox.last_refusal(1))
    assert reasons == ([error.reason] if isinstance(error, RefusedError) else [])


@pytest.mark.parametrize(
    "error",
    [AnswerLostError("No answer."), BadAnswerError("HTML."), ServerFaultError("503.")],
)
async def test_a_lost_answer_is_looked_for_and_found(here: Desk, error: NetworkError) -> None:
    outbox_id = here.queue(1)
    here.network.lost.append(error)
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.UNKNOWN
    assert here.draft(1) is None, "an unknown answer is not offered for sending again"
    await here.work_until(LOOK_SECONDS - 1)
    assert here.row(outbox_id).state is SendState.UNKNOWN
    await here.work_until(6)
    row = here.row(outbox_id)
    assert (row.state, row.remote_id) == (SendState.SENT, "r1")
    assert here.network.calls.count("reply") == 1
    assert case(here, 1, "state") == "done"


async def test_a_lost_answer_that_is_not_there_waits_for_a_person_and_is_never_sent_again(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    here.network.answers.append(AnswerLostError("No answer."))
    await here.work_until(20 + LOOK_SECONDS + 6)
    row = here.row(outbox_id)
    assert row.state is SendState.UNKNOWN
    assert "it was sent, or it was not sent" in str(row.problem)
    await here.work_until(3600)
    assert here.network.calls.count("reply") == 1
    assert [one.outbox_id for one in here.database.fetch_now(outbox.waiting_for_person())] == [
        outbox_id
    ]


async def test_an_answer_that_shows_late_is_not_missed_by_looking_early(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.lost.append(AnswerLostError("No answer."))
    here.network.hidden = 1
    await here.work_until(20 + LOOK_SECONDS - 1)
    here.network.hidden = 0
    await here.work_until(7)
    assert here.row(outbox_id).state is SendState.SENT


async def test_sent_is_said_only_with_the_networks_id(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.empty_id = True
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.UNKNOWN
    await here.work_until(LOOK_SECONDS + 6)
    assert here.row(outbox_id).remote_id == "r1"


async def test_a_duplicate_after_an_unknown_is_looked_for_not_refused(here: Desk) -> None:
    first = here.queue(1)
    here.network.lost.append(AnswerLostError("No answer."))
    here.network.hidden = 1
    await here.work_until(20 + LOOK_SECONDS + 6)
    await here.finder.it_was_not_sent(first, "Asha")
    assert here.draft(1) == "We are sorry"

    second = here.queue(1)
    here.network.answers.append(RefusedError("Already said.", Refusal.DUPLICATE))
    await here.work_until(20)
    assert here.row(second).state is SendState.UNKNOWN
    here.network.hidden = 0
    await here.work_until(LOOK_SECONDS + 6)
    assert (here.row(second).state, here.row(second).remote_id) == (SendState.SENT, "r1")
    assert len(here.network.truth) == 1


async def test_the_same_words_to_somebody_else_are_not_taken_for_the_answer(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.answers.append(AnswerLostError("No answer."))
    here.network.post_by_hand("We are sorry", "p2")
    await here.work_until(20 + LOOK_SECONDS + 6)
    assert here.row(outbox_id).state is SendState.UNKNOWN


async def test_one_post_is_not_the_proof_of_two_answers(here: Desk) -> None:
    first = here.queue(1)
    here.network.lost.append(AnswerLostError("No answer."))
    second = here.queue(1, second_reason="twice by mistake")
    here.network.answers += [None, AnswerLostError("No answer.")]
    await here.work_until(20 + LOOK_SECONDS + 6)
    states = sorted([here.row(first).state, here.row(second).state])
    assert states == [SendState.SENT, SendState.UNKNOWN]


# -- waiting for the network --------------------------------------------------------------------


async def test_while_nothing_can_leave_it_waits_and_then_goes_out_once(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.answers += [UnreachableError("No route.")] * 3
    await here.work_until(20)
    row = here.row(outbox_id)
    assert row.state is SendState.QUEUED
    assert "z takes it back" in str(row.problem)
    await here.work_until(60)
    row = here.row(outbox_id)
    assert (row.state, row.attempt) == (SendState.SENT, 4)
    assert len(here.network.truth) == 1
    assert len(set(here.network.keys)) == 1, "the key is the row's, for its life"


async def test_after_ten_minutes_without_a_network_the_person_has_the_text_back(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    here.network.reads += [UnreachableError("No route.")] * 100
    await here.work_until(20 + 590)
    assert here.row(outbox_id).state is SendState.QUEUED
    await here.work_until(60)
    row = here.row(outbox_id)
    assert row.state is SendState.NOT_SENT
    assert "within 10 minutes" in str(row.problem)
    assert here.draft(1) == "We are sorry"


async def test_a_rate_limit_is_waited_out_to_the_second(here: Desk) -> None:
    outbox_id = here.queue(1)
    until = START + timedelta(seconds=20 + 300)
    here.network.answers.append(RateLimitedError("Wait.", until))
    await here.work_until(20 + 299)
    assert here.network.calls.count("reply") == 1
    await here.work_until(2)
    assert here.row(outbox_id).state is SendState.SENT


async def test_a_rate_limit_beyond_patience_gives_the_text_back_at_once(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.answers.append(RateLimitedError("Wait.", START + timedelta(hours=3)))
    await here.work_until(20)
    assert here.row(outbox_id).state is SendState.NOT_SENT


# -- ends ---------------------------------------------------------------------------------------


async def test_leaving_gives_queued_texts_back(here: Desk) -> None:
    outbox_id = here.queue(1)
    await here.work_until(5)
    await here.sender.close()
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert here.draft(1) == "We are sorry"
    assert here.network.calls == []


async def test_a_killed_terminals_waiting_answers_are_not_sent_by_the_next(here: Desk) -> None:
    outbox_id = here.queue(1)
    await here.presence.keep()
    after = desk(
        here.database, here.network, here.clock, session="s2", pid=2, running=lambda pid: pid == 2
    )
    await after.work_until(60)
    assert here.row(outbox_id).state is SendState.NOT_SENT
    assert after.draft(1) == "We are sorry"
    assert here.network.calls == []


async def test_a_session_is_dead_when_it_stops_renewing_whatever_the_wall_clock_says(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    await here.presence.keep()
    other = desk(here.database, here.network, here.clock, session="s2", pid=2)
    await other.sender.work_due()
    here.clock.jump(2)
    for _ in range(4):
        here.clock.pass_seconds(5.1)
        await other.sender.work_due()
        assert here.row(outbox_id).state is SendState.QUEUED
    here.clock.pass_seconds(31)
    await other.sender.work_due()
    assert here.row(outbox_id).state is SendState.NOT_SENT


async def test_an_answer_on_its_way_is_waited_for_when_the_program_ends(here: Desk) -> None:
    outbox_id = here.queue(1)
    begun, go_on = asyncio.Event(), asyncio.Event()
    reply = here.network.reply

    class Slow(FakeNetwork):
        async def reply(self, text: str, in_reply_to: str, key: str) -> object:  # type: ignore[override]  # same answer
            begun.set()
            await go_on.wait()
            return await reply(text, in_reply_to, key)

    slow = Slow(now=here.clock.now, posts=here.network.posts)
    there = desk(here.database, slow, here.clock)
    there.sender.expect(here.row(outbox_id))
    here.clock.pass_seconds(20)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(there.sender.run())
        await begun.wait()
        running.cancel()
        go_on.set()
    assert here.row(outbox_id).state is SendState.SENT


async def test_a_sender_that_was_thought_dead_still_writes_what_the_network_said(
    here: Desk,
) -> None:
    outbox_id = here.queue(1)
    reply = here.network.reply

    class Slept(FakeNetwork):
        async def reply(self, text: str, in_reply_to: str, key: str) -> object:  # type: ignore[override]  # same answer
            here.database.write_now(lambda tx: outbox.adopt_dead(tx, START, {"s1"}))
            return await reply(text, in_reply_to, key)

    there = desk(here.database, Slept(now=here.clock.now, posts=here.network.posts), here.clock)
    await there.sender.send(outbox_id)
    assert (here.row(outbox_id).state, here.row(outbox_id).remote_id) == (SendState.SENT, "r1")


# -- what a person says -------------------------------------------------------------------------


async def unknown_row(here: Desk, *, posted: bool) -> int:
    outbox_id = here.queue(1)
    (here.network.lost if posted else here.network.answers).append(AnswerLostError("No answer."))
    here.network.hidden = int(posted)
    await here.work_until(20 + LOOK_SECONDS + 6)
    here.network.hidden = 0
    return outbox_id


async def test_it_was_not_sent_makes_the_text_a_draft_again(here: Desk) -> None:
    outbox_id = await unknown_row(here, posted=False)
    row = await here.finder.it_was_not_sent(outbox_id, "Ben")
    assert (row.state, row.problem) == (SendState.NOT_SENT, "Ben has checked: it was not sent.")
    assert here.draft(1) == "We are sorry"


async def test_it_was_not_sent_is_not_believed_before_the_network_had_time(here: Desk) -> None:
    outbox_id = here.queue(1)
    here.network.lost.append(AnswerLostError("No answer."))
    await here.work_until(20)
    with pytest.raises(NotAllowedError, match="too early"):
        await here.finder.it_was_not_sent(outbox_id, "Asha")


async def test_it_was_sent_is_checked_in_the_timeline(here: Desk) -> None:
    outbox_id = await unknown_row(here, posted=True)
    row = await here.finder.it_was_sent(outbox_id)
    assert (row.state, row.remote_id) == (SendState.SENT, "r1")


async def test_it_was_sent_needs_a_post_of_ours_to_the_same_person(here: Desk) -> None:
    outbox_id = await unknown_row(here, posted=False)
    with pytest.raises(NotAllowedError, match="No answer of ours"):
        await here.finder.it_was_sent(outbox_id)
    with pytest.raises(NotAllowedError, match="names no post"):
        await here.finder.it_was_sent(outbox_id, "https://x.com/about")
    assert here.row(outbox_id).state is SendState.UNKNOWN


async def test_without_a_readable_timeline_a_person_decides(here: Desk) -> None:
    here.network.capabilities = Capabilities(own_timeline=False, settle_seconds=5)
    outbox_id = here.queue(1)
    here.network.answers.append(AnswerLostError("No answer."))
    await here.work_until(20 + LOOK_SECONDS + 6)
    assert "cannot be read" in str(here.row(outbox_id).problem)
    row = await here.finder.it_was_not_sent(outbox_id, "Asha")
    assert row.state is SendState.NOT_SENT
