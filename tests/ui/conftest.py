"""An installation with ten cases in it, for each test of the inbox on the screen."""

from pathlib import Path

import pytest

from tests.ui.support import House, build


@pytest.fixture
async def house(tmp_path: Path) -> House:
    made = build(tmp_path)
    await made.listen()
    return made
