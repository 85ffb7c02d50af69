"""The inbox on a terminal: the real one, and practice."""

import argparse
import asyncio
import gc
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from carerespond.cli import wiring
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import ask, complain, is_terminal, say
from carerespond.config import Config, Home, find_home, load_config, practice_home
from carerespond.domain.errors import CarerespondError, ConfigError
from carerespond.domain.text import storable

if TYPE_CHECKING:
    import httpx
    from textual.theme import Theme

    from carerespond.storage.sqlite import SqliteDatabase
    from carerespond.ui.desk import Working

LEAST_COLUMNS, LEAST_ROWS = 40, 10
PRACTICE_HOURS = 24
FIRST_DAY = 1
HIGHEST_PORT = 65535
EXIT_BUG = 70
_ENDS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


def inbox(options: argparse.Namespace) -> int:
    """Open the inbox of this installation.

    Raises:
        CarerespondError: The configuration, the database or the terminal cannot be used.
    """
    home = find_home()
    if not home.is_configured and is_terminal():
        return _first_start(options)
    require_configuration(home)
    return run(home, load_config(home.config_file), options, wiring.Door())


def _first_start(options: argparse.Namespace) -> int:
    say("Welcome. There is no configuration here yet.")
    say("  p  practise: invented patients, no account, no network")
    say("  s  set up an account (carerespond init)")
    say("  q  leave")
    while (answer := ask("p, s or q", "p", at_end="q").lower()[:1]) not in ("p", "s", "q"):
        say("One letter, please.")
    if answer == "q":
        return 0
    if answer == "s":
        from carerespond.cli.setup import init

        return init(argparse.Namespace(name=None, handle=None, operator=None))
    options.fresh, options.seed, options.serve = False, None, None
    return practice(options)


def practice(options: argparse.Namespace) -> int:
    """Open the practice inbox, or serve its network to other programs.

    Raises:
        CarerespondError: The practice folder or the terminal cannot be used.
    """
    if options.serve:
        return _serve(options.serve, FIRST_DAY if options.seed is None else options.seed)
    home = practice_home(find_home())
    require_terminal()
    if options.look:
        if _practice_day(home) is None:
            raise ConfigError(
                f"{home.data}: no practice day has begun.", "Run: carerespond practice"
            )
    else:
        prepare_practice(home, seed=options.seed, fresh=options.fresh, now=wiring.utc_now())
    config = load_config(home.config_file)
    return run(home, config, options, practice_door(home, wiring.utc_now), "PRACTICE")


def prepare_practice(home: Home, *, seed: int | None, fresh: bool, now: datetime) -> None:
    """Make the practice folder, or begin a new day in it when the last is over.

    Args:
        home: Where practice lives.
        seed: Which day is wanted; None is whichever is under way, else the first.
        fresh: Whether it must be a new one.
        now: The present moment.

    Raises:
        ConfigError: The folder cannot be written, or a practice inbox is open on another day.
    """
    began = _practice_day(home)
    is_over = began is None or now - began[0] > timedelta(hours=PRACTICE_HOURS)
    is_wanted = fresh or (began is not None and seed not in (None, began[1]))
    if not (is_over or is_wanted):
        return
    if began is not None and wiring.is_in_use(home):
        if not is_wanted:
            return  # somebody has gone on past the day's end: stay with them
        raise ConfigError(
            "A practice inbox is open on the day that would be thrown away.",
            "Leave it first (ctrl+q), in every terminal.",
        )
    seed = FIRST_DAY if seed is None else seed
    try:
        home.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (*home.data.glob("carerespond.db*"), home.data / "journal.jsonl"):
            path.unlink(missing_ok=True)
        shipped = Path(__file__).parent.parent / "practice" / "config.toml"
        home.config_file.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
        day = home.data / "practice.json"
        day.write_text(json.dumps({"began_at": now.isoformat(), "seed": seed}), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{home.data}: the practice folder cannot be written ({error.strerror}).",
            "Check its owner and permissions, or set CARERESPOND_HOME to another folder.",
        ) from error


def _practice_day(home: Home) -> tuple[datetime, int] | None:
    """When the practice day began and which it is; None when there is none."""
    try:
        found = json.loads((home.data / "practice.json").read_text(encoding="utf-8"))
        began, seed = datetime.fromisoformat(found["began_at"]), int(found["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (began, seed) if began.tzinfo is not None else None


def practice_door(home: Home, now: Callable[[], datetime]) -> wiring.Door:
    """The practice network in this process: no port, and nothing that leaves the machine."""
    began, seed = _practice_day(home) or (now(), FIRST_DAY)

    def transport() -> "httpx.AsyncBaseTransport":
        from carerespond.practice.server import create_app, make_transport
        from carerespond.practice.world import load_world

        world = load_world(now=now, seed=seed, origin_at=began, journal=home.data / "journal.jsonl")
        return make_transport(create_app(world))

    return wiring.Door(transport, "practice-user")  # the stand-in's public token


def _serve(place: str, seed: int) -> int:
    from carerespond.practice.script import ScriptError
    from carerespond.practice.server import ListenError, serve

    host, _, port = place.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > HIGHEST_PORT:
        raise ConfigError(f"{place!r} is no HOST:PORT.", "For example: --serve 127.0.0.1:8808")
    try:
        serve(
            host,
            int(port),
            seed=seed,
            on_ready=lambda address: say(f"The practice network answers at {address}"),
        )
    except (ListenError, ScriptError) as error:
        raise ConfigError(str(error)) from error
    return 0


def require_terminal() -> None:
    """Refuse what the full screen cannot be drawn on.

    Raises:
        ConfigError: No terminal, a dumb one, or one that is too small.
    """
    if not is_terminal():
        raise ConfigError(
            "The inbox needs a terminal.", "From a script, use: carerespond check --json"
        )
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise ConfigError(
            f"The terminal says that it is {os.environ.get('TERM') or 'nothing'!r}.",
            "Set TERM, for example: TERM=xterm-256color carerespond",
        )
    size = os.get_terminal_size(sys.stdout.fileno())
    if size.columns < LEAST_COLUMNS or size.lines < LEAST_ROWS:
        raise ConfigError(
            f"The terminal is too small ({size.columns}x{size.lines}).",
            f"The inbox needs {LEAST_COLUMNS}x{LEAST_ROWS} at least.",
        )


def run(
    home: Home,
    config: Config,
    options: argparse.Namespace,
    door: wiring.Door,
    title: str = "carerespond",
) -> int:
    """Show the inbox until the person leaves.

    Raises:
        CarerespondError: The database or the terminal cannot be used.
    """
    require_terminal()
    # Before Textual is imported: it reads these then.
    os.environ.setdefault("ESCDELAY", str(config.escape_ms))
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    # Loading makes no garbage, and looking for it costs a tenth of the start.
    gc.disable()
    try:
        theme = check_looks(home, config)
        wiring.check_rules(config)
        database = wiring.open_store(home, look_only=options.look)
        try:
            return asyncio.run(_show(home, config, options, door, database, title, theme))
        finally:
            database.close_now()
    finally:
        gc.enable()


def check_looks(home: Home, config: Config) -> "Theme":
    """The colours to use, once they and the chosen keys are known to be right.

    Raises:
        ConfigError: Naming the file and the key.
    """
    from carerespond.ui.commands import apply_overrides
    from carerespond.ui.themes import choose_theme

    apply_overrides(config.keys, home.config_file)
    return choose_theme(config.theme, os.environ, home.config / "themes", home.config_file)


async def _show(
    home: Home,
    config: Config,
    options: argparse.Namespace,
    door: wiring.Door,
    database: "SqliteDatabase",
    title: str,
    theme: "Theme",
) -> int:
    from carerespond.services.inbox import Inbox
    from carerespond.ui.app import CarerespondApp
    from carerespond.ui.desk import Desk, Failed, SignedOn, Working

    session, crew = wiring.new_session(), wiring.Crew({})
    operator = SignedOn(_operator(config, options.operator))
    working: list[Working] = []

    async def start(failed: Failed) -> Working:
        working.append(
            await wiring.start_working(
                home,
                config,
                database,
                crew,
                door=door,
                session=session,
                operator=operator,
                now=wiring.utc_now,
                failed=failed,
            )
        )
        return working[0]

    def report(error: BaseException) -> str:
        from carerespond.cli.reports import write_report

        return str(write_report(error))

    desk = Desk(
        config,
        Inbox(
            database,
            config,
            crew.networks,
            session=session,
            operator=operator,
            now=wiring.utc_now,
        ),
        operator,
        wiring.utc_now,
        start,
        report,
        theme=theme,
        config_file=home.config_file,
        title=title,
        look_only=options.look,
        rules=cache(partial(wiring.load_triage, config)),
    )
    app = CarerespondApp(desk)
    with _signals_to(app.end_by_signal):
        try:
            code = await app.run_async(mouse=False)
        finally:
            unkept = app.unkept()
            await _end(working, database)
    typed = put_aside(unkept, home.logs) if unkept else "What you typed is kept."
    if app.failure is not None:
        where = report(app.failure)
        complain(
            f"carerespond: something went wrong inside the program. {typed}"
            f" A report without names or texts is in {where}"
        )
        return EXIT_BUG
    if unkept:
        complain(f"carerespond: {typed}")
    return code or (1 if unkept else 0)


def put_aside(text: str, folder: Path) -> str:
    """Write what could not be stored into a file of its owner's alone; says where, or why not."""
    path = folder / f"not-kept-{wiring.utc_now():%Y%m%dT%H%M%S.%f}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        return f"What you typed last was NOT kept: no draft and no file ({error.strerror})."
    return f"What you typed last is not kept as a draft: it is in {path}"


@contextmanager
def _signals_to(end: Callable[[int], None]) -> Iterator[None]:
    """Let a hang-up, or a request to end, end the program in its own time; often both come.

    `loop.add_signal_handler` would lose them: it tells the loop by a socket that is full when some
    three hundred keys wait.
    """
    loop = asyncio.get_running_loop()

    def take(number: int, _: object) -> None:
        loop.call_soon_threadsafe(end, number)

    before = {number: signal.signal(number, take) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _end(working: "list[Working]", database: "SqliteDatabase") -> None:
    try:
        for one in working:
            await one.aclose()
    except CarerespondError as error:
        complain(f"carerespond: {error}")
    finally:
        await database.aclose()


def _operator(config: Config, asked: str | None) -> str:
    """Who is at the keys: as asked, else whoever the rota's first line names, else the login."""
    if asked:
        return storable(asked[:40])
    login = storable(os.environ.get("USER", ""))
    known = {name.casefold(): name for name in config.operators}
    return known.get(login.casefold()) or next(iter(config.operators), login)
