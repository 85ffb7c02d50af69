"""Templates: prepared words with a closed set of names to fill in.

`$name` or `${name}` stands for a value, `$$` for a dollar. Filling is one pass: a value is never
looked at again, so nothing that a stranger wrote can name another value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from carerespond.domain.text import clean

# The names that a template may use; the values come from the case and the configuration.
NAMES = frozenset(
    {
        "first_name",
        "organisation",
        "signature",
        "service",
        "story_link",
        "page_link",
        "phone",
        "email",
    }
)

_NAME = re.compile(r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")

# Written by a stranger: a mention, a link or a sentence in it must not get into our words.
_STRANGERS = frozenset({"first_name"})
_PERSON = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_PERSON_LONGEST = 30


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its names filled in.

    Attributes:
        text: The words; a name without a value stands as it was, so that the review sees it.
        missing: Known names that have no value on this case, in order, each once.
        unknown: Names that no template may use.
    """

    text: str
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def fill(template_text: str, names: Mapping[str, str]) -> Filled:
    """Fill the names of a template.

    Args:
        template_text: The words, with `$name` or `${name}`, and `$$` for a dollar.
        names: Values by name. An empty one is missing; so is a person's name that is more than
            a name.
    """
    missing: dict[str, None] = {}
    unknown: dict[str, None] = {}

    def value(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["plain"] or found["braced"]
        if name not in NAMES:
            unknown[name] = None
            return found[0]
        filled = _usable(name, names.get(name, ""))
        if not filled:
            missing[name] = None
            return found[0]
        return filled

    text = _NAME.sub(value, template_text)
    return Filled(text, tuple(missing), tuple(unknown))


def _usable(name: str, value: str) -> str:
    value = clean(value).strip()
    if name not in _STRANGERS:
        return value
    is_name = len(value) <= _PERSON_LONGEST and _PERSON.fullmatch(value)
    return value if is_name else ""
