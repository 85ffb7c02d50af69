"""What to know about rules that can be read: dangers let go, phrases without effect."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from carerespond.domain.phrases import Phrases, examples, words_of
from carerespond.domain.rulebook import Group, Rules
from carerespond.domain.triage import fires


def advice(shipped: Rules, rules: Rules, own: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Warnings, one sentence each; none of them keeps rules from being used.

    Args:
        shipped: The rules without the team's own file.
        rules: The rules with it.
        own: The groups of the team's own file by their ids, with the phrases that it has for them.
    """
    groups = {group.group_id: group for group in rules.groups}
    found = list(_let_go(shipped, groups))
    for group_id, phrases in own:
        if group_id in groups:
            found += _without_effect(groups[group_id], phrases)
    return found


def _let_go(shipped: Rules, groups: dict[str, Group]) -> Iterator[str]:
    """What was held in the urgent pane by the shipped rules, and is not any more."""
    for before in shipped.groups:
        after = groups.get(before.group_id, before)
        if before.kind != "risk" or after == before:
            continue
        name = f"group {before.group_id} ({before.reason})"
        if before.is_pin and not after.is_pin:
            yield f"{name}: the pin is taken off a danger; it is urgent by its points alone."
        if before.weight and not after.weight:
            yield f"{name}: its weight is 0, so that it counts for nothing."
        if after.kind != "risk":
            yield f"{name}: it is no danger any more, but of kind {after.kind}."
        if not after.phrases:
            yield f"{name}: every phrase of it is removed."
        if after.unless != before.unless or after.idioms != before.idioms:
            yield f"{name}: more switches it off than before (not, unless)."


def _without_effect(group: Group, phrases: Sequence[str]) -> Iterator[str]:
    """Phrases of a group that never count, or that another one of it has already."""
    bare = replace(group, idioms=Phrases(()), unless=Phrases(()), is_negatable=False)
    for phrase in phrases:
        texts = examples(phrase)
        name = f"group {group.group_id}: {phrase!r}"
        alone = replace(bare, phrases=Phrases((phrase,)))
        if not any(fires(alone, text) for text in texts):
            yield f"{name} can never match."
        elif not any(fires(replace(group, phrases=alone.phrases), text) for text in texts):
            yield f"{name} never counts: `not` or `unless` of the group covers it."
        else:
            rest = group.phrases.without(phrase)
            if rest and all(_covers(rest, text) for text in texts):
                yield f"{name} adds nothing: another phrase of the group has it already."


def _covers(phrases: Phrases, text: str) -> bool:
    """Whether one of the phrases stands in the text from its first word to its last."""
    words = words_of(text)
    return any(start == 0 and end >= len(words.plain) - 1 for start, end in phrases.spans(words))
