"""Printing for commands: whatever came from outside is cleaned before it reaches a terminal."""

import os
import sys
from contextlib import suppress
from typing import TextIO

from carerespond.domain.errors import ConfigError
from carerespond.domain.text import clean


def say(text: str = "") -> None:
    """Print a line to standard output, cleaned; whoever reads a pipe has it at once.

    Raises:
        ConfigError: It cannot be written. A reader who has left is no fault.
    """
    try:
        print(clean(text), flush=True)
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise ConfigError(f"The output cannot be written ({error.strerror}).") from None


def complain(text: str) -> None:
    """Print a line to standard error, cleaned."""
    with suppress(OSError):
        print(clean(text), file=sys.stderr, flush=True)


def flush() -> None:
    """Bring out what was printed before the program ends; there is nobody left to be told."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                _silence(stream)


def is_terminal() -> bool:
    """Whether a person is at both ends."""
    ends = (sys.stdin, sys.stdout)
    return all(end is not None and end.isatty() for end in ends)


def _silence(stream: TextIO) -> None:
    """Whatever is printed from now on goes nowhere, also at the interpreter's end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def ask(question: str, default: str = "", *, at_end: str | None = None) -> str:
    """Ask a person; the default when there is none to ask, or when they just press Enter.

    Args:
        question: What to ask.
        default: Shown beside it.
        at_end: What the end of input (Ctrl-D) means; None: the default.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return default
    hint = f" [{default}]" if default else ""
    try:
        return input(f"{clean(question)}{hint}: ").strip() or default
    except EOFError:
        say()
        return default if at_end is None else at_end
