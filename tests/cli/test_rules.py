"""`carerespond rules`: what other rules would move, and whether a file of rules is right."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from carerespond.domain.models import Priority
from carerespond.domain.text import width
from carerespond.services.importer import Imported, Importer
from carerespond.storage.sqlite import connect
from tests.cli.support import CONFIG, Run, inside

RULE = """\
[[group]]
id = "team_parking"
kind = "complaint"
weight = 4.0
reason = "parking"
patterns = ["parking meter"]
"""


@pytest.fixture(name="run")
def run_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    (tmp_path / "config.toml").write_text(CONFIG)
    return partial(inside, tmp_path, capsys, monkeypatch)


def line(number: int, text: str, days: float = 1, handle: str = "") -> str:
    at = datetime.now(UTC) - timedelta(days=days)
    author = {"id": f"a{number}", "handle": handle or f"person{number}"}
    return json.dumps(
        {"network": "x", "id": str(number), "text": text, "created_at": at.isoformat()}
        | {"author": author}
    )


def fill(home: Path, run: Run, *lines: str) -> None:
    posts = home / "posts.jsonl"
    posts.write_text("\n".join(lines))
    assert run("import", str(posts)).code == 0


def everything(home: Path) -> list[str]:
    connection = connect(home / "carerespond.db", read_only=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_try_says_what_would_move_and_changes_nothing(tmp_path: Path, run: Run) -> None:
    fill(
        tmp_path,
        run,
        line(1, "the parking meter again"),
        line(2, "a quiet ward"),
        line(3, "parking meter, and nobody rings back, twice"),
        line(4, "the parking meter, long ago", days=40),
    )
    before = everything(tmp_path)
    file = tmp_path / "new.toml"
    file.write_text(RULE)
    ran = run("rules", "try", str(file))
    assert ran.code == 0
    assert "With new.toml: 2 of 3 cases of the last 30 days would move." in ran.out
    assert "2  watch -> today" in ran.out
    assert "@person1: the parking meter again" in ran.out
    assert "@person4" not in ran.out
    assert "@person4" in run("rules", "try", str(file), "--days", "60").out
    assert everything(tmp_path) == before
    file.write_text("")
    assert "none of 3 cases" in run("rules", "try", str(file)).out


def test_try_says_how_many_dangers_would_be_let_go(tmp_path: Path, run: Run) -> None:
    fill(tmp_path, run, line(1, "i want to kill myself, disgraceful, nobody answers, fuming"))
    file = tmp_path / "new.toml"
    file.write_text('[[group]]\nid = "risk_self_harm"\npin = false\n')
    assert "ATTENTION: 1 of them would no longer be held" in run("rules", "try", str(file)).out
    file.write_text('[[group]]\nid = "wait"\nweight = 1.3\n')
    assert "ATTENTION" not in run("rules", "try", str(file)).out


def test_what_try_says_is_what_moves(tmp_path: Path, run: Run) -> None:
    """The number of moved cases is the number that the next start moves."""
    texts = ["parking meter", "the parking meter was rude", "thank you all", "parking meters?"]
    fill(tmp_path, run, *(line(n, text) for n, text in enumerate(texts, 1)))
    own = tmp_path / "rules.toml"
    new = tmp_path / "new.toml"
    new.write_text(RULE)
    told = int(run("rules", "try", str(new)).out.split(": ")[1].split()[0])

    def panes() -> dict[int, int]:
        connection = connect(tmp_path / "carerespond.db", read_only=True)
        try:
            return dict(connection.execute("SELECT case_id, priority FROM cases").fetchall())
        finally:
            connection.close()

    before = panes()
    new.rename(own)
    fill(tmp_path, run, line(99, "a bus"))  # an import places every case by the rules of now
    after = panes()
    assert sum(after[case_id] != pane for case_id, pane in before.items()) == told > 0


def test_lines_are_clean_and_fit(tmp_path: Path, run: Run) -> None:
    hostile = "parking meter \x1b[31m\u202e" + "wide 漢字 " * 30
    fill(tmp_path, run, line(1, hostile, handle="a" * 90 + "\x1b]0;x\x07"))
    file = tmp_path / "new.toml"
    file.write_text(RULE)
    ran = run("rules", "try", str(file))
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert max(width(row) for row in ran.out.splitlines()) <= 80


@pytest.mark.parametrize("command", ["try", "check"])
def test_a_mistake_names_its_line(tmp_path: Path, run: Run, command: str) -> None:
    file = tmp_path / "new.toml"
    file.write_text(RULE + "wieght = 2\n")
    ran = run("rules", command, str(file))
    assert ran.code == 2
    assert "new.toml, line 7, group team_parking: unknown key 'wieght'" in ran.err
    assert run("rules", command, str(tmp_path / "none.toml")).code == 2


def test_try_before_there_are_cases(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "new.toml"
    file.write_text(RULE)
    ran = run("rules", "try", str(file))
    assert (ran.code, ran.out) == (0, "There are no cases of the last 30 days yet.\n")


def test_check_of_the_shipped_rules(run: Run) -> None:
    ran = run("rules", "check")
    assert ran.code == 0
    assert ran.out.startswith("OK: ")
    assert "the team has no rules of its own" in ran.out


def test_check_tries_every_sentence(tmp_path: Path, run: Run) -> None:
    (tmp_path / "rules.toml").write_text(RULE + 'must_match = ["the meter"]\n')
    ran = run("rules", "check")
    assert ran.code == 2
    assert "team_parking must match: the meter" in ran.err


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ('id = "risk_self_harm"\npin = false', "the pin is taken off a danger"),
        ('id = "risk_self_harm"\nweight = 0', "its weight is 0"),
        ('id = "risk_self_harm"\nkind = "sign"', "no danger any more"),
        ('id = "risk_self_harm"\nunless = ["joke"]', "more switches it off"),
        (
            'id = "a"\nkind="sign"\nweight=1\nreason="r"\npatterns=["wait ^ here"]',
            "can never match",
        ),
        (
            'id = "a"\nkind="sign"\nweight=1\nreason="r"\npatterns=["park run"]\nnot=["park run"]',
            "never counts",
        ),
        (
            'id = "a"\nkind="sign"\nweight=1\nreason="r"\npatterns=["waiting", "wait*"]',
            "'waiting' adds nothing",
        ),
    ],
)
def test_check_warns(tmp_path: Path, run: Run, own: str, says: str) -> None:
    (tmp_path / "rules.toml").write_text(f"[[group]]\n{own}\n")
    ran = run("rules", "check")
    assert "note: " in ran.out
    assert says in ran.out


def test_check_says_nothing_of_a_good_file(tmp_path: Path, run: Run) -> None:
    (tmp_path / "rules.toml").write_text(
        RULE + 'must_match = ["the parking meter"]\n[[group]]\nid = "risk_self_harm"\n'
        'patterns = ["(really)? no way out"]\n'
    )
    ran = run("rules", "check")
    assert "note" not in ran.out
    assert ran.code == 0


@pytest.mark.parametrize("days", ["none", "0", "-1", "nan", "1e9"])
def test_a_wrong_number_of_days_is_refused(tmp_path: Path, run: Run, days: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("rules", "try", "new.toml", "--days", days)
    assert ended.value.code == 2


def test_an_import_by_rules_that_were_edited_meanwhile_is_placed_by_the_new(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, run, line(1, "a bus"))
    posts = tmp_path / "posts.jsonl"
    posts.write_text(line(2, "the parking meter again"))
    real = Importer.run

    def edited(importer: Importer, *how: Any) -> Imported:
        done = real(importer, *how)
        (tmp_path / "rules.toml").write_text(RULE)
        return done

    monkeypatch.setattr(Importer, "run", edited)
    assert run("import", str(posts)).code == 0
    connection = connect(tmp_path / "carerespond.db", read_only=True)
    try:
        found = connection.execute("SELECT priority FROM cases WHERE case_id = 2").fetchone()
    finally:
        connection.close()
    assert found == (int(Priority.TODAY),)
