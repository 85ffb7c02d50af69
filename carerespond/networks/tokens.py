"""Tokens: where they are kept, how they are read, and how one is renewed by one process at a time.

X's refresh tokens work once (X: docs/fundamentals/authentication/oauth-2-0): two terminals that
renew at once would lock each other out. So a renewal holds a lock on a file beside the token and
reads the token again inside it.
"""

import asyncio
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from carerespond.domain.errors import (
    BadAnswerError,
    ConfigError,
    SignInError,
    UnreachableError,
)
from carerespond.networks.client import Answer, Client

TOKEN_PATH = "/2/oauth2/token"  # noqa: S105  # an address, not a secret
LOCK_SECONDS = 25.0  # longer than a renewal may take
_LOCK_AGAIN = 0.2
_EARLY = timedelta(seconds=60)
_OK = 200


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A user's token; `expires_at` is seconds since 1970. Never shown, not even by repr."""

    access_token: str
    refresh_token: str
    expires_at: float
    client_id: str

    def __repr__(self) -> str:
        return "Token(...)"


def read_secret(path: Path) -> str:
    """A secret file's text.

    Raises:
        ConfigError: It is missing, a link, somebody else's, or others can read it.
    """
    try:
        # Not to wait for a writer, should it be a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.", "Check token_file.") from None
    except OSError as error:
        raise ConfigError(
            f"{path}: this secret cannot be opened ({error.strerror}).",
            "It must be a file of your own, not a link.",
        ) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(f"{path}: this secret is not a file of yours.", "Make it your own.")
        if status.st_mode & 0o077:
            raise ConfigError(
                f"{path}: this secret can be read by others.", f"Run: chmod 600 {path}"
            )
        # Some editors put a mark before the text, which is no part of it.
        return os.read(handle, 1 << 16).decode("utf-8-sig", "replace").strip()
    finally:
        os.close(handle)


def write_secret(path: Path, text: str) -> None:
    """Replace a secret file at once, so that no reader sees half of it.

    Raises:
        ConfigError: The folder cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)  # on a full disk half of it is there
        raise ConfigError(
            f"{path}: this secret cannot be written ({error.strerror}).",
            "Check the folder's owner and permissions.",
        ) from None


def token_path(secrets: Path, account_id: str) -> Path:
    """Where an account's sign-in is kept."""
    return secrets / f"{account_id}.token"


def bearer_path(secrets: Path, account_id: str) -> Path:
    """Where an account's bearer token is kept, for reading alone."""
    return secrets / f"{account_id}.bearer"


def find_bearer(
    secrets: Path, account_id: str, network: str, file: Path | None, environ: Mapping[str, str]
) -> str | None:
    """A bearer token to read with, from the first place that has one (docs/configuration.md).

    Raises:
        ConfigError: A named file cannot be used, or holds no token.
    """
    name = f"CARERESPOND_{network.upper()}_BEARER"
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        given = Path(folder) / f"{account_id}.bearer"
        if given.exists():
            # systemd makes these readable for the service alone, by means other than the mode.
            return _bearer(_read_given(given), str(given))
    if named := environ.get(f"{name}_FILE"):
        return _bearer(read_secret(Path(named)), named)
    if file is not None:
        return _bearer(read_secret(file), str(file))
    if value := environ.get(name):
        return _bearer(value.strip(), name)
    kept = bearer_path(secrets, account_id)
    return _bearer(read_secret(kept), str(kept)) if os.path.lexists(kept) else None


def _bearer(text: str, place: str) -> str:
    """A token, which goes into a header as it stands."""
    if not is_sendable(text):
        raise ConfigError(
            f"{place}: this is no token: it has other than plain letters, digits and signs.",
            "Copy the token again, alone and on one line.",
        )
    return text


def is_sendable(token: str) -> bool:
    """Whether a header can hold it."""
    return token.isascii() and token.isprintable()


def _read_given(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: this secret cannot be read ({type(error).__name__}).",
            "Check LoadCredential in the unit.",
        ) from None


def load_token(path: Path) -> Token | None:
    """The sign-in kept in a file; None when there is none.

    Raises:
        ConfigError: The file cannot be used, or is no sign-in.
    """
    if not os.path.lexists(path):
        return None
    try:
        token = Token(**json.loads(read_secret(path)))
        if is_sendable(token.access_token):
            return token
    except (ValueError, TypeError, AttributeError):
        pass  # told as the rest is
    raise ConfigError(f"{path}: this is no sign-in of carerespond.", "Remove it and sign in again.")


def save_token(path: Path, token: Token) -> None:
    """Keep a sign-in."""
    write_secret(path, json.dumps(asdict(token)))


def read_token(answer: Answer, client_id: str, now: datetime, old_refresh: str = "") -> Token:
    """The token of a token endpoint's answer.

    Raises:
        SignInError: The network does not give one.
        BadAnswerError: The answer is no token.
    """
    record = answer.record if isinstance(answer.record, dict) else {}
    if answer.status in (400, 401, 403):
        raise SignInError("X does not accept the sign-in any more.", "Sign in again.")
    access, refresh = record.get("access_token"), record.get("refresh_token", old_refresh)
    seconds = record.get("expires_in", 7200)
    whole = isinstance(access, str) and isinstance(refresh, str) and isinstance(seconds, int)
    if answer.status != _OK or not whole or not is_sendable(str(access)):
        raise BadAnswerError(f"X answered {answer.status} in place of a token.")
    return Token(str(access), str(refresh), now.timestamp() + int(seconds), client_id)


@contextmanager
def _as_sign_in() -> Iterator[None]:
    """A file that cannot be used is, to whoever asks a network, a sign-in that cannot be used."""
    try:
        yield
    except ConfigError as error:
        raise SignInError(error.problem, error.remedy) from None


class FixedToken:
    """A token that nobody renews."""

    def __init__(self, token: str, *, can_write: bool) -> None:
        self._token = token
        self.can_write = can_write

    async def token(self) -> str:
        """The token."""
        return self._token

    async def renew(self, refused: str) -> str | None:  # noqa: ARG002  # there is nothing to renew
        """There is no other."""
        return None


class SignIn:
    """A user's sign-in, renewed when it is about to end or was refused.

    Args:
        path: The token file, which other processes use too.
        client: Reaches the token endpoint.
        now: The present moment.
        account: The account's id, for errors.
        patience: Seconds to wait for another process that renews.
    """

    can_write = True

    def __init__(
        self,
        path: Path,
        client: Client,
        *,
        now: Callable[[], datetime],
        account: str,
        patience: float = LOCK_SECONDS,
    ) -> None:
        self._path = path
        self._client = client
        self._now = now
        self._account = account
        self._patience = patience
        self._present: Token | None = None
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """The present access token, renewed when it is about to end.

        Raises:
            SignInError: There is no sign-in, or it cannot be renewed.
        """
        with _as_sign_in():
            token = self._present = self._present or load_token(self._path)
        if token is None:
            raise SignInError(
                f"Nobody is signed in to {self._account}.",
                f"Run: carerespond login {self._account}",
            )
        if token.expires_at > (self._now() + _EARLY).timestamp():
            return token.access_token
        renewed = await self.renew(token.access_token)
        if renewed is None:
            raise SignInError(
                f"The sign-in of {self._account} has ended.",
                f"Run: carerespond login {self._account}",
            )
        return renewed

    async def renew(self, refused: str) -> str | None:
        """A newer token than the one that was refused; None when the sign-in has ended.

        Raises:
            SignInError: The token file cannot be used.
            UnreachableError: Another process is renewing it and does not end.
            NetworkError: The token endpoint could not be asked; the sign-in stays as it is.
        """
        until = (
            time.monotonic() + self._patience
        )  # for all who wait here, not for one after another
        async with self._renewing:
            held = await self._lock(until)
            try:
                return await self._renew(refused)
            finally:
                os.close(held)

    async def _lock(self, until: float) -> int:
        """The lock, tried without blocking: its holder may have been stopped."""
        handle = self._open_lock()
        try:
            await self._turn(handle, until)
        except BaseException:
            os.close(handle)
            raise
        return handle

    async def _turn(self, handle: int, until: float) -> None:
        while not self._is_locked(handle):
            if time.monotonic() >= until:
                raise UnreachableError(
                    f"Another program has been renewing the sign-in of {self._account}"
                    f" for {self._patience:.0f} seconds.",
                    "Look for a carerespond that was stopped, and end it.",
                )
            await asyncio.sleep(_LOCK_AGAIN)

    def _is_locked(self, handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._no_lock(error) from None
        return True

    def _no_lock(self, error: OSError) -> SignInError:
        return SignInError(
            f"{self._path.with_suffix('.lock')}: this cannot be locked ({error.strerror}).",
            "Check the folder's owner and permissions.",
        )

    def _open_lock(self) -> int:
        path = self._path.with_suffix(".lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)
        except OSError as error:
            raise self._no_lock(error) from None

    async def _renew(self, refused: str) -> str | None:
        """Inside the lock: another process may have renewed it already."""
        with _as_sign_in():
            token = load_token(self._path)
        if token is None:
            return None
        if token.access_token != refused:
            self._present = token
            return token.access_token
        if not token.refresh_token:
            return None
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token.refresh_token,
            "client_id": token.client_id,
        }
        answer = await self._client.request("POST", TOKEN_PATH, form=form)
        try:
            new = read_token(answer, token.client_id, self._now(), token.refresh_token)
        except SignInError:
            return None
        self._present = new  # should it not be kept, it is still good for as long as it lasts
        with _as_sign_in():
            save_token(self._path, new)
        return new.access_token
