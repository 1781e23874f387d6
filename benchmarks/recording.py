"""Histories of long orders, recorded anew in seconds: the real workers on Temporal's time-skipping test server.

The provider's stand-in runs in this process and keeps each order HANDLING until a check with a chosen number.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from oneclickdz import OneClickDZ
from simulator import Settings, create_app
from starter.connection import quiet_runtime
from starter.demo.stage import KEY
from starter.local import installed
from topups import TopUpRequest, TopUps, TopUpsPlugin
from topups.policy import Policy
from topups.search_attributes import REGISTRY
from topups.settings import ClientSettings, WorkerSettings
from topups.start import workflow_id
from worker import build_worker

BASE = "http://provider"
PLAN, AMOUNT = "PREPAID_DJEZZY", 500
HANDLING_FOR_EVER = "0600000006"
A_STEP_SECONDS, PATIENCE_SECONDS = 60.0, 60.0

T = TypeVar("T")


class EndsAtCheck(httpx.AsyncBaseTransport):
    """The stand-in, which delivers an order right before its check number `last` is answered."""

    def __init__(self, folder: Path, ref: str, last: int) -> None:
        self._app = create_app(folder / "ledger.jsonl", Settings(rate_limit=0, speed=1_000))
        self._asgi = httpx.ASGITransport(app=self._app)
        self._ref, self._left = ref, last

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the stand-in does."""
        if "/check-id/" in request.url.path:
            self._left -= 1
            if self._left == 0:
                await self._deliver()
        return await self._asgi.handle_async_request(request)

    async def aclose(self) -> None:
        """Let the ledger go."""
        self._app.state.simulator.close()

    async def _deliver(self) -> None:
        async with httpx.AsyncClient(transport=self._asgi, base_url=BASE) as desk:
            answer = await desk.post(f"/_admin/orders/{self._ref}/status", json={"status": "FULFILLED"})
            answer.raise_for_status()


async def record_ours(checks: int) -> WorkflowHistory:
    """Return the history of an order of ours that is delivered at check number `checks`."""
    async with _server(TopUpsPlugin()) as env, _provider("long", checks) as provider:
        await _register(env.client)
        async with build_worker(env.client, provider, WorkerSettings(), Policy()):
            order = await TopUps(env.client, ClientSettings()).submit(
                TopUpRequest(ref="long", plan_code=PLAN, phone=HANDLING_FOR_EVER, amount=AMOUNT)
            )
            result = await _skipping(env, order.result())
        assert result.checks == checks, result.timeline
        return await env.client.get_workflow_handle(workflow_id("long")).fetch_history()


async def _skipping(env: WorkflowEnvironment, result: Coroutine[Any, Any, T]) -> T:
    """Let the server's clock run ahead until there is a result."""
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        ended = group.create_task(result)
        while not ended.done():
            await env.sleep(A_STEP_SECONDS)
    return ended.result()


@asynccontextmanager
async def _server(*plugins: TopUpsPlugin) -> AsyncIterator[WorkflowEnvironment]:
    program = installed("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        plugins=plugins, runtime=quiet_runtime(), test_server_existing_path=str(program) if program else None
    ) as env:
        yield env


@asynccontextmanager
async def _provider(ref: str, checks: int) -> AsyncIterator[OneClickDZ]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with OneClickDZ(
            token=KEY,
            environment="sandbox",
            state_dir=folder / "state",
            base_url=f"{BASE}/v3",
            rate_limit=1_000_000,
            transport=EndsAtCheck(folder, ref, checks),
        ) as client:
            yield client


async def _register(client: Client) -> None:
    types = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}") for name, kind in REGISTRY.items()}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    )
