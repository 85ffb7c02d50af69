"""The rules files of an installation, and the team's own, which the program may add to.

What stands in it is never rewritten: text is added at its end, whole or not at all, one process at
a time, and every byte before stays.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from carerespond.config.model import Config
from carerespond.config.places import read_text, rules_texts
from carerespond.domain.errors import ConfigError

LOCK_SECONDS = 5.0
_LOCK_AGAIN = 0.02


def rule_paths(config: Config) -> tuple[Path, ...]:
    """The files of the team that rules are read from, whether they are there or not."""
    return (*config.language_files, config.own_rules)


def rule_documents(config: Config, own: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """Every rules file, text and name, in the order in which they are read.

    Args:
        config: Which files of the team's own there are; the one beside it need not be there.
        own: What to read in place of the team's own file.

    Raises:
        ConfigError: A file cannot be read.
    """
    documents = rules_texts(config.language_files)
    if own is not None:
        return [*documents, own]
    if config.rules_file is not None or config.own_rules.exists():
        documents.append((read_own(config.own_rules), str(config.own_rules)))
    return documents


def read_own(path: Path) -> str:
    """The text of the team's own file.

    Raises:
        ConfigError: It cannot be read.
    """
    return read_text(path, missing="Check [inbox] rules_file in config.toml.")


def add_to_own(path: Path, make: Callable[[str], str], check: Callable[[str], object]) -> None:
    """Add to the end of the team's own file; killed at any moment, it is the old one or the new.

    Args:
        path: The file; a link is followed, and what it points to is changed.
        make: Given the present text, which is read under a lock, what to add.
        check: Given the whole new text, raises ConfigError when it cannot be used.

    Raises:
        ConfigError: It cannot be read, used or written; nothing was changed.
    """
    path = Path(os.path.realpath(path))
    try:
        with _locked(path.parent):
            before = path.read_bytes() if path.exists() else b""
            text = read_own(path) if before else ""
            added = make(text).encode()
            joint = b"" if not before or before.endswith(b"\n") else b"\n"
            check(f"{text}{joint.decode()}{added.decode()}")
            _replace(path, before + joint + added)
    except OSError as error:
        raise ConfigError(
            f"{path}: the rules cannot be written ({error.strerror}).",
            "Check the folder's owner and permissions.",
        ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder itself, so that no file of ours is left lying in it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + LOCK_SECONDS
        while not _took(handle):
            if time.monotonic() > until:
                raise ConfigError(
                    f"{folder}: another program is writing the rules.", "Try again in a moment."
                )
            time.sleep(_LOCK_AGAIN)
        yield
    finally:
        os.close(handle)


def _took(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, data: bytes) -> None:
    """Put a new file in the place of the old at once, with its permissions."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        left.unlink(missing_ok=True)  # of a program that was killed; we hold the lock
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            if path.exists():
                status = path.stat()
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
                with suppress(PermissionError):
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def state_of(paths: Sequence[Path]) -> tuple[tuple[int, int, int], ...]:
    """Tells whether one of the files was changed; costs a few microseconds."""
    found = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
