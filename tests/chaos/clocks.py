"""F8 to F10: a provider that is gone, a worker that sleeps through its own send, clocks that are wrong."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from starter.processes import NotReady
from tests.chaos.ground import Ground
from tests.chaos.plan import UNKNOWN, OrderPlan, Round
from topups.start import workflow_id

# Longer than a send may last (start-to-close 45 s).
FROZEN_SECONDS = 50.0
WRONG_CLOCK_SECONDS = 12.0
SKIP_SECONDS = 120.0
HEARD_SECONDS = 20.0


async def outage(ground: Ground, each: Round, seconds: float) -> None:
    """F8: the provider is gone, frozen or dead, with a crowd of orders in flight, and comes back."""
    half = len(each.orders) // 2
    ground.hand(*each.orders[:half])
    await asyncio.sleep(2 + 2 * each.chance)
    if each.released_first:
        ground.kill(ground.provider)
    else:
        ground.freeze(ground.provider)
    ground.hand(*each.orders[half:])
    await asyncio.sleep(seconds)
    open_refs = [order.ref for order in each.orders if not _is_final(ground, order.ref)]
    ground.fault(each.number, each.fault, each.window, open_refs, seconds=seconds)
    if each.released_first:
        await ground.start_provider()
    else:
        ground.thaw(ground.provider)
    await ground.taken(each.orders)


def _is_final(ground: Ground, ref: str) -> bool:
    rows = ground.ledger.of(ref)
    return any(row["kind"] == "answer" and row["status"] in {"FULFILLED", "REFUNDED"} for row in rows)


async def frozen(ground: Ground, each: Round) -> None:
    """F9: a worker is stopped in the middle of its sends and goes on when others have long taken over."""
    sleeper = ground.worker("sleeper")
    await ground.start_worker(sleeper)
    ground.hand(*each.orders)
    await ground.until(
        lambda: any(ground.ledger.of(order.ref) for order in each.orders), 30, "a first send of the burst"
    )
    ground.freeze(sleeper)
    inside = [order.ref for order in each.orders if not _is_final(ground, order.ref)]
    await asyncio.sleep(FROZEN_SECONDS)
    ground.thaw(sleeper)
    ground.fault(each.number, each.fault, each.window, inside)
    # Its late POSTs, if there are any, leave now.
    await asyncio.sleep(3)
    ground.kill(sleeper)


def faketime() -> Path | None:
    """The library that gives a process another clock; None where it isn't installed."""
    spec = find_spec("libfaketime")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return found if found.exists() else None


async def wrong_clock(ground: Ground, each: Round) -> None:
    """F10: a worker whose clock is an hour off; then one whose clock is right."""
    library = faketime()
    if library is None:
        ground.skip(each, "libfaketime is not installed")
        return
    queue = f"clock-{each.number}"
    offset = "+1h" if each.window == "hour-ahead" else "-1h"
    mine = {"TOPUPS_TASK_QUEUE": queue, "TOPUPS_STATE_DIR": str(ground.folder / queue)}
    fake = {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    wrong = ground.worker(f"{queue}-wrong", **mine, **fake)
    await ground.start_worker(wrong)
    ground.hand(*each.orders, queue=queue)
    await ground.taken(each.orders)
    await asyncio.sleep(WRONG_CLOCK_SECONDS)
    ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders])
    ground.kill(wrong)
    await ground.start_worker(ground.worker(f"{queue}-right", **mine))


async def day_skipped(ground: Ground, each: Round) -> None:
    """F10: the true 24 hours, on the server's clock, with the worker killed in them."""
    if ground.server is None:
        ground.skip(each, "only the dev server's clock can be moved")
        return
    queue = f"day-{each.number}"
    mine = {"TOPUPS_TASK_QUEUE": queue, "TOPUPS_STATE_DIR": str(ground.folder / queue)}
    worker = ground.worker(queue, **mine, TOPUPS_UNKNOWN_RECHECK="86400")
    await ground.start_worker(worker)
    orders = [OrderPlan(order.ref, UNKNOWN, order.amount) for order in each.orders]
    ground.hand(*orders, queue=queue)
    asleep = []
    for order in orders:
        with suppress(NotReady):
            await ground.row(order.ref, 60, kind="answer", status="UNKNOWN_ERROR")
            await ground.says(order.ref, "UNKNOWN_ERROR", HEARD_SECONDS)
            asleep.append(order.ref)
    ground.kill(worker)
    for order in orders:
        await ground.drive(order.ref, each.ending)
    await ground.start_worker(worker)
    for ref in asleep:
        ground.act("skip", ref)
        await _skip(ground, ref)
    ground.fault(each.number, each.fault, each.window, asleep)


async def _skip(ground: Ground, ref: str) -> None:
    async with asyncio.timeout(SKIP_SECONDS):
        while True:
            client = await ground.temporal()
            skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
            try:
                await skipper.fast_forward(skipper.client.get_workflow_handle(workflow_id(ref)), timedelta(hours=24))
            except RPCError as error:
                # The first try was taken, its answer was lost with the server, and the order has ended.
                if error.status is RPCStatusCode.NOT_FOUND:
                    return
            else:
                return
            await asyncio.sleep(0.5)
