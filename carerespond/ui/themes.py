"""Colours from theme files: those shipped in `themes/`, and a person's own.

A theme file has Textual's names at its top (`primary`, `background`, `dark` ...) and, under
`[variables]`, any colour that Textual makes of them and that should be another.
"""

import tomllib
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any, Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

from carerespond.config import problem_at, read_text
from carerespond.domain.errors import ConfigError

DEFAULT: Final = "dark"
MONO: Final = "mono"

_COLOURS: Final = (
    *("primary", "secondary", "warning", "error", "success", "accent"),
    *("foreground", "background", "surface", "panel", "boost"),
)
_REQUIRED: Final = ("primary", "warning", "error", "success", "accent", "foreground", "background")
_FLAGS: Final = ("dark", "ansi")
_STYLES: Final = frozenset(("none", "bold", "italic", "reverse", "underline", "strike", "dim", "b"))

# Textual's own style sheets use these, and its "ansi" themes do not have them.
_LEFT_OUT: Final = ("ansi-background", "ansi-foreground", "surface-active", "foreground-disabled")


def choose_theme(
    name: str,
    environ: MutableMapping[str, str],
    folder: Path | None = None,
    config_file: Path | None = None,
) -> Theme:
    """The theme to use: "mono" where NO_COLOR is set, else the one asked for, else "dark".

    Call it before the application is made, and make that with `ansi_color=theme.ansi or None`: a
    theme without colour sets NO_COLOR, because Textual drops colours there and then alone. An empty
    NO_COLOR asks for nothing (no-color.org) and is taken away: Textual would count it.

    Raises:
        ConfigError: See `load_theme`.
    """
    if environ.get("NO_COLOR") == "":
        del environ["NO_COLOR"]
    theme = load_theme(MONO if environ.get("NO_COLOR") else name or DEFAULT, folder, config_file)
    if theme.name == MONO:
        environ["NO_COLOR"] = "1"
    return theme


def load_theme(
    path_or_name: str, folder: Path | None = None, config_file: Path | None = None
) -> Theme:
    """A theme from its file.

    Args:
        path_or_name: A path that ends in ".toml", else the name of a theme.
        folder: A person's own themes; one of theirs wins over one shipped under the same name.
        config_file: Where the theme was asked for, named with the line in errors.

    Raises:
        ConfigError: Naming the file and the key.
    """
    path = _find(path_or_name, folder, config_file)
    try:
        table = tomllib.loads(read_text(path, missing="Check [inbox] theme in config.toml."))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.", "Mend that line.") from None
    return _theme(path, table)


def theme_names(folder: Path | None = None) -> list[str]:
    """The themes that a name can mean: those shipped and a person's own."""
    folders = [shipped()] if folder is None else [shipped(), folder]
    return sorted({path.stem for place in folders for path in place.glob("*.toml")})


def shipped() -> Path:
    """The folder of the themes that come with the program."""
    package = Path(__file__).parent.parent
    inside = package / "themes"  # in an installed wheel; a checkout has it at the top
    return inside if inside.is_dir() else package.parent / "themes"


def _find(path_or_name: str, folder: Path | None, config_file: Path | None) -> Path:
    if path_or_name.endswith(".toml"):
        path = Path(path_or_name).expanduser()
        return path if path.is_absolute() or folder is None else folder.parent / path
    names = theme_names(folder)
    if path_or_name not in names:
        raise problem_at(
            config_file,
            ("inbox", "theme"),
            f"there is no theme {path_or_name!r}.",
            f"Known: {', '.join(names)}.",
        )
    own = None if folder is None else folder / f"{path_or_name}.toml"
    return own if own is not None and own.is_file() else shipped() / f"{path_or_name}.toml"


def _theme(path: Path, table: dict[str, Any]) -> Theme:
    _known(path, table, (*_COLOURS, *_FLAGS, "variables"), "")
    _check(path, table)
    colours = {key: table[key] for key in _COLOURS if key in table}
    flags = {key: table.get(key, key == "dark") for key in _FLAGS}
    theme = Theme(path.stem, **colours, **flags)
    variables: dict[str, str] = table.get("variables", {})
    made = theme.to_color_system().generate()
    _known(path, variables, [*made, *_LEFT_OUT], "variables.")
    for key, value in variables.items():
        _check_variable(path, f"variables.{key}", value)
    left_out = dict.fromkeys(set(_LEFT_OUT).difference(made), "ansi_default")
    theme.variables = {**left_out, **variables}
    return theme


def _check(path: Path, table: dict[str, Any]) -> None:
    for key in _REQUIRED:
        if key not in table:
            raise _error(path, key, "is missing", 'Add a colour, such as "#4fb3d9".')
    for key in _FLAGS:
        if not isinstance(table.get(key, False), bool):
            raise _error(path, key, "is not true or false", "Write true or false.")
    for key in _COLOURS:
        if key in table:
            _check_colour(path, key, table[key])
    if not isinstance(table.get("variables", {}), dict):
        raise _error(path, "variables", "is not a table", "Write [variables].")


def _known(path: Path, table: Iterable[str], known: Iterable[str], prefix: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            import difflib  # only for the person who mistyped

            near = difflib.get_close_matches(key, names, 1)
            remedy = f"Did you mean {near[0]!r}?" if near else "See the themes that are shipped."
            raise _error(path, prefix + key, "is not a key of themes", remedy)


def _check_variable(path: Path, key: str, value: object) -> None:
    if not key.endswith("-style"):
        _check_colour(path, key, value)
    elif not (isinstance(value, str) and _STYLES.issuperset(value.replace("not ", "").split())):
        raise _error(path, key, f"is not a style: {value!r}", 'Write "bold", "reverse" or "none".')


def _check_colour(path: Path, key: str, value: object) -> None:
    try:
        Color.parse(value if isinstance(value, str) else "")
    except ColorParseError:
        raise _error(
            path, key, f"is not a colour: {value!r}", 'Write one such as "#4fb3d9" or "ansi_cyan".'
        ) from None


def _error(path: Path, key: str, problem: str, remedy: str) -> ConfigError:
    return ConfigError(f"{path}: {key} {problem}.", remedy)
