"""No worker for longer than an order has time: its first task comes after its `deliver_by`."""

import asyncio
import time
from datetime import datetime, timedelta

import pytest

from tests.workflows.provider import MISSED, Pause, says
from tests.workflows.stage import PATIENCE_SECONDS, REF, Stage
from topups import Phase, TopUpRequest, TopUpResult
from topups.models import Reopening
from topups.order import Order, TopUpInput, accepted
from topups.policy import RELEASE, Policy
from topups.settings import TASK_QUEUE
from topups.start import WORKFLOW_TYPE, workflow_id

pytestmark = pytest.mark.usefixtures("exact_clock")

WITHIN = 600
REQUEST = TopUpRequest(ref=REF, plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500, deliver_within=WITHIN)
# The order is so much older than the run that goes on with it.
BEFORE = timedelta(seconds=60)


@pytest.fixture
async def given(stage: Stage) -> TopUpInput:
    """A new order."""
    stage.provider.ahead = timedelta(seconds=3)
    return TopUpInput(request=REQUEST, environment="sandbox")


async def _taken_up(stage: Stage, given: TopUpInput, seconds_late: int = 70) -> TopUpResult:
    """Bring an order to its end whose first task comes so long after its `deliver_by`."""
    await stage.env.client.start_workflow(
        WORKFLOW_TYPE,
        given,
        id=workflow_id(REF),
        task_queue=TASK_QUEUE,
        start_delay=timedelta(seconds=WITHIN + seconds_late),
    )
    return await stage.end(stage.topups.order(REF))


async def _is(stage: Stage, moment: datetime) -> None:
    """Wait for a time of the server's clock."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if await stage.env.get_current_time() >= moment:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("seconds_late", [0, 1, 70, 3_600])
async def test_an_order_that_nobody_took_up_in_time_is_refused_after_one_look(
    stage: Stage, given: TopUpInput, seconds_late: int
) -> None:
    result = await _taken_up(stage, given, seconds_late)
    assert (result.phase, result.error_code, result.sends) == (Phase.REJECTED, "DELIVER_BY_PASSED", 0)
    assert stage.provider.order_of_asking == ["look_up"]


async def test_an_order_whose_time_passes_while_the_policy_is_read_is_refused_as_well(
    stage: Stage, given: TopUpInput
) -> None:
    stage.provider.reading = Pause()
    deliver_by = await stage.env.get_current_time() + timedelta(seconds=WITHIN + 1)
    result = asyncio.create_task(_taken_up(stage, given, seconds_late=-1))
    await stage.provider.reading.reached.wait()
    await _is(stage, deliver_by)
    stage.provider.reading.go.set()
    assert ((await result).phase, (await result).error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")


async def test_an_order_that_an_earlier_life_of_temporal_sent_is_found_by_that_look(
    stage: Stage, given: TopUpInput
) -> None:
    stage.provider.follow("look_up", says("PENDING"))
    result = await _taken_up(stage, given)
    assert (result.phase, result.sends) == (Phase.FULFILLED, 0)


async def test_a_reopened_order_that_is_taken_up_late_is_looked_up_until_its_end(
    stage: Stage, given: TopUpInput
) -> None:
    accepted_at = await stage.env.get_current_time() - BEFORE
    reopening = Reopening(note="terminated by mistake", by="fatima", accepted_at=accepted_at)
    stage.provider.follow("look_up", MISSED, says("PENDING"))
    result = await _taken_up(stage, given.model_copy(update={"reopening": reopening}))
    assert result.phase is Phase.FULFILLED
    assert stage.provider.order_of_asking == ["look_up", "look_up", "check"]
    # Without the timer of `deliver_by` nothing else would keep a worker of 0.4 from taking it for one of its own.
    history = await stage.handle.fetch_history()
    assert any(b"core_patch" in event.SerializeToString() for event in history.events)


async def test_a_further_run_that_is_taken_up_late_goes_on(stage: Stage, given: TopUpInput) -> None:
    stage.provider.follow("look_up", says("PENDING"))
    result = await _taken_up(stage, given.model_copy(update={"order": await _in_doubt(stage)}))
    assert result.phase is Phase.FULFILLED


async def _in_doubt(stage: Stage) -> Order:
    now = await stage.env.get_current_time()
    order = accepted(REQUEST, "sandbox", Policy(), accepted_at=now - BEFORE, now=now)
    order = order.but(release=RELEASE, own_times=True, prepared=True, may_exist=True, sends=1)
    return order.but(first_send_at=now, last_send_at=now).moved(Phase.CONFIRMING, now, "Looking it up")
