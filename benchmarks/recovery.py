"""A worker is killed with hundreds of orders in flight: how long until its successor has asked about each again?"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchmarks.asked import Asked
from benchmarks.footprint import WHY_NOT, cpu_seconds
from benchmarks.herd import HANDLING_FOR_EVER, Herd, herd_at, real_servers, skipped, until
from benchmarks.measure import Line, Measure, Size
from benchmarks.timers import Timer, timers_of
from starter.demo.stage import WORKER_IS_READY, run_worker
from starter.processes import Process
from tests.chaos.recovery import POLL_GAP_SECONDS, percentile
from tests.system.conftest import Servers
from topups.models import Phase

OURS, UNBOUNDED = "worker", "benchmarks.bounded 1000000"
# No order is checked before all are sent, else the first would have many polls behind it when the last comes.
FIRST_CHECK_SECONDS = 900.0
PATIENCE_SECONDS, READY_SECONDS = 240.0, 60.0
P99_SECONDS = 15.0
ORDERS: dict[Size, int] = {"quick": 20, "full": 500, "docs": 500}
# How long one kill takes to get over is chance as well, more so where two cores carry everything: of three the middle.
ROUNDS: dict[Size, int] = {"quick": 1, "full": 3, "docs": 3}


@dataclass(frozen=True)
class Kill:
    """What came of one kill, seconds. `delays`: from when an order's check was due and a worker polled, to the check.

    `late_before` is the same for each check before the kill. `polls` each order had behind it. `away`: nobody polled.
    `cpu` of the new worker until all were asked about, and what of it as many later checks wouldn't have cost.
    `pace`: checks a second after that.
    """

    delays: list[float]
    late_before: list[float]
    polls: list[int]
    away: float
    drained: float
    cpu: float
    replay: float
    pace: float


@dataclass(frozen=True)
class Mark:
    """A moment in a worker's life: the time, its CPU so far, and all checks so far."""

    at: float
    cpu: float
    checks: int


async def measure(size: Size) -> Measure:
    """Kill a worker that has so many orders in flight, and the same with nothing that bounds its cache."""
    if WHY_NOT:
        return skipped("recovery", WHY_NOT)
    kills: dict[str, list[Kill]] = {OURS: [], UNBOUNDED: []}
    async with real_servers() as (server, make):
        for module in _turns(ROUNDS[size]):
            kills[module].append(await _kill(make, module, ORDERS[size]))
    ours, control = kills[OURS], kills[UNBOUNDED]
    polls = [polls for kill in ours for polls in kill.polls]
    facts = {
        "server": server,
        "orders": ORDERS[size],
        "kills": len(ours),
        "p99_seconds_of_each_kill": {"ours": _p99s(ours), "control": _p99s(control)},
        "polls_behind_an_order": {"median": median(polls), "max": max(polls)},
        "nobody_polled_seconds": _typical(ours, lambda kill: kill.away),
        "all_asked_again_after_seconds": _typical(ours, lambda kill: kill.drained),
        "replay_cpu_ms_an_order": 1_000 * _typical(ours, lambda kill: kill.replay) / ORDERS[size],
        "replay_share_of_cpu": _typical(ours, lambda kill: kill.replay / kill.cpu),
    }
    return Measure(
        "recovery",
        f"A worker is killed with {ORDERS[size]} orders in flight: when has the next one asked about each again?",
        "workers whose workflow cache has no bound",
        (*_delay_lines(ours, control), *_cost_lines(ours, control)),
        facts,
    )


def _p99s(kills: list[Kill]) -> list[float]:
    return [percentile(kill.delays, 99) for kill in kills]


def _turns(rounds: int) -> Iterator[str]:
    for number in range(rounds):
        yield from (OURS, UNBOUNDED) if number % 2 == 0 else (UNBOUNDED, OURS)


async def _kill(make: Servers, module: str, orders: int) -> Kill:
    # The ledger tells of each check only where each is a request of its own.
    settings = {"TOPUPS_FIRST_CHECK": str(FIRST_CHECK_SECONDS), "TOPUPS_COALESCE_CHECKS": "false"}
    async with herd_at(make, HANDLING_FOR_EVER) as herd:
        old, new = (herd.worker_of(module, name, **settings) for name in ("old", "new"))
        await herd.desk.fund(1_000 * orders)
        await run_worker(old)
        await herd.submit(orders)
        await herd.in_phase(Phase.PENDING, PATIENCE_SECONDS)
        await herd.recheck()
        await _all_checked(herd, since=0.0)
        old.kill()
        killed_at = time.time()
        ready = await _ready(new, herd.asked)
        await _all_checked(herd, since=killed_at)
        drained = _mark(new, herd.asked)
        # What a check costs a worker that has nothing to replay.
        await _all_checked(herd, since=drained.at)
        return await _seen(herd, killed_at, (ready, drained, _mark(new, herd.asked)))


async def _all_checked(herd: Herd, since: float) -> None:
    async def are() -> bool:
        return herd.asked.asked_since(since) == len(herd.refs)

    await until(are, PATIENCE_SECONDS, "a check of every order")


async def _ready(worker: Process, asked: Asked) -> Mark:
    worker.start()
    line = await worker.wait_for_line(WORKER_IS_READY, READY_SECONDS)
    return Mark(datetime.fromisoformat(json.loads(line)["at"]).timestamp(), cpu_seconds(worker.pid), asked.count())


def _mark(worker: Process, asked: Asked) -> Mark:
    return Mark(time.time(), cpu_seconds(worker.pid), asked.count())


async def _seen(herd: Herd, killed_at: float, marks: tuple[Mark, Mark, Mark]) -> Kill:
    ready, drained, later = marks
    timers = await timers_of(herd.shop.client, herd.refs)
    requests = {ref: herd.asked.requests(ref) for ref in herd.refs}
    cpu = drained.cpu - ready.cpu
    checks = later.checks - drained.checks
    of_a_check = (later.cpu - drained.cpu) / checks
    return Kill(
        delays=[delay(timers[ref], requests[ref], killed_at, ready.at) for ref in herd.refs],
        late_before=[late for ref in herd.refs for late in _late(timers[ref], requests[ref], killed_at)],
        polls=[sum(at <= killed_at for at in requests[ref]) for ref in herd.refs],
        away=ready.at - killed_at,
        drained=drained.at - ready.at,
        cpu=cpu,
        replay=cpu - of_a_check * (drained.checks - ready.checks),
        pace=checks / (later.at - drained.at),
    )


def delay(timers: list[Timer], requests: list[float], killed_at: float, ready_at: float) -> float:
    """How long an order waited for its next check, from a worker that polls and from when the check was due."""
    waiting = [timer.due_at for timer in timers if timer.checks and timer.runs_at(killed_at)]
    last = max(at for at in requests if at <= killed_at)
    # A check that died with its worker, or whose answer did, is due at once: yet no two are closer than the gap.
    due_at = waiting[-1] if waiting else last + POLL_GAP_SECONDS
    asked_at = next(at for at in requests if at > killed_at)
    return max(asked_at - max(due_at, ready_at), 0.0)


def _late(timers: list[Timer], requests: list[float], until_at: float) -> Iterator[float]:
    for timer in timers:
        asked_at = next((at for at in requests if at > timer.started_at), until_at)
        if timer.checks and timer.fired and asked_at < until_at:
            yield asked_at - timer.due_at


def _delay_lines(ours: list[Kill], control: list[Kill]) -> list[Line]:
    def line(what: str, figure: Callable[[Kill], float], aim: float | None = None) -> Line:
        mine, theirs = _typical(ours, figure), _typical(control, figure)
        if aim is None:
            return Line(what, mine, theirs, "s")
        return Line(what, mine, theirs, "s", f"at most {aim:g} s", mine <= aim)

    return [
        line("asked about again, p50", lambda kill: percentile(kill.delays, 50)),
        line("asked about again, p99", lambda kill: percentile(kill.delays, 99), P99_SECONDS),
        line("asked about again, max", lambda kill: max(kill.delays)),
        _late_line(ours, control),
    ]


def _late_line(ours: list[Kill], control: list[Kill]) -> Line:
    def p99(kills: list[Kill]) -> float | None:
        found = [late for kill in kills for late in kill.late_before]
        return percentile(found, 99) if found else None

    return Line("before the kill: asked after it was due, p99", p99(ours), p99(control), "s")


def _cost_lines(ours: list[Kill], control: list[Kill]) -> list[Line]:
    cpu, replay, pace = (lambda kill: kill.cpu), (lambda kill: kill.replay), (lambda kill: kill.pace)
    return [
        Line("CPU of the new worker until all were asked about", _typical(ours, cpu), _typical(control, cpu), "s"),
        Line("of it replay, and all else of the start", _typical(ours, replay), _typical(control, replay), "s"),
        Line("checks a second once all were asked about", _typical(ours, pace), _typical(control, pace), "1/s"),
    ]


def _typical(kills: list[Kill], figure: Callable[[Kill], float]) -> float:
    return median(figure(kill) for kill in kills)
