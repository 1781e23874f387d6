"""A person's word on what really happened, after one fresh look that may know better."""

import asyncio
from typing import Literal

import pytest

from tests.workflows.provider import LOST, MISSED, TOPUP_ID, Pause, says
from tests.workflows.stage import Stage
from topups import ActResult, HoldReason, NotAllowed, Phase, TopUpOrder
from topups.models import Outcome
from topups.observations import Accepted, Held, NoAnswer, Observation, OtherAccount

QUARTER = 15 * 60
UNKNOWN = says("UNKNOWN_ERROR")
TAKEN = Accepted(topup_id=TOPUP_ID)


async def _unknown(stage: Stage) -> TopUpOrder:
    stage.provider.follow("check", UNKNOWN)
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    await stage.later(6)
    return order


async def _lost(stage: Stage, *, seconds_ago: float) -> TopUpOrder:
    """An order that stays CONFIRMING because its time to send is over."""
    stage.provider.follow("send", LOST)
    order = await stage.submit(deliver_within=60)
    await stage.until(order, Phase.CONFIRMING)
    await stage.later(seconds_ago)
    return order


async def _resolve(stage: Stage, order: TopUpOrder, outcome: Outcome) -> ActResult:
    """Resolve while time passes: the fresh look may have to keep its distance from the last request."""
    answer = asyncio.create_task(order.resolve(outcome, note="I called them", by="fatima"))
    for _ in range(20):
        if (await asyncio.wait({answer}, timeout=0.1))[0]:
            break
        await stage.later(1)
    return await answer


@pytest.mark.parametrize("outcome", ["FULFILLED", "REFUNDED"])
async def test_a_persons_word_ends_what_the_provider_doesnt_know(
    stage: Stage, outcome: Literal["FULFILLED", "REFUNDED"]
) -> None:
    order = await _unknown(stage)
    answer = await _resolve(stage, order, outcome)
    assert (answer.taken, answer.view.phase) == (True, Phase(outcome))
    result = await stage.end(order)
    assert (result.phase, result.resolved_by, result.resolved_note) == (Phase(outcome), "fatima", "I called them")
    assert stage.provider.count("check") == 2
    assert result.timeline[-1].note == f"Resolved as {outcome}: I called them"


async def test_the_providers_final_word_wins_over_a_persons(stage: Stage) -> None:
    order = await _unknown(stage)
    stage.provider.follow("check", says("FULFILLED"))
    answer = await _resolve(stage, order, "REFUNDED")
    assert (answer.taken, answer.why, answer.view.phase) == (False, "the provider says FULFILLED", Phase.FULFILLED)
    assert (await stage.end(order)).resolved_by is None


async def test_a_word_that_the_provider_confirms_is_the_providers(stage: Stage) -> None:
    order = await _unknown(stage)
    stage.provider.follow("check", says("REFUNDED"))
    answer = await _resolve(stage, order, "REFUNDED")
    assert answer.taken
    assert "provider's own answer" in answer.why
    assert (await stage.end(order)).resolved_by is None


async def test_a_word_is_taken_when_the_fresh_look_gets_no_answer(stage: Stage) -> None:
    order = await _unknown(stage)
    stage.provider.follow("check", NoAnswer(why="time-out"))
    assert (await _resolve(stage, order, "FULFILLED")).taken


async def test_a_word_waits_for_a_worker_that_may_look(stage: Stage) -> None:
    order = await _unknown(stage)
    stage.provider.follow("check", OtherAccount(why="another account's key"), says("FULFILLED"))
    answer = asyncio.create_task(order.resolve("REFUNDED", note="I called them", by="fatima"))
    view = await stage.until(order, lambda view: view.needs_review)
    assert (view.phase, view.review_reason) == (Phase.UNKNOWN_ERROR, "another account's key")
    assert (await stage.end(order)).phase is Phase.FULFILLED
    assert not (await answer).taken


async def test_an_order_that_never_came_to_be_ends_rejected(stage: Stage) -> None:
    order = await _lost(stage, seconds_ago=QUARTER + 10)
    sends = stage.provider.count("send")
    answer = await _resolve(stage, order, "NOT_CREATED")
    assert answer.taken
    result = await stage.end(order)
    assert (result.phase, result.error_code) == (Phase.REJECTED, "NEVER_CREATED")
    assert (result.error_message, stage.provider.count("send")) == ("I called them", sends)
    assert stage.provider.order_of_asking[-1] == "look_up"


@pytest.mark.parametrize("outcome", ["REFUNDED", "NOT_CREATED"])
async def test_not_delivered_needs_15_minutes_since_the_last_send(
    stage: Stage, outcome: Literal["REFUNDED", "NOT_CREATED"]
) -> None:
    order = await _lost(stage, seconds_ago=QUARTER - 30)
    with pytest.raises(NotAllowed, match="the last send is too recent"):
        await order.resolve(outcome, note="I called them", by="fatima")
    await stage.later(40)
    assert (await _resolve(stage, order, outcome)).taken


async def test_delivered_may_be_said_at_once(stage: Stage) -> None:
    order = await _lost(stage, seconds_ago=6)
    assert (await _resolve(stage, order, "FULFILLED")).taken


async def test_never_created_is_refused_when_the_provider_has_it(stage: Stage) -> None:
    order = await _unknown(stage)
    with pytest.raises(NotAllowed, match="the provider has the order as UNKNOWN_ERROR"):
        await order.resolve("NOT_CREATED", note="I called them", by="fatima")


async def test_never_created_is_given_up_when_the_fresh_look_finds_the_order(stage: Stage) -> None:
    order = await _lost(stage, seconds_ago=QUARTER + 10)
    stage.provider.follow("look_up", says("PENDING"))
    stage.provider.follow("check", says("FULFILLED"))
    answer = await _resolve(stage, order, "NOT_CREATED")
    assert (answer.taken, answer.why) == (False, "the provider says PENDING")
    assert (await stage.end(order)).phase is Phase.FULFILLED


async def test_nothing_can_be_resolved_while_a_send_is_open(stage: Stage) -> None:
    sending = Pause(TAKEN)
    stage.provider.follow("send", sending)
    order = await stage.submit()
    await sending.reached.wait()
    for outcome in ("FULFILLED", "REFUNDED", "NOT_CREATED"):
        with pytest.raises(NotAllowed, match="a send is on its way"):
            await order.resolve(outcome, note="I called them", by="fatima")
    sending.go.set()
    assert (await stage.end(order)).phase is Phase.FULFILLED


async def test_an_order_that_was_never_sent_is_cancelled_not_resolved(stage: Stage) -> None:
    stage.provider.follow("send", Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True))
    order = await stage.submit()
    await stage.until(order, Phase.ON_HOLD)
    for outcome in ("FULFILLED", "REFUNDED"):
        with pytest.raises(NotAllowed, match="cancel the order instead"):
            await order.resolve(outcome, note="I called them", by="fatima")


async def test_a_finished_order_cant_be_resolved(stage: Stage) -> None:
    order = await stage.submit()
    await stage.end(order)
    with pytest.raises(NotAllowed, match="already FULFILLED"):
        await order.resolve("REFUNDED", note="I called them", by="fatima")


async def test_no_send_leaves_once_somebody_resolves(stage: Stage) -> None:
    stage.provider.follow("send", LOST, TAKEN)
    looking = Pause(MISSED)
    stage.provider.follow("look_up", *[MISSED] * 3, looking, MISSED)
    order = await stage.submit()
    await stage.until(order, Phase.CONFIRMING)
    await stage.later(58)
    await stage.later(3)
    await looking.reached.wait()
    answer = asyncio.create_task(order.resolve("FULFILLED", note="I called them", by="fatima"))
    await stage.until(order, lambda view: "Asked to resolve" in view.timeline[-1].note)
    looking.go.set()
    await stage.end(order)
    assert (await answer).taken
    assert stage.provider.count("send") == 1


async def test_two_people_cant_resolve_to_different_ends(stage: Stage) -> None:
    order = await _unknown(stage)
    looking = Pause(UNKNOWN)
    stage.provider.follow("check", looking)
    first = asyncio.create_task(order.resolve("REFUNDED", note="I called them", by="fatima"))
    await looking.reached.wait()
    with pytest.raises(NotAllowed, match="somebody is resolving the order as REFUNDED"):
        await order.resolve("FULFILLED", note="I saw it", by="karim")
    looking.go.set()
    assert (await first).taken


async def test_a_repeated_resolve_is_the_same_word(stage: Stage) -> None:
    order = await _unknown(stage)
    looking = Pause(UNKNOWN)
    stage.provider.follow("check", looking)
    words = [asyncio.create_task(order.resolve("REFUNDED", note=note, by="fatima")) for note in ("one", "two")]
    await looking.reached.wait()
    looking.go.set()
    one, other = await asyncio.gather(*words)
    assert one == other
    assert stage.provider.count("check") == 2


@pytest.mark.parametrize("answer", [UNKNOWN, says("FULFILLED")])
async def test_a_word_that_comes_during_a_check_has_a_fresh_one_right_after_it(
    stage: Stage, answer: Observation
) -> None:
    order = await _unknown(stage)
    looking = Pause(answer)
    stage.provider.follow("check", looking, UNKNOWN)
    await order.recheck(by="karim")
    await looking.reached.wait()
    word = asyncio.create_task(order.resolve("REFUNDED", note="I called them", by="fatima"))
    await stage.until(order, lambda view: "Asked to resolve" in view.timeline[-1].note)
    looking.go.set()
    await stage.until(order, lambda view: view.checks == 2)
    await stage.later(10)
    async with asyncio.timeout(5):
        assert (await word).taken is (answer is UNKNOWN)


async def test_a_resolved_order_is_never_cancelled_meanwhile(stage: Stage) -> None:
    order = await _lost(stage, seconds_ago=QUARTER + 100)
    looking = Pause(MISSED)
    stage.provider.follow("look_up", looking)
    word = asyncio.create_task(order.resolve("NOT_CREATED", note="I called them", by="fatima"))
    await looking.reached.wait()
    with pytest.raises(NotAllowed):
        await order.cancel(reason="customer left", by="karim")
    looking.go.set()
    assert (await word).taken
