"""The processes of a run: a Temporal server, the stand-in provider, workers; and the desk that directs the stand-in."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from starter.local import HOST, DevServer, without_ours
from starter.processes import Process, free_port
from topups import TopUps
from topups.settings import ClientSettings

KEY = "sandbox-key"
WORKER_IS_READY = "Worker is ready"
# Of the stand-in's admin calls; the longest one waits for a request to reach a hold.
DESK_SECONDS = 40.0


class Desk:
    """The stand-in's admin calls, see docs/simulator.md."""

    def __init__(self, url: str) -> None:
        # A connection that the stand-in is just closing would fail a call that can't be made twice.
        fresh = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(base_url=f"{url}/_admin", timeout=DESK_SECONDS, trust_env=False, limits=fresh)

    async def arm(self, endpoint: str, moment: str, action: str, **more: Any) -> None:
        """Let the next request to `endpoint` go wrong at `moment`."""
        await self._post("/faults", endpoint=endpoint, moment=moment, action=action, **more)

    async def held(self, hold: str, seconds: float = 20.0) -> bool:
        """Wait until a request waits at the hold; False when none came in time."""
        answer = await self._http.get(f"/holds/{hold}", params={"timeout": seconds})
        return answer.is_success

    async def release(self, hold: str) -> None:
        """Let go who waits at the hold."""
        await self._post(f"/release/{hold}")

    async def drive(self, ref: str, status: str) -> None:
        """Give the order this status for good, as the provider's support does."""
        await self._post(f"/orders/{ref}/status", status=status)

    async def fund(self, amount: int) -> None:
        """Make the wallet hold `amount` DZD."""
        await self._post("/balance", amount=amount)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, path: str, **body: Any) -> None:
        (await self._http.post(path, json=body)).raise_for_status()


class Stage:
    """A folder with everything in it. `tied` processes end with this one.

    `speed` divides the provider's own delays, never a wait of ours. `rate_limit` is the provider's, requests a
    minute and key (0: none).
    """

    def __init__(
        self,
        folder: Path,
        server: DevServer,
        *,
        speed: float = 1.0,
        rate_limit: int | None = None,
        tied: bool = True,
    ) -> None:
        self.folder = folder
        self.tied = tied
        self.ledger = folder / "ledger.jsonl"
        self.server = server
        self._port = free_port()
        self.provider_url = f"http://{HOST}:{self._port}"
        self.simulator = Process("provider", self._simulator(speed, rate_limit), log=folder / "provider.log", tied=tied)
        self.desk = Desk(self.provider_url)
        self.workers: list[Process] = []

    async def start(self) -> None:
        """Start the server and the provider. Raises NotReady."""
        self.simulator.start()
        await self.server.start()
        await self.simulator.wait_for_port(self._port)

    async def topups(self, settings: ClientSettings | None = None) -> TopUps:
        """Connect to this stage's server."""
        return TopUps(await self.server.connect(), settings or ClientSettings())

    def worker(self, name: str = "worker", env: Mapping[str, str] | None = None) -> Process:
        """A worker that is not started yet; `env` overrides its settings."""
        process = Process(
            name,
            [sys.executable, "-m", "worker"],
            log=self.folder / f"{name}.log",
            env=without_ours(os.environ, **(self._worker_env() | dict(env or {}))),
            tied=self.tied,
        )
        self.workers.append(process)
        return process

    @property
    def processes(self) -> list[Process]:
        """All of them, the server last: killed in this order nobody misses anybody."""
        return [*self.workers, self.simulator, self.server.process]

    async def end(self) -> None:
        """Kill everything."""
        for process in self.processes:
            process.kill()
        await self.desk.close()

    def _worker_env(self) -> dict[str, str]:
        return {
            "TEMPORAL_ADDRESS": self.server.address,
            "ONECLICKDZ_ACCESS_TOKEN": KEY,
            "ONECLICKDZ_BASE_URL": f"{self.provider_url}/v3",
            "TOPUPS_STATE_DIR": str(self.folder / "state"),
        }

    def _simulator(self, speed: float, rate_limit: int | None) -> list[str]:
        command = [sys.executable, "-m", "simulator", "--port", str(self._port)]
        command += ["--ledger", str(self.ledger), "--speed", str(speed)]
        return command if rate_limit is None else [*command, "--rate-limit", str(rate_limit)]


async def run_worker(worker: Process) -> None:
    """Start a worker, or start it again, and return when it polls. Raises NotReady."""
    worker.start()
    await worker.wait_for_line(WORKER_IS_READY)


def new_folder() -> Path:
    """A temporary folder for a stage."""
    return Path(tempfile.mkdtemp(prefix="topup-demo-"))
