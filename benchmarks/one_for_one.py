"""A provider at which so many orders are under way at any time: whenever one more is sent, another is delivered."""

import asyncio
import random
from pathlib import Path

from benchmarks.ledger import Tail
from starter.demo.stage import Desk

# Of the stand-in: HANDLING until somebody drives it.
PHONE = "0600000006"
LOOK_EVERY_SECONDS = 0.1


class OneForOne:
    """Drives the stand-in by its desk. Which order is delivered is chance: they take long and short, as real ones.

    `under_way` are the refs of those that were sent and not delivered.
    """

    def __init__(self, desk: Desk, ledger: Path, key: str) -> None:
        self._desk = desk
        self._tail = Tail(ledger)
        self._key = key
        self.under_way: list[str] = []
        self._chance = random.SystemRandom()

    async def fill(self, count: int, seconds: float) -> None:
        """Return when so many orders are there, of which none was delivered. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.under_way) < count:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
                self.under_way += self._sent()

    async def keep(self) -> None:
        """Keep as many there as there are now. Never returns."""
        while True:
            for ref in self._sent():
                await self._deliver_instead_of(ref)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _deliver_instead_of(self, ref: str) -> None:
        place = self._chance.randrange(len(self.under_way))
        delivered, self.under_way[place] = self.under_way[place], ref
        await self._desk.drive(delivered, "FULFILLED")

    def _sent(self) -> list[str]:
        return [row["ref"] for row in self._tail.new() if row["kind"] == "commit" and row["key"] == self._key]
