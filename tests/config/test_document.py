"""docs/configuration.md names every key that is read, and no other, with its real default."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from carerespond.config import (
    REPLY_MINUTES,
    X_PRICES,
    AccountConfig,
    BudgetConfig,
    Config,
    SearchConfig,
    ServiceConfig,
    parse_config,
)
from carerespond.config.reading import known_keys
from carerespond.domain.errors import ConfigError
from tests.cli.support import CONFIG

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
MODELS = {
    "organisation": Config,
    "inbox": Config,
    "account": AccountConfig,
    "search": SearchConfig,
    "service": ServiceConfig,
    "budget": BudgetConfig,
}


def documented(text: str) -> dict[str, dict[str, str]]:
    """Every key in the document's table with its default, "" where the table names none."""
    found: dict[str, dict[str, str]] = {}
    table = ""
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith("| table"):
            continue
        where, names, _, default = (cell.strip() for cell in line.strip("|").split("|"))
        table = where.strip("`[]") or table
        keys = re.findall(r"`(\w+)`", names)
        defaults = re.findall(r"`([^`]+)`", default) or [default] * len(keys)
        assert len(keys) == len(defaults) or not keys, line
        found.setdefault(table, {}).update(zip(keys, defaults, strict=False))
    return found


def check_keys(text: str) -> None:
    named = {table: set(keys) for table, keys in documented(text).items()}
    assert named.pop("keys") == set(), "[keys] has the names of the commands"
    assert named == {table: set(keys) for table, keys in known_keys().items()}


def test_every_key_is_in_the_document_and_no_other() -> None:
    check_keys(DOCUMENT.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("old", "new"), [("`user_id`", "`user`"), ("`ascii_only`", "`theme`")])
def test_a_key_that_the_document_lacks_would_be_noticed(old: str, new: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(AssertionError):
        check_keys(text.replace(old, new))


def test_every_default_in_the_document_is_the_real_one() -> None:
    seen = 0
    for table, keys in documented(DOCUMENT.read_text(encoding="utf-8")).items():
        for key, written in keys.items():
            if table in ("prices", "reply_minutes"):
                default: object = {**X_PRICES, **REPLY_MINUTES}[key]
            elif table in MODELS:
                default = {one.name: one.default for one in fields(MODELS[table])}.get(key)
            else:
                continue
            if not re.fullmatch(r"true|false|[0-9.]+|https?://\S+", written):
                continue
            is_text = isinstance(default, str)
            assert tomllib.loads(f"x = {written!r}" if is_text else f"x = {written}")["x"] == (
                default
            ), (table, key)
            seen += 1
    assert seen == 29


@pytest.mark.parametrize(
    ("table", "key"), [(table, key) for table, keys in known_keys().items() for key in keys]
)
def test_every_key_is_read_and_checked(table: str, key: str) -> None:
    """A date is right for no key: each is refused by its name and line."""
    lists = ("account", "search", "service", "operator", "template", "safety")
    header = f"[[{table}]]" if table in lists else f"[{table}]"
    needed = [name for name in _required(table) if name != key]
    texts = ("numbers",)
    required = "".join(f"{name} = {['x'] if name in texts else repr('x')}\n" for name in needed)
    organisation = "" if table == "organisation" else "[organisation]\nname = 'A'\n"
    text = f"{organisation}{header}\n{required}{key} = 2026-11-24\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "config.toml")
    assert f"line {text.count(chr(10))}: {key} is not " in str(caught.value)
    assert caught.value.remedy


def _required(table: str) -> list[str]:
    return {
        "organisation": ["name"],
        "account": ["id", "network", "handle"],
        "search": ["id", "name", "account", "query", "purpose"],
        "service": ["id", "name"],
        "operator": ["name"],
        "template": ["id", "name", "text"],
        "safety": ["title", "numbers"],
    }.get(table, [])


def test_the_configuration_of_these_tests_is_right() -> None:
    assert parse_config(CONFIG, "config.toml").searches[0].service == "eye"
