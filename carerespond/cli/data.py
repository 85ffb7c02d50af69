"""What goes in and out as files: `import`."""

import argparse
import asyncio
import time
from pathlib import Path

from carerespond.cli import wiring
from carerespond.cli.lines import NAMED, Progress, lines_of, open_input
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import complain, say
from carerespond.config import Config, Home, find_home, load_config
from carerespond.services.importer import Imported

PAUSE_SECONDS = 0.002  # between batches: SQLite's lock is unfair to whoever waits


def import_posts(options: argparse.Namespace) -> int:
    """Bring in posts from a file; 2 when no line of it could be used, else 0.

    Raises:
        CarerespondError: The configuration, the database or the file cannot be used.
    """
    home = find_home()
    require_configuration(home)
    config = load_config(home.config_file)
    wiring.check_rules(config)
    with open_input(options.file) as (file, size):
        database = wiring.open_store(home)
        try:
            importer = wiring.make_importer(
                database, config, wiring.utc_now, pause=lambda: time.sleep(PAUSE_SECONDS)
            )
            shown = Progress(size)
            done = importer.run(
                lines_of(file),
                Path(options.file).name,
                lambda done, read: shown(done.lines, read),
            )
            shown.end()
            asyncio.run(_catch_up(home, config))
        finally:
            database.close_now()
    return _report(done, options.file)


async def _catch_up(home: Home, config: Config) -> None:
    """Place all cases by the rules of now, if some were edited while posts were coming in."""
    database = wiring.open_store(home)
    try:
        assessor = wiring.make_assessor(config, wiring.utc_now, database)
        resorting = wiring.make_resorting(database, config, wiring.utc_now, assessor)
        resorting.tell(complain)
        await resorting.catch_up()
    finally:
        await database.aclose()


def _report(done: Imported, name: str) -> int:
    say(f"{done.new} new, {done.known} known, {len(done.bad)} bad, of {done.lines} lines.")
    for number, problem in done.bad[:NAMED]:
        complain(f"{name}, line {number}: {problem}")
    if len(done.bad) > NAMED:
        complain(f"... and {len(done.bad) - NAMED} more.")
    if done.bad:
        rest = "all others went in" if done.new or done.known else "there were no others"
        complain(f"Bad lines are kept aside in the database; {rest}.")
    return 0 if done.new or done.known or not done.lines else 2
