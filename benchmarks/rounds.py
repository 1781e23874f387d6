"""What turns and pages alone make of the limit, with orders and workers as in `growth` and time that costs nothing.

The client's own budget, turns and pages, several of them on one key; around them a provider, orders that wait as the
policy says and a closed loop, all in virtual time. A point takes seconds instead of ten minutes, and the machine
doesn't matter, so that this shows whether a slow `growth` is the machine's fault or ours.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean

from benchmarks.figures import LIMIT
from benchmarks.growth import BACKLOG, BACKLOG_SHARE, FILL_A_SECOND
from benchmarks.measure import Line, Measure, Size
from benchmarks.virtual_key import Key, Worker
from benchmarks.virtual_time import run
from oneclickdz import OneClickDZError, RateLimited
from oneclickdz.pages import DELIVERED
from topups.kept_back import SHORTEST_HOLD_SECONDS, SPREAD_MAX_SECONDS
from topups.policy import Policy

WARM_UP_SECONDS, WINDOW_SECONDS = 150.0, 140.0
# From what is due to the worker's asking.
WAY_SECONDS = 0.03
PLANS: dict[Size, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "quick": ((10,), (1, 2)),
    "full": ((10, 100, 1_000), (1, 4)),
    "docs": ((10, 100, 1_000), (1, 2, 4)),
}
AS_GOOD = 1.25


@dataclass
class Seen:
    """What happened in the window: requests by kind, and how late each end was known, seconds."""

    requests: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)

    @property
    def orders_a_minute(self) -> float:
        """Orders whose end became known."""
        return len(self.lags) / WINDOW_SECONDS * 60

    @property
    def bound(self) -> float:
        """How many could have been sent beside the polling."""
        return LIMIT - (self.requests.total() - self.requests["send"]) / WINDOW_SECONDS * 60


async def measure(size: Size) -> Measure:
    """Play every point, each with the same chance."""
    counts, workers = PLANS[size]
    found = {(count, each): await asyncio.to_thread(play, count, each) for count in counts for each in workers}
    lines = [line for (count, each), seen in found.items() for line in _lines(count, each, seen, found[count, 1])]
    return Measure(
        name="rounds",
        question="turns and pages alone, in virtual time: orders under way and workers",
        control="the bound; one worker",
        lines=tuple(lines),
        facts={f"{count} under way, {each} workers": dict(seen.requests) for (count, each), seen in found.items()},
    )


def _lines(count: int, workers: int, seen: Seen, alone: Seen) -> list[Line]:
    what = f"{count:,} under way, {workers} worker{'s' if workers > 1 else ''}"
    lag, control = fmean(seen.lags), fmean(alone.lags)
    aim, holds = (f"<= {AS_GOOD} x", lag <= AS_GOOD * control) if workers > 1 else ("", None)
    requests = seen.requests.total() / len(seen.lags)
    return [
        Line(f"{what}: orders a minute", seen.orders_a_minute, seen.bound, "/min"),
        Line(f"{what}: requests an order", requests),
        Line(f"{what}: end to knowing it, mean", lag, control, "s", aim, holds),
    ]


def play(in_flight: int, workers: int, seed: int = 1) -> Seen:
    """Fill the provider with so many orders and let the closed loop go on, in virtual time."""
    return run(_Loop(in_flight, workers, random.Random(seed)).play())


class _Loop:
    def __init__(self, in_flight: int, workers: int, chance: random.Random) -> None:
        self._count = in_flight
        self._number = workers
        self._chance = chance
        self._policy = Policy()

    async def play(self) -> Seen:
        self._key, self._seen = Key(), Seen()
        self._workers = [Worker(self._key) for _ in range(self._number)]
        self._under_way = [self._key.make(ago=20 + each / FILL_A_SECOND) for each in range(self._count, 0, -1)]
        backlog = max(BACKLOG, int(self._count * BACKLOG_SHARE))
        slots = [asyncio.create_task(self._slot(known)) for known in self._under_way]
        slots += [asyncio.create_task(self._slot(None, after=each / 2)) for each in range(backlog)]
        await asyncio.sleep(WARM_UP_SECONDS)
        self._seen.lags.clear()
        before = self._key.requests.copy()
        await asyncio.sleep(WINDOW_SECONDS)
        seen = Seen(self._key.requests - before, list(self._seen.lags))
        for slot in slots:
            slot.cancel()
        await asyncio.gather(*slots, return_exceptions=True)
        for worker in self._workers:
            await worker.close()
        return seen

    async def _slot(self, topup_id: str | None, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        if topup_id is not None:
            await self._follow(topup_id, self._key.made_at(topup_id), self._chance.random() * SPREAD_MAX_SECONDS)
        while True:
            topup_id, sent_at = await self._send()
            await self._follow(topup_id, sent_at, self._policy.first_check)

    async def _send(self) -> tuple[str, float]:
        newcomer = True
        while True:
            sent_at = self._key.now()
            try:
                await self._any_worker().take_a_place_to_send(newcomer=newcomer)
                break
            except RateLimited as told:
                newcomer = False
                await asyncio.sleep(max(told.retry_after or 0.0, SHORTEST_HOLD_SECONDS))
        topup_id = self._key.make()
        place = self._chance.randrange(len(self._under_way))
        delivered, self._under_way[place] = self._under_way[place], topup_id
        self._key.deliver(delivered)
        return topup_id, sent_at

    async def _follow(self, topup_id: str, sent_at: float, wait: float) -> None:
        seen_at = 0.0
        while True:
            await asyncio.sleep(wait + WAY_SECONDS)
            worker = self._any_worker()
            try:
                record = await worker.checks.check(topup_id, sent_at, seen_at)
            except RateLimited as told:
                wait = self._own_time(told.retry_after or 0.0)
                continue
            except OneClickDZError:
                wait = self._policy.poll_wait(0, 1, self._chance.random())
                continue
            seen_at = self._key.now()
            if record.status == DELIVERED:
                self._seen.lags.append(seen_at - self._key.delivered_at[topup_id])
                return
            wait = self._policy.poll_wait(0, 0, self._chance.random())
            wait = max(wait, self._own_time(worker.checks.round_seconds))

    def _any_worker(self) -> Worker:
        return self._chance.choice(self._workers)

    def _own_time(self, seconds: float) -> float:
        return min(seconds, self._policy.slow_poll) + self._chance.random() * min(seconds / 4, SPREAD_MAX_SECONDS)
