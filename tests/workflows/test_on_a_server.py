"""What only a real server shows: lists, conflicts, lost workers, the client when no worker answers, and words in a row.

The time-skipping test server refuses a task that stops a timer which fired meanwhile, and the order stands still.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.provider import Pause, ScriptedProvider, says
from tests.workflows.stage import DAY, HOUR, PATIENCE_SECONDS, Stage, rows_of
from topups import (
    HoldReason,
    NotConfirmed,
    OrderInterrupted,
    Phase,
    RefConflict,
    TopUpRequest,
    TopUps,
    handle,
)
from topups.observations import Accepted, Held
from topups.policy import Policy
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import TopUp

NO_FUNDS = Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True)


@asynccontextmanager
async def _at_work(stage: Stage) -> AsyncIterator[None]:
    async with Worker(stage.env.client, task_queue=TASK_QUEUE, workflows=[TopUp], activities=stage.provider.activities):
        yield


@pytest.fixture
def alone(local_env: WorkflowEnvironment, provider: ScriptedProvider) -> Stage:
    """A stage without a worker."""
    skipper = TimeSkipper(local_env.client, config=TimeSkippingConfig(enabled=False))
    return Stage(local_env, provider, TopUps(skipper.client, ClientSettings()), skipper)


@pytest.fixture
async def stage(alone: Stage) -> AsyncIterator[Stage]:
    async with _at_work(alone):
        yield alone


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle, "QUERY_TIMEOUT", timedelta(seconds=0.3))
    monkeypatch.setattr(handle, "UPDATE_ACCEPT_SECONDS", 0.5)


async def test_a_list_shows_each_order_once_by_phase_and_need_of_review(stage: Stage) -> None:
    began = datetime.now(UTC)
    stage.provider.policy = Policy(history_events=1)
    stage.provider.follow("check", says("BLESSED"), ref="strange")
    stage.provider.follow("send", NO_FUNDS, ref="held")
    stage.provider.follow("check", says("FULFILLED"), ref="done")
    refs = ["strange", "held", "done"]
    orders = {ref: await stage.submit(ref=ref) for ref in refs}
    await stage.until(orders["strange"], Phase.PENDING)
    await stage.later(6, "strange")
    await stage.end(orders["done"])
    listed = stage.topups.list
    await rows_of(listed, set(refs))
    [held] = await rows_of(lambda: listed(phase="ON_HOLD"), {"held"})
    assert (held.phase, held.plan_code, held.phone_tail) == (Phase.ON_HOLD, "PREPAID_DJEZZY", "567")
    assert not held.needs_review
    assert held.phase_since is not None
    assert held.accepted_at is not None
    assert held.phase_since >= held.accepted_at >= began
    await rows_of(lambda: listed(needs_review=True), {"strange"})
    await rows_of(lambda: listed(needs_review=False), {"held", "done"})
    await rows_of(lambda: listed(finished_since=began), {"done"})
    await rows_of(lambda: listed(finished_since=datetime.now(UTC) + timedelta(days=30)), set())
    await rows_of(lambda: listed(phase=Phase.CANCELLED), set())


async def test_an_order_that_was_broken_off_needs_review_until_it_is_reopened_and_is_listed_once(stage: Stage) -> None:
    stage.provider.follow("send", NO_FUNDS, ref="broken")
    stage.provider.follow("check", says("FULFILLED"), ref="whole")
    order = await stage.submit(ref="broken")
    await stage.end(await stage.submit(ref="whole"))
    await stage.until(order, Phase.ON_HOLD)
    await stage.topups.client.get_workflow_handle("topup-broken").terminate("a mistake")
    listed = stage.topups.list
    [row] = await rows_of(lambda: listed(needs_review=True), {"broken"})
    assert (row.phase, row.needs_review) == (Phase.ON_HOLD, True)
    await rows_of(lambda: listed(needs_review=False), {"whole"})
    await order.reopen(note="a mistake", by="fatima")
    await rows_of(lambda: listed(needs_review=True), set())
    await rows_of(listed, {"broken", "whole"})


async def test_no_word_is_lost_around_the_change_of_runs(stage: Stage) -> None:
    stage.provider.policy = Policy(history_events=40)
    stage.provider.follow("check", says("HANDLING"))
    order = await stage.submit()
    first = (await order.describe()).run_id
    await stage.until(order, Phase.PENDING)
    for second in range(40):
        await asyncio.gather(*[order.recheck(by=f"{second}-{number}") for number in range(2)])
        await stage.later(1)
    assert (await order.describe()).run_id != first
    stage.provider.follow("check", says("FULFILLED"))
    result = await stage.end(order)
    said = {event.by for event in result.timeline if event.note == "Recheck asked for"}
    assert said == {f"{second}-{number}" for second in range(40) for number in range(2)}


async def test_rechecks_in_a_row_never_bring_two_requests_within_5_s(stage: Stage) -> None:
    stage.provider.follow("check", *[says("HANDLING")] * 4, says("FULFILLED"))
    order = await stage.submit()
    for _ in range(10):
        await order.recheck(by="nobody")
        await stage.later(1)
    await stage.end(order)
    assert min(stage.provider.gaps("send", "check")) >= 4.9


async def test_the_same_order_is_one_order_and_another_one_is_a_conflict(stage: Stage) -> None:
    first = await stage.submit(metadata={"shop": "7"})
    again = await stage.submit(deliver_within=60)
    assert (await first.describe()).run_id == (await again.describe()).run_id
    for changes in ({"amount": 501}, {"phone": "0771234568"}, {"plan_code": "PREPAID_MOBILIS"}):
        with pytest.raises(RefConflict):
            await stage.submit(**changes)
    production = TopUps(stage.topups.client, ClientSettings(environment="production"))
    with pytest.raises(RefConflict, match="sandbox"):
        await production.submit(TopUpRequest(ref="order-1", plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500))
    result = await stage.end(first)
    assert (result.metadata, await (await stage.submit()).view()) == ({"shop": "7"}, result)
    assert stage.provider.count("send") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_finished_order_needs_no_worker(alone: Stage) -> None:
    async with _at_work(alone):
        result = await alone.run()
    assert await alone.topups.order("order-1").view() == result
    assert await alone.topups.order("order-1").result(timeout=5) == result


@pytest.mark.usefixtures("impatient")
async def test_without_a_worker_a_view_is_stale_and_a_word_isnt_confirmed_but_may_be_taken(alone: Stage) -> None:
    alone.provider.follow("send", NO_FUNDS)
    async with _at_work(alone):
        order = await alone.submit()
        known = await alone.until(order, Phase.ON_HOLD)
    view = await order.view()
    assert (view.stale, view.phase, view.final, view.phone) == (True, Phase.ON_HOLD, False, known.phone)
    assert (view.ref, view.amount, view.environment) == ("order-1", 500, "sandbox")
    with pytest.raises(NotConfirmed, match="may still be taken"):
        await order.cancel(reason="customer left", by="fatima")
    async with _at_work(alone):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = await order.cancel(reason="customer left", by="fatima")
                break
            except NotConfirmed:
                assert time.monotonic() < deadline
        assert answer.taken
        assert (await order.result(timeout=PATIENCE_SECONDS)).phase is Phase.CANCELLED


async def test_a_terminated_order_is_interrupted_and_goes_on_when_it_is_reopened(stage: Stage) -> None:
    stage.provider.follow("check", says("HANDLING"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.handle.terminate("a mistake")
    with pytest.raises(OrderInterrupted, match="topup reopen order-1"):
        await order.view()
    with pytest.raises(OrderInterrupted):
        await order.result(timeout=PATIENCE_SECONDS)
    await order.reopen(note="terminated by mistake", by="fatima")
    view = await stage.until(order, lambda view: not view.stale)
    assert view.phase in {Phase.CONFIRMING, Phase.HANDLING}
    stage.provider.follow("check", says("FULFILLED"))
    assert (await stage.end(order)).phase is Phase.FULFILLED
    assert stage.provider.order_of_asking.count("send") == 1


async def test_24_hours_pass_for_one_order_alone(stage: Stage) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    view = await stage.until(order, Phase.UNKNOWN_ERROR)
    await stage.later(DAY - HOUR)
    assert (await order.view()).checks == 1
    await stage.later(HOUR)
    result = await order.result(timeout=PATIENCE_SECONDS)
    assert (result.phase, result.checks) == (Phase.FULFILLED, 2)
    assert result.finished_at is not None
    assert (result.finished_at - view.timeline[-1].at).total_seconds() == pytest.approx(DAY, abs=2)


async def test_what_dies_with_its_worker_is_due_again_and_a_send_is_looked_up(stage: Stage) -> None:
    lost = {name: Pause(says("REFUNDED")) for name in ("prepare", "send", "look_up", "check")}
    for name, pause in lost.items():
        stage.provider.follow(name, pause, says("FULFILLED"), ref=f"lost-{name}")
    stage.provider.follow("prepare", lost["prepare"], Held(reason=HoldReason.BALANCE, why="none"), ref="lost-prepare")
    stage.provider.follow("look_up", says("FULFILLED"), ref="lost-send")
    stage.provider.follow("send", RuntimeError("boom"), ref="lost-look_up")
    orders = {name: await stage.submit(ref=f"lost-{name}") for name in lost}
    await stage.until(orders["look_up"], Phase.CONFIRMING)
    await stage.until(orders["check"], Phase.PENDING)
    await asyncio.gather(stage.later(5, "lost-look_up"), stage.later(5, "lost-check"))
    await asyncio.gather(*(pause.reached.wait() for pause in lost.values()))
    # While an activity is open no clock is moved; it is as soon as the server has given the activity up.
    await asyncio.gather(*(stage.later(20, f"lost-{name}") for name in ("send", "look_up", "check")))
    await stage.until(orders["prepare"], Phase.ON_HOLD)
    await stage.until(orders["look_up"], Phase.FULFILLED)
    await stage.until(orders["check"], Phase.FULFILLED)
    view = await stage.until(orders["send"], Phase.FULFILLED)
    assert (view.sends, view.timeline[1].phase) == (1, Phase.CONFIRMING)
    assert "lost in the middle of the send" in view.timeline[1].note


async def test_a_raw_cancel_request_that_was_ignored_doesnt_follow_an_order_into_a_new_run(stage: Stage) -> None:
    stage.provider.policy = Policy(history_events=1)
    stage.provider.follow("check", says("HANDLING"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    run = (await order.describe()).run_id
    await stage.handle.cancel()
    await stage.until(order, lambda view: "ignored" in view.timeline[-1].note)
    result = await stage.end(order)
    assert (result.phase, result.checks) == (Phase.FULFILLED, 2)
    assert (await order.describe()).run_id != run
    assert sum("ignored" in event.note for event in result.timeline) == 1


async def test_a_raw_cancel_request_that_comes_before_any_worker_is_a_cancel(alone: Stage) -> None:
    order = await alone.submit()
    await alone.handle.cancel()
    alone.provider.follow("send", Accepted(topup_id="never"))
    async with _at_work(alone):
        result = await order.result(timeout=PATIENCE_SECONDS)
    assert (result.phase, alone.provider.count("send")) == (Phase.CANCELLED, 0)
