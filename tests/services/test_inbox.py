"""The inbox without a screen: a case that may be about a danger is never put away in passing."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from carerespond.config import Config
from carerespond.domain.errors import DangerError
from carerespond.domain.models import Outcome, Priority, Reason
from carerespond.services.inbox import Done, Inbox
from carerespond.storage.cases import write_reasons
from carerespond.storage.database import Database, Query
from tests.sending import START, add_case, opened

DANGER = 2
Verb = Callable[[Inbox, Sequence[int], bool], Awaitable[Done]]
VERBS: dict[str, Verb] = {
    "done": lambda inbox, ids, sure: inbox.done(ids, Outcome.RESOLVED, sure=sure),
    "not about us": lambda inbox, ids, sure: inbox.not_about_us(ids, sure=sure),
    "mute": lambda inbox, ids, sure: inbox.mute(ids, sure=sure),
    "later": lambda inbox, ids, sure: inbox.later(ids, START + timedelta(days=1), sure=sure),
    "lower": lambda inbox, ids, sure: inbox.lower_priority(ids, sure=sure),
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as made:
        for number in (1, 2, 3):
            made.write_now(partial(add_case, number=number))
        pin(made, DANGER)
        yield made


def pin(database: Database, case_id: int) -> None:
    reasons = write_reasons([Reason("risk_danger", "a life may be in danger", 3.0, ("x",), True)])
    sql = "UPDATE cases SET is_pinned = 1, reasons = ? WHERE case_id = ?"
    database.write_now(lambda tx: tx.execute(sql, (reasons, case_id)))


def inbox_on(database: Database) -> Inbox:
    return Inbox(
        database,
        Config("St Elsewhere"),
        {},
        session="s",
        operator=lambda: "Asha",
        now=lambda: START,
    )


def untouched(database: Database) -> list[int]:
    sql = "SELECT case_id FROM cases WHERE state = 'open' AND priority = 1 ORDER BY case_id"
    return database.fetch_now(Query(sql, (), lambda row: int(row[0])))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("sure", [False, True])
async def test_among_others_it_stays_even_when_somebody_is_sure(
    database: Database, verb: str, sure: bool
) -> None:
    done = await VERBS[verb](inbox_on(database), [1, 2, 3], sure)
    assert untouched(database) == [DANGER]
    assert [row.handle for row in done.spared] == ["person2"]
    assert done.case_ids == (1, 3)


@pytest.mark.parametrize("verb", VERBS)
async def test_by_itself_it_needs_somebody_who_is_sure(database: Database, verb: str) -> None:
    inbox = inbox_on(database)
    with pytest.raises(DangerError, match="@person2 is held as urgent: a life may be in danger"):
        await VERBS[verb](inbox, [DANGER], False)
    with pytest.raises(DangerError):
        await VERBS[verb](inbox, [DANGER, DANGER], False)
    assert untouched(database) == [1, 2, 3]
    done = await VERBS[verb](inbox, [DANGER], True)
    assert (untouched(database), done.spared) == ([1, 3], ())


@pytest.mark.parametrize("verb", VERBS)
async def test_only_dangers_change_nothing_and_leave_no_act(database: Database, verb: str) -> None:
    pin(database, 3)
    inbox = inbox_on(database)
    done = await VERBS[verb](inbox, [2, 3], True)
    assert (len(done.spared), done.case_ids, done.undo) == (2, (), False)
    assert untouched(database) == [1, 2, 3]
    assert await inbox.undo() is None


async def test_a_danger_that_comes_while_the_question_stands_is_spared(database: Database) -> None:
    inbox = inbox_on(database)
    assert {row.case_id for row in await inbox.rows([1, 3]) if row.is_pinned} == set()
    pin(database, 3)
    done = await inbox.done([1, 3], Outcome.RESOLVED)
    assert [row.case_id for row in done.spared] == [3]


async def test_a_pinned_case_comes_with_its_cards(database: Database) -> None:
    inbox = inbox_on(database)
    danger, other = await inbox.open_case(DANGER), await inbox.open_case(1)
    assert [card.title for card in danger.safety] == ["A life may be in danger now"]
    assert [one.rule for one in danger.case.assessment.pins] == ["risk_danger"]
    assert other.safety == ()


# -- moving between panes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stands", "raised", "lowered"),
    [
        (Priority.URGENT, Priority.URGENT, Priority.TODAY),
        (Priority.TODAY, Priority.URGENT, Priority.SOON),
        (Priority.SOON, Priority.TODAY, Priority.WATCH),
        (Priority.PRAISE, Priority.SOON, Priority.WATCH),
        (Priority.WATCH, Priority.SOON, Priority.WATCH),
    ],
)
async def test_no_move_puts_a_case_among_the_thanks(
    database: Database, stands: Priority, raised: Priority, lowered: Priority
) -> None:
    def placed() -> int:
        sql = "SELECT priority FROM cases WHERE case_id = 1"
        return database.fetch_now(Query(sql, (), lambda row: int(row[0])))[0]

    inbox = inbox_on(database)
    for move, wanted in ((inbox.raise_priority, raised), (inbox.lower_priority, lowered)):
        sql = "UPDATE cases SET priority = ? WHERE case_id = 1"
        database.write_now(lambda tx, sql=sql: tx.execute(sql, (int(stands),)))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
        await move([1])
        assert placed() == wanted
