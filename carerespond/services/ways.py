"""Which ways of answering a case are open here: the rules, with this installation's set-up."""

import re
from collections.abc import Mapping

from carerespond.config import Config
from carerespond.domain.errors import Refusal
from carerespond.domain.models import Case, Route
from carerespond.domain.routes import routes
from carerespond.networks.base import Network

_LINK = re.compile(r"https?://\S", re.IGNORECASE)


def ways(
    networks: Mapping[str, Network],
    config: Config,
    case: Case,
    *,
    text: str = "",
    last_refusal: Refusal | None = None,
) -> tuple[Route, ...]:
    """Every way of answering a case, with why and what it costs, the best first.

    Args:
        networks: Networks by account; an account without one can only be handed off.
        config: The price list.
        case: The case.
        text: The answer as far as it is written; an address in it changes the price.
        last_refusal: Why the network refused an answer to this case before.
    """
    network = networks.get(case.account)
    able = network.capabilities if network is not None else None
    return routes(
        case,
        can_reply_api=able is not None and able.reply,
        dm=case.author.receives_dm if able is not None and able.direct_message else False,
        prices=config.prices,
        signed_in=network is not None,
        has_link=bool(_LINK.search(text)),
        last_refusal=last_refusal,
    )
