"""One process that answers the posts it is given, one after the other: `python -m` with a job."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.promises.support_terminal import open_terminal


async def send(job: dict[str, Any]) -> None:
    """Queue and send an answer to each case, and end without a farewell."""
    terminal = open_terminal(
        Path(job["folder"]), job["address"], job["design"], operator=job.get("operator", "Asha")
    )
    await terminal.presence.keep()
    if job.get("wait"):  # for the others, so that all begin at once
        print("up", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
    for case_id in job["cases"]:
        if await terminal.answer(case_id) is not None:
            await terminal.sender.work_due()
    await terminal.network.aclose()
    await terminal.database.aclose()


if __name__ == "__main__":
    asyncio.run(send(json.loads(sys.argv[1])))
