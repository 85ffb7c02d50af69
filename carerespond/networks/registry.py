"""Every network by its name; one is loaded only when an account of it is opened."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from carerespond.config import AccountConfig
from carerespond.domain.errors import ConfigError, SignInError
from carerespond.networks.base import Network

if TYPE_CHECKING:
    import httpx

    from carerespond.networks.x import Authors, Credentials

NAMES = ("x",)


def open_network(
    account: AccountConfig,
    *,
    secrets: Path,
    now: Callable[[], datetime],
    transport: "httpx.AsyncBaseTransport | None" = None,
    token: str | None = None,
    authors: "Authors | None" = None,
) -> Network:
    """One account, ready to be asked; no request is made.

    Args:
        account: As configured.
        secrets: The folder of secrets.
        now: The present moment.
        transport: Another way than the internet, for practice.
        token: A token that needs no file, for practice.
        authors: Authors known before.

    Raises:
        ConfigError: No such network, or a secret cannot be used.
        SignInError: There is no token for this account.
    """
    if account.network not in NAMES:
        raise ConfigError(
            f"account {account.account_id}: there is no network {account.network!r}.",
            f"Known: {', '.join(NAMES)}.",
        )
    from carerespond.networks.x import XNetwork

    credentials = _credentials(account, secrets, now, transport, token)
    return XNetwork(account, credentials, now=now, transport=transport, authors=authors)


def _credentials(
    account: AccountConfig,
    secrets: Path,
    now: Callable[[], datetime],
    transport: "httpx.AsyncBaseTransport | None",
    token: str | None,
) -> "Credentials":
    from carerespond.networks.client import Client
    from carerespond.networks.tokens import (
        FixedToken,
        SignIn,
        find_bearer,
        load_token,
        token_path,
    )

    if token is not None:
        return FixedToken(token, can_write=True)
    path = token_path(secrets, account.account_id)
    if load_token(path) is not None:
        client = Client(account.base_url, "X", transport)
        return SignIn(path, client, now=now, account=account.account_id)
    bearer = find_bearer(
        secrets, account.account_id, account.network, account.token_file, os.environ
    )
    if bearer:
        return FixedToken(bearer, can_write=False)
    raise SignInError(
        f"Nobody is signed in to {account.account_id}.",
        f"Run: carerespond login {account.account_id}",
    )
