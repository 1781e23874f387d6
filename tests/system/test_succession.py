"""What a killed worker had under way goes on as soon as another worker of its host is there, without any time-out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from starter.demo.stage import Stage
from tests.system.scene import DEADLINE_SECONDS, LOOK_SECONDS, Evidence, Scene, Scenes
from topups import Phase
from topups.start import workflow_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The shortest time-out, 8 s, less a look (1 s) and a margin.
IN_TIME_SECONDS = 5.0

Waiting = Callable[[Stage], Awaitable["Succession"]]


@dataclass(frozen=True)
class Succession:
    """How the order ended, and the types of its history's events."""

    evidence: Evidence
    events: list[int]
    killed_at: datetime
    back_at: datetime

    @property
    def in_time(self) -> bool:
        """Whether a worker was there well before the time-outs; on a busy machine its start may take longer."""
        return (self.back_at - self.killed_at).total_seconds() < IN_TIME_SECONDS

    @property
    def waited_for_an_activity(self) -> bool:
        return EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT in self.events

    @property
    def waited_for_the_dead_workers_memory(self) -> bool:
        return EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT in self.events


async def a_new_worker_after_a_killed_send(stage: Stage) -> Succession:
    return await _killed_in(stage, "succeeded-send", "send", "committed")


async def a_new_worker_after_a_killed_check(stage: Stage) -> Succession:
    return await _killed_in(stage, "succeeded-check", "check-id", "received")


async def a_worker_beside_the_killed_one(stage: Stage) -> Succession:
    scene = await Scene.on(stage, "succeeded-beside")
    other = await Scene.on(stage, scene.ref)
    await scene.hold("send", "committed")
    await scene.submit()
    await scene.held()
    sender = await _sender(_handle(scene))
    (killed,) = (one for one in (scene, other) if sender.startswith(f"{one.worker.pid}@"))
    killed_at = _kill(killed)
    scene.mark()
    await scene.release()
    return await _ended(scene, killed_at, killed_at)


PLAYS: tuple[Waiting, ...] = (
    a_new_worker_after_a_killed_send,
    a_new_worker_after_a_killed_check,
    a_worker_beside_the_killed_one,
)


async def _killed_in(stage: Stage, ref: str, endpoint: str, moment: str) -> Succession:
    scene = await Scene.on(stage, ref)
    await scene.hold(endpoint, moment)
    await scene.submit()
    await scene.held()
    killed_at = _kill(scene)
    await scene.release()
    await scene.start_worker()
    return await _ended(scene, killed_at, scene.back_at or datetime.now(UTC))


def _handle(scene: Scene) -> WorkflowHandle[object, object]:
    return scene.topups.client.get_workflow_handle(workflow_id(scene.ref))


async def _sender(handle: WorkflowHandle[object, object]) -> str:
    """The identity of the worker that has the order's activity."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            for pending in (await handle.describe()).raw_description.pending_activities:
                if pending.last_worker_identity:
                    return pending.last_worker_identity
            await asyncio.sleep(LOOK_SECONDS)


def _kill(scene: Scene) -> datetime:
    killed_at = datetime.now(UTC)
    scene.kill_worker()
    return killed_at


async def _ended(scene: Scene, killed_at: datetime, back_at: datetime) -> Succession:
    evidence = await scene.end()
    history = await _handle(scene).fetch_history()
    return Succession(evidence, [event.event_type for event in history.events], killed_at, back_at)


@pytest.mark.parametrize("play", PLAYS)
async def test_no_order_waits_for_a_time_out_when_its_worker_was_killed(scenes: Scenes, play: Waiting) -> None:
    seen: Succession = await scenes(play)
    assert not (seen.in_time and seen.waited_for_an_activity)
    assert seen.evidence.was_delivered_once(), seen.evidence


async def test_no_order_waits_for_the_worker_that_had_it_in_memory(scenes: Scenes) -> None:
    waited = [(await scenes(play)).waited_for_the_dead_workers_memory for play in PLAYS]
    # A living worker on a busy machine may be late as well; but all three are only where nobody lets go of them.
    assert not all(waited)


async def test_a_send_that_was_killed_is_looked_up_and_never_repeated(scenes: Scenes) -> None:
    for play in (a_new_worker_after_a_killed_send, a_worker_beside_the_killed_one):
        seen: Succession = await scenes(play)
        assert seen.evidence.phases[:2] == [Phase.ACCEPTED, Phase.CONFIRMING]
        assert seen.evidence.count("request", endpoint="send") == 1
        notes = [event.note for event in seen.evidence.result.timeline]
        assert not seen.in_time or "Looking it up: the worker died in the middle of the send" in notes
