"""Where one installation keeps its files."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from carerespond.domain.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Home:
    """Where one installation keeps its files; `CARERESPOND_HOME` puts all of it in one folder."""

    config: Path
    data: Path
    secrets: Path
    logs: Path

    @property
    def config_file(self) -> Path:
        """The configuration file."""
        return self.config / "config.toml"

    @property
    def is_configured(self) -> bool:
        """Whether anything stands where the configuration should, usable or not."""
        try:
            self.config_file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # reading it says what is wrong
        return True

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.data / "carerespond.db"


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """Where this installation lives: `CARERESPOND_HOME`, else the platform's own folders.

    Raises:
        ConfigError: `CARERESPOND_HOME` begins with ~ and the name of nobody here.
    """
    environ = os.environ if environ is None else environ
    if folder := environ.get("CARERESPOND_HOME"):
        try:
            root = Path(folder).expanduser().absolute()
        except RuntimeError:
            raise ConfigError(
                f"CARERESPOND_HOME={folder}: there is no such user.", "Write the path in full."
            ) from None
        return Home(root, root, root / "secrets", root / "logs")
    import platformdirs  # 5 ms that an installation with its own folder saves

    dirs = platformdirs.PlatformDirs("carerespond", appauthor=False)
    config = Path(dirs.user_config_path)
    return Home(config, Path(dirs.user_data_path), config / "secrets", Path(dirs.user_log_path))


def practice_home(home: Home) -> Home:
    """Where practice lives: beside the real installation, never in it."""
    root = home.data / "practice"
    return Home(root, root, root / "secrets", root / "logs")


_RULES = Path(__file__).parent.parent / "rules"
SHIPPED_RULES = ("scoring", "en", "cy", "languages")


def rules_texts(own: Sequence[Path] = ()) -> list[tuple[str, str]]:
    """The triage rules, each file's text and where it came from: those shipped, then the team's.

    Raises:
        ConfigError: A file of the team's own cannot be read.
    """
    shipped = [_RULES / f"{name}.toml" for name in SHIPPED_RULES]
    missing = "Check [inbox] rules_file and language_files in config.toml."
    return [(read_text(path, missing=missing), str(path)) for path in (*shipped, *own)]


def safety_text() -> tuple[str, str]:
    """The shipped examples of safety cards, and where they came from."""
    path = _RULES / "safety.toml"
    return read_text(path), str(path)


def lexicon_texts() -> list[str]:
    """The rated words for the tone of a post: those of others, then our own."""
    return [read_text(_RULES / "tone" / f"{name}.tsv") for name in ("vader", "own")]


def read_text(path: Path, *, missing: str = "Check the path.") -> str:
    """A text file's content, without a byte order mark.

    Args:
        path: The file.
        missing: What to do when there is none.

    Raises:
        ConfigError: It is missing, no file, not UTF-8 or not readable.
    """
    try:
        # Not to wait for a writer, should it be a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "not a file"
                raise ConfigError(f"{path}: this is {what}.", "Put a text file there.")
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read().decode("utf-8-sig").replace("\r\n", "\n")
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.", missing) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 text (byte {error.start + 1}).", "Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}).", "Check its owner and permissions."
        ) from None


def refuse_foreign(path: Path) -> None:
    """Refuse a configuration that somebody else may change: it names programs to start and hosts.

    One that is missing or cannot be looked at is left to whoever reads it.

    Raises:
        ConfigError: It is a symbolic link, or others may write it or its folder.
    """
    for place in (path.parent, path):
        try:
            status = place.lstat()
        except OSError:
            return
        if place == path and stat.S_ISLNK(status.st_mode):
            raise ConfigError(
                f"{path} is a symbolic link.",
                "Put the file itself there, or set CARERESPOND_HOME to the folder it lies in.",
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"{place} belongs to somebody else.", "Make it your own.")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
            raise ConfigError(
                f"{place} can be changed by other users of this computer.",
                f"Run: chmod go-w {place}",
            )
