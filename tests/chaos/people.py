"""F11, F14 and F15: callers who submit a hundred times, and people whose words race with the order's own steps."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from starter.processes import NotReady
from tests.chaos.ground import Ground
from tests.chaos.plan import HANDLING, REFUNDED, OrderPlan, Round
from topups import TopUpError, TopUps
from topups.start import workflow_id

COPIES = 100
FORGET_SECONDS = 900.0


async def hundredfold(ground: Ground, each: Round) -> None:
    """F11: the same order a hundred times at once; then the same ref for another order."""
    for order in each.orders:
        ground.hand(order, copies=COPIES)
    await ground.taken(each.orders)
    for order in each.orders:
        ground.hand(replace(order, amount=order.amount + 1))
    ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders], copies=COPIES)


async def forgotten(ground: Ground, each: Round) -> None:
    """F14: Temporal no longer knows the first run when the order is submitted again."""
    delivered, refunded = each.orders[0], OrderPlan(each.orders[1].ref, REFUNDED, each.orders[1].amount)
    orders = (delivered, refunded)
    ground.hand(*orders)
    await ground.taken(orders)
    for order in orders:
        await ground.patiently(_result_of(order.ref), 120)
    # The server takes more than a minute for it.
    await asyncio.gather(*(_forget(ground, order.ref) for order in orders))
    async with ground.reuse:
        await _resubmit(ground, each, orders)


async def _resubmit(ground: Ground, each: Round, orders: tuple[OrderPlan, ...]) -> None:
    reused = each.window == "forgotten-and-reused"
    if reused:
        await ground.desk.settings(reuse_after_refund=True)
    for order in orders:
        ground.act("resubmit", order.ref)
    ground.hand(*orders, again=1)
    await ground.taken(orders, again=1)
    ground.fault(each.number, each.fault, each.window, [order.ref for order in orders])
    with suppress(NotReady):
        await ground.until(lambda: all(_posts(ground, order.ref) > 1 for order in orders), 120, "the second sends")
    if reused:
        await ground.desk.settings(reuse_after_refund=False)


def _posts(ground: Ground, ref: str) -> int:
    return sum(row["kind"] == "answer" and row["endpoint"] == "send" for row in ground.ledger.of(ref))


def _result_of(ref: str) -> Any:
    return lambda topups: topups.order(ref).result(timeout=12)


async def _forget(ground: Ground, ref: str) -> None:
    """As the end of the retention does."""

    async def delete(topups: TopUps) -> None:
        run = (await topups.order(ref).describe()).run_id
        execution = WorkflowExecution(workflow_id=workflow_id(ref), run_id=run)
        request = DeleteWorkflowExecutionRequest(namespace=topups.client.namespace, workflow_execution=execution)
        await topups.client.workflow_service.delete_workflow_execution(request)

    await ground.patiently(delete)
    handle = (await ground.topups()).client.get_workflow_handle(workflow_id(ref))
    async with asyncio.timeout(FORGET_SECONDS):
        while True:
            try:
                async with ground.disk:
                    await handle.describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    break
            await asyncio.sleep(0.2)
    ground.act("delete", ref)


async def words_in_a_send(ground: Ground, each: Round) -> None:
    """F15: cancel, resolve and recheck while a send, a look-up and a check are under way."""
    orders = list(each.orders)
    sending, looking, checking, hanging = orders[:2], orders[2:4], orders[4:6], orders[6:]
    hanging = [replace(order, phone=HANDLING) for order in hanging]
    for order in sending:
        await ground.desk.arm_fault("send", "received", "hold", hold=order.ref, ref=order.ref)
    for order in looking:
        await ground.desk.arm_fault("send", "committed", "reset", ref=order.ref)
        await ground.desk.arm_fault("check-ref", "received", "hold", hold=order.ref, ref=order.ref)
    for order in checking:
        await ground.desk.arm_fault("check-id", "received", "hold", hold=order.ref, ref=order.ref)
    ground.hand(*checking, queue=await ground.one_by_one())
    ground.hand(*sending, *looking, *hanging)
    met = [ref for order in (*sending, *looking, *checking) if await ground.desk.is_held(ref := order.ref, 30)]
    await asyncio.gather(*(_all_words(ground, ref) for ref in met))
    ground.fault(each.number, each.fault, each.window, met)
    for order in (*sending, *looking, *checking):
        await ground.desk.let_go(order.ref)
    for order in hanging:
        with suppress(NotReady):
            await ground.row(order.ref, 60, kind="answer", status="HANDLING")
        await _word(ground, "resolve", order.ref, _resolve(ground, order.ref, each.ending), each.ending)


async def _all_words(ground: Ground, ref: str) -> None:
    """None of them may be taken while a request that moves money is open, and none may do harm."""
    words: list[Awaitable[None]] = [
        _word(ground, "recheck", ref, ground.patiently(lambda topups: topups.order(ref).recheck(by="chaos"), 20)),
        _word(
            ground, "cancel", ref, ground.patiently(lambda topups: topups.order(ref).cancel(reason="x", by="chaos"), 20)
        ),
        _word(ground, "resolve", ref, _resolve(ground, ref, "NOT_CREATED"), "NOT_CREATED"),
    ]
    # An update waits for what is under way, so what is held is let go while they wait.
    release = asyncio.create_task(_release_soon(ground, ref))
    await asyncio.gather(*words)
    await release


async def _release_soon(ground: Ground, ref: str) -> None:
    await asyncio.sleep(1.5)
    await ground.desk.let_go(ref)


def _resolve(ground: Ground, ref: str, outcome: Any) -> Awaitable[Any]:
    return ground.patiently(lambda topups: topups.order(ref).resolve(outcome, note="chaos", by="chaos"), 60)


async def _word(ground: Ground, act: str, ref: str, word: Awaitable[Any], outcome: str | None = None) -> None:
    try:
        answer = await word
    except (TopUpError, RPCError, RuntimeError, TimeoutError):
        ground.act(act, ref, ok=False, outcome=outcome)
        return
    ground.act(act, ref, ok=getattr(answer, "taken", True), outcome=outcome)


async def raw_cancel(ground: Ground, each: Round) -> None:
    """F15: Cancel, pressed in the Temporal UI in the middle of a POST."""
    met = await _held_in_a_send(ground, each)
    for ref in met:
        await _press(ground, ref, "cancel")
        ground.act("raw_cancel", ref)
    ground.fault(each.number, each.fault, each.window, met)
    for ref in met:
        await ground.desk.let_go(ref)


async def terminated(ground: Ground, each: Round) -> None:
    """F15: Terminate, pressed in the middle of a POST; then `topup reopen`."""
    held = await _held_in_a_send(ground, each)
    met = [ref for ref in held if await _press(ground, ref, "terminate")]
    for ref in met:
        ground.act("terminate", ref)
    ground.fault(each.number, each.fault, each.window, met)
    if each.released_first:
        for ref in met:
            await ground.desk.let_go(ref)
    for ref in met:
        await _reopen(ground, ref)
    for ref in held:
        await ground.desk.let_go(ref)


async def _press(ground: Ground, ref: str, button: Literal["cancel", "terminate"]) -> bool:
    """Press a button of the UI; False when the order had ended: its worker may have died, and a look-up found it."""

    async def press(topups: TopUps) -> bool:
        handle = topups.client.get_workflow_handle(workflow_id(ref))
        try:
            await (handle.cancel() if button == "cancel" else handle.terminate())
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # Or the first try was taken and its answer lost.
            return (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
        return True

    pressed: bool = await ground.patiently(press)
    return pressed


async def _reopen(ground: Ground, ref: str) -> None:
    await ground.patiently(lambda topups: topups.order(ref).reopen(note="chaos", by="chaos"))
    ground.act("reopen", ref)


async def _held_in_a_send(ground: Ground, each: Round) -> list[str]:
    for order in each.orders:
        await ground.desk.arm_fault("send", "committed", "hold", hold=order.ref, ref=order.ref)
    ground.hand(*each.orders)
    held = await asyncio.gather(*(ground.desk.is_held(order.ref, 30) for order in each.orders))
    return [order.ref for order, is_held in zip(each.orders, held, strict=True) if is_held]
