"""Crash reports that hold no names, texts or secrets: where it happened and what kind it was."""

import os
import platform
import traceback
from datetime import UTC, datetime
from pathlib import Path

from carerespond import __version__
from carerespond.config import find_home


def describe(error: BaseException) -> str:
    """The error's kind and the places it passed; neither its message nor any value.

    A message may quote a post, a path with a name in it or a token; the places cannot.
    """
    lines = [f"carerespond {__version__}, Python {platform.python_version()}"]
    cause: BaseException | None = error
    while cause is not None:
        lines.append(type(cause).__qualname__)
        lines += [
            f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(cause.__traceback__)
        ]
        # Textual's error of a worker says where in an attribute of its own.
        cause = getattr(cause, "error", None) or cause.__cause__ or cause.__context__
    return "\n".join(lines) + "\n"


def write_report(error: BaseException) -> str:
    """Write a report that only its owner can read; where it is, or why it is nowhere."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    try:
        folder = find_home().logs
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"crash-{stamp}.txt"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as report:
            report.write(describe(error))
    except Exception as problem:  # noqa: BLE001 - it may be what stopped the program: a full disk
        return f"no file, for none could be written ({type(problem).__name__})"
    return str(path)
