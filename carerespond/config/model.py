"""What a person can configure, as frozen values."""

from dataclasses import dataclass, field
from pathlib import Path

from carerespond.domain.clocks import WorkingHours
from carerespond.domain.safety import SafetyCard

# USD: X's pay-per-use price list of 2026-08-22 (docs: x-api/getting-started/pricing).
# [prices] in config.toml overrides it.
X_PRICES: dict[str, float] = {
    "post_read": 0.005,
    "owned_read": 0.001,
    "user_read": 0.010,
    "counts": 0.005,
    "create": 0.015,
    "create_with_url": 0.200,
    "summoned_reply": 0.010,
    "dm_send": 0.015,
    "dm_read": 0.010,
}

# The sections that the rail of the widest screens can show, in the order that is the default.
RAIL = ("person", "presence", "waiting", "sources")

# How long a case of each priority may wait before it counts as late; 0 means it never does.
REPLY_MINUTES: dict[str, float] = {
    "urgent": 60,
    "today": 480,
    "soon": 2880,
    "praise": 0,
    "watch": 0,
}


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One of our accounts. `user_id` may be learned at sign-in; `base_url` is where its API is.

    Attributes:
        token_file: A bearer token to read with, in a private file; None: the secrets folder.
        owns_app: Our own app and account, so that mentions and own posts cost the owned price.
    """

    account_id: str
    network: str
    handle: str
    base_url: str = "https://api.x.com"
    user_id: str = ""
    client_id: str = ""
    redirect_uri: str = "http://127.0.0.1:8976/callback"
    token_file: Path | None = None
    owns_app: bool = True
    poll_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """A saved search; `query` is in the network's own language."""

    search_id: str
    name: str
    account: str
    query: str
    purpose: str = ""
    service: str | None = None
    page_cap: int = 5


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """A service of the organisation, with the links and contacts that people pasted."""

    service_id: str
    name: str
    nicknames: tuple[str, ...] = ()
    story_link: str = ""
    page_link: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class TemplateConfig:
    """A template: words with closed names such as $first_name."""

    template_id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What listening and answering may cost, in USD; 0 means no limit was set."""

    daily_usd: float = 2.0
    monthly_usd: float = 40.0
    soft_percent: int = 80


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a person configured."""

    organisation: str
    public_body: bool = True
    accounts: tuple[AccountConfig, ...] = ()
    searches: tuple[SearchConfig, ...] = ()
    services: tuple[ServiceConfig, ...] = ()
    operators: tuple[str, ...] = ()
    templates: tuple[TemplateConfig, ...] = ()
    safety: tuple[SafetyCard, ...] = ()
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    prices: dict[str, float] = field(default_factory=lambda: dict(X_PRICES))
    phone: str = ""
    email: str = ""
    signature: str = ""
    take_back_seconds: float = 20.0
    claim_minutes: float = 30.0
    silent_days: float = 2.0
    escape_ms: int = 25
    theme: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    rules_file: Path | None = None
    own_rules: Path = Path("rules.toml")
    language_files: tuple[Path, ...] = ()
    learn: bool = False
    opener: tuple[str, ...] = ()
    ascii_only: bool = False
    rail: tuple[str, ...] = RAIL
    reply_minutes: dict[str, float] = field(default_factory=lambda: dict(REPLY_MINUTES))
    hours: WorkingHours | None = None
