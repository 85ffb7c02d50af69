"""Where files are made, that they are their owner's alone, and that no memory is written out."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import PATIENCE, Terminal, broken, environment, ran, run

UMASKS = [0o022, 0o002, 0o077, 0o000]


def check_private(folder: Path) -> None:
    """Nothing below can be read or changed by others, nor can it be entered."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.lstat().st_mode
        assert not mode & 0o077, f"{path} is {stat.filemode(mode)}"


def make_everything(home: Path, umask: int, at: Path | None = None) -> None:
    """Set up, look, practise and fail, beginning with a folder that is not there yet."""
    before = os.umask(umask)
    try:
        ran(home, "init", "--name", "A", "--handle", "a", at=at)
        ran(home, "check", at=at)
        ran(home, "import", "/dev/null", at=at)
        with Terminal(home, "practice", at=at) as terminal:
            terminal.wait_for("PRACTICE")
            terminal.program.terminate()
            terminal.end()
    finally:
        os.umask(before)


@pytest.mark.promise
@pytest.mark.parametrize("umask", UMASKS)
def test_whatever_is_made_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    home = tmp_path / "not" / "there" / "yet"
    make_everything(home, umask)
    check_private(tmp_path / "not")
    made = {path.name for path in home.rglob("*")}
    assert made >= {"config.toml", "carerespond.db", "practice", "practice.json"}


@pytest.mark.promise
def test_files_of_the_shells_choice_would_be_noticed(tmp_path: Path) -> None:
    program = broken(tmp_path / "program", "__main__.py", "os.umask(0o077)", "os.umask(0o022)")
    make_everything(tmp_path / "home" / "deep", 0o022, at=program)
    with pytest.raises(AssertionError, match=r"is [d-]r"):
        check_private(tmp_path / "home")


@pytest.mark.promise
def test_a_report_of_a_fault_is_its_owners_alone(tmp_path: Path) -> None:
    program = broken(
        tmp_path / "program", "services/status.py", "    moment = now()\n", "    moment = 1 / 0\n"
    )
    home = tmp_path / "home"
    ran(home, "init", "--name", "Canary House", "--handle", "a")
    told = ran(home, "check", at=program)
    (report,) = (home / "logs").iterdir()
    assert told.code == 70
    assert str(report) in told.err
    check_private(home)
    words = report.read_text()
    assert "ZeroDivisionError" in words
    assert "status.py" in words
    assert "Canary" not in words


def check_no_core(at: Path | None = None) -> None:
    program = (
        "import resource, runpy, sys\n"
        "sys.argv = ['carerespond', '--version']\n"
        "try: runpy.run_module('carerespond', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=at, capture_output=True, timeout=PATIENCE, check=True
    )
    assert b"(0, 0)" in done.stdout


@pytest.mark.promise
def test_memory_is_never_written_out(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("core dumps are off here already")
    check_no_core()
    line = "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
    with pytest.raises(AssertionError):
        check_no_core(broken(tmp_path, "__main__.py", line, "pass"))


def test_one_folder_keeps_everything(tmp_path: Path) -> None:
    home = tmp_path / "all"
    elsewhere = tmp_path / "user"
    elsewhere.mkdir()
    for command in (["init", "--name", "A", "--handle", "a"], ["check"]):
        run(home, *command, HOME=str(elsewhere), XDG_CONFIG_HOME="", XDG_DATA_HOME="")
    assert list(elsewhere.rglob("*")) == []
    assert {path.name for path in home.iterdir()} >= {"config.toml", "carerespond.db"}


def test_without_it_the_platforms_folders_are_used(tmp_path: Path) -> None:
    environ = environment(tmp_path, HOME=str(tmp_path))
    del environ["CARERESPOND_HOME"]
    for name in [name for name in environ if name.startswith("XDG_")]:
        del environ[name]
    said = b""
    for command in (["init", "--name", "A", "--handle", "a"], ["check"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "carerespond", *command],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done
        said = done.stdout
    names = {"config.toml", "carerespond.db"}
    found = {path.name: path for path in tmp_path.rglob("*") if path.name in names}
    assert set(found) == names
    assert all(path.parent.name == "carerespond" for path in found.values())
    assert str(found["config.toml"]) in said.decode(), "the doctor names them"
