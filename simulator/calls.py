"""One request as it came in."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request

from simulator.faults import Fault
from simulator.gate import name_of
from simulator.orders import Order


@dataclass(slots=True)
class Call:
    """A request to the provider, with what the ledger notes about it."""

    endpoint: str
    method: str
    path: str
    token: str | None
    address: str
    query: dict[str, str]
    asked: str = ""
    """The id or the ref in the path, decoded."""
    body: dict[str, Any] = field(default_factory=dict)
    ref: str | None = None
    topup_id: str | None = None
    phone: str | None = None
    plan_code: str | None = None
    amount: int | float | None = None
    seq: int = 0
    lie: Fault | None = None
    """What the page that was asked for must not show as it is."""

    @property
    def key(self) -> str | None:
        """The key's name in the ledger."""
        return name_of(self.token)

    def concerns(self, order: Order) -> None:
        """The request turned out to be about this order."""
        self.ref, self.topup_id = order.ref, order.topup_id
        self.phone, self.plan_code, self.amount = order.phone, order.plan_code, order.amount

    def facts(self) -> dict[str, Any]:
        """The fields of a ledger row."""
        return {
            "endpoint": self.endpoint,
            "key": self.key,
            "ref": self.ref,
            "topup_id": self.topup_id,
            "phone": self.phone,
            "plan_code": self.plan_code,
            "amount": self.amount,
        }


async def read_call(endpoint: str, request: Request) -> Call:
    """Read the whole request; a body that is no JSON object, or never came, counts as an empty one."""
    call = Call(
        endpoint=endpoint,
        method=request.method,
        path=request.url.path,
        token=request.headers.get("X-Access-Token"),
        address=request.client.host if request.client else "",
        query=dict(request.query_params),
        asked=str(request.path_params.get("asked", "")),
    )
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, ClientDisconnect):
        return call
    if isinstance(body, dict):
        call.body = body
        call.ref, call.phone = _text(body.get("ref")), _text(body.get("MSSIDN"))
        call.plan_code = _text(body.get("plan_code"))
        amount = body.get("amount")
        call.amount = amount if isinstance(amount, int | float) else None
    return call


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
