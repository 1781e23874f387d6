"""The stage for runs at the provider's production limit: 120 requests a minute and key."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.closed_loop import ClosedLoop
from benchmarks.ledger import Span
from starter.demo.stage import Stage, run_worker
from starter.local import DevServer, temporal_program
from starter.processes import NotReady, Process, end_of
from topups import TopUps
from topups.settings import ClientSettings

KEY, OTHER_KEY = "production-key", "other-production-key"
# The stand-in's own time from the send to FULFILLED; `speed` divides it.
STAND_INS_SECONDS = 15.0


@asynccontextmanager
async def production_stage(order_seconds: float = STAND_INS_SECONDS) -> AsyncIterator[Stage]:
    """A fresh Temporal server and stand-in, which takes that long for an order. Gone with all files at the end."""
    program = await temporal_program()
    with TemporaryDirectory(prefix="topup-bench-") as name:
        folder = Path(name)
        stage = Stage(folder, DevServer(program, folder), speed=STAND_INS_SECONDS / order_seconds)
        try:
            await stage.start()
            yield stage
        finally:
            await stage.end()


async def clients(stage: Stage) -> TopUps:
    """What submits production orders."""
    return await stage.topups(ClientSettings(environment="production"))


async def run_workers(stage: Stage, count: int, env: Mapping[str, str] | None = None) -> list[Process]:
    """Start workers with the production key, which share their folder of state. Raises NotReady."""
    ours = {"ONECLICKDZ_ENVIRONMENT": "production", "ONECLICKDZ_ACCESS_TOKEN": KEY} | dict(env or {})
    first = len(stage.workers)
    workers = [stage.worker(f"worker-{first + number}", ours) for number in range(count)]
    for worker in workers:
        await run_worker(worker)
    return workers


async def measured(loop: ClosedLoop, warm_up: float, window: float, processes: list[Process]) -> Span:
    """Let the loop go on through both, and return the window's span. Raises NotReady when a process died in it."""
    await loop.run_for(warm_up)
    since = time.time()
    await loop.run_for(window)
    for process in processes:
        if not process.running:
            raise NotReady(f"{process.name} ended in the middle\n{end_of(process.output)}")
    return Span(since, time.time())
