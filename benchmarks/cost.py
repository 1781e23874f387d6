"""What an order costs: events and bytes of its history, CPU time of its worker; for each way that it can end.

Events are held against the least that the order's way needs on Temporal (`benchmarks.shape`); bytes and CPU time, where
it can go that way, against the smallest workflow with the same activities. The orders of one outcome run at the same
time, the outcomes one after the other. What an idle worker takes is not an order's and is taken off.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from temporalio.client import Client

from benchmarks.engine import WAITS, One, smallest_order, smallest_worker
from benchmarks.ground import LIMIT_LIFTED, cpu_seconds, ground
from benchmarks.measure import Line, Measure, Size
from benchmarks.outcomes import ALL, CHEAPEST, PHONE_OF_THE_CONTROL, QUICK, RECHECK_SECONDS, SPEED, Outcome, Play
from benchmarks.replay import size_of
from benchmarks.shape import extras, needed
from starter.demo.stage import Stage, run_worker
from starter.processes import Process
from topups.start import workflow_id

SETTINGS = LIMIT_LIFTED | WAITS | {"TOPUPS_UNKNOWN_RECHECK": str(RECHECK_SECONDS)}
PATIENCE_SECONDS, IDLE_SECONDS = 90.0, 5.0
ORDERS: dict[Size, int] = {"quick": 2, "full": 25, "docs": 50}


@dataclass(frozen=True)
class Cost:
    """Of one order, the median of several: events, bytes, and CPU time of the worker, s."""

    events: int
    size: int
    cpu: float
    extras: dict[str, int]


Costs = dict[Outcome, Cost]


class Meter:
    """Measures orders of one kind of worker, one batch after the other. `idle` is CPU s a second without orders."""

    def __init__(self, client: Client, worker: Process, id_of: Callable[[str], str]) -> None:
        self._client, self._worker, self._id_of = client, worker, id_of
        self.idle = 0.0

    async def learn_idle(self) -> None:
        """Watch the worker do nothing for a while."""
        before = cpu_seconds(self._worker.pid)
        await asyncio.sleep(IDLE_SECONDS)
        self.idle = (cpu_seconds(self._worker.pid) - before) / IDLE_SECONDS

    async def cost(self, one: One, refs: list[str]) -> Cost:
        """Play these orders at the same time."""
        clock = asyncio.get_running_loop().time
        began_at, before = clock(), cpu_seconds(self._worker.pid)
        async with asyncio.TaskGroup() as group:
            for ref in refs:
                group.create_task(one(ref))
        spent = cpu_seconds(self._worker.pid) - before - self.idle * (clock() - began_at)
        runs = [self._client.get_workflow_handle(self._id_of(ref)) for ref in refs]
        histories = sorted([await run.fetch_history() for run in runs], key=lambda history: len(history.events))
        typical = histories[len(histories) // 2].events
        size = round(median(map(size_of, histories)))
        return Cost(events=len(typical), size=size, cpu=spent / len(refs), extras=extras(typical))


async def measure(size: Size) -> Measure:
    """Play every outcome."""
    outcomes = [one for one in ALL if size != "quick" or one.name in QUICK]
    async with ground(SPEED) as stage:
        costs, idle = await _ours(stage, outcomes, ORDERS[size])
        controls = await _controls(stage, [one for one in outcomes if one.name in PHONE_OF_THE_CONTROL], ORDERS[size])
    return Measure(
        name="cost",
        question="What does an order cost, by how it ends?",
        control="events: the least that its way needs (see `extras`); bytes and CPU: the smallest workflow",
        lines=(*map(_events, costs, costs.values()), *_sizes(costs, controls), *_times(costs, controls)),
        facts={
            "extras": {outcome.name: cost.extras for outcome, cost in costs.items()},
            "events_of_the_smallest": {outcome.name: cost.events for outcome, cost in controls.items()},
            "idle_worker_cpu_ms_a_second": round(idle * 1e3, 2),
        },
    )


def _events(outcome: Outcome, cost: Cost) -> Line:
    least = needed(outcome.steps)
    named = ", ".join(f"{count} {name}" for name, count in cost.extras.items())
    only_named = cost.events - sum(cost.extras.values()) <= least
    return Line(f"{outcome.name}: events", cost.events, least, "", f"no more but {named}", only_named)


def _sizes(costs: Costs, controls: Costs) -> list[Line]:
    of_control = {outcome: cost.size / 1e3 for outcome, cost in controls.items()}
    return [Line(f"{one.name}: history", cost.size / 1e3, of_control.get(one), "kB") for one, cost in costs.items()]


def _times(costs: Costs, controls: Costs) -> list[Line]:
    of_control = {outcome: cost.cpu * 1e3 for outcome, cost in controls.items()}
    return [Line(f"{one.name}: worker's CPU", cost.cpu * 1e3, of_control.get(one), "ms") for one, cost in costs.items()]


async def _ours(stage: Stage, outcomes: list[Outcome], orders: int) -> tuple[Costs, float]:
    play, worker = Play(stage, await stage.topups()), stage.worker(env=SETTINGS)
    await run_worker(worker)
    meter = Meter(play.topups.client, worker, workflow_id)

    async def through(outcome: Outcome, name: str, number_of: int) -> Cost:
        async def one(ref: str) -> None:
            order = await outcome.begin(play, ref)
            result = await order.result(timeout=PATIENCE_SECONDS)
            assert result.phase is outcome.ends, result.timeline

        return await meter.cost(one, [f"{name}-{number}" for number in range(number_of)])

    # What the worker loads once is no order's.
    await through(CHEAPEST, "warm", 2)
    await meter.learn_idle()
    costs = {outcome: await through(outcome, f"way{number}", orders) for number, outcome in enumerate(outcomes)}
    worker.kill()
    return costs, meter.idle


async def _controls(stage: Stage, outcomes: list[Outcome], orders: int) -> Costs:
    """The same for the smallest workflow, where it can go that way."""
    worker = smallest_worker(stage)
    await run_worker(worker)
    meter, costs = Meter(await Client.connect(stage.server.address), worker, "smallest-{}".format), {}
    await meter.learn_idle()
    for outcome in outcomes:
        one = await smallest_order(stage, PHONE_OF_THE_CONTROL[outcome.name], outcome.ends)
        costs[outcome] = await meter.cost(one, [f"{outcome.ends.lower()}-{number}" for number in range(orders)])
    return costs
