"""Orders that certainly don't exist at the provider: they wait, and never longer than deliver_by."""

from datetime import timedelta

import pytest

from tests.workflows.provider import ACCOUNT, MISSED, TOPUP_ID, broken, says
from tests.workflows.stage import HOUR, Stage
from topups import HoldReason, Phase
from topups.observations import Accepted, Held, NoAnswer, PlanRefused, Prepared

UNREACHABLE = Held(reason=HoldReason.UNREACHABLE, why="no route to the provider")
NO_FUNDS = Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True)
TAKEN = Accepted(topup_id=TOPUP_ID)
READY = Prepared(account=ACCOUNT, amount=500)


@pytest.mark.usefixtures("exact_clock")
async def test_tries_come_after_30_s_doubling_to_300_s(stage: Stage) -> None:
    stage.provider.follow("prepare", *[UNREACHABLE] * 6, READY)
    await stage.run(deliver_within=HOUR)
    assert stage.provider.gaps("prepare") == pytest.approx([30, 60, 120, 240, 300, 300], abs=1)


@pytest.mark.usefixtures("exact_clock")
async def test_a_send_that_never_left_is_tried_again_and_counts_as_none(stage: Stage) -> None:
    stage.provider.follow("send", UNREACHABLE, UNREACHABLE, TAKEN)
    result = await stage.run()
    assert stage.provider.times("send") == pytest.approx([0, 30, 90], abs=1)
    assert (result.phase, result.sends, result.hold_reason) == (Phase.FULFILLED, 1, None)


async def test_an_order_on_hold_says_why_and_when_it_is_tried_again(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS)
    order = await stage.submit()
    view = await stage.until(order, Phase.ON_HOLD)
    assert (view.hold_reason, view.error_message, view.needs_review) == ("balance", "120 DZD are left", False)
    assert view.next_check_at is not None
    assert (view.next_check_at - view.timeline[-1].at).total_seconds() == 30
    assert (await stage.attributes())["TopUpPhase"] == "ON_HOLD"
    assert "On hold for: balance" in await stage.details()


async def test_an_order_goes_on_when_its_hold_has_passed(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS, TAKEN)
    result = await stage.run()
    assert stage.provider.order_of_asking == ["prepare", "send", "prepare", "send", "check"]
    assert [event.phase for event in result.timeline] == ["ACCEPTED", "ON_HOLD", "PENDING", "FULFILLED"]
    assert (result.sends, result.error_message) == (2, None)


@pytest.mark.usefixtures("exact_clock")
async def test_another_reason_to_hold_is_told_and_the_waits_go_on_growing(stage: Stage) -> None:
    stage.provider.follow("prepare", UNREACHABLE, UNREACHABLE, READY)
    stage.provider.follow("send", NO_FUNDS, TAKEN)
    result = await stage.run()
    held = [event.note for event in result.timeline if event.phase is Phase.ON_HOLD]
    assert [note.split(":")[0] for note in held] == ["On hold for unreachable", "On hold for balance"]
    assert stage.provider.times("send") == pytest.approx([90, 210], abs=1)


@pytest.mark.usefixtures("exact_clock")
async def test_the_provider_may_ask_for_a_longer_wait(stage: Stage) -> None:
    asked = Held(reason=HoldReason.RATE_LIMIT, why="slow down", left=False, retry_after=200)
    stage.provider.follow("send", asked, TAKEN)
    await stage.run()
    assert stage.provider.times("send") == pytest.approx([0, 200], abs=1)


@pytest.mark.usefixtures("exact_clock")
async def test_an_order_that_could_not_be_sent_in_time_is_rejected_then_and_asked_for_no_more(stage: Stage) -> None:
    stage.provider.follow("prepare", UNREACHABLE)
    result = await stage.run(deliver_within=100)
    assert (result.phase, result.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")
    assert result.finished_at is not None
    assert (result.finished_at - result.accepted_at).total_seconds() == pytest.approx(100, abs=1)
    assert stage.provider.times("prepare", "send", "look_up") == pytest.approx([0, 30, 90], abs=1)


async def test_an_order_restored_from_a_backup_is_looked_up_before_it_is_rejected(stage: Stage) -> None:
    stage.provider.ahead = timedelta(hours=2)
    stage.provider.follow("prepare", UNREACHABLE)
    stage.provider.follow("look_up", says("FULFILLED"))
    result = await stage.run(deliver_within=60)
    assert (result.phase, result.error_code, result.sends) == (Phase.FULFILLED, None, 0)
    assert stage.provider.count("send") == 0


async def test_an_order_whose_sends_were_answered_is_looked_up_before_it_is_rejected(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS)
    result = await stage.run(deliver_within=60)
    assert (result.phase, result.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")
    assert stage.provider.order_of_asking == ["prepare", "send", "prepare", "send", "look_up"]


async def test_a_former_life_of_the_ref_is_found_before_an_order_is_rejected(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS)
    stage.provider.follow("look_up", says("FULFILLED"))
    result = await stage.run(deliver_within=60)
    assert (result.phase, result.error_code) == (Phase.FULFILLED, None)


async def test_nothing_leaves_after_deliver_by(stage: Stage) -> None:
    stage.provider.follow("send", *[UNREACHABLE] * 2, TAKEN)
    result = await stage.run(deliver_within=89)
    assert (result.phase, result.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")
    assert all(one.at < one.ask.deliver_by for one in stage.provider.asked)


async def test_a_plan_that_is_switched_off_rejects_a_new_order_and_holds_one_that_waits(stage: Stage) -> None:
    off = PlanRefused(code="PLAN_DISABLED", message="switched off for now")
    stage.provider.follow("prepare", UNREACHABLE, off, READY)
    result = await stage.run()
    held = [event.note for event in result.timeline if event.phase is Phase.ON_HOLD]
    assert [note.split(":")[0] for note in held] == ["On hold for unreachable", "On hold for plan_disabled"]
    assert result.phase is Phase.FULFILLED


async def test_a_new_order_for_a_plan_that_is_switched_off_is_rejected(stage: Stage) -> None:
    stage.provider.follow("prepare", PlanRefused(code="PLAN_DISABLED", message="switched off for now"))
    result = await stage.run()
    assert (result.phase, result.error_code) == (Phase.REJECTED, "PLAN_DISABLED")


@pytest.mark.parametrize("trouble", [broken(), NoAnswer(why="nobody knows whose key this is")])
async def test_a_preparation_that_fails_holds_the_order(stage: Stage, trouble: Exception | NoAnswer) -> None:
    stage.provider.follow("prepare", trouble, READY)
    result = await stage.run()
    assert [event.phase for event in result.timeline] == ["ACCEPTED", "ON_HOLD", "PENDING", "FULFILLED"]


async def test_a_recheck_tries_a_hold_now(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS, TAKEN)
    stage.provider.follow("look_up", MISSED)
    order = await stage.submit()
    await stage.until(order, Phase.ON_HOLD)
    await stage.later(6)
    await order.recheck(by="worker")
    view = await stage.until(order, Phase.PENDING)
    assert view.sends == 2
    assert stage.provider.times("send") == pytest.approx([0, 6], abs=1)
