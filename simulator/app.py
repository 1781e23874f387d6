"""The stand-in as an ASGI application."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from simulator import endpoints
from simulator.admin import Admin
from simulator.clock import Clock
from simulator.faults import Faults
from simulator.gate import Gate
from simulator.holds import Holds
from simulator.pipeline import Endpoint, Pipeline
from simulator.plans import Catalogue
from simulator.provider import Provider
from simulator.settings import Settings

TICK_SECONDS = 0.05


class Simulator:
    """Everything behind the application; ``app.state.simulator``."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.faults = Faults()
        self.holds = Holds()
        self.gate = Gate(provider.settings, provider.clock)
        self._timekeeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep settling due orders on the running event loop. May be called again."""
        task = self._timekeeper
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._timekeeper = asyncio.create_task(self._keep_time(), name="simulator-timekeeper")

    def stop(self) -> None:
        """Let nobody wait any longer. Safe in a signal handler."""
        self.holds.close()

    def close(self) -> None:
        """Stop, and let the ledger go; the same file can then be opened again."""
        self.stop()
        if self._timekeeper:
            self._timekeeper.cancel()
        self.provider.close()

    async def _keep_time(self) -> None:
        while True:
            self.provider.settle()
            await self.provider.durable()
            await asyncio.sleep(TICK_SECONDS)


class _Started:
    """Starts the timekeeper with the first request: in-process clients send no lifespan events."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._simulator.start()
        await self._app(scope, receive, send)


def create_app(
    ledger_path: Path | str,
    settings: Settings | None = None,
    *,
    clock: Clock = time.time,
    catalogue: Catalogue | None = None,
) -> Starlette:
    """The stand-in on that ledger; ``app.state.simulator`` is the Simulator, its ``close()`` ends it.

    Usable with ``httpx.ASGITransport``; a cut connection then shows as ConnectionResetError. ``clock`` gives
    epoch seconds. Raises JournalInUse and JournalCorrupt.
    """
    own = (settings or Settings()).model_copy()
    simulator = Simulator(Provider(Path(ledger_path), own, clock, catalogue or Catalogue()))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        simulator.start()
        try:
            yield
        finally:
            simulator.close()

    app = Starlette(routes=_routes(simulator), lifespan=lifespan)
    app.add_middleware(_Started, simulator=simulator)
    app.state.simulator = simulator
    return app


def _routes(simulator: Simulator) -> list[BaseRoute]:
    desk = simulator.provider, simulator.gate, simulator.faults, simulator.holds
    pipeline = Pipeline(*desk)
    unknown = Endpoint(pipeline, "unknown")
    paths = {
        "/v3/validate": Endpoint(pipeline, "validate", endpoints.validate, has_meta=False, has_request_id=False),
        "/v3/account/balance": Endpoint(pipeline, "balance", endpoints.balance, has_request_id=False),
        "/v3/account/transactions": Endpoint(pipeline, "transactions", endpoints.transactions),
        "/v3/mobile/plans": Endpoint(pipeline, "plans", endpoints.plans),
        "/v3/mobile/send": Endpoint(pipeline, "send", endpoints.send, method="POST", has_request_id=False),
        "/v3/mobile/check-id/{asked:path}": Endpoint(pipeline, "check-id", endpoints.check_id),
        "/v3/mobile/check-ref/{asked:path}": Endpoint(pipeline, "check-ref", endpoints.check_ref),
        "/v3/mobile/list": Endpoint(pipeline, "list", endpoints.topups),
    }
    return [
        Mount("/_admin", routes=Admin(*desk).routes()),
        *(Route(path, endpoint) for path, endpoint in paths.items()),
        Route("/{asked:path}", unknown),
    ]
