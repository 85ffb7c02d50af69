"""What runs without a screen: `check` and `listen`."""

import argparse
import asyncio
import json
import signal
from contextlib import suppress

from carerespond.cli import wiring
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import complain, say
from carerespond.config import Config, Home, find_home, load_config
from carerespond.domain.errors import CarerespondError, ConfigError
from carerespond.domain.text import one_line

MOST_TOLD = 1000  # characters of a line


def check(options: argparse.Namespace) -> int:
    """Print one line about what waits; the exit code says the most pressing.

    Raises:
        CarerespondError: The configuration or the database cannot be used.
    """
    from carerespond.services.status import look

    home = find_home()
    require_configuration(home)
    config = load_config(home.config_file)
    # Not to look only: the first check after an update brings the database up to date.
    database = wiring.open_store(home)
    try:
        status = look(database, config, wiring.utc_now)
    finally:
        database.close_now()
    say(json.dumps(status.record()) if options.json else status.line)
    return status.code


def listen(options: argparse.Namespace) -> int:  # noqa: ARG001 - commands take their options
    """Listen until stopped, without a screen.

    Raises:
        CarerespondError: The configuration or the database cannot be used.
    """
    home = find_home()
    require_configuration(home)
    config = load_config(home.config_file)
    if not config.accounts or not config.searches:
        raise ConfigError(
            f"{home.config_file}: there is nothing to listen to.",
            "Add an [[account]] and a [[search]].",
        )
    wiring.check_rules(config)
    return asyncio.run(_listen(home, config))


def _tell(text: str) -> None:
    """One line a happening: whatever a network says begins no line of its own."""
    say(one_line(text, MOST_TOLD))


async def _listen(home: Home, config: Config) -> int:
    database = wiring.open_store(home)
    crew, session = wiring.Crew({}), wiring.new_session()
    stopped = asyncio.Event()
    problems: list[BaseException] = []

    def failed(error: BaseException) -> None:
        problems.append(error)
        stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    try:
        assessor = wiring.make_assessor(config, wiring.utc_now, database)
        listener = wiring.make_listener(
            database, config, crew.networks, session, wiring.utc_now, _tell, assessor=assessor
        )
        wiring.open_networks(home, config, database, wiring.utc_now, wiring.Door(), crew)
        for problem in crew.unusable:
            complain(f"carerespond: {problem}")
        if not crew.networks:
            return 2
        say(f"Listening to {len(config.searches)} saved searches; Ctrl-C ends it.")
        crew.begin(listener.run(), failed)
        wiring.begin_following(database, config, session, assessor, crew, failed, _tell)
        await stopped.wait()
    finally:
        await crew.stop()
        for network in crew.networks.values():
            with suppress(CarerespondError):
                await network.aclose()
        await database.aclose()
    if problems:
        raise problems[0]
    return 0
