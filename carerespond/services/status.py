"""What waits, in one line: for `carerespond check`, cron, a login message, tmux."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carerespond.config import Config
from carerespond.domain.models import CaseState, Health, Priority, Source
from carerespond.storage import cases, lateness, ledger, outbox, sources
from carerespond.storage.database import Database

NOTHING, WAITING, URGENT, LATE, SEND, SOURCE, BUDGET = 0, 10, 11, 12, 13, 20, 30
# What mends itself is no source that is down; a spent budget has a code and words of its own.
_WELL = (Health.OK, Health.NEW, Health.LIMITED, Health.BUDGET)
_LONG = 120  # minutes; from here on hours are told
_NEVER = "nobody has listened yet"
FORGOTTEN = timedelta(minutes=15)  # past its time to be asked by so much, nobody listens to it


@dataclass(frozen=True, slots=True)
class Status:
    """What waits. `sources` are those that do badly, each "name: health"."""

    urgent: int
    waiting: int
    late: int
    sends: int
    sources: tuple[str, ...]
    spent_today: float
    daily_budget: float
    spent_month: float
    monthly_budget: float
    is_budget_spent: bool
    has_listened: bool = True

    @property
    def code(self) -> int:
        """The exit code: 11, 13, 12 and 10 in this order of weight, then 20, then 30."""
        weights = (
            (self.urgent, URGENT),
            (self.sends, SEND),
            (self.late, LATE),
            (self.waiting, WAITING),
            (self.sources, SOURCE),
            (self.is_budget_spent, BUDGET),
        )
        return next((code for present, code in weights if present), NOTHING)

    @property
    def line(self) -> str:
        """All of it on one line, most pressing first."""
        parts = [
            f"{self.urgent} urgent",
            f"{self.sends} {'sends need' if self.sends != 1 else 'send needs'} a person",
            f"{self.late} late",
            f"{self.waiting} waiting",
            "; ".join(self.sources) or ("sources ok" if self.has_listened else _NEVER),
            self._money(),
        ]
        return ", ".join(parts)

    def _money(self) -> str:
        budget = f"/{self.daily_budget:.2f}" if self.daily_budget else ""
        return f"${self.spent_today:.2f}{budget} today" + (
            " (budget spent)" if self.is_budget_spent else ""
        )

    def record(self) -> dict[str, object]:
        """The same as plain values, for JSON."""
        return {
            "urgent": self.urgent,
            "sends_needing_a_person": self.sends,
            "late": self.late,
            "waiting": self.waiting,
            "sources": list(self.sources),
            "has_listened": self.has_listened,
            "spent_today_usd": round(self.spent_today, 6),
            "daily_budget_usd": self.daily_budget,
            "spent_month_usd": round(self.spent_month, 6),
            "monthly_budget_usd": self.monthly_budget,
            "budget_spent": self.is_budget_spent,
            "code": self.code,
        }


def look(database: Database, config: Config, now: Callable[[], datetime]) -> Status:
    """Read what waits; no network call, nothing is written."""
    counted = {
        (state, Priority(priority)): number
        for state, priority, number in database.fetch_now(cases.counts())
    }
    answerable = (Priority.URGENT, Priority.TODAY, Priority.SOON, Priority.PRAISE)
    moment = now()
    spend = database.fetch_now(ledger.spend(config.budget, moment))[0]
    found = database.fetch_now(sources.all_sources())
    return Status(
        urgent=counted.get((CaseState.OPEN, Priority.URGENT), 0),
        waiting=sum(counted.get((CaseState.OPEN, pane), 0) for pane in answerable),
        late=database.fetch_now(lateness.late(config.reply_minutes, moment, config.hours))[0],
        sends=len(database.fetch_now(outbox.waiting_for_person())),
        sources=_ailing(found, moment),
        has_listened=not config.accounts or any(one.next_poll_at for one in found),
        spent_today=spend.today,
        daily_budget=spend.daily_budget,
        spent_month=spend.month,
        monthly_budget=spend.monthly_budget,
        is_budget_spent=spend.state == "hard",
    )


def unheard_since(source: Source, now: datetime) -> datetime | None:
    """When a source that nobody asks any more answered last; None while somebody asks it.

    It looks as well as on the day it was left: this says that it is not.
    """
    due = source.next_poll_at
    if due is None or now - due <= FORGOTTEN:
        return None
    return source.last_ok_at or due


def _ailing(found: Sequence[Source], now: datetime) -> tuple[str, ...]:
    """What does badly; a source that nobody asks any more looks well and is not."""
    bad = [f"{one.name}: {one.health}" for one in found if one.health not in _WELL]
    forgotten = [
        now - one.next_poll_at
        for one in found
        if one.next_poll_at is not None and unheard_since(one, now) is not None
    ]
    if forgotten:
        minutes = int(max(forgotten).total_seconds()) // 60
        span = f"{minutes} min" if minutes < _LONG else f"{minutes // 60} h"
        what = "nobody has listened" if len(forgotten) == len(found) else "a source was not asked"
        bad.append(f"{what} for {span}")
    return tuple(bad)
