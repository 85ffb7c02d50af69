import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from carerespond.domain.errors import ConfigError
from carerespond.ui.themes import DEFAULT, choose_theme, load_theme, shipped, theme_names

ROOT = Path(__file__).parent.parent.parent
GOOD = """
primary = "#4c9bd6"
warning = "#e3b341"
error = "#ff8a80"
success = "#7cc98a"
accent = "#5ec4c9"
foreground = "#e4e6e8"
background = "#15191d"
"""
WORDS = [
    *("foreground", "text", "text-muted", "primary", "secondary", "warning", "error", "success"),
    *("accent", "text-primary", "text-secondary", "text-warning", "text-error", "text-success"),
    *("text-accent", "footer-foreground", "footer-key-foreground"),
]
PAIRS = [
    *((word, ground) for word in WORDS for ground in ("background", "surface", "panel")),
    ("block-cursor-foreground", "block-cursor-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
]


def _light(colour: Color) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [value / 255 for value in colour.rgb]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: Color, other: Color) -> float:
    """Contrast ratio (WCAG 2.2), 1 to 21."""
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


def _seen(value: str, ground: Color) -> Color:
    """A colour as it is seen on a ground: "auto 87%" and see-through colours are mixed with it."""
    if match := re.fullmatch(r"auto (\d+)%", value):
        return ground.blend(ground.get_contrast_text(1.0), int(match[1]) / 100, alpha=1)
    colour = Color.parse(value)
    return ground.blend(colour.with_alpha(1), colour.a, alpha=1)


def _too_faint(theme: Theme, least: float) -> Iterator[str]:
    made = theme.to_color_system().generate()
    for word, ground in PAIRS:
        below = _seen(made[ground], Color.parse(made["surface"]))
        ratio = _contrast(_seen(made[word], below), below)
        if ratio < least:
            yield f"{word} on {ground}: {ratio:.2f}"


@pytest.mark.parametrize("name", [name for name in theme_names() if name != "mono"])
def test_words_can_be_read_on_every_ground(name: str) -> None:
    least = 7.0 if name.startswith("contrast") else 4.5
    assert list(_too_faint(load_theme(name), least)) == []


def test_a_faint_theme_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "faint.toml"
    path.write_text(GOOD.replace("#ff8a80", "#7a1010"))
    assert any(
        line.startswith("error on background") for line in _too_faint(load_theme(str(path)), 4.5)
    )


def test_there_is_a_dark_a_light_a_strong_and_a_colourless_theme() -> None:
    assert {"dark", "light", "contrast-dark", "contrast-light", "mono"} <= set(theme_names())
    assert load_theme("dark").dark
    assert not load_theme("light").dark


@pytest.mark.parametrize(
    ("name", "environ", "chosen"),
    [
        ("", {}, DEFAULT),
        ("light", {}, "light"),
        ("light", {"NO_COLOR": "1"}, "mono"),
        ("light", {"NO_COLOR": ""}, "light"),
    ],
)
def test_no_color_comes_before_the_configuration(
    name: str, environ: dict[str, str], chosen: str
) -> None:
    assert choose_theme(name, environ).name == chosen
    assert environ.get("NO_COLOR") == ("1" if chosen == "mono" else None)


def test_a_persons_own_theme_comes_before_ours(tmp_path: Path) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    (folder / "dark.toml").write_text(GOOD.replace("#4c9bd6", "#123456"))
    (folder / "ward.toml").write_text(GOOD)
    assert load_theme("dark", folder).primary == "#123456"
    assert load_theme("ward", folder).name == "ward"
    assert load_theme("light", folder).primary == load_theme("light").primary
    assert "ward" in theme_names(folder)
    assert load_theme("themes/ward.toml", folder).name == "ward"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('accent = "#5ec4c9"', ""), "accent is missing"),
        (GOOD + 'acent = "#5ec4c9"', "Did you mean 'accent'?"),
        (GOOD.replace("#ff8a80", "#ff8"), ""),
        (GOOD.replace("#ff8a80", "reddish"), "error is not a colour: 'reddish'"),
        (GOOD.replace('"#ff8a80"', "7"), "error is not a colour: 7"),
        (GOOD + 'dark = "yes"', "dark is not true or false"),
        (GOOD + 'variables = "x"', "variables is not a table"),
        (GOOD + '[variables]\ntext-mutd = "#fff"', "Did you mean 'text-muted'?"),
        (GOOD + '[variables]\ntext-muted = "faint"', "variables.text-muted is not a colour"),
        (GOOD + '[variables]\nlink-style = "loud"', "variables.link-style is not a style"),
        (GOOD + '[variables]\nlink-style = "bold not underline"', ""),
        (GOOD + "primary", "not valid TOML"),
    ],
)
def test_a_bad_theme_is_refused_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    if not says:
        assert load_theme(str(path)).name == "own"
        return
    with pytest.raises(ConfigError) as raised:
        load_theme(str(path))
    assert str(raised.value).startswith(f"{path}: ")
    assert says in str(raised.value)


def test_a_theme_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no theme 'drak'\. Known: .*dark"):
        load_theme("drak")
    with pytest.raises(
        ConfigError, match=r"gone\.toml: there is no such file\. Check \[inbox\] theme"
    ):
        load_theme(str(tmp_path / "gone.toml"))
    with pytest.raises(ConfigError, match="there is no theme"):
        load_theme("../pyproject")


PAINTED = """
import os
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.content import Content
from textual.widgets import Input, Static, TextArea
from carerespond.ui.dialogs import Choice, ChoiceScreen, PageScreen
from carerespond.ui.themes import choose_theme


class Painted(App):
    BINDINGS = [Binding("ctrl+n", "next", priority=True)]

    def __init__(self):
        theme = choose_theme(os.environ.pop("THEME"), os.environ)
        super().__init__(ansi_color=theme.ansi or None)
        self.register_theme(theme)
        self.theme = theme.name

    def compose(self):
        for style in ("bold $error", "$text-muted", "$warning on $panel", "reverse $success"):
            yield Static(Content("words").stylize(style))
        yield Input("typed", placeholder="type")
        yield TextArea("written")

    def on_mount(self):
        self.notify("said", markup=False)
        self.screens = [
            ChoiceScreen("Sure?", [Choice("y", "yes", 1)], "note"),
            PageScreen("Page", Content("line " * 2000)),
            CommandPalette(),
        ]
        self.action_next()

    def action_next(self):
        if self.screens:
            self.push_screen(self.screens.pop(0))
        else:
            self.exit()


Painted().run()
"""


def _painted(theme: str, no_color: str) -> bytes:
    """What a program with a theme sends to a terminal of 80x24."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PATH": os.environ["PATH"]}
    environ |= {"THEME": theme, "PYTHONPATH": str(ROOT)}
    environ |= {"NO_COLOR": no_color} if no_color else {}
    program = subprocess.Popen(
        [sys.executable, "-c", PAINTED], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    sent, awaited = b"", [b"Sure?", b"Page", b"earch for commands"]
    try:
        while select.select([ours], [], [], 20)[0]:
            part = os.read(ours, 65536)
            if not part:
                break
            sent += part
            if awaited and awaited[0] in sent:
                awaited.pop(0)
                os.write(ours, b"\x0e")
    except OSError:  # Linux: the program has closed its end
        pass
    finally:
        os.close(ours)
        program.kill()
        program.wait()
    assert not awaited, sent[-2000:].decode(errors="replace")
    return sent


def _colour_codes(sent: bytes) -> set[bytes]:
    """The SGR codes that choose a colour, the terminal's own left out."""
    codes = {code for run in re.findall(rb"\x1b\[([0-9;]*)m", sent) for code in run.split(b";")}
    return {code for code in codes if re.fullmatch(rb"3[0-8]|4[0-8]|9[0-7]|10[0-7]", code)}


@pytest.mark.parametrize(("theme", "no_color"), [("", "1"), ("light", "1"), ("mono", "")])
def test_without_colour_no_colour_is_sent(theme: str, no_color: str) -> None:
    assert _colour_codes(_painted(theme, no_color)) == set()


def test_colours_that_are_sent_are_noticed() -> None:
    assert {b"38", b"48"} <= _colour_codes(_painted("dark", ""))


def test_the_themes_lie_where_the_wheel_takes_them_from() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]
    assert wheel["wheel"]["force-include"] == {"themes": "carerespond/themes"}
    assert shipped() == ROOT / "themes"
    assert {path.suffix for path in shipped().iterdir()} == {".toml"}
