"""One order for each way that a history can go, played with the real worker against the stand-in provider."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.testing import TimeSkipper

from activities.succession import LOST
from tests.replay.desk import Desk
from topups import Phase, TopUpOrder, TopUpRequest, TopUpResult, TopUps, TopUpView
from topups.start import workflow_id

PATIENCE_SECONDS = 150
QUARTER, DAY = 15 * 60, 24 * 3_600
DJEZZY, MOBILIS = "0771234567", "0661234567"
# DZD; more than all others ask, which therefore need not wait for it.
UNPAID = 9_000
REFUNDED, OFFERS, UNKNOWN, WORKING, NEVER_PAID = (f"060000000{last}" for last in (1, 2, 3, 6, 9))


@dataclass
class Play:
    """One order under its own ref."""

    ref: str
    topups: TopUps
    skipper: TimeSkipper
    desk: Desk

    async def submit(self, phone: str = DJEZZY, **changes: Any) -> TopUpOrder:
        """Hand it over."""
        asked: dict[str, Any] = {"ref": self.ref, "plan_code": "PREPAID_DJEZZY", "phone": phone, "amount": 500}
        return await self.topups.submit(TopUpRequest(**asked | changes))

    async def until(self, wanted: Callable[[TopUpView], bool]) -> TopUpView:
        """Wait for a view."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            view = await self.topups.order(self.ref).view()
            if wanted(view) and not view.stale:
                return view
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.ref} is still {view.phase}: {view.timeline}")
            await asyncio.sleep(0.2)

    async def phase(self, phase: Phase) -> TopUpView:
        """Wait for a phase."""
        return await self.until(lambda view: view.phase is phase)

    async def later(self, seconds: float) -> None:
        """Move the order's own clock; never while it may still send."""
        await self.skipper.fast_forward(self.topups.client.get_workflow_handle(workflow_id(self.ref)), seconds)

    async def its_worker_dies(self) -> None:
        """Its worker's successor answers for the activity that the order has under way."""
        order = self.topups.client.get_workflow_handle(workflow_id(self.ref))
        (pending,) = (await order.describe()).raw_description.pending_activities
        open_one = self.topups.client.get_async_activity_handle(
            workflow_id=order.id, run_id=None, activity_id=pending.activity_id
        )
        await open_one.complete(LOST[pending.activity_type.name])

    async def end(self, phase: Phase) -> TopUpResult:
        """Wait for the end, which must be this one."""
        view = await self.until(lambda view: view.final)
        if view.phase is not phase:
            raise AssertionError(f"{self.ref} ended {view.phase}, not {phase}: {view.timeline}")
        return await self.topups.order(self.ref).result()


async def delivered(play: Play) -> None:
    await play.submit(metadata={"shop": "7"})
    await play.end(Phase.FULFILLED)


async def delivered_after_a_while(play: Play) -> None:
    await play.submit(WORKING)
    await play.until(lambda view: view.phase is Phase.HANDLING and view.checks > 2)
    await play.desk.ends(play.ref, "FULFILLED")
    await play.end(Phase.FULFILLED)


async def refunded(play: Play) -> None:
    await play.submit(REFUNDED)
    await play.end(Phase.REFUNDED)


async def refunded_with_offers(play: Play) -> None:
    await play.submit(OFFERS)
    await play.end(Phase.REFUNDED)


async def offers_asked_for(play: Play) -> None:
    await play.submit(MOBILIS, plan_code="GETMENU_Mobilis", amount=None)
    await play.end(Phase.REFUNDED)


async def refused_by_the_catalogue(play: Play) -> None:
    await play.submit(plan_code="NO_SUCH_PLAN")
    await play.end(Phase.REJECTED)


async def refused_by_the_provider(play: Play) -> None:
    await play.submit(MOBILIS)
    await play.end(Phase.REJECTED)


async def deliver_by_passed(play: Play) -> None:
    await play.submit(NEVER_PAID, amount=UNPAID, deliver_within=60)
    await play.phase(Phase.ON_HOLD)
    await play.later(61)
    await play.end(Phase.REJECTED)


async def cancelled_on_hold(play: Play) -> None:
    order = await play.submit(NEVER_PAID, amount=UNPAID)
    await play.phase(Phase.ON_HOLD)
    await order.cancel(reason="the customer left", by="fatima")
    await play.end(Phase.CANCELLED)


async def cancelled_in_temporal(play: Play) -> None:
    await play.submit(NEVER_PAID, amount=UNPAID)
    await play.phase(Phase.ON_HOLD)
    await play.topups.client.get_workflow_handle(workflow_id(play.ref)).cancel()
    await play.end(Phase.CANCELLED)


async def on_hold_then_delivered(play: Play) -> None:
    await play.desk.fault(play.ref, "received", "INSUFFICIENT_BALANCE")
    await play.submit(amount=600)
    await play.phase(Phase.ON_HOLD)
    await play.end(Phase.FULFILLED)


async def lost_send_found(play: Play) -> None:
    await play.desk.fault(play.ref, "committed", "reset")
    await play.submit()
    await play.end(Phase.FULFILLED)


async def lost_send_sent_again(play: Play) -> None:
    await play.desk.fault(play.ref, "received", 503)
    await play.submit()
    result = await play.end(Phase.FULFILLED)
    assert result.sends == 2, result.timeline


async def rechecked_in_doubt(play: Play) -> None:
    await play.desk.fault(play.ref, "received", 503)
    order = await play.submit()
    await play.phase(Phase.CONFIRMING)
    for _ in range(2):
        await order.recheck(by="fatima")
        await asyncio.sleep(7)
    result = await play.end(Phase.FULFILLED)
    assert result.sends == 2, result.timeline


async def send_lost_with_its_worker(play: Play) -> None:
    """To Temporal a worker that gives no sign of life is dead; the recorder's never does."""
    await play.desk.fault(play.ref, "committed", {"hold": play.ref})
    await play.submit()
    result = await play.end(Phase.FULFILLED)
    assert Phase.CONFIRMING in {event.phase for event in result.timeline}, result.timeline
    await play.desk.release(play.ref)


async def killed_twice(play: Play) -> None:
    """In the send, and in the look-up after it."""
    for endpoint, moment in (("send", "committed"), ("check-ref", "received")):
        await play.desk.fault(play.ref, moment, {"hold": f"{play.ref}-{endpoint}"}, endpoint)
    await play.submit()
    for endpoint in ("send", "check-ref"):
        await play.desk.held(f"{play.ref}-{endpoint}")
        await play.its_worker_dies()
        await play.desk.release(f"{play.ref}-{endpoint}")
    await play.end(Phase.FULFILLED)


async def killed_in_a_recheck(play: Play) -> None:
    order = await play.submit(UNKNOWN)
    await play.phase(Phase.UNKNOWN_ERROR)
    await play.later(QUARTER)
    await play.desk.fault(play.ref, "received", {"hold": f"{play.ref}-check"}, "check-id")
    await order.recheck(by="fatima")
    await play.desk.held(f"{play.ref}-check")
    await play.desk.ends(play.ref, "FULFILLED")
    await play.its_worker_dies()
    await play.end(Phase.FULFILLED)
    await play.desk.release(f"{play.ref}-check")


async def unknown_error_then_delivered(play: Play) -> None:
    order = await play.submit(UNKNOWN)
    await play.phase(Phase.UNKNOWN_ERROR)
    await order.recheck(by="fatima")
    await play.until(lambda view: view.timeline[-1].note == "Recheck asked for")
    await play.later(DAY)
    await play.desk.ends(play.ref, "FULFILLED")
    await play.later(DAY)
    await play.end(Phase.FULFILLED)


async def rechecked_in_a_long_wait(play: Play) -> None:
    order = await play.submit(UNKNOWN)
    await play.phase(Phase.UNKNOWN_ERROR)
    # Longer than the gap between two requests: the recheck is due at once.
    await play.later(QUARTER)
    await play.desk.ends(play.ref, "FULFILLED")
    await order.recheck(by="fatima")
    await play.end(Phase.FULFILLED)


async def resolved_as_refunded(play: Play) -> None:
    order = await play.submit(UNKNOWN)
    await play.phase(Phase.UNKNOWN_ERROR)
    await order.resolve("REFUNDED", note="their support says so", by="fatima")
    await play.end(Phase.REFUNDED)


async def resolved_as_never_created(play: Play) -> None:
    await play.desk.fault(play.ref, "received", 503)
    order = await play.submit(deliver_within=60)
    await play.until(lambda view: view.phase is Phase.CONFIRMING and view.needs_review)
    await play.later(QUARTER)
    await order.resolve("NOT_CREATED", note="their support says so", by="fatima")
    await play.end(Phase.REJECTED)


async def cancel_request_ignored(play: Play) -> None:
    await play.desk.fault(play.ref, "committed", {"hold": play.ref})
    await play.submit()
    await play.desk.held(play.ref)
    await play.topups.client.get_workflow_handle(workflow_id(play.ref)).cancel()
    await play.until(lambda view: "ignored" in view.timeline[-1].note)
    await play.desk.release(play.ref)
    await play.end(Phase.FULFILLED)


async def terminated_and_reopened(play: Play) -> None:
    order = await play.submit(WORKING)
    await play.phase(Phase.HANDLING)
    await play.topups.client.get_workflow_handle(workflow_id(play.ref)).terminate("a mistake")
    await order.reopen(note="terminated by mistake", by="fatima")
    await play.desk.ends(play.ref, "FULFILLED")
    await play.end(Phase.FULFILLED)


async def words_in_wrong_shapes(play: Play) -> None:
    await play.submit(WORKING)
    await play.phase(Phase.HANDLING)
    handle = play.topups.client.get_workflow_handle(workflow_id(play.ref))
    shapes: list[list[Any]] = [[], [None], ["fatima"], [{}, {}]]
    for args in shapes:
        await handle.signal("recheck", args=args)
    await play.desk.ends(play.ref, "FULFILLED")
    await play.end(Phase.FULFILLED)


Scenario = Callable[[Play], Awaitable[None]]

ALL: tuple[Scenario, ...] = (
    delivered,
    delivered_after_a_while,
    refunded,
    refunded_with_offers,
    offers_asked_for,
    refused_by_the_catalogue,
    refused_by_the_provider,
    deliver_by_passed,
    cancelled_on_hold,
    cancelled_in_temporal,
    on_hold_then_delivered,
    lost_send_found,
    lost_send_sent_again,
    rechecked_in_doubt,
    send_lost_with_its_worker,
    killed_twice,
    killed_in_a_recheck,
    unknown_error_then_delivered,
    rechecked_in_a_long_wait,
    resolved_as_refunded,
    resolved_as_never_created,
    cancel_request_ignored,
    terminated_and_reopened,
    words_in_wrong_shapes,
)


async def in_many_runs(play: Play) -> None:
    """Played with a limit of events so small that each step begins a new run."""
    order = await play.submit()
    await play.phase(Phase.PENDING)
    await order.recheck(by="fatima")
    await play.end(Phase.FULFILLED)
