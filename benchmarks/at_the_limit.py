"""How much of the provider's 120 requests a minute becomes orders, and how soon their ends are known."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.closed_loop import ClosedLoop
from benchmarks.figures import LIMIT, Figures, client_facts, figures, lag_of
from benchmarks.intervals import mean_interval
from benchmarks.ledger import Books, Span
from benchmarks.measure import Line, Measure, Size
from benchmarks.production import KEY, OTHER_KEY, clients, measured, production_stage, run_workers
from starter.demo.stage import Stage
from starter.local import without_ours
from starter.processes import Process

# The middle of `TOPUPS_POLL_MIN` and `TOPUPS_POLL_MAX`, seconds.
POLICYS_INTERVAL = 7.5
SHARE_MIN, REQUESTS_MAX, LAG_MARGIN_SECONDS = 0.95, 1.3, 0.5


@dataclass(frozen=True)
class Loop:
    """A closed loop: seconds that the provider takes for an order, that warm the loop up, that are measured.

    So many `stages`, each with everything of its own, play it at the same time.
    """

    in_flight: int
    order_seconds: float
    warm_up: float
    window: float
    stages: int = 1


# With 100 in flight, 55 s and about 4 s until the end is known would make just over 100 orders a minute, and polling
# takes some 23 requests of the 120: so the limit is what they meet, and not their own number. Ten in flight end only 10
# times a minute; with so few, chance would be larger than what is looked for: hence several stages.
LOOPS: dict[Size, tuple[Loop, Loop]] = {
    "quick": (Loop(5, 8.0, 10.0, 20.0), Loop(2, 8.0, 10.0, 20.0, stages=2)),
    "full": (Loop(100, 55.0, 150.0, 180.0), Loop(10, 55.0, 60.0, 180.0, stages=4)),
    "docs": (Loop(100, 55.0, 150.0, 300.0), Loop(10, 55.0, 60.0, 300.0, stages=4)),
}


@dataclass(frozen=True)
class Seen:
    """What came of a loop of ours, and of the control's beside it; `interval` between two answers, seconds."""

    ours: Figures
    naive: Figures | None
    interval: float | None
    client: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """Everything, for the JSON."""
        naive = {"naive": self.naive.facts()} if self.naive else {}
        return {"ours": self.ours.facts(), **naive, "mean_interval_s": self.interval, "client": self.client}


async def measure(size: Size) -> Measure:
    """Run both loops, the larger one beside the control."""
    large, small = LOOPS[size]
    full = await run(large, beside_naive=True)
    few = await asyncio.gather(*(run(small) for _ in range(small.stages)))
    facts = {"loops": LOOPS[size], "policys_half_interval_s": POLICYS_INTERVAL / 2}
    facts |= {_name(large): full.facts(), _name(small): [seen.facts() for seen in few]}
    alone: tuple[Line, ...] = ()
    if size == "docs":
        apart = await run(large, env={"TOPUPS_COALESCE_CHECKS": "false"})
        facts["without_shared_checks"] = apart.facts()
        alone = _without_sharing(full.ours, apart.ours)
    lines = (*_limit(full), *_lags(large, [full]), *_lags(small, few), *alone)
    return Measure(
        name="at_the_limit",
        question=f"{large.in_flight} orders in flight, {LIMIT} requests a minute: how many end, how soon is it known?",
        control="benchmarks/naive.py (a task an order, no limiter), same provider and time, another account's key",
        # Of a handful of orders far below the limit nothing follows.
        lines=lines if size != "quick" else tuple(_without_verdict(line) for line in lines),
        facts=facts,
    )


async def run(loop: Loop, *, beside_naive: bool = False, env: Mapping[str, str] | None = None) -> Seen:
    """Run a loop on a stage of its own. Raises NotReady."""
    async with production_stage(loop.order_seconds) as stage:
        processes = await run_workers(stage, 1, env)
        topups = await clients(stage)
        if beside_naive:
            processes.append(_naive(stage, loop))
        async with ClosedLoop(topups) as ours:
            ours.add(loop.in_flight, loop.order_seconds)
            span = await measured(ours, loop.warm_up, loop.window, processes)
        known = {one.ref: one.at for one in ours.finished}
        in_span = [ref for ref, at in known.items() if at in span]
        return Seen(
            ours=figures(Books(stage.ledger, KEY), span, known),
            naive=_of_naive(stage, span) if beside_naive else None,
            interval=await mean_interval(topups.client, in_span),
            client=client_facts(ours, span),
        )


def _naive(stage: Stage, loop: Loop) -> Process:
    command = [sys.executable, "-m", "benchmarks.naive", "--url", f"{stage.provider_url}/v3", "--key", OTHER_KEY]
    command += ["--in-flight", str(loop.in_flight), "--fill-seconds", str(loop.order_seconds)]
    command += ["--seconds", str(loop.warm_up + loop.window + 60)]
    naive = Process("naive", command, log=Path(stage.folder, "naive.log"), env=without_ours(os.environ))
    # Killed with the others at the stage's end.
    stage.workers.append(naive)
    naive.start()
    return naive


def _of_naive(stage: Stage, span: Span) -> Figures:
    books = Books(stage.ledger, OTHER_KEY)
    return figures(books, span, books.told())


def _limit(seen: Seen) -> tuple[Line, ...]:
    ours, naive = seen.ours, seen.naive
    assert naive is not None
    share, each = ours.orders_a_minute / ours.bound, ours.requests_an_order
    return (
        Line("orders a minute", ours.orders_a_minute, naive.orders_a_minute, "/min", "3 x expected"),
        Line(
            "orders a minute, control: 120 less our polling",
            ours.orders_a_minute,
            ours.bound,
            "/min",
            f">= {SHARE_MIN} x",
            share >= SHARE_MIN,
        ),
        Line(
            "requests an order",
            each,
            naive.requests_an_order,
            "",
            f"<= {REQUESTS_MAX}",
            each is not None and each <= REQUESTS_MAX,
        ),
        Line(
            "most requests in any 60 s",
            ours.most_in_a_minute,
            naive.most_in_a_minute,
            "",
            f"<= {LIMIT}",
            ours.most_in_a_minute <= LIMIT,
        ),
        Line("answers 429", ours.refused, naive.refused, "", "0", ours.refused == 0),
        Line("orders that exist twice", ours.sent_twice, naive.sent_twice, "", "0", ours.sent_twice == 0),
        Line("end to knowing it, mean, control: naive", _mean(ours), _mean(naive), "s"),
    )


def _lags(loop: Loop, stages: Sequence[Seen]) -> tuple[Line, ...]:
    lag = lag_of(wait for seen in stages for wait in seen.ours.waits)
    intervals = [seen.interval for seen in stages if seen.interval is not None]
    interval = fmean(intervals) if intervals else None
    half = interval / 2 if interval else None
    holds = lag is not None and half is not None and lag.mean <= half + LAG_MARGIN_SECONDS
    what, aim = f"end to knowing it, {loop.in_flight} in flight", f"<= control + {LAG_MARGIN_SECONDS} s"
    return (
        Line(f"{what}, mean, control: half an interval", lag.mean if lag else None, half, "s", aim, holds),
        # Else slow polling would make slow knowing look good.
        Line(f"between two answers, {loop.in_flight} in flight, control: policy", interval, POLICYS_INTERVAL, "s"),
        Line(f"{what}, median", lag.p50 if lag else None, None, "s"),
        Line(f"{what}, 99 of 100", lag.p99 if lag else None, None, "s"),
    )


def _without_sharing(ours: Figures, apart: Figures) -> tuple[Line, ...]:
    return (
        Line("orders a minute, control: checks not shared", ours.orders_a_minute, apart.orders_a_minute, "/min"),
        Line("requests an order, control: checks not shared", ours.requests_an_order, apart.requests_an_order),
        Line("end to knowing it, mean, control: checks not shared", _mean(ours), _mean(apart), "s"),
    )


def _without_verdict(line: Line) -> Line:
    return Line(line.what, line.ours, line.control, line.unit)


def _mean(contender: Figures) -> float | None:
    return contender.lag.mean if contender.lag else None


def _name(loop: Loop) -> str:
    return f"{loop.in_flight}_in_flight"
