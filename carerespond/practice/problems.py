"""The refusals of X, with the words and types that clients have reported."""

from collections.abc import Iterable, Mapping
from typing import Any

PROBLEMS = "https://api.x.com/2/problems/"
SUMMON_WORDINGS = {
    "current": "You can only reply to or quote posts where you are mentioned or are the author.",
    "older": (
        "Reply to this conversation is not allowed because you have not been mentioned or otherwise"
        " engaged by the author of the post you are replying to."
    ),
}
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
TARGET_GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
REPLIES_RESTRICTED = "The original Tweet author restricted who can reply to this Tweet."
BLOCKED = "You have been blocked from replying to this Tweet by its author."
NOT_PERMITTED = "You are not permitted to perform this action."
DM_NO_PERMISSION = "You do not have permission to DM one or more participants."
DM_OPERATION = "This operation is not permitted"
DM_UNVERIFIED = "Sender is not verified to send message requests"


class RefusalError(Exception):
    """The stand-in answers a request with an error: a status and the body to send."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {body.get('title', '')}")
        self.status = status
        self.body = dict(body)
        self.headers: dict[str, str] = {}


def problem(
    status: int, title: str, detail: str, kind: str = "about:blank", **more: object
) -> RefusalError:
    """A problem document (RFC 7807, as X writes it); `kind` is the last part of its type."""
    where = kind if kind == "about:blank" else PROBLEMS + kind
    return RefusalError(
        status, {"title": title, "detail": detail, "type": where, "status": status, **more}
    )


def forbidden(detail: str, kind: str = "about:blank", **more: object) -> RefusalError:
    """A 403 about one resource or one action."""
    return problem(403, "Forbidden", detail, kind, **more)


def invalid(parameter: str, value: str, message: str) -> RefusalError:
    """A 400 that names the parameter."""
    return RefusalError(
        400,
        {
            "errors": [{"parameters": {parameter: [value]}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": PROBLEMS + "invalid-request",
        },
    )


def unknown_parameter(name: str, value: str, known: Iterable[str]) -> RefusalError:
    """A 400 for a query parameter that the call does not have."""
    return invalid(
        name, value, f"The query parameter [{name}] is not one of [{','.join(sorted(known))}]"
    )


def unauthorized() -> RefusalError:
    """No token, or one that is not valid now."""
    return problem(401, "Unauthorized", "Unauthorized")


def unsupported_authentication(app_only: bool) -> RefusalError:  # noqa: FBT001  # one fact, read once
    """The right token of the wrong kind."""
    used, wanted = (
        ("OAuth 2.0 Application-Only", "OAuth 1.0a User Context, OAuth 2.0 User Context")
        if app_only
        else ("OAuth 2.0 User Context", "OAuth 2.0 Application-Only")
    )
    return problem(
        403,
        "Unsupported Authentication",
        f"Authenticating with {used} is forbidden for this endpoint.  "
        f"Supported authentication types are [{wanted}].",
        "unsupported-authentication",
    )


def client_forbidden(detail: str) -> RefusalError:
    """A call that this access level does not have."""
    return problem(
        403, "Client Forbidden", detail, "client-forbidden", reason="client-not-enrolled"
    )


def credits_empty(account_id: str, form: str) -> RefusalError:
    """Out of money, in either of the two forms that were seen."""
    detail = (
        f"Your enrolled account [{account_id}] does not have any credits to fulfill this request."
    )
    if form == "credits-depleted":
        return problem(402, "Payment Required", detail, "credits-depleted")
    return problem(402, "CreditsDepleted", detail, "credits", account_id=account_id)


def spend_cap(account_id: str, resets_on: str) -> RefusalError:
    """The spending limit that the owner set is reached."""
    return problem(
        403,
        "SpendCapReached",
        f"Your enrolled account [{account_id}] has reached its billing cycle spend cap. API"
        f" requests will be blocked until the next cycle begins on {resets_on}.",
        "credits",
        account_id=account_id,
        reset_date=resets_on,
    )


def usage_capped() -> RefusalError:
    """The month's posts are used up; no wait of minutes helps."""
    return problem(
        429,
        "UsageCapExceeded",
        "Usage cap exceeded: Monthly product cap",
        "usage-capped",
        period="Monthly",
        scope="Product",
    )


def rate_limited() -> RefusalError:
    """Too many requests in this quarter of an hour."""
    return problem(429, "Too Many Requests", "Too Many Requests", "rate-limit-exceeded")


def missing(kind: str, value: str, parameter: str) -> dict[str, Any]:
    """A partial error: nothing has this id, or no longer."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": PROBLEMS + "resource-not-found",
    }


def hidden(kind: str, value: str, parameter: str) -> dict[str, Any]:
    """A partial error: it exists and we may not see it."""
    return {
        "value": value,
        "detail": f"Sorry, you are not authorized to see the {kind.title()} with {parameter}:"
        f" [{value}].",
        "title": "Authorization Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "section": "data",
        "type": PROBLEMS + "not-authorized-for-resource",
    }
