"""The rules of triage as data: groups of phrases with a weight and a reason, read from TOML.

Several files make one set of rules: the shipped ones, one a language, and a team's own. A later
file may change a group of an earlier one by its id, add words to it, or bring groups of its own.
Everything is checked when it is read, and every mistake names the file, the group and the line.
"""

import difflib
import re
import tomllib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn

from carerespond.domain.errors import ConfigError
from carerespond.domain.phrases import (
    PhraseError,
    PhraseIndex,
    Phrases,
    check_phrase,
    words_of,
)
from carerespond.domain.tone import Lexicon, read_lexicon

KINDS = ("risk", "complaint", "question", "praise", "noise", "sign")

_TABLES: dict[str, dict[str, float]] = {
    # Scores from which a case goes into a pane; `praise` and `noise` are the strength for it.
    "panes": {
        "urgent": 6.0,
        "today": 3.0,
        "soon": 1.0,
        "praise": 1.0,
        "barb": 0.8,
        "noise": 1.5,
        "noise_for_sure": 3.0,
    },
    # From which strength a post counts as a complaint, a question, praise.
    "labels": {"complaint": 0.3, "beside_question": 1.0, "question": 0.4, "kind_tone": 0.2},
    "tone": {"weight": 0.0},
    "length": {"words": 16.0, "weight": 0.0, "most": 0.5},
    # What is known beside the words. These weights are judgement: nobody has measured them.
    "context": {
        "names_us": 1.0,
        "service_named": 0.3,
        "wrote_again": 1.0,
        "seen_before": 0.3,
        "seen_before_most": 0.9,
        "waiting": 0.5,
        "waiting_most": 1.0,
        "reach": 0.1,
        "reach_most": 0.5,
        "spreading": 0.5,
        "spreading_from": 20.0,
        "unknown_language": 1.0,
    },
    # The team's own moves: points for what stands out most, from how many moves on, and with how
    # many it has half its weight.
    "learning": {"weight": 2.5, "from": 50.0, "half": 300.0},
}
_WEIGHT_MOST = 100.0
_COUNT_MOST = 100_000.0
_COUNTS = frozenset({("learning", "from"), ("learning", "half")})


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
        is_bound: Its phrases are of one language, and mean nothing in a post of another.
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
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its common little words.

    Attributes:
        code: As networks give it: "en", "cy".
        has_rules: Whether there are phrases for it, or it is only known by sight.
    """

    code: str
    name: str
    words: frozenset[str]
    has_rules: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that triage goes by; groups stand in the order of their ids.

    Attributes:
        index: Finds the phrases of all groups at once, a group by its place.
        lexicon: The ratings of words for the tone; None leaves the tone out.
        sources: The files, in the order in which they were read.
        language_words: The places of the languages in which a little word is common.
        mark: The same for the same texts and no others, to tell by which rules a case was placed.
    """

    groups: tuple[Group, ...]
    panes: Mapping[str, float]
    labels: Mapping[str, float]
    tone: Mapping[str, float]
    length: Mapping[str, float]
    context: Mapping[str, float]
    learning: Mapping[str, float]
    languages: tuple[Language, ...]
    index: PhraseIndex
    lexicon: Lexicon | None
    sources: tuple[str, ...]
    mark: str
    language_words: Mapping[str, tuple[int, ...]]


def load_rules(text: str, source: str) -> Rules:
    """Read one rules file; see `read_rules`."""
    return read_rules([(text, source)])


def read_rules(documents: Sequence[tuple[str, str]], lexicon: Sequence[str] = ()) -> Rules:
    """Read rules files, each of which may change and add to those before it.

    Args:
        documents: TOML, and what the file is called in errors.
        lexicon: Texts of rated words for the tone.

    Raises:
        ConfigError: Naming the file, the group and the line, and what to do.
    """
    book = _Book()
    for text, source in documents:
        try:
            document = _parsed(text)
        except (ValueError, RecursionError) as error:
            known = isinstance(error, tomllib.TOMLDecodeError)
            why = error if known else "a value is beyond all use"
            raise ConfigError(f"{source}: not valid TOML: {why}.", "Mend that line.") from None
        _Reader(text, source, book).read(document)
    texts = "\0".join([text for text, _ in documents] + [*lexicon]).encode()
    return book.rules(
        read_lexicon(*lexicon) if lexicon else None,
        tuple(source for _, source in documents),
        # Nobody forges rules against us; to import hashlib costs as much as reading a rules file.
        f"{zlib.crc32(texts):08x}{zlib.adler32(texts):08x}{len(texts):x}",
    )


@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, Any]:
    """TOML as a value that nobody changes; most files are the same when one was edited."""
    return tomllib.loads(text)


def _is_number(value: object, most: float = _WEIGHT_MOST) -> bool:
    is_plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_plain and 0 <= value <= most  # type: ignore[operator]  # checked just before


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_Check = tuple[Callable[[Any], bool], str]
_NUMBER: _Check = (_is_number, f"a number from 0 to {_WEIGHT_MOST:g}")
_MANY: _Check = (
    lambda value: _is_number(value, _COUNT_MOST) and value >= 1,
    f"a number from 1 to {_COUNT_MOST:.0f}",
)
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
    "remove": ("remove", _TEXTS),
}
_REQUIRED = ("kind", "weight", "reason", "patterns")
_PHRASE_KEYS = ("patterns", "not", "unless")
_LANGUAGE_KEYS: dict[str, _Check] = {
    "code": _TEXT,
    "name": _TEXT,
    "words": _TEXTS,
    "has_rules": _FLAG,
}


class _Book:
    """What the files read so far add up to."""

    def __init__(self) -> None:
        self.tables = {name: dict(known) for name, known in _TABLES.items()}
        self.groups: dict[str, dict[str, Any]] = {}
        self.languages: dict[str, Language] = {}

    def rules(self, lexicon: Lexicon | None, sources: tuple[str, ...], mark: str) -> Rules:
        groups = tuple(_as_group(self.groups[group_id]) for group_id in sorted(self.groups))
        languages = tuple(self.languages[code] for code in sorted(self.languages))
        words: dict[str, tuple[int, ...]] = {}
        for place, language in enumerate(languages):
            for word in language.words:
                words[word] = (*words.get(word, ()), place)
        return Rules(
            groups=groups,
            languages=languages,
            language_words=words,
            index=PhraseIndex([group.phrases for group in groups]),
            lexicon=lexicon,
            sources=sources,
            mark=mark,
            **self.tables,
        )


def _as_group(values: dict[str, Any]) -> Group:
    made = dict(values)
    for name in ("phrases", "idioms", "unless"):
        if name in made:
            made[name] = Phrases(tuple(made[name]))
    return Group(**made)


class _Reader:
    """Turns the tables of one file into rules and knows on which line a key stands."""

    def __init__(self, text: str, source: str, book: _Book) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._book = book
        self._is_bound = False

    def read(self, document: dict[str, Any]) -> None:
        self._known(document, {"group": None, "language": None, **_TABLES}, "", "", 1)
        for name in _TABLES:
            self._table(document, name)
        panes = self._book.tables["panes"]
        if not panes["urgent"] > panes["today"] > panes["soon"]:
            self._fail("", self._line("panes"), "urgent, today and soon must fall.", "Order them.")
        self._languages(document)
        seen: set[str] = set()
        for index, table in enumerate(self._list(document, "group")):
            group_id = self._group(table, index)
            if group_id in seen:
                where = self._line("group", index, "id")
                self._fail(group_id, where, "there are two groups with this id.", "Rename one.")
            seen.add(group_id)
        if not self._book.groups:
            self._fail("", 1, "there are no groups.", "Write at least one [[group]].")

    def _list(self, document: dict[str, Any], name: str) -> list[dict[str, Any]]:
        tables = document.get(name, [])
        tables = [tables] if isinstance(tables, dict) and name == "language" else tables
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._fail("", self._line(name), f"{name} is not a list.", f"Write [[{name}]].")
        return tables

    def _table(self, document: dict[str, Any], name: str) -> None:
        table = document.get(name, {})
        if not isinstance(table, dict):
            self._fail("", self._line(name), f"{name} is not a table.", f"Write [{name}].")
        self._known(table, _TABLES[name], name, "", 0)
        for key, value in table.items():
            fits, wanted = _MANY if (name, key) in _COUNTS else _NUMBER
            if not fits(value):
                line = self._line(name, 0, key)
                self._fail("", line, f"{key} is not {wanted}.", f"Write {wanted}.")
            self._book.tables[name][key] = float(value)

    def _languages(self, document: dict[str, Any]) -> None:
        for index, table in enumerate(self._list(document, "language")):
            self._known(table, _LANGUAGE_KEYS, "language", "", index)
            for key, (fits, wanted) in _LANGUAGE_KEYS.items():
                if key not in table and key != "has_rules":
                    line = self._line("language", index)
                    self._fail("", line, f"the language has no {key}.", f"Add {key}.")
                if key in table and not fits(table[key]):
                    line = self._line("language", index, key)
                    self._fail("", line, f"{key} is not {wanted}.", f"Write {wanted}.")
            words = frozenset(
                one for word in table["words"] for one in words_of(word).plain.split()
            )
            language = Language(table["code"], table["name"], words, table.get("has_rules", True))
            self._book.languages[language.code] = language
            self._is_bound = self._is_bound or language.has_rules

    def _group(self, table: dict[str, Any], index: int) -> str:
        group_id = self._id(table, index)
        self._known(table, _KEYS, "group", group_id, index)
        earlier = self._book.groups.get(group_id)
        if earlier is None:
            self._required(table, group_id, index)
            values: dict[str, Any] = {"is_bound": self._is_bound}
        else:
            values = dict(earlier)
            values["is_bound"] &= self._is_bound or "patterns" not in table
        for key, value in table.items():
            self._check(key, value, group_id, index)
            attribute, _ = _KEYS[key]
            if isinstance(value, list):
                values[attribute] = (*values.get(attribute, ()), *value)
            else:
                values[attribute] = value
        self._remove(values, group_id, index)
        self._book.groups[group_id] = values
        return group_id

    def _id(self, table: dict[str, Any], index: int) -> str:
        group_id = table.get("id")
        if not isinstance(group_id, str) or not group_id.strip():
            name = f"number {index + 1}"
            self._fail(name, self._line("group", index), "it has no id.", "Add id.")
        return group_id

    def _required(self, table: dict[str, Any], group_id: str, index: int) -> None:
        """A new group must be whole; one that changes an earlier group need not."""
        for key in _REQUIRED:
            if not table.get(key) and table.get(key) != 0:
                line = self._line("group", index)
                self._fail(group_id, line, f"it has no {key}.", self._nearest(group_id, key))

    def _check(self, key: str, value: Any, group_id: str, index: int) -> None:
        fits, wanted = _KEYS[key][1]
        if not fits(value):
            line = self._line("group", index, key)
            self._fail(group_id, line, f"{key} is not {wanted}.", f"Write {wanted}.")
        if key in _PHRASE_KEYS:
            self._check_phrases(value, group_id, index, key)

    def _nearest(self, group_id: str, key: str) -> str:
        near = difflib.get_close_matches(group_id, self._book.groups, 1)
        return f"Add {key}, or did you mean the group {near[0]!r}?" if near else f"Add {key}."

    def _remove(self, values: dict[str, Any], group_id: str, index: int) -> None:
        """Take phrases out of the group again; one that is not there is a mistake."""
        phrases = values.pop("remove", ())
        for phrase in phrases:
            if phrase not in values["phrases"]:
                line = self._line("group", index, "remove", phrase)
                problem = f"remove: {phrase!r} is not among its patterns."
                near = difflib.get_close_matches(phrase, values["phrases"], 1)
                remedy = f"Did you mean {near[0]!r}?" if near else "Copy the pattern as it stands."
                self._fail(group_id, line, problem, remedy)
        values["phrases"] = tuple(one for one in values["phrases"] if one not in phrases)

    def _check_phrases(self, phrases: list[str], group_id: str, index: int, key: str) -> None:
        for phrase in phrases:
            try:
                check_phrase(phrase)
            except PhraseError as error:
                line = self._line("group", index, key, phrase)
                self._fail(group_id, line, f"{key}: {phrase!r}: {error}.", "Mend the phrase.")

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
