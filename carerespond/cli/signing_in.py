"""`carerespond login`: signing in to a network from a terminal, also over SSH."""

import asyncio
import sys

from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import ask, say
from carerespond.cli.wiring import utc_now
from carerespond.config import AccountConfig, find_home, load_config
from carerespond.domain.errors import ConfigError
from carerespond.networks import oauth
from carerespond.networks.client import Client
from carerespond.networks.registry import open_network
from carerespond.networks.tokens import save_token, token_path


def sign_in(account_id: str, *, read_only: bool) -> int:
    """Sign in to an account and keep the token in the secrets folder.

    Raises:
        ConfigError: No such account, or its app is not configured.
        NetworkError: The network did not accept the sign-in.
    """
    home = find_home()
    require_configuration(home)
    config = load_config(home.config_file)
    account = next((one for one in config.accounts if one.account_id == account_id), None)
    if account is None:
        known = ", ".join(one.account_id for one in config.accounts) or "none"
        raise ConfigError(
            f"{home.config_file}: there is no account {account_id!r}.", f"Known: {known}."
        )
    if not account.client_id:
        raise ConfigError(
            f"{home.config_file}: account {account_id!r} has no client_id.",
            "Make an app in X's developer console (docs/x.md) and put its client id there.",
        )
    if config.public_body:
        say("You are a public body: X asks for an Enterprise agreement before this. See docs/x.md.")
    scopes = oauth.READ if read_only else oauth.WRITE
    attempt = oauth.begin(
        account.client_id, account.redirect_uri, base_url=account.base_url, scopes=scopes
    )
    say("1. Open this address in any browser, signed in as your organisation, and allow:")
    say()
    say(attempt.address)
    say()
    say("2. The browser then ends at an address that does not open. Copy it within 30 seconds.")
    pasted = ask("3. Paste it here") if sys.stdin.isatty() else sys.stdin.readline()
    return asyncio.run(_finish(account, attempt, pasted))


async def _finish(account: AccountConfig, attempt: oauth.Attempt, pasted: str) -> int:
    home = find_home()
    client = Client(account.base_url, "X")
    try:
        token = await oauth.finish(attempt, pasted, client, utc_now)
    finally:
        await client.aclose()
    save_token(token_path(home.secrets, account.account_id), token)
    network = open_network(account, secrets=home.secrets, now=utc_now)
    try:
        author = await network.me()
    finally:
        await network.aclose()
    say(f"Signed in as @{author.handle}. Next: carerespond")
    if author.handle.casefold() != account.handle.casefold():
        say(f"Note: config.toml names @{account.handle} for this account.")
    return 0
