"""The rules of triage as data: groups of phrases with a weight and a reason, read from TOML.

A team may keep its own file. Everything in it is checked when it is read, and every mistake names
the file, the group and the line.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from carerespond.domain.errors import ConfigError
from carerespond.domain.phrases import PhraseError, PhraseIndex, Phrases

KINDS = ("risk", "complaint", "question", "praise", "noise", "sign")

# Scores from which a case goes into a pane; `praise` and `noise` are the strength that makes it so.
_PANES = {"urgent": 6.0, "today": 3.0, "soon": 1.0, "praise": 1.0, "noise": 1.5}
# From which strength a post counts as a complaint or a question.
_LABELS = {"complaint": 0.8, "question": 0.5}
# What is known beside the words. These weights are judgement: nobody has measured them.
_CONTEXT = {
    "names_us": 1.0,
    "service_named": 0.3,
    "wrote_again": 1.0,
    "seen_before": 0.3,
    "seen_before_most": 0.9,
    "waiting": 0.5,
    "waiting_most": 1.5,
    "reach": 0.1,
    "reach_most": 0.5,
}
_WEIGHT_MOST = 100.0


@dataclass(frozen=True, slots=True)
class Group:
    """Phrases that mean the same for triage.

    Attributes:
        kind: One of `KINDS`; praise and noise lower the score by their weight.
        weight: Points for each different match, up to `cap` of them.
        is_pin: A match holds the case in the urgent pane whatever the score.
        idioms: A match that overlaps one of these does not count.
        unless: One of these anywhere in the post switches the group off.
        is_negatable: "not", "never" or "no" shortly before a match undoes it.
        yields_to_praise: Does not count in a post that praises and holds no other complaint.
        must_match: Sentences for which the group must fire; `must_not_match`: must not.
    """

    group_id: str
    kind: str
    weight: float
    reason: str
    phrases: Phrases
    cap: int = 2
    is_pin: bool = False
    idioms: Phrases = field(default_factory=lambda: Phrases(()))
    unless: Phrases = field(default_factory=lambda: Phrases(()))
    is_negatable: bool = False
    yields_to_praise: bool = False
    must_match: tuple[str, ...] = ()
    must_not_match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that triage goes by; groups stand in the order of their ids.

    `index` finds the phrases of all groups at once, a group by its place.
    """

    groups: tuple[Group, ...]
    panes: Mapping[str, float]
    labels: Mapping[str, float]
    context: Mapping[str, float]
    source: str
    index: PhraseIndex


def load_rules(text: str, source: str) -> Rules:
    """Read a rules file.

    Args:
        text: TOML.
        source: What the file is called in errors.

    Raises:
        ConfigError: Naming the source, the group and the line, and what to do.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}.", "Mend that line.") from None
    return _Reader(text, source).rules(document)


def _is_number(value: object) -> bool:
    is_plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_plain and 0 <= value <= _WEIGHT_MOST  # type: ignore[operator]  # checked just before


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_Check = tuple[Callable[[Any], bool], str]
_NUMBER: _Check = (_is_number, f"a number from 0 to {_WEIGHT_MOST:g}")
_TEXT: _Check = (lambda value: isinstance(value, str) and bool(value.strip()), "a text")
_FLAG: _Check = (lambda value: isinstance(value, bool), "true or false")
_TEXTS: _Check = (_is_texts, 'a list of texts, such as ["a", "b"]')
_COUNT: _Check = (
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    "a whole number from 1",
)
_KIND: _Check = (lambda value: value in KINDS, "one of " + ", ".join(KINDS))

_KEYS: dict[str, tuple[str, _Check]] = {
    "id": ("group_id", _TEXT),
    "kind": ("kind", _KIND),
    "weight": ("weight", _NUMBER),
    "reason": ("reason", _TEXT),
    "patterns": ("phrases", _TEXTS),
    "cap": ("cap", _COUNT),
    "pin": ("is_pin", _FLAG),
    "not": ("idioms", _TEXTS),
    "unless": ("unless", _TEXTS),
    "negatable": ("is_negatable", _FLAG),
    "yields_to_praise": ("yields_to_praise", _FLAG),
    "must_match": ("must_match", _TEXTS),
    "must_not_match": ("must_not_match", _TEXTS),
}
_REQUIRED = ("id", "kind", "weight", "reason", "patterns")
_PHRASE_KEYS = ("patterns", "not", "unless")
_TABLES = {"panes": _PANES, "labels": _LABELS, "context": _CONTEXT}


class _Reader:
    """Turns tables into rules and knows on which line a key stands."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source

    def rules(self, document: dict[str, Any]) -> Rules:
        self._known(document, {"group": None, **_TABLES}, "", "", 1)
        panes, labels, context = (self._table(document, name) for name in _TABLES)
        if not panes["urgent"] > panes["today"] > panes["soon"]:
            self._fail("", self._line("panes"), "urgent, today and soon must fall.", "Order them.")
        tables = document.get("group", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._fail("", self._line("group"), "group is not a list.", "Write [[group]].")
        groups: dict[str, Group] = {}
        for index, table in enumerate(tables):
            group = self._group(table, index)
            if group.group_id in groups:
                where = self._line("group", index, "id")
                self._fail(
                    group.group_id, where, "there are two groups with this id.", "Rename one."
                )
            groups[group.group_id] = group
        if not groups:
            self._fail("", 1, "there are no groups.", "Write at least one [[group]].")
        ordered = tuple(groups[group_id] for group_id in sorted(groups))
        phrases = PhraseIndex([group.phrases for group in ordered])
        return Rules(ordered, panes, labels, context, self._source, phrases)

    def _table(self, document: dict[str, Any], name: str) -> dict[str, float]:
        known = _TABLES[name]
        table = document.get(name, {})
        if not isinstance(table, dict):
            self._fail("", self._line(name), f"{name} is not a table.", f"Write [{name}].")
        self._known(table, known, name, "", self._line(name))
        for key, value in table.items():
            fits, wanted = _NUMBER
            if not fits(value):
                line = self._line(name, 0, key)
                self._fail("", line, f"{key} is not {wanted}.", f"Write {wanted}.")
        return {**known, **{key: float(value) for key, value in table.items()}}

    def _group(self, table: dict[str, Any], index: int) -> Group:
        group_id = str(table.get("id") or f"number {index + 1}")
        self._known(table, _KEYS, "group", group_id, index)
        for key in _REQUIRED:
            if not table.get(key) and table.get(key) != 0:
                self._fail(group_id, self._line("group", index), f"it has no {key}.", f"Add {key}.")
        values: dict[str, Any] = {}
        for key, value in table.items():
            attribute, (fits, wanted) = _KEYS[key]
            if not fits(value):
                line = self._line("group", index, key)
                self._fail(group_id, line, f"{key} is not {wanted}.", f"Write {wanted}.")
            values[attribute] = tuple(value) if isinstance(value, list) else value
        for key in _PHRASE_KEYS:
            if key in table:
                values[_KEYS[key][0]] = self._phrases(table[key], group_id, index, key)
        return Group(**values)

    def _phrases(self, phrases: list[str], group_id: str, index: int, key: str) -> Phrases:
        for phrase in phrases:
            try:
                Phrases((phrase,))
            except PhraseError as error:
                line = self._line("group", index, key, phrase)
                self._fail(group_id, line, f"{key}: {phrase!r}: {error}.", "Mend the phrase.")
        return Phrases(tuple(phrases))

    def _known(
        self, table: dict[str, Any], known: Mapping[str, object], where: str, group: str, index: int
    ) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
                is_group = where == "group"
                line = self._line(where, index if is_group else 0, key)
                self._fail(group, line, f"unknown key {key!r}.", remedy)

    def _fail(self, group_id: str, line: int, problem: str, remedy: str) -> NoReturn:
        group = f", group {group_id}" if group_id else ""
        raise ConfigError(f"{self._source}, line {line}{group}: {problem}", remedy) from None

    def _line(self, table: str, index: int = 0, key: str = "", phrase: str = "") -> int:
        """The line of a phrase, else of a key, else of the index-th such table, else 1."""
        at, count = 1, -1
        is_here, found_key = not table, 0
        for number, line in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[\[?\s*([\w.]+)\s*\]", line):
                if not table and header[1] == key:
                    return number
                is_named = header[1] == table
                count += is_named
                is_here = is_named and count == index
                at = number if is_here else at
            elif is_here and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                found_key = found_key or number
            if is_here and found_key and phrase and phrase in line:
                return number
        return found_key or at
