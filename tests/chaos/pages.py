"""Orders that are in flight together share a page of the provider's list: F17, the page lies; F1, F2, a kill in it."""

import asyncio
from typing import Any

from starter.processes import Process
from tests.chaos.answers import BROKEN
from tests.chaos.diary import Row
from tests.chaos.ground import NO_PAGES, NOT_OURS, Ground
from tests.chaos.kills import settled_later
from tests.chaos.machines import key_of
from tests.chaos.plan import Round

LASTS_SECONDS = 20.0
# The first page is about all of them.
ALL_OPEN_SECONDS = 6.0
ENDINGS = ("FULFILLED", "REFUNDED")
TOTALS = ("zero", "fewer", "absurd")
STALE_SECONDS = 12.0
HELD_SECONDS = 20.0
LOOK_SECONDS = 0.1
FOR_EVER = -1
# Else so few orders would seldom be due together, or there would be a turn for each.
IN_STEP = {"TOPUPS_POLL_MIN": "5", "TOPUPS_POLL_MAX": "5", "ONECLICKDZ_RATE_LIMIT": "180"}

Fault = dict[str, Any]


def faults_of(each: Round) -> list[Fault]:
    """The faults of a round as the desk takes them. The first that isn't used up counts; the last one stays."""
    lies: dict[str, Fault] = {
        "stale": {"action": "stale_page", "seconds": STALE_SECONDS},
        "shifted": {"action": "shifted_page", "rows": 1 + int(each.chance * 3)},
        "duplicates": {"action": "duplicate_rows"},
        "missing": {"action": "missing_record", "share": 0.5},
        "other-order": {"action": "other_order"},
        "totals": {"action": "wrong_totals", "totals": TOTALS[int(each.chance * len(TOTALS))]},
    }
    if each.window in lies:
        return [{"moment": "received", "n": FOR_EVER} | lies[each.window]]
    broken = [{"moment": moment, "action": action, "n": 1} for moment, action in BROKEN if action != "timeout"]
    return [*broken, {"moment": "received", "action": "error", "http": 503, "n": FOR_EVER}]


async def lying(ground: Ground, each: Round) -> None:
    """F17: the provider settles orders one after the other while every page about them lies."""
    if not ground.coalesce:
        ground.skip(each, NO_PAGES)
        return
    key = key_of(each)
    await _sent_together(ground, each)
    since = len(ground.ledger.rows)
    armed = [await ground.desk.arm_fault("list", **fault, key=key) for fault in faults_of(each)]
    await _settled_meanwhile(ground, each)
    rows = ground.ledger.rows[since:]
    for fault in armed:
        await ground.desk.lift(fault)
    pages = unread_pages(rows, key) if each.window == "unreadable" else lying_pages(rows, key)
    met = still_open([order.ref for order in each.orders], rows, min(pages, default=None))
    ground.fault(each.number, each.fault, each.window, met, endpoint="list")


async def killed(ground: Ground, each: Round) -> None:
    """F1 and F2: the worker, or Temporal, is killed while orders wait for a page that they share."""
    if not ground.coalesce or (each.fault == "F2" and ground.server is None):
        ground.skip(each, NOT_OURS if ground.coalesce else NO_PAGES)
        return
    worker, page = await _sent_together(ground, each), f"page-{each.number}"
    moment = "received" if each.chance < 0.5 else "committed"
    hold = await ground.desk.arm_fault("list", moment, "hold", hold=page, key=key_of(each))
    is_held = await ground.desk.is_held(page, HELD_SECONDS)
    waiting = [order.ref for order in each.orders if not _was_checked(ground, order.ref)]
    if each.fault == "F1":
        ground.kill(worker)
    else:
        ground.kill_server()
    ground.fault(each.number, each.fault, each.window, waiting if is_held else [], endpoint="list")
    if each.released_first:
        await ground.desk.let_go(page)
    await asyncio.sleep(each.pause)
    await (ground.start_worker(worker) if each.fault == "F1" else ground.start_server())
    await ground.desk.lift(hold)
    await ground.desk.let_go(page)
    ground.later(settled_later(ground, each))


def _was_checked(ground: Ground, ref: str) -> bool:
    return any(row["kind"] == "request" and row["endpoint"] == "check-id" for row in ground.ledger.of(ref))


async def _sent_together(ground: Ground, each: Round) -> Process:
    """Have every order's send answered at the same moment, so that their checks are due at the same moments.

    They have a worker with a key of its own: no other round's request meets what waits for theirs.
    """
    queue, key, size = f"pages-{each.number}", key_of(each), len(each.orders)
    mine = {"TOPUPS_TASK_QUEUE": queue, "TOPUPS_STATE_DIR": str(ground.folder / queue)} | IN_STEP
    worker = ground.worker(queue, **mine, ONECLICKDZ_ACCESS_TOKEN=key)
    await ground.start_worker(worker)
    gate = await ground.desk.arm_fault("send", "committed", "hold", hold=queue, key=key, n=size)
    ground.hand(*each.orders, queue=queue)
    deadline = asyncio.get_running_loop().time() + HELD_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await ground.desk.waiting(queue) == size:
            break
        await asyncio.sleep(LOOK_SECONDS)
    await ground.desk.lift(gate)
    await ground.desk.let_go(queue)
    return worker


async def _settled_meanwhile(ground: Ground, each: Round) -> None:
    await asyncio.sleep(ALL_OPEN_SECONDS)
    pause = (LASTS_SECONDS - ALL_OPEN_SECONDS) / (len(each.orders) + 1)
    for number, order in enumerate(each.orders):
        await asyncio.sleep(pause)
        await ground.drive(order.ref, ENDINGS[number % len(ENDINGS)])
    await asyncio.sleep(pause)


def lying_pages(rows: list[Row], key: str) -> list[int]:
    """When pages with this key were answered that the fault has changed, as places in the ledger."""
    return [row["seq"] for row in rows if row["kind"] == "answer" and row["key"] == key and "lie" in row]


def unread_pages(rows: list[Row], key: str) -> list[int]:
    """When pages were asked for with this key that showed no rows."""
    read = {row["request_seq"] for row in rows if "items" in row}
    asked = [row for row in rows if row["kind"] == "request" and row["endpoint"] == "list" and row["key"] == key]
    return [row["seq"] for row in asked if row["seq"] not in read]


def still_open(refs: list[str], rows: list[Row], at: int | None) -> list[str]:
    """Those of the orders that the provider hadn't ended yet at a place in the ledger; none without a place."""
    over = {row["ref"] for row in rows if row["kind"] in {"delivery", "refund"} and row["seq"] < (at or 0)}
    return [] if at is None else [ref for ref in refs if ref not in over]
