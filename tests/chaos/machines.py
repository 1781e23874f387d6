"""F12, F13 and F16: deployments, machines without disk or memory, and workers that don't belong here."""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from starter.processes import NotReady, Process
from tests.chaos.diary import Row
from tests.chaos.ground import NOT_OURS, Ground
from tests.chaos.kills import everything_back
from tests.chaos.plan import HANDLING, Round
from tests.chaos.programs import KEY
from topups import ActResult, TopUpError, TopUpResult, TopUps, TopUpView
from topups.start import workflow_id

VARIANTS = "tests.chaos.variants"
BROKEN_SECONDS = 4.0
STRANGER_SECONDS = 10.0
THEIR_OWN_SECONDS = 150.0
SIGNALS_AT_ONCE = 50
STRANGERS = {
    "other-account": {"ONECLICKDZ_ACCESS_TOKEN": "other-sandbox-key"},
    "other-environment": {"ONECLICKDZ_ACCESS_TOKEN": "production-key", "ONECLICKDZ_ENVIRONMENT": "production"},
}


async def deploys(ground: Ground, each: Round) -> None:
    """F12: a changed workflow takes over orders under way; then a bad one does, and is rolled back."""
    queue = f"deploys-{each.number}"
    mine = {"TOPUPS_TASK_QUEUE": queue, "TOPUPS_STATE_DIR": str(ground.folder / queue)}
    old = ground.worker(f"{queue}-old", **mine)
    patched = ground.worker(f"{queue}-patched", module=f"{VARIANTS} patched", **mine)
    bad = ground.worker(f"{queue}-bad", module=f"{VARIANTS} bad-deploy", **mine)
    orders = [replace(order, phone=HANDLING) for order in each.orders]
    first, second = orders[: len(orders) // 2], orders[len(orders) // 2 :]
    await ground.start_worker(old)
    ground.hand(*first, queue=queue)
    await _under_way(ground, [order.ref for order in first])
    # Both at once for a while, as in every rolling deploy.
    await ground.start_worker(patched)
    ground.kill(old)
    ground.hand(*second, queue=queue)
    await _under_way(ground, [order.ref for order in second])
    ground.fault(each.number, each.fault, "patched", [order.ref for order in orders])
    ground.kill(patched)
    await ground.start_worker(bad)
    await asyncio.sleep(BROKEN_SECONDS + 5)
    ground.fault(each.number, each.fault, "bad-deploy", [order.ref for order in orders])
    ground.kill(bad)
    await ground.start_worker(patched)
    for order in orders:
        await ground.drive(order.ref, each.ending)


async def _under_way(ground: Ground, refs: list[str]) -> None:
    for ref in refs:
        with suppress(NotReady):
            await ground.row(ref, 40, kind="answer", status="HANDLING")


async def full_disk(ground: Ground, each: Round) -> None:
    """F13: the server's file can't grow any more; then the disk has room again."""
    if ground.server is None:
        ground.skip(each, NOT_OURS)
        return
    async with ground.disk:
        pid = ground.server.process.pid
        size = max(path.stat().st_size for path in ground.folder.glob("temporal.sqlite*"))
        _limit(pid, resource.RLIMIT_FSIZE, size // 4)
        ground.hand(*each.orders)
        await asyncio.sleep(BROKEN_SECONDS)
        ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders])
        with suppress(ProcessLookupError):
            _limit(pid, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        ground.kill_server()
        await everything_back(ground, each)
    await ground.taken(each.orders)


async def no_memory(ground: Ground, each: Round) -> None:
    """F13: a worker gets no more memory in the middle of its work."""
    await ground.man(1)
    worker = ground.workers[ground.crew[0]]
    _limit(worker.pid, resource.RLIMIT_AS, _size_of(worker.pid))
    ground.hand(*each.orders)
    await asyncio.sleep(BROKEN_SECONDS)
    ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders], died=not worker.running)
    ground.kill(worker)
    await everything_back(ground, each)


def _size_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def _limit(pid: int, what: int, value: int) -> None:
    _, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, hard))


async def long_history(ground: Ground, each: Round, signals: int) -> None:
    """F13: an order with thousands of events, which goes on in a new run."""
    order = replace(each.orders[0], phone=HANDLING)
    ground.hand(order)
    await ground.taken([order])
    for _ in range(signals // SIGNALS_AT_ONCE):
        await asyncio.gather(*(_signal(ground, order.ref) for _ in range(SIGNALS_AT_ONCE)))
    ground.act("recheck", order.ref)
    ground.fault(each.number, each.fault, each.window, [order.ref], signals=signals)
    # It may still wait for its send, and what the provider doesn't have yet can't be settled there.
    await ground.until(lambda: any(row["kind"] == "commit" for row in ground.ledger.of(order.ref)), 120, "its send")
    await ground.drive(order.ref, each.ending)


async def _signal(ground: Ground, ref: str) -> None:
    async def send(topups: TopUps) -> None:
        await topups.client.get_workflow_handle(workflow_id(ref)).signal("recheck", {"by": "chaos"})

    await ground.patiently(send)


async def stranger(ground: Ground, each: Round) -> None:
    """F16: a worker with another key joins the queue. It leaves our orders alone; its own end under its key alone."""
    queue = f"mixed-{each.number}"
    ours = ground.worker(f"{queue}-ours", TOPUPS_TASK_QUEUE=queue, TOPUPS_STATE_DIR=str(ground.folder / queue))
    theirs = ground.worker(
        f"{queue}-stranger",
        **STRANGERS[each.window],
        TOPUPS_TASK_QUEUE=queue,
        TOPUPS_STATE_DIR=str(ground.folder / f"{queue}-stranger"),
    )
    await asyncio.gather(ground.start_worker(ours), ground.start_worker(theirs))
    ground.hand(*each.orders, queue=queue)
    await ground.taken(each.orders)
    await asyncio.sleep(STRANGER_SECONDS)
    refs = [order.ref for order in each.orders]
    ground.fault(each.number, each.fault, each.window, [ref for ref in refs if _met(theirs, ref)])
    ground.kill(ours)
    await _end_their_own(ground, refs, STRANGERS[each.window]["ONECLICKDZ_ACCESS_TOKEN"])
    ground.kill(theirs)
    await ground.start_worker(ours)


async def _end_their_own(ground: Ground, refs: list[str], key: str) -> None:
    def still_open() -> list[str]:
        return [ref for ref in refs if _is_open([row for row in ground.ledger.of(ref) if row["key"] == key])]

    # A send of theirs may still be on its way.
    await asyncio.sleep(BROKEN_SECONDS)
    for ref in still_open():
        ground.act("recheck", ref)
        await ground.patiently(_recheck(ref))
    with suppress(NotReady):
        await ground.until(lambda: not still_open(), THEIR_OWN_SECONDS, "the end of the other account's orders")
    await _withdraw_unsent(ground, refs)
    # Their worker dies next, and nobody else can ask about what it heard and had not yet reported.
    for ref in refs:
        if any(row["kind"] == "commit" and row["key"] == key for row in ground.ledger.of(ref)):
            with suppress(TopUpError):
                await ground.patiently(_result(ref), THEIR_OWN_SECONDS)


async def _withdraw_unsent(ground: Ground, refs: list[str]) -> None:
    """Cancel what they took and haven't sent: nobody else may send it, and it would wait for its deliver_by."""
    ours = {row["username"] for row in ground.ledger.rows if row.get("key") == KEY and row.get("username")}
    for ref in refs:
        view = await ground.patiently(_view(ref))
        if view.final or view.account is None or view.account in ours:
            continue
        with suppress(TopUpError):
            await ground.patiently(_cancel(ref))
            ground.act("cancel", ref)


def _view(ref: str) -> Callable[[TopUps], Awaitable[TopUpView]]:
    return lambda topups: topups.order(ref).view()


def _cancel(ref: str) -> Callable[[TopUps], Awaitable[ActResult]]:
    return lambda topups: topups.order(ref).cancel(reason="the other account is gone", by="chaos")


def _is_open(rows: list[Row]) -> bool:
    return any(row["kind"] == "commit" for row in rows) and not any(
        row["kind"] == "answer" and row["status"] == "FULFILLED" for row in rows
    )


def _result(ref: str) -> Callable[[TopUps], Awaitable[TopUpResult]]:
    return lambda topups: topups.order(ref).result(timeout=12)


def _recheck(ref: str) -> Callable[[TopUps], Awaitable[None]]:
    return lambda topups: topups.order(ref).recheck(by="chaos")


def _met(worker: Process, ref: str) -> bool:
    return any(ref in line for line in worker.output.splitlines())


async def refused_key(ground: Ground, each: Round) -> None:
    """F5: the provider refuses the key in the middle of a run; later the key's file has another one."""
    await _closed(ground, each, {"http": 401, "code": "INVALID_ACCESS_TOKEN"}, same_address=True)


async def blocked_address(ground: Ground, each: Round) -> None:
    """F5: the provider blocks the address in the middle of a run; later the worker runs on another host."""
    await _closed(ground, each, {"http": 403, "code": "IP_BLOCKED"}, same_address=False)


def key_of(each: Round) -> str:
    """A key that no other round uses; the judge watches it."""
    return f"sandbox-key-{each.number % 400 * 2 + 2}"


def _next_key(each: Round) -> str:
    return f"sandbox-key-{each.number % 400 * 2 + 3}"


async def _closed(ground: Ground, each: Round, answer: dict[str, object], *, same_address: bool) -> None:
    queue, key = f"keys-{each.number}", key_of(each)
    file = ground.folder / f"{queue}.key"
    _write(file, key)
    mine = {"TOPUPS_TASK_QUEUE": queue, "ONECLICKDZ_ACCESS_TOKEN_FILE": str(file), "ONECLICKDZ_ACCESS_TOKEN": ""}
    workers = [
        ground.worker(f"{queue}-{number}", **mine, TOPUPS_STATE_DIR=str(ground.folder / queue)) for number in (1, 2)
    ]
    await asyncio.gather(*(ground.start_worker(worker) for worker in workers))
    # Whichever of the two asks about an order first: a check of its own, or a page.
    endpoints = ("send",) if each.chance < 0.5 else ("check-id", "list")
    first, rest = each.orders[:1], each.orders[1:]
    ground.hand(*first, queue=queue)
    await ground.row(first[0].ref, 30, kind="answer", endpoint="send")
    for endpoint in endpoints:
        await ground.desk.arm_fault(endpoint, "received", "error", key=key, **answer)
    ground.hand(*rest, queue=queue)
    await ground.taken(rest)
    await asyncio.sleep(8)
    ground.kill(workers[0])
    await ground.start_worker(workers[0])
    await asyncio.sleep(4)
    ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders], endpoint=endpoints[0])
    if same_address:
        _write(file, _next_key(each))
        return
    for worker in workers:
        ground.kill(worker)
    _write(file, _next_key(each))
    await ground.start_worker(ground.worker(f"{queue}-3", **mine, TOPUPS_STATE_DIR=str(ground.folder / f"{queue}-3")))


def _write(file: Path, key: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{key}\n", encoding="utf-8")
    fresh.replace(file)
