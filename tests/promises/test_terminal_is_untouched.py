"""Whatever strangers write, the terminal does only what carerespond tells it.

The real program runs on a real pty, through every screen and every command, twice: with harmless
texts and with hostile ones in each place where a text of others stands. What the second run writes
beyond the controls of the first is foreign.
"""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.promises.hostile import (
    EVERYTHING,
    PAYLOADS,
    everywhere,
    lines,
    misnamed,
    naughty_strings,
    record,
    recordings,
)
from tests.promises.hostile_home import Place, installed, toml, with_bug
from tests.promises.hostile_server import HARMLESS, hostile_server
from tests.promises.oracle import Terminal, controls, environment, foreign, shapes, words


def posts(make: Callable[[str], str]) -> list[dict[str, Any]]:
    """One post for each kind of text, each text passed through `make`."""
    found = [everywhere(number, make(text)) for number, text in enumerate(PAYLOADS.values(), 100)]
    found.append(everywhere(99, make(EVERYTHING)))
    found.append(by_browser(98, make(EVERYTHING)))
    found += [
        record(200 + number, f"zebra {make(text)}") for number, text in enumerate(_recorded())
    ]
    strings = naughty_strings()
    joined = [make("\n".join(strings[at : at + 150])) for at in range(0, len(strings), 150)]
    found += [record(300 + number, f"zebra {text}") for number, text in enumerate(joined)]
    found += [
        record(
            1000 + number,
            make(text),
            author={"id": f"b{number}", "handle": make(text) or "x", "name": make(text)},
        )
        for number, text in enumerate(strings)
    ]
    return found


def by_browser(number: int, payload: str) -> dict[str, Any]:
    """A post that does not name us, so that only a browser can answer it; "gnu" finds it."""
    return {**everywhere(number, f"{payload} gnu"), "mentions_us": False}


def _recorded() -> list[str]:
    """The recordings as texts, the short ones together: of a text, 200 lines are shown."""
    texts = sorted((one.decode("utf-8", "replace") for one in recordings().values()), key=len)
    short = [one for one in texts if len(one) < 2000]
    joined = ["\r\n".join(short[at : at + 4]) for at in range(0, len(short), 4)]
    return [*joined, *texts[len(short) :]]


def _plain(text: str) -> str:
    """A harmless text of the same length, in words of the same lengths."""
    plain = "".join("a" if one.strip() else " " if one != "\n" else one for one in text)
    return f"evil {plain[:5000]}"


ESCAPE, F1, F4 = "\x1b", "\x1bOP", "\x1bOS"
CTRL_D, CTRL_Q, CTRL_T = "\x04", "\x11", "\x14"
STOLEN = "cm0gLXJmIH4="  # what the payloads put into a clipboard
DETAILS = 45
WALKED = 160  # columns
COPIES = 5  # the text and the address of a post; of a hand-off its text, that again, its address


class Walker:
    """Somebody who goes through every screen; each is known by words that it alone shows."""

    def __init__(self, inbox: Terminal) -> None:
        self.inbox = inbox

    def look(self, key: str, wanted: str, leave: str = "q") -> None:
        self.inbox.press(key, wanted)
        self.inbox.settle(0.15)
        self.inbox.stir(leave)

    def ask(self, key: str, title: str, answer: str, shown: str = "") -> None:
        self.inbox.press(key, title)
        self.inbox.settle(0.15)
        self.inbox.press(answer, answer)
        self.inbox.stir("\r")
        self.inbox.wait(shown)

    def walk(self, details: int) -> None:
        inbox = self.inbox
        inbox.wait("0 all")
        inbox.settle(1.0)
        for lane in "123450Gg":
            inbox.stir(lane)
        self.ask("F", "Search every stored post", "gnu", "search: gnu")
        self.hand_off()
        self.ask("F", "Search every stored post", "yak", "search: yak")  # from the network
        inbox.stir("\r")
        inbox.press("JK")
        self.look("w", "WHY  @")
        self.look("o", "The post's address")
        inbox.press("yY", "copied, if")
        self.answer()
        self.look("D", "Drafts")
        self.look("W", "SOURCES")
        self.look("O", "These need you")
        inbox.wait("OUTBOX")
        inbox.stir("q")
        self.look("O", "These need you", "1")
        inbox.stir(ESCAPE)
        self.look("@", "Who is at these keys")
        self.look("?", "Keys")
        self.look(":", "Enter takes it", ESCAPE)
        self.look("b", "when again")
        self.look("e", "how did it end")
        self.ask("L", "Label: put on", "tag")
        self.look("L", "Label: put on", ESCAPE)
        for key in "azszm":
            inbox.stir(key)
        inbox.press("i", "NOTE on")
        inbox.settle(0.15)
        inbox.press(ESCAPE, "the note is kept")
        inbox.stir("q")
        self.ask("\\", "Show only cases", "zebra", "filter: zebra")
        self.ask("/", "Find in this list", "end")
        inbox.press("ng")
        inbox.settle()
        for _ in range(details):
            inbox.stir("j")
        inbox.press(CTRL_Q)
        assert inbox.ends() == 0

    def answer(self) -> None:
        """Write with a template and a paste, look at the checks, review, send, be refused."""
        inbox = self.inbox
        inbox.press("r", "PUBLIC reply")
        inbox.settle()
        self.look(CTRL_T, "Templates", "1")
        # Controls below a space are keys, and a terminal takes them out of what is pasted.
        pasted = "".join(one for one in EVERYTHING if one >= " ")
        text = pasted.encode("utf-8", "replace").decode()
        inbox.press(f"\x1b[200~pasted {text}\x1b[201~", "pasted")
        inbox.settle()
        self.look(F4, "Checks before sending")
        inbox.press(CTRL_D, "REVIEW")
        inbox.settle(0.15)
        inbox.press("e", "PUBLIC reply")
        inbox.settle(0.15)
        self.look(F1, "every other key is text", ESCAPE)
        inbox.press(ESCAPE, "the draft is kept")
        inbox.settle(0.15)
        inbox.stir("j")
        inbox.press("r", "PUBLIC reply")
        inbox.settle(0.15)
        inbox.press("sorry", "5/280")
        inbox.press(CTRL_D, "REVIEW")
        inbox.settle(0.15)
        inbox.press("y", "REFUSED: the answer to")
        inbox.wait("refusd")

    def hand_off(self) -> None:
        """Write with a template what only a browser can post, copy it, and leave it open."""
        inbox = self.inbox
        inbox.press("r", "PUBLIC reply by browser")
        inbox.settle()
        self.look(CTRL_T, "Templates", "2")
        inbox.press(CTRL_D, "hand over to the browser")
        inbox.settle(0.15)
        inbox.press("y", "HAND-OFF")
        inbox.wait("intent")
        inbox.settle(0.15)
        inbox.press("c", "the text was copied")
        inbox.press("Y", "the address was copied")
        inbox.settle(0.15)
        inbox.press("q", "did you post it?")
        self.look("O", "These need you", "1")
        inbox.press("n", "the text is a draft again")
        inbox.settle(0.15)


@dataclass(frozen=True)
class Outcome:
    """What a walk wrote."""

    output: bytes

    def strange(self, known: set[str]) -> list[str]:
        """Foreign controls, and copies that nobody has asked for."""
        stolen = [one for one in controls(self.output) if STOLEN in one]
        return [*foreign(self.output, known), *stolen]


def _filled(place: Place, make: Callable[[str], str]) -> Place:
    file = place.home / "posts.jsonl"
    file.write_bytes(lines(posts(make)))
    done = place.run("import", str(file))
    assert done.returncode == 0, done.stderr
    return place


def _walked(folder: Path, text: str, make: Callable[[str], str], details: int) -> Outcome:
    with hostile_server(text) as address:
        place = _filled(installed(folder / "home", address, text), make)
        with place.inbox() as inbox:
            Walker(inbox).walk(details)
        assert not (place.home / "logs").exists(), "no part of the program has stopped"
        return Outcome(bytes(inbox.output))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], Outcome]:
    """The controls of the program's own, and what it writes over hostile texts."""
    with ThreadPoolExecutor() as pool:  # two programs at once: each waits most of the time
        harmless, hostile = tmp_path_factory.mktemp("harmless"), tmp_path_factory.mktemp("hostile")
        known = pool.submit(_walked, harmless, HARMLESS, _plain, 5)
        walked = pool.submit(_walked, hostile, EVERYTHING, str, DETAILS)
        return shapes(known.result().output), walked.result()


@pytest.fixture(scope="module")
def harmless(both: tuple[set[str], Outcome]) -> set[str]:
    """The controls of the program's own."""
    return both[0]


@pytest.mark.promise
def test_hostile_texts_add_no_control_to_any_screen(both: tuple[set[str], Outcome]) -> None:
    known, walked = both
    assert walked.strange(known) == []
    copied = [one for one in controls(walked.output) if one.startswith("\x1b]52;")]
    assert len(copied) == COPIES, "what a person copied, and nothing else"
    assert words(walked.output).count("-- @") > DETAILS / 2, "the posts were looked at"


def _glance(place: Place, columns: int = 80) -> Outcome:
    """Start, look at the first rows and the first post, leave."""
    with place.inbox(columns=columns, rows=40) as inbox:
        inbox.wait("LATE")
        inbox.settle(1.0)
        inbox.stir("\r")
        inbox.stir("j")
        inbox.press(CTRL_Q)
        inbox.ends()
        return Outcome(bytes(inbox.output))


@pytest.mark.promise
@pytest.mark.parametrize("columns", [40, 80, 120, 210])
def test_no_width_is_an_exception(tmp_path: Path, harmless: set[str], columns: int) -> None:
    known = set(harmless)
    if columns > WALKED:  # another layout, with colours of its own
        plain = installed(tmp_path / "plain", "http://127.0.0.1:9", HARMLESS)
        known |= shapes(_glance(_filled(plain, _plain), columns).output)
    place = installed(tmp_path / "home", "http://127.0.0.1:9", EVERYTHING)
    assert _glance(_filled(place, str), columns).strange(known) == []


# -- planted bugs -------------------------------------------------------------------------------


C1_RIGHT = "if code < 0x20 else f"
C1_WRONG = "if code < 0x20 else chr(code) or f"
# As if `markup=False` were enough: nothing is cleaned.
RAW_RIGHT, RAW_WRONG = "    if not odd:\n", "    if True:\n"


@pytest.mark.promise
@pytest.mark.parametrize(
    ("right", "wrong"), [(C1_RIGHT, C1_WRONG), (RAW_RIGHT, RAW_WRONG)], ids=["C1", "markup only"]
)
def test_the_oracle_catches_a_text_that_is_not_cleaned(
    tmp_path: Path, harmless: set[str], right: str, wrong: str
) -> None:
    place = installed(tmp_path / "home", "http://127.0.0.1:9", HARMLESS)
    file = place.home / "posts.jsonl"
    # Nothing but such posts, so that one is on the first screen wherever triage puts them.
    odd = [one for one in posts(str) if "\x9b" in one["text"]]
    file.write_bytes(lines(odd))
    assert place.run("import", str(file)).returncode == 0
    mutant = with_bug(place, tmp_path, "domain/text.py", right, wrong)
    strange = _glance(mutant, columns=120).strange(harmless)
    assert any(one.startswith("\x9b") for one in strange), strange[:20]


@pytest.mark.promise
def test_the_oracle_catches_a_hand_off_that_is_not_cleaned(
    tmp_path: Path, harmless: set[str]
) -> None:
    with hostile_server(HARMLESS) as address:
        place = installed(tmp_path / "home", address, HARMLESS)
        file = place.home / "posts.jsonl"
        file.write_bytes(lines([by_browser(98, EVERYTHING)]))
        assert place.run("import", str(file)).returncode == 0
        right, wrong = (
            '            yield Static(content(title, "bold"))\n',
            "Static(Content(title))\n",
        )
        mutant = with_bug(place, tmp_path, "ui/review.py", right, f"            yield {wrong}")
        with mutant.inbox(columns=WALKED) as inbox:
            inbox.wait("0 all")
            inbox.settle(1.0)
            walker = Walker(inbox)
            walker.ask("F", "Search every stored post", "gnu", "search: gnu")
            walker.hand_off()
            strange = Outcome(bytes(inbox.output)).strange(harmless)
    assert any(one.startswith("\x9b") for one in strange), strange[:20]


# -- commands -----------------------------------------------------------------------------------

_IN_NAMES = ("title", "clear", "C1 sequence", "C1 command", "reset", "bell", "carriage return")
# A file may be called so: anything but NUL and a slash, and bytes that are no UTF-8.
NAME = "".join(PAYLOADS[name] for name in (*_IN_NAMES, "right to left", "tags")).encode()


# The returns of our own that a bar of progress and a terminal's line ends have.
_BAR = re.compile(rb"\r(?=\[[# ]{30}\]| {60}\r|\n)|(?<= {60})\r")


def _commands(place: Place, folder: Path) -> Iterator[bytes]:
    """What every command writes when all that it names is hostile, standard error included."""
    odd = folder / os.fsdecode(NAME + b"\xff")
    odd.write_bytes(lines(misnamed(1, EVERYTHING)) + b"\xff\x1b[2J\n{\x1b]0;x\x07}\n")
    name = str(odd)
    text = os.fsdecode(NAME)
    for arguments in (
        ["import", name],
        ["import", name + "-absent"],
        ["import", str(folder)],
        ["check"],
        ["check", "--json"],
        ["doctor"],
        ["login", text],
        ["listen", text],
        [text],
        ["--" + text],
        ["import", "a", text],
        ["practice", "--seed", text],
        ["practice", "--serve", text],
        ["--as", text],
        ["init", "--name", text, "--handle", text],
    ):
        done = place.run(*arguments)
        assert b"Traceback" not in done.stderr, done.stderr
        assert b"inside the program" not in done.stderr, (arguments, done.stderr)
        yield done.stdout + done.stderr
    yield place.run("import", "-", stdin=odd.read_bytes()).stderr
    with Terminal([*place.program, "import", name], place.env, 80, 24) as terminal:
        terminal.ends()
        yield _BAR.sub(b"", bytes(terminal.output))


def _bad_homes(folder: Path) -> Iterator[Place]:
    """Installations whose configuration, folder or database cannot be used."""
    text = toml("".join(one for one in EVERYTHING if not "\ud800" <= one <= "\udfff"))
    name = '[organisation]\nname = "A"\n'
    account = '[[account]]\nid = "x"\nnetwork = "x"\nhandle = "a"\n'
    configurations = [
        f"{name}{text} = 1\n",
        f"{text} = 1\n",
        f"{name}[inbox]\nrules_file = {text}\n",
        f"{name}[inbox]\ntheme = {text}\n",
        f"{name}[keys]\n{text} = {text}\n",
        f"{name}[keys]\nreply = {text}\n",
        f"{name}[[search]]\nid = {text}\nname = {text}\naccount = {text}\nquery = {text}\n"
        f"purpose = {text}\n",
        f"{name}{account.replace(chr(34) + 'x' + chr(34), text)}",
        f"{name}{account}base_url = {text}\n",
        f"{name}{account}token_file = {text}\n",
        f"{name}\x1b]0;owned\x07 = \x9b31m",
    ]
    for number, configuration in enumerate(configurations):
        home = folder / f"{number}\x1b]0;owned\x07\x9b31m"
        home.mkdir()
        (home / "config.toml").write_text(configuration, encoding="utf-8")
        yield Place(home, environment(str(home)))
    home = folder / "database\x1b]0;owned\x07"
    home.mkdir()
    (home / "config.toml").write_text(name, encoding="utf-8")
    (home / "carerespond.db").write_bytes(b"SQLite format 3\0" + NAME * 100)
    yield Place(home, environment(str(home)))


def _only_lines(output: bytes) -> list[str]:
    """The controls that text of a command may not hold."""
    return [one for one in controls(output) if one != "\n"]


@pytest.mark.promise
def test_commands_print_lines_and_nothing_else(tmp_path: Path) -> None:
    place = installed(tmp_path / "home", "http://127.0.0.1:9", EVERYTHING)
    printed = 0
    for output in _commands(place, tmp_path):
        assert _only_lines(output) == [], output
        printed += bool(output)
    assert printed >= 16


@pytest.mark.promise
def test_errors_about_a_configuration_print_lines_and_nothing_else(tmp_path: Path) -> None:
    for place in _bad_homes(tmp_path):
        for command in (["doctor"], ["check"], ["listen"]):
            done = place.run(*command)
            assert b"Traceback" not in done.stderr, done.stderr
            assert b"inside the program" not in done.stderr, (str(place.home), done.stderr)
            assert _only_lines(done.stdout + done.stderr) == [], done.stdout + done.stderr


def _heard(place: Place, told: int) -> bytes:
    """What `listen` writes on a terminal until it has told of so many sources and is stopped."""
    with Terminal([*place.program, "listen"], place.env, 80, 24) as terminal:
        terminal.wait("Ctrl-C ends it.")
        end = time.monotonic() + terminal.deadline
        while terminal.output.count(b"\n") <= told and time.monotonic() < end:
            terminal.read(0.2)
        terminal.settle()
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ends() == 0
        assert not (place.home / "logs").exists(), "no part of it has stopped"
        return bytes(terminal.output).replace(b"\r\n", b"\n")  # the terminal's own line ends


SOURCES = 2  # our mentions and one saved search


@pytest.mark.promise
@pytest.mark.parametrize("refuses", [0, 403, 429, 500])
def test_listening_prints_lines_and_nothing_else(tmp_path: Path, refuses: int) -> None:
    with hostile_server(EVERYTHING, refuses=refuses) as address:
        place = installed(tmp_path / "home", address, EVERYTHING)
        heard = _heard(place, SOURCES)
    assert _only_lines(heard) == [], heard
    assert heard.count(b"\n") == 1 + SOURCES, "each text is one line"
    status = json.loads(place.run("check", "--json").stdout)
    assert (status["waiting"] > 0) == (refuses == 0), "the posts were heard"


@pytest.mark.promise
def test_the_oracle_catches_what_listening_prints_raw(tmp_path: Path) -> None:
    with hostile_server(EVERYTHING) as address:
        place = installed(tmp_path / "home", address, EVERYTHING)
        right, wrong = "    say(one_line(text, MOST_TOLD))\n", "    print(text, flush=True)\n"
        mutant = with_bug(place, tmp_path, "cli/daily.py", right, wrong)
        strange = _only_lines(_heard(mutant, SOURCES))
    assert any(one.startswith("\x1b]") for one in strange), strange[:20]


@pytest.mark.promise
def test_the_oracle_catches_a_raw_standard_error(tmp_path: Path) -> None:
    place = installed(tmp_path / "home", "http://127.0.0.1:9", HARMLESS)
    right = "print(clean(text), file=sys.stderr, flush=True)"
    wrong = "print(text, file=sys.stderr, flush=True)"
    mutant = with_bug(place, tmp_path, "cli/terminal.py", right, wrong)
    strange = [one for output in _commands(mutant, tmp_path) for one in _only_lines(output)]
    assert any(one.startswith("\x1b]") for one in strange)
