"""Whether several workers of a host keep the one limit of their key, counted between them and the provider."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.at_the_limit import Loop
from benchmarks.closed_loop import ClosedLoop
from benchmarks.figures import LIMIT, Figures, client_facts, figures
from benchmarks.ledger import ALWAYS, Books, Tail, most_in_a_minute
from benchmarks.measure import Line, Measure, Size
from benchmarks.production import KEY, clients, measured, production_stage, run_workers
from starter.demo.stage import Stage
from starter.local import HOST, without_ours
from starter.processes import Process, free_port

WORKERS = 3
LOOPS: dict[Size, Loop] = {
    "quick": Loop(5, 8.0, 10.0, 20.0),
    "full": Loop(100, 55.0, 150.0, 120.0),
    "docs": Loop(100, 55.0, 150.0, 300.0),
}


@dataclass(frozen=True)
class Counted:
    """A run with so many workers; `most` is what the counter saw in any 60 s of it."""

    ours: Figures
    most: int
    facts: dict[str, Any]


async def measure(size: Size) -> Measure:
    """Run the same loop with three workers and with one, one after the other."""
    loop = LOOPS[size]
    three, one = await run(loop, WORKERS), await run(loop, 1)
    # Twenty seconds of a few orders never come near the limit.
    holds = None if size == "quick" else three.most <= LIMIT
    each, alone = three.ours.requests_an_order, one.ours.requests_an_order
    rate, of_one = three.ours.orders_a_minute, one.ours.orders_a_minute
    lag, of_ones = three.ours.lag, one.ours.lag
    return Measure(
        name="several_workers",
        question=f"{WORKERS} workers with one key: do they keep {LIMIT} requests a minute together?",
        control="one worker in the same kind of run",
        lines=(
            Line("most requests in any 60 s, counted in front", three.most, one.most, "", f"<= {LIMIT}", holds),
            Line("answers 429", three.ours.refused, one.ours.refused, "", "0", three.ours.refused == 0),
            Line(
                "orders that exist twice",
                three.ours.sent_twice,
                one.ours.sent_twice,
                "",
                "0",
                not three.ours.sent_twice,
            ),
            Line("orders a minute", rate, of_one, "/min"),
            Line("requests an order", each, alone),
            Line("end to knowing it, mean", lag.mean if lag else None, of_ones.mean if of_ones else None, "s"),
        ),
        facts={"loop": loop, "three_workers": three.facts, "one_worker": one.facts},
    )


async def run(loop: Loop, workers: int) -> Counted:
    """Run the loop through a counter. Raises NotReady."""
    async with production_stage(loop.order_seconds) as stage:
        log, port = stage.folder / "counted.jsonl", free_port()
        counter = await _counter(stage, port, log)
        env = {"ONECLICKDZ_BASE_URL": f"http://{HOST}:{port}/v3"}
        processes = [counter, *await run_workers(stage, workers, env)]
        async with ClosedLoop(await clients(stage)) as ours:
            ours.add(loop.in_flight, loop.order_seconds)
            span = await measured(ours, loop.warm_up, loop.window, processes)
        books = Books(stage.ledger, KEY)
        found = figures(books, span, {one.ref: one.at for one in ours.finished})
        moments = [row["at"] for row in Tail(log).new() if row["key"] == KEY]
        counted = {"counted_in_front": len(moments), "in_the_ledger": books.requests(ALWAYS).total()}
        facts = found.facts() | counted | {"client": client_facts(ours, span)}
        return Counted(found, most_in_a_minute(moments), facts)


async def _counter(stage: Stage, port: int, log: Path) -> Process:
    to = str(urlsplit(stage.provider_url).port)
    command = [sys.executable, "-m", "benchmarks.counter", "--port", str(port), "--to", to, "--log", str(log)]
    counter = Process("counter", command, log=stage.folder / "counter.log", env=without_ours(os.environ))
    # Killed with the others at the stage's end.
    stage.workers.append(counter)
    counter.start()
    await counter.wait_for_port(port)
    return counter
