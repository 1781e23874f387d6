"""How many orders a minute a contestant ends at the provider's limit, and how many requests each costs."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean

from benchmarks.rivals.arena import LOOK_SECONDS, Arena, answered, new_order
from starter.demo.verdict import Row

# Of the provider's window, a second more as our client counts it: the pace goes in bursts, one a window.
WINDOW_SECONDS = 61.0


@dataclass(frozen=True)
class Pace:
    """Orders a minute after the warm-up; requests an order, over the orders that ended then."""

    orders_a_minute: float
    requests_an_order: float | None
    ended: int


async def pace(arena: Arena, *, in_flight: int, warm_windows: int, windows: int) -> Pace:
    """Keep that many orders in flight for so many windows of the rate limit; the first ones only warm up.

    In the warm-up they come evenly, as a shop's do: all at once would keep everybody's requests in one burst a window.
    """
    starts = datetime.now(UTC)
    begins = starts + timedelta(seconds=warm_windows * WINDOW_SECONDS)
    ends = begins + timedelta(seconds=windows * WINDOW_SECONDS)
    submitted = 0
    while datetime.now(UTC) < ends:
        elapsed = (datetime.now(UTC) - starts) / timedelta(seconds=WINDOW_SECONDS)
        open_now = in_flight if not warm_windows else min(in_flight, int(in_flight * elapsed) + 1)
        due = max(0, open_now + len(_ended(arena.rows())) - submitted)
        await asyncio.gather(*(arena.submit(new_order("pace")) for _ in range(due)))
        submitted += due
        await asyncio.sleep(LOOK_SECONDS)
    return _measured(arena.rows(), begins, ends)


def _measured(rows: list[Row], begins: datetime, ends: datetime) -> Pace:
    ended = [ref for ref, at in _ended(rows).items() if begins <= at < ends]
    asked = Counter(row["ref"] for row in rows if row["kind"] == "request")
    minutes = (ends - begins).total_seconds() / 60
    cost = fmean(asked[ref] for ref in ended) if ended else None
    return Pace(orders_a_minute=len(ended) / minutes, requests_an_order=cost, ended=len(ended))


def _ended(rows: Iterable[Row]) -> dict[str, datetime]:
    """When each order's owner was first told that it is delivered."""
    ended: dict[str, datetime] = {}
    for row in rows:
        for ref, status in answered(row).items():
            if status == "FULFILLED":
                ended.setdefault(ref, datetime.fromisoformat(row["at"]))
    return ended
