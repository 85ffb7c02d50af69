"""Drafts: kept where they were written until a person decides."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from carerespond.domain.models import DraftKind
from carerespond.storage import drafts, outbox
from carerespond.storage.database import Database
from carerespond.storage.drafts import Place
from tests.sending import START, Clock, add_case, new_reply, opened

MINE = Place(1, "Asha", DraftKind.PUBLIC)
THREAD = [{"id": "p1", "hash": "a", "handle": "person1"}]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        database.write_now(lambda tx: [add_case(tx, number) for number in (1, 2)])
        yield database


def save(database: Database, place: Place, text: str, now: datetime = START) -> int:
    return database.write_now(lambda tx: drafts.save(tx, place, text, now))


def text_of(database: Database, place: Place) -> str | None:
    found = database.fetch_now(drafts.draft(place.case_id, place.operator, place.kind))
    return found[0].text if found else None


def test_each_case_person_and_kind_has_a_draft_of_its_own(database: Database) -> None:
    places = [
        Place(case_id, operator, kind)
        for case_id in (1, 2)
        for operator in ("Asha", "Ben")
        for kind in DraftKind
    ]
    for number, place in enumerate(places):
        save(database, place, f"text {number}")
    assert [text_of(database, place) for place in places] == [
        f"text {number}" for number in range(len(places))
    ]


def test_a_draft_begun_again_keeps_its_text_and_what_it_remembers(database: Database) -> None:
    clock = Clock()
    begun = database.write_now(lambda tx: drafts.begin(tx, MINE, "f1", THREAD, clock.now()))
    save(database, MINE, "We are sorry")
    clock.pass_seconds(60)
    again = database.write_now(lambda tx: drafts.begin(tx, MINE, "f2", [], clock.now()))
    assert (again.text, again.fingerprint) == ("We are sorry", "f1")
    assert again.started_at == begun.started_at
    assert database.fetch_now(drafts.remembered(1, "Asha", DraftKind.PUBLIC)) == [THREAD]


def test_the_version_rises_only_when_the_text_changes(database: Database) -> None:
    first = save(database, MINE, "a")
    assert save(database, MINE, "a") == first
    assert save(database, MINE, "b") == first + 1


def type_in(database: Database, text: str, begun: str) -> None:
    database.write_now(lambda tx: drafts.save(tx, MINE, text, START, begun=begun))


def test_two_terminals_of_one_person_keep_both_texts(database: Database) -> None:
    type_in(database, "We are sorry", "")
    type_in(database, "x", "")
    assert text_of(database, MINE) == "x\n\nWe are sorry"
    type_in(database, "We are so sorry", "We are sorry")
    type_in(database, "xy", "x")
    type_in(database, "xy", "xy")
    assert text_of(database, MINE) == "xy\n\nWe are so sorry"
    type_in(database, "", "xy")
    assert text_of(database, MINE) == "We are so sorry"


def test_one_writer_changes_and_empties_a_text_as_they_like(database: Database) -> None:
    begun = ""
    for text in ("We", "We are\n\nsorry", "We\n\nsorry", "sorry", "", "Thank you"):
        type_in(database, text, begun)
        assert text_of(database, MINE) == text
        begun = text


def test_a_discarded_draft_is_out_of_sight_and_can_be_restored(database: Database) -> None:
    save(database, MINE, "We are sorry")
    assert database.write_now(lambda tx: drafts.discard(tx, MINE, START))
    assert text_of(database, MINE) is None
    assert database.fetch_now(drafts.drafts("Asha")) == []
    restored = database.write_now(lambda tx: drafts.restore(tx, MINE, START))
    assert restored is not None
    assert restored.text == "We are sorry"
    assert not database.write_now(
        lambda tx: drafts.discard(tx, Place(2, "Asha", DraftKind.PUBLIC), START)
    )


def test_a_text_that_is_in_the_outbox_is_not_restored_beside_it(database: Database) -> None:
    version = save(database, MINE, "We are sorry")
    database.write_now(
        lambda tx: outbox.queue(tx, new_reply(1, version=version), now=START, send_at=START)
    )
    database.write_now(lambda tx: drafts.discard(tx, MINE, START))
    assert database.write_now(lambda tx: drafts.restore(tx, MINE, START)) is None


def test_a_late_save_of_a_queued_text_makes_no_second_copy(database: Database) -> None:
    save(database, MINE, "We are sorry")
    database.write_now(lambda tx: drafts.discard(tx, MINE, START))
    save(database, MINE, "We are sorry")
    assert text_of(database, MINE) is None
    save(database, MINE, "We are sorry, and")
    assert text_of(database, MINE) == "We are sorry, and"


def test_a_text_given_back_is_the_draft_again_with_its_memory(database: Database) -> None:
    database.write_now(lambda tx: drafts.begin(tx, MINE, "f1", THREAD, START))
    version = save(database, MINE, "We are sorry")
    database.write_now(lambda tx: drafts.discard(tx, MINE, START))
    assert (
        database.write_now(lambda tx: drafts.give_back(tx, MINE, "We are sorry", START)) == version
    )
    (draft,) = database.fetch_now(drafts.drafts("Asha"))
    assert (draft.text, draft.fingerprint) == ("We are sorry", "f1")


@pytest.mark.parametrize(
    ("present", "after"),
    [
        ("something new", "something new\n\nWe are sorry"),
        ("We are sorry", "We are sorry"),
        ("We are sorry, and more", "We are sorry, and more"),
        ("  ", "We are sorry"),
    ],
)
def test_a_text_given_back_never_drops_what_was_written_meanwhile(
    database: Database, present: str, after: str
) -> None:
    save(database, MINE, present)
    database.write_now(lambda tx: drafts.give_back(tx, MINE, "We are sorry", START))
    assert text_of(database, MINE) == after


def test_lists_show_words_only_newest_first(database: Database) -> None:
    clock = Clock()
    for case_id, operator, text in ((1, "Asha", "one"), (2, "Asha", "two"), (2, "Ben", "")):
        clock.pass_seconds(1)
        save(database, Place(case_id, operator, DraftKind.PUBLIC), text, clock.now())
    assert [draft.text for draft in database.fetch_now(drafts.drafts("Asha"))] == ["two", "one"]
    assert database.fetch_now(drafts.drafts("Ben")) == []
    assert [one.text for one in database.fetch_now(drafts.drafts_of_case(2))] == ["two"]
