"""Writes what the documentation takes from the code: the rooms in architecture.md, and keys.md.

Run `python docs/generate.py`; a test fails when either file is stale.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- rooms: made by docs/generate.py -->", "<!-- end of rooms -->"


def rooms() -> str:
    """Every module with the first sentence of its docstring, by folder."""
    lines: list[str] = []
    folder = None
    for path in sorted((ROOT / "carerespond").rglob("*.py"), key=_place):
        if path.parent != folder:
            folder = path.parent
            lines += [
                "",
                f"### {folder.relative_to(ROOT)}/",
                "",
                _sentence(folder / "__init__.py"),
                "",
            ]
        if path.name != "__init__.py":
            lines.append(f"- `{path.name}`: {_sentence(path)}")
    return "\n".join(lines).strip()


def architecture() -> str:
    """docs/architecture.md as it should be."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{rooms()}\n\n{END}{after}"


def keys() -> str:
    """docs/keys.md as it should be."""
    from carerespond.ui.commands import keys_document

    return keys_document()


def _place(path: Path) -> tuple[str, str]:
    return str(path.parent), path.name


def _sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def main() -> None:
    """Write both files."""
    sys.path.insert(0, str(ROOT))
    (ROOT / "docs" / "architecture.md").write_text(architecture(), encoding="utf-8")
    (ROOT / "docs" / "keys.md").write_text(keys(), encoding="utf-8")


if __name__ == "__main__":
    main()
