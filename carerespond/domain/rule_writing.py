"""A rule that a person makes of one post: phrases to choose from, and it as text of a file."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from carerespond.domain.errors import NotAllowedError
from carerespond.domain.phrases import PhraseError, Phrases, words_of
from carerespond.domain.rulebook import Rules
from carerespond.domain.text import one_line, storable

SUGGESTED = 8
_FIRED = 5  # of these at most, so that there is room for others
LONGEST = 120  # characters of a phrase that a person types
_LONGEST_NAME = 40
_LONGEST_ID = 40
_RUNS = (2, 3)
_NO_WORDS = frozenset({".", "?", "<link>", "<name>"})


@dataclass(frozen=True, slots=True)
class NewRule:
    """One phrase with its points, as a group of its own.

    Attributes:
        kind: See `rulebook.KINDS`: sign and complaint raise, noise and praise lower.
        weight: Points, which are taken off for kinds that lower.
    """

    group_id: str
    kind: str
    weight: float
    reason: str
    phrase: str

    def text(self) -> str:
        """The rule as a table of a rules file, with an empty line before it."""
        return (
            "\n[[group]]\n"
            f"id = {toml_text(self.group_id)}\n"
            f"kind = {toml_text(self.kind)}\n"
            f"weight = {float(self.weight)!r}\n"
            f"reason = {toml_text(self.reason)}\n"
            f"patterns = [{toml_text(self.phrase)}]\n"
        )


def toml_text(text: str) -> str:
    """Any text as a TOML string on one line, which ends where it should."""
    return '"' + "".join(map(_escaped, storable(text))) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def reason_of(operator: str, now: datetime) -> str:
    """Why a post gets the points, for whoever asks: whose rule it is, and since when."""
    who = one_line(operator, _LONGEST_NAME) or "somebody"
    return f"the team's own rule, by {who} on {now.day} {now:%b %Y}"


def free_id(phrase: str, taken: Collection[str]) -> str:
    """An id for a rule about a phrase that no group has yet: "team_no_parking"."""
    letters = unicodedata.normalize("NFKD", phrase).encode("ascii", "ignore").decode().lower()
    name = "team_" + ("_".join(re.findall("[a-z0-9]+", letters))[:_LONGEST_ID] or "phrase")
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def with_rule(rules: Rules, rule: NewRule) -> Rules:
    """The rules with another weight and kind of a group that they have."""
    groups = tuple(
        replace(group, kind=rule.kind, weight=rule.weight)
        if group.group_id == rule.group_id
        else group
        for group in rules.groups
    )
    return replace(rules, groups=groups)


# -- phrases of a post -------------------------------------------------------------------------


def phrase_in(phrase: str, text: str) -> str:
    """A phrase that a person typed, in order.

    Raises:
        NotAllowedError: It cannot be read, or does not occur in the text.
    """
    phrase = " ".join(phrase.split())
    if len(phrase) > LONGEST:
        raise NotAllowedError(f"That is longer than {LONGEST} characters.")
    try:
        phrases = Phrases((phrase,))
    except PhraseError as error:
        raise NotAllowedError(f"That is no phrase: {error}.") from None
    if not phrases.occur(words_of(text)):
        raise NotAllowedError("That does not stand in the post.")
    return phrase


def suggestions(text: str, fired: Sequence[str], rules: Rules) -> list[str]:
    """Phrases of a post to make a rule of: words that fired, then runs of two or three words.

    Args:
        text: The post's text, raw.
        fired: What fired in it, as it was said.
        rules: They know the common little words, with which no run begins or ends.
    """
    found: dict[str, None] = {}
    for said in fired:
        words = _plain(said)
        if not (rules.language_words.keys() >= set(words)):
            found[" ".join(words)] = None
    found = dict.fromkeys(list(found)[:_FIRED])
    for size in _RUNS:
        for run in _runs(text, size):
            if not ({run[0], run[-1]} & rules.language_words.keys()):
                found[" ".join(run)] = None
    return [phrase for phrase in found if _is_in(phrase, text)][:SUGGESTED]


def _plain(text: str) -> list[str]:
    return [word for word in words_of(text).plain.split() if word not in _NO_WORDS]


def _runs(text: str, size: int) -> Iterator[list[str]]:
    """Every run of so many words of one sentence."""
    sentence: list[str] = []
    for word in words_of(text).plain.split():
        sentence = [] if word in _NO_WORDS else [*sentence, word][-size:]
        if len(sentence) == size:
            yield sentence


def _is_in(phrase: str, text: str) -> bool:
    try:
        return phrase_in(phrase, text) == phrase
    except NotAllowedError:
        return False
