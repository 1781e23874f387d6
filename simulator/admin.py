"""The judge's desk: calls under ``/_admin`` that arm faults and move orders.

They need no key and leave no request row.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from simulator.clock import iso
from simulator.faults import Fault, Faults
from simulator.gate import Gate
from simulator.holds import Holds
from simulator.money import number
from simulator.orders import Account, Order
from simulator.planting import Planting
from simulator.provider import Provider
from simulator.scenarios import Offer

Handler = Callable[[Request], Awaitable[JSONResponse]]
HOLD_TIMEOUT_LIMIT_SECONDS = 60.0


class Drive(BaseModel):
    """The body of ``orders/{ref}/status``. Without an environment the newest order of that ref is meant."""

    model_config = ConfigDict(extra="forbid")

    status: str = Field(min_length=1)
    refund_message: str | None = None
    suggested_offers: list[Offer] | None = None
    environment: str | None = None
    username: str | None = None


class Funds(BaseModel):
    """The body of ``balance``: DZD; without environment and username it is set everywhere.

    Not ``noted``, no transaction tells of it.
    """

    model_config = ConfigDict(extra="forbid")

    amount: Decimal = Field(ge=0)
    noted: bool = True
    environment: str | None = None
    username: str | None = None


class Admin:
    """The handlers and their routes."""

    def __init__(self, provider: Provider, gate: Gate, faults: Faults, holds: Holds) -> None:
        self._provider = provider
        self._gate = gate
        self._faults = faults
        self._holds = holds
        self._planting = Planting(provider, self._accounts, self._shown)

    def routes(self) -> list[BaseRoute]:
        """To be mounted at ``/_admin``."""
        table: list[tuple[Literal["GET", "POST", "DELETE"], str, Handler]] = [
            ("POST", "/faults", self.arm),
            ("GET", "/faults", self.show_faults),
            ("DELETE", "/faults", self.disarm),
            ("DELETE", "/faults/{id:int}", self.disarm),
            ("GET", "/holds/{hold}", self.await_hold),
            ("POST", "/release/{hold}", self.release),
            ("GET", "/orders", self.show_orders),
            ("POST", "/orders", self._planting.plant),
            ("POST", "/orders/{ref:path}/status", self.drive),
            ("POST", "/orders/{ref:path}/record", self._planting.amend),
            ("DELETE", "/orders/{ref:path}", self._planting.forget),
            ("GET", "/balance", self.show_balance),
            ("POST", "/balance", self.set_balance),
            ("GET", "/settings", self.show_settings),
            ("POST", "/settings", self.change_settings),
            ("GET", "/plans", self.show_plans),
            ("POST", "/plans", self.change_plan),
            ("DELETE", "/lockouts", self.forgive),
        ]
        return [Route(path, _explained(handler), methods=[method]) for method, path, handler in table]

    async def arm(self, request: Request) -> JSONResponse:
        """Arm a fault; it waits behind those that were armed before."""
        fault = self._faults.arm(Fault.model_validate(await _object(request)))
        return JSONResponse(fault.model_dump(exclude_none=True), 201)

    async def show_faults(self, _request: Request) -> JSONResponse:
        """Every fault with what is left of it, and every hold with who waits there."""
        return JSONResponse({"faults": self._faults.wire(), "holds": self._holds.wire()})

    async def disarm(self, request: Request) -> JSONResponse:
        """Delete all faults or one. Requests that are held stay held."""
        return JSONResponse({"deleted": self._faults.disarm(request.path_params.get("id"))})

    async def await_hold(self, request: Request) -> JSONResponse:
        """Answer as soon as a request waits at the hold; 408 when none came in ``timeout`` seconds (60 at most)."""
        name = request.path_params["hold"]
        timeout = min(float(request.query_params.get("timeout", "0")), HOLD_TIMEOUT_LIMIT_SECONDS)
        is_held = await self._holds.reached(name, timeout)
        return JSONResponse({"hold": name, "held": is_held, **self._holds.shown(name)}, 200 if is_held else 408)

    async def release(self, request: Request) -> JSONResponse:
        """Let go who waits there now; who comes later waits again."""
        return JSONResponse({"released": self._holds.release(request.path_params["hold"])})

    async def show_orders(self, request: Request) -> JSONResponse:
        """Every order, oldest first, also those that a read lag hides."""
        self._provider.settle()
        shown = [
            self._shown(order) for account in self._accounts(**dict(request.query_params)) for order in account.orders
        ]
        await self._provider.durable()
        return JSONResponse({"orders": shown})

    async def drive(self, request: Request) -> JSONResponse:
        """Put the newest order of a bare ref into any status, with the delivery or refund that belongs to it."""
        wanted = Drive.model_validate(await _object(request))
        self._provider.settle()
        ref = request.path_params["ref"]
        found = [
            account.by_ref[ref]
            for account in self._accounts(wanted.environment, wanted.username)
            if ref in account.by_ref
        ]
        if not found:
            return JSONResponse({"error": f"no order has the ref {ref!r}"}, 404)
        order = max(found, key=lambda one: one.created_at)
        self._provider.drive(order, wanted.status, wanted.refund_message, wanted.suggested_offers)
        await self._provider.durable()
        return JSONResponse(self._shown(order))

    async def show_balance(self, _request: Request) -> JSONResponse:
        return JSONResponse({"balances": [_wallet(account) for account in self._accounts()]})

    async def set_balance(self, request: Request) -> JSONResponse:
        """Set wallets to an amount in DZD; the difference is a DEPOSIT or a WITHDRAW."""
        funds = Funds.model_validate(await _object(request))
        self._provider.settle()
        accounts = self._accounts(funds.environment, funds.username)
        for account in accounts:
            self._provider.set_balance(account, funds.amount, noted=funds.noted)
        await self._provider.durable()
        return JSONResponse({"balances": [_wallet(account) for account in accounts]})

    async def show_settings(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._provider.settings.model_dump(mode="json"))

    async def change_settings(self, request: Request) -> JSONResponse:
        """Change some settings, wholly or not at all."""
        self._provider.settle()
        self._provider.settings.change(await _object(request))
        self._provider.reschedule()
        return await self.show_settings(request)

    async def show_plans(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._provider.catalogue.wire())

    async def change_plan(self, request: Request) -> JSONResponse:
        """Change the named fields of a plan, or add one."""
        return JSONResponse(self._provider.catalogue.change(await _object(request)).wire())

    async def forgive(self, _request: Request) -> JSONResponse:
        """Lift every lock-out."""
        self._gate.forgive()
        return JSONResponse({})

    def _accounts(self, environment: str | None = None, username: str | None = None) -> list[Account]:
        return [
            account
            for account in self._provider.accounts.values()
            if environment is None or account.environment == environment.upper()
            if username is None or account.username == username
        ]

    def _shown(self, order: Order) -> dict[str, Any]:
        return {
            "ref": order.ref,
            "topup_id": order.topup_id,
            "username": order.account.username,
            "environment": order.account.environment,
            "phone": order.phone,
            "plan_code": order.plan_code,
            "amount": order.amount,
            "debited": number(order.debited),
            "status": self._provider.status(order),
            "delivered": order.delivered,
            "refunded": order.refunded,
            "created_at": iso(order.created_at),
        }


async def _object(request: Request) -> dict[str, Any]:
    body = await request.json()
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body


def _wallet(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "environment": account.environment,
        "balance": number(account.balance),
    }


def _explained(handler: Handler) -> Handler:
    """Turn what the caller did wrong into a 400 that says so."""

    async def explained(request: Request) -> JSONResponse:
        try:
            return await handler(request)
        except ValidationError as error:
            return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, 400)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return explained
