"""One contestant's own ground: a provider's stand-in with its ledger, the storage, and one worker that gets killed."""

import asyncio
import os
import signal
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import cached_property
from importlib import import_module
from itertools import count
from pathlib import Path

from benchmarks.rivals.orders import Order, Outcome, RivalSettings, read_claims
from starter.demo.stage import Desk
from starter.demo.verdict import Row, read_ledger
from starter.local import HOST
from starter.processes import Process, free_port

LOOK_SECONDS = 0.2
READY_SECONDS = 60.0
# Starting costs seconds of CPU: two at once would lengthen each other's recovery.
calm = asyncio.Lock()
_numbers = count(1)


def answered(row: Row) -> dict[str, str | None]:
    """The orders that a row of the ledger answers about, with their status; a page of the list answers about many."""
    if row["kind"] != "answer":
        return {}
    page = {item["ref"]: item["status"] for item in row.get("items") or []}
    return page or ({row["ref"]: row["status"]} if row["ref"] else {})


class Arena(ABC):
    """`rate_limit` is the provider's and the client's, requests a minute; `speed` divides the provider's delays."""

    name = ""
    ready = ""

    def __init__(self, *, speed: float = 1.0, rate_limit: int = 60) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="topup-arena-"))
        # PostgreSQL runs as another user where we are root.
        self.folder.chmod(0o711)
        self.servers: list[Process] = []
        self.rate_limit = rate_limit
        self.claims_file = self.folder / "claims.jsonl"
        self._port = free_port()
        self._ledger = self.folder / "ledger.jsonl"
        self.provider_url = f"http://{HOST}:{self._port}"
        self.desk = Desk(self.provider_url)
        self.provider = Process("provider", self._stand_in(speed), log=self.folder / "provider.log")

    @cached_property
    def worker(self) -> Process:
        """The one worker, in all its lives."""
        return Process("worker", self.worker_command(), log=self.folder / "worker.log", env=self.worker_env())

    @abstractmethod
    def worker_command(self) -> list[str]:
        """What starts the worker."""

    @abstractmethod
    def worker_env(self) -> dict[str, str]:
        """All of the worker's variables."""

    @abstractmethod
    async def start_storage(self) -> None:
        """Start what keeps the orders, as `servers`, but no worker."""

    @abstractmethod
    async def submit(self, order: Order) -> None:
        """Hand an order over; it is durable when this returns."""

    async def open(self) -> None:
        """Start everything."""
        self.provider.start()
        await self.provider.wait_for_port(self._port, READY_SECONDS)
        await self.start_storage()
        await self.start_worker()

    async def close(self) -> None:
        """Kill everything."""
        for process in [self.worker, self.provider, *self.servers]:
            process.kill()
        await self.desk.close()

    async def start_worker(self) -> None:
        """Start it, or start it again; return when it works."""
        self.worker.start()
        await self.worker.wait_for_line(self.ready, READY_SECONDS)

    def freeze_worker(self) -> None:
        """Stop it between two instructions, as a host does that is about to die."""
        os.kill(self.worker.pid, signal.SIGSTOP)

    async def at_work(self, gate: str) -> None:
        """Return when the worker waits at a gate of the provider and has taken what was submitted."""
        assert await self.desk.held(gate), f"{self.name}: nothing came to {gate}"

    def rows(self) -> list[Row]:
        """The provider's ledger so far."""
        return read_ledger(self._ledger)

    def claims(self) -> dict[str, Outcome]:
        """What the contestant says of the orders that it ended."""
        return read_claims(self.claims_file)

    async def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; False when it didn't come in time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not done():
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def _stand_in(self, speed: float) -> list[str]:
        command = [sys.executable, "-m", "simulator", "--port", str(self._port), "--ledger", str(self._ledger)]
        return [*command, "--speed", str(speed), "--rate-limit", str(self.rate_limit)]


class Rival(Arena):
    """A contestant whose worker is one of this folder's."""

    module = ""

    def __init__(self, *, speed: float = 1.0, rate_limit: int = 60) -> None:
        super().__init__(speed=speed, rate_limit=rate_limit)
        self.storage_port = free_port()
        self._submit: Callable[[Order], Awaitable[None]] | None = None

    @abstractmethod
    def storage_url(self) -> str:
        """Where the worker finds its storage."""

    def worker_command(self) -> list[str]:
        """`python -m` the rival's module."""
        return [sys.executable, "-m", f"benchmarks.rivals.{self.module}"]

    def worker_env(self) -> dict[str, str]:
        """Its settings, beside the environment that all share."""
        settings = RivalSettings(
            base_url=f"{self.provider_url}/v3",
            state_dir=self.folder / "state",
            rate_limit=self.rate_limit,
            storage=self.storage_url(),
            claims=self.claims_file,
        )
        return {**os.environ, **settings.environment()}

    async def submit(self, order: Order) -> None:
        """By the rival's own client, made once; imported late, since its packages may be absent."""
        if self._submit is None:
            self._submit = import_module(f"benchmarks.rivals.{self.module}").submitter(self.storage_url())
        await self._submit(order)


def new_order(what: str) -> Order:
    """An order that nobody had before, of a phone of its own."""
    number = next(_numbers)
    return Order(ref=f"{what}-{number}", phone=f"07713{number:05}")
