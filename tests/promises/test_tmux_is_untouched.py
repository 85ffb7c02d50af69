"""In a terminal that answers questions: no new title, no clipboard, no key that nobody pressed."""

import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import ne
from pathlib import Path

import pytest

from tests.promises.hostile import PAYLOADS, everywhere, lines
from tests.promises.hostile_home import Place, installed, with_bug

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
# The program, with each key that reaches it noted in the file that is named first.
NOTING = """\
import sys
from carerespond.ui.app import CarerespondApp
noted, sys.argv = sys.argv[1], ["carerespond"]
real = CarerespondApp.on_event
async def on_event(self, event):
    if type(event).__name__ == "Key" and not event.is_forwarded:
        with open(noted, "a", encoding="utf-8") as file:
            file.write(repr(event.key) + "\\n")
    await real(self, event)
CarerespondApp.on_event = on_event
from carerespond.cli.main import main
sys.exit(main([]))
"""
TITLE = "the title of this pane"


@dataclass(frozen=True)
class Tmux:
    """A tmux server of our own."""

    socket: str

    def __call__(self, *command: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.socket, "-f", "/dev/null", *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout

    def shows(self, wanted: Callable[[str], bool], seconds: float) -> bool:
        """Wait until the pane shows what is wanted; whether it ever did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if wanted(self("capture-pane", "-p")):
                return True
        return False


@contextmanager
def tmux() -> Iterator[Tmux]:
    server = Tmux(f"carerespond-{uuid.uuid4().hex}")
    try:
        yield server
    finally:
        server("kill-server")


def _troubles(place: Place, folder: Path, moves: int, patience: float) -> list[str]:
    """Look at hostile posts in tmux; what the terminal did that nobody asked for."""
    noted, script = folder / "keys", folder / "noting.py"
    script.write_text(NOTING)
    noted.touch()
    env = [f"{name}={value}" for name, value in place.env.items() if name in _NEEDED]
    command = shlex.join(["env", *env, sys.executable, str(script), str(noted)])
    troubles = []
    with tmux() as terminal:
        terminal("new-session", "-d", "-x", "120", "-y", "50", "-s", "s", "cat")
        terminal("set-option", "-s", "set-clipboard", "on")
        terminal("set-option", "-g", "remain-on-exit", "on")
        terminal("select-pane", "-T", TITLE)
        terminal("respawn-pane", "-k", command)
        shown = [terminal.shows(lambda screen: "? help" in screen, patience)]
        for _ in range(moves):
            before = terminal("capture-pane", "-p")
            terminal("send-keys", "j")
            shown.append(terminal.shows(partial(ne, before), patience))
        terminal("send-keys", "w")
        shown.append(terminal.shows(lambda screen: "WHY  @" in screen, patience))
        if (title := terminal("display-message", "-p", "#{pane_title}").strip()) != TITLE:
            troubles.append(f"title {title!r}")
        if buffers := terminal("list-buffers"):
            troubles.append(f"clipboard {buffers!r}")
    keys = noted.read_text(encoding="utf-8").splitlines()
    if keys != [repr("j")] * moves + [repr("w")]:
        troubles.append(f"keys {keys}")
    if not all(shown):
        troubles.append(f"not shown: {shown}")
    return troubles


_NEEDED = {"CARERESPOND_HOME", "PYTHONPATH", "PYTHONSAFEPATH", "LANG", "COLORTERM", "USER"}


def _place(folder: Path, names: Iterable[str]) -> Place:
    found = installed(folder / "home", "http://127.0.0.1:9", "St Elsewhere")
    file = found.home / "posts.jsonl"
    file.write_bytes(lines([everywhere(n, PAYLOADS[name]) for n, name in enumerate(names, 100)]))
    assert found.run("import", str(file)).returncode == 0
    return found


@pytest.mark.promise
def test_posts_do_nothing_to_tmux_and_press_no_key(tmp_path: Path) -> None:
    place = _place(tmp_path, PAYLOADS)
    assert _troubles(place, tmp_path, len(PAYLOADS) - 1, 60) == []


@pytest.mark.promise
def test_the_check_catches_a_text_that_is_not_cleaned(tmp_path: Path) -> None:
    # Those alone that do something: others would hide what these do.
    place = _place(tmp_path, ("clipboard, BEL", "title", "answer, attributes", "answer, version"))
    mutant = with_bug(place, tmp_path, "domain/text.py", "    if not odd:\n", "    if True:\n")
    troubles = " ".join(_troubles(mutant, tmp_path, 1, 10))
    assert "title" in troubles
    assert "clipboard" in troubles
    assert "keys" in troubles
