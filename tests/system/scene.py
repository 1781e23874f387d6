"""One order with a worker and a task queue of its own, on a stage that many scenes share at once."""

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from starter.demo.stage import WORKER_IS_READY, Stage
from starter.demo.verdict import Row, read_ledger
from starter.processes import Process
from topups import Phase, TopUpOrder, TopUpRequest, TopUpResult, TopUps, TopUpView
from topups.settings import ClientSettings

Play = Callable[[Stage], Awaitable[Any]]
Scenes = Callable[[Play], Awaitable[Any]]

DEADLINE_SECONDS = 70.0
LOOK_SECONDS = 0.1
NOBODY_ANSWERS = "0600000003"  # the stand-in's number for UNKNOWN_ERROR

_phones = (f"07712{number:05}" for number in itertools.count())
# Importing a worker takes seconds of CPU; more at once would only starve the heartbeats of those that work.
_starting = asyncio.Semaphore(2)


@dataclass
class Scene:
    """What happens to one order; the ledger's rows of its ref are the evidence."""

    stage: Stage
    topups: TopUps
    ref: str
    worker: Process
    env: dict[str, str]
    back_at: datetime | None = None
    killed_after: int = 0

    @classmethod
    async def on(cls, stage: Stage, ref: str, **env: str) -> "Scene":
        """A scene with its worker running."""
        topups = await stage.topups(ClientSettings(task_queue=ref))
        mine = {"TOPUPS_TASK_QUEUE": ref, "TOPUPS_STATE_DIR": str(stage.folder / ref), "ONECLICKDZ_RATE_LIMIT": "1000"}
        scene = cls(stage, topups, ref, stage.worker(f"worker-{ref}", mine | env), mine | env)
        await scene.start_worker()
        return scene

    def beside(self, ref: str) -> "Scene":
        """Another order on the same worker."""
        return replace(self, ref=ref)

    @property
    def order(self) -> TopUpOrder:
        return self.topups.order(self.ref)

    async def submit(self, phone: str | None = None) -> None:
        """Hand over the scene's one order."""
        request = TopUpRequest(ref=self.ref, plan_code="PREPAID_DJEZZY", phone=phone or next(_phones), amount=100)
        await self.topups.submit(request)

    async def start_worker(self) -> None:
        async with _starting:
            self.worker.start()
            await self.worker.wait_for_line(WORKER_IS_READY, 60)
        self.back_at = datetime.now(UTC)

    def kill_worker(self) -> None:
        self.worker.kill()
        self.mark()

    def mark(self) -> None:
        """What comes in the ledger after now comes after the kill."""
        self.killed_after = max((row["seq"] for row in self.rows()), default=0)

    def freeze_worker(self) -> None:
        os.kill(self.worker.pid, signal.SIGSTOP)

    async def hold(self, endpoint: str, moment: str) -> None:
        """Let the next such request for this order wait at the hold, which is named like the order."""
        await self.stage.desk.arm(endpoint, moment, "hold", hold=self.ref, ref=self.ref)

    async def held(self) -> None:
        assert await self.stage.desk.held(self.ref, 30), f"no request of {self.ref} came to its hold"

    async def release(self) -> None:
        await self.stage.desk.release(self.ref)

    async def phase(self, *wanted: Phase) -> TopUpView:
        """Wait until the order is in one of these phases."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                view = await self.order.view()
                if view.phase in wanted and not view.stale:
                    return view
                await asyncio.sleep(LOOK_SECONDS)

    async def row(self, *, after: int = -1, **facts: Any) -> Row:
        """Wait for a row of this order in the ledger, after another one."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                found = [row for row in self.rows() if row["seq"] > after and facts.items() <= row.items()]
                if found:
                    return found[-1]
                await asyncio.sleep(LOOK_SECONDS)

    async def end(self) -> "Evidence":
        """Wait for the order's end."""
        result = await self.order.result(timeout=DEADLINE_SECONDS)
        return Evidence(result, self.rows(), self.killed_after, self.back_at or datetime.now(UTC))

    def rows(self) -> list[Row]:
        return [row for row in read_ledger(self.stage.ledger) if row["ref"] == self.ref]


@dataclass(frozen=True)
class Evidence:
    """How a scene ended, by our result and by the ledger's rows of the order."""

    result: TopUpResult
    rows: list[Row]
    killed_after: int
    back_at: datetime

    def count(self, kind: str, **facts: Any) -> int:
        return sum(row["kind"] == kind and facts.items() <= row.items() for row in self.rows)

    @property
    def seconds_until_next_request(self) -> float:
        """From when the new worker polled to the order's first request after the kill."""
        later = [row for row in self.rows if row["seq"] > self.killed_after and row["kind"] == "request"]
        return (datetime.fromisoformat(later[0]["at"]) - self.back_at).total_seconds()

    @property
    def phases(self) -> list[Phase]:
        return [event.phase for event in self.result.timeline]

    def was_delivered_once(self) -> bool:
        return (self.result.phase, self.count("commit"), self.count("delivery"), self.count("refund")) == (
            Phase.FULFILLED,
            1,
            1,
            0,
        )
