"""The provider's part in a measure under load: an order's second check is its last, however late its first one came."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starter.demo.stage import Stage

# A number that the stand-in keeps HANDLING until somebody drives the order.
PHONE = "0600000006"
LOOK_EVERY_SECONDS = 0.1


@asynccontextmanager
async def delivering(stage: Stage) -> AsyncIterator[None]:
    """Deliver each order once its first check was answered; the gap of 5 s before the next one leaves time for that."""
    following = asyncio.create_task(_follow(stage))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(stage: Stage) -> None:
    done: set[str] = set()
    with stage.ledger.open(encoding="utf-8") as ledger:
        rest = ""
        while True:
            rest += ledger.read()
            *lines, rest = rest.split("\n")
            for row in map(json.loads, lines):
                if row["kind"] == "answer" and row["endpoint"] == "check-id" and row["ref"] not in done:
                    done.add(row["ref"])
                    await stage.desk.drive(row["ref"], "FULFILLED")
            await asyncio.sleep(LOOK_EVERY_SECONDS)
