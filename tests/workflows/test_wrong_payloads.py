"""Words that come in a wrong shape, as by hand from the UI: refused or dropped, and the order goes on."""

from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.workflows.provider import TOPUP_ID, says
from tests.workflows.stage import Stage
from topups import HoldReason, Phase, TopUpOrder
from topups.observations import Accepted, Held

NO_JSON = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{no json"))
BINARY = RawValue(Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\x01"))
FOREIGN = RawValue(Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\x01"))

GARBAGE: list[list[Any]] = [
    [],
    ["fatima"],
    [None],
    [42],
    [{"by": 7}],
    [[1, 2]],
    [{"by": "a"}, {"by": "b"}],
    [NO_JSON],
    [BINARY],
    [FOREIGN],
]


async def _pending(stage: Stage) -> TopUpOrder:
    stage.provider.follow("check", says("HANDLING"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    return order


async def _ends_well(stage: Stage, order: TopUpOrder) -> None:
    assert (await stage.end(order)).phase is Phase.FULFILLED
    history = await stage.handle.fetch_history()
    failed = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
    assert not failed


async def test_rechecks_in_wrong_shapes_are_dropped(stage: Stage) -> None:
    order = await _pending(stage)
    for args in GARBAGE:
        await stage.handle.signal("recheck", args=args)
        assert not (await order.view()).stale
    await _ends_well(stage, order)
    assert not [event for event in (await order.view()).timeline if event.note == "Recheck asked for"]


@pytest.mark.parametrize("update", ["cancel", "resolve"])
async def test_updates_in_wrong_shapes_are_refused_even_where_a_right_one_is_taken(stage: Stage, update: str) -> None:
    held = Held(reason=HoldReason.BALANCE, why="120 DZD are left", left=True)
    stage.provider.follow("send", held, Accepted(topup_id=TOPUP_ID))
    order = await stage.submit()
    await stage.until(order, Phase.ON_HOLD)
    for args in GARBAGE:
        with pytest.raises(WorkflowUpdateFailedError):
            await stage.handle.execute_update(update, args=args)
    for word in ({}, {"reason": "", "by": "a"}, {"outcome": "LOST", "note": "x"}):
        with pytest.raises(WorkflowUpdateFailedError):
            await stage.handle.execute_update(update, word)
    await _ends_well(stage, order)


async def test_a_signal_that_nobody_knows_changes_nothing(stage: Stage) -> None:
    order = await _pending(stage)
    await stage.handle.signal("refund", {"by": "fatima"})
    await _ends_well(stage, order)


async def test_an_update_that_nobody_knows_is_refused(stage: Stage) -> None:
    order = await _pending(stage)
    with pytest.raises(WorkflowUpdateFailedError):
        await stage.handle.execute_update("refund", {"by": "fatima"})
    await _ends_well(stage, order)


async def test_words_may_carry_fields_that_a_newer_client_knows(stage: Stage) -> None:
    order = await _pending(stage)
    await stage.handle.signal("recheck", {"by": "fatima", "urgency": "high"})
    view = await stage.until(order, lambda view: len(view.timeline) > 2)
    assert view.timeline[-1].by == "fatima"
    await _ends_well(stage, order)
