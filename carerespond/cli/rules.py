"""The team's own rules from a script or a shell: `rules check` and `rules try`."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from carerespond.cli import wiring
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import complain, say
from carerespond.config import Config, Home, find_home, load_config, read_text
from carerespond.config.own_rules import read_own
from carerespond.domain.text import one_line

if TYPE_CHECKING:
    from carerespond.domain.rulebook import Rules
    from carerespond.services.whatif import WhatIf

WIDTH = 80
WRONG = 2
_PANE = 18  # columns: "urgent -> praise"


def try_rules(options: argparse.Namespace) -> int:
    """Print which cases would move if a file were the team's own rules; nothing is changed.

    Raises:
        CarerespondError: The file, the configuration or the database cannot be used.
    """
    home, config = _configured()
    path = Path(options.file)
    rules = wiring.load_triage(config, (read_text(path), str(path)))
    found = asyncio.run(_what_if(home, config, rules, options.days)) if _has_cases(home) else None
    if found is None or not found.cases:
        say(f"There are no cases of the last {options.days:g} days yet.")
        return 0
    for line in _told(found, path.name):
        say(line)
    return 0


def _configured() -> tuple[Home, Config]:
    home = find_home()
    require_configuration(home)
    return home, load_config(home.config_file)


def _has_cases(home: Home) -> bool:
    return home.database.exists()


async def _what_if(home: Home, config: Config, rules: "Rules", days: float) -> "WhatIf":
    from carerespond.services.whatif import what_if

    database = wiring.open_store(home, look_only=True)
    try:
        assessor = wiring.make_assessor(config, wiring.utc_now, database)
        return await what_if(database, assessor, rules, wiring.utc_now(), days=days)
    finally:
        await database.aclose()


def _told(found: "WhatIf", name: str) -> Iterator[str]:
    moved, noun = len(found.moves), "case" if found.cases == 1 else "cases"
    file = one_line(name, 40)
    of = f"{found.cases} {noun} of the last {found.days:g} days"
    yield f"With {file}: {moved or 'none'} of {of} would move."
    if found.let_go:
        yield f"ATTENTION: {found.let_go} of them would no longer be held as a possible danger."
    if not moved:
        return
    yield ""
    for (before, after), count in found.counts.items():
        yield f"{count:6}  {before.label} -> {after.label}"
    yield ""
    for move in found.moves:
        panes = f"{move.before.label} -> {move.after.label}"
        who = f"{panes:<{_PANE}}@{one_line(move.handle, 20)}: "
        yield who + _fit(move.snippet, WIDTH - len(who))


def _fit(text: str, width: int) -> str:
    """Text of others on what is left of a line."""
    from carerespond.domain.text import shorten

    return shorten(one_line(text, 4 * width), max(1, width))


def check_rules(options: argparse.Namespace) -> int:
    """Read all rules and try every sentence that they must or must not match; 2 when one fails.

    Raises:
        ConfigError: A file is wrong; names the place.
    """
    from carerespond.domain.rule_advice import advice
    from carerespond.domain.triage import misfits

    _, config = _configured()
    own = _own(config, options.file)
    rules = wiring.load_triage(config, own or ("", "no file"))
    wrong = misfits(rules)
    for line in wrong:
        complain(f"wrong: {line}")
    shipped = wiring.load_triage(config, ("", "no file"))
    for line in advice(shipped, rules, _phrases(own[0])) if own else ():
        say(f"note: {line}")
    if wrong:
        say(f"{_number(len(wrong), 'sentence')} not as the rules say: see above.")
        return WRONG
    sentences = sum(len(one.must_match) + len(one.must_not_match) for one in rules.groups)
    phrases = sum(len(one.phrases) for one in rules.groups)
    counts = [_number(len(rules.groups), "group"), _number(phrases, "phrase")]
    counts.append(_number(sentences, "sentence") + " tried")
    team = f"the team's own: {own[1]}" if own else "the team has no rules of its own"
    say(f"OK: {', '.join(counts)}; {team}")
    return 0


def _own(config: Config, file: str | None) -> tuple[str, str] | None:
    """Text and name of the file to check; None when the team has none."""
    if file is not None:
        return read_text(Path(file)), file
    if config.rules_file is None and not config.own_rules.exists():
        return None
    return read_own(config.own_rules), str(config.own_rules)


def _phrases(text: str) -> list[tuple[str, list[str]]]:
    """The groups of a file that was read without a mistake, with the phrases that it adds."""
    import tomllib

    groups = tomllib.loads(text).get("group", [])
    return [(group["id"], group.get("patterns", [])) for group in groups]


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
