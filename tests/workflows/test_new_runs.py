"""Long orders go on in a new run of their workflow, and nothing of them is lost on the way."""

import asyncio

import pytest

from tests.workflows.provider import TOPUP_ID, Pause, ScriptedProvider, says
from tests.workflows.stage import DAY, Stage
from topups import Phase, RefConflict
from topups.policy import RELEASE, Policy


@pytest.fixture
def provider() -> ScriptedProvider:
    """A policy that begins a new run after every second or third check."""
    return ScriptedProvider(Policy(history_events=40))


async def _run_id(stage: Stage) -> str | None:
    return (await stage.handle.describe()).run_id


@pytest.mark.usefixtures("exact_clock")
async def test_a_long_order_goes_on_in_new_runs_as_if_nothing_had_been(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 8, *[says("HANDLING")] * 8, says("FULFILLED"))
    order = await stage.submit(metadata={"shop": "7"})
    first = await _run_id(stage)
    result = await stage.end(order)
    assert await _run_id(stage) != first
    assert (result.phase, result.checks, result.sends, result.topup_id) == (Phase.FULFILLED, 17, 1, TOPUP_ID)
    assert [event.phase for event in result.timeline] == ["ACCEPTED", "PENDING", "HANDLING", "FULFILLED"]
    assert (result.metadata, stage.provider.count("prepare")) == ({"shop": "7"}, 1)
    assert all(5 <= gap < 11 for gap in stage.provider.gaps("check"))


async def test_the_first_policy_is_the_orders_own_for_ever(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 6, says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    stage.provider.policy = Policy(poll_min=50, poll_max=60)
    await stage.end(order)
    assert max(stage.provider.gaps("check")) < 11


async def test_a_new_run_keeps_what_a_list_shows_and_what_was_submitted(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 5, says("BLESSED"), says("UNKNOWN_ERROR"))
    order = await stage.submit()
    first = await _run_id(stage)
    view = await stage.until(order, Phase.PENDING)
    await stage.later(70)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    assert await _run_id(stage) != first
    seen = await stage.attributes()
    assert (seen["TopUpPhase"], seen["TopUpPlan"], seen["TopUpPhoneTail"]) == ("UNKNOWN_ERROR", "PREPAID_DJEZZY", "567")
    assert abs((seen["TopUpAcceptedAt"] - view.accepted_at).total_seconds()) < 1
    assert await stage.details() != ""
    await stage.submit()
    with pytest.raises(RefConflict):
        await stage.submit(amount=501)


@pytest.mark.usefixtures("exact_clock")
async def test_the_days_of_unknown_error_are_counted_across_runs(stage: Stage) -> None:
    stage.provider.follow("check", *[says("UNKNOWN_ERROR")] * 9, says("REFUNDED"))
    order = await stage.submit()
    first = await _run_id(stage)
    result = await stage.end(order)
    assert await _run_id(stage) != first
    assert stage.provider.gaps("check") == pytest.approx([DAY] * 9, abs=2)
    assert result.phase is Phase.REFUNDED


async def test_a_new_run_waits_for_a_persons_word_to_be_answered(stage: Stage) -> None:
    stage.provider.policy = Policy(history_events=1)
    looking = Pause(says("HANDLING"))
    stage.provider.follow("check", looking, says("HANDLING"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await looking.reached.wait()
    run = await _run_id(stage)
    word = asyncio.create_task(order.resolve("FULFILLED", note="they showed it to me", by="fatima"))
    await stage.until(order, lambda view: "Asked to resolve" in view.timeline[-1].note)
    looking.go.set()
    result = await stage.end(order)
    assert (await word).taken
    assert (result.resolved_by, result.checks, await _run_id(stage)) == ("fatima", 2, run)


async def test_every_run_takes_a_step_however_small_the_limit(stage: Stage) -> None:
    stage.provider.policy = Policy(history_events=1)
    stage.provider.follow("check", says("PENDING"), says("FULFILLED"))
    result = await stage.run()
    assert stage.provider.order_of_asking == ["prepare", "send", "check", "check"]
    assert (result.phase, result.sends) == (Phase.FULFILLED, 1)


async def test_an_order_keeps_its_release_in_all_its_runs_and_its_first_pays_nothing_for_it(stage: Stage) -> None:
    stage.provider.follow("check", *[says("PENDING")] * 8, says("FULFILLED"))
    order = await stage.submit()
    first = await _run_id(stage)
    await stage.end(order)
    last = await stage.handle.fetch_history()
    assert f'"release":{RELEASE}'.encode() in last.events[0].SerializeToString()
    began = await stage.env.client.get_workflow_handle(stage.handle.id, run_id=first).fetch_history()
    assert not any(b"core_patch" in event.SerializeToString() for event in began.events)
