"""What becomes of orders, requests and lag as more orders are under way, and as more workers work on them."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.closed_loop import ClosedLoop
from benchmarks.figures import LIMIT, Figures, client_facts, figures
from benchmarks.intervals import mean_interval
from benchmarks.ledger import Books
from benchmarks.measure import Line, Measure, Size
from benchmarks.one_for_one import PHONE, OneForOne
from benchmarks.production import KEY, clients, measured, production_stage, run_workers
from starter.demo.stage import Stage
from starter.processes import Process
from topups import TopUps

# Orders that wait to be sent while others' ends aren't known yet; without them the limit wouldn't be met.
BACKLOG, BACKLOG_SHARE = 20, 0.1
# What the limit allows a real key: faster would make orders denser than any page of its list.
FILL_A_SECOND, FILL_SECONDS_MAX = 2.0, 900.0
# Of a thousand orders some are under way for longer than 60 checks.
POLLS = {"TOPUPS_POLL_COUNT": "1000"}
# Nobody asks before the fill is over, which would only make it slow; then all are woken.
FILLING = POLLS | {"ONECLICKDZ_RATE_LIMIT": "100000", "TOPUPS_FIRST_CHECK": "1800"}
STOP_SECONDS = 60.0
PLOT = {"quick": Path("benchmarks/results/growth.svg")}


@dataclass(frozen=True)
class Plan:
    """Which points, and seconds of each: warming up for that many under way, and measured."""

    warm_up: dict[int, float]
    workers: tuple[int, ...]
    window: float


PLANS: dict[Size, Plan] = {
    "quick": Plan({5: 5.0, 20: 5.0}, (1, 2), 10.0),
    "full": Plan({10: 45.0, 100: 60.0, 1_000: 75.0}, (1, 2, 4), 60.0),
    # The burst that it begins with leaves a gap a minute later, and the next ones till it has evened out.
    "docs": Plan({10: 150.0, 100: 150.0, 1_000: 150.0}, (1, 2, 4), 140.0),
}


@dataclass(frozen=True)
class _Filled:
    """A provider with so many under way, within its limit since then (epoch seconds)."""

    in_flight: int
    stage: Stage
    topups: TopUps
    loop: ClosedLoop
    limited: float


@dataclass(frozen=True)
class Point:
    """So many under way with so many workers; `interval` between two answers of an order, seconds."""

    in_flight: int
    workers: int
    figures: Figures
    interval: float | None
    client: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """Everything, for the JSON and the plot."""
        found = self.figures.facts() | {"bound": self.figures.bound, "mean_interval_s": self.interval}
        return {"in_flight": self.in_flight, "workers": self.workers, "client": self.client} | found


async def measure(size: Size) -> Measure:
    """Measure the points one after the other, and draw them."""
    plan = PLANS[size]
    points = [point for count in plan.warm_up for point in await _points(plan, count)]
    facts = [point.facts() for point in points]
    file = PLOT.get(size, Path("docs/images/growth.svg"))
    return Measure(
        name="growth",
        question="orders under way and workers: what does each number of them make of the limit?",
        control="120 a minute less our own polling; half the mean time between two answers",
        lines=tuple(line for point in points for line in _lines(point)),
        facts={"plan": asdict(plan), "points": facts, "plot": _drawn(facts, file)},
    )


def _drawn(points: list[dict[str, Any]], file: Path) -> str:
    if find_spec("matplotlib") is None:
        return "not drawn: install matplotlib by `uv sync --group bench`, then see benchmarks/growth_plot.py"
    import_module("benchmarks.growth_plot").draw(points, file)
    return str(file)


async def _points(plan: Plan, in_flight: int) -> list[Point]:
    async with production_stage() as stage:
        topups = await clients(stage)
        async with ClosedLoop(topups, phone=PHONE) as loop:
            provider = OneForOne(stage.desk, stage.ledger, KEY)
            await _fill(stage, loop, provider, in_flight)
            limited = time.time()
            await loop.until(_wake(topups, provider.under_way))
            loop.beside(provider.keep())
            backlog = max(BACKLOG, int(in_flight * BACKLOG_SHARE))
            loop.add(backlog, over_seconds=backlog / 2)
            filled = _Filled(in_flight, stage, topups, loop, limited)
            return [await _point(plan, filled, workers) for workers in plan.workers]


async def _point(plan: Plan, filled: _Filled, workers: int) -> Point:
    stage, loop, in_flight = filled.stage, filled.loop, filled.in_flight
    processes = await run_workers(stage, workers, POLLS)
    span = await measured(loop, plan.warm_up[in_flight], plan.window, processes)
    known = {one.ref: one.at for one in loop.finished}
    found = figures(Books(stage.ledger, KEY), span, known, since=filled.limited)
    ended = [ref for ref, at in known.items() if at in span]
    interval = await mean_interval(filled.topups.client, ended, span.since)
    await _stop(processes)
    return Point(in_flight, workers, found, interval, client_facts(loop, span))


async def _fill(stage: Stage, loop: ClosedLoop, provider: OneForOne, count: int) -> None:
    """Bring so many orders to the provider as fast as it goes; at the limit a thousand would take ten minutes."""
    async with httpx.AsyncClient(base_url=stage.provider_url, trust_env=False) as desk:
        (await desk.post("/_admin/settings", json={"rate_limit": 0})).raise_for_status()
    filling = await run_workers(stage, 1, FILLING | {"TOPUPS_STATE_DIR": str(stage.folder / "filling")})
    loop.add(count, over_seconds=count / FILL_A_SECOND)
    await loop.until(provider.fill(count, FILL_SECONDS_MAX))
    await _stop(filling)
    # Started again it has its true limit, and has forgotten what it counted.
    stage.simulator.kill()
    stage.simulator.start()
    await stage.simulator.wait_for_port(urlsplit(stage.provider_url).port or 0)


async def _stop(workers: Sequence[Process]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        await worker.ended(STOP_SECONDS)


async def _wake(topups: TopUps, refs: Sequence[str]) -> None:
    for ref in refs:
        await topups.order(ref).recheck(by="growth")


def _lines(point: Point) -> Sequence[Line]:
    workers = "1 worker" if point.workers == 1 else f"{point.workers} workers"
    what, found = f"{point.in_flight:,} under way, {workers}", point.figures
    most, half = found.most_in_a_minute, point.interval / 2 if point.interval else None
    return (
        Line(f"{what}: orders a minute", found.orders_a_minute, found.bound, "/min"),
        Line(f"{what}: requests an order", found.requests_an_order),
        Line(f"{what}: end to knowing it, mean", found.lag.mean if found.lag else None, half, "s"),
        Line(f"{what}: most requests in any 60 s", most, None, "", f"<= {LIMIT}", most <= LIMIT),
    )
