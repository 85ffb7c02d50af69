"""The ledger: what each call costs, a resource once a UTC day; and how long we have to wait."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.config import X_PRICES, BudgetConfig
from carerespond.domain.models import Charge, Spend
from carerespond.storage import ledger
from carerespond.storage.database import Database
from tests.sending import opened

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


def charge(database: Database, *charges: Charge, at: datetime = NOON, account: str = "x") -> float:
    return database.write_now(lambda tx: ledger.charge(tx, account, charges, X_PRICES, at))


def spend(database: Database, at: datetime = NOON, budget: BudgetConfig | None = None) -> Spend:
    (found,) = database.fetch_now(ledger.spend(budget or BudgetConfig(0.0, 0.0), at))
    return found


def test_each_thing_costs_what_the_list_says(database: Database) -> None:
    for kind, price in X_PRICES.items():
        assert charge(database, Charge(kind, f"{kind} 1")) == pytest.approx(price)
    assert spend(database).today == pytest.approx(sum(X_PRICES.values()))


def test_what_has_no_price_is_free_and_written_down(database: Database) -> None:
    assert charge(database, Charge("something_new", "1")) == 0
    assert database.fetch_now(ledger.by_kind("2026-11-24")) == [("x", "something_new", 1, 0.0)]


def test_a_resource_costs_once_a_day(database: Database) -> None:
    post = Charge("post_read", "1")
    assert charge(database, post, post) == 0.005
    assert charge(database, post, at=NOON + timedelta(hours=11, minutes=59)) == 0
    assert charge(database, post, at=NOON + timedelta(hours=12)) == 0.005


def test_the_day_is_of_utc(database: Database) -> None:
    east = datetime(2026, 11, 25, 0, 30, tzinfo=UTC).astimezone()
    charge(database, Charge("post_read", "1"), at=datetime(2026, 11, 24, 23, 59, tzinfo=UTC))
    assert charge(database, Charge("post_read", "1"), at=east) == 0.005
    assert spend(database, east).today == 0.005


def test_a_post_is_one_resource_whether_it_names_us_or_not(database: Database) -> None:
    assert charge(database, Charge("owned_read", "1")) == 0.001
    assert charge(database, Charge("post_read", "1")) == 0
    assert charge(database, Charge("user_read", "1")) == 0.010


def test_calls_without_a_resource_cost_each_time(database: Database) -> None:
    reply = Charge("summoned_reply")
    assert charge(database, reply, reply) == 0.020
    assert charge(database, reply) == 0.010


def test_each_account_pays_for_itself(database: Database) -> None:
    post = Charge("post_read", "1")
    assert charge(database, post) == charge(database, post, account="y") == 0.005
    assert spend(database).today == 0.010
    assert [row[0] for row in database.fetch_now(ledger.by_kind("2026-11-24"))] == ["x", "y"]


def test_a_month_is_of_its_days(database: Database) -> None:
    for back in (0, 1, 23, 24, 40):
        charge(database, Charge("summoned_reply"), at=NOON - back * DAY)
    assert (spend(database).today, spend(database).month) == (0.010, 0.030)


@pytest.mark.parametrize(
    ("today", "month", "state"),
    [
        (0.79, 0.0, "ok"),
        (0.80, 0.0, "soft"),
        (0.99, 0.0, "soft"),
        (1.00, 0.0, "hard"),
        (0.0, 8.0, "soft"),
        (0.0, 10.0, "hard"),
        (0.9, 10.0, "hard"),
    ],
)
def test_when_a_budget_is_nearly_and_wholly_spent(today: float, month: float, state: str) -> None:
    assert Spend(today, month, 1.0, 10.0, 80).state == state
    assert Spend(today, month, 0.0, 0.0, 80).state == "ok", "0 is no limit"


@pytest.mark.promise
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=12))
def test_the_bill_is_of_unique_posts_in_whatever_order(pages: list[list[int]]) -> None:
    assert _billed(pages) == _owed(pages)


@pytest.mark.promise
def test_a_post_that_is_billed_at_each_sight_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: whether a resource is new is not looked up."""
    monkeypatch.setattr(ledger, "_is_new", lambda *_: True)
    pages = [[1, 2], [2, 3]]
    assert _billed(pages) != _owed(pages)


def _billed(pages: list[list[int]]) -> int:
    """Thousandths of a dollar for these pages of posts, all on one day."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as database:
        for page in pages:
            charge(database, *(Charge("post_read", str(post)) for post in page))
        return round(spend(database).today * 1000)


def _owed(pages: list[list[int]]) -> int:
    return 5 * len({post for page in pages for post in page})


def test_a_hold_is_for_one_endpoint_of_one_account(database: Database) -> None:
    later = NOON + timedelta(minutes=15)
    database.write_now(lambda tx: ledger.hold(tx, "x", "search", NOON))
    database.write_now(lambda tx: ledger.hold(tx, "x", "search", later))
    assert database.fetch_now(ledger.held_until("x", "search")) == [later]
    assert database.fetch_now(ledger.held_until("x", "mentions")) == []
    assert database.fetch_now(ledger.held_until("y", "search")) == []
