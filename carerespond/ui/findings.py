"""How checks of a text are shown, in the composer and in the review."""

from collections.abc import Iterable

from textual.content import Content

from carerespond.domain.privacy import Finding
from carerespond.ui.content import content

_ORDER = {"stop": 0, "warn": 1, "ok": 2}


def finding_lines(findings: Iterable[Finding]) -> list[Content]:
    """One line a finding, what stops first: level in words, what it is, the words that did it."""
    lines = []
    for finding in sorted(findings, key=lambda found: _ORDER.get(found.level, 1)):
        words = f": {', '.join(repr(word) for word in finding.words)}" if finding.words else ""
        line = f"{finding.level:<5} {finding.text}{words}"
        lines.append(content(line, "bold" if finding.level == "stop" else ""))
    return lines
