"""Several terminals share one practice network, and a restart finds it as it was."""

import subprocess
import sys
from pathlib import Path

import pytest

from carerespond.practice.journal import Journal
from tests.practice.support import US, USER, Network, build

APPENDS = (
    "import sys\n"
    "from pathlib import Path\n"
    "from carerespond.practice.journal import Journal\n"
    "journal = Journal(Path(sys.argv[1]))\n"
    "for number in range(200):\n"
    "    with journal.locked():\n"
    "        seen = journal.unread()\n"
    "        journal.append({'who': sys.argv[2], 'number': number, 'text': 'x' * 900})\n"
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Network, Network]:
    return build(journal=tmp_path / "j.jsonl"), build(journal=tmp_path / "j.jsonl", seed=9)


async def timeline(net: Network) -> list[str]:
    found = await net.get(f"/2/users/{US}/tweets", USER, max_results=100)
    return [row["text"] for row in found.json()["data"]]


async def test_what_one_terminal_sends_the_other_sees(pair: tuple[Network, Network]) -> None:
    one, other = pair
    assert (await one.post("It is open.", one.id_of("named"))).status_code == 201
    assert "@marian_k It is open." in await timeline(other)
    assert one.world.order == other.world.order, "the first one's seed is everybody's"
    for net in pair:
        await net.client.aclose()


async def test_the_same_text_from_two_terminals_is_stored_once(
    pair: tuple[Network, Network],
) -> None:
    answers = [await net.post("It is open.", net.id_of("named")) for net in pair]
    assert [answer.status_code for answer in answers] == [201, 403]
    for net in pair:
        assert len(await net.ours()) == 1
        await net.client.aclose()


async def test_a_restart_finds_posts_rules_messages_and_people(tmp_path: Path) -> None:
    first = build(journal=tmp_path / "j.jsonl")
    await first.post("It is open.", first.id_of("named"))
    await first.client.post("/practice/messages", json={"author": "marian_k", "text": "hello"})
    await first.client.post("/practice/people", json={"handle": "bigvoice", "blocks_us": True})
    await first.client.post("/practice/delete", json={"id": first.id_of("cafe")})
    app = {"Authorization": "Bearer practice-app"}
    rule = {"add": [{"value": "giraffe"}]}
    await first.client.post("/2/tweets/search/stream/rules", json=rule, headers=app)
    again = build(journal=tmp_path / "j.jsonl")
    before, after = await first.truth(), await again.truth()
    for name in ("posts", "messages", "rules"):
        assert after[name] == before[name]
    assert again.world.person("bigvoice").blocks_us
    assert await again.keys("cafe") == set()
    for net in (first, again):
        await net.client.aclose()


def test_two_processes_lose_no_line_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    running = [
        subprocess.Popen([sys.executable, "-c", APPENDS, str(path), who]) for who in ("a", "b")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    events = Journal(path).unread()
    for who in ("a", "b"):
        assert [row["number"] for row in events if row["who"] == who] == list(range(200))


def test_a_line_that_was_cut_by_a_crash_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    first = Journal(path)
    with first.locked():
        first.append({"number": 1})
    with path.open("ab") as file:
        file.write(b'{"number": 2, "te')
    second = Journal(path)
    with second.locked():
        assert second.unread() == [{"number": 1}]
        second.append({"number": 3})
    assert Journal(path).unread() == [{"number": 1}, {"number": 3}]
    assert first.unread() == [{"number": 3}]
    for journal in (first, second):
        journal.close()
