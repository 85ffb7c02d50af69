"""Puts the parts together: one installation's files, database, networks and what runs beside it."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from carerespond.config import Config, Home, lexicon_texts, rules_texts
from carerespond.config.own_rules import rule_documents, rule_paths
from carerespond.domain.errors import CarerespondError
from carerespond.domain.models import Charge, Gap, Source, Spend

if TYPE_CHECKING:
    import httpx

    from carerespond.domain.rulebook import Rules
    from carerespond.networks.base import Network
    from carerespond.services.assessing import Assessor
    from carerespond.services.importer import Importer
    from carerespond.services.learning import Learner
    from carerespond.services.listener import Listener
    from carerespond.services.resorting import Resorting
    from carerespond.services.scoring import Scorer
    from carerespond.storage.database import Database, Transaction
    from carerespond.storage.sqlite import SqliteDatabase
    from carerespond.ui.desk import Working

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def load_triage(config: Config, own: tuple[str, str] | None = None) -> "Rules":
    """The triage rules: those shipped, then the team's own languages, words and weights.

    Args:
        config: Which files of the team's own there are.
        own: Text and name of what to read in place of the team's own file.

    Raises:
        ConfigError: A file of the team's own is wrong; names the place.
    """
    from carerespond.domain.rulebook import read_rules

    return read_rules(rule_documents(config, own), lexicon_texts())


def check_rules(config: Config) -> None:
    """Refuse a team's own rules before anything is opened; those shipped are known to be right.

    Raises:
        ConfigError: A file is wrong; names the place.
    """
    if config.language_files or config.rules_file is not None or config.own_rules.exists():
        load_triage(config)


def examine_database(home: Home) -> list[str] | None:
    """What is damaged in the database; empty when it is sound, None when there is none yet.

    Raises:
        StorageError: It cannot be used as it stands.
    """
    from carerespond.storage.sqlite import problems

    return problems(home.database)


def open_store(home: Home, *, look_only: bool = False) -> "SqliteDatabase":
    """The installation's database.

    Raises:
        StorageError: It cannot be used as it stands.
    """
    from carerespond.storage.sqlite import open_database

    return open_database(home.database, read_only=look_only)


def is_in_use(home: Home) -> bool:
    """Whether an inbox of this host is open on this installation's database."""
    from carerespond.services.presence import is_running
    from carerespond.storage import duty

    if not home.database.exists():
        return False
    try:
        database = open_store(home, look_only=True)
    except CarerespondError:
        return False  # no program of ours could have it open
    try:
        here = database.fetch_now(duty.here())
    finally:
        database.close_now()
    return any(one.host == socket.gethostname() and is_running(one.pid) for one in here)


def new_session() -> str:
    """A name for this run of the program that no other run has."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"


@dataclass(frozen=True, slots=True)
class Door:
    """How the networks are reached: over the internet, or in this process for practice."""

    transport: Callable[[], "httpx.AsyncBaseTransport"] | None = None
    token: str | None = None


@dataclass(slots=True)
class Crew:
    """What runs beside the screens, or alone in `carerespond listen`."""

    networks: "dict[str, Network]"
    tasks: "list[asyncio.Future[None]]" = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    def begin(
        self, work: Coroutine[object, object, None], failed: Callable[[BaseException], None]
    ) -> None:
        """Run something beside the screens; `failed` is told when it ends by a fault."""

        def ended(done: "asyncio.Future[None]") -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                failed(error)

        task = asyncio.ensure_future(work)
        task.add_done_callback(ended)
        self.tasks.append(task)

    async def stop(self) -> None:
        """End what runs; a request on its way is finished first."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def open_networks(
    home: Home, config: Config, database: "Database", now: Now, door: Door, crew: Crew
) -> None:
    """Open every configured account; one that cannot be used is told of and left out."""
    from carerespond.networks.registry import open_network
    from carerespond.storage.authors import StoredAuthors

    for account in config.accounts:
        try:
            crew.networks[account.account_id] = open_network(
                account,
                secrets=home.secrets,
                now=now,
                transport=door.transport() if door.transport else None,
                token=door.token,
                authors=StoredAuthors(database, account.network),
            )
        except CarerespondError as error:
            crew.unusable.append(str(error))


class Ears:
    """How listening goes, as the screens ask for it."""

    def __init__(
        self, database: "Database", config: Config, now: Now, listener: "Listener", crew: Crew
    ) -> None:
        self._database = database
        self._config = config
        self._now = now
        self._listener = listener
        self._crew = crew

    async def sources(self) -> Sequence[Source]:
        """Every source with its health."""
        from carerespond.storage import sources

        return await self._database.fetch(sources.all_sources())

    async def gaps(self) -> Sequence[Gap]:
        """Stretches of time that nobody looked at."""
        from carerespond.storage import sources

        return await self._database.fetch(sources.gaps())

    async def put_away(self, gaps: Sequence[Gap]) -> None:
        """Somebody has looked by hand at these stretches of time."""
        from carerespond.storage import sources

        def work(tx: "Transaction") -> None:
            for gap in gaps:
                sources.dismiss_gap(tx, gap.gap_id, self._now())

        await self._database.write(work)

    async def spend(self) -> Spend:
        """What was spent, against the budget."""
        from carerespond.storage import ledger

        query = ledger.spend(self._config.budget, self._now())
        return (await self._database.fetch(query))[0]

    def problem(self) -> str:
        """What keeps this program from listening; "" when nothing does."""
        return self._crew.unusable[0] if self._crew.unusable else ""

    def price_of_check(self) -> float:
        """What asking every source now costs at least, in USD."""
        return self._listener.price_of_check()

    async def check_now(self) -> None:
        """Ask every source now."""
        await self._listener.check_now()


def make_assessor(config: Config, now: Now, database: "Database | None" = None) -> "Assessor":
    """Triage for this installation, with what was learned so far where that is wanted.

    Raises:
        ConfigError: The rules are wrong.
    """
    from carerespond.services.assessing import Assessor

    assessor = Assessor(load_triage(config), config, now)
    if config.learn and database is not None:
        from carerespond.services.learning import in_use_now

        assessor.use_learned(in_use_now(database))
    return assessor


def make_learner(
    database: "Database",
    assessor: "Assessor",
    session: str,
    now: Now,
    relearned: Callable[[], Awaitable[None]] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> "Learner":
    """Learns from the team's own moves, for this assessor; `relearned` sorts the cases again."""
    from carerespond.services.learning import Learner

    return Learner(
        database,
        lambda: assessor.rules,
        session=session,
        now=now,
        use=assessor.use_learned,
        relearned=relearned,
        tell=tell,
    )


def begin_following(
    database: "Database",
    config: Config,
    session: str,
    assessor: "Assessor",
    crew: Crew,
    failed: Callable[[BaseException], None],
    tell: Callable[[str], None],
) -> None:
    """Follow the rules, the time and the team's own moves without a screen."""
    resorting = make_resorting(database, config, utc_now, assessor)
    resorting.tell(tell)
    crew.begin(resorting.run(), failed)
    crew.begin(resorting.keep_time(), failed)
    if config.learn:
        learner = make_learner(database, assessor, session, utc_now, resorting.catch_up, tell)
        crew.begin(learner.run(), failed)


def make_scorer(config: Config | None) -> "Scorer":
    """Triage of texts alone: as this installation does it, or by the shipped rules without one.

    Raises:
        ConfigError: The rules are wrong.
    """
    from carerespond.domain.rulebook import read_rules
    from carerespond.domain.triage import Context
    from carerespond.services.scoring import Scorer

    if config is None:
        return Scorer(read_rules(rules_texts(), lexicon_texts()), Context())
    names = [name for one in config.services for name in (one.name, *one.nicknames) if name.strip()]
    handles = [account.handle for account in config.accounts]
    return Scorer(load_triage(config), Context(service_names=names), handles)


def make_resorting(
    database: "Database", config: Config, now: Now, assessor: "Assessor"
) -> "Resorting":
    """What follows when the rules change."""
    from carerespond.services.resorting import Resorting

    return Resorting(
        database,
        assessor,
        load=lambda: load_triage(config),
        files=rule_paths(config),
        now=now,
    )


def make_listener(
    database: "Database",
    config: Config,
    networks: "Mapping[str, Network]",
    session: str,
    now: Now,
    tell: Callable[[str], None] = lambda _: None,
    *,
    assessor: "Assessor | None" = None,
) -> "Listener":
    """The listener of this session.

    Raises:
        ConfigError: The rules are wrong.
    """
    from carerespond.services.listener import Listener

    assessor = assessor or make_assessor(config, now, database)
    return Listener(
        database, networks, config, session=session, now=now, assessor=assessor, tell=tell
    )


def make_importer(
    database: "Database", config: Config, now: Now, *, pause: Callable[[], None]
) -> "Importer":
    """Brings in posts from a file, read as our own accounts would read them.

    Raises:
        ConfigError: The rules are wrong.
    """
    from carerespond.networks import x_wire
    from carerespond.services.importer import Importer

    first = {one.network: one for one in reversed(config.accounts)}
    ours = first.get("x")
    us = x_wire.Us(ours.user_id, ours.handle) if ours else x_wire.Us("", "")
    return Importer(
        database,
        make_assessor(config, now, database),
        lambda page: x_wire.read_page(page, us),
        accounts={name: one.account_id for name, one in first.items()},
        handles={name: one.handle for name, one in first.items()},
        now=now,
        pause=pause,
    )


async def start_working(
    home: Home,
    config: Config,
    database: "SqliteDatabase",
    crew: Crew,
    *,
    door: Door,
    session: str,
    operator: Callable[[], str],
    now: Now,
    failed: Callable[[BaseException], None],
) -> "Working":
    """Bring up networks, sending and listening.

    Raises:
        CarerespondError: The rules or the database cannot be used.
    """
    from carerespond.services.composer import Composer
    from carerespond.services.finder import Finder
    from carerespond.services.presence import Presence
    from carerespond.services.sender import Sender
    from carerespond.services.teaching import Teaching
    from carerespond.ui.desk import Working

    assessor = make_assessor(config, now, database)
    listener = make_listener(database, config, crew.networks, session, now, assessor=assessor)
    resorting = make_resorting(database, config, now, assessor)
    open_networks(home, config, database, now, door, crew)
    charge = charger(config)
    presence = Presence(
        database,
        session=session,
        operator=operator,
        now=now,
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    finder = Finder(database, crew.networks, session=session, now=now, charge=charge)
    sender = Sender(
        database,
        crew.networks,
        config,
        presence=presence,
        finder=finder,
        now=now,
        charge=charge,
        free_bytes=lambda: shutil.disk_usage(home.database.parent).free,
    )
    ears = Ears(database, config, now, listener, crew)
    composer = Composer(
        database,
        crew.networks,
        config,
        presence=presence,
        sender=sender,
        finder=finder,
        now=now,
        spend=ears.spend,
        shared_screens=attached_screens,
    )
    teaching = Teaching(
        database,
        assessor,
        resorting,
        load=lambda own: load_triage(config, own),
        path=config.own_rules,
        session=session,
        operator=operator,
        now=now,
    )
    await presence.keep()
    crew.begin(sender.run(), failed)
    crew.begin(listener.run(), failed)
    crew.begin(resorting.run(), failed)
    crew.begin(resorting.keep_time(), failed)
    if config.learn:
        learner = make_learner(database, assessor, session, now, resorting.catch_up)
        crew.begin(learner.run(), failed)

    async def aclose() -> None:
        await crew.stop()
        await presence.leave()
        for network in crew.networks.values():
            await network.aclose()

    return Working(composer, finder, ears, resorting, teaching, aclose)


def charger(
    config: Config,
) -> "Callable[[Transaction, str, Sequence[Charge], datetime], object]":
    """Writes charges into the ledger by the configured price list."""
    from carerespond.storage import ledger

    def charge(tx: "Transaction", account: str, charges: Sequence[Charge], now: datetime) -> object:
        return ledger.charge(tx, account, charges, config.prices, now)

    return charge


def attached_screens() -> int:
    """How many terminals show this tmux session; 1 outside tmux or when it does not tell."""
    program = shutil.which("tmux")
    if not os.environ.get("TMUX") or program is None:
        return 1
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command of our own
            [program, "display-message", "-p", "#{session_attached}"],
            capture_output=True,
            text=True,
            timeout=1,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 1
    text = done.stdout.strip()
    return max(1, int(text)) if text.isdigit() else 1
