"""`carerespond triage`: a text explained, a file scored; nothing needed, nothing half written."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import PATIENCE, Ran, Run, Terminal, broken, environment, ran, run
from tests.domain.support import shipped_rules

DANGER = "i dont trust myself at home tonight"
LONG_WAIT = "Waited 6 hours, rude receptionist, then sent home. Disgraceful"
THANKS = "Thank you to everyone on ward 7, amazing care"
NEWS = "We're hiring! Staff nurse, apply now https://jobs.example/1"
SAID = ("id", "priority_score", "score", "label", "selfharm", "risk", "noise", "priority")


def line(name: object = "a", text: object = THANKS, **more: object) -> bytes:
    return json.dumps({"id": name, "text": text, **more}).encode() + b"\n"


def write(folder: Path, *lines: bytes) -> str:
    path = folder / "in.jsonl"
    path.write_bytes(b"".join(lines))
    return str(path)


def scores(path: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in path.read_text(encoding="ascii").splitlines()]


def test_a_text_is_explained_without_any_set_up(tmp_path: Path) -> None:
    done = run(tmp_path, "triage", "--explain", DANGER)
    said = done.stdout.decode().splitlines()
    assert said[0] == "Pane   urgent, held there by a risk"
    assert said[2:4] == ["Label  complaint", "Flags  selfharm, risk"]
    assert '"dont trust myself"' in said[5]
    assert "(risk_self_harm)" in "".join(said[5:7])
    assert said[-1] == "It flags some posts, not all: a person still has to see every one."
    assert done.returncode == 0
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_the_points_that_are_told_add_up_to_the_score(tmp_path: Path, here: Run) -> None:
    said = here(tmp_path, "triage", "--explain", LONG_WAIT).out.splitlines()
    points = [float(one[:8]) for one in said if one[:8].strip()[:1] in ("+", "-")]
    assert math.isclose(sum(points), float(said[1].removeprefix("Score")), abs_tol=0.05)


@pytest.mark.parametrize(
    "text", [LONG_WAIT * 20, "", "\u202e\x1b[2J waited so \x1b[31mlong", "so \u6f22" * 500, DANGER]
)
def test_what_is_explained_is_harmless_and_fits_80_columns(
    tmp_path: Path, here: Run, text: str
) -> None:
    told = here(tmp_path, "triage", f"--explain={text}")
    assert told.code == 0
    assert max(len(one) for one in told.out.splitlines()) <= 80
    assert not {"\x1b", "\u202e"} & set(told.out)


def test_a_text_may_come_from_a_pipe(tmp_path: Path) -> None:
    said = run(tmp_path, "triage", "--explain", "-", stdin=DANGER.encode() + b" \xff").stdout
    assert said.startswith(b"Pane   urgent")


def test_a_file_is_scored_in_its_order(tmp_path: Path, here: Run) -> None:
    texts = {"n": NEWS, "p": THANKS, "d": DANGER, 4: LONG_WAIT, "e": ""}
    source = write(tmp_path, *(line(name, text, extra=[1]) for name, text in texts.items()))
    told = here(tmp_path, "triage", "--score", source, str(tmp_path / "out"))
    assert told.code == 0
    assert told.out.startswith("5 scored, 0 bad, of 5 lines (")
    found = {one["id"]: one for one in scores(tmp_path / "out")}
    assert list(found) == list(texts)
    assert [tuple(one) for one in found.values()] == [(*SAID, "reasons")] * 5
    assert all(math.isfinite(one["priority_score"]) for one in found.values())
    assert [found[name]["priority"] for name in texts][:3] == ["watch", "praise", "urgent"]
    assert [found[name]["noise"] for name in texts] == [True, False, False, False, False]
    assert [found[name]["selfharm"] for name in texts] == [False, False, True, False, False]
    assert [found[name]["risk"] for name in texts] == [False, False, True, False, False]
    assert found[4]["label"] == "complaint"
    for one in found.values():
        assert math.isclose(sum(why["points"] for why in one["reasons"]), one["score"])
        assert all(set(why) == {"rule", "reason", "points", "words"} for why in one["reasons"])


def test_a_pinned_post_counts_at_least_as_urgent(tmp_path: Path, here: Run) -> None:
    angry = " ".join(["Waited 6 hours disgusting rude nobody answered"] * 50)
    source = write(tmp_path, line("angry", angry), line("danger", f"{DANGER}. {THANKS * 5}"))
    here(tmp_path, "triage", "--score", source, str(tmp_path / "out"))
    first, second = scores(tmp_path / "out")
    assert first["priority_score"] == first["score"]
    assert second["priority_score"] > shipped_rules().panes["urgent"] > second["score"]


BAD = {
    "no text": (line(text=None), "text is missing"),
    "a number for text": (line(text=7), "text is not text"),
    "no id": (line(name=None), "id is missing"),
    "a flag for an id": (line(name=True), "id is no text"),
    "a number for a language": (line(lang=7), "lang is not text"),
    "no JSON": (b"hello\n", "not JSON: Expecting value at character 1"),
    "a list": (b"[1]\n", "not a record in { }"),
    "not UTF-8": (b'{"id": "\xff"}\n', "not UTF-8 (byte 9)"),
    "too deep": (b"[" * 100_000 + b"\n", "nested too deeply"),
    "much too long": (b'{"text": "' + b"a" * (20 << 20) + b'"}\n', "longer than 8 MiB"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_named_and_counted(tmp_path: Path, here: Run, kind: str) -> None:
    bad, words = BAD[kind]
    source = write(tmp_path, line("a"), b"\n", bad, line("b", lang=None))
    told = here(tmp_path, "triage", "--score", source, str(tmp_path / "out"))
    assert told.code == 0
    assert told.out.startswith("2 scored, 1 bad, of 3 lines (")
    assert told.err.startswith(f"{source}, line 3: {words}")
    assert [one["id"] for one in scores(tmp_path / "out")] == ["a", "b"]


def test_only_some_bad_lines_are_named(tmp_path: Path, here: Run) -> None:
    source = write(tmp_path, line("a"), *[b"x\n"] * 500)
    told = here(tmp_path, "triage", "--score", source, str(tmp_path / "out"))
    assert told.err.splitlines()[20:] == ["... and 480 more."]


def test_a_file_without_a_line_to_score_changes_nothing(tmp_path: Path, here: Run) -> None:
    (tmp_path / "out").write_text("what was")
    told = here(tmp_path, "triage", "--score", write(tmp_path, b"x\n"), str(tmp_path / "out"))
    assert told.code == 2
    assert "nothing was written" in told.err
    assert (tmp_path / "out").read_text() == "what was"


def test_an_empty_file_is_no_fault(tmp_path: Path, here: Run) -> None:
    told = here(tmp_path, "triage", "--score", write(tmp_path), str(tmp_path / "out"))
    assert told == Ran(0, "0 scored, 0 bad, of 0 lines.\n")
    assert (tmp_path / "out").read_bytes() == b""


def test_both_ends_may_be_pipes(tmp_path: Path) -> None:
    done = run(tmp_path, "triage", "--score", "-", "-", stdin=line("a") + line("b", "\ud83d"))
    assert [json.loads(one)["id"] for one in done.stdout.splitlines()] == ["a", "b"]
    assert done.stderr.startswith(b"2 scored, 0 bad, of 2 lines (")


def test_a_reader_who_leaves_is_no_fault(tmp_path: Path) -> None:
    source = write(tmp_path, *[line("a")] * 5_000)
    done = subprocess.run(
        [
            "sh",
            "-c",
            '"$0" -m carerespond triage --score "$1" - | head -n 1',
            sys.executable,
            source,
        ],
        env=environment(tmp_path),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert json.loads(done.stdout)["id"] == "a"
    assert b"wrong" not in done.stderr
    assert b"Error" not in done.stderr


def test_what_is_read_is_never_written_over(tmp_path: Path, here: Run) -> None:
    source = write(tmp_path, line())
    (tmp_path / "link").symlink_to(source)
    for name in (source, str(tmp_path / "link"), str(tmp_path / ".." / tmp_path.name / "in.jsonl")):
        told = here(tmp_path, "triage", "--score", source, name)
        assert told.code == 2
        assert "this is the file to read" in told.err
    assert Path(source).read_bytes() == line()


@pytest.mark.parametrize("name", ["", "missing/out", "\0"])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, here: Run, name: str) -> None:
    told = here(tmp_path, "triage", "--score", write(tmp_path, line()), f"{tmp_path}/{name}")
    assert told.code == 2
    assert "cannot be written (" in told.err
    assert len(told.err.splitlines()) == 1


def test_a_device_stays_one(tmp_path: Path, here: Run) -> None:
    assert here(tmp_path, "triage", "--score", write(tmp_path, line()), "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def check_whole_or_not_at_all(folder: Path, at: Path | None = None) -> None:
    """A file that ends in the middle by a fault leaves what was there, and nothing beside it."""
    folder.mkdir()
    source = folder / "in.jsonl"
    source.write_bytes(line() * 3 + line(text="x" * 100_000) * 2)
    out = folder / "out"
    out.write_text("what was")
    limited = 'ulimit -f 1; trap "" XFSZ; exec "$0" -m carerespond triage --score "$1" "$2"'
    done = subprocess.run(
        ["bash", "-c", limited, sys.executable, source, out],
        env=environment(folder, **({"PYTHONPATH": str(at)} if at else {})),
        cwd=at,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert out.read_text() == "what was"
    assert sorted(one.name for one in folder.iterdir()) == ["in.jsonl", "out"]


def test_scores_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    check_whole_or_not_at_all(tmp_path / "home")


def test_scores_written_in_place_would_be_noticed(tmp_path: Path) -> None:
    at = broken(
        tmp_path, "cli/triage.py", "self._path.exists() and not", "self._path.exists() or not"
    )
    with pytest.raises(AssertionError):
        check_whole_or_not_at_all(tmp_path / "home", at)


OWN = """
[[group]]
id = "parking"
kind = "complaint"
weight = 9.0
reason = "parking"
patterns = ["nowhere to park"]
"""


def test_the_teams_own_rules_count_unless_left_out(home: Path, here: Run) -> None:
    (home / "rules.toml").write_text(OWN)
    text = "nowhere to park @StElsewhere at the eye clinic"
    own = here(home, "triage", "--explain", text).out
    assert own.startswith("Pane   urgent")
    assert "(parking)" in own
    assert "(context.names_us)" in own
    assert "(context.service_named)" in own
    shipped = here(home, "triage", "--shipped", "--explain", text).out
    assert "(parking)" not in shipped
    assert "(context" not in shipped


def test_broken_rules_of_the_team_are_named_and_can_be_left_out(home: Path, here: Run) -> None:
    (home / "rules.toml").write_text("[[group]]\nid = 7\n")
    told = here(home, "triage", "--explain", THANKS)
    assert told.code == 2
    assert "rules.toml, line 1" in told.err
    assert here(home, "triage", "--shipped", "--explain", THANKS).code == 0


def test_a_bar_shows_how_far_it_is(tmp_path: Path) -> None:
    source = write(tmp_path, *[line(text=LONG_WAIT)] * 2_000)
    with Terminal(tmp_path, "triage", "--score", source, str(tmp_path / "out")) as terminal:
        terminal.wait_for("[#")
        assert terminal.end().code == 0
    assert "2000 scored, 0 bad" in terminal.shown


def memory(folder: Path, lines: int) -> int:
    """The most memory that scoring so many lines takes, in KiB."""
    source = folder / f"{lines}.jsonl"
    source.write_bytes(line(text=LONG_WAIT) * lines)
    code = (
        "import resource, sys; from carerespond.cli.main import main;"
        "main(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "triage", "--score", source, folder / "out"],
        env=environment(folder),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    return int(done.stdout.split()[-1])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    assert memory(tmp_path, 20_000) - memory(tmp_path, 200) < 2_000


def test_it_reads_no_database_and_opens_no_connection(tmp_path: Path) -> None:
    told = ran(tmp_path, "triage", "--explain", THANKS)
    assert told.code == 0
    code = (
        "import sys; from carerespond.cli.main import main; main(['triage', '--explain', 'a']);"
        "print([one for one in ('sqlite3', 'httpx', 'textual', 'pydantic') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, check=True
    )
    assert done.stdout.decode().splitlines()[-1] == "[]"
