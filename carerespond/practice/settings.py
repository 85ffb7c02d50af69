"""What the practice network may be told to do wrong, and which of X's variants it plays."""

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_CHOICES: dict[str, tuple[object, ...]] = {
    "credits": ("ok", "credits", "credits-depleted"),
    "vocabulary": ("tweet", "post"),
    "summon_wording": ("current", "older"),
    "summon_type": ("not-authorized-for-resource", "about:blank"),
}


_LARGEST = 1e9  # seconds, dollars; some 30 years


class SettingsError(ValueError):
    """A setting that does not exist or has the wrong kind of value; the message names it."""


@dataclass(slots=True)
class Failure:
    """One or more answers that are replaced.

    Attributes:
        path: Only requests whose path begins so; "" is any.
        method: Only this method; "" is any.
        stored: The request is carried out before the failure is answered.
        drop: Cut the connection in place of an answer.
    """

    status: int = 500
    body: dict[str, Any] | str | None = None
    count: int = 1
    path: str = ""
    method: str = ""
    stored: bool = False
    drop: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Settings:
    """Switches of the practice network; everything is as on X until it is changed.

    Attributes:
        drop_answers: Share of writes that are stored and then get no answer.
        drop_requests: Share of writes whose connection is cut before anything is stored.
        timeline_lag_s: Our own posts show in timelines and searches only so much later.
        search_lag_s: Search and counts end so long before now, as X's `end_time` does by default.
        delay_before_s: Wait before a request is carried out.
        delay_after_s: Wait between carrying it out and answering.
        delay_path: Only requests whose path begins so wait.
        fail_next: Answers to replace, in order.
        credits: "ok", "credits" or "credits-depleted": the two ways to say that no money is left.
        balance: Dollars left; None is without end. At 0 every call answers 402.
        credits_endpoint: Whether `GET /2/usage/credits` exists for us.
        spend_cap: The owner's spending limit is reached.
        usage_capped: The month's posts are used up.
        refuse_tweet_fields: Only the newer field names are known.
        note_text: Long posts carry their whole text.
        vocabulary: The names in answers to requests that use none: "tweet" or "post".
        summon_rule: Cold replies are refused, as for self-serve apps.
        summon_wording: "current" or "older".
        summon_type: The problem type of that refusal: "not-authorized-for-resource" or
            "about:blank".
        reply_without_mention_summons: An answer to our post summons us even without our @name.
        stranger_mentions_403: A fresh post may not name people who did not name us.
        duplicate_text_403: The same text twice in a day is refused.
        intermittent_403: Share of new posts refused without a reason.
        reply_prefix: Our replies carry the @names of the thread in front of their text, as X's do.
        dm_refusal: "" or "operation" or "476": a refusal for every message.
        html_instead_of_json: Everything is answered by a web page with status 200.
        truncate_json: Answers stop in the middle.
        bad_records: So many records of each page are damaged.
        keep_alive_s: The stream's blank line comes so often.
        rate_limits: Other limits for a quarter of an hour, by "METHOD /path" as in the table.
        redirect_uris: Where sign-in may lead back; empty is anywhere.
        deny_sign_in: The person presses "cancel".
        clock_offset_s: The network's clock is so far ahead of ours.
        seed: Of the faults' dice.
    """

    drop_answers: float = 0.0
    drop_requests: float = 0.0
    timeline_lag_s: float = 0.0
    search_lag_s: float = 30.0
    delay_before_s: float = 0.0
    delay_after_s: float = 0.0
    delay_path: str = "/2/"
    fail_next: list[Failure] = field(default_factory=list)
    credits: str = "ok"
    balance: float | None = None
    credits_endpoint: bool = True
    spend_cap: bool = False
    usage_capped: bool = False
    refuse_tweet_fields: bool = False
    note_text: bool = True
    vocabulary: str = "tweet"
    summon_rule: bool = True
    summon_wording: str = "current"
    summon_type: str = "not-authorized-for-resource"
    reply_without_mention_summons: bool = False
    stranger_mentions_403: bool = True
    duplicate_text_403: bool = True
    intermittent_403: float = 0.0
    reply_prefix: bool = True
    dm_refusal: str = ""
    html_instead_of_json: bool = False
    truncate_json: bool = False
    bad_records: int = 0
    keep_alive_s: float = 20.0
    rate_limits: dict[str, int] = field(default_factory=dict)
    redirect_uris: list[str] = field(default_factory=list)
    deny_sign_in: bool = False
    clock_offset_s: float = 0.0
    seed: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(0), repr=False)  # noqa: S311  # chosen faults, not secrets

    def update(self, changes: dict[str, Any]) -> None:
        """Change some settings; all or none.

        Raises:
            SettingsError: One is unknown or has the wrong kind of value.
        """
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)
        if "seed" in checked:
            self.dice.seed(self.seed)

    def _checked(self, name: str, value: object) -> object:
        if name not in {one.name for one in fields(self)} - {"dice"}:
            raise SettingsError(f"There is no setting {name!r}.")
        if name == "fail_next":
            rows = value if isinstance(value, list) else [value] if value else []
            return [_failure(row) for row in rows]
        if name in _CHOICES and value not in _CHOICES[name]:
            raise SettingsError(f"The setting {name!r} is one of {_CHOICES[name]}.")
        wanted = float if name == "balance" else type(getattr(self, name))
        if not (_fits(value, wanted) or (value is None and name == "balance")):
            raise SettingsError(f"The setting {name!r} wants {wanted.__name__}, not {value!r}.")
        if name == "keep_alive_s" and value == 0:
            raise SettingsError("The setting 'keep_alive_s' is more than 0.")
        return value

    def happens(self, share: float) -> bool:
        """Throw the dice: True for this share of calls."""
        return share > 0 and self.dice.random() < share

    def failure(self, method: str, path: str) -> Failure | None:
        """The planned failure for a request, counted down."""
        for failure in self.fail_next:
            if path.startswith(failure.path) and failure.method in {"", method}:
                failure.count -= 1
                if failure.count <= 0:
                    self.fail_next.remove(failure)
                return failure
        return None

    def as_json(self) -> dict[str, Any]:
        """All settings as they stand."""
        rows = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "dice"}
        return {**rows, "fail_next": [asdict(failure) for failure in self.fail_next]}


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool) or wanted is bool:
        return type(value) is wanted
    if wanted is float:
        return isinstance(value, (int, float)) and abs(value) <= _LARGEST  # and is no NaN
    if isinstance(value, dict):
        return wanted is dict and all(type(one) is int for one in value.values())
    return isinstance(value, wanted)


def _failure(row: object) -> Failure:
    known = {one.name for one in fields(Failure)}
    if not isinstance(row, dict) or row.keys() - known:
        raise SettingsError(f"A failure has only {', '.join(sorted(known))}, not {row!r}.")
    for name in ("status", "count"):
        if not isinstance(row.get(name, 1), int):
            raise SettingsError(f"A failure's {name} is a number, not {row[name]!r}.")
    return Failure(**row)
