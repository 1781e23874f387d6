"""What each documented endpoint does with an admitted request. No waiting here: each call is one atomic step."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.answers import Refusal
from simulator.calls import Call
from simulator.clock import instant
from simulator.gate import Key
from simulator.lists import Page, Paging, Row, paged
from simulator.money import number
from simulator.orders import Order
from simulator.plans import PREFIX_OF_OPERATOR, Plan
from simulator.provider import Provider
from simulator.scenarios import is_test_number

Data = dict[str, Any]
PHONE = re.compile(r"0[567][0-9]{8}")
REF_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Result:
    """The ``data`` of an answer, the order it speaks of, and what the ledger notes beside."""

    data: Data
    order: Order | None = None
    status: str | None = None
    noted: Data = field(default_factory=dict)


Handler = Callable[[Provider, Key, Call], Result]


def validate(_provider: Provider, key: Key, _call: Call) -> Result:
    """GET /validate."""
    return Result(key.wire())


def balance(provider: Provider, key: Key, _call: Call) -> Result:
    """GET /account/balance."""
    return Result({"balance": number(provider.account_of(key).balance)})


def plans(provider: Provider, _key: Key, _call: Call) -> Result:
    """GET /mobile/plans."""
    return Result(provider.catalogue.wire())


def transactions(provider: Provider, key: Key, call: Call) -> Result:
    """GET /account/transactions, newest first (the order is assumed)."""
    since, until = _span(call)
    rows = [row for row in reversed(provider.account_of(key).movements) if since <= row.at <= until]
    page, size = _paging(call)
    shown = rows[(page - 1) * size : page * size]
    return Result(_listed([row.wire() for row in shown], page, size, math.ceil(len(rows) / size), len(rows)))


def topups(provider: Provider, key: Key, call: Call) -> Result:
    """GET /mobile/list, newest first. The ledger notes every row, and a lie where the truth was another page."""
    since, until = _span(call)
    orders = [
        order
        for order in reversed(provider.account_of(key).orders)
        if since <= order.created_at <= until and provider.is_visible(order, "list")
    ]
    page = Paging(*_paging(call), provider.clock(), provider.settings.speed)
    shown = paged(orders, page, call.lie)
    data = _shown(provider, page, shown)
    noted: Data = {"items": [_item(row) for row in shown.rows]}
    if call.lie and data != _shown(provider, page, paged(orders, page)):
        noted["lie"] = call.lie.action
    return Result(data, noted=noted)


def check_id(provider: Provider, key: Key, call: Call) -> Result:
    """GET /mobile/check-id/{id}; another account's order is not found."""
    order = provider.by_id(provider.account_of(key), call.asked)
    if order is None:
        raise Refusal("NOT_FOUND", f"Top-up with ID '{call.asked}' not found")
    return Result(_record(provider, order), order, provider.status(order))


def check_ref(provider: Provider, key: Key, call: Call) -> Result:
    """GET /mobile/check-ref/{ref}. Source of the message: /api-reference/mobile/check-by-ref."""
    order = provider.by_ref(provider.account_of(key), call.asked)
    if order is None:
        raise Refusal("NOT_FOUND", f"Top-up with reference '{call.asked}' not found")
    return Result(_record(provider, order), order, provider.status(order))


def send(provider: Provider, key: Key, call: Call) -> Result:
    """POST /mobile/send. Source: /en/api-reference/mobile/send-topup; the order of the checks is assumed."""
    if key.scope == "READ-ONLY":
        raise Refusal("FORBIDDEN")
    plan = _plan(provider, _text(call.body, "plan_code"))
    phone = _text(call.body, "MSSIDN")
    if not PHONE.fullmatch(phone):
        raise _invalid("MSSIDN", phone, 'body/MSSIDN must match pattern "^0[567][0-9]{8}$"')
    amount = _amount(call.body, plan)
    prefix = PREFIX_OF_OPERATOR.get(plan.operator, "")
    if not phone.startswith(prefix) and not is_test_number(phone):
        raise _invalid("MSSIDN", phone, f"The number does not belong to {plan.operator}")
    order = provider.create(key, plan, phone, amount, _ref(call.body))
    data = {"topupId": order.topup_id, "topupRef": provider.shown_ref(order)}
    return Result(data, order, "PENDING")


def _invalid(field: str, value: Any, message: str) -> Refusal:
    return Refusal("ERR_VALIDATION", message, details={"field": field, "value": value})


def _text(body: Data, name: str) -> str:
    if name not in body:
        raise _invalid(name, None, f"body must have required property '{name}'")
    if not isinstance(body[name], str):
        raise _invalid(name, body[name], f"body/{name} must be string")
    return str(body[name])


def _ref(body: Data) -> str | None:
    if body.get("ref") is None:
        return None
    ref = _text(body, "ref")
    if not 1 <= len(ref) <= REF_LIMIT:
        raise _invalid("ref", ref, f"body/ref must have 1 to {REF_LIMIT} characters")
    return ref


def _plan(provider: Provider, code: str) -> Plan:
    plan = provider.catalogue.get(code)
    if plan is None:
        raise _invalid("plan_code", code, f"Unknown plan code '{code}'")
    if not plan.is_enabled:
        raise _invalid("plan_code", code, f"Plan '{code}' is disabled")
    return plan


def _amount(body: Data, plan: Plan) -> int:
    amount = body.get("amount")
    if plan.is_menu and not amount:
        return 0
    # Seen live: a fixed plan ignores the amount, yet refuses a body without one.
    if amount is None:
        raise _invalid("amount", None, "body must have required property 'amount'")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount != math.floor(amount):
        raise _invalid("amount", amount, "body/amount must be integer")
    if plan.amount is not None:
        return plan.amount
    low, high = plan.min_amount or 0, plan.max_amount or math.inf
    if not low <= amount <= high:
        raise _invalid("amount", amount, f"amount must be between {low} and {high}")
    return int(amount)


def _record(provider: Provider, order: Order) -> Data:
    return order.wire(provider.status(order), provider.shown_ref(order))


def _whole(call: Call, name: str, default: int, high: float) -> int:
    text = call.query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= high:
        raise Refusal("ERR_VALIDATION", f"querystring/{name} is invalid", details={"field": name, "value": text})
    return int(text)


def _span(call: Call) -> tuple[float, float]:
    since, until = call.query.get("from"), call.query.get("to")
    if (since is None) != (until is None):
        raise Refusal("ERR_VALIDATION", "from and to must be given together", details={"field": "from"})
    if since is None or until is None:
        return -math.inf, math.inf
    try:
        return instant(since), instant(until)
    except ValueError:
        raise Refusal("ERR_VALIDATION", "from and to must be ISO 8601", details={"field": "from"}) from None


def _paging(call: Call) -> tuple[int, int]:
    return _whole(call, "page", 1, math.inf), _whole(call, "pageSize", 20, 100)


def _listed(items: list[Data], page: int, size: int, total_pages: int, total_results: int) -> Data:
    pagination = {"page": page, "pageSize": size, "totalPages": total_pages, "totalResults": total_results}
    return {"items": items, "pagination": pagination}


def _shown(provider: Provider, page: Paging, shown: Page) -> Data:
    items = [row.order.wire(row.status, provider.shown_ref(row.order), row.at) for row in shown.rows]
    return _listed(items, page.number, page.size, shown.total_pages, shown.total_results)


def _item(row: Row) -> Data:
    return {"topup_id": row.order.topup_id, "ref": row.order.ref, "status": row.status}
