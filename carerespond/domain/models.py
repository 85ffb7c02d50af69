"""The things that carerespond is about: posts, cases, drafts, replies and the people around them.

Every moment is an aware UTC datetime. Ids from a network are opaque strings.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """The panes, most pressing first. The number is stored."""

    URGENT = 0
    TODAY = 1
    SOON = 2
    PRAISE = 3
    WATCH = 4

    @property
    def label(self) -> str:
        """The pane's name in lower case, as in files and commands."""
        return self.name.lower()

    @property
    def letter(self) -> str:
        """The one letter that stands for the pane where room is short."""
        return self.name[0]


class CaseState(StrEnum):
    """Where a case stands. Stored."""

    OPEN = "open"
    LATER = "later"
    DONE = "done"


class Outcome(StrEnum):
    """How a case ended. Stored, shown and asked for by the done verb."""

    ANSWERED = "answered"
    PRIVATE = "moved to private"
    INVITED = "invited"
    STORY = "story told"
    RESOLVED = "resolved"
    THANKED = "thanked"
    NO_ANSWER = "no answer needed"
    NOT_US = "not about us"


@dataclass(frozen=True, slots=True)
class Author:
    """A person or organisation that posts; identity is network and author_id, never the handle.

    Attributes:
        followers: None when the network did not say.
        receives_dm: Whether the network lets us send a direct message; None when unknown.
    """

    network: str
    author_id: str
    handle: str
    name: str = ""
    followers: int | None = None
    is_protected: bool = False
    receives_dm: bool | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post as a network gave it; `text` is raw and hostile until `domain.text.clean`.

    Attributes:
        post_id: The first version's id, which stays the same through edits.
        version_id: The newest version's id, which a reply answers.
        conversation: The thread's id; the post's own id when the network names none.
        mentions_us: The author names our account in the text.
        quotes_us: The author quotes a post of ours.
        is_ours: Posted by one of our own accounts.
        reply_settings: Who may answer, in the network's own word ("everyone" when unsaid).
        raw: The record's bytes as received, kept as evidence.
    """

    network: str
    post_id: str
    author: Author
    text: str
    created_at: datetime
    version_id: str = ""
    url: str | None = None
    lang: str | None = None
    in_reply_to: str | None = None
    conversation: str = ""
    mentions_us: bool = False
    quotes_us: bool = False
    is_ours: bool = False
    is_edited: bool = False
    is_repost: bool = False
    has_link: bool = False
    reply_settings: str = "everyone"
    likes: int = 0
    reposts: int = 0
    replies: int = 0
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: its bytes as received, and the problem in words."""

    raw: bytes
    problem: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that moved a case: points add to the score; words are the text that matched.

    Attributes:
        is_pin: It holds the case in the urgent pane whatever the score.
    """

    rule: str
    text: str
    points: float
    words: tuple[str, ...] = ()
    is_pin: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """Where triage puts a post and why; reasons stand strongest first, and points sum to the score.

    Attributes:
        label: complaint, question, praise or other.
        is_pinned: A risk rule holds it in the urgent pane whatever the score.
        is_noise: Nobody waits for an answer: news, selling or a repost. Not stored.
    """

    priority: Priority
    score: float
    reasons: tuple[Reason, ...] = ()
    label: str = "other"
    is_pinned: bool = False
    is_noise: bool = False

    @property
    def pins(self) -> tuple[Reason, ...]:
        """The reasons that hold it in the urgent pane; empty when none does."""
        if not self.is_pinned:
            return ()
        return tuple(one for one in self.reasons if one.is_pin) or self.reasons[:1]

    @property
    def pressing(self) -> tuple[bool, int, float]:
        """Higher is more pressing: of a case's posts the highest says where the case stands."""
        return (self.is_pinned, -self.priority, self.score)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What a line of the inbox shows of a case. `snippet`, `handle` and `name` are raw.

    `rank` is the place in the list: priority, is_pinned, score, posted_at (ms), case_id. Lists run
    up in priority and down in all the rest.
    """

    case_id: int
    network: str
    handle: str
    name: str
    snippet: str
    posted_at: datetime
    priority: Priority
    score: float
    state: CaseState
    owner: str | None = None
    writing: str | None = None
    due_at: datetime | None = None
    snoozed_until: datetime | None = None
    is_unread: bool = True
    is_starred: bool = False
    is_muted: bool = False
    is_pinned: bool = False
    wrote_again: bool = False
    mentions_us: bool = False
    posts: int = 1
    send_state: str | None = None
    rank: tuple[int, int, float, int, int] = (0, 0, 0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    """A case in full: one author's part of one conversation, newest post first in the inbox."""

    case_id: int
    network: str
    account: str
    conversation: str
    author: Author
    head: Post
    state: CaseState
    assessment: Assessment
    priority_set_by: str | None = None
    owner: str | None = None
    claimed_until: datetime | None = None
    writing: str | None = None
    writing_since: datetime | None = None
    outcome: Outcome | None = None
    closed_at: datetime | None = None
    snoozed_until: datetime | None = None
    service: str | None = None
    is_unread: bool = True
    is_starred: bool = False
    is_muted: bool = False
    wrote_again: bool = False
    deleted_at: datetime | None = None
    labels: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """An internal note on a case; it has no road to a network."""

    note_id: int
    case_id: int
    operator: str
    text: str
    written_at: datetime


class DraftKind(StrEnum):
    """What a draft is for; public and private are never the same row."""

    PUBLIC = "public"
    PRIVATE = "private"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Draft:
    """Text somebody is writing on a case; one a case, operator and kind.

    Attributes:
        fingerprint: What the conversation looked like when writing began (`thread_fingerprint`).
        version: Rises by one with each save, so that a review can say which text it showed.
    """

    case_id: int
    operator: str
    kind: DraftKind
    text: str
    fingerprint: str
    started_at: datetime
    saved_at: datetime
    version: int


class SendState(StrEnum):
    """The life of an outbox row. Stored. See the outbox rules in docs/sending.md."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    TAKEN_BACK = "taken back"
    NOT_SENT = "not sent"
    HAND_OFF = "hand-off"


@dataclass(frozen=True, slots=True)
class Reply:
    """An outbox row: one answer to one post, decided once.

    Attributes:
        key: Fixed when queued and never changed (rule R4).
        send_at: When the take-back window ends.
        attempt: How often a request was begun.
        fence: Rises with each claim of the row; a stale sender's writes are refused.
        remote_id: The network's id; present whenever state is "sent".
        price_usd: What the request was expected to cost.
    """

    outbox_id: int
    case_id: int
    network: str
    account: str
    kind: DraftKind
    in_reply_to: str
    handle: str
    text: str
    key: str
    state: SendState
    operator: str
    queued_at: datetime
    send_at: datetime
    session: str = ""
    attempt: int = 0
    fence: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    remote_id: str | None = None
    problem: str | None = None
    price_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class ThreadChange:
    """Something that happened in a conversation after a draft began."""

    what: str
    handle: str
    text: str
    at: datetime | None = None


class RouteKind(StrEnum):
    """A way of answering."""

    API = "api"
    BROWSER = "browser"
    DM = "dm"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Route:
    """One way of answering a case: open or shut, why, and what it costs.

    Attributes:
        is_open: True, False, or None when only trying would tell.
        reason: Plain words for the person who answers.
        price_usd: The price of one answer by this way; None when it costs nothing by API.
    """

    kind: RouteKind
    is_open: bool | None
    reason: str
    price_usd: float | None = None


class Health(StrEnum):
    """How a source does. Stored."""

    NEW = "new"
    OK = "ok"
    SILENT = "silent too long"
    REFUSED = "refused"
    CREDIT = "out of credit"
    LIMITED = "rate limited"
    GAP = "gap"
    DOWN = "down"
    BUDGET = "budget spent"
    ODD = "odd answer"


@dataclass(frozen=True, slots=True)
class Source:
    """A saved search or an account's mentions, as it is being listened to.

    Attributes:
        source_id: "search:ID" or "mentions:ACCOUNT".
        cursor: The newest id of the last whole round; None before the first.
        since_at: When the present health began.
        next_poll_at: No round before it, in any process.
    """

    source_id: str
    name: str
    account: str
    health: Health = Health.NEW
    message: str = ""
    since_at: datetime | None = None
    cursor: str | None = None
    last_ok_at: datetime | None = None
    last_post_at: datetime | None = None
    next_poll_at: datetime | None = None
    found: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time that a source could not look at."""

    gap_id: int
    source_id: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """What the ledger says, in USD, against the budget. A budget of 0 means none was set."""

    today: float
    month: float
    daily_budget: float
    monthly_budget: float
    soft_percent: int = 80

    @property
    def state(self) -> str:
        """One of "ok", "soft" (past the soft stop) and "hard" (nothing more may be spent)."""
        state = "ok"
        for spent, budget in ((self.today, self.daily_budget), (self.month, self.monthly_budget)):
            if budget and spent >= budget:
                return "hard"
            if budget and spent >= budget * self.soft_percent / 100:
                state = "soft"
        return state


@dataclass(frozen=True, slots=True)
class Charge:
    """One priced thing of a call: `kind` names a line of the price list; reads name the resource.

    A resource that was charged earlier the same UTC day costs nothing again.
    """

    kind: str
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody on the rota."""

    name: str
    initials: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change feed: `kind` is case, outbox, source, ledger, draft or learned."""

    seq: int
    kind: str
    case_id: int | None = None


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What a list shows: a pane (None for all), a state, and words that must or must not occur.

    Attributes:
        words: Every one must occur in handle, name or snippet, in any case.
        owner: Only this person's; "" for nobody's; None for everybody's.
    """

    priority: Priority | None = None
    state: CaseState = CaseState.OPEN
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    owner: str | None = None
    label: str | None = None
    starred: bool = False
    query: str = field(default="")
