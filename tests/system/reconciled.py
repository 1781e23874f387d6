"""Real orders on a real server, twenty differences planted in the stand-in's books, and one reconciliation of all.

`python -m tests.system.reconciled 1000` plays it with a thousand orders and prints what it took.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from oneclickdz import OneClickDZ
from simulator import Settings, create_app
from starter.local import DevServer, temporal_program
from topups import Phase, TopUpRequest, TopUps
from topups.books.audits import Audits
from topups.books.differences import AuditView, Difference, ReconcileInput, Report
from topups.books.reconciling import SCHEDULE_ID, Reconciliations, keep_schedule
from topups.policy import Policy
from topups.settings import TASK_QUEUE, ClientSettings, WorkerSettings
from worker import build_worker

BASE = "http://provider"
RATE_LIMIT = 100_000
AT_ONCE = 40
PATIENCE_SECONDS = 600.0
DELIVERED_PLANS = ("PREPAID_DJEZZY", "PIXX_500", "FACTURE_DJEZZY")
REFUNDED, OFFERS, UNKNOWN, WORKING, NEVER_PAID = (f"060000000{last}" for last in (1, 2, 3, 6, 9))
# DZD; more than any other order asks, so that none waits for it.
UNPAID = 9_999


@dataclass
class Ground:
    """A server, a worker and a provider in one process."""

    topups: TopUps
    desk: httpx.AsyncClient
    told: list[str] = field(default_factory=list)
    phones: Iterator[str] = field(default_factory=lambda: (f"0771{number:06}" for number in count()))

    async def submit(self, ref: str, **changes: Any) -> None:
        known = {"ref": ref, "plan_code": "PREPAID_DJEZZY", "phone": next(self.phones), "amount": 500}
        await self.topups.submit(TopUpRequest(**known | changes))

    async def until(self, ref: str, *phases: Phase) -> None:
        """Wait for an order's phase."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if (await self.topups.order(ref).view()).phase in phases:
                    return
                await asyncio.sleep(0.5)

    async def until_all(self, wanted: dict[str, Phase]) -> None:
        """Wait until the list shows all orders in their phases; asking each of them would be most of the work."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if {row.ref: row.phase async for row in self.topups.list()} == wanted:
                    return
                await asyncio.sleep(2)

    async def plant(self, method: str, path: str, **body: Any) -> None:
        (await self.desk.request(method, f"/_admin/{path}", json=body or None)).raise_for_status()

    @property
    def reconciliations(self) -> Reconciliations:
        return Reconciliations(self.topups.client, TASK_QUEUE)

    async def reconcile(self, **given: Any) -> Report:
        """Compare all now."""
        started = await self.reconciliations.start(ReconcileInput(days=1, **given))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (under_way := await self.reconciliations.progress(started)) is not None:
                self.told.append(under_way)
                await asyncio.sleep(0.1)
            return await self.reconciliations.report(started)

    async def scheduled(self) -> Report:
        """Have the schedule made as `topup setup` makes it, and run once as it runs daily."""
        client, before = self.topups.client, await self.reconciliations.last()
        await keep_schedule(client, TASK_QUEUE, hour=2, days=1)
        await client.get_schedule_handle(SCHEDULE_ID).trigger()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                last = await self.reconciliations.last()
                if last is not None and last != before:
                    return last
                await asyncio.sleep(0.5)


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Everything there is, running."""
    server = DevServer(await temporal_program(), folder)
    app = create_app(folder / "ledger.jsonl", Settings(speed=10, rate_limit=0, balance=10_000_000))
    transport = httpx.ASGITransport(app=app)
    settings = WorkerSettings(rate_limit=RATE_LIMIT, state_dir=folder / "state")
    provider = OneClickDZ(
        token="sandbox-key",
        environment="sandbox",
        state_dir=settings.state_dir,
        base_url=f"{BASE}/v3",
        rate_limit=RATE_LIMIT,
        transport=transport,
    )
    try:
        await server.start()
        client = await server.connect()
        async with (
            provider,
            httpx.AsyncClient(transport=transport, base_url=BASE) as desk,
            build_worker(client, provider, settings, Policy()),
        ):
            yield Ground(TopUps(client, ClientSettings()), desk)
    finally:
        server.process.kill()
        app.state.simulator.close()


async def fill(ground: Ground, orders: int) -> None:
    """Have so many orders, of every kind, reach where they stay."""
    wanted: list[tuple[str, dict[str, Any], Phase]] = []

    def some(name: str, number: int, phase: Phase, **changes: Any) -> None:
        wanted.extend((f"{name}-{index}", changes, phase) for index in range(number))

    few = max(4, orders // 50)
    some("unknown", few, Phase.UNKNOWN_ERROR, phone=UNKNOWN)
    some("working", few, Phase.HANDLING, phone=WORKING)
    some("refunded", few, Phase.REFUNDED, phone=REFUNDED)
    some("offers", few, Phase.REFUNDED, phone=OFFERS)
    some("menu", few, Phase.REFUNDED, phone="0661234567", plan_code="GETMENU_Mobilis", amount=None)
    some("no-plan", few, Phase.REJECTED, plan_code="NO_SUCH_PLAN")
    some("held", few, Phase.ON_HOLD, phone=NEVER_PAID, amount=UNPAID)
    some("fixed", few, Phase.FULFILLED, plan_code="PIXX_500", amount=None, phone="0771111111")
    some("delivered", orders - len(wanted), Phase.FULFILLED)
    room = asyncio.Semaphore(AT_ONCE)

    async def submit(ref: str, changes: dict[str, Any]) -> None:
        async with room:
            await ground.submit(ref, **changes)

    async with asyncio.TaskGroup() as group:
        for ref, changes, _ in wanted:
            group.create_task(submit(ref, changes))
    await ground.until_all({ref: phase for ref, _, phase in wanted})
    await ground.topups.order("held-1").cancel(reason="the customer left", by="fatima")


PLANTED = {
    ("late_reversal", "delivered-0"),
    ("late_reversal", "delivered-1"),
    ("late_reversal", "fixed-0"),
    ("other_status", "delivered-2"),
    ("other_status", "refunded-0"),
    ("other_status", "unknown-0"),
    ("other_status", "unknown-1"),
    ("other_status", "held-1"),
    ("other_status", "no-plan-0"),
    ("unknown_to_them", "delivered-3"),
    ("unknown_to_them", "refunded-1"),
    ("unknown_to_them", "working-0"),
    ("other_amount", "delivered-4"),
    ("other_amount", "delivered-5"),
    ("other_order", "delivered-6"),
    ("two_records", "delivered-7"),
    ("two_records", "offers-0"),
    ("unknown_to_us", "from-elsewhere"),
    ("unknown_to_us", "order-of-another-shop"),
    ("balance", None),
}


async def plant(ground: Ground) -> None:
    """Make the provider's books differ in twenty places, in each of the ways there are."""
    for ref in ("delivered-0", "delivered-1", "fixed-0"):
        await ground.plant("POST", f"orders/{ref}/status", status="REFUNDED")
    await ground.plant("POST", "orders/delivered-2/status", status="PENDING")
    await ground.plant("POST", "orders/refunded-0/status", status="FULFILLED")
    await ground.plant("POST", "orders/unknown-0/status", status="FULFILLED")
    await ground.plant("POST", "orders/unknown-1/status", status="REFUNDED")
    await ground.plant("POST", "orders", ref="held-1", phone=NEVER_PAID, amount=UNPAID)
    no_plan = await ground.topups.order("no-plan-0").view()
    await ground.plant("POST", "orders", ref="no-plan-0", phone=no_plan.phone, plan_code="NO_SUCH_PLAN")
    for ref in ("delivered-3", "refunded-1", "working-0"):
        await ground.plant("DELETE", f"orders/{ref}")
    await ground.plant("POST", "orders/delivered-4/record", amount=400)
    await ground.plant("POST", "orders/delivered-5/record", debited=480)
    await ground.plant("POST", "orders/delivered-6/record", phone="0770000000")
    delivered = await ground.topups.order("delivered-7").view()
    await ground.plant("POST", "orders", ref="delivered-7", phone=delivered.phone)
    await ground.plant("POST", "orders", ref="offers-0", phone=OFFERS, status="REFUNDED")
    await ground.plant("POST", "orders", ref="from-elsewhere")
    await ground.plant("POST", "orders", ref="order-of-another-shop", status="HANDLING")
    await ground.plant("POST", "balance", amount=5_000_000, noted=False)


@dataclass(frozen=True)
class Played:
    """What a run of all this showed. `before` is a report of books that agree; seconds are of `planted`."""

    before: Report
    planted: Report
    again: Report
    woken: dict[str, Phase]
    scheduled: Report
    audits: dict[str, AuditView]
    told: list[str]
    seconds: float
    orders_seconds: float

    def found(self, report: Report) -> set[tuple[str, str | None]]:
        return {(one.kind.value, one.ref) for one in report.differences}

    def of(self, ref: str) -> Difference:
        return next(one for one in self.planted.differences if one.ref == ref)


async def played(folder: Path, orders: int) -> Played:
    """Orders, a reconciliation, twenty differences, another one, and one more when its words have been heard."""
    async with ground(folder) as on:
        began = time.monotonic()
        await fill(on, orders)
        orders_seconds = time.monotonic() - began
        before = await on.reconcile()
        await plant(on)
        began = time.monotonic()
        planted = await on.reconcile()
        seconds = time.monotonic() - began
        for ref in ("unknown-0", "unknown-1"):
            await on.until(ref, Phase.FULFILLED, Phase.REFUNDED)
        woken = {ref: (await on.topups.order(ref).view()).phase for ref in ("unknown-0", "unknown-1")}
        again = await on.reconcile()
        audits = {view.ref: view async for view in Audits(on.topups.client, TASK_QUEUE).all_open()}
        scheduled = await on.scheduled()
        return Played(
            before=before,
            planted=planted,
            again=again,
            woken=woken,
            scheduled=scheduled,
            audits=audits,
            told=on.told,
            seconds=seconds,
            orders_seconds=orders_seconds,
        )


async def compared_under_way(folder: Path, orders: int) -> list[Report]:
    """Compare on and on while orders of every kind come in, answers are lost and the provider's reads lag."""
    async with ground(folder) as on:
        await on.plant("POST", "settings", read_lag=1.5, read_lag_endpoints=["check-ref", "list"])

        async def come_in() -> None:
            for number in range(orders):
                ref, phone = f"passing-{number}", (next(on.phones), REFUNDED, UNKNOWN, WORKING)[number % 4]
                if number % 5 == 0:
                    moment, action = ("committed", "reset") if number % 2 else ("received", 503)
                    await on.plant("POST", "faults", endpoint="send", ref=ref, moment=moment, action=action)
                await on.submit(ref, phone=phone)
                await asyncio.sleep(0.15)

        coming, reports = asyncio.create_task(come_in()), []
        while not coming.done():
            reports.append(await on.reconcile())
        await coming
        return reports


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        shown = asyncio.run(played(Path(place), int(sys.argv[1])))
    sys.stdout.write(
        f"orders {shown.orders_seconds:.1f} s, reconciliation {shown.seconds:.1f} s\n"
        f"before: {shown.found(shown.before)} {shown.before.requests} {shown.before.balance}\n"
        f"missing: {PLANTED - shown.found(shown.planted)}\n"
        f"made up: {shown.found(shown.planted) - PLANTED}\n"
        f"{shown.planted.model_dump_json(indent=1)}\n"
        f"woken: {shown.woken}\naudits: {sorted(shown.audits)}\nagain: {sorted(map(str, shown.found(shown.again)))}\n"
    )
