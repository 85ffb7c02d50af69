"""Opening an address with the program that the configuration names, and with no other."""

import subprocess
from collections.abc import Sequence
from threading import Thread


def open_address(opener: Sequence[str], address: str) -> str:
    """Start the program with the address as its one argument; says how it went."""
    # A space or a control has no place in an address, and some programs would split there.
    is_plain = address.isprintable() and " " not in address
    if not (is_plain and address.startswith(("https://", "http://"))):
        return "only web addresses are opened"
    try:
        started = subprocess.Popen(  # noqa: S603 - the person's own choice, in their configuration
            [*opener, address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"{opener[0]} could not be started: {error.strerror}"
    Thread(target=started.wait, daemon=True).start()  # takes note of its end whenever that is
    return f"{opener[0]} was started"
