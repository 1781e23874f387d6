"""How many orders a second go through the engine, with every limit lifted.

Ours and the smallest workflow with the same activities and timers take turns, a batch each, on one server and one
provider. A batch is timed from its first start to its last end, and each order is FULFILLED at its second check. Two
requests for one order are 5 s apart (the provider's rule, kept by the control as well); all orders of a batch begin at
once, so that somebody has work to do nearly all the time.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from activities import Ask
from benchmarks.deliverer import PHONE, delivering
from benchmarks.ground import LIMIT_LIFTED, cpu_of, ground
from benchmarks.measure import Line, Measure, Size
from benchmarks.smallest import TASK_QUEUE, WORKFLOW_TYPE
from starter.connection import quiet_runtime
from starter.demo.stage import KEY, Stage, run_worker
from starter.demo.verdict import read_ledger
from starter.local import without_ours
from starter.processes import Process
from topups import Phase, TopUpRequest, TopUps, connect_temporal

AT_LEAST = 0.8
# HANDLING at once.
SPEED = 1_000.0
WAITS = {"TOPUPS_FIRST_CHECK": "1", "TOPUPS_POLL_MIN": "1", "TOPUPS_POLL_MAX": "1"}
PLAN, AMOUNT = "PREPAID_DJEZZY", 500
PATIENCE_SECONDS = 180.0
DELIVER_WITHIN = timedelta(hours=1)

One = Callable[[str], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Load:
    """Orders of a batch, and pairs of batches."""

    orders: int
    pairs: int


LOADS: dict[Size, Load] = {"quick": Load(20, 1), "full": Load(250, 5), "docs": Load(400, 5)}


@dataclass
class Turns:
    """Orders a second of each batch, and the CPU time that an order took of each process, s."""

    rates: list[float] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)


async def measure(size: Size) -> Measure:
    """Take turns, and compare each batch with its neighbour: a machine changes its speed within minutes."""
    load = LOADS[size]
    async with ground(SPEED) as stage, delivering(stage):
        # Both batches of each pair, and as much again.
        await stage.desk.fund(4 * load.pairs * load.orders * AMOUNT)
        held: list[str] = []
        ones = {"ours": _ours(await stage.topups(), held), "control": await smallest_order(stage)}
        workers = {"ours": stage.worker(env=LIMIT_LIFTED | WAITS), "control": smallest_worker(stage)}
        turns = {name: Turns() for name in ones}
        for worker in workers.values():
            await run_worker(worker)
        for name, one in ones.items():
            await _batch(f"warm-{name}", one, 4)
        for number in range(load.pairs):
            # The other way round every second time: the server's database grows under both.
            for name in list(ones) if number % 2 == 0 else list(ones)[::-1]:
                pids = {
                    "worker": workers[name].pid,
                    "server": stage.server.process.pid,
                    "provider": stage.simulator.pid,
                }
                await _turn(f"{name}-{number}", ones[name], load, turns[name], pids | {"client": os.getpid()})
        checks = {name: _checks_an_order(stage, name, load) for name in ones}
    return _answer(load, turns, checks, held)


def _answer(load: Load, turns: dict[str, Turns], checks: dict[str, float], held: list[str]) -> Measure:
    ratio = median(ours / control for ours, control in zip(turns["ours"].rates, turns["control"].rates, strict=True))
    lines = [
        Line("a batch by the control's beside it, median", ratio, None, "x", f">= {AT_LEAST}", ratio >= AT_LEAST),
        Line("through the engine", median(turns["ours"].rates), median(turns["control"].rates), "orders/s"),
    ]
    for process in ("worker", "server"):
        spent = {name: median(batch[process] for batch in turn.cpu) for name, turn in turns.items()}
        lines.append(Line(f"CPU of the {process}", spent["ours"] * 1e3, spent["control"] * 1e3, "ms an order"))
    lines.append(Line("checks of an order", checks["ours"], checks["control"], ""))
    return Measure(
        name="engine",
        question=f"How many orders a second, with {load.orders} begun at once?",
        control="the smallest workflow with the same activities and timers, same server, same provider, in turns",
        lines=tuple(lines),
        facts={
            "orders_a_second": {name: [round(rate, 2) for rate in turn.rates] for name, turn in turns.items()},
            "cpu_ms_an_order": {name: [_in_ms(batch) for batch in turn.cpu] for name, turn in turns.items()},
            "holds_of_ours": held,
        },
    )


def _in_ms(spent: dict[str, float]) -> dict[str, float]:
    return {process: round(seconds * 1e3, 1) for process, seconds in spent.items()}


def _ours(topups: TopUps, held: list[str]) -> One:
    async def one(name: str) -> None:
        order = await topups.submit(TopUpRequest(ref=name, plan_code=PLAN, phone=PHONE, amount=AMOUNT))
        result = await order.result(timeout=PATIENCE_SECONDS)
        assert result.delivered, result.timeline
        # One that waited 30 s for something else than the engine explains a slow batch.
        held.extend(event.note for event in result.timeline if event.phase in {Phase.ON_HOLD, Phase.CONFIRMING})

    return one


async def smallest_order(stage: Stage, phone: str = PHONE, ends: str = "FULFILLED") -> One:
    """Return what brings one order of the control to its end, which must be this one."""
    client = await connect_temporal(target_host=stage.server.address, runtime=quiet_runtime())

    async def one(name: str) -> None:
        handle = await client.start_workflow(
            WORKFLOW_TYPE, _ask(name, phone), id=f"smallest-{name}", task_queue=TASK_QUEUE, result_type=str
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await handle.result() == ends

    return one


def _ask(ref: str, phone: str) -> Ask:
    return Ask(
        ref=ref,
        plan_code=PLAN,
        phone=phone,
        amount=AMOUNT,
        environment="sandbox",
        account=None,
        topup_id=None,
        deliver_by=datetime.now(UTC) + DELIVER_WITHIN,
        first_send_at=None,
    )


def smallest_worker(stage: Stage) -> Process:
    """The control's worker, not started yet, with the settings of ours; it ends with the stage."""
    settings = {
        "TEMPORAL_ADDRESS": stage.server.address,
        "ONECLICKDZ_ACCESS_TOKEN": KEY,
        "ONECLICKDZ_BASE_URL": f"{stage.provider_url}/v3",
        "TOPUPS_STATE_DIR": str(stage.folder / "state-of-the-control"),
    }
    process = Process(
        "smallest worker",
        [sys.executable, "-m", "benchmarks.smallest_worker"],
        log=stage.folder / "smallest-worker.log",
        env=without_ours(os.environ, **settings, **LIMIT_LIFTED),
    )
    stage.workers.append(process)
    return process


async def _turn(name: str, one: One, load: Load, turns: Turns, pids: dict[str, int]) -> None:
    before = cpu_of(pids)
    turns.rates.append(load.orders / await _batch(name, one, load.orders))
    turns.cpu.append({process: (spent - before[process]) / load.orders for process, spent in cpu_of(pids).items()})


async def _batch(name: str, one: One, orders: int) -> float:
    """Bring a batch to its end; return how long that took, s."""
    begun_at = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for number in range(orders):
            group.create_task(one(f"{name}-{number}"))
    return asyncio.get_running_loop().time() - begun_at


def _checks_an_order(stage: Stage, name: str, load: Load) -> float:
    """From the provider's ledger: both must have made as many."""
    rows = read_ledger(stage.ledger)
    asked = [row for row in rows if row["kind"] == "request" and row["endpoint"] == "check-id"]
    return sum(str(row["ref"]).startswith(f"{name}-") for row in asked) / (load.orders * load.pairs)
