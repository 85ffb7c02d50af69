from pathlib import Path

import pytest

from tests.cli.support import run

COMMANDS = ["", "practice", "check", "listen", "import", "triage", "init", "login", "doctor"]
COMMANDS += ["rules try", "rules check", "rules learned", "rules forget"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_shows_an_example(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, *command.split(), "--help")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80
    assert f"  carerespond {command or 'practice'}" in done.stdout.decode()


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["nonsense"], ["import"], ["triage"], ["login"]]
)
def test_wrong_use_is_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    assert run(tmp_path, *arguments).returncode == 2


@pytest.mark.parametrize("command", [[], ["check"], ["listen"], ["import", "x.jsonl"]])
def test_without_configuration_it_offers_practice_and_set_up(
    tmp_path: Path, command: list[str]
) -> None:
    done = run(tmp_path, *command)
    words = done.stderr.decode()
    assert done.returncode == 2
    assert "carerespond practice" in words
    assert "carerespond init" in words
    assert "Traceback" not in words
    assert not list(tmp_path.iterdir()), "nothing was changed"


def test_init_writes_a_configuration_that_the_doctor_finds_right(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "--name", 'St "Else" \\ Where', "--handle", "@StElsewhere")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.toml").stat().st_mode & 0o077 == 0
    doctor = run(tmp_path, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert b": 1 saved search, 1 account, 0 services" in doctor.stdout
    assert b"nobody is signed in to x" in doctor.stdout
    assert b"Put its client_id into config.toml, then run: carerespond login x" in doctor.stdout


def test_init_never_touches_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    done = run(tmp_path, "init", "--name", "A", "--handle", "b")
    assert done.returncode == 2
    assert b"there already" in done.stderr
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_init_writes_through_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "config.toml").symlink_to(tmp_path / "elsewhere")
    assert run(tmp_path, "init", "--name", "A", "--handle", "b").returncode == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[organisation]\nname = 'A'\npubic_body = true\n", ["line 3", "'public_body'"]),
        ("[organisation]\nname = 3\n", ["line 2", "text in quotes"]),
        ("[organisation\n", ["not valid TOML"]),
        ("", ["line 1", "no name"]),
    ],
)
@pytest.mark.parametrize("command", ["check", "listen", ""])
def test_a_bad_configuration_is_one_clear_message_and_exit_code_2(
    tmp_path: Path, command: str, text: str, words: list[str]
) -> None:
    (tmp_path / "config.toml").write_text(text)
    done = run(tmp_path, *([command] if command else []))
    message = done.stderr.decode()
    assert done.returncode == 2
    assert "config.toml" in message
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"], "nothing was changed"


def test_terminal_codes_in_an_argument_do_not_come_back_raw(tmp_path: Path) -> None:
    done = run(tmp_path, "import", "a\x1b]0;title\x07\x9b31m.jsonl")
    assert b"\x1b" not in done.stderr
    assert b"\x9b" not in done.stderr
    done = run(tmp_path, "no\x1b[31msuch")
    assert b"\x1b" not in done.stderr
