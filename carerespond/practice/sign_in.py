"""Signing in with OAuth 2 and PKCE (authentication/oauth-2-0): the person always says yes."""

import base64
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from carerespond.practice import tokens
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.journal import Event
from carerespond.practice.network import Practice
from carerespond.practice.problems import RefusalError

_BAD_CODE = "Value passed for the authorization code was invalid."
_BAD_TOKEN = "Value passed for the token was invalid."  # noqa: S105  # words of a refusal


def _refusal(description: str, error: str = "invalid_request", status: int = 400) -> RefusalError:
    return RefusalError(status, {"error": error, "error_description": description})


def authorize(practice: Practice, request: Request) -> Answer:
    """`GET /i/oauth2/authorize`: straight back to `redirect_uri` with a code."""
    query, settings = request.query, practice.settings
    back = query.get("redirect_uri", "")
    if not query.get("client_id") or not urlsplit(back).scheme:
        raise _refusal("client_id and redirect_uri are required.")
    if settings.redirect_uris and back not in settings.redirect_uris:
        raise _refusal("Value passed for the redirect uri did not match the registered uri.")
    if settings.deny_sign_in:
        return _back(back, {"error": "access_denied", "state": query.get("state", "")})
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        raise _refusal("response_type must be code and code_challenge_method must be S256.")
    if not query.get("code_challenge"):
        raise _refusal("code_challenge is required.")
    scopes = frozenset(query.get("scope", "tweet.read users.read").split())
    if scopes - tokens.SCOPES:
        raise _refusal("The requested scope is invalid.", "invalid_scope")
    code = tokens.new_secret()
    with practice.world.writing() as record:
        until = practice.world.now().timestamp() + tokens.CODE_SECONDS
        grant = _grant(code, "code", query["client_id"], scopes, until)
        record({**grant, "redirect_uri": back, "challenge": query["code_challenge"]})
    return _back(back, {"state": query.get("state", ""), "code": code})


def _back(address: str, values: dict[str, str]) -> Answer:
    joint = "&" if parse_qs(urlsplit(address).query) else "?"
    return Answer(status=302, headers={"location": f"{address}{joint}{urlencode(values)}"})


def _grant(
    token: str, kind: str, client_id: str, scopes: frozenset[str], until: float | None
) -> Event:
    return {
        "do": "granted",
        "token": token,
        "kind": kind,
        "client_id": client_id,
        "scopes": sorted(scopes),
        "until": until,
    }


def token(practice: Practice, request: Request) -> Answer:
    """`POST /2/oauth2/token`: a code or a refresh token for new tokens; each works once."""
    form = request.form()
    client_id = _client(request, form)
    grants: dict[str, Callable[[], tuple[str, str]]] = {
        "authorization_code": lambda: ("code", form.get("code", "")),
        "refresh_token": lambda: ("refresh", form.get("refresh_token", "")),
    }
    read = grants.get(form.get("grant_type", ""))
    if read is None:
        raise _refusal("The grant type is not supported.", "unsupported_grant_type")
    kind, secret = read()
    with practice.world.writing() as record:
        at = practice.world.now()
        grant = practice.world.tokens.live(secret, kind, at)
        if grant is None or grant.client_id != client_id:
            raise _refusal(_BAD_CODE if kind == "code" else _BAD_TOKEN)
        if kind == "code":
            _check_code(grant, form)
        record({"do": "spent", "token": secret})
        access = tokens.new_secret()
        until = at.timestamp() + tokens.ACCESS_SECONDS
        record(_grant(access, "access", client_id, grant.scopes, until))
        body: dict[str, object] = {
            "token_type": "bearer",
            "expires_in": tokens.ACCESS_SECONDS,
            "access_token": access,
            "scope": " ".join(sorted(grant.scopes)),
        }
        if "offline.access" in grant.scopes:
            refresh = tokens.new_secret()
            record(_grant(refresh, "refresh", client_id, grant.scopes, None))
            body["refresh_token"] = refresh
    return Answer(body)


def _check_code(grant: tokens.Grant, form: dict[str, str]) -> None:
    if form.get("redirect_uri") != grant.redirect_uri:
        raise _refusal("Value passed for the redirect uri did not match the uri of the code.")
    if tokens.s256(form.get("code_verifier", "")) != grant.challenge:
        raise _refusal("Value passed for the code verifier did not match the code challenge.")


def _client(request: Request, form: dict[str, str]) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(secret).decode("utf-8", "replace").partition(":")[0]
        except ValueError:
            raise _refusal("Malformed authorization header", "unauthorized_client", 401) from None
    if not form.get("client_id"):
        raise _refusal("Missing valid authorization header", "unauthorized_client", 401)
    return form["client_id"]


def revoke(practice: Practice, request: Request) -> Answer:
    """`POST /2/oauth2/revoke`."""
    form = request.form()
    _client(request, form)
    with practice.world.writing() as record:
        record({"do": "spent", "token": form.get("token", "")})
    return Answer({"revoked": True})


CALLS: dict[tuple[str, str], Callable[[Practice, Request], Answer]] = {
    ("GET", "/i/oauth2/authorize"): authorize,
    ("POST", "/2/oauth2/token"): token,
    ("POST", "/2/oauth2/revoke"): revoke,
}
