from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from carerespond.domain.errors import Refusal
from carerespond.domain.models import Case, Route, RouteKind
from carerespond.domain.routes import routes
from tests.domain.support import NOW, author, case, post

PRICES = {"create": 0.015, "create_with_url": 0.2, "summoned_reply": 0.01, "dm_send": 0.015}


def ways(of: Case | None = None, **more: Any) -> dict[RouteKind, Route]:
    values: dict[str, Any] = {
        "can_reply_api": True,
        "dm": None,
        "prices": PRICES,
        "signed_in": True,
    }
    found = routes(of or case(), **(values | more))
    assert all(route.reason.endswith(".") for route in found)
    return {route.kind: route for route in found}


def cold(**more: Any) -> Case:
    return case(post("the wait was so long"), **more)


def first_open(found: dict[RouteKind, Route]) -> RouteKind | None:
    return next((route.kind for route in found.values() if route.is_open), None)


def test_somebody_who_names_us_is_answered_by_api_at_the_summoned_price() -> None:
    found = ways(has_link=True)
    assert first_open(found) is RouteKind.API
    assert found[RouteKind.API].price_usd == 0.01
    assert found[RouteKind.BROWSER].is_open


def test_somebody_who_quotes_us_is_answered_by_api() -> None:
    assert first_open(ways(case(post(quotes_us=True)))) is RouteKind.API


@pytest.mark.parametrize(("has_link", "price"), [(True, 0.2), (False, 0.015)])
def test_somebody_who_does_not_name_us_is_answered_in_the_browser(
    has_link: bool, price: float
) -> None:
    found = ways(cold(), has_link=has_link)
    assert first_open(found) is RouteKind.BROWSER
    assert found[RouteKind.API].is_open is False
    assert found[RouteKind.API].price_usd == price
    assert "name or quote us" in found[RouteKind.BROWSER].reason
    assert found[RouteKind.BROWSER].price_usd is None


def test_another_network_answers_whoever_posts() -> None:
    found = ways(replace(cold(), network="mastodon"))
    assert first_open(found) is RouteKind.API
    assert found[RouteKind.API].price_usd is None


@pytest.mark.parametrize(
    ("more", "why"),
    [({"signed_in": False}, "signed in"), ({"can_reply_api": False}, "only read")],
)
def test_without_the_right_to_post_the_browser_is_left(more: dict[str, Any], why: str) -> None:
    found = ways(**more)
    assert first_open(found) is RouteKind.BROWSER
    assert why in found[RouteKind.API].reason


@pytest.mark.parametrize("refusal", [Refusal.NOT_SUMMONED, Refusal.NOT_PERMITTED])
def test_what_the_network_refused_by_api_can_be_posted_by_hand(refusal: Refusal) -> None:
    assert first_open(ways(last_refusal=refusal)) is RouteKind.BROWSER


@pytest.mark.parametrize("refusal", [Refusal.DUPLICATE, Refusal.TOO_LONG, Refusal.UNKNOWN, None])
def test_what_another_text_can_mend_leaves_the_api_open(refusal: Refusal | None) -> None:
    assert first_open(ways(last_refusal=refusal)) is RouteKind.API


def shut_cases() -> list[tuple[Case, Refusal | None]]:
    closed = post(reply_settings="mentionedUsers")
    paid = post(mentions_us=True, reply_settings="subscribers")
    return [
        (case(deleted_at=NOW), None),
        (case(author=author(is_protected=True)), None),
        (case(closed), None),
        (case(paid), None),
        (case(), Refusal.GONE),
        (case(), Refusal.BLOCKED),
        (case(), Refusal.REPLY_CLOSED),
    ]


@pytest.mark.parametrize(("shut", "refusal"), shut_cases())
def test_when_nobody_can_answer_in_public_the_first_route_says_why(
    shut: Case, refusal: Refusal | None
) -> None:
    found = routes(
        shut, can_reply_api=True, dm=None, prices=PRICES, signed_in=True, last_refusal=refusal
    )
    assert found[0].kind is RouteKind.NONE
    assert all(route.is_open is False for route in found if route.kind is not RouteKind.DM)


def test_those_whom_they_name_may_reply() -> None:
    named = case(post(mentions_us=True, reply_settings="mentionedUsers"))
    assert first_open(ways(named)) is RouteKind.API


def test_when_only_trying_tells_a_route_is_neither_open_nor_shut() -> None:
    found = ways(case(post(mentions_us=True, reply_settings="following")))
    assert found[RouteKind.API].is_open is None
    assert "trying will tell" in found[RouteKind.API].reason


@pytest.mark.parametrize(
    ("receives", "dm", "is_open"),
    [
        (True, False, True),
        (True, None, True),
        (False, None, False),
        (None, None, None),
        (None, True, True),
    ],
)
def test_a_direct_message_says_whether_they_accept_one(
    receives: bool | None, dm: bool | None, is_open: bool | None
) -> None:
    found = ways(case(author=author(receives_dm=receives)), dm=dm)
    assert found[RouteKind.DM].is_open is is_open


@pytest.mark.parametrize("refusal", [Refusal.DM_CLOSED, Refusal.BLOCKED])
def test_a_refused_direct_message_is_shut(refusal: Refusal) -> None:
    found = ways(case(author=author(receives_dm=True)), last_refusal=refusal)
    assert found[RouteKind.DM].is_open is False


def test_a_deleted_post_is_never_offered_an_answer() -> None:
    deleted_at: datetime = NOW
    assert first_open(ways(case(deleted_at=deleted_at))) is None
