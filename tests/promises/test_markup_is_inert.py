"""Brackets in a text of others are brackets: no click, no crash, on any surface that shows it."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

import carerespond.ui
from carerespond.domain.models import (
    Assessment,
    Author,
    Case,
    CaseRow,
    CaseState,
    Draft,
    DraftKind,
    Health,
    Post,
    Priority,
    Reason,
    Reply,
    SendState,
    Source,
    Spend,
    ThreadChange,
)
from carerespond.domain.privacy import Finding
from carerespond.domain.safety import SafetyCard
from carerespond.domain.text import clean
from carerespond.services.inbox import Act, CaseView
from carerespond.ui import headlines, views, why
from carerespond.ui.case_list import CaseList, Looks
from carerespond.ui.composer import ComposerScreen
from carerespond.ui.content import content, footnoted
from carerespond.ui.dialogs import Choice, ChoiceScreen, LineScreen, PageScreen
from carerespond.ui.fields import LineField, TextField
from carerespond.ui.lines import Page as Lines
from carerespond.ui.lines import TextLine, wrapped
from carerespond.ui.review import SEND, HandOffScreen, Page, ReviewScreen
from carerespond.ui.safety import card_lines
from tests.domain.support import shipped_rules
from tests.promises.hostile import naughty_strings

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PAYLOADS = [
    "[@click=app.pwn('x')]CLICKME[/]",
    "[@click=app.simulate_key('y')]CLICKME[/]",
    "[@click=app.quit]CLICKME[/]",
    "[link='https://evil.example']CLICKME[/link]",
    "CLICKME[/",
    "CLICKME [/nope] text [=",
]


CLICKS = 1  # on each screen; further ones only where a style says that there is something to run


class Fired(App[None]):
    """An application whose actions note that they were run."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.fired: list[str] = []

    def action_pwn(self, what: str) -> None:
        self.fired.append(f"pwn {what}")

    async def action_simulate_key(self, key: str) -> None:
        self.fired.append(f"key {key}")

    async def action_quit(self) -> None:
        self.fired.append("quit")

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.fired.append(f"open {url}")


class Writing:
    """A draft of an answer to somebody who writes brackets everywhere."""

    limit, price, then = 280, "$0.010", "review and send"

    def __init__(self, text: str) -> None:
        self.draft = Draft(1, text, DraftKind.PUBLIC, text, "", NOW, NOW, 1)
        self.title = self.words = self.route = text
        self.safety: Sequence[SafetyCard] = _cards(text)

    async def save(self, text: str) -> None:
        """Nothing is kept."""

    def save_now(self, text: str) -> None:
        """Nothing is kept."""

    def length(self, text: str) -> int:
        return len(text)

    def checks(self, text: str) -> Sequence[Finding]:
        return [Finding("r", "stop", text, (text,))]

    def templates(self) -> Sequence[tuple[str, str]]:
        return [(self.title, self.title)]

    def links(self) -> Sequence[tuple[str, str]]:
        return self.templates()


class Showing(Screen[None]):
    """A screen with some widgets on it."""

    CSS = "Showing > * { height: auto; } Showing > Lines, Showing > CaseList { height: 6; }"

    def __init__(self, *shown: Widget) -> None:
        super().__init__()
        self._shown = shown

    def compose(self) -> ComposeResult:
        yield from self._shown


def _case_list(text: str) -> Screen[Any]:
    row = CaseRow(1, "x", text, text, text, NOW, Priority.SOON, 1.0, CaseState.OPEN, text, text)

    async def no_more(*_: object) -> Sequence[CaseRow]:
        return []

    cases = CaseList(Looks(lambda: "Asha", lambda: NOW, {}), no_more)
    cases.show([row, replace(row, case_id=2, send_state=text, writing=None)], at_end=True)
    return Showing(cases)


def _lines(text: str) -> Screen[Any]:
    spend = Spend(1.0, 2.0, 3.0, 4.0, 80)
    heading = headlines.Heading(
        "t", text, text, 1, 0, spend, [_source(text)], text, look_only=False
    )
    line, head, lanes, page = TextLine(), TextLine(), TextLine(), Lines()
    line.set(headlines.notice(text))
    head.set(headlines.first_line(heading, 400, NOW))
    lanes.set(headlines.lanes_line({}, None, 0, 400, text))
    page.set(wrapped(text, 180), head=card_lines(_cards(text), 180, text)[:2])
    return Showing(line, head, lanes, page)


def _source(text: str) -> Source:
    return Source(text, text, text, health=Health.DOWN, message=text)


def _reply(text: str) -> Reply:
    row = Reply(
        1, 1, text, "x", DraftKind.PUBLIC, "1", text, text, "k", SendState.REFUSED, text, NOW, NOW
    )
    return replace(row, problem=text, remote_id=text)


def _page(text: str, **more: Any) -> Page:
    found = (Finding("r", "stop", text, (text,)),)
    change = (ThreadChange(text, text, text),)
    return Page(text, text, text, text, text, SEND, findings=found, changes=change, **more)


def _cards(text: str) -> tuple[SafetyCard, ...]:
    return (SafetyCard(text, (text, "999"), (text,), (text,), (text,)),)


def _why(text: str) -> Content:
    author = Author("x", text, text, text)
    post = Post("x", "1", author, text, NOW)
    words = tuple(one for one in ("CLICKME", text, "[", "/]", "@click=app.quit") if one)
    reasons = (Reason(text, text, 1.0, words, is_pin=True), Reason("context.x", text, 1.0, (text,)))
    placed = Assessment(Priority.SOON, 2.0, reasons, text, is_pinned=True)
    case = Case(1, "x", text, text, author, post, CaseState.OPEN, placed, text)
    view = CaseView(case, (replace(post, post_id="0"), post), (), (), (), (), (), (), _cards(text))
    act = Act(1, NOW, text, "s", text, 1, (), None, text)
    return why.why_content(view, [act], NOW, shipped_rules())


SURFACES: dict[str, Callable[[str], Screen[Any]]] = {
    "choice": lambda text: ChoiceScreen(text, [Choice("a", text, text)], text),
    "line": lambda text: LineScreen(text, text, text),
    "page": lambda text: PageScreen(text, content(text)),
    "why": lambda text: PageScreen("WHY", _why(text)),
    "sources": lambda text: PageScreen("W", views.sources_content([_source(text)], [], None, NOW)),
    "sends": lambda text: PageScreen("O", views.sends_content([_reply(text)], NOW)),
    "composer": lambda text: ComposerScreen(Writing(text), lambda _: None),
    "review": lambda text: ReviewScreen(_page(text)),
    "review of a danger": lambda text: ReviewScreen(_page(text, safety=_cards(text))),
    "blocked review": lambda text: ReviewScreen(_page(text, blocked=text)),
    "hand-off": lambda text: HandOffScreen(text, text, text, (text,)),
    "list": _case_list,
    "lines": _lines,
    "fields": lambda text: Showing(LineField(text), TextField(text)),
}


def _rows(app: App[Any]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def _packed(text: str) -> str:
    """A text without spaces, line ends and what frames it."""
    return re.sub(r"[^!-~]", "", text).replace("|", "")


async def _is_inert(surface: Callable[[str], Screen[Any]], texts: Iterable[str]) -> None:
    """Show the texts one by one, click wherever one says so: nothing may happen."""
    app = Fired()
    async with app.run_test(size=(200, 60)) as pilot:
        for text in texts:
            await app.push_screen(surface(text))
            await pilot.pause()
            rows, clicks = _rows(app), 0
            assert _packed(text)[:7] in _packed("".join(rows)), "it is shown as it was written"
            for y, row in enumerate(rows):
                for place in re.finditer("CLICKME", row):
                    style = app.screen.get_style_at(place.start() + 2, y)
                    assert not style.link, "as it was written: no link"
                    if clicks < CLICKS or style.meta.get("@click"):
                        await pilot.click(offset=(place.start() + 2, y))
                        clicks += 1
            await pilot.pause()
            assert app.fired == []
            await app.pop_screen()
            await pilot.pause()


@pytest.mark.promise
@pytest.mark.parametrize("name", SURFACES)
async def test_no_surface_reads_markup_in_a_text_of_others(name: str) -> None:
    await _is_inert(SURFACES[name], PAYLOADS)


def _escaped(text: str) -> Screen[Any]:
    from textual.markup import escape  # noqa: TID251 - the mistake that this test is about

    return Showing(Static(escape(text)))


@pytest.mark.promise
@pytest.mark.parametrize(
    ("mutant", "payload"),
    [
        *((lambda text: Showing(Static(text)), payload) for payload in PAYLOADS),
        (_escaped, PAYLOADS[4]),
    ],
    ids=[*(f"plain string {number}" for number in range(len(PAYLOADS))), "escape"],
)
async def test_the_check_catches_a_widget_that_was_given_markup(
    mutant: Callable[[str], Screen[Any]], payload: str
) -> None:
    with pytest.raises(Exception, match=r"pwn|key|quit|as it was written|[Mm]arkup|closing"):
        await _is_inert(mutant, [payload])


@pytest.mark.promise
@pytest.mark.parametrize("payload", PAYLOADS[:3])
async def test_a_page_of_reasons_that_reads_markup_is_noticed(
    payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(text: str, notes: Mapping[int, Iterable[str]]) -> Content:
        return Content.from_markup(text)

    monkeypatch.setattr(why, "footnoted", careless)
    with pytest.raises(AssertionError):
        await _is_inert(SURFACES["why"], [payload])


@pytest.mark.promise
@pytest.mark.parametrize("name", ["choice", "why", "list", "lines"])
async def test_every_naughty_string_can_be_shown(name: str) -> None:
    app = Fired()
    strings = naughty_strings()
    async with app.run_test(size=(160, 50)) as pilot:
        for at in range(0, len(strings), 80):
            for text in ("\n".join(strings[at : at + 80]), " ".join(strings[at : at + 80])):
                await app.push_screen(SURFACES[name](text))
                await pilot.pause()
                assert any(row.strip() for row in _rows(app))
                await app.pop_screen()
    assert app.fired == []


BRACKETS = st.text(st.sampled_from("[]\\/@=' ()$clink.app\n"), max_size=60)


@pytest.mark.promise
@given(BRACKETS, BRACKETS)
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_brackets_stay_what_they_are(text: str, word: str) -> None:
    for made in (content(text), content(text, "bold")):
        assert made.plain == clean(text)
        assert {str(span.style) for span in made.spans} <= {"bold"}
    noted = footnoted(text, {707: [word]})
    assert noted.plain.replace("[707]", "") == clean(text)
    assert {str(span.style) for span in noted.spans} <= {"bold", "bold underline"}


# -- no other way to a widget -------------------------------------------------------------------

UI = Path(carerespond.ui.__file__).parent
_MAKERS = {
    "content",
    "footnoted",
    "card_content",
    "Content",
    "help_content",
    "changes_content",
    "findings_content",
    "_lines",
    "whole",
}
_FORBIDDEN = {"from_markup", "Label", "Markdown", "Link", "RichLog", "Button", "OptionList"}
_FORBIDDEN |= {"DataTable", "Tree", "Tab", "Collapsible", "Placeholder", "Select", "Checkbox"}
_TITLES = {"border_title", "border_subtitle", "tooltip", "placeholder"}


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_made(node: ast.expr) -> bool:
    """A call of what makes contents, perhaps with a style on top; else a name given one."""
    if isinstance(node, ast.Call):
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        return _name(node) in _MAKERS or (inner is not None and _is_made(inner))
    return False


def _faults(source: str) -> list[str]:
    """Where a text could reach a widget as markup, or uncleaned."""
    tree = ast.parse(source)
    contents = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_made(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [fault for node in ast.walk(tree) for fault in _fault(node, contents)]


def _fault(node: ast.AST, contents: set[str]) -> list[str]:  # noqa: PLR0911  # a case a line
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        return [f"line {node.lineno}: {name}"] if name in _TITLES else []
    if not isinstance(node, ast.Call):
        return []
    name, line = _name(node), f"line {node.lineno}"
    first = node.args[0] if node.args else None
    plain = any(
        word.arg == "markup" and getattr(word.value, "value", None) is False
        for word in node.keywords
    )
    is_content = first is not None and (
        _is_made(first)
        or (isinstance(first, ast.Name) and first.id in contents)
        or (isinstance(first, ast.Attribute) and first.attr == "_text")
    )
    if name in _FORBIDDEN:
        return [f"{line}: {name}"]
    if name == "Content" and first is not None and not _is_literal(first):
        return [f"{line}: Content of something that is not cleaned here"]
    if name in ("Static", "update") and first is not None and not is_content:
        is_set = isinstance(node.func, ast.Attribute) and "#" not in ast.dump(node.func)
        if name == "update" and is_set:
            return []  # of a set or a dictionary
        return [] if plain and _is_literal(first) else [f"{line}: {name} of a string"]
    if name == "notify" and not plain:
        return [f"{line}: notify reads markup"]
    return []


@pytest.mark.promise
def test_every_text_goes_to_a_widget_by_way_of_content() -> None:
    faults = {
        file.name: found
        for file in sorted(UI.glob("*.py"))
        if file.name != "content.py" and (found := _faults(file.read_text(encoding="utf-8")))
    }
    assert faults == {}


@pytest.mark.promise
@pytest.mark.parametrize(
    "wrong",
    [
        "yield Static(row.handle)",
        "yield Static(f'@{row.handle}')",
        "yield Static(text, markup=True)",
        "yield Label('x')",
        "self.query_one('#a', Static).update(f'{text}')",
        "self.query_one('#a', Static).update(Content(text))",
        "self.border_title = text",
        "widget.tooltip = text",
        "self.notify(text)",
        "Content.from_markup(f'[b]{text}[/b]')",
        "Static(Content(f'{text}'))",
    ],
)
def test_the_lint_notices_a_text_that_goes_another_way(wrong: str) -> None:
    assert _faults(wrong)
