"""The configuration: files that a person can read and keep in version control, never a secret."""

from carerespond.config.lines import problem_at
from carerespond.config.model import (
    REPLY_MINUTES,
    X_PRICES,
    AccountConfig,
    BudgetConfig,
    Config,
    SearchConfig,
    ServiceConfig,
    TemplateConfig,
)
from carerespond.config.places import (
    Home,
    find_home,
    lexicon_texts,
    practice_home,
    read_text,
    rules_texts,
)
from carerespond.config.reading import load_config, parse_config, shipped_safety

__all__ = [
    "REPLY_MINUTES",
    "X_PRICES",
    "AccountConfig",
    "BudgetConfig",
    "Config",
    "Home",
    "SearchConfig",
    "ServiceConfig",
    "TemplateConfig",
    "find_home",
    "lexicon_texts",
    "load_config",
    "parse_config",
    "practice_home",
    "problem_at",
    "read_text",
    "rules_texts",
    "shipped_safety",
]
