"""The common ways of an order, and what everybody sees of it meanwhile."""

import pytest

from tests.workflows.provider import ACCOUNT, TOPUP_ID, Pause, says
from tests.workflows.stage import HOUR, Stage
from topups import Offer, Phase
from topups.observations import Accepted, OtherAccount, PlanRefused, Prepared

ARABIC = "الرقم الذي أدخلته غير صحيح، يرجى التأكد من الرقم"
OFFER = Offer(typename="📱 FACTURE", plan_code="FACTURE_DJEZZY", amount=500)


async def test_an_order_is_prepared_sent_once_and_checked_until_it_is_delivered(stage: Stage) -> None:
    stage.provider.follow("check", says("PENDING"), says("HANDLING"), says("FULFILLED", balance_amount=490.0))
    result = await stage.run()
    assert stage.provider.order_of_asking == ["prepare", "send", "check", "check", "check"]
    assert (result.phase, result.sends, result.checks, result.balance_amount) == (Phase.FULFILLED, 1, 3, 490.0)
    assert [event.phase for event in result.timeline] == ["ACCEPTED", "PENDING", "HANDLING", "FULFILLED"]


@pytest.mark.usefixtures("exact_clock")
async def test_the_first_check_comes_5_s_after_the_send(stage: Stage) -> None:
    await stage.run()
    assert stage.provider.times("check") == [pytest.approx(5, abs=1)]


async def test_the_send_carries_the_order_and_when_it_must_not_leave_any_more(stage: Stage) -> None:
    result = await stage.run(deliver_within=600)
    ask = next(one.ask for one in stage.provider.asked if one.name == "send")
    assert (ask.ref, ask.plan_code, ask.phone, ask.amount) == ("order-1", "PREPAID_DJEZZY", "0771234567", 500)
    assert (ask.account, ask.environment) == (ACCOUNT, "sandbox")
    assert (ask.deliver_by - result.accepted_at).total_seconds() == 600


async def test_a_fixed_plans_own_amount_is_sent(stage: Stage) -> None:
    stage.provider.follow("prepare", Prepared(account=ACCOUNT, amount=1_000))
    result = await stage.run(plan_code="MIX1000_OOREDOO", amount=None)
    assert [one.ask.amount for one in stage.provider.asked if one.name == "send"] == [1_000]
    assert result.amount == 1_000


async def test_a_refund_keeps_the_providers_message_and_offers_word_for_word(stage: Stage) -> None:
    stage.provider.follow("check", says("REFUNDED", refund_message=ARABIC, suggested_offers=(OFFER,)))
    result = await stage.run()
    assert (result.phase, result.refund_message, result.suggested_offers) == (Phase.REFUNDED, ARABIC, (OFFER,))
    assert not result.delivered


async def test_a_getmenu_order_has_its_product_when_it_is_refunded_with_offers(stage: Stage) -> None:
    stage.provider.follow("check", says("REFUNDED", suggested_offers=(OFFER, OFFER)))
    result = await stage.run(plan_code="GETMENU_Djezzy", amount=None)
    assert (result.phase, result.offers_only, result.delivered) == (Phase.REFUNDED, True, True)


async def test_an_order_that_the_catalogue_refuses_is_never_sent(stage: Stage) -> None:
    stage.provider.follow("prepare", PlanRefused(code="PLAN_UNKNOWN", message="no such plan"))
    result = await stage.run()
    assert (result.phase, result.error_code, result.error_message) == (Phase.REJECTED, "PLAN_UNKNOWN", "no such plan")
    assert stage.provider.order_of_asking == ["prepare"]


async def test_nothing_is_asked_after_the_first_final_answer(stage: Stage) -> None:
    stage.provider.follow("check", says("REFUNDED"), says("FULFILLED"))
    result = await stage.run()
    if stage.skipper is None:
        await stage.later(HOUR)
    assert result.phase is Phase.REFUNDED
    assert stage.provider.count("check") == 1


async def test_the_result_is_what_the_view_shows_ever_after(stage: Stage) -> None:
    order = await stage.submit(metadata={"shop": "7"})
    result = await stage.end(order)
    assert await stage.handle.query("view") == result.model_dump(mode="json")
    assert (await order.view()) == result
    assert (result.final, result.stale, result.metadata) == (True, False, {"shop": "7"})


async def test_a_worker_with_another_account_leaves_an_order_alone(stage: Stage) -> None:
    stranger = OtherAccount(why="another account's key")
    stage.provider.follow("prepare", stranger, Prepared(account=ACCOUNT, amount=500))
    stage.provider.follow("send", stranger, Accepted(topup_id=TOPUP_ID))
    stage.provider.follow("check", stranger, says("FULFILLED"))
    order = await stage.submit()
    view = await stage.until(order, lambda view: view.needs_review)
    assert (view.phase, view.review_reason) == (Phase.ACCEPTED, "another account's key")
    result = await stage.end(order)
    assert (result.phase, result.sends, result.needs_review) == (Phase.FULFILLED, 1, False)


async def test_the_view_tells_each_stage(stage: Stage) -> None:
    preparing, sending = Pause(Prepared(account=ACCOUNT, amount=500)), Pause(Accepted(topup_id=TOPUP_ID))
    stage.provider.follow("prepare", preparing)
    stage.provider.follow("send", sending)
    stage.provider.follow("check", says("HANDLING"), says("UNKNOWN_ERROR"), says("FULFILLED"))
    order = await stage.submit()
    await preparing.reached.wait()
    view = await order.view()
    assert (view.phase, view.sends, view.account, view.final) == (Phase.ACCEPTED, 0, None, False)
    preparing.go.set()
    await sending.reached.wait()
    view = await order.view()
    assert (view.phase, view.sends, view.account, view.topup_id) == (Phase.ACCEPTED, 1, ACCOUNT, None)
    sending.go.set()
    view = await stage.until(order, Phase.PENDING)
    assert (view.topup_id, view.checks, view.last_checked_at) == (TOPUP_ID, 0, None)
    await stage.later(6)
    view = await stage.until(order, Phase.HANDLING)
    assert (view.checks, view.next_check_at is not None, view.last_checked_at is not None) == (1, True, True)
    await stage.later(11)
    view = await stage.until(order, Phase.UNKNOWN_ERROR)
    assert (view.needs_review, view.final) == (False, False)
    result = await stage.end(order)
    assert (result.phase, result.next_check_at) == (Phase.FULFILLED, None)
    assert result.finished_at == result.last_checked_at


async def test_a_list_follows_each_phase(stage: Stage) -> None:
    # Jitter puts the third check at 15 to 25 s: at 16 s the odd word must still be the newest either way.
    stage.provider.follow("check", says("PENDING"), says("BLESSED"), says("BLESSED"), says("FULFILLED"))
    order = await stage.submit()
    view = await stage.until(order, Phase.PENDING)
    seen = await stage.attributes()
    assert seen["TopUpPhase"] == "PENDING"
    assert seen["TopUpPhaseSince"] == view.timeline[-1].at
    assert (seen["TopUpPlan"], seen["TopUpPhoneTail"], seen["TopUpNeedsReview"]) == ("PREPAID_DJEZZY", "567", False)
    await stage.later(16)
    await stage.until(order, lambda view: view.needs_review)
    assert (await stage.attributes())["TopUpNeedsReview"] is True
    result = await stage.end(order)
    seen = await stage.attributes()
    assert (seen["TopUpPhase"], seen["TopUpNeedsReview"]) == ("FULFILLED", False)
    assert seen["TopUpPhaseSince"] == result.finished_at


async def test_the_ui_shows_where_an_order_stands_without_its_number(stage: Stage) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR", refund_message=ARABIC), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    details = await stage.details()
    assert details.startswith("### UNKNOWN_ERROR\n")
    assert "Don't refund on a guess" in details
    assert ARABIC in details
    assert "The provider took the order" in details
    await stage.end(order)
    assert (await stage.details()).startswith("### FULFILLED\n")
    assert "0771234567" not in details
