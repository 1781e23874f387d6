"""How long after `kill -9` of the worker, started again at once, each order in flight makes its next request."""

import asyncio
from datetime import UTC, datetime

from benchmarks.rivals.arena import Arena, answered, calm, new_order
from benchmarks.rivals.orders import Order
from starter.demo.verdict import Row

BETWEEN, MIDDLE, READY = "between two checks", "in the middle of the send", "until the worker is ready"
# The stand-in never ends the order of this number: it is checked on and on.
NEVER_ENDS = "0600000006"
REACHES_SECONDS = 40.0


async def recovery(arena: Arena, *, orders: int, deadline: float) -> dict[str, list[float]]:
    """Seconds from the kill to each order's next request, by where the kill met it; `deadline` when none came.

    `READY` tells how much of it the start of the worker took. Half of the orders are in the middle of their send,
    whose answer is lost, and half between two checks.
    """
    half = orders // 2
    checked = [Order(new_order("checked").ref, NEVER_ENDS) for _ in range(half)]
    sending = [new_order("sending") for _ in range(orders - half)]
    # All of it under the lock, so that the kill comes as soon after the first check for everybody.
    async with calm:
        await asyncio.gather(*map(arena.submit, checked))
        assert await arena.until(lambda: _all_checked(arena.rows(), checked), REACHES_SECONDS), "no checks"
        await hold_sends(arena, sending, "committed")
        seen, killed_at = _kill(arena)
        await arena.start_worker()
        ready = (datetime.now(UTC) - killed_at).total_seconds()
    await release(arena, sending)
    refs = {order.ref for order in [*checked, *sending]}
    await arena.until(lambda: set(_next_requests(arena.rows(), seen)) >= refs, deadline)
    nexts = _next_requests(arena.rows(), seen)

    def seconds(group: list[Order]) -> list[float]:
        return [_since(killed_at, nexts.get(order.ref), deadline) for order in group]

    return {BETWEEN: seconds(checked), MIDDLE: seconds(sending), READY: [ready]}


async def hold_sends(arena: Arena, orders: list[Order], moment: str) -> None:
    """Submit the orders and return when the provider holds the POST of each at this moment."""
    for order in orders:
        await arena.desk.arm("send", moment, "hold", hold=order.ref, ref=order.ref)
    await asyncio.gather(*map(arena.submit, orders))
    held = await asyncio.gather(*(arena.desk.held(order.ref, REACHES_SECONDS - 5) for order in orders))
    assert all(held), f"{arena.name}: not every send reached the provider"


async def release(arena: Arena, orders: list[Order]) -> None:
    """Let the provider go on with all of them."""
    for order in orders:
        await arena.desk.release(order.ref)


def _kill(arena: Arena) -> tuple[int, datetime]:
    killed_at = datetime.now(UTC)
    arena.worker.kill()
    return max(row["seq"] for row in arena.rows()), killed_at


def _all_checked(rows: list[Row], orders: list[Order]) -> bool:
    checked = {ref for row in rows if row["endpoint"] != "send" for ref in answered(row)}
    return checked >= {order.ref for order in orders}


def _next_requests(rows: list[Row], seen: int) -> dict[str, datetime]:
    nexts: dict[str, datetime] = {}
    for row in rows:
        # A page is asked for without a word of whom it is for; its answer comes at once.
        asked = [row["ref"]] if row["kind"] == "request" else list(answered(row))
        for ref in asked if row["seq"] > seen else ():
            nexts.setdefault(ref, datetime.fromisoformat(row["at"]))
    return nexts


def _since(killed_at: datetime, at: datetime | None, deadline: float) -> float:
    return (at - killed_at).total_seconds() if at else deadline
