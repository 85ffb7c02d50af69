"""Checks of an answer before it goes out: what would tell the world that somebody is a patient.

A public answer must not confirm that its reader was treated, even when they said so themselves
(GMC and GOC guidance on social media; the College of Optometrists: "including the patients
themselves"). The checks find the usual slips; they prove nothing, and a person still reads.

Levels: "stop" needs a reason to be overruled, "warn" is advice, "ok" says what was looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from carerespond.domain.models import Post


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says about a text.

    Attributes:
        rule: The check's name.
        level: "stop", "warn" or "ok".
        text: What it is, in plain words.
        words: The words of the answer that did it.
    """

    rule: str
    level: str
    text: str
    words: tuple[str, ...] = ()


def check_reply(text: str, post: Post, our_contacts: Sequence[str] = ()) -> list[Finding]:
    """What to say about an answer before it goes out, what stops first.

    Args:
        text: The answer as written.
        post: The post that it answers.
        our_contacts: Phone numbers and e-mail addresses of ours, which may stand in an answer.
    """
    from carerespond.domain import privacy_checks  # its patterns cost 15 ms: not before first paint

    findings = privacy_checks.findings(text, post, our_contacts)
    findings.sort(key=lambda one: one.level != "stop")
    if text.strip() and not any(one.level == "stop" for one in findings):
        findings.append(
            Finding("privacy", "ok", "No sign found that it confirms a patient or tells details.")
        )
    return findings
