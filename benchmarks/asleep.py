"""Thousands of orders asleep in UNKNOWN_ERROR: what they cost in memory, and whether they wake on time."""

import time
from dataclasses import dataclass

from benchmarks.footprint import peak_memory, steady_memory
from benchmarks.herd import UNKNOWN_FOR_EVER, Herd, herd_at, real_servers, until
from benchmarks.measure import Line, Measure, Size
from benchmarks.timers import Timer, timers_of
from starter.demo.stage import run_worker
from tests.chaos.recovery import percentile
from topups.models import Phase

# The provider doesn't know any more before it is first asked.
SPEED = 1_000.0
# More would wait for the server and not for their first check.
AWAKE_MAX = 200
# Of a wake-up under load, and of the pace at which orders fall asleep, on a slow machine.
PATIENCE_SECONDS, ORDERS_A_SECOND_MIN = 180.0, 3.0
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
    "full": Scale(orders=5_000, cached=500, sleep_seconds=420, look_seconds=30),
    "docs": Scale(orders=20_000, cached=500, sleep_seconds=1_500, look_seconds=30),
}


@dataclass(frozen=True)
class Memory:
    """Resident, MB."""

    worker: float
    server: float


@dataclass(frozen=True)
class Night:
    """What was seen. `wakes` and `first_waits` are timers that fired; `asked_late`: due to request, seconds."""

    empty: Memory
    cached: Memory
    asleep: Memory
    worker_peak: float
    feed_seconds: float
    wakes: list[Timer]
    first_waits: list[Timer]
    asked_late: list[float]


async def measure(size: Size) -> Measure:
    """Put orders to sleep behind a small cache, weigh worker and server, and let every order wake."""
    scale = SCALES[size]
    async with real_servers() as (server, make), herd_at(make, UNKNOWN_FOR_EVER, speed=SPEED) as herd:
        night = await _night(herd, scale)
    facts = {
        "server": server,
        "orders": scale.orders,
        "workflow_cache": scale.cached,
        "sleep_seconds": scale.sleep_seconds,
        "asleep_per_second": scale.orders / night.feed_seconds,
        "due_over_seconds": _spread(night.wakes),
        "wakes": len(night.wakes),
        "worker_empty_mb": night.empty.worker,
        "worker_peak_mb": night.worker_peak,
    }
    return Measure(
        "asleep",
        f"{scale.orders:,} orders asleep in UNKNOWN_ERROR: what do they cost, and do they wake on time?",
        f"the same worker and server before; the same orders' timers of 5 s (24 h are {scale.sleep_seconds:g} s here)",
        (*_memory_lines(night, scale), *_wake_lines(night)),
        facts,
    )


async def _night(herd: Herd, scale: Scale) -> Night:
    worker = herd.worker_of(
        f"benchmarks.bounded {scale.cached}", "worker", TOPUPS_UNKNOWN_RECHECK=str(scale.sleep_seconds)
    )
    await herd.desk.fund(1_000 * scale.orders)
    await run_worker(worker)

    async def memory() -> Memory:
        pids = worker.pid, herd.server.process.pid
        return Memory(*await steady_memory(*pids, seconds=scale.look_seconds))

    empty = await memory()
    await _put_to_sleep(herd, scale.cached)
    cached = await memory()
    began_at = time.monotonic()
    await _put_to_sleep(herd, scale.orders - scale.cached)
    feed_seconds = (time.monotonic() - began_at) * scale.orders / (scale.orders - scale.cached)
    asleep = await memory()
    await _all_awoken(herd, scale.sleep_seconds)
    peak = peak_memory(worker.pid)
    timers = await timers_of(herd.shop.client, herd.refs)
    wakes = {ref: _first_sleep(found) for ref, found in timers.items()}
    asked_late = [_asked_late(wake, herd.asked.requests(ref)) for ref, wake in wakes.items()]
    first_waits = [timer for found in timers.values() for timer in found if timer.fired and timer.checks == 0]
    return Night(empty, cached, asleep, peak, feed_seconds, [*wakes.values()], first_waits, asked_late)


async def _put_to_sleep(herd: Herd, orders: int) -> None:
    await herd.submit(orders, AWAKE_MAX)
    await herd.in_phase(Phase.UNKNOWN_ERROR, PATIENCE_SECONDS + orders / ORDERS_A_SECOND_MIN)


async def _all_awoken(herd: Herd, sleep_seconds: float) -> None:
    async def were_asked_again() -> bool:
        return herd.asked.answered(times=2) >= len(herd.refs)

    await until(were_asked_again, sleep_seconds + PATIENCE_SECONDS, "the wake-up of every order")


def _first_sleep(timers: list[Timer]) -> Timer:
    return next(timer for timer in timers if timer.fired and timer.checks == 1)


def _asked_late(wake: Timer, requests: list[float]) -> float:
    return next(at for at in requests if at > wake.started_at) - wake.due_at


def _memory_lines(night: Night, scale: Scale) -> list[Line]:
    asleep, cached, empty = night.asleep, night.cached, night.empty
    more = asleep.worker - cached.worker
    return [
        Line(
            f"worker's memory with all asleep, against {scale.cached} asleep, which fill its cache",
            asleep.worker,
            cached.worker,
            "MB",
            f"at most {OVER_THE_CACHE_MB:g} MB more",
            more <= OVER_THE_CACHE_MB,
        ),
        Line(f"worker's memory with {scale.cached} asleep, against none", cached.worker, empty.worker, "MB"),
        Line("Temporal server's memory with all asleep, against none", asleep.server, empty.server, "MB"),
    ]


def _wake_lines(night: Night) -> list[Line]:
    ours, control = _lateness(night.wakes), _lateness(night.first_waits)
    p99 = percentile(ours, 99)
    aim = f"at most {WAKE_ERROR_SECONDS:g} s"
    return [
        Line("fired after it was due, p50", percentile(ours, 50), percentile(control, 50), "s"),
        Line("fired after it was due, p99", p99, percentile(control, 99), "s", aim, p99 <= WAKE_ERROR_SECONDS),
        Line("fired after it was due, max", max(ours), max(control), "s"),
        Line("the provider was asked after it was due, p99", percentile(night.asked_late, 99), None, "s"),
    ]


def _lateness(timers: list[Timer]) -> list[float]:
    return [late for timer in timers if (late := timer.late_seconds) is not None]


def _spread(timers: list[Timer]) -> float:
    dues = [timer.due_at for timer in timers]
    return max(dues) - min(dues)
