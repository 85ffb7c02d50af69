"""What was learned from the team's own moves: `rules learned` and `rules forget`."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from carerespond.cli import wiring
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import ask, complain, is_terminal, say
from carerespond.config import Config, Home, find_home, load_config
from carerespond.domain.errors import NotAllowedError

if TYPE_CHECKING:
    from carerespond.services.learning import Standing

SHOWN = 20


def learned(options: argparse.Namespace) -> int:  # noqa: ARG001 - commands take their options
    """Print how much was learned from the team's moves, whether it is in use, and its words.

    Raises:
        CarerespondError: The configuration, the rules or the database cannot be used.
    """
    from carerespond.domain.learning import strongest
    from carerespond.services.learning import standing_now

    home, config = _configured()
    rules = wiring.load_triage(config)
    if not home.database.exists():
        say("0 decisions of your team: there is no database yet.")
        return 0
    database = wiring.open_store(home, look_only=True)
    try:
        found = standing_now(database, rules)
    finally:
        database.close_now()
    later = found.decisions - found.sooner
    say(f"{found.decisions} decisions of your team: {found.sooner} sooner, {later} later.")
    why_not = _why_not(config, rules.learning, found)
    say(f"Not in use: {why_not}" if why_not else "In use.")
    if found.learned is not None:
        say(f"Learned from {found.learned.decisions} decisions. The strongest words:")
        for name, sooner in (("sooner", True), ("later", False)):
            words = strongest(found.learned, SHOWN, sooner=sooner)
            say(f"{name + ':':8}" + (", ".join(word for word, _ in words) or "none"))
    return 0


def _why_not(config: Config, settings: Mapping[str, float], found: "Standing") -> str:
    """What keeps the moves from being used; "" when nothing does."""
    from carerespond.domain.learning import RARER_KIND

    fewest = f"{settings['from']:g}"
    for is_so, why in (
        (not config.learn, "write learn = true under [inbox] in config.toml."),
        (not settings["weight"], "its weight in the rules is 0."),
        (found.decisions < settings["from"], f"it begins with {fewest} decisions."),
        (
            min(found.sooner, found.decisions - found.sooner) < RARER_KIND,
            f"it begins with {RARER_KIND} decisions of each kind.",
        ),
        (found.learned is None, "it learns while an inbox or `carerespond listen` runs."),
    ):
        if is_so:
            return why
    return ""


def forget(options: argparse.Namespace) -> int:
    """Forget what was learned and all decisions so far; 1 when the person said no.

    Raises:
        NotAllowedError: There is nobody to ask, and --yes was not given.
        CarerespondError: The configuration or the database cannot be used.
    """
    from carerespond.services.learning import forget_now

    home, _ = _configured()
    if not home.database.exists():
        say("Nothing was learned: there is no database yet.")
        return 0
    if not options.yes and not _is_sure():
        say("Nothing was forgotten.")
        return 1
    database = wiring.open_store(home)
    try:
        was_there = forget_now(database, wiring.utc_now())
        is_wiped = database.empty_log_now()
    finally:
        database.close_now()
    say("Forgotten." if was_there else "Nothing was learned yet.")
    say("Moves between panes count from now on; earlier ones do not.")
    if not is_wiped:
        complain("Another program reads the database: its log keeps old words until that one ends.")
    return 0


def _configured() -> tuple[Home, Config]:
    home = find_home()
    require_configuration(home)
    return home, load_config(home.config_file)


def _is_sure() -> bool:
    if not is_terminal():
        raise NotAllowedError("Nobody can be asked here.", "Add --yes to forget without asking.")
    answer = ask("Forget what was learned from your team's moves? y/N", at_end="n")
    return answer.casefold() in ("y", "yes")
