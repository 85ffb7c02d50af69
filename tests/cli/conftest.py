"""A home to run the program in, and the quick way of running it."""

from pathlib import Path

import pytest

from tests.cli.support import Ran, Run, inside, private


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One with a configuration."""
    return private(tmp_path / "home")


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program in this process."""

    def run_it(where: Path, *arguments: str) -> Ran:
        return inside(where, capsys, monkeypatch, *arguments)

    return run_it
