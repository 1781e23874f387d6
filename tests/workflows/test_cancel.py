"""Withdrawing an order: only while it certainly was not sent. By the update, or by Temporal's own cancel request."""

import asyncio

import pytest

from tests.workflows.provider import ACCOUNT, LOST, TOPUP_ID, Pause, says
from tests.workflows.stage import Stage
from topups import HoldReason, NotAllowed, Phase, TopUpView
from topups.observations import Accepted, Held, Prepared

NO_FUNDS = Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True)
READY = Prepared(account=ACCOUNT, amount=500)
TAKEN = Accepted(topup_id=TOPUP_ID)


def _notes(view: TopUpView) -> list[str]:
    return [event.note for event in view.timeline]


async def test_an_order_on_hold_is_cancelled_and_never_sent(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS, TAKEN)
    order = await stage.submit()
    await stage.until(order, Phase.ON_HOLD)
    answer = await order.cancel(reason="customer left", by="fatima")
    assert (answer.taken, answer.view.phase) == (True, Phase.CANCELLED)
    result = await stage.end(order)
    assert (result.phase, result.hold_reason, result.needs_review) == (Phase.CANCELLED, None, False)
    assert (result.timeline[-1].note, result.timeline[-1].by) == ("Cancelled: customer left", "fatima")
    assert stage.provider.order_of_asking == ["prepare", "send"]
    assert (await stage.attributes())["TopUpPhase"] == "CANCELLED"


async def test_an_order_that_is_being_prepared_is_cancelled_and_never_sent(stage: Stage) -> None:
    preparing = Pause(READY)
    stage.provider.follow("prepare", preparing)
    order = await stage.submit()
    await preparing.reached.wait()
    assert (await order.cancel(reason="customer left", by="fatima")).taken
    preparing.go.set()
    assert (await stage.end(order)).phase is Phase.CANCELLED
    assert stage.provider.order_of_asking == ["prepare"]


async def test_a_send_that_is_on_its_way_cant_be_cancelled(stage: Stage) -> None:
    sending = Pause(TAKEN)
    stage.provider.follow("send", sending)
    order = await stage.submit()
    await sending.reached.wait()
    with pytest.raises(NotAllowed, match="a send is on its way"):
        await order.cancel(reason="customer left", by="fatima")
    sending.go.set()
    assert (await stage.end(order)).phase is Phase.FULFILLED


@pytest.mark.parametrize("phase", [Phase.CONFIRMING, Phase.PENDING, Phase.HANDLING, Phase.UNKNOWN_ERROR])
async def test_an_order_that_was_sent_or_perhaps_sent_cant_be_cancelled(stage: Stage, phase: Phase) -> None:
    stage.provider.follow("send", LOST if phase is Phase.CONFIRMING else TAKEN)
    stage.provider.follow("check", says(phase), says("FULFILLED"))
    stage.provider.follow("look_up", says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, lambda view: view.phase in {Phase.CONFIRMING, Phase.PENDING})
    if phase not in {Phase.CONFIRMING, Phase.PENDING}:
        await stage.later(6)
    await stage.until(order, phase)
    with pytest.raises(NotAllowed, match=f"the order is {phase}"):
        await order.cancel(reason="customer left", by="fatima")
    assert "customer left" not in str(_notes(await order.view())), "a refused word leaves nothing behind"
    assert (await stage.end(order)).phase is Phase.FULFILLED


async def test_a_finished_order_cant_be_cancelled(stage: Stage) -> None:
    order = await stage.submit()
    await stage.end(order)
    with pytest.raises(NotAllowed, match="already FULFILLED"):
        await order.cancel(reason="customer left", by="fatima")


async def test_a_repeated_cancel_is_the_same_cancel(stage: Stage) -> None:
    preparing = Pause(READY)
    stage.provider.follow("prepare", preparing)
    order = await stage.submit()
    await preparing.reached.wait()
    one, other = await asyncio.gather(order.cancel(reason="left", by="a"), order.cancel(reason="again", by="b"))
    assert one == other == await order.cancel(reason="once more", by="c")
    preparing.go.set()
    assert sum(note.startswith("Cancelled") for note in _notes(await stage.end(order))) == 1


async def test_a_refused_cancel_may_be_asked_again_and_is_judged_anew(stage: Stage) -> None:
    sending = Pause(NO_FUNDS)
    stage.provider.follow("send", sending)
    order = await stage.submit()
    await sending.reached.wait()
    with pytest.raises(NotAllowed):
        await order.cancel(reason="customer left", by="fatima")
    sending.go.set()
    await stage.until(order, Phase.ON_HOLD)
    assert (await order.cancel(reason="customer left", by="fatima")).taken


async def test_a_raw_cancel_request_withdraws_an_order_on_hold(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS, TAKEN)
    order = await stage.submit()
    await stage.until(order, Phase.ON_HOLD)
    await stage.handle.cancel()
    result = await stage.end(order)
    assert (result.phase, result.timeline[-1].by) == (Phase.CANCELLED, "temporal")
    assert stage.provider.order_of_asking == ["prepare", "send"]


async def test_a_raw_cancel_request_withdraws_an_order_that_is_being_prepared(stage: Stage) -> None:
    preparing = Pause(READY)
    stage.provider.follow("prepare", preparing)
    order = await stage.submit()
    await preparing.reached.wait()
    await stage.handle.cancel()
    await stage.until(order, Phase.CANCELLED)
    preparing.go.set()
    assert (await stage.end(order)).phase is Phase.CANCELLED
    assert stage.provider.order_of_asking == ["prepare"]


async def test_a_raw_cancel_request_for_an_order_that_was_sent_is_noted_and_ignored(stage: Stage) -> None:
    stage.provider.follow("check", says("PENDING"), says("HANDLING"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.handle.cancel()
    view = await stage.until(order, lambda view: "ignored" in view.timeline[-1].note)
    assert (view.phase, view.timeline[-1].by) == (Phase.PENDING, "temporal")
    result = await stage.end(order)
    assert (result.phase, result.checks) == (Phase.FULFILLED, 3)


@pytest.mark.parametrize("answer", [TAKEN, LOST])
async def test_a_raw_cancel_request_in_the_middle_of_a_send_doesnt_tear_it(
    stage: Stage, answer: Accepted | Held
) -> None:
    sending = Pause(answer)
    stage.provider.follow("send", sending)
    stage.provider.follow("look_up", says("PENDING"))
    order = await stage.submit()
    await sending.reached.wait()
    await stage.handle.cancel()
    view = await stage.until(order, lambda view: "a send is on its way" in view.timeline[-1].note)
    assert (view.phase, view.sends) == (Phase.ACCEPTED, 1)
    sending.go.set()
    result = await stage.end(order)
    assert (result.phase, result.sends) == (Phase.FULFILLED, 1)


async def test_a_second_raw_cancel_request_changes_nothing_more(stage: Stage) -> None:
    stage.provider.follow("check", says("PENDING"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.handle.cancel()
    await stage.handle.cancel()
    result = await stage.end(order)
    assert result.phase is Phase.FULFILLED
    assert sum("ignored" in note for note in _notes(result)) == 1


async def test_the_cancel_update_still_works_after_a_raw_request_was_ignored(stage: Stage) -> None:
    sending = Pause(NO_FUNDS)
    stage.provider.follow("send", sending)
    order = await stage.submit()
    await sending.reached.wait()
    await stage.handle.cancel()
    await stage.until(order, lambda view: "ignored" in view.timeline[-1].note)
    sending.go.set()
    await stage.until(order, Phase.ON_HOLD)
    assert (await order.cancel(reason="customer left", by="fatima")).taken
