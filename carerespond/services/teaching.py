"""Making a rule of one case: which phrase, how much, what it would move, and writing it down.

The rule goes to the end of the team's own file, which is read again just before; nothing else in
it is touched. What is shown before is what happens after.
"""

import asyncio
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from carerespond.config.own_rules import add_to_own, read_own
from carerespond.domain.errors import NotAllowedError
from carerespond.domain.models import Assessment, Post, Priority, Reason
from carerespond.domain.rule_writing import (
    NewRule,
    free_id,
    phrase_in,
    reason_of,
    suggestions,
    with_rule,
)
from carerespond.domain.rulebook import Rules
from carerespond.services.assessing import Assessor, Earlier, look_back
from carerespond.services.resorting import Resorting
from carerespond.services.whatif import WhatIf, what_if
from carerespond.storage import history, placing
from carerespond.storage.database import Database

Load = Callable[[tuple[str, str]], Rules]

_STEP, _STEPS = 0.1, 120
_MORE = (1.0, 0.5)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A case of which a rule can be made.

    Attributes:
        post: The most pressing of its posts, whose words count.
        reasons: What fired in it.
        stands: The pane where the rules put it.
        wanted: The pane that a person has chosen for it; None when nobody has.
        phrases: Phrases of the post to choose from.
        earlier: What is stored of its author, which counts as well.
    """

    case_id: int
    post: Post
    reasons: tuple[Reason, ...]
    stands: Priority
    wanted: Priority | None
    phrases: tuple[str, ...]
    earlier: Earlier


@dataclass(frozen=True, slots=True)
class Amount:
    """How much a rule may count: `pane` is where this case would stand by the rules alone."""

    rule: NewRule
    pane: Priority
    is_enough: bool

    @property
    def points(self) -> float:
        """What it adds to the score, or takes off."""
        return -self.rule.weight if self.rule.kind in ("noise", "praise") else self.rule.weight


class Teaching:
    """Makes rules for the team.

    Args:
        database: Where the cases are.
        assessor: Goes by the rules of this moment.
        resorting: Places the cases once a rule is written.
        load: Reads every rules file, with a text and its name in place of the team's own.
        path: The team's own rules file.
        session: This session, for the history.
        operator: Who is signed on.
        now: The present moment.
    """

    def __init__(
        self,
        database: Database,
        assessor: Assessor,
        resorting: Resorting,
        *,
        load: Load,
        path: Path,
        session: str,
        operator: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._assessor = assessor
        self._resorting = resorting
        self._load = load
        self.path = path
        self._session = session
        self._operator = operator
        self._now = now

    async def lesson(self, case_id: int) -> Lesson:
        """What there is to make a rule of.

        Raises:
            NotAllowedError: The case is gone, or a danger holds it where no phrase can move it.
        """
        stands = await self._database.fetch(placing.stands([case_id]))
        found = await self._database.fetch(placing.counted([case_id]))
        if not stands or not found:
            raise NotAllowedError(f"There is no case {case_id}.")
        posts = [post for _, _, post in found]
        earlier = look_back(posts, self._database.fetch_now, is_stored=True)
        assessed = [(self._assessor(post, earlier), post) for post in posts]
        assessment, post = max(assessed, key=lambda one: one[0].pressing)
        fired = [word for reason in assessment.reasons for word in reason.words]
        stand = stands[0]
        if assessment.is_pinned and stand.priority >= assessment.priority:
            raise NotAllowedError(
                "A rule about danger holds it in urgent: no phrase takes it lower.",
                "w shows the rule.",
            )
        is_chosen = stand.set_by is not None and stand.priority is not assessment.priority
        return Lesson(
            case_id,
            post,
            assessment.reasons,
            assessment.priority,
            stand.priority if is_chosen else None,
            tuple(suggestions(post.text, fired, self._assessor.rules)),
            earlier,
        )

    async def amounts(self, lesson: Lesson, phrase: str) -> list[Amount]:
        """How much a rule about a phrase may count, so that the case goes where it is wanted.

        Raises:
            NotAllowedError: The phrase is none, or no points move the case.
            ConfigError: The team's own file cannot be used as it stands.
        """
        phrase = phrase_in(phrase, lesson.post.text)
        return await asyncio.to_thread(self._amounts, lesson, phrase)

    def _amounts(self, lesson: Lesson, phrase: str) -> list[Amount]:
        rule = NewRule(
            free_id(phrase, self._taken(self._own())),
            "sign",
            1.0,
            reason_of(self._operator(), self._now()),
            phrase,
        )
        rules = self._with(rule)
        found: list[Amount] = []
        for wanted in _wanted(lesson):
            enough = self._enough(lesson, rule, rules, wanted)
            if enough is not None:
                half = replace(enough.rule, weight=round(enough.rule.weight / 2, 2))
                pane = self._judged(lesson, half, rules).priority
                found += [enough, Amount(half, pane, is_enough=False)]
        if not found:
            raise NotAllowedError(
                f"No points for this phrase take the case out of {lesson.stands.label}:"
                " another rule holds it there.",
                "Its rules are shown by w.",
            )
        return found

    def _enough(
        self, lesson: Lesson, rule: NewRule, rules: Rules, wanted: Priority
    ) -> Amount | None:
        """The fewest points for a pane, or for as near to it as they can take the case."""
        is_up = wanted < lesson.stands
        near: Amount | None = None
        for kind in _kinds(is_up=is_up, wanted=wanted):
            for number in range(1, _STEPS + 1):
                made = replace(rule, kind=kind, weight=round(number * _STEP, 2))
                pane = self._judged(lesson, made, rules).priority
                if pane is wanted:
                    return Amount(self._roomy(lesson, made, rules, pane), pane, is_enough=True)
                if pane is not lesson.stands and (pane < lesson.stands) is is_up:
                    near = near or Amount(made, pane, is_enough=True)
        return near

    def _roomy(self, lesson: Lesson, rule: NewRule, rules: Rules, pane: Priority) -> NewRule:
        """A little more than just enough, so that posts like this one get there, too."""
        for more in _MORE:
            made = replace(rule, weight=round(rule.weight + more, 2))
            if self._judged(lesson, made, rules).priority is pane:
                return made
        return rule

    def _judged(self, lesson: Lesson, rule: NewRule, rules: Rules) -> Assessment:
        return self._assessor.by(with_rule(rules, rule), lesson.post, lesson.earlier)

    async def preview(self, rule: NewRule) -> WhatIf:
        """Which cases of the last month a rule would move.

        Raises:
            ConfigError: The team's own file cannot be used as it stands.
        """
        rules = await asyncio.to_thread(self._with, rule)
        return await what_if(self._database, self._assessor, rules, self._now())

    async def save(self, lesson: Lesson, rule: NewRule) -> NewRule:
        """Write a rule down, and place the cases by it.

        Returns:
            The rule as it was written: its id is another one when a colleague took it meanwhile.

        Raises:
            ConfigError: The team's own file cannot be used or written; nothing was changed.
        """
        written = await asyncio.to_thread(self._write, rule)
        operator, detail = self._operator(), f"{written.group_id}: {written.phrase}"
        await self._database.write(
            lambda tx: history.note_down(
                tx,
                operator,
                self._session,
                "rule",
                self._now(),
                case_id=lesson.case_id,
                detail=detail,
            )
        )
        await self._resorting.look()
        return written

    # -- the file -------------------------------------------------------------------------------

    def _write(self, rule: NewRule) -> NewRule:
        written = [rule]

        def make(text: str) -> str:
            self._load((text, str(self.path)))  # what is wrong already is named by its line
            written[0] = replace(rule, group_id=free_id(rule.phrase, self._taken(text)))
            return written[0].text()

        add_to_own(self.path, make, lambda text: self._load((text, str(self.path))))
        return written[0]

    def _own(self) -> str:
        return read_own(self.path) if self.path.exists() else ""

    def _with(self, rule: NewRule) -> Rules:
        """Every rule there is, and one more."""
        own = self._own()
        joint = "" if not own or own.endswith("\n") else "\n"
        return self._load((f"{own}{joint}{rule.text()}", str(self.path)))

    def _taken(self, own: str) -> set[str]:
        """The ids of groups, those of the file as it stands now included."""
        self._load((own, str(self.path)))
        groups = tomllib.loads(own).get("group", [])
        known = {group.group_id for group in self._assessor.rules.groups}
        return known | {str(group["id"]) for group in groups}


def _wanted(lesson: Lesson) -> Iterator[Priority]:
    """The pane that was chosen; where none was, the one above and the one below."""
    if lesson.wanted is not None:
        yield lesson.wanted
        return
    for step in (-1, 1):
        if Priority.URGENT <= lesson.stands + step <= Priority.WATCH:
            yield Priority(lesson.stands + step)


def _kinds(*, is_up: bool, wanted: Priority) -> Sequence[str]:
    """What a rule may be, the kind first that says least about the post."""
    if wanted is Priority.PRAISE:  # where it cannot go there, what lies beyond will do
        return ("praise", "sign" if is_up else "noise")
    return ("sign", "complaint") if is_up else ("noise", "praise")
