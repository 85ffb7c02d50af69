"""Signing in with OAuth 2: PKCE, lifetimes, refresh tokens that work once."""

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.practice.support import APP, US, Network, build

BACK = "http://127.0.0.1:8976/callback"
VERIFIER = "a-verifier-that-is-long-enough-to-be-taken-for-one-43"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
SCOPES = "tweet.read users.read tweet.write tweet.moderate.write dm.read dm.write offline.access"


async def authorize(net: Network, **changes: str) -> httpx.Response:
    query = {
        "response_type": "code",
        "client_id": "ours",
        "redirect_uri": BACK,
        "scope": SCOPES,
        "state": "s1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return await net.client.get("/i/oauth2/authorize", params=query)


async def code(net: Network, **changes: str) -> str:
    answer = await authorize(net, **changes)
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == BACK
    values = parse_qs(where.query)
    assert values["state"] == ["s1"]
    return values["code"][0]


async def exchange(net: Network, **form: str) -> httpx.Response:
    values = {
        "grant_type": "authorization_code",
        "client_id": "ours",
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **form,
    }
    return await net.client.post("/2/oauth2/token", data=values)


async def refresh(net: Network, token: str, **form: str) -> httpx.Response:
    values = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": "ours",
        **form,
    }
    return await net.client.post("/2/oauth2/token", data=values)


async def signed_in(net: Network, **changes: str) -> dict[str, Any]:
    answer = await exchange(net, code=await code(net, **changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def me(net: Network, token: str) -> int:
    return (await net.get("/2/users/me", {"Authorization": f"Bearer {token}"})).status_code


async def test_a_code_is_worth_an_access_token_for_our_account(net: Network) -> None:
    found = await signed_in(net)
    assert found["token_type"] == "bearer"
    assert found["expires_in"] == 7200
    assert set(found["scope"].split()) == set(SCOPES.split())
    answer = await net.get("/2/users/me", {"Authorization": f"Bearer {found['access_token']}"})
    assert answer.json()["data"]["id"] == US


@pytest.mark.parametrize(
    "form",
    [
        {"code_verifier": VERIFIER + "x"},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": BACK + "/"},
        {"client_id": "another"},
        {"code": "invented"},
        {"grant_type": "password"},
    ],
)
async def test_a_code_is_worth_nothing_to_somebody_else(net: Network, form: dict[str, str]) -> None:
    answer = await exchange(net, **{"code": await code(net), **form})
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "error_description"}


async def test_a_code_is_dead_after_thirty_seconds(net: Network) -> None:
    fresh, stale = await code(net), await code(net)
    net.clock.move(seconds=29)
    assert (await exchange(net, code=fresh)).status_code == 200
    net.clock.move(seconds=1)
    assert (await exchange(net, code=stale)).status_code == 400


async def test_a_code_works_once(net: Network) -> None:
    one = await code(net)
    assert (await exchange(net, code=one)).status_code == 200
    assert (await exchange(net, code=one)).status_code == 400


async def test_an_access_token_lives_two_hours(net: Network) -> None:
    token = (await signed_in(net))["access_token"]
    net.clock.move(hours=1, minutes=59, seconds=59)
    assert await me(net, token) == 200
    net.clock.move(seconds=1)
    assert await me(net, token) == 401


async def test_a_refresh_token_works_once_and_gives_the_next(net: Network) -> None:
    first = await signed_in(net)
    net.clock.move(hours=3)
    second = await refresh(net, first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert await me(net, second.json()["access_token"]) == 200
    again = await refresh(net, first["refresh_token"])
    assert again.status_code == 400
    assert again.json()["error_description"] == "Value passed for the token was invalid."
    third = await refresh(net, second.json()["refresh_token"])
    assert third.status_code == 200


async def test_a_refresh_token_belongs_to_its_app(net: Network) -> None:
    first = await signed_in(net)
    assert (await refresh(net, first["refresh_token"], client_id="another")).status_code == 400
    assert (await refresh(net, first["refresh_token"])).status_code == 200


async def test_without_offline_access_there_is_no_refresh_token(net: Network) -> None:
    found = await signed_in(net, scope="tweet.read users.read")
    assert "refresh_token" not in found


async def test_two_programs_on_one_network_cannot_both_use_a_refresh_token(tmp_path: Path) -> None:
    one, other = (build(journal=tmp_path / "journal.jsonl") for _ in range(2))
    token = (await signed_in(one))["refresh_token"]
    answers = [await refresh(net, token) for net in (other, one)]
    assert [answer.status_code for answer in answers] == [200, 400]
    for net in (one, other):
        await net.client.aclose()


async def test_a_token_ends_when_it_is_given_back(net: Network) -> None:
    token = (await signed_in(net))["access_token"]
    form = {"token": token, "client_id": "ours"}
    assert (await net.client.post("/2/oauth2/revoke", data=form)).json() == {"revoked": True}
    assert await me(net, token) == 401


async def test_a_token_does_only_what_its_scopes_say(net: Network) -> None:
    token = (await signed_in(net, scope="tweet.read users.read"))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert await me(net, token) == 200
    write = await net.client.post("/2/tweets", json={"text": "Hello."}, headers=headers)
    assert write.status_code == 403
    assert await net.ours() == []
    assert (await net.get("/2/dm_events", headers)).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2/users/me"),
        ("POST", "/2/tweets"),
        ("PUT", "/2/tweets/1/hidden"),
        ("GET", "/2/dm_events"),
        ("POST", "/2/dm_conversations/with/1/messages"),
    ],
)
async def test_the_app_alone_may_not_do_what_needs_an_account(
    net: Network, method: str, path: str
) -> None:
    answer = await net.client.request(method, path, json={"text": "Hello."}, headers=APP)
    assert answer.status_code == 403
    assert answer.json()["title"] == "Unsupported Authentication"
    assert answer.json()["type"].endswith("/unsupported-authentication")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"scope": "tweet.read everything"},
    ],
)
async def test_the_sign_in_page_refuses_what_is_not_asked_properly(
    net: Network, changes: dict[str, str]
) -> None:
    answer = await authorize(net, **changes)
    assert answer.status_code == 400
    assert "code=" not in answer.headers.get("location", "")


async def test_a_redirect_address_must_match_exactly(net: Network) -> None:
    await net.set(redirect_uris=[BACK])
    assert (await authorize(net)).status_code == 302
    assert (await authorize(net, redirect_uri=BACK + "/")).status_code == 400


async def test_the_person_may_say_no(net: Network) -> None:
    await net.set(deny_sign_in=True)
    where = (await authorize(net)).headers["location"]
    assert parse_qs(urlsplit(where).query) == {"error": ["access_denied"], "state": ["s1"]}


async def test_a_client_with_a_secret_signs_in_by_header(net: Network) -> None:
    values = {
        "grant_type": "authorization_code",
        "code": await code(net),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    basic = httpx.BasicAuth("ours", "a-secret")
    answer = await net.client.post("/2/oauth2/token", data=values, auth=basic)
    assert answer.status_code == 200
    no_one = await net.client.post("/2/oauth2/token", data={**values, "code": await code(net)})
    assert no_one.status_code == 401
