"""Which of our services a text names."""

import re
from collections.abc import Mapping


def service_of(text: str, names: Mapping[str, str]) -> str | None:
    """The service that a text names in whole words, in any case; the longest name wins.

    Args:
        text: Raw.
        names: Service ids by name, each name in case-folded form.
    """
    folded = " ".join(text.casefold().split())
    found = [
        name
        for name in names
        if name in folded and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded)
    ]
    return names[max(found, key=len)] if found else None
