import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static, TextArea

from carerespond.domain.errors import ConfigError, NotKeptError, StorageError
from carerespond.domain.models import Draft, DraftKind
from carerespond.domain.privacy import Finding
from carerespond.domain.safety import SafetyCard
from carerespond.domain.text import ELLIPSIS
from carerespond.ui.commands import (
    BROWSE,
    COMMANDS,
    Command,
    apply_overrides,
    bindings,
    bound,
    by_name,
    footer_line,
    key_label,
    keys_document,
    labels,
)
from carerespond.ui.composer import ComposerScreen
from carerespond.ui.help import HelpScreen, help_content
from carerespond.ui.keys import key_name, why_not
from carerespond.ui.palette import CommandScreen, find, offered
from carerespond.ui.review import SEND, HandOffScreen, Page, ReviewScreen

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
# Each alone is one place; those of BROWSE act together.
PLACES = [BROWSE, ("compose",), ("review",), ("hand_off",)]
NEVER = ["ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+m", "ctrl+space", "ctrl+enter", "alt+r"]


class Browsing(App[None]):
    """An application with the keys of the inbox that notes what was run."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, keys: dict[str, str] | None = None) -> None:
        super().__init__()
        self._bindings = bound(self._bindings, "all", overrides=keys)
        self.keys = keys
        self.table = apply_overrides(keys or {})
        self.ran: list[str] = []
        self.answers: list[str | None] = []

    def action_run(self, name: str) -> None:
        self.ran.append(name)

    def get_default_screen(self) -> Screen[object]:
        return List(self.keys)


class List(Screen[object]):
    """A screen with the keys of the inbox."""

    def __init__(self, keys: dict[str, str] | None) -> None:
        super().__init__()
        self._bindings = bound(self._bindings, *BROWSE, overrides=keys)


class Writing:
    """A draft that is kept in memory."""

    def __init__(self) -> None:
        self.draft = Draft(1, "Priya", DraftKind.PUBLIC, "", "", NOW, NOW, 1)
        self.title, self.words, self.route = "PUBLIC reply to @rose", "[/ lost my letter", ""
        self.limit, self.price, self.then = 280, "", "review and send"
        self.safety: Sequence[SafetyCard] = ()
        self.kept: list[str] = []

    async def save(self, text: str) -> None:
        self.kept.append(text)

    def save_now(self, text: str) -> None:
        self.kept.append(text)

    def length(self, text: str) -> int:
        return len(text)

    def checks(self, text: str) -> Sequence[Finding]:
        return []

    def templates(self) -> Sequence[tuple[str, str]]:
        return []

    def links(self) -> Sequence[tuple[str, str]]:
        return []


def _faults(table: Sequence[Command]) -> list[str]:
    """What is wrong with a table: the rules that every table must keep."""
    faults = [f"{n} twice" for n, c in Counter(c.name for c in table).items() if c > 1]
    for places in PLACES:
        keys = Counter(key for c in table if c.where in places for key in c.keys)
        faults += [f"{key} twice in {places}" for key, count in keys.items() if count > 1]
    for command in table:
        faults += [f"{key}: {why_not(key)}" for key in command.keys if why_not(key)]
        if not command.help.endswith(".") or "[" in command.help or not command.title:
            faults.append(f"{command.name} is not explained")
        if {"d", "x"} & set(command.keys):
            faults.append(f"{command.name} is on a key that deletes in other programs")
    if "enter" in by_name("send", table).keys or by_name("send", table).in_palette:
        faults.append("Enter sends")
    return faults


def _changed(name: str, /, **changes: object) -> list[Command]:
    return [replace(c, **changes) if c.name == name else c for c in COMMANDS]  # type: ignore[arg-type]  # any field


def test_the_table_keeps_every_rule() -> None:
    assert _faults(COMMANDS) == []


@pytest.mark.parametrize(
    "table",
    [
        _changed("later", keys=("r",)),
        _changed("later", keys=("ctrl+b",)),
        _changed("later", keys=("alt+b",)),
        _changed("later", keys=("x",)),
        _changed("later", help=""),
        _changed("later", name="reply"),
        _changed("send", keys=("y", "enter")),
        _changed("send", in_palette=True),
    ],
)
def test_the_rules_notice_a_bad_table(table: list[Command]) -> None:
    assert _faults(table)


def test_importing_the_table_costs_nothing_of_textual() -> None:
    code = "import sys, carerespond.ui.commands as c; c.keys_document(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"textual", "rich"}.isdisjoint(done.stdout.split())


async def test_every_key_of_the_inbox_runs_its_command() -> None:
    app = Browsing()
    async with app.run_test(size=(80, 23)) as pilot:
        pressed = [(k, c.name) for c in COMMANDS if c.where in BROWSE for k in c.keys]
        await pilot.press(*(key for key, _ in pressed))
    assert list(zip((key for key, _ in pressed), app.ran, strict=True)) == pressed


async def test_letters_are_letters_in_a_line_of_text() -> None:
    app = Browsing()
    async with app.run_test() as pilot:
        line = Input()
        await app.mount(line)
        line.focus()
        await pilot.press("r", "question_mark", "colon", "q", "z")
        assert (line.value, app.ran) == ("r?:qz", [])
        await pilot.press("ctrl+q")
        assert app.ran == ["quit"]


# -- people's own keys --------------------------------------------------------------------------


def test_a_person_may_write_keys_as_they_look() -> None:
    table = apply_overrides({"find": "&, F6", "later": "Ctrl+N"})
    assert by_name("find", table).keys == ("ampersand", "f6")
    assert by_name("later", table).keys == ("ctrl+n",)


def test_two_commands_may_change_places() -> None:
    table = apply_overrides({"reply": "e", "done": "r"})
    assert (by_name("reply", table).keys, by_name("done", table).keys) == (("e",), ("r",))


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        *[("later", key, "cannot be a key") for key in NEVER],
        ("later", "nosuchkey", "there is no such key"),
        ("later", "", "there is no such key"),
        ("later", "r", "bound twice: reply and later"),
        ("reply", "b", "bound twice: reply and later"),
        ("outbox", "z", "bound twice"),
        ("send", "enter", "cannot send"),
        ("send", "r", "cannot send"),
        ("send", "f1", "bound twice"),
        ("review", "v", "is text while writing"),
        ("checks", "ctrl+p", "bound twice"),
        ("repyl", "r", "Did you mean 'reply'?"),
    ],
)
def test_a_bad_key_is_refused_with_its_line(
    tmp_path: Path, name: str, keys: str, says: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[inbox]\n{name} = "other"\n[keys]\nwhy = "w"\n{name} = "{keys}"\n')
    with pytest.raises(ConfigError) as raised:
        apply_overrides({"why": "w", name: keys}, path)
    assert str(raised.value).startswith(f"{path}, line 5: ")
    assert says in str(raised.value)


def test_without_a_file_the_error_names_the_command() -> None:
    with pytest.raises(ConfigError, match=r"\[keys\] later: "):
        apply_overrides({"later": "ctrl+b"})


@given(st.text(max_size=12), st.sampled_from([c.name for c in COMMANDS]))
def test_any_text_is_a_usable_key_or_a_clear_error(text: str, name: str) -> None:
    try:
        table = apply_overrides({name: text})
    except ConfigError:
        return
    assert [fault for fault in _faults(table) if "deletes" not in fault] == []


async def test_a_changed_key_acts_and_the_old_one_does_not() -> None:
    app = Browsing({"later": "f6"})
    async with app.run_test() as pilot:
        await pilot.press("b", "f6")
    assert app.ran == ["later"]


# -- writing and reviewing ----------------------------------------------------------------------


async def test_while_writing_only_control_keys_act() -> None:
    app, writing = Browsing(), Writing()
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(writing, lambda _: None), app.answers.append)
        await pilot.pause()
        await pilot.press("y", "q", "question_mark", "ctrl+s")
        assert writing.kept == ["yq?"]
        await pilot.press("f1")
        assert "other key is text" in str(app.screen.query_one("#text", Static).content)
        await pilot.press("f1", "ctrl+d")
        await pilot.pause()
    assert app.answers == ["review"]


@pytest.mark.parametrize(("command", "answer"), [("ctrl+d", "review"), ("escape", None)])
async def test_a_command_typed_right_behind_a_sentence_has_all_of_it(
    command: str, answer: str | None
) -> None:
    app, writing = Browsing(), Writing()
    sentence = "we are so sorry to read this"
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(writing, lambda _: None), app.answers.append)
        await pilot.pause()
        for letter in sentence:  # as a terminal gives them: all at once, nobody waits in between
            app.post_message(events.Key("space" if letter == " " else letter, letter))
        app.post_message(events.Key(command, None))
        await pilot.pause()
        await pilot.pause()
    assert (app.answers, writing.kept[-1]) == ([answer], sentence)


async def test_the_composer_shows_and_takes_a_persons_own_keys() -> None:
    app, keys = Browsing(), {"review": "f6", "leave": "ctrl+x"}
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(Writing(), lambda _: None, keys), app.answers.append)
        await pilot.pause()
        shown = str(app.screen.query_one("#verbs", Static).content)
        assert shown.startswith("F6 review and send")
        assert "ctrl+x leave" in shown
        await pilot.press("a", "ctrl+d", "escape")
        assert isinstance(app.screen, ComposerScreen)
        assert app.screen.query_one(TextArea).text == "a"
        await pilot.press("f6")
        await pilot.pause()
    assert app.answers == ["review"]


@pytest.mark.parametrize(("keys", "key"), [({}, "y"), ({"send": "f8"}, "f8")])
async def test_only_the_key_for_it_sends(keys: dict[str, str], key: str) -> None:
    app = Browsing()
    page = Page("@rose", "Sorry", "5/280", "", "", SEND)
    async with app.run_test() as pilot:
        app.push_screen(ReviewScreen(page, keys), app.answers.append)
        await pilot.pause()
        await pilot.press("enter", "ctrl+d", "r", "space", "tab", *(["y"] if keys else []))
        assert app.answers == []
        assert key_label(key) in str(app.screen.query_one("#verbs", Static).content)
        await pilot.press(key)
        await pilot.pause()
    assert app.answers == [SEND]


class Busy(Writing):
    """A draft whose database is held by another program until `is_busy` is taken off."""

    is_busy = True

    async def save(self, text: str) -> None:
        self.save_now(text)

    def save_now(self, text: str) -> None:
        if self.is_busy:
            raise StorageError("the database is busy.")
        super().save_now(text)


async def comes(pilot: Pilot[None], holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        await pilot.pause(0.02)


@pytest.mark.promise
@pytest.mark.parametrize("command", ["ctrl+s", "ctrl+d", "escape", "ctrl+o"])
async def test_what_cannot_be_kept_stays_on_the_screen_and_is_tried_again(command: str) -> None:
    app, writing = Browsing(), Busy()
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(writing, lambda _: None), app.answers.append)
        await pilot.pause()
        await pilot.press("a", command)
        assert isinstance(app.screen, ComposerScreen)
        length = app.screen.query_one("#length", Static)
        await comes(pilot, lambda: "not kept: the database is busy." in str(length.content))
        assert isinstance(app.screen, ComposerScreen)
        writing.is_busy = False
        await comes(pilot, lambda: str(length.content).split()[-1] == "kept")
        assert writing.kept == ["a"]
    assert app.answers == []


@pytest.mark.promise
async def test_the_end_of_the_program_hears_what_could_not_be_kept() -> None:
    app, writing = Browsing(), Busy()
    keepers: list[Callable[[], None]] = []
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(writing, keepers.append), app.answers.append)
        await pilot.pause()
        await pilot.press("a")
    with pytest.raises(NotKeptError, match="busy") as unkept:
        keepers[-1]()
    assert unkept.value.text == "a"
    writing.is_busy = False
    keepers[-1]()
    assert writing.kept == ["a"]


class Linking(Writing):
    """A draft into which an address may be put."""

    def links(self) -> Sequence[tuple[str, str]]:
        return [("page", "https://x.invalid/p")]


@pytest.mark.parametrize(
    ("typed", "left", "text"),
    [
        ("", 0, "https://x.invalid/p"),
        ("see", 0, "see https://x.invalid/p"),
        ("see ", 0, "see https://x.invalid/p"),
        ("see it", 2, "see https://x.invalid/p it"),
        ("see it", 3, "see https://x.invalid/p it"),
    ],
)
async def test_a_link_stands_apart_from_the_words_beside_it(
    typed: str, left: int, text: str
) -> None:
    app, writing = Browsing(), Linking()
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(writing, lambda _: None))
        await pilot.pause()
        area = app.screen.query_one(TextArea)
        area.insert(typed)
        await pilot.press(*["left"] * left, "f3")
        await pilot.pause()
        await pilot.press("1")
        await pilot.pause()
        assert area.text == text


LONG = "\n".join(f"line {number}" for number in range(2000))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReviewScreen(Page("@rose", LONG, "", "", "", SEND)),
        lambda: HandOffScreen("https://x.invalid/?text=" + "a" * 9000, LONG, "rose"),
    ],
)
async def test_all_that_goes_out_can_be_read(make: Callable[[], Screen[str]]) -> None:
    app = Browsing()
    async with app.run_test() as pilot:
        screen = make()
        app.push_screen(screen)
        await pilot.pause()
        shown = [str(part.content) for part in screen.query("#text, #url").results(Static)]
        assert shown[-1] == LONG
        assert len(shown) == 1 or shown[0].endswith("a" * 9000)
        scroll = screen.query_one(VerticalScroll)
        await pilot.press("j", "pagedown")
        assert scroll.scroll_y == 11


async def test_a_text_that_is_not_shown_as_it_is_does_not_leave() -> None:
    app = Browsing()
    async with app.run_test() as pilot:
        app.push_screen(ReviewScreen(Page("@rose", "a\x1bb", "", "", "", SEND)), app.answers.append)
        await pilot.pause()
        await pilot.press("y")
        assert app.answers == []
        assert "It cannot go out" in str(app.screen.query_one("#verbs", Static).content)


# -- footer, help, palette, document ------------------------------------------------------------


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("width", [20, 40, 78, 80, 120, 200])
def test_the_footer_drops_whole_verbs_and_keeps_the_last(
    places: tuple[str, ...], width: int
) -> None:
    line = footer_line(places, width)
    known = {f"{key_label(c.keys[0])} {c.title}" for c in COMMANDS if c.where in places}
    assert len(line) <= width
    assert set(line.split("  ")) <= known
    assert len(line.split("  ")) <= 15
    if places == BROWSE:
        assert line.endswith("? help")


@pytest.mark.parametrize("places", PLACES)
def test_help_names_every_command_of_the_place_on_one_line_each(places: tuple[str, ...]) -> None:
    lines = help_content(places).plain.splitlines()
    for command in (c for c in COMMANDS if c.where in places):
        assert sum(line.endswith(f" {command.help}") for line in lines) >= 1, command.name
    assert max(map(len, lines)) <= 76  # within the borders of 80 columns


def test_help_finds_by_word_and_by_key() -> None:
    assert "Write an internal note" in help_content(BROWSE, word="NEVER SENT").plain
    assert help_content(BROWSE, word="r").plain.splitlines()[1].split()[0] == "r"
    assert help_content(BROWSE, word="[/").plain == "no key has to do with it"


def test_help_says_what_the_letters_of_the_list_mean() -> None:
    shown = help_content(BROWSE).plain
    assert "  n           N, after the network: nobody has read it" in shown
    assert "held as a possible danger" in help_content(BROWSE, word="danger").plain
    assert "Signs in the list" not in help_content(BROWSE, word="r").plain
    assert "Signs in the list" not in help_content(("compose",)).plain


async def test_the_help_screen_says_that_there_is_more_and_searches() -> None:
    app = Browsing()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(HelpScreen(BROWSE))
        await pilot.pause()
        assert "more lines below" in str(app.screen.query_one("#hint", Static).content)
        await pilot.press("slash", *"undo", "enter")
        await pilot.pause()
        shown = str(app.screen.query_one("#text", Static).content)
        assert "Take back a send" in shown
        assert "Claim the case" not in shown
        assert "more" not in str(app.screen.query_one("#hint", Static).content)
        await pilot.press("question_mark")
        assert not isinstance(app.screen, HelpScreen)
    assert app.ran == []


def test_the_palette_offers_all_that_enter_may_do() -> None:
    named = {command.name for command in offered(BROWSE)}
    assert named == {c.name for c in COMMANDS if c.where in BROWSE} - {"palette"}
    assert {"send", "discard"}.isdisjoint(c.name for c in offered(("review",)))
    assert "posted" not in [c.name for c in offered(("hand_off",))]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("outb", "outbox"),
        ("unknown outcome", "outbox"),
        ("not about us", "not_about_us"),
        ("lane 3", "lane_3"),
        ("", "reply"),
    ],
)
def test_the_palette_finds_by_title_name_and_sentence(words: str, first: str) -> None:
    assert find(words, offered(BROWSE))[0].name == first


def test_the_palette_says_when_nothing_fits() -> None:
    assert find("[/ nothing", offered(BROWSE)) == []


async def test_a_cut_line_of_the_palette_says_so() -> None:
    app = Browsing()
    async with app.run_test(size=(50, 24)) as pilot:
        app.push_screen(CommandScreen(BROWSE, COMMANDS))
        await pilot.pause()
        first = str(app.screen.query_one("#found", Static).content).splitlines()[0]
        assert (len(first) <= 46, first[-1]) == (True, ELLIPSIS)


async def test_the_palette_returns_the_command_that_was_chosen() -> None:
    app = Browsing()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, name in [
            (["enter"], "reply"),
            ([*"later", "enter"], "later"),
            (["down", "down", "up", "enter"], "note"),
            ([*"zzz", "enter", "escape"], None),
        ]:
            app.push_screen(CommandScreen(BROWSE, app.table), app.answers.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            assert app.answers.pop() == name
            assert not isinstance(app.screen, CommandScreen)


async def test_the_palette_shows_keys_and_fits_80_columns() -> None:
    app = Browsing({"later": "f6"})
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(CommandScreen(BROWSE, app.table))
        await pilot.pause()
        await pilot.press(*"later")
        lines = str(app.screen.query_one("#found", Static).content).splitlines()
        assert lines[0].startswith("> F6          later")
        await pilot.press("backspace", "backspace", "backspace", "backspace", "backspace")
        await pilot.press("pagedown", "pagedown")
        shown = str(app.screen.query_one("#found", Static).content)
        assert len(shown.splitlines()) == 12
        assert max(map(len, shown.splitlines())) <= 76
        assert "more below" in str(app.screen.query_one("#hint", Static).content)


async def test_the_palette_of_the_composer_runs_its_actions_and_no_others() -> None:
    app = Browsing()
    async with app.run_test() as pilot:
        app.push_screen(ComposerScreen(Writing(), lambda _: None), app.answers.append)
        await pilot.pause()
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert isinstance(app.screen, CommandScreen)
        await pilot.press(*"reply", "enter", "escape")
        assert app.ran == []
        await pilot.press("ctrl+p", *"review", "enter")
        await pilot.pause()
    assert app.answers == ["review"]


def test_the_document_names_every_command_with_its_keys() -> None:
    text = keys_document()
    for command in COMMANDS:
        cells = " ".join(f"`{key_label(key)}`" for key in command.keys)
        assert f"| {cells} | `{command.name}` | {command.help} |" in text


def test_labels_and_names_of_keys_are_inverse() -> None:
    for command in COMMANDS:
        for key in command.keys:
            label = key_label(key)
            assert key_name(label) == key or label in {"esc", "pgup", "pgdn"}
    assert labels(by_name("check_now")) == ", F5"
    assert len(bindings("compose")) == 9
