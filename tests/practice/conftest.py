"""The practice network of each test."""

from collections.abc import AsyncIterator

import pytest

from tests.practice.support import Network, build


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    network = build()
    yield network
    await network.client.aclose()
