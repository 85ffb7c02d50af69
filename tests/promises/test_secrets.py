"""Secrets are never shown: not by faults anywhere, nor by a network that repeats our requests."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.promises.practising import broken_copy
from tests.terminal import ESC, SECONDS, Terminal, ctrl, opened, practice_env, wait_until

CANARIES = {
    "access": "cAnArYaCcEsS0001xYz",
    "refresh": "cAnArYrEfReSh0002xYz",
    "environment": "cAnArYeNvIrOn0003xYz",
}
INJECTING = str(Path(__file__).with_name("injecting.py"))
ROOT = str(Path(__file__).parent.parent.parent)

_CONFIG = """
[organisation]
name = "St Elsewhere"
public_body = true

[[operator]]
name = "Asha"

[inbox]
take_back_seconds = 0

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
user_id = "1000000000000000001"
base_url = "{url}"
client_id = "an-app"
poll_seconds = 1

[[search]]
id = "us"
name = "Us"
account = "x"
query = "stelsewhere"
purpose = "hear"
"""


class EchoNetwork:
    """A stand-in for X that serves one post and repeats our request in every refusal.

    Attributes:
        refuse: What to answer to every request but a sign-in's renewal, as a status; 0 serves.
        refuse_post: The same, for answers that are posted.
        seen: The authorization headers that came in.
    """

    def __init__(self) -> None:
        self.refuse = 0
        self.refuse_post = 403
        self.seen: list[str] = []
        self.posted = 0

    def answer(self, handler: BaseHTTPRequestHandler, body: str) -> tuple[int, dict[str, Any]]:
        """The status and record for one request."""
        authorization = handler.headers.get("authorization", "")
        self.seen.append(authorization)
        self.posted += handler.command == "POST"
        status = self.refuse or (self.refuse_post if handler.command == "POST" else 0)
        if status:
            said = f"you sent {authorization} {handler.path} {body}"
            problem = {"title": "Refused", "detail": said, "status": status, "type": "about:blank"}
            return status, {**problem, "errors": [{"message": said, "detail": said}]}
        if "search" in handler.path or "mentions" in handler.path or "ids=" in handler.path:
            return 200, _posts()
        return 200, {"data": [], "meta": {"result_count": 0}}


def _posts() -> dict[str, Any]:
    """One post that names us, so that it can be answered by API."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    post = {
        "id": "1990000000000000001",
        "text": "@StElsewhere nobody answers the phone on the ward",
        "author_id": "42",
        "conversation_id": "1990000000000000001",
        "created_at": now,
        "edit_history_tweet_ids": ["1990000000000000001"],
        "entities": {
            "mentions": [
                {"start": 0, "end": 12, "username": "StElsewhere", "id": "1000000000000000001"}
            ]
        },
        "reply_settings": "everyone",
        "public_metrics": {},
    }
    users = [{"id": "42", "name": "Rose", "username": "rose", "public_metrics": {}}]
    meta = {"result_count": 1, "newest_id": post["id"], "oldest_id": post["id"]}
    return {"data": [post], "includes": {"users": users}, "meta": meta}


@contextmanager
def serving(network: EchoNetwork) -> Iterator[str]:
    """The network on a free port of this machine; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            status, record = network.answer(self, body)
            data = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("x-echo", self.headers.get("authorization", ""))
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  # the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def install(home: Path, url: str, *, expires_in: float = 7200) -> dict[str, str]:
    """An installation that is signed in with the canaries; its environment."""
    root = home / "carerespond"
    (root / "secrets").mkdir(parents=True, mode=0o700)
    (root / "config.toml").write_text(_CONFIG.format(url=url), encoding="utf-8")
    token = root / "secrets" / "x.token"
    token.write_text(
        json.dumps(
            {
                "access_token": CANARIES["access"],
                "refresh_token": CANARIES["refresh"],
                "expires_at": time.time() + expires_in,
                "client_id": "an-app",
            }
        )
    )
    token.chmod(0o600)
    return practice_env(
        home,
        PYTHONPATH=ROOT,
        CANARY=CANARIES["access"],
        CARERESPOND_X_BEARER=CANARIES["environment"],
    )


def found_in(home: Path, *outputs: bytes) -> list[str]:
    """Where a canary shows: in what was written to screens, or in any file but the secrets."""
    places = [f"output {number}" for number, data in enumerate(outputs) if _has_canary(data)]
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.parent.name != "secrets" and _has_canary(path.read_bytes()):
            places.append(str(path.relative_to(home)))
    return places


def _has_canary(data: bytes) -> bool:
    return any(canary.encode() in data for canary in CANARIES.values())


def command_line(pid: int) -> bytes:
    """What everybody on this machine can read of a process; "" where there is no /proc."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """One command to its end."""
    command = (sys.executable, "-m", "carerespond", *arguments)
    return subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)


# -- a network that repeats our requests --------------------------------------------------------


def listen_to(network: EchoNetwork, home: Path, requests: int, **how: Any) -> list[bytes]:
    """Listen until so many requests were made; then what every command says."""
    python_path = how.pop("PYTHONPATH", ROOT)
    kept: Callable[[], bool] = how.pop("kept", lambda: True)
    with serving(network) as url:
        env = {**install(home, url, **how), "PYTHONPATH": python_path}
        command = (sys.executable, "-m", "carerespond", "listen")
        with subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            wait_until(lambda: len(network.seen) >= requests, "requests")
            wait_until(kept, "what was answered to be kept")
            shown = command_line(process.pid)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
    outputs = [shown, said]
    for arguments in (("check",), ("check", "--json"), ("doctor",)):
        done = run(env, *arguments)
        outputs += [done.stdout, done.stderr]
    return outputs


@pytest.mark.promise
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_refusal_that_repeats_our_token_shows_it_nowhere(tmp_path: Path, status: int) -> None:
    network = EchoNetwork()
    network.refuse = status
    outputs = listen_to(network, tmp_path, 2)
    assert f"Bearer {CANARIES['access']}" in network.seen
    assert found_in(tmp_path, *outputs) == []


@pytest.mark.promise
def test_a_refused_renewal_shows_no_token(tmp_path: Path) -> None:
    network = EchoNetwork()
    network.refuse = 400
    outputs = listen_to(network, tmp_path, 1, expires_in=-10)
    assert found_in(tmp_path, *outputs) == []


@pytest.mark.promise
def test_an_answer_refused_with_our_own_request_shows_no_token(tmp_path: Path) -> None:
    network = EchoNetwork()
    with serving(network) as url:
        env = install(tmp_path, url)
        command = (sys.executable, "-m", "carerespond")
        with opened(command, env=env, size=(120, 40)) as terminal:
            answer_the_post(terminal)
            terminal.wait(lambda: network.posted > 0)
            terminal.wait_for("refused")
            terminal.press("O")
            terminal.wait_for("refused: @rose")
            terminal.press("1")
            terminal.wait_for("the text is a draft")
            terminal.wait_for("you sent")  # their words are shown, without what they repeat
            shown = command_line(terminal.pid)
            for keys, words in (("W", "SOURCES"), ("w", "WHY  @")):
                terminal.press(ESC)
                terminal.wait_gone("goes back")
                terminal.press(keys)
                terminal.wait_for(words)
            terminal.press("q")
            terminal.signal(signal.SIGTERM)
            terminal.exit_code()
    assert f"Bearer {CANARIES['access']}" in network.seen
    assert found_in(tmp_path, terminal.raw, shown) == []


def answer_the_post(terminal: Terminal, seconds: float = SECONDS) -> None:
    """Read the one post, answer it and send the answer."""
    for keys, words in (
        ("", "@rose"),
        ("", "$0.0"),
        ("r", "PUBLIC reply to @rose"),
        ("we are listening" + ctrl("d"), "y send"),
        ("y", "@rose"),
    ):
        terminal.press(keys)
        terminal.wait_for(words, seconds)


@pytest.mark.promise
def test_the_check_notices_words_of_a_refusal_taken_as_they_are(tmp_path: Path) -> None:
    bug = broken_copy(tmp_path, "networks/client.py", ("_FAULTS = 400", "_FAULTS = 1000"))
    network = EchoNetwork()
    network.refuse = 403
    home = tmp_path / "home"
    outputs = listen_to(network, home, 2, PYTHONPATH=bug, kept=lambda: bool(found_in(home)))
    assert "carerespond/carerespond.db" in " ".join(found_in(home, *outputs))


# -- faults anywhere ----------------------------------------------------------------------------


def faults_in(home: Path, env: dict[str, str], *arguments: str, step: int = 1) -> dict[str, str]:
    """A fault at every place that a command passes, or every so manieth; what it said at each."""
    folder = home / "said"
    folder.mkdir()
    command = (sys.executable, INJECTING, f"each:{folder}", *arguments)
    subprocess.run(
        command, env={**env, "STEP": str(step)}, timeout=300, check=True, capture_output=True
    )
    places = (folder / "places").read_text(encoding="utf-8").split("\n")
    chosen = range(0, len(places), step)
    return {places[n]: (folder / str(n)).read_text(encoding="utf-8") for n in chosen}


@pytest.mark.promise
def test_a_fault_anywhere_in_a_command_shows_no_secret(tmp_path: Path) -> None:
    env = install(tmp_path, "http://127.0.0.1:9")
    assert run(env, "check").returncode == 0
    said = faults_in(tmp_path, env, "check", "--json")
    assert len(said) >= 100
    failed = [place for place, text in said.items() if "exit 70" in text]
    assert len(failed) >= 100  # the others are caught where they happen
    assert found_in(tmp_path) == []


@pytest.mark.promise
def test_a_fault_anywhere_in_listening_shows_no_secret(tmp_path: Path) -> None:
    network = EchoNetwork()
    with serving(network) as url:
        env = install(tmp_path, url)
        said = faults_in(tmp_path, env, "listen", step=24)
    assert sum("exit 70" in text for text in said.values()) >= 6
    assert f"Bearer {CANARIES['access']}" in network.seen
    assert found_in(tmp_path) == []


def inbox_with(home: Path, what: str, url: str, seconds: float = SECONDS, **how: str) -> bytes:
    """The inbox with one fault, used as far as it goes; what the terminal got."""
    env = {**install(home, url), **how}
    with opened((sys.executable, INJECTING, what), env=env, size=(120, 40)) as terminal:
        with suppress(AssertionError, OSError):  # the fault has ended it, or a part of it
            terminal.wait_for("@rose")
            answer_the_post(terminal, seconds)
            terminal.press("O")
            terminal.wait_for("OUTBOX", seconds)
        shown = command_line(terminal.pid)
        terminal.signal(signal.SIGTERM)
        terminal.exit_code()
        return terminal.raw + shown


def places_in_inbox(folder: Path, url: str) -> list[str]:
    """What the inbox passes when it is used so."""
    inbox_with(folder / "list", f"list:{folder / 'places'}", url)
    return (folder / "places").read_text(encoding="utf-8").split("\n")


@pytest.mark.promise
def test_a_fault_anywhere_in_the_inbox_shows_no_secret(tmp_path: Path) -> None:
    with serving(EchoNetwork()) as url:
        places = places_in_inbox(tmp_path, url)
        assert len(places) >= 400
        step = len(places) // 14
        crashed = 0
        for place in places[step // 2 :: step]:
            home = tmp_path / place.replace("/", ".")
            raw = inbox_with(home, f"at:{place}", url, 3.0)
            assert found_in(home, raw) == [], place
            assert b"Traceback" not in raw, place
            crashed += b"something went wrong" in raw or b"has stopped" in raw
    assert crashed >= 7


@pytest.mark.promise
def test_the_check_notices_the_traceback_that_textual_prints(tmp_path: Path) -> None:
    bug = broken_copy(
        tmp_path, "ui/app.py", ("    def _handle_exception(self", "    def _never_called(self")
    )
    with serving(EchoNetwork()) as url:
        place = next(
            one for one in places_in_inbox(tmp_path, url) if one.startswith("ui/detail.py")
        )
        home = tmp_path / "home"
        raw = inbox_with(home, f"at:{place}", url, PYTHONPATH=bug)
    assert found_in(home, raw) == ["output 0"]
