"""Reads `config.toml`; every error names the file, the line and the key."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from carerespond.config.lines import line_of
from carerespond.config.model import (
    RAIL,
    REPLY_MINUTES,
    X_PRICES,
    AccountConfig,
    BudgetConfig,
    Config,
    SearchConfig,
    ServiceConfig,
    TemplateConfig,
)
from carerespond.config.places import read_text, refuse_foreign, rules_texts, safety_text
from carerespond.domain.clocks import WorkingHours
from carerespond.domain.errors import ConfigError
from carerespond.domain.safety import SafetyCard
from carerespond.domain.searching import LONGEST_QUERY, complete_query


def load_config(path: Path) -> Config:
    """Read `config.toml`.

    Raises:
        ConfigError: Naming the file, the line and the key, and what to do.
    """
    refuse_foreign(path)
    return parse_config(read_text(path, missing="Run: carerespond init"), str(path))


def parse_config(text: str, source: str) -> Config:
    """Make a `Config` of TOML text; `source` names it in errors.

    Raises:
        ConfigError: Naming the source, the line and the key, and what to do.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, tomllib.TOMLDecodeError) else "a value is beyond all use"
        raise ConfigError(f"{source}: not valid TOML: {why}.", "Mend that line.") from None
    reader = _Reader(text, document, source)
    config = reader.config()
    _check_references(config, reader)
    return config


@cache
def shipped_safety() -> tuple[SafetyCard, ...]:
    """The shipped safety cards: examples, for every risk for which there is no card of one's own.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    text, source = safety_text()
    reader = _Reader(text, tomllib.loads(text), source)
    return tuple(replace(card, is_example=True) for card in reader.safety())


def known_keys() -> dict[str, tuple[str, ...]]:
    """Every key that `config.toml` may have, by its table; [keys] has those of the commands."""
    return {name: tuple(keys) for name, keys in _KEYS.items()}


_MOST_SAID = 12
_MINUTES_A_DAY = 24 * 60
_STRETCH = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) ?[-\u2013] ?([01]?\d|2[0-4]):([0-5]\d)\Z")


def _stretch(text: str) -> tuple[int, int]:
    """A stretch such as "09:00-12:30" as minutes of the day; (0, 0) when it is none."""
    found = _STRETCH.match(text)
    if found is None:
        return 0, 0
    begin, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
    return (begin, end) if begin < end <= _MINUTES_A_DAY else (0, 0)


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only where hours are configured

    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a table: the attribute it fills and what it must be."""

    attribute: str
    kind: str = "text"
    required: bool = False
    low: float = 0
    high: float = 1e12


_ORGANISATION = {
    "name": _Key("organisation", required=True),
    "public_body": _Key("public_body", "flag"),
    "phone": _Key("phone"),
    "email": _Key("email"),
    "signature": _Key("signature"),
}
_INBOX = {
    "take_back_seconds": _Key("take_back_seconds", "number", high=120),
    "claim_minutes": _Key("claim_minutes", "number", low=1, high=1440),
    "silent_days": _Key("silent_days", "number", low=0.01, high=60),
    "escape_ms": _Key("escape_ms", "whole", low=1, high=2000),
    "theme": _Key("theme"),
    "rules_file": _Key("rules_file", "path"),
    "language_files": _Key("language_files", "paths"),
    "learn": _Key("learn", "flag"),
    "opener": _Key("opener", "texts"),
    "ascii_only": _Key("ascii_only", "flag"),
    "rail": _Key("rail", "rail"),
}
_ACCOUNT = {
    "id": _Key("account_id", required=True),
    "network": _Key("network", required=True),
    "handle": _Key("handle", "handle", required=True),
    "base_url": _Key("base_url", "origin"),
    "user_id": _Key("user_id"),
    "client_id": _Key("client_id"),
    "redirect_uri": _Key("redirect_uri"),
    "token_file": _Key("token_file", "path"),
    "owns_app": _Key("owns_app", "flag"),
    "poll_seconds": _Key("poll_seconds", "number", low=1, high=86400),
}
_SEARCH = {
    "id": _Key("search_id", required=True),
    "name": _Key("name", required=True),
    "account": _Key("account", required=True),
    "query": _Key("query", required=True),
    "purpose": _Key("purpose", required=True),
    "service": _Key("service"),
    "page_cap": _Key("page_cap", "whole", low=1, high=100),
}
_SERVICE = {
    "id": _Key("service_id", required=True),
    "name": _Key("name", required=True),
    "nicknames": _Key("nicknames", "texts"),
    "story_link": _Key("story_link", "link"),
    "page_link": _Key("page_link", "link"),
    "phone": _Key("phone"),
    "email": _Key("email"),
}
_TEMPLATE = {
    "id": _Key("template_id", required=True),
    "name": _Key("name", required=True),
    "text": _Key("text", required=True),
}
_SAFETY = {
    "title": _Key("title", required=True),
    "numbers": _Key("numbers", "said", required=True),
    "rules": _Key("rules", "texts"),
    "tell": _Key("tell", "said"),
    "avoid": _Key("avoid", "said"),
}
_OPERATOR = {"name": _Key("name", required=True)}
_BUDGET = {
    "daily_usd": _Key("daily_usd", "number"),
    "monthly_usd": _Key("monthly_usd", "number"),
    "soft_percent": _Key("soft_percent", "whole", low=1, high=100),
}
_PRICES = {name: _Key(name, "number", high=1000) for name in X_PRICES}
_REPLY_MINUTES = {name: _Key(name, "number", high=525600) for name in REPLY_MINUTES}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = {
    "zone": _Key("zone", "zone"),
    "holidays": _Key("holidays", "days"),
    **{day: _Key(day, "stretches") for day in _WEEK},
}
_KEYS = {
    "organisation": _ORGANISATION,
    "account": _ACCOUNT,
    "search": _SEARCH,
    "service": _SERVICE,
    "operator": _OPERATOR,
    "template": _TEMPLATE,
    "safety": _SAFETY,
    "budget": _BUDGET,
    "prices": _PRICES,
    "reply_minutes": _REPLY_MINUTES,
    "hours": _HOURS,
    "inbox": _INBOX,
}
_TABLES = ("organisation", "inbox", "budget", "prices", "reply_minutes", "hours", "keys")
_LISTS = ("account", "search", "service", "template", "safety", "operator")

_LINK = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?\Z")
# Tokens travel to it: in the clear only within this machine, or to a host that cannot exist.
_ORIGIN = re.compile(
    r"(?:https://[A-Za-z0-9.\-\[\]:]+"
    r"|http://(?:localhost|127(?:\.\d+){3}|\[::1\]|[a-z]+\.invalid)(?::\d+)?)\Z"
)
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (lambda v: isinstance(v, str), "text in quotes"),
    "handle": (
        lambda v: isinstance(v, str) and not v.startswith("@"),
        "text in quotes without the @",
    ),
    "path": (lambda v: isinstance(v, str) and v != "" and "\0" not in v, "a path in quotes"),
    "flag": (lambda v: isinstance(v, bool), "true or false"),
    "number": (lambda v: isinstance(v, int | float) and not isinstance(v, bool), "a number"),
    "whole": (lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number"),
    "texts": (
        lambda v: isinstance(v, list) and all(isinstance(t, str) for t in v),
        'a list of texts, such as ["a", "b"]',
    ),
    # On a safety card: each says something, in a line or so.
    "said": (
        lambda v: (
            isinstance(v, list)
            and len(v) <= _MOST_SAID
            and all(isinstance(t, str) and any(c.isalnum() for c in t) for t in v)
        ),
        f"a list of at most {_MOST_SAID} texts, each with words or a number in it",
    ),
    "zone": (
        lambda v: isinstance(v, str) and _is_zone(v),
        'a time zone that this machine knows, such as "Europe/London"',
    ),
    "days": (
        lambda v: isinstance(v, list) and all(type(one) is date for one in v),
        "a list of days, such as [2026-12-25]",
    ),
    "stretches": (
        lambda v: (
            isinstance(v, list)
            and all(isinstance(one, str) and _stretch(one) != (0, 0) for one in v)
        ),
        'a list of stretches, such as ["09:00-12:30", "13:15-17:00"]',
    ),
    "paths": (
        lambda v: isinstance(v, list) and all(isinstance(t, str) and t for t in v),
        'a list of paths, such as ["polski.toml"]',
    ),
    "rail": (
        lambda v: isinstance(v, list) and all(one in RAIL for one in v),
        f"a list of some of {', '.join(RAIL)}",
    ),
    # Contract rule 4: links are pasted by people; only scheme and host are checked.
    "link": (
        lambda v: isinstance(v, str) and (v == "" or _LINK.match(v) is not None),
        "a full https address",
    ),
    "origin": (
        lambda v: isinstance(v, str) and _ORIGIN.match(v) is not None,
        "an address such as https://api.x.com, without a path",
    ),
}


class _Reader:
    """Turns tables into values and knows on which line a key stands."""

    def __init__(self, text: str, document: dict[str, Any], source: str) -> None:
        self._text = text
        self._document = document
        self._source = source

    def config(self) -> Config:
        document = self._document
        self._known(document, {**dict.fromkeys(_TABLES), **dict.fromkeys(_LISTS)}, "", 0)
        values = self._table(document, "organisation", _ORGANISATION)
        values |= self._table(document, "inbox", _INBOX)
        values["own_rules"] = values.get("rules_file") or Path(self._source).parent / "rules.toml"
        values["budget"] = BudgetConfig(**self._table(document, "budget", _BUDGET))
        values["prices"] = X_PRICES | self._table(document, "prices", _PRICES)
        values["reply_minutes"] = REPLY_MINUTES | self._table(
            document, "reply_minutes", _REPLY_MINUTES
        )
        values["hours"] = self._hours(document)
        keys = document.get("keys", {})
        self._is_table(keys, "keys")
        values["keys"] = self._values(keys, {name: _Key(name) for name in keys}, "keys", 0)
        values["accounts"] = self._list(document, "account", _ACCOUNT, AccountConfig)
        values["searches"] = self._list(document, "search", _SEARCH, SearchConfig)
        values["services"] = self._list(document, "service", _SERVICE, ServiceConfig)
        values["templates"] = self._list(document, "template", _TEMPLATE, TemplateConfig)
        values["safety"] = self.safety()
        values["operators"] = tuple(self._list(document, "operator", _OPERATOR, _operator_name))
        return Config(**values)

    def _hours(self, document: dict[str, Any]) -> WorkingHours | None:
        """When somebody works; None when nothing is said of it, or no day has any work."""
        table = self._table(document, "hours", _HOURS)
        week = tuple(tuple(sorted(_stretch(one) for one in table.get(day, ()))) for day in _WEEK)
        for day, stretches in zip(_WEEK, week, strict=True):
            if any(end > begin for (_, end), (begin, _) in pairwise(stretches)):
                raise self.problem(
                    "hours", 0, day, f"two stretches of {day} overlap.", "Write them apart."
                )
        if not any(week):
            if not table:
                return None
            remedy = 'Add a day, such as monday = ["09:00-17:00"], or take [hours] out.'
            raise self.problem("hours", 0, "", "[hours] has no working day.", remedy)
        if "zone" not in table:
            remedy = 'Add: zone = "Europe/London", or where you are.'
            raise self.problem("hours", 0, "", "[hours] has no zone.", remedy)
        from zoneinfo import ZoneInfo  # only where hours are configured

        return WorkingHours(ZoneInfo(table["zone"]), week, frozenset(table.get("holidays", ())))

    def safety(self) -> tuple[SafetyCard, ...]:
        """The safety cards of the document."""
        return self._list(self._document, "safety", _SAFETY, SafetyCard)

    def problem(self, section: str, index: int, key: str, problem: str, remedy: str) -> ConfigError:
        """An error that names the line of a key, or of its table when the key is missing."""
        is_list = isinstance(self._document.get(section), list)
        place = (section, index, key) if is_list else (section, key) if section else (key,)
        return ConfigError(f"{self._source}, line {line_of(self._text, place)}: {problem}", remedy)

    def _table(
        self, document: dict[str, Any], section: str, keys: dict[str, _Key]
    ) -> dict[str, Any]:
        table = document.get(section, {})
        self._is_table(table, section)
        return self._values(table, keys, section, 0)

    def _is_table(self, table: object, section: str) -> None:
        if not isinstance(table, dict):
            raise self.problem("", 0, section, f"{section} is not a table.", f"Write [{section}].")

    def _list(
        self,
        document: dict[str, Any],
        section: str,
        keys: dict[str, _Key],
        make: Callable[..., Any],
    ) -> tuple[Any, ...]:
        tables = document.get(section, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.problem(
                "", 0, section, f"{section} is not a list of tables.", f"Write [[{section}]]."
            )
        made, seen = [], set()
        for index, table in enumerate(tables):
            made.append(make(**self._values(table, keys, section, index)))
            key = next(one for one in ("id", "name", "title") if one in keys)
            name = table[key]
            if name in seen:
                raise self.problem(
                    section, index, key, f"two [[{section}]] are called {name!r}.", "Rename one."
                )
            seen.add(name)
        return tuple(made)

    def _values(
        self, table: dict[str, Any], keys: dict[str, _Key], section: str, index: int
    ) -> dict[str, Any]:
        self._known(table, keys, section, index)
        for name, key in keys.items():
            if key.required and not table.get(name):
                raise self.problem(
                    section, index, name, f"[{section}] has no {name}.", f"Add: {name} = ..."
                )
        return {
            keys[name].attribute: self._value(keys[name], value, section, index, name)
            for name, value in table.items()
        }

    def _value(self, key: _Key, value: Any, section: str, index: int, name: str) -> Any:
        fits, wanted = _KINDS[key.kind]
        if not fits(value):
            raise self.problem(section, index, name, f"{name} is not {wanted}.", f"Write {wanted}.")
        if key.kind in ("number", "whole") and not key.low <= value <= key.high:
            raise self.problem(
                section,
                index,
                name,
                f"{name} is out of range.",
                f"Use {key.low:g} to {key.high:g}.",
            )
        if key.kind == "path":
            return self._path(value)
        if key.kind == "paths":
            return tuple(self._path(one) for one in value)
        return tuple(value) if isinstance(value, list) else value

    def _path(self, value: str) -> Path:
        """A path of the configuration, which is meant from its own folder."""
        # Not `expanduser` of Path, which fails where nobody is called so.
        return Path(self._source).parent / os.path.expanduser(value)  # noqa: PTH111

    def _known(
        self, table: dict[str, Any], keys: Mapping[str, object], section: str, index: int
    ) -> None:
        for name in table:
            if name in keys:
                continue
            import difflib  # only for the person who mistyped

            near = difflib.get_close_matches(name, keys, 1)
            where = f" in [{section}]" if section else ""
            raise self.problem(
                section,
                index,
                name,
                f"unknown key {name!r}{where}.",
                f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(keys))}.",
            )


def _operator_name(name: str) -> str:
    return name


def _check_references(config: Config, reader: _Reader) -> None:
    """Searches name accounts and services that exist, and fit into what the network takes."""
    accounts = {account.account_id: account for account in config.accounts}
    services = {service.service_id for service in config.services}
    for index, search in enumerate(config.searches):
        if search.account not in accounts:
            raise reader.problem(
                "search",
                index,
                "account",
                f"search {search.search_id!r} names account {search.account!r}: there is none.",
                "Add an [[account]] with that id, or name one of: " + ", ".join(sorted(accounts)),
            )
        if search.service is not None and search.service not in services:
            raise reader.problem(
                "search",
                index,
                "service",
                f"search {search.search_id!r} names service {search.service!r}: there is none.",
                "Add a [[service]] with that id.",
            )
        _check_length(search, accounts[search.account], index, reader)
    _check_safety(config, reader)


def _check_safety(config: Config, reader: _Reader) -> None:
    """A card for a rule that is not there, or that holds nothing, would never be shown."""
    if not any(card.rules for card in config.safety):
        return
    pins = _pins(config)
    for index, card in enumerate(config.safety):
        for rule in card.rules:
            if pins is not None and rule not in pins:
                raise reader.problem(
                    "safety",
                    index,
                    "rules",
                    f"rules: no rule {rule!r} holds a case in the urgent pane, so the card"
                    f" {card.title!r} would never be shown for it.",
                    f"Known: {', '.join(sorted(pins))}.",
                )


def _pins(config: Config) -> set[str] | None:
    """The rules with a pin; None when a rules file is wrong, which whoever loads it says better."""
    own = [path for path in (*config.language_files, config.own_rules) if path.exists()]
    pins: dict[str, bool] = {}
    try:
        for text, _ in rules_texts(own):
            for group in tomllib.loads(text).get("group", []):
                pins[group["id"]] = group.get("pin", pins.get(group["id"], False))
    except (ConfigError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return {rule for rule, is_pin in pins.items() if is_pin is True}


def _check_length(
    search: SearchConfig, account: AccountConfig, index: int, reader: _Reader
) -> None:
    """X refuses a longer query at each round: better to say so before the first."""
    whole = complete_query(search.query, account.handle)
    if account.network == "x" and len(whole) > LONGEST_QUERY:
        raise reader.problem(
            "search",
            index,
            "query",
            f"the query of search {search.search_id!r} is too long: X takes {LONGEST_QUERY}"
            f" characters, and with the {len(whole) - len(search.query)} that carerespond adds it"
            f" has {len(whole)}.",
            "Shorten it, or make two searches of it.",
        )
