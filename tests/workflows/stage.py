"""One order at a time on a Temporal server whose provider follows a script."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, WorkflowEnvironment

from tests.workflows.provider import ScriptedProvider, says
from topups import Phase, TopUpOrder, TopUpRequest, TopUpResult, TopUpRow, TopUps, TopUpView
from topups.start import workflow_id

PATIENCE_SECONDS = 30
HOUR = 3_600
DAY = 24 * HOUR
REF = "order-1"

Wanted = Phase | Callable[[TopUpView], bool]


@dataclass
class Stage:
    """What a test acts on. Between two acts no time passes but the test's own few milliseconds.

    `skipper` moves the order's own clock on a real server; without it the whole server's clock moves.
    """

    env: WorkflowEnvironment
    provider: ScriptedProvider
    topups: TopUps
    skipper: TimeSkipper | None = None

    async def submit(self, **changes: Any) -> TopUpOrder:
        """Hand over an order of 500 DZD."""
        asked: dict[str, Any] = {"ref": REF, "plan_code": "PREPAID_DJEZZY", "phone": "0771234567", "amount": 500}
        return await self.topups.submit(TopUpRequest(**asked | changes))

    @property
    def handle(self) -> WorkflowHandle[Any, TopUpResult]:
        """The workflow of `order-1`, past the typed client."""
        return self.handle_of(REF)

    def handle_of(self, ref: str) -> WorkflowHandle[Any, TopUpResult]:
        """The workflow of an order, past the typed client."""
        return self.topups.client.get_workflow_handle(workflow_id(ref), result_type=TopUpResult)

    async def later(self, seconds: float, ref: str = REF) -> None:
        """Let time pass; what falls due meanwhile happens. On a real server it passes for one order."""
        if self.skipper is None:
            await self.env.sleep(seconds)
        else:
            # An order that reached its end meanwhile has no clock to move.
            with suppress(RPCError):
                await self.skipper.fast_forward(self.handle_of(ref), seconds)

    async def end(self, order: TopUpOrder) -> TopUpResult:
        """Let time pass until an order has reached its end."""
        result = asyncio.create_task(order.result(timeout=PATIENCE_SECONDS))
        while not (await asyncio.wait({result}, timeout=0.01))[0]:
            # On a busy machine the test server's own call may time out; the result's patience is the limit.
            with suppress(RPCError):
                await self.later(6 * HOUR, order.ref)
        return result.result()

    async def run(self, **changes: Any) -> TopUpResult:
        """Hand over an order and let time pass until its end."""
        return await self.end(await self.submit(**changes))

    async def until(self, order: TopUpOrder, wanted: Wanted) -> TopUpView:
        """Wait for an order's view, without letting time pass."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            view = await order.view()
            if view.phase is wanted if isinstance(wanted, Phase) else wanted(view):
                return view
            assert time.monotonic() < deadline, f"still {view.phase}: {view}"
            await asyncio.sleep(0.02)

    async def details(self) -> str:
        """What the UI shows as the run's current details."""
        metadata: WorkflowMetadata = await self.handle.query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )
        return metadata.current_details

    async def attributes(self) -> dict[str, Any]:
        """The search attributes of the order's newest run."""
        described = await self.handle.describe()
        return {pair.key.name: pair.value for pair in described.typed_search_attributes}


async def rows_of(asked: Callable[[], AsyncIterator[TopUpRow]], wanted: set[str]) -> list[TopUpRow]:
    """Wait until a list shows these refs and no other: it follows the orders by a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = [row async for row in asked()]
        if {row.ref for row in rows} == wanted and len(rows) == len(wanted):
            return rows
        assert time.monotonic() < deadline, rows
        await asyncio.sleep(0.05)


async def resolved(stage: Stage) -> TopUpOrder:
    """An order of which the provider knew nothing and that fatima resolved as refunded."""
    stage.provider.follow("check", says("UNKNOWN_ERROR"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    await stage.later(6)
    assert (await order.resolve("REFUNDED", note="ticket 881", by="fatima")).taken
    return order
