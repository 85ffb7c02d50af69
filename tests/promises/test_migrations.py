"""A migration that is killed leaves the old database or the new one, and can be run again."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carerespond.domain.errors import NewerDatabaseError
from carerespond.storage.schema import MIGRATIONS
from carerespond.storage.sqlite import open_database
from tests.promises.support import ROOT

pytestmark = pytest.mark.promise


def migrations(folder: Path, start: str, tries: int, **more: Any) -> dict[str, Any]:
    """Run the job in a process of its own, which forks those that are killed."""
    job = {"folder": str(folder), "start": start, "tries": tries, "seed": 1, "planted": False}
    command = [sys.executable, "-m", "tests.promises.support_migrations"]
    done = subprocess.run(
        [*command, json.dumps({**job, **more})],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    logging.getLogger(__name__).info("from %s: %s", start, found)
    return found


@pytest.mark.parametrize("start", ["nothing", "the version before"])
def test_a_killed_migration_is_whole_or_has_not_happened(tmp_path: Path, start: str) -> None:
    found = migrations(tmp_path, start, 120)
    assert (found["half"], found["stuck"]) == (0, 0), found
    assert found["killed"] > 30, "the kills came too late to show anything"
    assert found["old"] > 0, found


@pytest.mark.parametrize("start", ["nothing", "the version before"])
def test_a_migration_by_script_is_caught(tmp_path: Path, start: str) -> None:
    """Planted bug: each statement is committed for itself."""
    found = migrations(tmp_path, start, 60, planted=True)
    assert found["half"] > 0, found
    assert found["stuck"] > 0, found


@pytest.mark.parametrize("start", ["nothing", "the version before"])
def test_processes_that_start_at_once_migrate_once(tmp_path: Path, start: str) -> None:
    assert migrations(tmp_path, start, 25, together=True) == {"right": 25}


def test_a_migrated_database_is_refused_by_the_program_before(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    open_database(path, migrations=[*MIGRATIONS, ["CREATE TABLE later (a)"]]).close_now()
    before = path.read_bytes()
    with pytest.raises(NewerDatabaseError):
        open_database(path)
    assert path.read_bytes() == before
