"""One order for each way that an order can end, with the steps that its way needs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.shape import BEGIN, POLL, Step
from starter.demo.stage import Stage
from topups import Phase, TopUpOrder, TopUpRequest, TopUps
from topups.search_attributes import PHASE

# HANDLING after 3 s, the end after 9: the first check, 5 s after the send, comes between, the second after both.
SPEED = 1.6
# Instead of a day; long enough to drive the order meanwhile.
RECHECK_SECONDS = 12.0
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 60.0, 0.1
DJEZZY, MOBILIS = "0771234567", "0661234567"
REFUNDED, UNKNOWN, NEVER_PAID = "0600000001", "0600000003", "0600000009"


@dataclass(frozen=True)
class Play:
    """Where orders are played."""

    stage: Stage
    topups: TopUps

    async def submit(self, ref: str, phone: str = DJEZZY, plan_code: str = "PREPAID_DJEZZY") -> TopUpOrder:
        """Hand an order over."""
        return await self.topups.submit(TopUpRequest(ref=ref, plan_code=plan_code, phone=phone, amount=500))

    async def reaches(self, order: TopUpOrder, phase: Phase) -> None:
        """Wait until a list would show the phase: no worker is asked, or its CPU time would count."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await order.describe()).typed_search_attributes.get(PHASE) != phase:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{order.ref} never came to {phase}")
            await asyncio.sleep(LOOK_EVERY_SECONDS)


@dataclass(frozen=True)
class Outcome:
    """`begin` submits an order and does to it what has to be done; `steps` is what its way needs."""

    name: str
    ends: Phase
    steps: tuple[Step, ...]
    begin: Callable[[Play, str], Awaitable[TopUpOrder]]


async def _delivered(play: Play, ref: str) -> TopUpOrder:
    return await play.submit(ref)


async def _refunded(play: Play, ref: str) -> TopUpOrder:
    return await play.submit(ref, REFUNDED)


async def _refused(play: Play, ref: str) -> TopUpOrder:
    return await play.submit(ref, MOBILIS)


async def _plan_unknown(play: Play, ref: str) -> TopUpOrder:
    return await play.submit(ref, plan_code="NO_SUCH_PLAN")


async def _cancelled(play: Play, ref: str) -> TopUpOrder:
    order = await play.submit(ref, NEVER_PAID)
    await play.reaches(order, Phase.ON_HOLD)
    await order.cancel(reason="the customer left", by="benchmark")
    return order


async def _lost(play: Play, ref: str) -> TopUpOrder:
    fault: dict[str, Any] = {"ref": ref}
    await play.stage.desk.arm("send", "committed", "reset", **fault)
    return await play.submit(ref)


async def _unknown(play: Play, ref: str) -> TopUpOrder:
    order = await play.submit(ref, UNKNOWN)
    await play.reaches(order, Phase.UNKNOWN_ERROR)
    await play.stage.desk.drive(ref, "FULFILLED")
    return order


ALL = (
    Outcome("delivered after 2 checks", Phase.FULFILLED, (*BEGIN, *POLL, *POLL), _delivered),
    Outcome("refunded after 2 checks", Phase.REFUNDED, (*BEGIN, *POLL, *POLL), _refunded),
    Outcome("refused by the provider", Phase.REJECTED, (*BEGIN, "wait", "look_up"), _refused),
    Outcome("plan unknown", Phase.REJECTED, ("policy", "prepare"), _plan_unknown),
    Outcome("cancelled on hold", Phase.CANCELLED, (*BEGIN, "word", "broken_wait"), _cancelled),
    Outcome("lost send, found", Phase.FULFILLED, (*BEGIN, "wait", "look_up", *POLL), _lost),
    Outcome("UNKNOWN_ERROR, one recheck", Phase.FULFILLED, (*BEGIN, *POLL, *POLL, *POLL), _unknown),
)
# The two ways that the smallest workflow can go as well.
PHONE_OF_THE_CONTROL = {"delivered after 2 checks": DJEZZY, "refunded after 2 checks": REFUNDED}
CHEAPEST = ALL[3]
QUICK = ("plan unknown", "cancelled on hold")
