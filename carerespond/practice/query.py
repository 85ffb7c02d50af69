"""The search language of X: recent search and stream rules read one grammar.

Source: `x-api/posts/search/integrate`. AND binds tighter than OR; a group is never negated; some
operators are valid only beside one that stands alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from carerespond.practice.entities import folded, lowered, words
from carerespond.practice.words import names

SEARCH_LENGTH = 512
RULE_LENGTH = 1024

LANGUAGES = names(
    """
    am ar hy eu bn bs bg my hr ca cs da nl en et fi fr ka de el gu ht iw hi hi-Latn hu is in
    it ja kn km ko lo lv lt ml dv mr ne no or pa ps fa pl pt ro ru sr zh zh-CN zh-TW sd si
    sk sl ckb es sv tl ta te th bo tr uk ur ug vi und
    """
)


class QueryError(ValueError):
    """A query that X would refuse, with its words."""


@dataclass(slots=True, eq=False)
class Document:
    """What a query can ask of one post; texts are already folded or lowered."""

    words: frozenset[str]
    run: str  # the words in order with a space around each, for phrases
    text: str
    mentions: frozenset[str]
    hashtags: frozenset[str]
    cashtags: frozenset[str]
    links: str
    author: frozenset[str]  # the author's id and handle
    addressee: frozenset[str]
    conversation_id: str
    reply_to: str | None
    quotes: str | None
    retweets: str | None
    verified: bool
    media: bool
    lang: str
    likes: Callable[[], int]
    replies: Callable[[], int]
    reposts: Callable[[], int]


Test = Callable[[Document], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a query: its test, and whether it may stand alone."""

    test: Test
    anchored: bool


def _flag(name: str) -> Test:
    tests: dict[str, Test] = {
        "is:retweet": lambda post: post.retweets is not None,
        "is:reply": lambda post: post.reply_to is not None,
        "is:quote": lambda post: post.quotes is not None,
        "is:verified": lambda post: post.verified,
        "is:nullcast": lambda _: False,
        "has:links": lambda post: bool(post.links),
        "has:media": lambda post: post.media,
        "has:images": lambda post: post.media,
        "has:video_link": lambda _: False,
        "has:videos": lambda _: False,
        "has:geo": lambda _: False,
        "has:mentions": lambda post: bool(post.mentions),
        "has:hashtags": lambda post: bool(post.hashtags),
        "has:cashtags": lambda post: bool(post.cashtags),
    }
    if name not in tests:
        kind = name.partition(":")[0]
        raise QueryError(f"Reference to invalid field '{name}' for operator '{kind}'")
    return tests[name]


def _number(name: str, value: str) -> int:
    if not value.isdigit():
        raise QueryError(f"Invalid value '{value}' for operator '{name}': a number was expected")
    return int(value)


def _at_least(name: str, value: str) -> Test:
    least = _number(name, value)
    counts: dict[str, Test] = {
        "min_likes": lambda post: post.likes() >= least,
        "min_replies": lambda post: post.replies() >= least,
        "min_reposts": lambda post: post.reposts() >= least,
    }
    return counts[name]


def _by_id(name: str, value: str) -> Test:
    wanted = str(_number(name, value))
    tests: dict[str, Test] = {
        "conversation_id": lambda post: post.conversation_id == wanted,
        "in_reply_to_tweet_id": lambda post: post.reply_to == wanted,
        "in_reply_to_status_id": lambda post: post.reply_to == wanted,
        "quotes_of_tweet_id": lambda post: post.quotes == wanted,
        "retweets_of_tweet_id": lambda post: post.retweets == wanted,
    }
    return tests[name]


def _person(name: str, value: str) -> Test:
    handle = value.removeprefix("@").lower()
    if not re.fullmatch(r"[a-z0-9_]{1,19}", handle):
        raise QueryError(f"Invalid username '{value}' for operator '{name}'")
    if name == "from":
        return lambda post: handle in post.author
    return lambda post: handle in post.addressee


def _lang(_: str, value: str) -> Test:
    if value not in LANGUAGES:
        raise QueryError(f"Invalid language '{value}' for operator 'lang'")
    return lambda post: post.lang == value


def _nowhere(_name: str, _value: str) -> Test:
    return lambda _: False


def _url(_: str, value: str) -> Test:
    wanted = value.casefold()
    return lambda post: wanted in post.links


_STANDALONE: dict[str, Callable[[str, str], Test]] = {
    "from": _person,
    "to": _person,
    "url": _url,
    "conversation_id": _by_id,
    "in_reply_to_tweet_id": _by_id,
    "in_reply_to_status_id": _by_id,
    "quotes_of_tweet_id": _by_id,
    "retweets_of_tweet_id": _by_id,
    "min_likes": _at_least,
    "min_replies": _at_least,
    "min_reposts": _at_least,
    "list": _nowhere,
    "place": _nowhere,
    "place_country": _nowhere,
    "point_radius": _nowhere,
}
_BESIDE: dict[str, Callable[[str, str], Test]] = {
    "is": lambda name, value: _flag(f"{name}:{value}"),
    "has": lambda name, value: _flag(f"{name}:{value}"),
    "lang": _lang,
}
_OPERATOR = re.compile(r"([a-z][a-z_]*):(?!//)(.*)", re.DOTALL | re.IGNORECASE)
_TOKEN = re.compile(r'\s*(?:(-)?(\()|(\))|(-?)((?:[^\s()"]*"[^"]*")|[^\s()"]+))', re.DOTALL)


def _any(tests: tuple[Test, ...]) -> Test:
    def test(post: Document) -> bool:
        for one in tests:  # noqa: SIM110  # a loop is twice as fast as a generator here
            if one(post):
                return True
        return False

    return test


def _all(tests: tuple[Test, ...]) -> Test:
    def test(post: Document) -> bool:
        for one in tests:  # noqa: SIM110  # a loop is twice as fast as a generator here
            if not one(post):
                return False
        return True

    return test


class _Reader:
    """One reading of one query, from left to right."""

    def __init__(self, query: str, fold: Callable[[str], str]) -> None:
        self.fold = fold
        self.tokens = list(self._split(query))
        self.at = 0

    @staticmethod
    def _split(query: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        place, end = 0, len(query.rstrip())
        while place < end:
            found = _TOKEN.match(query, place)
            if found is None:
                raise QueryError(f"missing closing quote or stray sign at position {place + 1}")
            tokens.append(_token(found))
            place = found.end()
        return tokens

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def any_of(self) -> Part:
        parts = [self.all_of()]
        while self.peek() == ("word", "OR"):
            self.at += 1
            parts.append(self.all_of())
        if len(parts) == 1:
            return parts[0]
        tests = tuple(part.test for part in parts)
        return Part(_any(tests), all(part.anchored for part in parts))

    def all_of(self) -> Part:
        parts: list[Part] = []
        while self.peek()[0] in {"word", "not", "open"} and self.peek() != ("word", "OR"):
            parts.append(self.one())
        if not parts:
            raise QueryError(
                "a term was expected at the end of the query, or beside OR or a bracket"
            )
        if len(parts) == 1:
            return parts[0]
        tests = tuple(part.test for part in parts)
        return Part(_all(tests), any(part.anchored for part in parts))

    def one(self) -> Part:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "word":
            return _leaf(text, self.fold)
        if kind == "not":
            test = _leaf(text, self.fold).test
            return Part(lambda post: not test(post), anchored=False)
        inner = self.any_of()
        if self.peek()[0] != "close":
            raise QueryError("missing closing parenthesis")
        self.at += 1
        return inner


def _token(found: re.Match[str]) -> tuple[str, str]:
    if found[2]:
        if found[1]:
            raise QueryError(
                "Negating a group of operators is not supported: negate each on its own"
            )
        return ("open", "(")
    if found[3]:
        return ("close", ")")
    return ("not" if found[4] else "word", found[5])


def _leaf(text: str, fold: Callable[[str], str]) -> Part:
    operator = _OPERATOR.fullmatch(text) if not text.startswith('"') else None
    if operator:
        return _operator(operator[1], operator[2].strip('"'))
    return Part(_plain(text, fold), anchored=True)


def _operator(name: str, value: str) -> Part:
    if name not in _STANDALONE and name not in _BESIDE:
        raise QueryError(
            f"Reference to invalid operator '{name}'. Operator is not available in current product"
            " or product packaging. Please refer to complete available operator list."
        )
    if not value:
        raise QueryError(f"missing value for operator '{name}'")
    if name in _STANDALONE:
        return Part(_STANDALONE[name](name, value), anchored=True)
    return Part(_BESIDE[name](name, value), anchored=False)


def _plain(text: str, fold: Callable[[str], str]) -> Test:
    sign, rest = text[0], text[1:]
    tags: dict[str, Callable[[str], Test]] = {
        "@": lambda tag: lambda post: tag in post.mentions,
        "#": lambda tag: lambda post: tag in post.hashtags,
        "$": lambda tag: lambda post: tag in post.cashtags,
    }
    if sign in tags and rest:
        return tags[sign](fold(rest))
    wanted = fold(text.strip('"'))
    terms = words(wanted)
    if not terms:  # an emoji or another sign
        return lambda post: wanted in post.text
    if len(terms) == 1:
        term = terms[0]
        return lambda post: term in post.words
    run = f" {' '.join(terms)} "
    return lambda post: run in post.run


@lru_cache(maxsize=256)
def compile_query(query: str, *, longest: int = SEARCH_LENGTH, accents: bool = False) -> Test:
    """The test that a query stands for; `accents` tells "é" from "e", as stream rules do.

    Raises:
        QueryError: X would refuse the query.
    """
    if len(query) > longest:
        raise QueryError(f"The query is {len(query)} characters long; the longest is {longest}.")
    reader = _Reader(query, lowered if accents else folded)
    whole = reader.any_of()
    if reader.peek()[0] != "end":
        raise QueryError("a closing parenthesis has no opening one")
    if not whole.anchored:
        raise QueryError(
            "The query needs at least one operator that can stand alone in each part: a keyword,"
            " phrase, hashtag, mention or account, not only is:, has:, lang: or negated ones."
        )
    return whole.test
