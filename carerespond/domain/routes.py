"""Which ways of answering a case are open, why not, and what each costs.

X takes a reply by API from most apps only when the post's author names us or quotes a post of ours
("Post creation restrictions", since 2026-02-23); a person in a browser may answer anybody who lets
them. So the ways are known before anybody types.
"""

from collections.abc import Mapping

from carerespond.domain.errors import Refusal
from carerespond.domain.models import Case, Route, RouteKind

# Networks that take replies by API from those who were named or quoted only.
_SUMMONED_ONLY = frozenset({"x"})

_NOT_SUMMONED = "X lets programs answer only people who name or quote us"
_BY_HAND = "post it by hand in the browser"
_API_SHUT: dict[object, str] = {
    Refusal.NOT_SUMMONED: "The network refused an answer by API: they did not name or quote us",
    Refusal.NOT_PERMITTED: "The network does not permit our program to answer this post",
}
_REPLIES_SHUT = "They have closed replies to this post."
_BLOCKED = "They have blocked us."


def routes(
    case: Case,
    *,
    can_reply_api: bool,
    dm: bool | None,
    prices: Mapping[str, float],
    signed_in: bool,
    has_link: bool = False,
    last_refusal: object = None,
) -> tuple[Route, ...]:
    """The ways of answering a case; the first that is open is the one to take.

    When no public way is open, the first route is of kind NONE and says why.

    Args:
        case: The case; its newest post is answered.
        can_reply_api: The network takes replies from our program at all.
        dm: We may send them a direct message; None when only trying would tell.
        prices: USD by price-list name.
        signed_in: The case's account has somebody signed in who may post.
        has_link: The text holds a link, which costs more in a reply that was not asked for.
        last_refusal: The `Refusal` of the last answer to this case; None when there was none.
    """
    private = _direct(case, may_send=dm, last_refusal=last_refusal)
    shut = _shut(case, last_refusal)
    if shut:
        none = Route(RouteKind.NONE, is_open=False, reason=shut)
        return (none, *(Route(kind, is_open=False, reason=shut) for kind in _PUBLIC), private)
    api = _api(case, can_reply_api=can_reply_api, signed_in=signed_in, last_refusal=last_refusal)
    limited = _limited(case)
    price = _price(case, prices, has_link=has_link)
    if api:
        browser = f"{api}: {_BY_HAND}."
        by_api = Route(RouteKind.API, is_open=False, reason=f"{api}.", price_usd=price)
    else:
        browser = f"A person can {_BY_HAND}."
        reason = limited or _TAKEN[case.network in _SUMMONED_ONLY]
        by_api = Route(
            RouteKind.API, is_open=None if limited else True, reason=reason, price_usd=price
        )
    by_hand = Route(
        RouteKind.BROWSER,
        is_open=None if limited else True,
        reason=f"{browser} {limited}".strip(),
    )
    return (by_api, by_hand, private)


_PUBLIC = (RouteKind.API, RouteKind.BROWSER)
_TAKEN = {
    True: "They named or quoted us, so X takes our reply by API.",
    False: "The network takes our reply by API.",
}


def _is_summoned(case: Case) -> bool:
    if case.network not in _SUMMONED_ONLY:
        return True
    return case.head.mentions_us or case.head.quotes_us


def _shut(case: Case, last_refusal: object) -> str:
    """Why nobody can answer in public, by program or by hand; "" when somebody can."""
    settings = case.head.reply_settings
    obstacles = (
        (case.deleted_at is not None, "The post has been deleted."),
        (last_refusal == Refusal.GONE, "The network says that the post is gone."),
        (last_refusal == Refusal.BLOCKED, _BLOCKED),
        (case.author.is_protected, "Their posts are protected: only their followers see answers."),
        (last_refusal == Refusal.REPLY_CLOSED, _REPLIES_SHUT),
        (
            settings == "mentionedUsers" and not case.head.mentions_us,
            "Only people whom they name may reply, and they did not name us.",
        ),
        (settings == "subscribers", "Only people who subscribe to them may reply."),
    )
    return next((why for stands, why in obstacles if stands), "")


def _api(case: Case, *, can_reply_api: bool, signed_in: bool, last_refusal: object) -> str:
    """Why our program cannot answer, without a full stop; "" when it can."""
    if not _is_summoned(case):
        return _NOT_SUMMONED
    if last_refusal in _API_SHUT:
        return _API_SHUT[last_refusal]
    if not signed_in:
        return "Nobody is signed in to this account"
    if not can_reply_api:
        return "This account can only read"
    return ""


def _limited(case: Case) -> str:
    """Who may answer, when the network does not say whether that is us; "" when everybody may."""
    settings = case.head.reply_settings
    if settings == "following":
        return "Only people whom they follow may reply: trying will tell."
    if settings == "verified":
        return "Only verified accounts may reply: trying will tell."
    return ""


def _price(case: Case, prices: Mapping[str, float], *, has_link: bool) -> float | None:
    if case.network not in _SUMMONED_ONLY:
        return None
    if _is_summoned(case):
        return prices.get("summoned_reply")  # with or without a link
    return prices.get("create_with_url" if has_link else "create")


def _direct(case: Case, *, may_send: bool | None, last_refusal: object) -> Route:
    if last_refusal == Refusal.BLOCKED:
        return Route(RouteKind.DM, is_open=False, reason=_BLOCKED)
    if last_refusal == Refusal.DM_CLOSED:
        return Route(RouteKind.DM, is_open=False, reason="They refused a direct message from us.")
    accepts = True if may_send else case.author.receives_dm
    if accepts is None:
        reason = "Not known whether they accept direct messages: their page in the browser shows."
    elif accepts:
        reason = "They accept direct messages; write it by hand in the browser."
    else:
        reason = "They do not accept direct messages from us."
    return Route(RouteKind.DM, is_open=accepts, reason=reason)
