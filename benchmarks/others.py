"""The same orders on ours, on DBOS Transact, on Celery with Redis, and on a PostgreSQL polling loop.

All use our client of the provider and the rivals share one careful protocol (`rivals/orders.py`); what differs is who
keeps an order alive. Each has its own stand-in, storage and worker as processes; the stand-in's ledger judges.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from typing import Any, TypeVar

from benchmarks.measure import Line, Measure, Size
from benchmarks.rivals.arena import Arena, calm
from benchmarks.rivals.contestants import Careless, Celery, Dbos, Ours, Postgres, installed, missing
from benchmarks.rivals.faults import Ends, faults
from benchmarks.rivals.orders import NEXT_CHECK_SECONDS
from benchmarks.rivals.pace import Pace, pace
from benchmarks.rivals.recovery import BETWEEN, MIDDLE, recovery
from starter.local import temporal_program

T = TypeVar("T")
Make = Callable[..., Arena]
# Seconds by where the kill met an order.
Recovered = dict[str, list[float]]

PACKAGES = ("temporalio", "dbos", "celery", "kombu", "redis", "psycopg")
# Where the limit is not what is measured.
NO_LIMIT = 600
FAULT_SPEED = 5.0
AS_FAST = 0.95
# What the careless loop loses never ends, so it is judged without waiting for it between the kills.
CARELESS_SECONDS = 60.0


@dataclass(frozen=True)
class Scale:
    """How much is measured. Windows are of the rate limit, 61 s each; `settle` and `deadline` are seconds."""

    warm_windows: int
    windows: int
    rounds: int
    fault_orders: int
    apart: bool
    in_flight: int = 30
    killed_orders: int = 10
    deadline: float = 90.0
    # Ours looks four times within 60 s before it sends again.
    settle: float = 150.0


SCALES: dict[Size, Scale] = {
    "quick": Scale(warm_windows=0, windows=1, rounds=1, fault_orders=1, apart=False, in_flight=10),
    "full": Scale(warm_windows=1, windows=3, rounds=2, fault_orders=3, apart=True),
    "docs": Scale(warm_windows=1, windows=5, rounds=5, fault_orders=10, apart=True),
}


@dataclass(frozen=True)
class Score:
    """All that is measured of one contestant."""

    pace: Pace
    recovered: Recovered
    ends: Ends


async def measure(size: Size) -> Measure:
    """Run every contestant that can be run on this machine."""
    makes, skipped = await _contestants()
    scale = SCALES[size]
    scores, careless = await _scores(makes, scale, together=size == "quick")
    return Measure(
        name="others",
        question="The same orders on other durable queues: pace, recovery, and ten faults around the send",
        control=f"{', '.join(name for name in scores if name != Ours.name)}, in the same run",
        lines=(*_lines(scores), *(_seen(careless) if careless else ())),
        facts={
            "scale": asdict(scale),
            "scores": _facts(scores),
            "careless": asdict(careless) if careless else None,
            "versions": {package: installed(package) for package in PACKAGES},
        },
        left_out=skipped,
    )


async def _contestants() -> tuple[dict[str, Make], dict[str, str]]:
    makes: dict[str, Make] = {Ours.name: partial(Ours, await temporal_program())}
    skipped: dict[str, str] = {}
    for rival in (Dbos, Celery, Postgres):
        if why := missing(rival):
            skipped[rival.name] = why
        else:
            makes[rival.name] = rival
    return makes, skipped


async def _scores(makes: dict[str, Make], scale: Scale, *, together: bool) -> tuple[dict[str, Score], Ends | None]:
    paced = _each(makes, partial(_pace, scale=scale))
    recovered = _each(makes, partial(_recoveries, scale=scale), rate_limit=NO_LIMIT)
    careless: dict[str, Make] = {Careless.name: Careless} if Postgres.name in makes else {}
    ended = _each(makes | careless, partial(_faults, scale=scale), rate_limit=NO_LIMIT, speed=FAULT_SPEED)
    if together:
        paces, recoveries, ends = await asyncio.gather(paced, recovered, ended)
    else:
        paces, recoveries, ends = await paced, await recovered, await ended
    scores = {name: Score(paces[name], recoveries[name], ends[name]) for name in makes}
    return scores, ends.get(Careless.name)


async def _each(makes: dict[str, Make], run: Callable[[Arena], Awaitable[T]], **arena: float) -> dict[str, T]:
    """Run all contestants at the same time: they mostly wait, and share nothing but the host."""

    async def one(make: Make) -> T:
        ground = make(**arena)
        try:
            async with calm:
                await ground.open()
            result = await run(ground)
        except Exception as error:
            error.add_note(f"{ground.name}: its logs are in {ground.folder}")
            raise
        finally:
            await ground.close()
        shutil.rmtree(ground.folder)
        return result

    async with asyncio.TaskGroup() as group:
        running = {name: group.create_task(one(make)) for name, make in makes.items()}
    return {name: task.result() for name, task in running.items()}


async def _pace(arena: Arena, scale: Scale) -> Pace:
    return await pace(arena, in_flight=scale.in_flight, warm_windows=scale.warm_windows, windows=scale.windows)


async def _recoveries(arena: Arena, scale: Scale) -> Recovered:
    recovered: Recovered = {}
    for _ in range(scale.rounds):
        for group, seconds in (await recovery(arena, orders=scale.killed_orders, deadline=scale.deadline)).items():
            recovered.setdefault(group, []).extend(seconds)
    return recovered


async def _faults(arena: Arena, scale: Scale) -> Ends:
    if isinstance(arena, Careless):
        scale = replace(scale, apart=False, settle=CARELESS_SECONDS)
    return await faults(arena, orders=scale.fault_orders, settle=scale.settle, apart=scale.apart)


def _seen(careless: Ends) -> list[Line]:
    counts = {"sent twice": careless.duplicates, "lost": careless.losses, "called failed": careless.false_failures}
    numbers = {what: sum(count.values()) for what, count in counts.items()}
    return [
        Line(f"the judge sees a careless loop: {what}", None, number, "orders", "> 0 there", holds=number > 0)
        for what, number in numbers.items()
    ]


def _lines(scores: dict[str, Score]) -> list[Line]:
    ours = scores[Ours.name]
    rivals = {name: score for name, score in scores.items() if name != Ours.name}
    lines: list[Line] = []
    for name, rival in rivals.items():
        mine, theirs = ours.pace, rival.pace
        fast = mine.orders_a_minute >= AS_FAST * theirs.orders_a_minute
        aim = f">= {AS_FAST} of each rival"
        what = f"orders a minute at the limit, {name}"
        lines.append(Line(what, mine.orders_a_minute, theirs.orders_a_minute, "/min", aim, holds=fast))
        lines.append(Line(f"requests an order, {name}", mine.requests_an_order, theirs.requests_an_order))
        mine_between, theirs_between = median(ours.recovered[BETWEEN]), median(rival.recovered[BETWEEN])
        lines.append(Line(f"next request after kill -9 {BETWEEN}, median, {name}", mine_between, theirs_between, "s"))
    for what, unit, number in NUMBERS:
        lines += [_ahead(f"{what}, {name}", number(ours), number(rival), unit) for name, rival in rivals.items()]
    return lines


def _beyond(score: Score) -> float:
    """Seconds by which the kill held an order up between two checks: its wait is drawn anew each time."""
    return max(0.0, *(seconds - NEXT_CHECK_SECONDS[1] for seconds in score.recovered[BETWEEN]))


NUMBERS: tuple[tuple[str, str, Callable[[Score], float]], ...] = (
    ("after kill -9 between two checks: beyond the longest wait", "s", _beyond),
    (
        "next request after kill -9 in the middle of the send, median",
        "s",
        lambda score: median(score.recovered[MIDDLE]),
    ),
    ("the same, longest", "s", lambda score: max(score.recovered[MIDDLE])),
    ("ten faults: sent twice", "orders", lambda score: sum(score.ends.duplicates.values())),
    ("ten faults: lost", "orders", lambda score: sum(score.ends.losses.values())),
    ("ten faults: called failed though delivered", "orders", lambda score: sum(score.ends.false_failures.values())),
    ("ten faults: delivered, and nobody told", "orders", lambda score: sum(score.ends.untold.values())),
)


def _ahead(what: str, ours: float, theirs: float, unit: str) -> Line:
    holds = ours < theirs or ours == theirs == 0
    return Line(what, ours, theirs, unit, "less, or both 0", holds=holds)


def _facts(scores: dict[str, Score]) -> dict[str, Any]:
    return {name: asdict(score) for name, score in scores.items()}
