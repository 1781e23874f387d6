"""Many orders of one kind at a stage without rate limits, and how far each of them came."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from shutil import rmtree

from benchmarks.asked import Asked
from benchmarks.measure import Measure
from starter.demo.stage import Stage, new_folder
from starter.local import DevServer, without_ours
from starter.processes import NotReady, Process
from tests.containers.production import why_no_engine
from tests.system.conftest import Servers, servers
from topups import TopUpRequest
from topups.errors import SetupNeeded
from topups.filters import Filters
from topups.models import Phase

LOOK_SECONDS = 0.1
# A count is work for the server that is measured.
COUNT_SECONDS = 1.0
SUBMITS_AT_ONCE = 20
AMOUNT_DZD = 100
# As docker-compose.yml has it. One writes at a time in each.
SHARDS = 64
PATIENCE_SECONDS = 120.0
# The stand-in's numbers, docs/simulator.md.
UNKNOWN_FOR_EVER, HANDLING_FOR_EVER = "0600000003", "0600000006"


class Herd(Stage):
    """A stage whose provider has no rate limit, with orders that all have the same number."""

    def __init__(self, folder: Path, server: DevServer, phone: str, *, speed: float = 1.0) -> None:
        super().__init__(folder, server, speed=speed, rate_limit=0)
        self.asked = Asked(self.ledger)
        self.refs: list[str] = []
        self._phone = phone

    async def open(self) -> None:
        """Start everything but workers."""
        await self.start()
        self.shop = await self.topups()

    def worker_of(self, module: str, name: str, **env: str) -> Process:
        """A worker that is not started yet, by the module that it runs and that module's arguments."""
        settings = self._worker_env() | {"ONECLICKDZ_RATE_LIMIT": "1000000"} | env
        command = [sys.executable, "-m", *module.split()]
        # The SDK's sandbox imports the workflows anew for each order: without bytecode it would compile them each time.
        environment = without_ours(os.environ, **settings, PYTHONPYCACHEPREFIX=str(self.folder / "bytecode"))
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        worker = Process(name, command, log=self.folder / f"{name}.log", env=environment)
        self.workers.append(worker)
        return worker

    async def submit(self, orders: int, under_way_max: int | None = None) -> None:
        """Submit so many more orders. Raises NotReady when too many stay without a first answer to a check."""

        async def has_room() -> bool:
            return under_way_max is None or len(self.refs) - self.asked.answered() < under_way_max

        places = asyncio.Semaphore(SUBMITS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for _ in range(orders):
                await places.acquire()
                await until(has_room, PATIENCE_SECONDS, "room for one more order")
                self.refs.append(f"herd-{len(self.refs):05}")
                group.create_task(self._submit(self.refs[-1])).add_done_callback(lambda _: places.release())

    async def recheck(self) -> None:
        """Make the next look at every order due now."""
        places = asyncio.Semaphore(SUBMITS_AT_ONCE)

        async def one(ref: str) -> None:
            async with places:
                await self.shop.order(ref).recheck(by="benchmark")

        await asyncio.gather(*(one(ref) for ref in self.refs))

    async def in_phase(self, phase: Phase, seconds: float) -> None:
        """Wait until Temporal lists every order in this phase. Raises NotReady."""
        query = Filters(phase=phase, open_only=True).query()

        async def all_are() -> bool:
            return (await self.shop.client.count_workflows(query)).count >= len(self.refs)

        await until(all_are, seconds, f"{len(self.refs)} orders in {phase}", every=COUNT_SECONDS)

    async def _submit(self, ref: str) -> None:
        # A new namespace's search attributes reach each of the server's parts some seconds later.
        await until(partial(self._is_taken, ref), PATIENCE_SECONDS, "the search attributes")

    async def _is_taken(self, ref: str) -> bool:
        request = TopUpRequest(ref=ref, plan_code="PREPAID_DJEZZY", phone=self._phone, amount=AMOUNT_DZD)
        with suppress(SetupNeeded):
            await self.shop.submit(request)
            return True
        return False


async def until(
    ready: Callable[[], Awaitable[bool]], seconds: float, what: str, *, every: float = LOOK_SECONDS
) -> None:
    """Wait for a condition. Raises NotReady after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await ready():
        if asyncio.get_running_loop().time() > deadline:
            raise NotReady(f"waited {seconds:g} s for {what}")
        await asyncio.sleep(every)


def skipped(name: str, why: str) -> Measure:
    """What a benchmark says that can't run here."""
    return Measure(name, f"{name} can't run on this machine", "none", (), left_out={name: why})


@asynccontextmanager
async def real_servers() -> AsyncIterator[tuple[str, Servers]]:
    """What Temporal server is used, and how to make one: production's on PostgreSQL where a Docker engine answers."""
    why_not = why_no_engine()
    name = f"Temporal's server on PostgreSQL, {SHARDS} shards"
    if why_not:
        name = f"Temporal's dev server on SQLite, since {why_not.partition(':')[0]}"
    async with servers("dev" if why_not else "postgresql", SHARDS) as make:
        yield name, make


@asynccontextmanager
async def herd_at(make: Servers, phone: str, *, speed: float = 1.0) -> AsyncIterator[Herd]:
    """A herd with everything started but workers; afterwards nothing of it is left."""
    folder = new_folder()
    herd = Herd(folder, make(folder), phone, speed=speed)
    try:
        await herd.open()
        yield herd
    finally:
        await herd.end()
        rmtree(folder, ignore_errors=True)
