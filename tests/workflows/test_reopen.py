"""Orders whose run was broken off: they go on by looking up, and never send again."""

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.provider import ACCOUNT, LOST, MISSED, TOPUP_ID, ScriptedProvider, says
from tests.workflows.stage import HOUR, Stage
from topups import HoldReason, NotAllowed, OrderInterrupted, Phase, TopUpOrder, TopUps
from topups.observations import Held
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import TopUp


async def _broken_off(stage: Stage, phase: Phase) -> TopUpOrder:
    order = await stage.submit()
    await stage.until(order, phase)
    await stage.handle.terminate("a mistake")
    return order


async def test_a_terminated_order_is_interrupted_and_says_how_to_go_on(stage: Stage) -> None:
    order = await _broken_off(stage, Phase.PENDING)
    with pytest.raises(OrderInterrupted, match="topup reopen order-1"):
        await order.view()
    with pytest.raises(OrderInterrupted, match="topup reopen order-1"):
        await order.result(timeout=5)


async def test_a_reopened_order_is_looked_up_and_never_sent(stage: Stage) -> None:
    stage.provider.follow("send", LOST)
    order = await _broken_off(stage, Phase.CONFIRMING)
    await order.reopen(note="terminated by mistake", by="fatima")
    view = await stage.until(order, Phase.CONFIRMING)
    assert (view.timeline[-1].note, view.timeline[-1].by) == ("Reopened: terminated by mistake", "fatima")
    await stage.later(HOUR)
    view = await stage.until(order, lambda view: view.needs_review)
    assert (view.phase, stage.provider.count("send")) == (Phase.CONFIRMING, 1)
    stage.provider.follow("look_up", says("PENDING"))
    assert (await stage.end(order)).phase is Phase.FULFILLED
    assert (stage.provider.count("send"), stage.provider.count("prepare")) == (1, 1)


async def test_a_reopened_order_still_knows_when_it_was_accepted_and_its_id(stage: Stage) -> None:
    order = await stage.submit()
    before = await stage.until(order, Phase.PENDING)
    await stage.handle.terminate("a mistake")
    await order.reopen(note="terminated by mistake")
    result = await stage.end(order)
    assert (result.phase, result.topup_id, result.account) == (Phase.FULFILLED, TOPUP_ID, before.account)
    assert abs((result.accepted_at - before.accepted_at).total_seconds()) < 1
    assert stage.provider.order_of_asking == ["prepare", "send", "check"]


async def test_an_order_reopened_without_a_worker_still_belongs_to_its_account(env: WorkflowEnvironment) -> None:
    provider, topups = ScriptedProvider(), TopUps(env.client, ClientSettings())
    provider.follow("send", LOST)
    stage = Stage(env, provider, topups)
    async with Worker(env.client, task_queue=TASK_QUEUE, workflows=[TopUp], activities=provider.activities):
        order = await _broken_off(stage, Phase.CONFIRMING)
    await order.reopen(note="terminated by mistake")
    async with Worker(env.client, task_queue=TASK_QUEUE, workflows=[TopUp], activities=provider.activities):
        view = await stage.until(order, lambda view: view.checks > 0)
    assert (view.account, view.topup_id) == (ACCOUNT, None)
    assert [asked.ask.account for asked in provider.asked if asked.name == "look_up"][-1] == ACCOUNT


async def test_even_an_order_on_hold_is_not_sent_when_it_was_reopened(stage: Stage) -> None:
    stage.provider.follow("send", Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True))
    stage.provider.follow("look_up", MISSED)
    order = await _broken_off(stage, Phase.ON_HOLD)
    await order.reopen(note="terminated by mistake")
    await stage.until(order, Phase.CONFIRMING)
    await stage.later(HOUR)
    await stage.until(order, lambda view: view.needs_review)
    assert stage.provider.count("send") == 1
    assert stage.provider.count("prepare") == 1


async def test_a_running_or_finished_order_cant_be_reopened(stage: Stage) -> None:
    order = await stage.submit()
    with pytest.raises(NotAllowed, match="nothing to reopen"):
        await order.reopen(note="a mistake")
    await stage.end(order)
    with pytest.raises(NotAllowed, match="nothing to reopen"):
        await order.reopen(note="a mistake")
