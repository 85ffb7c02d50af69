"""OAuth 2 of the practice network: codes, access tokens and refresh tokens with X's lifetimes.

Source: `x-api/fundamentals/authentication/oauth-2-0/authorization-code`.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carerespond.practice.words import names

CODE_SECONDS = 30
ACCESS_SECONDS = 7200
APP_TOKEN = "practice-app"  # noqa: S105  # the stand-in's public token
USER_TOKEN = "practice-user"  # noqa: S105  # the stand-in's public token
SCOPES = names(
    """
    tweet.read users.read tweet.write tweet.moderate.write dm.read dm.write offline.access
    """
)


@dataclass(frozen=True, slots=True)
class Token:
    """Who a request comes from: our app alone, or our account with these scopes."""

    app_only: bool
    scopes: frozenset[str] = SCOPES


@dataclass(slots=True)
class Grant:
    """One code, access token or refresh token."""

    kind: str
    client_id: str
    scopes: frozenset[str]
    until: float | None  # epoch seconds; None lives until it is used
    redirect_uri: str = ""
    challenge: str = ""
    used: bool = False


def s256(verifier: str) -> str:
    """The PKCE challenge that belongs to a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_secret() -> str:
    """A fresh code or token."""
    return secrets.token_urlsafe(32)


class TokenBook:
    """Every grant of the network, rebuilt from events."""

    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}

    def apply(self, event: dict[str, Any]) -> None:
        """Take in one event: `granted` makes a grant, `spent` ends one."""
        if event["do"] == "spent":
            if event["token"] in self.grants:
                self.grants[event["token"]].used = True
            return
        self.grants[event["token"]] = Grant(
            event["kind"],
            event["client_id"],
            frozenset(event["scopes"]),
            event["until"],
            event.get("redirect_uri", ""),
            event.get("challenge", ""),
        )

    def live(self, token: str, kind: str, at: datetime) -> Grant | None:
        """A grant that may still be used."""
        grant = self.grants.get(token)
        if grant is None or grant.kind != kind or grant.used:
            return None
        return None if grant.until is not None and at.timestamp() >= grant.until else grant

    def bearer(self, token: str, at: datetime) -> Token | None:
        """Who a bearer token stands for; None for an unknown or expired one."""
        if token == APP_TOKEN:
            return Token(app_only=True)
        if token == USER_TOKEN:
            return Token(app_only=False)
        grant = self.live(token, "access", at)
        return Token(app_only=False, scopes=grant.scopes) if grant else None
