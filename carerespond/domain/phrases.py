"""Plain phrases with a few signs, which people who look after a rules file can read and write.

- a word stands for itself, in any case, with or without accents and apostrophes ("can't", "cant");
- `wait*` any word that begins so; `#` a number; `...` up to three words of the same sentence;
- `(rude|so rude)` one of these; `(really|very)?` one of these or nothing;
- `^` the beginning of a sentence; `?` a question mark; `<link>` a link; `<name>` somebody named
  with @; an emoji itself.

A phrase never crosses the end of a sentence. Phrases become expressions that cannot backtrack over
more than a few words, so that no rules file can stop triage: there is no way to write any other.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

LONGEST = 20_000  # characters of a post that are looked at
_LONGEST_PHRASE = 2_000
_DEEPEST = 4
_MOST_GAPS, _MOST_MAYBES = 4, 5  # each multiplies the ways in which a phrase may match
_REACH = 160  # characters: a phrase that reaches into another begins no farther away
_STEM = 3  # letters before a star

# What stands inside a word and is not seen, and accents that stand alone.
_HIDDEN = "\u00ad\u0300-\u036f\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"
_APOSTROPHES = "'`\u00b4\u2018\u2019\u02bc\u2032\uff07"


def _tokens_of(letter: str) -> re.Pattern[str]:
    return re.compile(
        r"(?P<link>(?:https?://|www\.|pic\.twitter\.com/)\S+)"
        r"|(?P<name>[@\uff20]\w+)"
        r"|(?P<ae>\b[aA] ?&(?:amp;)? ?[eE]\b)"
        rf"|(?P<word>[^\W_]{letter}*(?:[{_APOSTROPHES}]{letter}+)*)"
        # A sentence goes on over dots and over the end of a line when a small letter follows.
        r"|(?P<on>(?:\.{2,}|\u2026+|\r?\n)[ \t]*(?=[a-z]))"
        r"|(?P<end>[.!?\n][.!?\s]*)"
        "|(?P<sign>[\u2600-\u27bf\u2b50\U0001f300-\U0001faff])"
    )


_TOKEN = _tokens_of(r"[^\W_]")
_TOKEN_ANY = _tokens_of(rf"(?:[^\W_]|[{_HIDDEN}])")
_FIXED = {"link": "<link>", "name": "<name>", "ae": "ae"}
_CONTRACTED = {"ll": " will", "re": " are", "ve": " have", "m": " am", "d": " would"}
_ALIASES = {
    "im": "i am",
    "ive": "i have",
    "u": "you",
    "ur": "your",
    "r": "are",
    "soo": "so",
    "pls": "please",
    "plz": "please",
    "thx": "thanks",
    "cos": "because",
    "hrs": "hours",
    "hr": "hour",
    "mins": "minutes",
    "min": "minutes",
    "wks": "weeks",
    "wk": "week",
    "yr": "year",
    "yrs": "years",
    "appt": "appointment",
    "appts": "appointments",
    "apt": "appointment",
    "meds": "medication",
    "amp": "and",
    "cannot": "cant",
}
# A phrase with "didn't" also means "did not".
_IN_FULL = {
    f"{verb}nt": (verb, "not")
    for verb in (
        *("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "would", "could"),
        *("should", "need", "must"),
    )
} | {"wont": ("will", "not"), "cant": ("can", "not")}
_SPELLED = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("several", "few", "many", "dau", "dwy", "tair", "tri", "pedair", "pedwar", "pump", "pum"),
    *("chwe", "chwech", "saith", "wyth", "naw", "deg"),
)
_PLAIN_APOSTROPHES = {ord(one): "'" for one in _APOSTROPHES}
_UNSEEN = ("Mn", "Cf")
_ELONGATED = re.compile(r"([^\W\d_])\1{2,}")


@dataclass(frozen=True, slots=True)
class Words:
    """A text as phrases see it: its words in plain letters, one space apart.

    Attributes:
        plain: Begins and ends with a space.
        raw: The text that it was made of.
        starts: Where each word begins in `plain`, ascending.
        spans: Where each word stands in `raw`.
    """

    plain: str
    raw: str
    starts: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def said(self, start: int, end: int) -> str:
        """The raw words behind `plain[start:end]`."""
        first = max(bisect_right(self.starts, start + 1) - 1, 0)
        last = max(bisect_right(self.starts, end - 1) - 1, first)
        return self.raw[self.spans[first][0] : self.spans[last][1]] if self.spans else ""


def words_of(text: str) -> Words:
    """A text's words; only the first `LONGEST` characters are looked at."""
    raw = text[:LONGEST]
    parts: list[str] = [""]
    starts: list[int] = []
    spans: list[tuple[int, int]] = []
    at = 1
    for found in (_TOKEN if raw.isascii() else _TOKEN_ANY).finditer(raw):
        kind = found.lastgroup
        if kind == "on":
            continue
        if kind == "word":
            part = plain_word(found[0])
        elif kind == "end":
            part = "?" if "?" in found[0] else "."
        else:
            part = _FIXED.get(kind or "", found[0])
        parts.append(part)
        starts.append(at)
        spans.append(found.span())
        at += len(part) + 1
    parts.append("")
    return Words(" ".join(parts), raw, tuple(starts), tuple(spans))


@lru_cache(maxsize=8192)
def plain_word(word: str) -> str:
    """One word in plain small letters; a contraction may become two words."""
    word = word.lower().replace("`", "'")
    if not word.isascii():
        word = word.translate(_PLAIN_APOSTROPHES)
        parts = unicodedata.normalize("NFKD", word)
        word = "".join(part for part in parts if unicodedata.category(part) not in _UNSEEN).lower()
    if "'" in word:
        head, _, tail = word.rpartition("'")
        word = head.replace("'", "") + (
            tail if word.endswith("n't") else _CONTRACTED.get(tail, tail)
        )
    word = _ELONGATED.sub(r"\1\1", word)
    return _ALIASES.get(word, word)


class PhraseError(ValueError):
    """A phrase that cannot be read; says why."""


class Phrases:
    """Several phrases that are looked for together; their order has no meaning.

    Args:
        phrases: As the module describes them.

    Raises:
        PhraseError: One of them cannot be read.
    """

    def __init__(self, phrases: tuple[str, ...]) -> None:
        pieces = {_piece(phrase) for phrase in phrases}
        self._pieces = sorted(pieces, key=lambda one: (-len(one.source), one.source))

    def __eq__(self, other: object) -> bool:
        """Whether they find the same."""
        return isinstance(other, Phrases) and self._pieces == other._pieces

    def __hash__(self) -> int:
        return hash(tuple(self._pieces))

    def __len__(self) -> int:
        """How many different phrases there are."""
        return len(self._pieces)

    def without(self, phrase: str) -> "Phrases":
        """The same but for one of them."""
        rest = Phrases(())
        rest._pieces = [piece for piece in self._pieces if piece != _piece(phrase)]
        return rest

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """All of them, with the space before and not the one after."""
        return _pattern([piece.source for piece in self._pieces])

    def spans(self, words: Words) -> list[tuple[int, int]]:
        """Where they stand in `words.plain`, with the space before."""
        if not self._pieces:
            return []
        return [found.span() for found in self.pattern.finditer(words.plain)]

    def overlap(self, words: Words, start: int, end: int) -> bool:
        """Whether one of them stands at a place of `words.plain`, or reaches into it."""
        if not self._pieces:
            return False
        last = words.plain.find(" ", end + _REACH) + 1 or len(words.plain)
        near = self.pattern.finditer(words.plain, max(start - _REACH, 0), last)
        return any(found.start() < end and start < found.end() for found in near)

    def occur(self, words: Words) -> bool:
        """Whether one of them stands anywhere."""
        return bool(self._pieces) and self.pattern.search(words.plain) is not None

    def by_key(self) -> dict[str, list[str]]:
        """The expressions by the words that they may begin with, the longest first."""
        found: dict[str, list[str]] = {}
        for piece in self._pieces:
            for key in piece.keys:
                found.setdefault(key, []).append(piece.source)
        return found


def _pattern(sources: Sequence[str]) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(sources)})(?= )")


class _Beginning:
    """What may begin with one word, of all lists; expressions are made when they are needed.

    Most words begin nothing at most places, so one expression for all lists is tried first.
    """

    __slots__ = ("_any", "_patterns", "_sources")

    def __init__(self) -> None:
        self._sources: dict[int, list[str]] = {}
        self._patterns: list[tuple[int, re.Pattern[str]]] | None = None
        self._any: re.Pattern[str] | None = None

    def add(self, place: int, sources: list[str]) -> None:
        self._sources[place] = sources

    def match(self, plain: str, at: int, found: dict[int, list[tuple[int, int]]]) -> None:
        """Add what begins at a place to what was found, by list."""
        if self._any is None:
            self._any = _pattern([one for sources in self._sources.values() for one in sources])
        if not self._any.match(plain, at):
            return
        if self._patterns is None:
            self._patterns = [(place, _pattern(one)) for place, one in self._sources.items()]
        for place, pattern in self._patterns:
            if match := pattern.match(plain, at):
                _take(found.setdefault(place, []), match.span())


class PhraseIndex:
    """Many `Phrases` by the words that they may begin with: most words of a post begin none.

    Args:
        lists: What to look for; a list is named by its place.
    """

    def __init__(self, lists: Sequence[Phrases]) -> None:
        self._by_key: dict[str, _Beginning] = {}
        for place, phrases in enumerate(lists):
            for key, sources in phrases.by_key().items():
                self._by_key.setdefault(key, _Beginning()).add(place, sources)

    def spans(self, words: Words) -> dict[int, list[tuple[int, int]]]:
        """As `Phrases.spans`, for all lists at once, by place; lists without a match are absent."""
        found: dict[int, list[tuple[int, int]]] = {}
        find = self._by_key.get
        plain = words.plain
        at = 0
        for word in plain.split():
            if beginning := find(word):
                beginning.match(plain, at, found)
            if beginning := find(word[:_STEM] + "*"):
                beginning.match(plain, at, found)
            if word[0].isdigit() and (beginning := find("#")):
                beginning.match(plain, at, found)
            at += len(word) + 1
        return found


def _take(spans: list[tuple[int, int]], span: tuple[int, int]) -> None:
    """Add a match; of two that overlap the first counts, of two that begin together the longer."""
    start, end = span
    if not spans or spans[-1][1] <= start:
        spans.append(span)
    elif spans[-1][0] == start and spans[-1][1] < end:
        spans[-1] = span


# A choice of single words comes whole: most choices are, and reading them so is quick.
_PART = re.compile(r"\.\.\.|\([a-z ]+(?:\|[a-z ]+)+\)\??|\(|\)\??|\||[^\s()|]+")


class _Piece(NamedTuple):
    """A piece of a phrase: its expression, and the keys of the words that it may begin with.

    `is_certain`: it holds a word that must occur.
    """

    source: str
    is_certain: bool
    keys: frozenset[str]


_START = _Piece("(?<![^.?>])", is_certain=False, keys=frozenset())  # what is before it is no word
_GAP = _Piece("(?: [^ .?]++){0,3}?", is_certain=False, keys=frozenset())


@lru_cache(maxsize=4096)
def _piece(phrase: str) -> _Piece:
    """One phrase; each word of its expression begins with a space."""
    if not phrase.strip() or len(phrase) > _LONGEST_PHRASE:
        raise PhraseError(f"it is empty or has more than {_LONGEST_PHRASE} characters")
    if _ALL_PLAIN.fullmatch(phrase) and _ODD.isdisjoint(words := phrase.split(" ")):
        return _Piece(f" {phrase}", is_certain=True, keys=frozenset(words[:1]))
    parts = _PART.findall(phrase)
    if parts.count("...") > _MOST_GAPS or sum(part[-1] == "?" for part in parts) > _MOST_MAYBES:
        raise PhraseError(
            f"it leaves too much open: at most {_MOST_GAPS} gaps and {_MOST_MAYBES} optional words"
        )
    piece = _PhraseReader(parts).choices(depth=0)
    if not piece.is_certain:
        raise PhraseError("it has no word that must occur")
    return piece


def check_phrase(phrase: str) -> None:
    """See that a phrase can be read.

    Raises:
        PhraseError: It cannot.
    """
    _piece(phrase)


class _PhraseReader:
    """Reads the parts of one phrase from left to right."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._at = 0

    def choices(self, depth: int) -> _Piece:
        """Alternatives up to the closing bracket, or to the end at depth 0."""
        if depth > _DEEPEST:
            raise PhraseError("its brackets are too deep")
        pieces = [self._sequence(depth)]
        while self._at < len(self._parts) and self._parts[self._at] == "|":
            self._at += 1
            pieces.append(self._sequence(depth))
        if (self._at == len(self._parts)) != (depth == 0):
            raise PhraseError("its brackets do not match; choices look like (this|that)")
        source = "|".join(piece.source for piece in pieces)
        return _Piece(
            f"(?:{source})" if len(pieces) > 1 else source,
            is_certain=all(piece.is_certain for piece in pieces),
            keys=frozenset().union(*(piece.keys for piece in pieces)),
        )

    def _sequence(self, depth: int) -> _Piece:
        source, is_certain = "", False
        keys: frozenset[str] = frozenset()
        while self._at < len(self._parts) and self._parts[self._at][0] not in "|)":
            piece = self._next(depth)
            if piece is _GAP and not source:
                raise PhraseError("a gap stands between words, not before them")
            keys = keys if is_certain else keys | piece.keys
            source += piece.source
            is_certain = is_certain or piece.is_certain
        if not source:
            raise PhraseError("it has an empty choice")
        return _Piece(source, is_certain, keys)

    def _next(self, depth: int) -> _Piece:
        part = self._parts[self._at]
        self._at += 1
        if part == "...":
            return _GAP
        if part[0] != "(":
            return _word(part)
        if len(part) > 1:
            return _choice(part)
        piece = self.choices(depth + 1)
        is_optional = self._parts[self._at] == ")?"
        self._at += 1
        return (
            _Piece(f"(?:{piece.source})?", is_certain=False, keys=piece.keys)
            if is_optional
            else piece
        )


@lru_cache(maxsize=4096)
def _choice(part: str) -> _Piece:
    """A choice of plain words such as "(so|too long)", which may end in a question mark."""
    choice = part.strip("()?")
    if _PLAIN_CHOICE.fullmatch(choice) and _ODD.isdisjoint(choice.replace("|", " ").split(" ")):
        source = f"(?: {choice.replace('|', '| ')})"
        first = frozenset([one.partition(" ")[0] for one in choice.split("|")])
        is_optional = part[-1] == "?"
        return _Piece(source + "?" * is_optional, is_certain=not is_optional, keys=first)
    sources: list[str] = []
    keys: set[str] = set()
    for one in choice.split("|"):
        words = [_word(word) for word in one.split()]
        if not words:
            raise PhraseError("it has an empty choice")
        sources.append("".join(word.source for word in words))
        keys |= words[0].keys
    source = f"(?:{'|'.join(sources)})"
    is_optional = part[-1] == "?"
    return _Piece(source + "?" * is_optional, is_certain=not is_optional, keys=frozenset(keys))


@lru_cache(maxsize=4096)
def _word(word: str) -> _Piece:
    if _PLAIN.fullmatch(word) and word not in _ODD:
        return _Piece(f" {word}", is_certain=True, keys=frozenset({word}))
    if word == "^":
        return _START
    if word in ("?", "<link>", "<name>"):
        return _Piece(" " + re.escape(word), is_certain=True, keys=frozenset({word}))
    if full := _IN_FULL.get(plain_word(word)):
        first, second = full
        source = f"(?: {plain_word(word)}| {first} {second})"
        return _Piece(source, is_certain=True, keys=frozenset({plain_word(word), first}))
    if word == "#":
        spelled = "|".join(_SPELLED)
        source = f" (?:[0-9]++(?:st|nd|rd|th)?|{spelled})"
        return _Piece(source, is_certain=True, keys=frozenset({"#", *_SPELLED}))
    stem = word.removesuffix("*")
    is_open = word != stem
    tokens = words_of(stem).plain.split()
    is_short = is_open and (not tokens or len(tokens[-1]) < _STEM)
    if not tokens or "." in tokens or _SIGNS.search(stem) or is_short:
        raise PhraseError(f"{word!r} is not a word; a star stands last, after {_STEM} letters")
    source = "".join(f" {re.escape(token)}" for token in tokens)
    key = tokens[0][:_STEM] + "*" if is_open and len(tokens) == 1 else tokens[0]
    return _Piece(source + ("[^ .?]*+" if is_open else ""), is_certain=True, keys=frozenset({key}))


def examples(phrase: str, most: int = 48) -> list[str]:
    """Texts that a phrase is meant to match: one for each choice in it, at most so many.

    Raises:
        PhraseError: It cannot be read.
    """
    _piece(phrase)
    return _Examples(_PART.findall(phrase), most).choices()


class _Examples:
    """Writes out a phrase that can be read."""

    _SHOWN: Mapping[str, str] = {
        "...": "",
        "^": "",
        "#": "3",
        "?": "?",
        "<link>": "https://a.example",
        "<name>": "@someone",
    }

    def __init__(self, parts: Sequence[str], most: int) -> None:
        self._parts = parts
        self._most = most
        self._at = 0

    def choices(self) -> list[str]:
        found = self._sequence()
        while self._at < len(self._parts) and self._parts[self._at] == "|":
            self._at += 1
            found += self._sequence()
        return found[: self._most]

    def _sequence(self) -> list[str]:
        texts = [""]
        while self._at < len(self._parts) and self._parts[self._at][0] not in "|)":
            more = self._next()
            texts = [" ".join(f"{text} {one}".split()) for text in texts for one in more]
            texts = texts[: self._most]
        return texts

    def _next(self) -> list[str]:
        part = self._parts[self._at]
        self._at += 1
        if part != "(":
            return [self._SHOWN.get(part, part.removesuffix("*"))]
        found = self.choices()
        is_optional = self._parts[self._at] == ")?"
        self._at += 1
        return [*found, ""] if is_optional else found


_SIGNS = re.compile(r"[*#<>]")
_PLAIN = re.compile(r"[a-z]+")
_ALL_PLAIN = re.compile(r"[a-z]+(?: [a-z]+)*")
_PLAIN_CHOICE = re.compile(r"[a-z]+(?:[ |][a-z]+)*")
_ODD = frozenset({"ae", *_ALIASES, *_IN_FULL})  # plain letters that a text does not keep so
