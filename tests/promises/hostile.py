"""What strangers may send: payloads for a terminal, strings nobody here wrote, odd JSON."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data"
CREATED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

# Each does something to a terminal that takes it, or hides what a text says.
PAYLOADS: dict[str, str] = {
    "clipboard, BEL": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "clipboard, ST": "\x1b]52;c;cm0gLXJmIH4=\x1b\\",
    "title": "\x1b]0;login expired, run: curl evil\x07",
    "title, ST": "\x1b]2;login expired\x1b\\",
    "link": "\x1b]8;;https://evil.example\x07https://nhs.uk\x1b]8;;\x07",
    "notification": "\x1b]9;you have won\x07",
    "clear": "\x1b[3J\x1b[2J",
    "red": "\x1b[31;5m",
    "scroll region": "\x1b[5;6r",
    "answer, cursor": "\x1b[6n",
    "answer, title": "\x1b[21t",
    "answer, setting": "\x1bP$qm\x1b\\",
    "answer, attributes": "\x1b[c",
    "answer, version": "\x1b[>q",
    "answer, checksum": "\x1b[1;1;1;1;5;5*y",
    "C1 sequence": "\x9b31;5m",
    "C1 command": "\x9d0;owned\x9c",
    "C1 string": "\x90$qm\x9c",
    "other C1": "\x84\x85\x88\x8d\x96\x9a",
    "reset": "\x1bc",
    "bell": "\x07\x07",
    "backspace": "safe\x08\x08\x08\x08evil",
    "carriage return": "safe\revil",
    "character set": "\x0e\x0f\x1b(0\x1bn",
    "null": "a\x00b",
    "delete": "a\x7f\x7fb",
    "enquiry": "\x05",
    "vertical": "a\x0bb\x0cc",
    "separators": "a\x1cb\x1dc\x1ed\x1fe",
    "pass-through": "\x1bPtmux;\x1b\x1b]52;c;cm0=\x07\x1b\\",
    "program": "\x1b_Ga=T;AAAA\x1b\\\x1b^private\x1b\\\x1bXstart\x1b\\",
    "right to left": "\u202egnp.exe\u202c \u2066x\u2069 \u061c\u200e\u200f",
    "line separators": "a\u2028b\u2029c",
    "tags": "\U000e0001\U000e0072\U000e006d\U000e007f",
    "lone surrogate": "a\ud800b\udc80c\udcffd",
    "cut short": "\x1b]0;never ends",
    "markup": "[@click=app.quit]CLICK[/] [/ [/nope] text [=",
}
EVERYTHING = " ".join(PAYLOADS.values())


def naughty_strings() -> list[str]:
    """The Big List of Naughty Strings."""
    found: list[str] = json.loads((_DATA / "blns/blns.json").read_text(encoding="utf-8"))
    return found


def recordings() -> dict[str, bytes]:
    """The beginnings of recorded terminal output, by name."""
    return _unpacked(_DATA / "terminal-recordings/recordings.json")


def json_files() -> dict[str, bytes]:
    """The files of JSONTestSuite by name, and the deep one that is not kept as a file."""
    return {
        **_unpacked(_DATA / "jsontestsuite/files.json"),
        "n_structure_100000_opening_arrays.json": b"[" * 100_000,
    }


def _unpacked(path: Path) -> dict[str, bytes]:
    packed = json.loads(path.read_text(encoding="utf-8"))
    return {name: base64.b64decode(content) for name, content in packed.items()}


def record(number: int, text: str, *, network: str = "x", **changes: Any) -> dict[str, Any]:
    """A line of an import: the number-th post, by an author of its own."""
    return {
        "network": network,
        "id": str(7_000_000 + number),
        "text": text,
        "created_at": (CREATED + timedelta(seconds=number)).isoformat(),
        "author": {"id": str(number + 1), "handle": f"person{number}", "name": "Rose"},
        **changes,
    }


def everywhere(number: int, payload: str) -> dict[str, Any]:
    """A line of an import that holds the payload in each text that is taken as it comes."""
    return record(
        number,
        f"zebra {number} {payload} end",
        author={
            "id": str(number + 1),
            "handle": f"h{number}{payload}",
            "name": f"{payload} {number}",
        },
        url=f"https://x.example/{payload}",
        lang=payload,
        mentions_us=True,
    )


def misnamed(number: int, payload: str) -> list[dict[str, Any]]:
    """Lines of an import with the payload in what tells records apart: none can be taken."""
    good = record(number, "zebra")
    return [
        {**good, "network": payload},
        {**good, "id": f"{number}{payload}"},
        {**good, "conversation": payload},
        {**good, "in_reply_to": payload},
        {**good, "created_at": payload},
        {**good, "author": {**good["author"], "id": payload}},
        {**good, "author": payload},
        {payload: payload},
    ]


def lines(records: list[dict[str, Any]]) -> bytes:
    """Records as the lines of a file; what is no character, such as half a pair, is escaped."""
    return "".join(f"{json.dumps(one)}\n" for one in records).encode()
