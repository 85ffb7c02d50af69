"""Signing in by OAuth 2 with PKCE and a pasted redirect: it works over SSH, with no listener.

X: docs/fundamentals/authentication/oauth-2-0/authorization-code; the code lives 30 seconds.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlencode, urlsplit

from carerespond.domain.errors import SignInError
from carerespond.networks.client import Client
from carerespond.networks.tokens import TOKEN_PATH, Token, read_token

READ = "tweet.read users.read offline.access"
WRITE = "tweet.read users.read tweet.write offline.access"
_SITE, _API = "https://x.com", "https://api.x.com"
_LONGEST_CODE = 512


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """One sign-in under way; `address` is for a browser, the rest is kept here."""

    address: str
    state: str
    verifier: str
    client_id: str
    redirect_uri: str

    def __repr__(self) -> str:
        return "Attempt(...)"


def begin(client_id: str, redirect_uri: str, *, base_url: str, scopes: str) -> Attempt:
    """A new sign-in, with the address that a person opens in any browser."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    site = _SITE if base_url == _API else base_url
    return Attempt(f"{site}/i/oauth2/authorize?{query}", state, verifier, client_id, redirect_uri)


def code_of(attempt: Attempt, pasted: str) -> str:
    """The code in what a person pasted: the whole address that the browser ended at.

    Raises:
        SignInError: It belongs to another attempt, was refused, or has no code.
    """
    pasted = pasted.strip()
    values = parse_qs(urlsplit(pasted).query)
    if values.get("error"):
        raise SignInError("The sign-in was refused in the browser.", "Run it again and allow it.")
    code, state = values.get("code", [""])[0], values.get("state", [""])[0]
    if not code or len(code) > _LONGEST_CODE:
        raise SignInError(
            "There is no code in what was pasted.",
            "Paste the whole address that the browser ended at, with code= and state= in it.",
        )
    if not secrets.compare_digest(state.encode(), attempt.state.encode()):
        raise SignInError(
            "This address belongs to another attempt to sign in.", "Use the newest one."
        )
    return code


async def finish(
    attempt: Attempt, pasted: str, client: Client, now: Callable[[], datetime]
) -> Token:
    """Exchange the code for a token.

    Raises:
        SignInError: The code is wrong or too old.
        NetworkError: The network could not be asked.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code_of(attempt, pasted),
        "redirect_uri": attempt.redirect_uri,
        "client_id": attempt.client_id,
        "code_verifier": attempt.verifier,
    }
    answer = await client.request("POST", TOKEN_PATH, form=form)
    return read_token(answer, attempt.client_id, now())
