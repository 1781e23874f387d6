"""F4 to F7: a provider that answers badly, wrongly, late, or with words that nobody knows."""

import asyncio
from typing import Any

import httpx

from starter.processes import NotReady
from tests.chaos.ground import Ground
from tests.chaos.plan import BACK_AND_FORTH, NEW_WORD, OrderPlan, Round
from tests.chaos.programs import KEY
from topups import TopUps, TopUpView

BROKEN = (
    ("committed", "timeout"),
    ("answered", "reset"),
    ("committed", "broken_json"),
    ("committed", "empty"),
    ("committed", "redirect"),
)
FORBIDDEN, TOO_MANY = 403, 429
FOUND_SECONDS = 60.0
PATIENCE_SECONDS = 150.0


def _error(http: int, code: str | None = None, **more: Any) -> dict[str, Any]:
    return {"action": "error", "http": http} | ({"code": code} if code else {}) | more


SEND_ERRORS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((moment, _error(http)) for http in (500, 502, 503, 504) for moment in ("received", "committed")),
    ("received", _error(TOO_MANY, headers={"Retry-After": "3"})),
    ("committed", _error(FORBIDDEN, "DUPLICATED_REF")),
    ("committed", _error(FORBIDDEN, "DUPLICATED-REF")),
    ("received", _error(FORBIDDEN, "NO_BALANCE")),
    ("received", _error(FORBIDDEN, "INSUFFICIENT_BALANCE")),
)
CHECK_ERRORS = (*(("received", _error(http)) for http in (500, 502, 503, 504)), SEND_ERRORS[8])


async def broken(ground: Ground, each: Round) -> None:
    """F4: whole and half answers that can't be read, on send, check and list."""
    if each.window == "list":
        await _broken_list(ground, each)
        return
    for number, order in enumerate(each.orders):
        moment, action = BROKEN[number % len(BROKEN)]
        if each.window == "check-id" and action == "timeout":
            action = "disconnect"
        await ground.desk.arm_fault(each.window, moment, action, ref=order.ref)
    await _met(ground, each)


async def _broken_list(ground: Ground, each: Round) -> None:
    """The list is asked last, by a look-up whose refs the provider doesn't know yet."""
    for order, (_, action) in zip(each.orders, BROKEN, strict=True):
        await ground.desk.arm_fault("send", "committed", "reset", ref=order.ref)
        await ground.desk.arm_fault("check-ref", "received", "error", http=404, code="NOT_FOUND", ref=order.ref, n=2)
        await ground.desk.arm_fault("list", "received", "disconnect" if action == "timeout" else action)
    await _met(ground, each, endpoint="check-ref")


async def errors(ground: Ground, each: Round) -> None:
    """F5: errors with and without a commit behind them."""
    table = SEND_ERRORS if each.window == "send" else CHECK_ERRORS
    for order, (moment, action) in zip(each.orders, table, strict=True):
        await ground.desk.arm_fault(each.window, moment, ref=order.ref, **action)
    await _met(ground, each)


async def _met(ground: Ground, each: Round, *, endpoint: str | None = None) -> None:
    """Hand the orders over and count those that came to the endpoint where the fault waits.

    Where that is a check of an order's own, they must not share pages; pages that can't be read are F17's.
    """
    ground.hand(*each.orders, queue=await ground.one_by_one() if each.window == "check-id" else None)
    met = await asyncio.gather(*(_reached(ground, order, endpoint or each.window) for order in each.orders))
    ground.fault(each.number, each.fault, each.window, filter(None, met), endpoint=endpoint or each.window)


async def _reached(ground: Ground, order: OrderPlan, endpoint: str) -> str | None:
    try:
        await ground.row(order.ref, 90, kind="request", endpoint=endpoint)
    except NotReady:
        return None
    return order.ref


async def late_or_hidden(ground: Ground, each: Round) -> None:
    """F6: a committed send that check-ref doesn't find yet, or finds only prefixed, or that only the list has."""
    ways: tuple[tuple[str, dict[str, Any]], ...] = (
        ("late", {"read_lag": 12}),
        ("prefixed", {"check_ref_forms": "prefixed"}),
        ("list", {"check_ref_forms": "none"}),
    )
    as_ever = {"read_lag": 0, "check_ref_forms": "both"}
    share = len(each.orders) // len(ways)
    for number, (window, way) in enumerate(ways):
        orders = each.orders[number * share : (number + 1) * share]
        for order in orders:
            await ground.desk.arm_fault("send", "committed", "reset", ref=order.ref)
        await ground.desk.settings(**way)
        ground.hand(*orders)
        met = await asyncio.gather(*(_reached(ground, order, "check-ref") for order in orders))
        ground.fault(each.number, each.fault, window, filter(None, met))
        await asyncio.gather(*(_found(ground, order) for order in orders))
        await ground.desk.settings(**as_ever)


async def _found(ground: Ground, order: OrderPlan) -> None:
    """Wait until it was found; a list's answer names no order in the ledger, so the order itself is asked."""

    async def view(topups: TopUps) -> TopUpView:
        return await topups.order(order.ref).view()

    deadline = asyncio.get_running_loop().time() + FOUND_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if (await ground.patiently(view)).phase not in {"ACCEPTED", "CONFIRMING"}:
            return
        await asyncio.sleep(1)
    ground.diary.write(kind="note", text=f"{order.ref} was not found in {FOUND_SECONDS:g} s")


async def odd_words(ground: Ground, each: Round) -> None:
    """F7: back to PENDING, a word that nobody knows, a second final answer, somebody else's record under our ref."""
    first, back, new, twice, foreign = each.orders
    orders = [first, _to(back, BACK_AND_FORTH), _to(new, NEW_WORD), twice, foreign]
    await _somebody_elses(ground, foreign)
    ground.hand(*orders)
    await ground.row(new.ref, PATIENCE_SECONDS, kind="answer", status="AWAITING_OPERATOR")
    await ground.drive(new.ref, "FULFILLED")
    await ground.row(twice.ref, PATIENCE_SECONDS, kind="answer", status="FULFILLED")
    await ground.says(twice.ref, "FULFILLED", FOUND_SECONDS)
    await ground.drive(twice.ref, "REFUNDED")
    ground.fault(each.number, each.fault, each.window, [order.ref for order in orders[1:]])


def _to(order: OrderPlan, phone: str) -> OrderPlan:
    return OrderPlan(order.ref, phone, order.amount)


async def _somebody_elses(ground: Ground, order: OrderPlan) -> None:
    """An order with our ref and another number, made at the provider behind our back."""
    ground.act("foreign", order.ref)
    body = {"plan_code": order.plan_code, "MSSIDN": "0770000001", "amount": order.amount, "ref": order.ref}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{ground.provider_url}/v3/mobile/send", json=body, headers={"X-Access-Token": KEY}, timeout=10
        )
    answer.raise_for_status()
