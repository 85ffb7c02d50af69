import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from carerespond.config import parse_config
from carerespond.config.lines import line_of, problem_at
from carerespond.domain.errors import ConfigError

INTERLEAVED = """\
[organisation]
name = "A"
[[account]]
id = "x"
network = "x"
handle = "A"

[[search]]
id = "one"
name = "One"
account = "x"
query = "one"
purpose = "hear"
service = "eye"

[[service]]
id = "eye"
name = "Eye"

[[search]]
id = "two"
name = "Two"
account = "x"
query = "two"
purpose = "hear"
service = "ear"

[[service]]
id = "ear"
name = "Ear"
"""

PLACES: list[tuple[str, Sequence[str | int], int]] = [
    (INTERLEAVED, ("search", 0, "query"), 12),
    (INTERLEAVED, ("search", 1, "query"), 24),
    (INTERLEAVED, ("service", 0, "name"), 18),
    (INTERLEAVED, ("service", 1, "name"), 30),
    (INTERLEAVED, ("search", 1), 20),
    (INTERLEAVED, ("search", 1, "missing"), 20),
    (INTERLEAVED, ("budget", "daily_usd"), 1),
    ("\n\nbudget = {\tdaily_usd = 1 }\n", ("budget", "daily_usd"), 3),
    ("# one\nbudget.daily_usd = 1\nbudget.soft_percent = 2\n", ("budget", "soft_percent"), 3),
    ("['budget']\n\n\"daily_usd\" = 1\n", ("budget", "daily_usd"), 3),
    ("[ budget ] # [inbox]\n'daily_usd'=1", ("budget", "daily_usd"), 2),
    ('[a]\nx = """\n[b]\ny = 1\n"""\n\n[b]\ny = 2\n', ("b", "y"), 8),
    ("[a]\nx = '''\nz = 1'''\nz = 2\n", ("a", "z"), 4),
    ("search = [\n  {id = 'a'},\n\n  {id = 'b', q = 1},\n]\n", ("search", 1, "q"), 4),
    ("search = [ {id = 'a'}, {id = 'b'} ]\n", ("search", 1, "id"), 1),
    ("[a]\nx = [\n 1,\n 2,\n]\ny = 1\n", ("a", "y"), 6),
    ("[a]\nx = [\n 1,\n 2,\n]\ny = 1\n", ("a", "x"), 2),
    ("[a]\nx = 'one\u2028line, \x85 too'\ny = 1\n", ("a", "y"), 3),
    ("[a]\r\nx = 1\r\ny = 2\r\n", ("a", "y"), 3),
    ("[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\n[a.b]\ny = 3\n", ("a", 1, "b", "y"), 7),
    ("", ("a",), 1),
]


def check(find: Callable[[str, Sequence[str | int]], int]) -> None:
    for text, place, line in PLACES:
        assert find(text, place) == line, (place, text)


def test_a_key_is_found_on_its_line_however_it_is_written() -> None:
    check(line_of)


def by_counting_headers(text: str, place: Sequence[str | int]) -> int:
    """As it was done once: a table of another kind in between made the count begin anew."""
    section, index, key = (place[0], place[1], place[-1]) if len(place) > 2 else (place[0], 0, "")
    here, count, table_line = "", 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\-]+)\s*\]+", line):
            count = count + 1 if header[1] == section and here == section else 0
            here = header[1]
            if here == section and count == index:
                table_line = number
        elif here == section and count == index and re.match(rf"\s*{key}\s*=", line):
            return number
    return table_line


def test_counting_headers_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="search"):
        check(by_counting_headers)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('query = "two"', "query = 2", 24),
        ('service = "ear"', 'service = "nose"', 26),
        ('name = "Ear"', 'nam = "Ear"', 30),
        ('id = "two"', 'id = "one"', 21),
        ('purpose = "hear"\nservice = "ear"', 'service = "ear"', 20),
    ],
)
def test_a_mistake_in_the_second_of_mixed_tables_is_named_there(
    old: str, new: str, line: int
) -> None:
    assert INTERLEAVED.count(old) == 1
    with pytest.raises(ConfigError, match=rf"config\.toml, line {line}: "):
        parse_config(INTERLEAVED.replace(old, new), "config.toml")


def test_a_long_file_is_searched_at_once(tmp_path: Path) -> None:
    many = "".join(f"[[t]]\nid = 'a{n}'\ntext = '''\n{n}\n'''\n" for n in range(400))
    assert line_of(many, ("t", 399, "text")) == 399 * 5 + 3


def test_a_file_that_has_changed_since_is_still_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[keys]\n# here\nquit = 'x'\n")
    assert str(problem_at(path, ("keys", "quit"), "a.", "b")) == f"{path}, line 3: a. b"
    path.unlink()
    assert str(problem_at(path, ("keys", "quit"), "a.", "b")) == f"{path}, [keys] quit: a. b"
    assert str(problem_at(None, ("keys", "quit"), "a.", "b")) == "[keys] quit: a. b"
