"""X by its API v2: search, mentions, look-up, own posts, replies (docs.x.com, openapi 2.167)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from carerespond.config import AccountConfig
from carerespond.domain.errors import (
    BadAnswerError,
    NetworkError,
    RateLimitedError,
    SetUpError,
    SignInError,
)
from carerespond.domain.models import Author, Charge
from carerespond.domain.searching import complete_query
from carerespond.networks import x_wire
from carerespond.networks.base import Capabilities, Lookup, Page, Sent
from carerespond.networks.client import REQUEST_SECONDS, Answer, Client
from carerespond.networks.x_problems import names_old_fields, problem

API = "https://api.x.com"
SITE = "https://x.com"
_FIELDS = (
    "created_at,author_id,conversation_id,in_reply_to_user_id,{references},entities,lang,"
    "reply_settings,public_metrics,{note},{history}"
)
_OLD = {
    "references": "referenced_tweets",
    "note": "note_tweet",
    "history": "edit_history_tweet_ids",
}
_NEW = {"note": "note_post"}
_USER_FIELDS = "username,name,protected,public_metrics"
_DM_FIELDS = ",connection_status,receives_your_dm"  # mean something to a user's token alone
_MOST_IDS = 100
_LEAST_RESULTS = {"search": 10, "timeline": 5}
# X may list a post a little after newer ones: a round begins so long before it, and knows again
# what it has read (docs/listening.md).
OVERLAP = timedelta(seconds=60)
_SNOWFLAKE = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)  # where X's ids begin
_OK, _CREATED = 200, 201


class Credentials(Protocol):
    """Where an account's token comes from."""

    can_write: bool

    async def token(self) -> str:
        """The present access token.

        Raises:
            SignInError: There is none.
        """
        ...

    async def renew(self, refused: str) -> str | None:
        """A newer token than the one that was refused; None when there is none to be had."""
        ...


class Authors(Protocol):
    """Authors that we have paid for before."""

    async def get(self, author_ids: Sequence[str]) -> Mapping[str, Author]:
        """Those that are known."""
        ...

    async def put(self, authors: Sequence[Author]) -> None:
        """Remember these."""
        ...


class MemoryAuthors:
    """Authors remembered while the program runs."""

    def __init__(self) -> None:
        self._known: dict[str, Author] = {}

    async def get(self, author_ids: Sequence[str]) -> Mapping[str, Author]:
        """Those that are known."""
        return {one: self._known[one] for one in author_ids if one in self._known}

    async def put(self, authors: Sequence[Author]) -> None:
        """Remember these."""
        self._known.update({one.author_id: one for one in authors})


class XNetwork:
    """One account on X.

    Args:
        account: Where its API is, its handle and id.
        credentials: Its token.
        now: The present moment.
        transport: Another way than the internet, for practice and tests.
        authors: Authors known before, so that nobody's name is paid for twice.
    """

    name = "x"

    def __init__(
        self,
        account: AccountConfig,
        credentials: Credentials,
        *,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        authors: Authors | None = None,
    ) -> None:
        self.account = account.account_id
        self.capabilities = Capabilities(
            reply=credentials.can_write,
            direct_message=False,
            own_timeline=True,
            idempotency="duplicate text",
            settle_seconds=30.0,
            request_seconds=REQUEST_SECONDS,
            length=280,
        )
        self._config = account
        self._credentials = credentials
        self._now = now
        self._client = Client(account.base_url, "X", transport)
        self._memory = MemoryAuthors()
        self._authors = authors
        self._us = x_wire.Us(account.user_id, account.handle)
        self._asking_who = asyncio.Lock()
        self._owed: list[Charge] = []
        self._users_from: datetime | None = None
        self._new_words = False
        owned = "owned_read" if account.owns_app and credentials.can_write else "post_read"
        self._own_kind = owned

    async def me(self) -> Author:
        """Our own account. Also proves that the sign-in works."""
        answer = await self._get("/2/users/me", {"user.fields": _USER_FIELDS})
        found = x_wire.read_authors([_data(answer)])
        if not found:
            raise BadAnswerError("X did not say which account this is.")
        author = next(iter(found.values()))
        self._we_are(author)
        return author

    async def _own_id(self) -> str:
        async with self._asking_who:  # several sources begin at once: one of them asks
            if not self._us.user_id and self._credentials.can_write:
                await self.me()
            elif not self._us.user_id:
                await self._ask_for_handle()
        return self._us.user_id

    async def _ask_for_handle(self) -> None:
        found = await self._get(f"/2/users/by/username/{self._config.handle}", {})
        author = next(iter(x_wire.read_authors([_data(found)]).values()), None)
        if author is None:
            raise SetUpError(
                f"X knows no account @{self._config.handle}.", "Check handle in config.toml."
            )
        self._we_are(author)

    def _we_are(self, author: Author) -> None:
        self._us = x_wire.Us(author.author_id, author.handle)
        # It goes on the bill with the next page, which has somebody to write it down.
        self._owed.append(Charge("user_read", author.author_id))

    # -- reading --------------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of recent search, newest first (GET /2/tweets/search/recent, 7 days).

        Ours, reposts and mentions are left out (`complete_query`).
        """
        params = {
            "query": complete_query(query, self._config.handle),
            "max_results": str(max(_LEAST_RESULTS["search"], min(limit, 100))),
            "sort_order": "recency",
        }
        if since_id is not None:
            params["since_id"] = since_id
        elif start_at is not None:
            params["start_time"] = _stamp(start_at)
        if page_token is not None:
            params["next_token"] = page_token
        answer = await self._get_posts("/2/tweets/search/recent", params)
        return await self._page(answer, "post_read", since_id)

    async def mentions(
        self,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of our mentions, newest first (GET /2/users/:id/mentions)."""
        path = f"/2/users/{await self._own_id()}/mentions"
        answer = await self._get_posts(path, _timeline(since_id, start_at, page_token, limit))
        return await self._page(answer, self._own_kind, since_id)

    async def own_posts(
        self,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of our own posts, newest first (GET /2/users/:id/tweets)."""
        path = f"/2/users/{await self._own_id()}/tweets"
        answer = await self._get_posts(path, _timeline(since_id, start_at, page_token, limit))
        return await self._page(answer, self._own_kind)

    async def lookup(self, post_ids: Sequence[str]) -> Lookup:
        """Posts by id, at most 100, each in its newest version (GET /2/tweets?ids=).

        X gives the version that was asked for; a newer one is asked for by its own id.
        """
        params = {"ids": ",".join(post_ids[:_MOST_IDS])}
        answer = await self._get_posts("/2/tweets", params)
        page = await self._page(answer, "post_read")
        newest = _newest_ids(answer)
        if newest:
            params = {"ids": ",".join(dict.fromkeys(newest.values()))}
            edited = await self._page(await self._get_posts("/2/tweets", params), "post_read")
            again = {*newest, *newest.values()}
            current = [post for post in page.posts if post.version_id not in again]
            page = Page(
                [*current, *edited.posts],
                [*page.bad, *edited.bad],
                charges=[*page.charges, *edited.charges],
            )
        gone: dict[str, str] = {}
        for error in _errors(answer):
            value = error.get("value") or error.get("resource_id")
            if value in post_ids:
                kind = str(error.get("type", "")).rsplit("/", 1)[-1]
                gone[str(value)] = (
                    "deleted" if kind == "resource-not-found" else "protected or suspended"
                )
        return Lookup(page.posts, gone, page.bad, page.charges)

    async def _page(self, answer: Answer, kind: str, since_id: str | None = None) -> Page:
        records = answer.record.get("data", []) if isinstance(answer.record, dict) else None
        if not isinstance(records, list):
            raise BadAnswerError("X's answer has no list of posts.")
        charges = [*_charges(kind, records), *_included(answer)]
        authors, paid = await self._authors_of(records, answer)
        good, bad = x_wire.read_posts(records, self._us, authors)
        meta = answer.record.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        newest, token = meta.get("newest_id"), meta.get("next_token")
        return Page(
            good,
            bad,
            token if isinstance(token, str) and token else None,
            _next_cursor(newest, since_id, self._now()),
            [*charges, *paid, *self._take_owed()],
        )

    def _take_owed(self) -> list[Charge]:
        owed, self._owed = self._owed, []
        return owed

    async def _authors_of(
        self, records: Sequence[Any], answer: Answer
    ) -> tuple[dict[str, Author], list[Charge]]:
        """The authors of a page: those known, and the others looked up once.

        Should the look-up fail, the posts are kept all the same, under their authors' ids: they
        have been paid for.
        """
        wanted = x_wire.author_ids(records)
        includes = answer.record.get("includes")
        users = includes.get("users") if isinstance(includes, dict) else None
        known = x_wire.read_authors(users)
        ours = self._us.user_id
        known.setdefault(ours, Author("x", ours, self._config.handle))
        known = {**await self._known_authors(wanted), **known}
        missing = [one for one in wanted if one not in known]
        paid: list[Charge] = []
        for start in range(0, len(missing), _MOST_IDS):
            part = missing[start : start + _MOST_IDS]
            if self._users_from is not None and self._now() < self._users_from:
                break
            try:
                found = await self._look_up_users(part)
            except RateLimitedError as limited:
                self._users_from = limited.retry_at
                break
            except NetworkError:
                break
            known.update(found)
            paid += [Charge("user_read", one) for one in found]
        return known, paid

    async def _known_authors(self, wanted: Sequence[str]) -> dict[str, Author]:
        stored = await self._authors.get(wanted) if self._authors is not None else {}
        return {**stored, **await self._memory.get(wanted)}

    async def _look_up_users(self, user_ids: Sequence[str]) -> dict[str, Author]:
        params = {"ids": ",".join(user_ids), "user.fields": self._user_fields()}
        answer = await self._get("/2/users", params)
        found = x_wire.read_authors(_data(answer))
        await self._memory.put(list(found.values()))
        if self._authors is not None:
            await self._authors.put(list(found.values()))
        return found

    def _user_fields(self) -> str:
        return _USER_FIELDS + (_DM_FIELDS if self._credentials.can_write else "")

    # -- writing --------------------------------------------------------------------------------

    async def reply(self, text: str, in_reply_to: str, key: str) -> Sent:
        """Answer a post in public (POST /2/tweets); X has no idempotency key."""
        del key
        body = {"text": text, "reply": {"in_reply_to_tweet_id": in_reply_to}}
        answer = await self._call("POST", "/2/tweets", body=body)
        if answer.status not in (_OK, _CREATED):
            raise problem(answer, self._now())
        data = _data(answer)
        remote_id = data.get("id") if isinstance(data, dict) else None
        if not x_wire.is_id(remote_id):
            raise BadAnswerError("X answered without the new post's id.")
        return Sent(str(remote_id), [Charge("summoned_reply")])

    def intent_url(self, in_reply_to: str, text: str) -> str:
        """X's page for posting this answer by hand (docs: x-for-websites/web-intents)."""
        site = SITE if self._config.base_url == API else self._config.base_url
        return f"{site}/intent/tweet?{urlencode({'in_reply_to': in_reply_to, 'text': text})}"

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    # -- calls ----------------------------------------------------------------------------------

    async def _get_posts(self, path: str, params: Mapping[str, str]) -> Answer:
        """Posts, in the vocabulary that X takes: the old one until it refuses that."""
        await self._own_id()  # before the posts are paid for: without it they cannot be read
        if not self._new_words:
            answer = await self._call("GET", path, {**params, **_old_words()})
            if not names_old_fields(answer):
                return self._checked(answer)
            self._new_words = True
        return self._checked(await self._call("GET", path, {**params, **self._new_params()}))

    def _new_params(self) -> dict[str, str]:
        # The authors come along unasked, so they are asked for whole.
        return {**_new_words(), "user.fields": self._user_fields()}

    async def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        return self._checked(await self._call("GET", path, params))

    def _checked(self, answer: Answer) -> Answer:
        if answer.status != _OK:
            raise problem(answer, self._now())
        if not isinstance(answer.record, dict):
            raise BadAnswerError("X answered with something that is not its API.")
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        """One call; after a 401 once more with a renewed token: a 401 has done nothing."""
        token = await self._credentials.token()
        answer = await self._client.request(method, path, params=params, body=body, token=token)
        if answer.status == 401:  # noqa: PLR2004  # HTTP
            renewed = await self._credentials.renew(token)
            if renewed is not None:
                answer = await self._client.request(
                    method, path, params=params, body=body, token=renewed
                )
        if answer.status == 401:  # noqa: PLR2004  # HTTP
            raise SignInError(
                f"X does not accept the sign-in of {self.account}.",
                f"Run: carerespond login {self.account}",
            )
        return answer


def _old_words() -> dict[str, str]:
    return {"tweet.fields": _FIELDS.format(**_OLD)}


def _new_words() -> dict[str, str]:
    # openapi 2.167: these are no fields any more. The history comes unasked, the rest by expansion.
    gone = ("author_id", "in_reply_to_user_id", "{references}", "{history}")
    fields = [name for name in _FIELDS.split(",") if name not in gone]
    return {
        "post.fields": ",".join(fields).format(**_NEW),
        "expansions": "author_id,referenced_posts",
    }


def _timeline(
    since_id: str | None, start_at: datetime | None, page_token: str | None, limit: int
) -> dict[str, str]:
    params = {"max_results": str(max(_LEAST_RESULTS["timeline"], min(limit, 100)))}
    if since_id is not None:
        params["since_id"] = since_id
    if start_at is not None:
        params["start_time"] = _stamp(start_at)
    if page_token is not None:
        params["pagination_token"] = page_token
    return params


def _charges(kind: str, records: object) -> list[Charge]:
    return [
        Charge(kind, record["id"])
        for record in (records if isinstance(records, list) else [])
        if isinstance(record, dict) and x_wire.is_id(record.get("id"))
    ]


def _included(answer: Answer) -> list[Charge]:
    """What an expansion brought along is taken to cost like the rest; X does not say."""
    includes = answer.record.get("includes")
    includes = includes if isinstance(includes, dict) else {}
    posts = [
        *_charges("post_read", includes.get("tweets")),
        *_charges("post_read", includes.get("posts")),
    ]
    return [*posts, *_charges("user_read", includes.get("users"))]


def _newest_ids(answer: Answer) -> dict[str, str]:
    """The newest version of each post of an answer that came in an older one, by that one's id."""
    records = answer.record.get("data") if isinstance(answer.record, dict) else None
    newest: dict[str, str] = {}
    for record in records if isinstance(records, list) else []:
        if not isinstance(record, dict):
            continue
        history = record.get("edit_history_tweet_ids", record.get("edit_history_post_ids"))
        last = history[-1] if isinstance(history, list) and history else None
        if x_wire.is_id(last) and last != record.get("id"):
            newest[str(record.get("id"))] = str(last)
    return newest


def _next_cursor(newest: object, since_id: str | None, now: datetime) -> str | None:
    """Where the next round begins: the newest post, or a little before the present if that is less.

    It never goes back behind where this round began, whatever our clock says.
    """
    if not isinstance(newest, str) or not _is_number(newest):
        return None
    before = (now - OVERLAP - _SNOWFLAKE) // timedelta(milliseconds=1) << 22
    begin = min(int(newest), before)
    return str(max(begin, int(since_id)) if since_id and _is_number(since_id) else max(begin, 0))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len("9223372036854775807")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _data(answer: Answer) -> Any:
    return answer.record.get("data") if isinstance(answer.record, dict) else None


def _errors(answer: Answer) -> list[Mapping[str, Any]]:
    errors = answer.record.get("errors") if isinstance(answer.record, dict) else None
    return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
