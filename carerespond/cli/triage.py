"""What triage makes of texts, without an account, a network or a database: `triage`."""

import argparse
import json
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from carerespond.cli import wiring
from carerespond.cli.lines import LONGEST_READ, NAMED, Progress, lines_of, open_input
from carerespond.cli.terminal import complain, say
from carerespond.config import find_home, load_config
from carerespond.domain.errors import ConfigError
from carerespond.domain.models import Assessment
from carerespond.domain.text import one_line, shorten, width
from carerespond.services.scoring import Scorer

COLUMNS = 80
WORD = 40  # cells of one quoted word
LIMIT = "It flags some posts, not all: a person still has to see every one."


def triage(options: argparse.Namespace) -> int:
    """Explain one text, or score a file of them.

    Returns:
        2 when no line of a file could be used, else 0.

    Raises:
        CarerespondError: The configuration, the rules or a file cannot be used.
    """
    if options.score:
        _refuse_same(*options.score)
    home = find_home()
    is_ours = home.is_configured and not options.shipped
    scorer = wiring.make_scorer(load_config(home.config_file) if is_ours else None)
    if options.score:
        return _score(scorer, *options.score)
    _explain(scorer, _given(options.explain))
    return 0


# -- one text -----------------------------------------------------------------------------------


def _given(text: str) -> str:
    if text != "-":
        return text
    with open_input(text) as (file, _):
        return file.read(LONGEST_READ).decode("utf-8-sig", "replace")


def _explain(scorer: Scorer, text: str) -> None:
    assessed = scorer.assess(text)
    held = ", held there by a risk" if assessed.is_pinned else ""
    flags = [name for name, is_set in scorer.flags(assessed).items() if is_set]
    say(f"Pane   {assessed.priority.label}{held}")
    say(f"Score  {assessed.score:.2f}")
    say(f"Label  {assessed.label}")
    say(f"Flags  {', '.join(flags) or 'none'}")
    say(f"Why    {'' if assessed.reasons else 'no rule fired'}".rstrip())
    for line in _why(assessed):
        say(line)
    say()
    say(LIMIT)


def _why(assessed: Assessment) -> Iterator[str]:
    for reason in assessed.reasons:
        words = [f'"{shorten(one_line(word, WORD), WORD)}"' for word in reason.words]
        parts = [*reason.text.split(), *(f"{word};" for word in words[:-1]), *words[-1:]]
        yield from _lines(f"{reason.points:+8.2f} ", [*parts, f"({reason.rule})"])


def _lines(begin: str, parts: Sequence[str]) -> Iterator[str]:
    """Parts on lines of at most `COLUMNS` cells; a part stays whole."""
    line = begin
    for part in parts:
        if width(line) + 1 + width(part) > COLUMNS:
            yield line
            line = " " * len(begin)
        line += f" {part}"
    yield line


# -- a file of them -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Scored:
    """How it went: `bad` counts all bad lines, `named` holds the first of them, in words."""

    lines: int = 0
    good: int = 0
    bad: int = 0
    named: list[str] = field(default_factory=list)


def _score(scorer: Scorer, source: str, target: str) -> int:
    done = _Scored()
    began = time.monotonic()
    with open_input(source) as (file, size), _Output(target) as output:
        shown = Progress(size, beside_output=target == "-")
        try:
            _run(scorer, source, file, output, done, shown)
        finally:
            shown.end()
        if done.good or not done.lines:
            output.keep()
    return _report(done, target, time.monotonic() - began)


def _run(
    scorer: Scorer,
    source: str,
    file: IO[bytes],
    output: "_Output",
    done: _Scored,
    shown: Progress,
) -> None:
    read = 0
    for number, raw in enumerate(lines_of(file), 1):
        read += len(raw)
        if not raw.strip():
            continue
        done.lines += 1
        try:
            record = scorer.line(raw)
        except (ValueError, RecursionError) as error:
            done.bad += 1
            if len(done.named) < NAMED:
                problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                done.named.append(f"{source}, line {number}: {problem}")
        else:
            done.good += 1
            if not output.write(json.dumps(record)):  # in ASCII: no terminal can mistake it
                break
        shown(done.lines, read)


def _report(done: _Scored, target: str, seconds: float) -> int:
    for problem in done.named:
        complain(problem)
    if done.bad > len(done.named):
        complain(f"... and {done.bad - len(done.named)} more.")
    told = f"{done.good} scored, {done.bad} bad, of {done.lines} lines"
    speed = f" ({done.lines / seconds:,.0f} posts a second)" if done.lines and seconds else ""
    if target == "-":
        complain(f"{told}{speed}.")
    else:
        say(f"{told}{speed}.")
    if done.lines and not done.good:
        complain("There was no line to score; nothing was written.")
        return 2
    return 0


def _refuse_same(source: str, target: str) -> None:
    """Refuse to write over what is read, by whatever name."""
    with suppress(OSError, ValueError):
        if "-" not in (source, target) and Path(source).samefile(target):
            raise ConfigError(
                f"{target}: this is the file to read.", "Give another name for the scores."
            )


class _Output:
    """Where the scores go: standard output, a device or pipe, or a file that appears whole.

    A file is written under another name beside its place and takes the place in `keep`; without
    that nothing stays of it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._path = Path(name)
        self._new: Path | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "_Output":
        if self._name == "-":
            if sys.stdout is None:
                raise ConfigError("-: cannot be written (standard output is closed).")
            sys.stdout.flush()
            self._file = sys.stdout.buffer
            return self
        with self._told():
            self._path = self._path.resolve()
            if self._path.exists() and not stat.S_ISREG(self._path.stat().st_mode):
                self._file = self._path.open("wb")  # a folder says so itself
            else:
                handle, new = tempfile.mkstemp(prefix=".scores-", dir=self._path.parent)
                self._new, self._file = Path(new), os.fdopen(handle, "wb")
        return self

    def write(self, line: str) -> bool:
        """Write a line; False when whoever read it has left.

        Raises:
            ConfigError: It cannot be written.
        """
        with self._told():
            try:
                self._open.write(f"{line}\n".encode("ascii"))
            except BrokenPipeError:
                return False
        return True

    def keep(self) -> None:
        """Put the file in its place.

        Raises:
            ConfigError: It cannot be written.
        """
        with self._told():
            with suppress(BrokenPipeError):
                self._open.flush()
            if self._new is not None:
                os.fsync(self._open.fileno())
                self._new.replace(self._path)
                self._new = None

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._name != "-":
            with suppress(OSError):
                self._file.close()
        if self._new is not None:
            self._new.unlink(missing_ok=True)

    @property
    def _open(self) -> IO[bytes]:
        assert self._file is not None, "it was entered"  # noqa: S101
        return self._file

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "odd characters in its name"
            raise ConfigError(
                f"{self._name}: cannot be written ({why}).", "Check the path and the disk."
            ) from None
