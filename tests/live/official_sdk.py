"""Drives X's own SDK against one address and prints what it returned; run where `xdk` is installed.

Not a test: `test_official_sdk.py` starts it with another interpreter. Everything here goes through
the SDK but what only the stand-in has (`/practice`), which is for the other side of the story.
"""

import json
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

# Both are in the SDK's own environment only.
import requests  # type: ignore[import-untyped]  # noqa: TID251  # the SDK raises its errors
from xdk import Client  # type: ignore[import-not-found]
from xdk.streaming import StreamConfig, StreamError  # type: ignore[import-not-found]

TRUST = "1000000000000000001"
DEADLINE_S = 60
KEEP_ALIVE_S = 0.2
READ_TIMEOUT_S = 2.5  # many keep-alives: only their absence ends a quiet stream
QUIET_S = 4


class Walk:
    """One walk through the calls; `said` is what they returned, by step."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.app = Client(base_url=base, bearer_token="practice-app")
        self.person = Client(base_url=base, access_token="practice-user")
        self.said: dict[str, Any] = {}

    def control(self, method: str, path: str, body: object) -> Any:
        answer = requests.request(method, f"{self.base}/practice/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def posted(self, author: str, text: str, **more: object) -> str:
        """Somebody posts; the id."""
        row = {"author": author, "text": text, **more}
        return str(self.control("POST", "posts", row)["data"][0]["id"])


def plain(found: Any) -> Any:
    """What the SDK returned, as JSON has it."""
    return found.model_dump(mode="json", exclude_none=True)


def refusal(call: Callable[[], Any]) -> dict[str, Any]:
    """What the SDK raised for a refused call."""
    try:
        found = call()
    except requests.HTTPError as error:
        return {"status": error.response.status_code, **error.response.json()}
    raise AssertionError(f"the call went through: {found}")


def search(walk: Walk) -> None:
    for number in range(25):
        walk.posted(f"visitor{number}", f"zebra crossing at St Elsewhere, number {number}")
    pages = walk.app.posts.search_recent(
        "zebra -is:retweet",
        max_results=10,
        post_fields=["created_at", "conversation_id", "public_metrics"],
        expansions=["author_id"],
        user_fields=["username", "public_metrics"],
    )
    walk.said["search"] = [plain(page) for page in pages]
    walk.said["search refused"] = refusal(
        lambda: next(iter(walk.app.posts.search_recent("zebra min_faves:3")))
    )
    counts = walk.app.posts.get_counts_recent(
        "zebra", granularity="day", search_count_fields="start,end,post_count"
    )
    walk.said["counts"] = [plain(page) for page in counts]


def look_up(walk: Walk) -> None:
    there, gone = walk.posted("marian", "St Elsewhere, lovely"), walk.posted("marian", "oh dear")
    walk.control("POST", "delete", {"id": gone})
    walk.said["look-up ids"] = [there, gone, "1999999999999999999"]
    found = walk.app.posts.get_by_ids([there, gone, "1999999999999999999"])
    walk.said["look-up"] = plain(found)
    walk.said["me"] = plain(walk.person.users.get_me(user_fields=["username"]))


def reply(walk: Walk) -> None:
    named = walk.posted("marian", "where do I park?", mentions_us=True)
    cold = walk.posted("marian", "Six hours waiting at St Elsewhere")

    def send(text: str, target: str) -> Any:
        body = {"text": text, "reply": {"in_reply_to_tweet_id": target}}
        return walk.person.posts.create(body)

    walk.said["reply target"] = named
    walk.said["reply"] = plain(send("Behind the chapel.", named))
    walk.said["reply refused"] = refusal(lambda: send("We are sorry.", cold))
    walk.said["reply twice"] = refusal(lambda: send("Behind the chapel.", named))
    walk.said["own posts"] = [
        plain(page) for page in walk.person.users.get_posts(TRUST, max_results=100)
    ]
    walk.said["mentions"] = [
        plain(page) for page in walk.person.users.get_mentions(TRUST, max_results=100)
    ]
    theirs = walk.posted(
        "marian", "thank you", mentions_us=True, reply_to=walk.said["reply"]["data"]["id"]
    )
    root = walk.person.posts.create({"text": "The car park by the chapel is open again."})
    under = walk.posted("troll", "you lot are useless", reply_to=plain(root)["data"]["id"])
    walk.said["hidden"] = plain(walk.person.posts.hide_reply(under, {"hidden": True}))
    walk.said["hide refused"] = refusal(
        lambda: walk.person.posts.hide_reply(theirs, {"hidden": True})
    )
    walk.said["like refused"] = refusal(
        lambda: walk.person.users.like_post(TRUST, {"tweet_id": named})
    )


def messages(walk: Walk) -> None:
    walk.control("POST", "people", {"handle": "open_door", "receives_your_dm": True})
    opened = walk.control("POST", "people", {"handle": "open_door"})["id"]
    closed = walk.control("POST", "people", {"handle": "shut_door"})["id"]

    def send(to: str) -> Any:
        return walk.person.direct_messages.create_by_participant_id(to, {"text": "Please ring us."})

    walk.said["message to"] = opened
    walk.said["message"] = plain(send(opened))
    walk.said["message refused"] = refusal(lambda: send(closed))
    walk.said["messages read"] = [
        plain(page) for page in walk.person.direct_messages.get_events(max_results=10)
    ]


class Listener(threading.Thread):
    """Reads the filtered stream with the SDK until it has heard enough."""

    def __init__(self, walk: Walk, timeout: float) -> None:
        super().__init__(daemon=True)
        self.walk, self.timeout = walk, timeout
        self.connected, self.enough = threading.Event(), threading.Event()
        self.heard: queue.Queue[Any] = queue.Queue()
        self.errors: list[StreamError] = []

    def run(self) -> None:
        config = StreamConfig(
            max_retries=0,
            timeout=self.timeout,
            on_connect=self.connected.set,
            on_error=self.errors.append,
        )
        # A client of its own: the SDK's session belongs to one thread.
        app = Client(base_url=self.walk.base, bearer_token="practice-app")
        try:
            for line in app.stream.posts(
                tweet_fields=["created_at"], expansions=["author_id"], stream_config=config
            ):
                self.heard.put(plain(line))
                if self.enough.is_set():
                    return
        except StreamError as error:
            self.errors.append(error)


def stream(walk: Walk) -> None:
    rules = walk.app.stream
    add = {"add": [{"value": "giraffe", "tag": "cr:one"}]}
    walk.said["rule tried"] = plain(rules.update_rules(add, dry_run=True))
    walk.said["rules after trying"] = [plain(page) for page in rules.get_rules()]
    walk.said["rule added"] = plain(rules.update_rules(add))
    walk.said["rules"] = [plain(page) for page in rules.get_rules()]

    walk.control("PUT", "settings", {"keep_alive_s": KEEP_ALIVE_S})
    first = Listener(walk, READ_TIMEOUT_S)
    first.start()
    assert first.connected.wait(DEADLINE_S)
    walk.posted("visitor", "a giraffe in the corridor at St Elsewhere")
    walk.said["heard"] = first.heard.get(timeout=DEADLINE_S)

    second = Listener(walk, READ_TIMEOUT_S)
    second.start()
    second.join(DEADLINE_S)
    walk.said["second stream"] = {
        "status": second.errors[0].status_code,
        **json.loads(str(second.errors[0].response_body)),
    }

    first.join(QUIET_S)  # nothing is posted for longer than the SDK reads without a byte
    walk.said["ended while kept alive"] = not first.is_alive()
    first.enough.set()
    walk.posted("visitor", "the giraffe is leaving")
    walk.said["heard after the quiet"] = first.heard.get(timeout=DEADLINE_S)
    first.join(DEADLINE_S)


def silence(walk: Walk) -> None:
    """Without keep-alives the same read ends: so it was they that held the stream open."""
    walk.control("PUT", "settings", {"keep_alive_s": 600})
    walk.control("POST", "disconnect", {"how": "closed"})
    quiet = Listener(walk, 1)
    quiet.start()
    quiet.join(DEADLINE_S)
    walk.said["silent stream"] = [error.error_type.value for error in quiet.errors][:1]
    rule = walk.said["rules"][0]["data"][0]["id"]
    walk.said["rule deleted"] = plain(walk.app.stream.update_rules({"delete": {"ids": [rule]}}))


def sign_in(walk: Walk) -> None:
    client = Client(
        base_url=walk.base,
        authorization_base_url=f"{walk.base}/i",
        client_id="sdk",
        redirect_uri="http://127.0.0.1:9/back",
        scope=["tweet.read", "users.read", "tweet.write", "offline.access"],
    )
    address = client.get_authorization_url(state="here")
    back = requests.get(address, allow_redirects=False, timeout=30).headers["location"]
    code = back.partition("code=")[2]
    walk.said["signed in"] = sorted(client.exchange_code(code))
    walk.said["signed in as"] = plain(client.users.get_me())["data"]["username"]


def main(base: str) -> None:
    walk = Walk(base)
    for step in (search, look_up, reply, messages, stream, silence, sign_in):
        step(walk)
    json.dump(walk.said, sys.stdout)


main(sys.argv[1])
