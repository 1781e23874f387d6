"""Ours and the rivals, each with its storage as real processes; and why one can't take part on this machine."""

import asyncio
import os
import shutil
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.rivals.arena import READY_SECONDS, Arena, Rival
from benchmarks.rivals.orders import AMOUNT, KEY, PLAN, Order, claim
from starter.demo.stage import WORKER_IS_READY
from starter.local import HOST, DevServer, without_ours
from starter.processes import Process
from topups import TopUpRequest, TopUps
from topups.settings import ClientSettings

PACKAGES = "uv sync --group bench"


class Ours(Arena):
    """`TopUps.submit` and `worker.py` with their defaults, on a Temporal dev server with a SQLite file."""

    name = "ours"
    ready = WORKER_IS_READY

    def __init__(self, program: Path, *, speed: float = 1.0, rate_limit: int = 60) -> None:
        super().__init__(speed=speed, rate_limit=rate_limit)
        self._server = DevServer(program, self.folder)
        self._topups: TopUps | None = None
        self._watching: dict[str, asyncio.Task[None]] = {}

    def worker_command(self) -> list[str]:
        """As an operator starts it."""
        return [sys.executable, "-m", "worker"]

    def worker_env(self) -> dict[str, str]:
        """No setting but the addresses and the limit."""
        return without_ours(
            os.environ,
            TEMPORAL_ADDRESS=self._server.address,
            ONECLICKDZ_ACCESS_TOKEN=KEY,
            ONECLICKDZ_BASE_URL=f"{self.provider_url}/v3",
            ONECLICKDZ_RATE_LIMIT=str(self.rate_limit),
            TOPUPS_STATE_DIR=str(self.folder / "state"),
        )

    async def start_storage(self) -> None:
        """Start Temporal and connect."""
        self.servers = [self._server.process]
        await self._server.start()
        self._topups = TopUps(await self._server.connect(), ClientSettings())

    async def submit(self, order: Order) -> None:
        """And claim its end as soon as there is one."""
        assert self._topups is not None
        request = TopUpRequest(ref=order.ref, plan_code=PLAN, phone=order.phone, amount=AMOUNT)
        await self._topups.submit(request)
        self._watching[order.ref] = asyncio.create_task(self._claim(order.ref))

    async def at_work(self, gate: str) -> None:
        """An activity of each open order has begun: this worker asks whose key it is before it has any order."""
        await super().at_work(gate)
        for ref in [ref for ref, watching in self._watching.items() if not watching.done()]:
            await self.worker.wait_for(partial(self._begun, ref), f"an activity of {ref}")

    async def close(self) -> None:
        """Wait for no end any more."""
        for watching in self._watching.values():
            watching.cancel()
        await asyncio.gather(*self._watching.values(), return_exceptions=True)
        await super().close()

    async def _begun(self, ref: str) -> bool:
        assert self._topups is not None
        described = await self._topups.order(ref).describe()
        return any(pending.HasField("last_started_time") for pending in described.raw_description.pending_activities)

    async def _claim(self, ref: str) -> None:
        assert self._topups is not None
        result = await self._topups.order(ref).result()
        claim(self.claims_file, ref, "delivered" if result.delivered else "failed")


class Dbos(Rival):
    """A SQLite file is all that it needs."""

    name = "DBOS"
    module = "dbos_worker"
    ready = "DBOS worker is ready"

    def storage_url(self) -> str:
        """Its system database."""
        return f"sqlite:///{self.folder / 'dbos.sqlite'}"

    async def start_storage(self) -> None:
        """The worker makes its file."""


class Celery(Rival):
    """A Redis server of its own, with its append-only file."""

    name = "Celery"
    module = "celery_worker"
    ready = " ready."

    def storage_url(self) -> str:
        """The broker."""
        return f"redis://{HOST}:{self.storage_port}/0"

    async def start_storage(self) -> None:
        """Start Redis."""
        command = ["redis-server", "--port", str(self.storage_port), "--bind", HOST, "--dir", str(self.folder)]
        command += ["--appendonly", "yes", "--save", ""]
        redis = Process("redis", command, log=self.folder / "redis.log")
        self.servers = [redis]
        redis.start()
        await redis.wait_for_port(self.storage_port, READY_SECONDS)


class Postgres(Rival):
    """A PostgreSQL cluster of its own, as durable as it is by default."""

    name = "PostgreSQL loop"
    module = "postgres_worker"
    ready = "PostgreSQL worker is ready"

    def storage_url(self) -> str:
        """Its only database."""
        return f"postgresql://postgres@{HOST}:{self.storage_port}/postgres"

    async def start_storage(self) -> None:
        """Make a cluster and start it."""
        cluster = self.folder / "cluster"
        cluster.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(cluster, "postgres", "postgres")
        make = [*as_postgres(), str(postgres_program("initdb")), "-D", str(cluster), "-U", "postgres", "-A", "trust"]
        making = Process("initdb", make, log=self.folder / "initdb.log")
        making.start()
        assert await making.ended(READY_SECONDS) == 0, making.output
        command = [*as_postgres(), str(postgres_program("postgres")), "-D", str(cluster), "-p", str(self.storage_port)]
        command += ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
        postgres = Process("postgres", command, log=self.folder / "postgres.log")
        self.servers = [postgres]
        postgres.start()
        await postgres.wait_for_line("ready to accept connections", READY_SECONDS)


class Careless(Postgres):
    """Not held against ours: it shows that the faults bite and that the judge sees it."""

    name = "careless loop"
    module = "careless_worker"
    ready = "Careless worker is ready"


def postgres_program(name: str) -> Path | None:
    """A server program: on PATH, or the newest where Debian keeps them."""
    found = shutil.which(name)
    return Path(found) if found else max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), default=None)


def as_postgres() -> list[str]:
    """What makes root another user, as PostgreSQL wants it; tied to this process as every other child."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"]


def installed(package: str) -> str | None:
    """The version of a package, None where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def missing(rival: type[Rival]) -> str | None:
    """What to install so that the rival can take part; None when nothing is missing."""
    packages = {Dbos: ("dbos",), Celery: ("celery", "redis"), Postgres: ("psycopg",)}[rival]
    absent = [package for package in packages if installed(package) is None]
    if absent:
        return f"{', '.join(absent)} not installed: {PACKAGES}"
    if rival is Celery and not shutil.which("redis-server"):
        return "there is no redis-server: apt-get install redis-server"
    if rival is Postgres and not (postgres_program("initdb") and postgres_program("postgres")):
        return "there is no PostgreSQL server: apt-get install postgresql"
    return None
