"""Puts a post where it belongs: triage with what this installation knows of its services."""

from collections.abc import Callable
from datetime import datetime

from carerespond.config import Config
from carerespond.domain.models import Assessment, Post
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import Context, assess
from carerespond.domain.words import service_of


class Assessor:
    """Triage by one set of rules.

    Args:
        rules: The rules.
        config: The services' names and how long each pane may wait.
        now: The present moment.
    """

    def __init__(self, rules: Rules, config: Config, now: Callable[[], datetime]) -> None:
        self._rules = rules
        self._config = config
        self._now = now
        self._names = {
            name.casefold(): service.service_id
            for service in config.services
            for name in (service.name, *service.nicknames)
            if name.strip()
        }

    def __call__(self, post: Post) -> Assessment:
        """Where the post goes and why."""
        return self.by(self._rules, post)

    def by(self, rules: Rules, post: Post) -> Assessment:
        """Where the post would go by other rules."""
        # Waiting is left out: a stored score must mean the same tomorrow; lateness has its column.
        return assess(post, rules, Context(service_names=tuple(self._names)))

    @property
    def rules(self) -> Rules:
        """The rules of this moment."""
        return self._rules

    @property
    def mark(self) -> str:
        """The mark of the rules of this moment."""
        return self._rules.mark

    def use(self, rules: Rules) -> None:
        """Go by other rules from here on."""
        self._rules = rules

    def service(self, post: Post) -> str | None:
        """Which service the words name; the longest name wins, None when none is named."""
        return service_of(post.text, self._names)
