"""How often an order is checked, and for how long."""

from functools import partial

import pytest

from tests.workflows.provider import broken, says
from tests.workflows.stage import DAY, HOUR, Stage
from topups import Phase, TopUpOrder, TopUpView
from topups.observations import NoAnswer

UNKNOWN = says("UNKNOWN_ERROR")
UNANSWERED = NoAnswer(why="time-out")


async def _in_unknown_error(stage: Stage, **changes: int) -> TopUpOrder:
    order = await stage.submit(**changes)
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    return order


def _checked(view: TopUpView, *, times: int) -> bool:
    return view.checks == times


def _unknown_days(stage: Stage) -> list[float]:
    """When it was checked, in days after the provider first said UNKNOWN_ERROR."""
    first, *more = stage.provider.times("check")
    return [(at - first) / DAY for at in more]


@pytest.mark.usefixtures("exact_clock")
async def test_checks_come_5_to_10_s_apart_and_every_300_s_after_60_of_them(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 62, says("FULFILLED"))
    await stage.run()
    gaps = stage.provider.gaps("check")
    assert all(5 <= gap < 11 for gap in gaps[:59])
    assert max(gaps[:59]) - min(gaps[:59]) > 1, "no jitter"
    assert gaps[59:] == [pytest.approx(300, abs=1)] * 3


@pytest.mark.usefixtures("exact_clock")
async def test_an_order_that_isnt_final_after_60_checks_needs_review_and_goes_on(stage: Stage) -> None:
    stage.provider.follow("check", *[says("HANDLING")] * 60, says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(60 * 11)
    view = await stage.until(order, lambda view: view.needs_review)
    assert (view.phase, view.checks, view.review_reason) == (Phase.HANDLING, 60, "Not final after 60 checks")
    result = await stage.end(order)
    assert (result.phase, result.needs_review) == (Phase.FULFILLED, False)


async def test_unknown_error_is_asked_again_after_24_hours_and_then_daily(stage: Stage) -> None:
    stage.provider.follow("check", *[UNKNOWN] * 5, says("REFUNDED"))
    result = await stage.run()
    assert result.phase is Phase.REFUNDED
    assert _unknown_days(stage) == pytest.approx([1, 2, 3, 4, 5], abs=0.001)


async def test_unknown_error_needs_review_after_the_third_daily_recheck(stage: Stage) -> None:
    stage.provider.follow("check", UNKNOWN)
    order = await _in_unknown_error(stage)
    for day in (1, 2, 3):
        assert not (await order.view()).needs_review
        await stage.later(DAY)
        await stage.until(order, partial(_checked, times=day + 1))
    view = await order.view()
    assert (view.phase, view.needs_review) == (Phase.UNKNOWN_ERROR, True)
    assert (await stage.attributes())["TopUpNeedsReview"] is True


async def test_a_recheck_asks_now_and_leaves_the_daily_schedule_where_it_was(stage: Stage) -> None:
    stage.provider.follow("check", *[UNKNOWN] * 3, says("FULFILLED"))
    order = await _in_unknown_error(stage)
    await stage.later(HOUR)
    await order.recheck(by="fatima")
    view = await stage.until(order, lambda view: view.checks == 2)
    assert ("Recheck asked for", "fatima") in [(event.note, event.by) for event in view.timeline]
    await stage.end(order)
    assert _unknown_days(stage) == pytest.approx([1 / 24, 1, 2], abs=0.001)


async def test_a_daily_recheck_without_an_answer_is_repeated_every_300_s(stage: Stage) -> None:
    stage.provider.follow("check", UNKNOWN, UNANSWERED, broken(), UNKNOWN, says("FULFILLED"))
    await stage.run()
    minute = 60 / DAY
    assert _unknown_days(stage) == pytest.approx([1, 1 + 5 * minute, 1 + 10 * minute, 2], abs=0.001)


@pytest.mark.usefixtures("exact_clock")
async def test_pending_after_unknown_error_is_polled_afresh(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 50, UNKNOWN, *[says("PENDING")] * 59, says("FULFILLED"))
    result = await stage.run()
    assert result.phase is Phase.FULFILLED
    assert [event.phase for event in result.timeline][1:] == ["PENDING", "UNKNOWN_ERROR", "PENDING", "FULFILLED"]
    assert all(gap < 11 for gap in stage.provider.gaps("check")[51:])


async def test_a_status_that_nobody_knows_is_not_final_and_needs_review(stage: Stage) -> None:
    stage.provider.follow("check", says("BLESSED"), says("PENDING"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    view = await stage.until(order, lambda view: view.checks == 1)
    assert (view.phase, view.needs_review) == (Phase.PENDING, True)
    assert "BLESSED" in (view.review_reason or "")
    assert (await stage.end(order)).phase is Phase.FULFILLED


async def test_a_way_back_from_handling_is_noted_and_is_no_new_order(stage: Stage) -> None:
    stage.provider.follow("check", says("HANDLING"), says("PENDING"), says("FULFILLED"))
    result = await stage.run()
    assert any("went back" in event.note for event in result.timeline)
    assert result.sends == 1


async def test_a_check_without_an_answer_is_due_again_and_says_nothing(stage: Stage) -> None:
    stage.provider.follow("check", UNANSWERED, broken(), UNANSWERED, says("FULFILLED"))
    result = await stage.run()
    assert [event.phase for event in result.timeline] == ["ACCEPTED", "PENDING", "FULFILLED"]
    assert min(stage.provider.gaps("check")) >= 5
