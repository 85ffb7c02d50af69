"""Safety cards: what to give, whom to tell and what to leave out where there may be a danger."""

from collections.abc import Sequence
from dataclasses import dataclass

from carerespond.domain.models import Assessment


@dataclass(frozen=True, slots=True)
class SafetyCard:
    """What stands first on a case that a risk holds in the urgent pane.

    Attributes:
        numbers: What to give the person: numbers, and for what each is.
        rules: The rules of triage that it is for; empty for every one that has no card of its own.
        tell: Whom to tell within the organisation.
        avoid: What not to discuss in public.
        is_example: Shipped with the program: nobody in the organisation has checked it.
    """

    title: str
    numbers: tuple[str, ...]
    rules: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    is_example: bool = False


def cards_for(
    placed: Assessment, own: Sequence[SafetyCard], shipped: Sequence[SafetyCard]
) -> tuple[SafetyCard, ...]:
    """The cards of a case, in the order of the risks that hold it; empty when none does.

    Args:
        placed: Where the case stands and why.
        own: The organisation's cards; they win over those shipped.
        shipped: For a risk for which the organisation has none.
    """
    if not placed.is_pinned:
        return ()
    rules = [one.rule for one in placed.pins] or [""]
    found = [card for rule in rules for card in _of(rule, own) or _of(rule, shipped)]
    return tuple(dict.fromkeys(found))


def _of(rule: str, cards: Sequence[SafetyCard]) -> list[SafetyCard]:
    named = [card for card in cards if rule in card.rules]
    return named or [card for card in cards if not card.rules]
