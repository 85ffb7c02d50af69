"""Makes an installation with many stored posts: always the same ones, in the product's own tables.

    python -m tests.benchmarks.data 100000 FOLDER

Posts go through `store_page`, as everything that is heard does; their places come from the triage
rules, asked once for each of the few hundred texts that all posts are made of. 100,000 posts take
about half a minute and 150 MB.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from carerespond.cli import wiring
from carerespond.config import parse_config
from carerespond.domain.models import Assessment, Author, Post
from carerespond.services.assessing import Assessor
from carerespond.storage import placing, posts
from carerespond.storage.database import Transaction
from carerespond.storage.sqlite import connect, open_database

VERSION = 2  # of the data; another one is made anew
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
RARE = "brontosaurus"  # in one post of a thousand
PAGE = 1_000
CONFIG = """\
[organisation]
name = "St Elsewhere NHS Trust"
public_body = true
phone = "01632 960114"
email = "pals@stelsewhere.example"

[[operator]]
name = "Asha"

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
user_id = "1000000000000000001"
base_url = "{base_url}"
token_file = "{token_file}"

[[search]]
id = "names-us"
name = "Names us"
account = "x"
query = '"st elsewhere" -@StElsewhere -is:retweet'
purpose = "Hear what people say about us without tagging us."

[[service]]
id = "eye-clinic"
name = "Eye clinic"
nicknames = ["macular clinic"]
"""
NOBODY = "http://127.0.0.1:9"  # the discard port: refused at once

PLACES = (
    "the eye clinic at St Elsewhere",
    "ward 7",
    "A&E tonight",
    "the children's ward",
    "outpatients",
    "the day surgery unit",
    "the maternity unit",
    "X-ray",
    "the pharmacy at St Elsewhere",
    "the car park",
    "the switchboard",
    "physio",
)
SAYINGS = (
    "Six hours waiting in {}, nobody told us why",
    "Thank you to everyone in {}, you were so kind to my mum",
    "Does anybody know when {} opens on Sundays?",
    "My appointment in {} was cancelled again, third time this year",
    "Passing {} on the bus, it is raining",
    "Brilliant care in {} today, from the porter to the consultant",
    "I have been ringing {} since 8 and nobody picks up",
    "The letter from {} says two different dates. Which one is it?",
    "{} was dirty, and nobody came when dad pressed the bell",
    "Who do I write to about {}?",
    "Off to {} for a check-up, wish me luck",
    "Volunteers in {} made us tea. Lovely people",
    "Parking for {} costs more than my lunch",
    "New mural in {}, looks great",
    "Was told off in {} for asking about my own results",
    "Long day in {} but we got there in the end",
)
PRESSING = "I cannot breathe and my chest hurts, and {} told me to wait"
TAILS = (
    "",
    " Came home at ten.",
    " It was the same in spring.",
    " The rest of the day was fine.",
    " My neighbour says so too.",
    " We took the early bus.",
    " Second visit this month.",
)
FIRST = ("amy", "bet", "cai", "dee", "eli", "fay", "gwen", "huw", "ian", "joy", "kit", "lou")
SECOND = ("baker", "cole", "davies", "evans", "frost", "green", "hall", "jones", "king", "lee")


@cache
def made_assessor() -> Assessor:
    """Triage as the made installation has it."""
    text = CONFIG.format(base_url=NOBODY, token_file="unused")
    return wiring.make_assessor(parse_config(text, "config.toml"), lambda: START)


@cache
def _assessment(text: str) -> tuple[Assessment, str | None]:
    post = replace(make_post(0), text=text)
    return made_assessor()(post), made_assessor().service(post)


def _mixed(number: int) -> int:
    """A number that looks unlike its neighbours', the same on every machine."""
    number = (number + 0x9E3779B9) & 0xFFFFFFFF
    number = ((number ^ (number >> 16)) * 0x21F0AAAD) & 0xFFFFFFFF
    number = ((number ^ (number >> 15)) * 0x735A2D97) & 0xFFFFFFFF
    return number ^ (number >> 15)


def _saying(number: int) -> str:
    return PRESSING if number % 400 == 100 else SAYINGS[_mixed(number) % len(SAYINGS)]


def make_text(number: int) -> str:
    """The words of a post."""
    mixed = _mixed(number)
    text = _saying(number).format(PLACES[(mixed >> 8) % len(PLACES)])
    text += TAILS[(mixed >> 16) % len(TAILS)] + f" (note {number})"
    return f"{text} {RARE}" if number % 1000 == 500 else text


def make_post(number: int, at: datetime | None = None) -> Post:
    """One post; every tenth goes on in the conversation of the one before it."""
    mixed = _mixed(number * 7 + 1)
    person = mixed % 50_000
    handle = f"{FIRST[person % len(FIRST)]}_{SECOND[(person >> 4) % len(SECOND)]}{person}"
    post_id = str(1_900_000_000_000_000_000 + number)
    before = str(1_900_000_000_000_000_000 + number - 1)
    follows = number % 10 == 9
    return Post(
        network="x",
        post_id=post_id,
        version_id=post_id,
        author=Author(
            "x", str(2_000_000 + person), handle, handle.split("_")[0].title(), mixed % 900
        ),
        text=make_text(number),
        created_at=at or START + timedelta(seconds=2 * number),
        url=f"https://x.com/{handle}/status/{post_id}",
        lang="en",
        in_reply_to=before if follows else None,
        conversation=before if follows else post_id,
        mentions_us=mixed % 4 == 0,
        raw=b'{"id":"%s","text":"%s"}' % (post_id.encode(), make_text(number).encode()),
    )


def assess_made(number: int) -> tuple[Assessment, str | None]:
    """Where triage puts a made post."""
    return _assessment(_saying(number).format(PLACES[(_mixed(number) >> 8) % len(PLACES)]))


def _pages(count: int) -> Iterator[Sequence[posts.Assessed]]:
    for start in range(0, count, PAGE):
        yield [
            (make_post(number), *assess_made(number))
            for number in range(start, min(count, start + PAGE))
        ]


def make_home(folder: Path, count: int, base_url: str = NOBODY) -> Path:
    """An installation with so many stored posts; one that is there already is used again.

    Returns:
        Its folder, for CARERESPOND_HOME.
    """
    home = folder / f"{count}"
    done = home / f"made-{VERSION}"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700, parents=True)
        _fill(home / "carerespond.db", count)
        done.touch()
    token = home / "token"
    token.touch(mode=0o600)
    token.write_text("not-a-real-token")
    (home / "config.toml").write_text(CONFIG.format(base_url=base_url, token_file=token))
    return home


def _fill(path: Path, count: int) -> None:
    database = open_database(path)
    connection = connect(path)
    try:
        for number, page in enumerate(_pages(count)):

            def store(tx: Transaction, page: Sequence[posts.Assessed] = page) -> None:
                placing.note(tx, made_assessor().mark)
                posts.store_page(tx, "search:names-us", page, account="x", now=START)

            database.write_now(store)
            if number % 50 == 0:
                print(f"\rmaking posts: {number * PAGE}/{count} ", end="", file=sys.stderr)
        # As a day's work leaves it: what was seen is read.
        connection.execute("UPDATE cases SET is_unread = 0 WHERE case_id % 3 = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
        database.close_now()
    print(file=sys.stderr)


if __name__ == "__main__":
    print(make_home(Path(sys.argv[2]), int(sys.argv[1])))
