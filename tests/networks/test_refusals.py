"""What each refusal of X means for us: which post, which account, and whether it may have gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from carerespond.domain.errors import (
    AnswerLostError,
    BadAnswerError,
    CreditError,
    NetworkError,
    RateLimitedError,
    Refusal,
    RefusedError,
    ServerFaultError,
    SetUpError,
    SignInError,
    StaleCursorError,
    UnreachableError,
)
from carerespond.networks import client, x_problems
from carerespond.networks.tokens import FixedToken
from carerespond.networks.x import XNetwork
from tests.networks.support import (
    Canned,
    Part,
    account,
    answer,
    app_only,
    canned,
    connected,
    page,
    problem,
    record,
    user,
)
from tests.practice.support import ORIGIN, Network, build

# After these nothing was posted, and the sender may say so; after the others it does not know.
NOT_POSTED = (
    UnreachableError,
    RateLimitedError,
    SignInError,
    SetUpError,
    CreditError,
    RefusedError,
)
OPEN = (AnswerLostError, BadAnswerError, ServerFaultError)


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    network = build()
    yield network
    await network.client.aclose()


async def replying(net: Network, post: str, text: str = "We are sorry.") -> NetworkError:
    """What a reply on the practice network is refused with."""
    x = connected(net)
    try:
        with pytest.raises(NetworkError) as refused:
            await x.reply(text, post, "key")
        return refused.value
    finally:
        await x.aclose()


def reason_of(error: NetworkError) -> Refusal:
    assert isinstance(error, RefusedError), repr(error)
    return error.reason


# -- on the practice network ----------------------------------------------------------------------


@pytest.mark.parametrize("wording", ["current", "older"])
@pytest.mark.parametrize("kind", ["not-authorized-for-resource", "about:blank"])
async def test_a_stranger_has_not_summoned_us(net: Network, wording: str, kind: str) -> None:
    await net.set(summon_wording=wording, summon_type=kind)
    error = await replying(net, net.id_of("cold"))
    assert reason_of(error) is Refusal.NOT_SUMMONED
    assert "browser" in error.remedy


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("gone", Refusal.GONE),
        ("hidden", Refusal.GONE),
        ("shut", Refusal.REPLY_CLOSED),
        ("block", Refusal.BLOCKED),
    ],
)
async def test_a_post_that_cannot_be_answered(net: Network, key: str, reason: Refusal) -> None:
    assert reason_of(await replying(net, net.id_of(key))) is reason
    assert await net.ours() == []


async def test_the_same_words_twice(net: Network) -> None:
    x = connected(net)
    await x.reply("Thank you.", net.id_of("named"), "key")
    error = await replying(net, net.id_of("edited"), "Thank you.")
    assert reason_of(error) is Refusal.DUPLICATE
    assert len(await net.ours()) == 1
    await x.aclose()


async def test_a_refusal_without_a_reason_is_that_post_alone(net: Network) -> None:
    await net.set(intermittent_403=1.0)
    error = await replying(net, net.id_of("named"))
    assert reason_of(error) is Refusal.NOT_PERMITTED
    assert "browser" in error.remedy
    await net.set(intermittent_403=0.0)
    x = connected(net)
    assert (await x.reply("We are sorry.", net.id_of("named"), "key")).remote_id
    await x.aclose()


async def test_too_long(net: Network) -> None:
    assert reason_of(await replying(net, net.id_of("named"), "word " * 80)) is Refusal.TOO_LONG


@pytest.mark.parametrize("form", ["credits", "credits-depleted"])
async def test_out_of_credit(net: Network, form: str) -> None:
    await net.set(credits=form)
    assert isinstance(await replying(net, net.id_of("named")), CreditError)
    await reading(net, CreditError)


@pytest.mark.parametrize("setting", ["spend_cap", "usage_capped"])
async def test_a_limit_of_money_cannot_be_waited_out(net: Network, setting: str) -> None:
    await net.set(**{setting: True})
    assert isinstance(await replying(net, net.id_of("named")), CreditError)
    await reading(net, CreditError)


async def reading(net: Network, kind: type[NetworkError], **how: Any) -> NetworkError:
    x = connected(net, **how)
    try:
        with pytest.raises(kind) as refused:
            await x.search("elsewhere")
        assert type(refused.value) is kind
        return refused.value
    finally:
        await x.aclose()


async def test_too_many_requests(net: Network) -> None:
    await net.set(rate_limits={"GET /2/tweets/search/recent": 0})
    error = await reading(net, RateLimitedError)
    assert isinstance(error, RateLimitedError)
    assert error.retry_at == ORIGIN + timedelta(minutes=15, seconds=1)


async def test_a_bearer_cannot_answer(net: Network) -> None:
    x = connected(net, token=app_only())
    with pytest.raises(SetUpError):
        await x.reply("We are sorry.", net.id_of("named"), "key")
    await x.aclose()


async def test_an_unknown_token_means_sign_in(net: Network) -> None:
    error = await reading(net, SignInError, token=FixedToken("nobody", can_write=True))
    assert error.remedy == "Run: carerespond login x"


async def test_a_page_of_html_is_an_odd_answer(net: Network) -> None:
    await net.set(html_instead_of_json=True)
    await reading(net, BadAnswerError)
    assert isinstance(await replying(net, net.id_of("named")), BadAnswerError)
    assert len(await net.ours()) == 1, "it was posted all the same: the outcome is unknown"


async def test_json_that_breaks_off_is_an_odd_answer(net: Network) -> None:
    await net.set(truncate_json=True)
    await reading(net, BadAnswerError)
    assert isinstance(await replying(net, net.id_of("named")), BadAnswerError)


async def test_a_connection_cut_after_the_deed_leaves_it_open(net: Network) -> None:
    await net.set(drop_answers=1.0)
    assert isinstance(await replying(net, net.id_of("named")), AnswerLostError)
    assert len(await net.ours()) == 1


async def test_a_connection_cut_before_the_deed_leaves_it_open(net: Network) -> None:
    await net.set(drop_requests=1.0)
    assert isinstance(await replying(net, net.id_of("named")), AnswerLostError)
    assert await net.ours() == []


# -- every answer by itself -----------------------------------------------------------------------

HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
CASES: list[tuple[str, Part, type[NetworkError], Refusal | None]] = [
    ("unknown 403", problem(403, "Something new."), RefusedError, Refusal.UNKNOWN),
    (
        "a 403 of a kind nobody knows",
        problem(403, "Something new.", "brand-new-kind"),
        RefusedError,
        Refusal.UNKNOWN,
    ),
    ("wrapped 403", answer(403, {"errors": [{"message": "no", "code": 1}]}), RefusedError, None),
    (
        "unsupported authentication",
        problem(403, "Authenticating with that is forbidden.", "unsupported-authentication"),
        SetUpError,
        None,
    ),
    (
        "unsupported authentication in a list",
        answer(403, {"errors": [{"type": "x/unsupported-authentication", "title": "no"}]}),
        SetUpError,
        None,
    ),
    ("client forbidden", problem(403, "Not enrolled.", "client-forbidden"), SetUpError, None),
    ("not enrolled", problem(403, "Not enrolled.", "client-not-enrolled"), SetUpError, None),
    ("OAuth 1", problem(403, "Not configured.", "oauth1-permissions"), SetUpError, None),
    ("spend cap", problem(403, "Limit.", "about:blank", "SpendCapReached"), CreditError, None),
    ("402", answer(402, {"title": "Payment Required"}), CreditError, None),
    ("402 without a word", answer(402, b""), CreditError, None),
    ("429 without a word", answer(429, b""), RateLimitedError, None),
    ("429 of an edge", answer(429, b"Too Many Requests"), RateLimitedError, None),
    ("401 without a word", answer(401, b""), SignInError, None),
    ("409", problem(409, "no rules"), SetUpError, None),
    ("404", problem(404, "not found", "resource-not-found"), RefusedError, Refusal.GONE),
    ("400", problem(400, "x is wrong", "invalid-request"), RefusedError, Refusal.INVALID),
    ("500", problem(500, "over capacity"), ServerFaultError, None),
    ("502 as HTML", answer(502, HTML), ServerFaultError, None),
    ("503 empty", answer(503, b""), ServerFaultError, None),
    ("HTML", answer(200, HTML), BadAnswerError, None),
    ("HTML 403", answer(403, HTML), BadAnswerError, None),
    ("HTML 404", answer(404, HTML), BadAnswerError, None),
    ("a redirect", answer(302, b"", {"location": "https://evil.example/"}), BadAnswerError, None),
    ("empty", answer(200, b""), BadAnswerError, None),
    ("half a body", answer(200, b'{"data": {"id": "12'), BadAnswerError, None),
    ("null", answer(200, None), BadAnswerError, None),
    ("a list", answer(200, []), BadAnswerError, None),
    ("a word", answer(200, "ok"), BadAnswerError, None),
    ("deep", answer(200, b"[" * 100_000), BadAnswerError, None),
    ("a status nobody knows", answer(299, b"{}"), BadAnswerError, None),
    ("no connection", httpx.ConnectError("refused"), UnreachableError, None),
    ("no connection in time", httpx.ConnectTimeout("late"), UnreachableError, None),
    ("no answer in time", httpx.ReadTimeout("late"), AnswerLostError, None),
    ("cut", httpx.ReadError("cut"), AnswerLostError, None),
    ("cut while writing", httpx.WriteError("cut"), AnswerLostError, None),
    ("no HTTP", httpx.RemoteProtocolError("what?"), AnswerLostError, None),
    ("bad gzip", httpx.DecodingError("bad"), AnswerLostError, None),
]


@pytest.mark.parametrize("call", ["reply", "search"])
@pytest.mark.parametrize(
    ("given", "kind", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_each_answer(
    given: Part, kind: type[NetworkError], reason: Refusal | None, call: str
) -> None:
    x, sent = canned(given)
    with pytest.raises(NetworkError) as refused:
        await (x.reply("sorry", "12", "key") if call == "reply" else x.search("ward"))
    assert type(refused.value) is kind, repr(refused.value)
    assert isinstance(refused.value, NOT_POSTED if kind in NOT_POSTED else OPEN)
    if reason is not None:
        assert reason_of(refused.value) is reason
    assert len(sent.requests) == 1, "never asked again in here"
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("given", [page(record("1")), answer(201, {"data": {"text": "x"}})])
async def test_a_post_without_an_id_is_not_believed(given: httpx.Response) -> None:
    x, _ = canned(given)
    with pytest.raises(BadAnswerError):
        await x.reply("sorry", "12", "key")


@pytest.mark.promise
@pytest.mark.parametrize("detail", ["Something new.", "You may not.", "Error 389", ""])
async def test_one_refused_post_stops_nothing_else(detail: str) -> None:
    """An unknown 403 is about that one post: the same account goes on."""
    await _goes_on_after_a_refusal(detail)


async def _goes_on_after_a_refusal(detail: str) -> None:
    x, _ = canned(problem(403, detail), answer(201, {"data": {"id": "77"}}))
    with pytest.raises(NetworkError) as refused:
        await x.reply("sorry", "12", "key")
    assert isinstance(refused.value, RefusedError)
    assert (await x.reply("sorry", "13", "key")).remote_id == "77"


@pytest.mark.promise
async def test_a_refusal_taken_for_the_account_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: a 403 counts as a sign-in that has ended."""
    monkeypatch.setitem(x_problems._BY_STATUS, 403, x_problems._sign_in)
    with pytest.raises(AssertionError):
        await _goes_on_after_a_refusal("Something new.")


# -- 401 ------------------------------------------------------------------------------------------


class Renewable:
    """Not a real sign-in: a token that can be renewed so often."""

    can_write = True

    def __init__(self, renewals: int) -> None:
        self.left = renewals
        self.asked = 0

    async def token(self) -> str:
        return "old"

    async def renew(self, refused: str) -> str | None:
        self.asked += 1
        self.left -= 1
        return f"new{self.asked}" if self.left >= 0 else None


async def test_a_401_is_answered_by_one_renewal() -> None:
    token = Renewable(9)
    x, sent = canned(problem(401, "Unauthorized"), page(record("5")), token=token)
    assert len((await x.search("ward")).posts) == 1
    assert token.asked == 1
    assert [request.headers["authorization"] for request in sent.requests] == [
        "Bearer old",
        "Bearer new1",
    ]


async def test_a_second_401_means_sign_in() -> None:
    token = Renewable(9)
    x, sent = canned(problem(401, "Unauthorized"), token=token)
    with pytest.raises(SignInError, match="carerespond login x"):
        await x.search("ward")
    assert (token.asked, len(sent.requests)) == (1, 2)


async def test_a_reply_after_a_401_goes_out_once() -> None:
    x, sent = canned(
        problem(401, "Unauthorized"), answer(201, {"data": {"id": "77"}}), token=Renewable(1)
    )
    assert (await x.reply("sorry", "12", "key")).remote_id == "77"
    assert len(sent.requests) == 2


# -- waiting --------------------------------------------------------------------------------------


def _limited(headers: dict[str, str]) -> httpx.Response:
    return problem(429, "Too Many Requests", "rate-limit-exceeded", headers=headers)


@pytest.mark.parametrize("name", ["x-rate-limit-reset", "X-Rate-Limit-Reset", "X-RATE-LIMIT-RESET"])
async def test_the_network_says_when(name: str) -> None:
    at = int(ORIGIN.timestamp()) + 700
    x, _ = canned(_limited({name: str(at)}))
    with pytest.raises(RateLimitedError) as limited:
        await x.search("ward")
    assert limited.value.retry_at == datetime.fromtimestamp(at + 1, UTC)


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e9", "9" * 30, "2026-11-24T09:00:00Z", "\u0663\u0663"]
)
async def test_a_time_that_cannot_be_read_is_a_minute(value: str) -> None:
    x, _ = canned(_limited({"x-rate-limit-reset": value} if value.isascii() else {}))
    with pytest.raises(RateLimitedError) as limited:
        await x.search("ward")
    assert limited.value.retry_at == ORIGIN + timedelta(minutes=1)


async def test_a_time_that_is_past_is_a_minute_too() -> None:
    """Our clock is ahead of X's: to ask at once would be refused at once, and again."""
    x, _ = canned(_limited({"x-rate-limit-reset": str(int(ORIGIN.timestamp()) - 600)}))
    with pytest.raises(RateLimitedError) as limited:
        await x.search("ward")
    assert limited.value.retry_at == ORIGIN + timedelta(minutes=1)


async def test_a_stale_cursor_by_its_words() -> None:
    body = {
        "errors": [
            {
                "parameters": {"since_id": ["1"]},
                "message": "'since_id' must be a tweet id created after 2026-11-17T09:00Z."
                " Please use a 'since_id' that is larger than 2122",
            }
        ],
        "type": "https://api.twitter.com/2/problems/invalid-request",
    }
    x, _ = canned(answer(400, body))
    with pytest.raises(StaleCursorError):
        await x.search("ward", since_id="1")


# -- over a real connection -----------------------------------------------------------------------


@asynccontextmanager
async def wire(*parts: bytes, holds: bool = False) -> AsyncIterator[XNetwork]:
    """X at the other end of a real connection that sends these bytes and ends, or holds still."""
    released = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"content-length" in head.lower():
            await reader.read(1 << 16)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if holds:
            await released.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    x = XNetwork(account(base_url=f"http://127.0.0.1:{port}"), user(), now=lambda: ORIGIN)
    try:
        yield x
    finally:
        released.set()
        await x.aclose()
        server.close()
        await server.wait_closed()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.live
@pytest.mark.parametrize("call", ["reply", "search"])
@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ((), AnswerLostError),
        ((HEAD + b"content-length: 400\r\n\r\n", b'{"data": {"id": "5"'), AnswerLostError),
        ((HEAD + b"content-length: 0\r\n\r\n",), BadAnswerError),
        ((HEAD + b"content-length: 9\r\n\r\n", b'{"data": ', b"more"), BadAnswerError),
        ((b"SSH-2.0-OpenSSH\r\n",), AnswerLostError),
        ((HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd",), AnswerLostError),
    ],
    ids=["cut", "half a body", "no body", "no JSON", "no HTTP", "bad gzip"],
)
async def test_a_broken_exchange(
    parts: tuple[bytes, ...], kind: type[NetworkError], call: str
) -> None:
    async with wire(*parts) as x:
        with pytest.raises(NetworkError) as broken:
            await (x.reply("sorry", "12", "key") if call == "reply" else x.search("ward"))
        assert type(broken.value) is kind, repr(broken.value)


@pytest.mark.live
async def test_a_closed_port_means_that_nothing_was_sent() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    x = XNetwork(account(base_url=f"http://127.0.0.1:{port}"), user(), now=lambda: ORIGIN)
    with pytest.raises(UnreachableError):
        await x.reply("sorry", "12", "key")
    await x.aclose()


@pytest.mark.live
async def test_a_server_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.2)
    head = HEAD + b"content-length: 4000\r\n\r\n"
    async with wire(head, b"{", holds=True) as x:
        with pytest.raises(AnswerLostError):
            await x.reply("sorry", "12", "key")


@pytest.mark.live
async def test_an_answer_without_end_is_not_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 100_000)
    head = HEAD + b"content-length: 9000000\r\n\r\n"
    async with wire(head, b" " * 200_000, holds=True) as x:
        with pytest.raises(BadAnswerError):
            await x.search("ward")


async def test_the_token_is_in_no_error_and_no_address() -> None:
    for given in [case[1] for case in CASES]:
        transport = Canned(given)
        x = XNetwork(
            account(),
            FixedToken("s3cret-t0ken", can_write=True),
            now=lambda: ORIGIN,
            transport=transport,
        )
        with pytest.raises(NetworkError) as refused:
            await x.search("ward")
        assert "s3cret" not in f"{refused.value!r} {refused.value} {refused.value.__cause__!r}"
        assert "s3cret" not in str(transport.requests[0].url)
