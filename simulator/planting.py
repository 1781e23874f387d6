"""Admin calls that make the provider's books differ from what a shop knows: for those who test a reconciliation.

What they do stands in the books like anything else: every endpoint shows it, also after a restart.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from simulator.orders import Account, Order
from simulator.provider import Provider

Shown = Callable[[Order], dict[str, Any]]


class Planted(BaseModel):
    """The body of ``POST orders``: an order that another system of the same account made."""

    model_config = ConfigDict(extra="forbid")

    ref: str = Field(min_length=1)
    phone: str = "0771234567"
    plan_code: str = "PREPAID_DJEZZY"
    amount: int = Field(default=500, ge=0)
    status: str = "FULFILLED"
    environment: str = "SANDBOX"
    username: str | None = None


class Amended(BaseModel):
    """The body of ``orders/{ref}/record``: what the record shows from now on; transactions stay as they are."""

    model_config = ConfigDict(extra="forbid")

    amount: int | None = Field(default=None, ge=0)
    debited: Decimal | None = Field(default=None, ge=0)
    phone: str | None = None
    plan_code: str | None = None
    environment: str | None = None
    username: str | None = None


class Planting:
    """The handlers. ``accounts`` narrows by environment and username, ``shown`` is an order as the desk shows it."""

    def __init__(self, provider: Provider, accounts: Callable[..., list[Account]], shown: Shown) -> None:
        self._provider = provider
        self._accounts = accounts
        self._shown = shown

    async def plant(self, request: Request) -> JSONResponse:
        """Make an order that nobody sent here; its ref may be taken already, and there are then two with it."""
        wanted = Planted.model_validate(await request.json())
        account = next(iter(self._accounts(wanted.environment, wanted.username)), None)
        if account is None:
            raise ValueError(f"no account {wanted.username or ''} in {wanted.environment}")
        order = self._provider.plant(
            account, ref=wanted.ref, phone=wanted.phone, plan_code=wanted.plan_code, amount=wanted.amount
        )
        self._provider.drive(order, wanted.status)
        await self._provider.durable()
        return JSONResponse(self._shown(order), 201)

    async def amend(self, request: Request) -> JSONResponse:
        """Change what a record shows."""
        wanted = Amended.model_validate(await request.json())
        order = self._newest(request.path_params["ref"], wanted.environment, wanted.username)
        if order is None:
            return _unknown(request)
        changes = wanted.model_dump(exclude_none=True, exclude={"environment", "username"})
        self._provider.amend(order, changes)
        await self._provider.durable()
        return JSONResponse(self._shown(order))

    async def forget(self, request: Request) -> JSONResponse:
        """Take an order out of the books; its transactions stay."""
        query = request.query_params
        order = self._newest(request.path_params["ref"], query.get("environment"), query.get("username"))
        if order is None:
            return _unknown(request)
        self._provider.forget(order)
        await self._provider.durable()
        return JSONResponse({})

    def _newest(self, ref: str, environment: str | None, username: str | None) -> Order | None:
        self._provider.settle()
        found = [one.by_ref[ref] for one in self._accounts(environment, username) if ref in one.by_ref]
        return max(found, key=lambda one: one.created_at, default=None)


def _unknown(request: Request) -> JSONResponse:
    return JSONResponse({"error": f"no order has the ref {request.path_params['ref']!r}"}, 404)
