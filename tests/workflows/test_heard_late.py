"""An answer that an order hears when its next check is due already: its worker died, or had no time for it."""

from itertools import pairwise

import pytest
from temporalio.api.enums.v1 import EventType

from tests.workflows.provider import Pause, ScriptedProvider, says
from tests.workflows.stage import Stage
from topups import Phase
from topups.policy import Policy

ANSWERED, ASKED, SET = (
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_TIMER_STARTED,
)


@pytest.fixture
def provider() -> ScriptedProvider:
    """A policy without chance in it."""
    return ScriptedProvider(Policy(poll_min=5, poll_max=5))


async def _what_follows_each_answer(stage: Stage) -> list[int]:
    """For each answer of an activity what its task asked for."""
    events = [event.event_type for event in (await stage.handle.fetch_history()).events]
    kinds = [event for event in events if event in {ANSWERED, ASKED, SET}]
    return [after for event, after in pairwise(kinds) if event == ANSWERED]


@pytest.mark.parametrize(("late", "follows"), [(8, ASKED), (3, SET)], ids=["due", "not yet due"])
async def test_the_next_check_comes_with_the_task_that_hears_the_last_one_once_it_is_due(
    stage: Stage, late: float, follows: int
) -> None:
    heard_late = Pause()
    stage.provider.follow("check", heard_late, says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await heard_late.reached.wait()
    heard_late.answer = says("HANDLING").model_copy(update={"ended_at": stage.provider.asked[-1].at})
    await stage.later(late)
    heard_late.go.set()
    assert (await stage.end(order)).phase is Phase.FULFILLED
    # After prepare comes the send, after the send a timer.
    assert await _what_follows_each_answer(stage) == [ASKED, SET, follows]
    assert min(stage.provider.gaps("check")) >= 5
