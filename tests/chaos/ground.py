"""Where a campaign takes place: real processes, what they are told by environment, and the files they leave."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from starter.connection import quiet_runtime
from starter.demo.stage import WORKER_IS_READY
from starter.local import HOST, DevServer
from starter.processes import NotReady, Process, free_port
from tests.chaos.desk import ChaosDesk
from tests.chaos.diary import Diary, Row, Tail
from tests.chaos.plan import OrderPlan, Round
from tests.chaos.programs import Programs
from topups import TopUpError, TopUps, TopUpsPlugin, TopUpView
from topups.settings import ClientSettings

NOT_OURS = "the Temporal server is not ours to break"
NO_PAGES = "checks share no pages (--coalesce off)"
ONE_BY_ONE = "one-by-one"
LOOK_SECONDS = 0.05
AGAIN_SECONDS = 0.3
START_SECONDS = 60.0


class Ground:
    """A folder with a Temporal server, the stand-in provider, a client, workers; `diary` is what was done to them.

    `rate_limit` is the provider's, requests a minute and key. `address` names a running Temporal server; then that
    one is used and never killed. `module` is what its workers run. `coalesce`: checks that are due together share
    a page of the provider's list.
    """

    def __init__(
        self,
        folder: Path,
        program: Path,
        *,
        rate_limit: int,
        address: str | None = None,
        module: str = "worker",
        coalesce: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.rate_limit = rate_limit
        self.coalesce = coalesce
        self._module = module
        self.ledger = Tail(folder / "ledger.jsonl")
        self.acknowledged = Tail(folder / "accepted.jsonl")
        self.diary = Diary(folder / "diary.jsonl")
        self._handed = Diary(folder / "handed.jsonl", sure=True)
        self.server = None if address else DevServer(program, folder)
        self.address = address or (self.server.address if self.server else "")
        self._port = free_port()
        self.provider_url = f"http://{HOST}:{self._port}"
        self._programs = Programs(folder, self.address, self.provider_url, coalesce=coalesce)
        self.provider = self._programs.provider(self._port, rate_limit)
        self.client = self._programs.python("client", "-m", "tests.chaos.client", str(folder))
        self.desk = ChaosDesk(self.provider_url)
        self.workers: dict[str, Process] = {}
        self.crew: list[str] = []
        self._topups: TopUps | None = None
        self._later: list[asyncio.Task[None]] = []
        # What a server with a broken disk says isn't what its file will hold.
        self.disk = asyncio.Lock()
        # Whether the provider takes a refunded ref again is a setting that every order would meet.
        self.reuse = asyncio.Lock()
        # Importing a worker takes seconds of CPU; more at once would only starve those that work.
        self._starting = asyncio.Semaphore(2)
        self._asking_alone = asyncio.Lock()

    async def start(self) -> None:
        """Start all but the workers. Raises NotReady."""
        self.provider.start()
        if self.server:
            await self.server.start()
        await self.provider.wait_for_port(self._port)
        self.client.start()
        await self.client.wait_for_line("ready", START_SECONDS)

    async def end(self) -> None:
        """Kill everything."""
        for process in (self.client, *self.workers.values(), self.provider):
            process.kill()
        if self.server:
            self.server.process.kill()
        await self.desk.close()

    # processes

    def worker(self, name: str, *, module: str | None = None, **env: str) -> Process:
        """A worker that isn't started yet; `env` overrides its settings."""
        if name not in self.workers:
            more = {"ONECLICKDZ_RATE_LIMIT": str(self.rate_limit)} | env
            self.workers[name] = self._programs.worker(name, module or self._module, more)
        return self.workers[name]

    async def start_worker(self, worker: Process) -> None:
        """Start it, or start it again, and return when it polls. Raises NotReady."""
        async with self._starting:
            self._note("start", worker)
            worker.start()
            await worker.wait_for_line(WORKER_IS_READY, START_SECONDS)
        self._note("ready", worker)

    async def one_by_one(self) -> str | None:
        """Name a queue on which every order is asked about by itself, with its worker there; None is the main one."""
        if not self.coalesce:
            return None
        async with self._asking_alone:
            # It shares the crew's state, as the provider's limit is one for both.
            worker = self.worker(ONE_BY_ONE, TOPUPS_TASK_QUEUE=ONE_BY_ONE, TOPUPS_COALESCE_CHECKS="false")
            if not worker.running:
                await self.start_worker(worker)
        return ONE_BY_ONE

    async def man(self, size: int) -> None:
        """Have a crew of so many workers on the main queue; none is stopped for it."""
        names = [f"worker-{number}" for number in range(1, size + 1)]
        self.crew = sorted({*names, *(name for name in self.crew if self.workers[name].running)})
        missing = [worker for name in self.crew if not (worker := self.worker(name)).running]
        await asyncio.gather(*(self.start_worker(worker) for worker in missing))

    def kill_crew(self) -> int:
        """Kill every worker of the main queue; how many there were."""
        running = [self.workers[name] for name in self.crew if self.workers[name].running]
        for worker in running:
            self.kill(worker)
        return len(running)

    def kill(self, process: Process) -> None:
        """`kill -9`."""
        pid = process.kill()
        self._note("kill", process, pid)

    def freeze(self, process: Process) -> None:
        """Stop it in the middle of whatever it does."""
        self._note("freeze", process)
        os.kill(process.pid, signal.SIGSTOP)

    def thaw(self, process: Process) -> None:
        """Let it go on as if nothing had been."""
        os.kill(process.pid, signal.SIGCONT)
        self._note("thaw", process)

    def kill_server(self) -> bool:
        """Kill the Temporal server; False when it isn't ours."""
        if self.server is None:
            return False
        self.kill(self.server.process)
        return True

    async def start_server(self) -> None:
        """Start it again. Raises NotReady."""
        if self.server is None or self.server.process.running:
            return
        self._note("start", self.server.process)
        await self.server.start()
        self._note("ready", self.server.process)

    async def start_client(self) -> None:
        """Start the client again."""
        if not self.client.running:
            self._note("start", self.client)
            self.client.start()
            await self.client.wait_for_line("ready", START_SECONDS)
            self._note("ready", self.client)

    async def start_provider(self) -> None:
        """Start the provider again, on its ledger."""
        self._note("start", self.provider)
        self.provider.start()
        await self.provider.wait_for_port(self._port, START_SECONDS)
        self._note("ready", self.provider)

    # orders

    def hand(self, *orders: OrderPlan, queue: str | None = None, copies: int = 1, again: int = 0) -> None:
        """Hand orders to the client."""
        for order in orders:
            body = {"plan_code": order.plan_code, "amount": order.amount, "deliver_within": order.deliver_within}
            self._handed.write(ref=order.ref, phone=order.phone, **body, queue=queue, copies=copies, again=again)

    async def taken(self, orders: Iterable[OrderPlan], seconds: float = 60.0, *, again: int = 0) -> None:
        """Wait until Temporal has acknowledged them."""
        refs = {order.ref for order in orders}

        def are_there() -> bool:
            return all(any(row["again"] == again for row in self.acknowledged.of(ref)) for ref in refs)

        await self.until(are_there, seconds, f"the acknowledgement of {sorted(refs)}")

    async def row(self, ref: str, seconds: float = 60.0, **facts: Any) -> Row:
        """Wait for a row of an order in the provider's ledger. A page that shows it need not have been for it."""
        found: list[Row] = []

        def is_there() -> bool:
            found[:] = [row for row in self.ledger.of(ref) if facts.items() <= row.items()]
            return bool(found)

        await self.until(is_there, seconds, f"{facts} of {ref}")
        return found[0]

    async def says(self, ref: str, phase: str, seconds: float) -> None:
        """Wait until the order itself has heard that it is in this phase. Raises NotReady."""

        async def view(topups: TopUps) -> TopUpView:
            return await topups.order(ref).view()

        deadline = asyncio.get_running_loop().time() + seconds
        while (said := await self.patiently(view)).phase != phase:
            if said.final or asyncio.get_running_loop().time() > deadline:
                raise NotReady(f"{ref} is {said.phase}, and not {phase} in {seconds:g} s")
            await asyncio.sleep(AGAIN_SECONDS)

    async def until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition. Raises NotReady."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not ready():
            if asyncio.get_running_loop().time() > deadline:
                raise NotReady(f"waited {seconds:g} s for {what}")
            await asyncio.sleep(LOOK_SECONDS)

    async def topups(self) -> TopUps:
        """The people's and the campaign's own way to the orders."""
        if self._topups is None:
            self._topups = TopUps(await self.temporal(), ClientSettings())
        return self._topups

    async def temporal(self) -> Client:
        """Connect to the server, which may be away for a while."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                return await Client.connect(self.address, plugins=[TopUpsPlugin()], runtime=quiet_runtime())
            except RuntimeError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def patiently(self, call: Callable[[TopUps], Awaitable[Any]], seconds: float = 60.0) -> Any:
        """Do something through the client's library, again and again while Temporal or all workers are away."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout(15):
                    return await call(await self.topups())
            except (TopUpError, RPCError, RuntimeError, TimeoutError) as error:
                if type(error).__name__ in {"NotAllowed", "NoSuchOrder", "OrderInterrupted"}:
                    raise
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)

    def later(self, story: Coroutine[Any, Any, None]) -> None:
        """Let something happen in its own time; `all_over` waits for it."""
        self._later.append(asyncio.create_task(story))

    async def all_over(self) -> None:
        """Wait until everything that was to happen later has happened, or failed."""
        for outcome in await asyncio.gather(*self._later, return_exceptions=True):
            if isinstance(outcome, BaseException):
                self.diary.write(kind="note", text=f"{type(outcome).__name__}: {outcome}")

    def fault(self, number: int, fault: str, window: str, targets: Iterable[str], **more: Any) -> None:
        """Note that a fault was injected while these orders were in its window."""
        self.diary.write(kind="fault", round=number, fault=fault, window=window, targets=sorted(targets), **more)

    def skip(self, each: Round, why: str) -> None:
        """Note that a round could not be played here."""
        self.diary.write(kind="skipped", fault=each.fault, window=each.window, why=why)

    def act(
        self, act: str, ref: str, *, ok: bool = True, outcome: str | None = None, status: str | None = None
    ) -> None:
        """Note what people, or the provider's support, did to an order."""
        self.diary.write(kind="act", act=act, ref=ref, ok=ok, outcome=outcome, status=status)

    async def drive(self, ref: str, status: str) -> bool:
        """Let the provider's support settle an order."""
        done = await self.desk.settle(ref, status)
        self.act("drive", ref, ok=done, status=status)
        return done

    def _note(self, what: str, process: Process, pid: int | None = None) -> None:
        name = "temporal" if self.server and process is self.server.process else process.name
        self.diary.write(kind="process", what=what, name=name, pid=pid or process.pid)
