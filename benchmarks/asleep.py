"""Thousands of orders asleep in UNKNOWN_ERROR: what they cost in memory, and whether they wake on time."""

import time
from dataclasses import dataclass

from benchmarks.footprint import WHY_NOT, peak_memory, steady_memory
from benchmarks.herd import UNKNOWN_FOR_EVER, Herd, herd_at, real_servers, skipped, until
from benchmarks.measure import Line, Measure, Size
from benchmarks.timers import Timer, timers_of
from starter.demo.stage import run_worker
from starter.processes import Process
from tests.chaos.recovery import percentile
from topups.models import Phase

# The provider doesn't know any more before it is first asked.
SPEED = 1_000.0
# Well below the cache of a full run: orders that are evicted on their way to sleep cost a replay at each step.
AWAKE_MAX = 200
# How long a slow machine may need for the orders under way, and from the last wake-up to its check.
PATIENCE_SECONDS = 180.0
FIRST_WAIT_MAX_SECONDS = 60.0
OVER_THE_CACHE_MB, WAKE_ERROR_SECONDS = 50.0, 2.0


@dataclass(frozen=True)
class Scale:
    """`sleep_seconds` stand for 24 h; memory is looked at for `look_seconds` each time."""

    orders: int
    cached: int
    sleep_seconds: float
    look_seconds: float


SCALES: dict[Size, Scale] = {
    "quick": Scale(orders=50, cached=10, sleep_seconds=20, look_seconds=3),
    "full": Scale(orders=5_000, cached=500, sleep_seconds=420, look_seconds=20),
    "docs": Scale(orders=20_000, cached=500, sleep_seconds=1_500, look_seconds=30),
}


@dataclass(frozen=True)
class Memory:
    """Resident, MB."""

    worker: float
    server: float


@dataclass(frozen=True)
class Evening:
    """Memory with no order, with as many asleep as the cache holds, and with all asleep; when that was."""

    empty: Memory
    cached: Memory
    asleep: Memory
    asleep_at: float
    asleep_per_second: float


@dataclass(frozen=True)
class Morning:
    """Timers that fired: each order's first sleep, and its wait for the first check. `asked_late`: due to request."""

    wakes: list[Timer]
    first_waits: list[Timer]
    asked_late: list[float]


async def measure(size: Size) -> Measure:
    """Put orders to sleep behind a small cache, weigh worker and server, and let every order wake."""
    if WHY_NOT:
        return skipped("asleep", WHY_NOT)
    scale = SCALES[size]
    async with real_servers() as (server, make), herd_at(make, UNKNOWN_FOR_EVER, speed=SPEED) as herd:
        recheck = str(scale.sleep_seconds)
        worker = herd.worker_of(f"benchmarks.bounded {scale.cached}", "worker", TOPUPS_UNKNOWN_RECHECK=recheck)
        await herd.desk.fund(1_000 * scale.orders)
        await run_worker(worker)
        evening = await _evening(herd, worker, scale)
        morning = await _morning(herd, scale)
        peak = peak_memory(worker.pid)
    facts = {
        "server": server,
        "orders": scale.orders,
        "workflow_cache": scale.cached,
        "sleep_seconds": scale.sleep_seconds,
        "asleep_per_second": evening.asleep_per_second,
        "wakes": len(morning.wakes),
        "due_over_seconds": _spread(morning.wakes),
        "due_before_all_slept": sum(wake.due_at < evening.asleep_at for wake in morning.wakes),
        "worker_empty_mb": evening.empty.worker,
        "worker_peak_mb": peak,
    }
    return Measure(
        "asleep",
        f"{scale.orders:,} orders asleep in UNKNOWN_ERROR: what do they cost, and do they wake on time?",
        f"the same worker and server before; the same orders' timers of 5 s (24 h are {scale.sleep_seconds:g} s here)",
        (*_memory_lines(evening, scale), *_wake_lines(morning, scale)),
        facts,
    )


async def _evening(herd: Herd, worker: Process, scale: Scale) -> Evening:
    async def memory() -> Memory:
        pids = worker.pid, herd.server.process.pid
        return Memory(*await steady_memory(*pids, seconds=scale.look_seconds))

    empty = await memory()
    await _put_to_sleep(herd, scale.cached)
    cached = await memory()
    began_at, rest = time.time(), scale.orders - scale.cached
    await _put_to_sleep(herd, rest)
    asleep_at = time.time()
    return Evening(empty, cached, await memory(), asleep_at, rest / (asleep_at - began_at))


async def _put_to_sleep(herd: Herd, orders: int) -> None:
    await herd.submit(orders, AWAKE_MAX)
    await herd.in_phase(Phase.UNKNOWN_ERROR, PATIENCE_SECONDS)


async def _morning(herd: Herd, scale: Scale) -> Morning:
    async def were_asked_again() -> bool:
        return herd.asked.answered(times=2) >= scale.orders

    await until(were_asked_again, scale.sleep_seconds + PATIENCE_SECONDS, "the wake-up of every order")
    timers = await timers_of(herd.shop.client, herd.refs)
    fired = [(ref, timer) for ref, found in timers.items() for timer in found if timer.fired]
    sleeps: dict[str, Timer] = {}
    for ref, timer in fired:
        # A poll or the end of the time to deliver is no sleep.
        if timer.checks and timer.seconds > 0.9 * scale.sleep_seconds:
            sleeps.setdefault(ref, timer)
    return Morning(
        wakes=[*sleeps.values()],
        first_waits=[timer for _, timer in fired if not timer.checks and timer.seconds < FIRST_WAIT_MAX_SECONDS],
        asked_late=[_asked_late(wake, herd.asked.requests(ref)) for ref, wake in sleeps.items()],
    )


def _asked_late(wake: Timer, requests: list[float]) -> float:
    return next(at for at in requests if at > wake.started_at) - wake.due_at


def _memory_lines(evening: Evening, scale: Scale) -> list[Line]:
    asleep, cached, empty = evening.asleep, evening.cached, evening.empty
    aim = f"at most {OVER_THE_CACHE_MB:g} MB more"
    holds = asleep.worker - cached.worker <= OVER_THE_CACHE_MB
    return [
        Line(f"worker, all asleep; {scale.cached} fill its cache", asleep.worker, cached.worker, "MB", aim, holds),
        Line(f"worker, {scale.cached} asleep; none", cached.worker, empty.worker, "MB"),
        Line("Temporal server, all asleep; none", asleep.server, empty.server, "MB"),
    ]


def _wake_lines(morning: Morning, scale: Scale) -> list[Line]:
    ours, control = _lateness(morning.wakes), _lateness(morning.first_waits)
    p99 = percentile(ours, 99)
    aim = f"all wake, p99 at most {WAKE_ERROR_SECONDS:g} s late"
    holds = len(ours) == scale.orders and p99 <= WAKE_ERROR_SECONDS
    return [
        Line("timer fired after it was due, p50", percentile(ours, 50), percentile(control, 50), "s"),
        Line("timer fired after it was due, p99", p99, percentile(control, 99), "s", aim, holds),
        Line("timer fired after it was due, max", max(ours), max(control), "s"),
        Line("provider asked after it was due, p99", percentile(morning.asked_late, 99), None, "s"),
    ]


def _lateness(timers: list[Timer]) -> list[float]:
    return [late for timer in timers if (late := timer.late_seconds) is not None]


def _spread(timers: list[Timer]) -> float:
    dues = [timer.due_at for timer in timers]
    return max(dues) - min(dues)
