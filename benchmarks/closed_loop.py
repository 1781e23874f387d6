"""A backend that keeps so many orders in flight: whenever one ends, it submits the next."""

import asyncio
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from topups import TopUpRequest, TopUps

# DZD; the smallest that the plan allows, so that a wallet lasts for a whole run.
AMOUNT = 100
LATENESS_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Finished:
    """An order whose end the client has heard; `at` in epoch seconds of the client's own clock."""

    ref: str
    at: float
    phase: str
    checks: int
    finished_at: datetime


class ClosedLoop:
    """Slots with one order each. `phone` decides what the stand-in makes of them.

    Of a finished order only what is counted is kept, so that a long run stays small.
    """

    def __init__(self, topups: TopUps, *, phone: str = "0771234567") -> None:
        self.finished: list[Finished] = []
        self.submitted = 0
        self.lateness: list[float] = []
        self._topups = topups
        self._phone = phone
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, slots: int, over_seconds: float) -> None:
        """Begin with so many further orders, evenly over some time: a herd would go on as a herd for minutes."""
        for number in range(slots):
            self._tasks.add(asyncio.create_task(self._slot(number * over_seconds / slots)))

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something else as long as it lasts."""
        self._tasks.add(asyncio.create_task(work))

    async def run_for(self, seconds: float) -> None:
        """Let it go on for so long. Raises what a slot or the work beside it raised."""
        await self.until(asyncio.sleep(seconds))

    async def until(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it go on until that is done. Raises what it, a slot or the work beside it raised."""
        waited_for = asyncio.create_task(work)
        # None of the others ends but by an error.
        done, _ = await asyncio.wait({waited_for, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        waited_for.cancel()
        for task in done:
            task.result()

    async def __aenter__(self) -> Self:
        self._tasks.add(asyncio.create_task(self._note_lateness()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _slot(self, begin_after: float) -> None:
        await asyncio.sleep(begin_after)
        while True:
            self.finished.append(await self._order())

    async def _order(self) -> Finished:
        ref = f"bench-{uuid.uuid4().hex}"
        request = TopUpRequest(ref=ref, plan_code="PREPAID_DJEZZY", phone=self._phone, amount=AMOUNT)
        order = await self._topups.submit(request)
        self.submitted += 1
        result = await order.result()
        at = time.time()
        # A final view always has its time; a moment of ours would hide that it hasn't.
        assert result.finished_at is not None
        return Finished(ref, at, result.phase, result.checks, result.finished_at)

    async def _note_lateness(self) -> None:
        """Measure whether this client itself is what is slow."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LATENESS_EVERY_SECONDS
            await asyncio.sleep(LATENESS_EVERY_SECONDS)
            self.lateness.append(clock() - due)
