"""Figures of listening: `python -m tests.benchmarks.listening`.

How long a take-over takes after kill -9, how soon a committed post is heard of in another process
and drawn on a screen, and what a day of six searches costs.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from carerespond.domain.models import Assessment, Author, Post, Priority
from carerespond.storage import posts
from carerespond.storage.sqlite import open_database
from tests.listening import WARD, config, ground, search, wards
from tests.promises.feed_latency import latencies
from tests.promises.test_bill import listen_for_a_day
from tests.promises.test_one_listener import kill_between_pages
from tests.ui.test_sources import screen_text, shown, until

TAKE_OVERS, POSTS = 5, 50


async def drawn(folder: Path) -> list[float]:
    """Seconds from a commit over another connection until its post stands on the screen."""
    took: list[float] = []
    with ground(folder, config(search("ward", "ward")), wards(6)) as on:
        await on.listener("before").work_due()
        elsewhere, now = open_database(on.database.path), on.net.clock()
        async with shown(on, folder) as pilot:
            await until(pilot, lambda text: text.split("\n")[0].rstrip().endswith("OK"), "OK")
            for number in range(POSTS):
                words = f"number {number}, cold"
                key = str(9000 + number)
                post = Post("x", key, Author("x", key, "quick"), words, now, conversation=key)
                page = [(post, Assessment(Priority.URGENT, float(number)), None)]
                await elsewhere.write(
                    lambda tx, page=page: posts.store_page(tx, WARD, page, account="x", now=now)  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
                )
                committed = time.monotonic()
                while words not in screen_text(pilot):  # noqa: ASYNC110  # it sets no event
                    await asyncio.sleep(0.002)
                took.append(time.monotonic() - committed)
        await elsewhere.aclose()
        await on.net.client.aclose()
        await on.database.aclose()
    return took


def in_ms(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and longest."""
    ordered = sorted(1000 * one for one in seconds)
    p95 = ordered[int(0.95 * len(ordered))]
    middle = statistics.median(ordered)
    return f"p50 {middle:.1f} ms, p95 {p95:.1f} ms, longest {ordered[-1]:.1f} ms"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(TAKE_OVERS + 3)]
        for folder in folders:
            folder.mkdir()
        took = [kill_between_pages(folder) for folder in folders[3:]]
        print(f"take-over after kill -9: {', '.join(f'{one:.1f}' for one in took)} s")
        print(f"heard of in another process, {POSTS} posts: {in_ms(latencies(folders[0], POSTS))}")
        print(f"drawn on a screen, {POSTS} posts: {in_ms(asyncio.run(drawn(folders[1])))}")
        bill = asyncio.run(listen_for_a_day(folders[2], 720))
        print(f"a day: ${bill['spent']:.3f}, charged {bill['charged']}, {bill['requests']}")


if __name__ == "__main__":
    main()
