"""Ten faults around one send, each on fresh orders, and what the provider's ledger says became of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

from benchmarks.rivals.arena import Arena, new_order
from benchmarks.rivals.orders import Order
from benchmarks.rivals.recovery import REACHES_SECONDS, hold_sends, release

Kill = Callable[[Arena, list[Order]], Awaitable[None]]
GATE = "whose-key"


@dataclass
class Ends:
    """Orders that ended badly, by fault. `untold`: delivered, but the contestant doesn't know when its time is up."""

    orders: int = 0
    duplicates: dict[str, int] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)
    false_failures: dict[str, int] = field(default_factory=dict)
    untold: dict[str, int] = field(default_factory=dict)


async def faults(arena: Arena, *, orders: int, settle: float, apart: bool) -> Ends:
    """Let every fault strike. `settle`: how long orders then have, s. `apart`: each kill waits for the former's end."""
    struck = {name: [new_order(f"fault{number}") for _ in range(orders)] for number, name in enumerate(FAULTS)}
    for name, kill in KILLS.items():
        await kill(arena, struck[name])
        if apart:
            await arena.until(partial(_settled, arena, struck[name]), settle)
    for name, answer in ANSWERS.items():
        await _arm(arena, struck[name], answer)
    await asyncio.gather(*(arena.submit(order) for name in ANSWERS for order in struck[name]))
    await arena.until(partial(_settled, arena, list(chain.from_iterable(struck.values()))), settle)
    return _judged(arena, struck)


async def _arm(arena: Arena, orders: list[Order], answer: dict[str, Any]) -> None:
    for order in orders:
        await arena.desk.arm("send", ref=order.ref, **answer)


async def _before_the_post(arena: Arena, orders: list[Order]) -> None:
    """The order is taken, and the client still asks whose key it is: no POST has left."""
    arena.worker.kill()
    await arena.desk.arm("validate", "received", "hold", hold=GATE)
    await asyncio.gather(*map(arena.submit, orders))
    await arena.start_worker()
    await arena.at_work(GATE)
    await _restart(arena)
    await arena.desk.release(GATE)


async def _received(arena: Arena, orders: list[Order]) -> None:
    """The provider has the POST and commits it only when the worker is back."""
    await hold_sends(arena, orders, "received")
    await _restart(arena)
    await release(arena, orders)


async def _committed(arena: Arena, orders: list[Order]) -> None:
    await hold_sends(arena, orders, "committed")
    await _restart(arena)
    await release(arena, orders)


async def _answered(arena: Arena, orders: list[Order]) -> None:
    """The answer reaches the worker's host whole, and the worker never gets to read it."""
    await hold_sends(arena, orders, "committed")
    arena.freeze_worker()
    await release(arena, orders)
    refs = {order.ref for order in orders}
    assert await arena.until(lambda: _sends_answered(arena) >= refs, REACHES_SECONDS), "no answer left the provider"
    await _restart(arena)


async def _restart(arena: Arena) -> None:
    arena.worker.kill()
    await arena.start_worker()


KILLS: dict[str, Kill] = {
    "worker killed before the POST": _before_the_post,
    "worker killed, POST received": _received,
    "worker killed, order committed": _committed,
    "worker killed, answer sent": _answered,
}
ANSWERS: dict[str, dict[str, Any]] = {
    # Longer than any client waits.
    "time-out after the commit": {"moment": "committed", "action": "timeout", "seconds": 40},
    "reset after the commit": {"moment": "committed", "action": "reset"},
    "500 after the commit": {"moment": "committed", "action": "error", "http": 500},
    "503 before the commit": {"moment": "received", "action": "error", "http": 503},
    "broken JSON after the commit": {"moment": "committed", "action": "broken_json"},
    "429 on the send": {"moment": "received", "action": "error", "http": 429, "headers": {"Retry-After": "5"}},
}
FAULTS = (*KILLS, *ANSWERS)


def _sends_answered(arena: Arena) -> set[str]:
    return {row["ref"] for row in arena.rows() if row["kind"] == "answer" and row["endpoint"] == "send"}


def _settled(arena: Arena, orders: list[Order]) -> bool:
    return arena.claims().keys() >= {order.ref for order in orders}


def _judged(arena: Arena, struck: dict[str, list[Order]]) -> Ends:
    """By number: an order keeps its phone under whatever ref it was sent."""
    rows, claims = arena.rows(), arena.claims()
    commits = Counter(row["phone"] for row in rows if row["kind"] == "commit")
    delivered = {row["phone"] for row in rows if row["kind"] == "delivery"}
    ends = Ends(orders=sum(map(len, struck.values())))
    for name, group in struck.items():
        ends.duplicates[name] = sum(commits[order.phone] > 1 for order in group)
        arrived = [order for order in group if order.phone in delivered]
        ends.losses[name] = sum(claims.get(order.ref) != "failed" for order in group if order not in arrived)
        ends.false_failures[name] = sum(claims.get(order.ref) == "failed" for order in arrived)
        ends.untold[name] = sum(order.ref not in claims for order in arrived)
    return ends
