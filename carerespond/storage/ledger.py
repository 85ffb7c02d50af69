"""What every call has cost, by the price list; and how long a network asked us to wait.

Money is kept in millionths of a US dollar. A resource that was charged earlier the same UTC day
costs nothing again (X: docs/x-api/getting-started/pricing, "deduplication").
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from carerespond.config import BudgetConfig
from carerespond.domain.models import Charge, Spend
from carerespond.storage import feed
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.times import moment, ms

MICRO = 1_000_000

# Charges of one class are for the same resource: a post read as a mention is the post that a
# search would find.
_CLASSES = {
    "post_read": "post",
    "owned_read": "post",
    "user_read": "user",
    "dm_read": "dm",
}


def charge(
    tx: Transaction,
    account: str,
    charges: Sequence[Charge],
    prices: Mapping[str, float],
    now: datetime,
) -> float:
    """Write down what a call cost, resource by resource.

    Args:
        tx: The open transaction; the same that stores what was bought, where there is one.
        account: Which of our accounts pays.
        charges: As the network connector lists them.
        prices: USD by kind; a kind without a price is free.
        now: When.

    Returns:
        USD that this call added.
    """
    day = _day(now)
    counts: dict[str, int] = {}
    for one in charges:
        if one.resource_id is None or _is_new(tx, day, account, one):
            counts[one.kind] = counts.get(one.kind, 0) + 1
    total = 0
    for kind, count in counts.items():
        micro = round(prices.get(kind, 0.0) * MICRO) * count
        total += micro
        tx.execute(
            "INSERT INTO ledger (day, account, kind, count, micro_usd, charged_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (day, account, kind, count, micro, ms(now)),
        )
    if counts:
        tx.execute(
            "INSERT INTO ledger_days (day, account, micro_usd) VALUES (?, ?, ?)"
            " ON CONFLICT (day, account) DO UPDATE SET micro_usd = micro_usd + excluded.micro_usd",
            (day, account, total),
        )
        tx.execute("DELETE FROM ledger_seen WHERE day < ?", (_day(now - timedelta(days=1)),))
        feed.announce(tx, "ledger", None, now)
    return total / MICRO


def _is_new(tx: Transaction, day: str, account: str, one: Charge) -> bool:
    changed = tx.execute(
        "INSERT INTO ledger_seen (day, account, kind, resource_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (day, account, _CLASSES.get(one.kind, one.kind), one.resource_id),
    )
    return changed == 1


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def spend(budget: BudgetConfig, now: datetime) -> Query[Spend]:
    """What all accounts spent today and this month (UTC), against the budget."""
    day = _day(now)
    return Query(
        "SELECT coalesce(sum(CASE WHEN day = ? THEN micro_usd END), 0), coalesce(sum(micro_usd), 0)"
        " FROM ledger_days WHERE day >= ? AND day <= ?",
        (day, day[:8] + "01", day),
        lambda row: Spend(
            row[0] / MICRO,
            row[1] / MICRO,
            budget.daily_usd,
            budget.monthly_usd,
            budget.soft_percent,
        ),
    )


def by_kind(day: str) -> Query[tuple[str, str, int, float]]:
    """What one UTC day ("2026-11-24") cost: (account, kind, count, USD)."""
    return Query(
        "SELECT account, kind, sum(count), sum(micro_usd) FROM ledger WHERE day = ?"
        " GROUP BY account, kind ORDER BY account, kind",
        (day,),
        lambda row: (row[0], row[1], row[2], row[3] / MICRO),
    )


def hold(tx: Transaction, account: str, endpoint: str, retry_at: datetime) -> None:
    """No process asks this endpoint before `retry_at`."""
    tx.execute(
        "INSERT INTO rates (account, endpoint, retry_at) VALUES (?, ?, ?)"
        " ON CONFLICT (account, endpoint) DO UPDATE SET retry_at = excluded.retry_at",
        (account, endpoint, ms(retry_at)),
    )


def held_until(account: str, endpoint: str) -> Query[datetime]:
    """Until when an endpoint must not be asked; nothing when it never was held."""
    return Query(
        "SELECT retry_at FROM rates WHERE account = ? AND endpoint = ?",
        (account, endpoint),
        lambda row: moment(row[0]),
    )


def charges_of(account: str) -> Query[int]:
    """How many priced things this account was ever charged for."""
    return Query("SELECT coalesce(sum(count), 0) FROM ledger WHERE account = ?", (account,), scalar)
