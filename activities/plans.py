"""The provider's catalogue: what may be sent, and for how much."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal

from activities.ask import Ask
from oneclickdz import Catalogue, DynamicPlan, FixedPlan, OneClickDZ, OneClickDZError
from topups.observations import PlanRefused

FRESH_SECONDS = 6 * 3_600
# A refusal ends an order, so it is only given by a catalogue that is new.
FRESH_FOR_REFUSAL_SECONDS = 60
FAILED_SECONDS = 20


class Plans:
    """A cached catalogue. `amount_for` raises what the client's `plans()` raises when none can be had."""

    def __init__(self, client: OneClickDZ, *, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._lock = asyncio.Lock()
        self._known: tuple[float, Catalogue] | None = None
        self._failed: tuple[float, OneClickDZError] | None = None

    async def amount_for(self, ask: Ask) -> int | PlanRefused | None:
        """Return the amount to send in DZD (None: a GETMENU without one), or why the plan refuses it."""
        verdict = judge(ask, await self._catalogue(FRESH_SECONDS))
        if isinstance(verdict, PlanRefused):
            verdict = judge(ask, await self._catalogue(FRESH_FOR_REFUSAL_SECONDS))
        return verdict

    async def _catalogue(self, max_age: float) -> Catalogue:
        async with self._lock:
            if self._known is None or self._now() - self._known[0] > max_age:
                self._known = (self._now(), await self._load())
            return self._known[1]

    async def _load(self) -> Catalogue:
        # With a catalogue that hangs, each order would wait its own 8 s behind all the others.
        if self._failed is not None and self._now() - self._failed[0] < FAILED_SECONDS:
            raise self._failed[1]
        try:
            return await self._client.plans()
        except OneClickDZError as error:
            self._failed = (self._now(), error)
            raise


def judge(ask: Ask, catalogue: Catalogue) -> int | PlanRefused | None:
    """Return the amount to send, or the refusal. Source: "List Plans" and "Send Top-Up", field amount."""
    plan = catalogue.find(ask.plan_code)
    if plan is None:
        return PlanRefused(code="PLAN_UNKNOWN", message=f"The provider has no plan {ask.plan_code}.")
    if not plan.is_enabled:
        return PlanRefused(code="PLAN_DISABLED", message=f"The plan {plan.code} is switched off for now.")
    if isinstance(plan, FixedPlan):
        return _fixed(ask, plan)
    return _dynamic(ask, plan)


def _fixed(ask: Ask, plan: FixedPlan) -> int | PlanRefused | None:
    # A live integration saw a fixed plan refused when its amount was left out.
    own = None if plan.amount is None else int(plan.amount)
    if own is not None and ask.amount is not None and ask.amount != own:
        message = f"The plan {plan.code} is {own} DZD, not {ask.amount}: leave the amount out."
        return PlanRefused(code="PLAN_AMOUNT", message=message)
    return own if own is not None else ask.amount


def _dynamic(ask: Ask, plan: DynamicPlan) -> int | PlanRefused | None:
    least, most = plan.min_amount, plan.max_amount
    if ask.amount is None and ask.offers_only:
        return None if least is None else int(least)
    if ask.amount is None:
        return PlanRefused(code="PLAN_AMOUNT", message=f"The plan {plan.code} needs an amount{_range(least, most)}.")
    if (least is not None and ask.amount < least) or (most is not None and ask.amount > most):
        message = f"The plan {plan.code} takes amounts{_range(least, most)}, not {ask.amount} DZD."
        return PlanRefused(code="PLAN_AMOUNT", message=message)
    return ask.amount


def _range(least: Decimal | None, most: Decimal | None) -> str:
    return f" from {least or 1:f} to {most:f} DZD" if most is not None else ""
