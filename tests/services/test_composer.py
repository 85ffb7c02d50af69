"""The composer: what a review shows, what it lets out, and how a case is let go of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from carerespond.config import Config
from carerespond.domain.errors import NotAllowedError
from carerespond.domain.models import SendState
from carerespond.services.composer import Composer
from carerespond.storage.database import Query, scalar
from tests.sending import ACCOUNT, Clock, Desk, FakeNetwork, add_case, desk, opened, person_post


@dataclass
class Writer:
    """One terminal with its composer."""

    desk: Desk
    composer: Composer

    def case(self, column: str) -> object:
        sql = f"SELECT {column} FROM cases WHERE case_id = 1"
        return self.desk.database.fetch_now(Query(sql, (), scalar))[0]

    async def write(self, text: str, *, force: bool = False) -> None:
        await self.composer.save(await self.composer.begin(1, force=force), text)


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[Writer]]:
    """Asha and Bryn, each at a terminal of their own, and one case."""
    clock = Clock()
    with opened(tmp_path) as database:
        database.write_now(lambda tx: add_case(tx, 1))
        network = FakeNetwork(now=clock.now, posts={"p1": person_post(1)})
        config = Config("St Elsewhere", take_back_seconds=20.0)
        made = []
        for session, operator in (("s1", "Asha"), ("s2", "Bryn")):
            at = desk(database, network, clock, session=session, operator=operator)
            composer = Composer(
                database,
                {ACCOUNT: network},
                config,
                presence=at.presence,
                sender=at.sender,
                finder=at.finder,
                now=clock.now,
            )
            made.append(Writer(at, composer))
        yield made


async def test_a_second_answer_goes_by_hand_with_its_reason(writers: list[Writer]) -> None:
    asha = writers[0]
    asha.desk.queue(1)
    await asha.desk.work_until(20)
    await asha.write("And the number is 0800 1111.")
    review = await asha.composer.review(1)
    with pytest.raises(NotAllowedError, match="You sent a reply"):
        await asha.composer.hand_off(review)
    handed = await asha.composer.hand_off(review, second_reason="they asked for the number")
    assert asha.desk.row(handed.outbox_id).state is SendState.HAND_OFF


async def test_an_edited_post_is_shown_anew_and_can_be_answered(writers: list[Writer]) -> None:
    asha = writers[0]
    await asha.write("We are sorry.")
    first = await asha.composer.queue(await asha.composer.review(1))
    asha.desk.network.edit("p1", "the wait was so long, and nobody came")
    await asha.desk.work_until(20)
    stopped = asha.desk.row(first.outbox_id)
    assert (stopped.state, "edited" in str(stopped.problem)) == (SendState.NOT_SENT, True)
    assert asha.case("is_unread") == 1
    assert asha.case("snippet") == "the wait was so long, and nobody came"
    review = await asha.composer.review(1)
    assert (review.case.head.text, review.case.head.is_edited) == (asha.case("snippet"), True)
    assert [change.what for change in review.changes] == ["edited"]
    again = await asha.composer.queue(review, seen_changes=True)
    await asha.desk.work_until(20)
    assert asha.desk.row(again.outbox_id).state is SendState.SENT
    assert len(asha.desk.network.truth) == 1


async def test_a_composer_left_without_a_word_lets_go_of_the_case(writers: list[Writer]) -> None:
    asha = writers[0]
    draft = await asha.composer.begin(1)
    assert (asha.case("owner"), asha.case("writing")) == ("Asha", "Asha")
    await asha.composer.leave(draft)
    assert (asha.case("owner"), asha.case("writing")) == (None, None)


async def test_a_composer_left_with_words_keeps_the_case(writers: list[Writer]) -> None:
    asha = writers[0]
    await asha.write("We are sorry.")
    await asha.composer.leave((await asha.composer.review(1)).draft)
    assert (asha.case("owner"), asha.case("writing")) == ("Asha", None)


async def test_a_case_that_was_held_before_stays_held(writers: list[Writer]) -> None:
    asha = writers[0]
    asha.desk.database.write_now(
        lambda tx: tx.execute("UPDATE cases SET owner = 'Asha' WHERE case_id = 1", ())
    )
    await asha.composer.leave(await asha.composer.begin(1))
    assert (asha.case("owner"), asha.case("writing")) == ("Asha", None)


async def test_a_writer_not_heard_of_for_long_is_not_writing(writers: list[Writer]) -> None:
    asha, bryn = writers
    draft = await asha.composer.begin(1)
    asha.desk.clock.pass_seconds(200)
    await asha.composer.save(draft, "We are")
    asha.desk.clock.pass_seconds(200)
    await bryn.desk.sender.work_due()
    assert bryn.case("writing") == "Asha", "a save is a sign of life"
    asha.desk.clock.pass_seconds(101)
    await bryn.desk.sender.work_due()
    assert bryn.case("writing") is None


async def test_whoever_was_taken_over_is_told_at_the_review(writers: list[Writer]) -> None:
    asha, bryn = writers
    await asha.write("We are sorry.")
    assert "claim" not in [finding.rule for finding in (await asha.composer.review(1)).findings]
    await bryn.write("So sorry.", force=True)
    told = (await asha.composer.review(1)).findings
    assert "Bryn has taken this case over." in [finding.text for finding in told]
    assert "claim" not in [finding.rule for finding in (await bryn.composer.review(1)).findings]


@pytest.mark.promise
async def test_a_terminal_that_opened_the_draft_earlier_takes_no_word_away(
    writers: list[Writer],
) -> None:
    composer = writers[0].composer
    early, other = await composer.begin(1), await composer.begin(1)
    other = await composer.save(other, "We are sorry. Please ring 01632 960114.")
    early = await composer.save(early, "x")
    await composer.save(early, "xy")
    shown = (await composer.review(1)).draft
    assert shown.text == "xy\n\nWe are sorry. Please ring 01632 960114."
    await composer.save(shown, "We are sorry.")
    assert (await composer.review(1)).draft.text == "We are sorry."
