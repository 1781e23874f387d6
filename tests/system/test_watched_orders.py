"""Orders that are being watched while their worker dies: a query between two tasks must not lead them astray."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from temporalio.client import WorkflowHistory, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from starter.demo.stage import Stage, run_worker
from tests.system.scene import Evidence, Play, Scene, Scenes
from topups import TopUpError
from topups.observations import Found, Record
from topups.plugin import TopUpsPlugin
from topups.start import workflow_id
from topups.version import installed_version
from workflows import TopUp

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDLESS = "0600000006"  # the stand-in's number for HANDLING without an end
ORDERS = 6
# Longer than a poll's wait and the 5 s in which the dead worker's own queue is still tried.
WATCHED_SECONDS = 17.0
EVERY_SECONDS = 0.1
GAP_SECONDS = 5.0


async def play(stage: Stage) -> list[tuple[Evidence, WorkflowHistory]]:
    # Each order is to have requests of its own.
    first = await Scene.on(stage, "watched", TOPUPS_COALESCE_CHECKS="false")
    scenes = [first, *(first.beside(f"watched-{number}") for number in range(1, ORDERS))]
    for scene in scenes:
        await scene.submit(ENDLESS)
    for scene in scenes:
        await scene.row(kind="answer", endpoint="check-id", status="HANDLING")
    first.kill_worker()
    watching = [asyncio.create_task(_watch(scene)) for scene in scenes]
    await first.start_worker()
    await asyncio.gather(*watching)
    # Whoever takes over knows only the history.
    first.kill_worker()
    for scene in scenes:
        await stage.desk.drive(scene.ref, "FULFILLED")
    await first.start_worker()
    return [(await scene.end(), await _history(scene)) for scene in scenes]


async def asked(stage: Stage) -> list[tuple[Evidence, WorkflowHistory]]:
    """A person asks for a recheck, and looks, before anybody has taken the dead worker's tasks over."""
    scene = await Scene.on(stage, "asked", TOPUPS_POLL_MIN="15", TOPUPS_POLL_MAX="15")
    await scene.submit(ENDLESS)
    await scene.row(kind="answer", endpoint="check-id")
    scene.kill_worker()
    await scene.start_worker()
    # No request for an order comes earlier than this after the one before, whoever asks.
    await asyncio.sleep(GAP_SECONDS + 1)
    await scene.order.recheck()
    await _watch(scene, 3.0)
    scene.kill_worker()
    await stage.desk.drive(scene.ref, "FULFILLED")
    await scene.start_worker()
    return [(await scene.end(), await _history(scene))]


async def told_twice(stage: Stage) -> list[tuple[Evidence, WorkflowHistory]]:
    """Two words come before any task, and between them a look at a worker that doesn't know the order yet."""
    scene = await Scene.on(stage, "told-twice", TOPUPS_POLL_MIN="15", TOPUPS_POLL_MAX="15")
    await scene.submit(ENDLESS)
    await scene.row(kind="answer", endpoint="check-id")
    other = stage.worker("worker-told-twice-2", scene.env)
    await run_worker(other)
    scene.kill_worker()
    handle = scene.topups.client.get_workflow_handle(workflow_id(scene.ref))
    # The dead worker's own queue is tried first, so the answer comes when the first word is there.
    look = asyncio.create_task(handle.query("view"))
    await asyncio.sleep(0.05)
    await scene.order.recheck()
    with suppress(WorkflowQueryFailedError):
        await _looked(look)
    await scene.order.recheck()
    # The timer that the words began fires.
    await scene.row(after=scene.killed_after, kind="answer", endpoint="check-id")
    other.kill()
    await stage.desk.drive(scene.ref, "FULFILLED")
    await scene.start_worker()
    return [(await scene.end(), await _history(scene))]


async def heard_late(stage: Stage) -> list[tuple[Evidence, WorkflowHistory]]:
    """An answer comes while somebody looks, and mostly it is heard when the next check is due already."""
    settings = {"TOPUPS_COALESCE_CHECKS": "false", "TOPUPS_POLL_MIN": "5", "TOPUPS_POLL_MAX": "5"}
    scene = await Scene.on(stage, "heard-late", **settings)
    await scene.hold("check-id", "received")
    await scene.submit(ENDLESS)
    await scene.held()
    topup_id = (await scene.order.view()).topup_id
    # It has other files, so that it doesn't answer for the dead one.
    elsewhere = {"TOPUPS_STATE_DIR": str(stage.folder / "elsewhere")}
    other = stage.worker("worker-heard-late-2", scene.env | elsewhere)
    await run_worker(other)
    scene.kill_worker()
    handle = scene.topups.client.get_workflow_handle(workflow_id(scene.ref))
    look = asyncio.create_task(handle.query("view"))
    await asyncio.sleep(0.05)
    # By the time that the dead worker's own queue is given up the next check is due.
    await _answer(scene, Found(record=Record(topup_id=topup_id, status="HANDLING"), ended_at=datetime.now(UTC)))
    with suppress(WorkflowQueryFailedError):
        await _looked(look)
    await scene.release()
    await scene.row(after=scene.killed_after, kind="answer", endpoint="check-id")
    other.kill()
    await stage.desk.drive(scene.ref, "FULFILLED")
    await scene.start_worker()
    return [(await scene.end(), await _history(scene))]


PLAYS = (play, asked, told_twice, heard_late)


async def _watch(scene: Scene, seconds: float = WATCHED_SECONDS) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        with suppress(TopUpError):
            await scene.order.view()
        await asyncio.sleep(EVERY_SECONDS)


async def _answer(scene: Scene, answer: Found) -> None:
    """Let the check that is under way have been answered in the moment of the kill."""
    handle = scene.topups.client.get_workflow_handle(workflow_id(scene.ref))
    described = await handle.describe()
    (pending,) = described.raw_description.pending_activities
    check = scene.topups.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=described.run_id, activity_id=pending.activity_id
    )
    await check.complete(answer)


async def _looked(look: Awaitable[object]) -> None:
    try:
        await look
    except RPCError as given_up:
        # With the dead worker's queue; the words are what counts.
        if given_up.status is not RPCStatusCode.CANCELLED:
            raise


async def _history(scene: Scene) -> WorkflowHistory:
    return await scene.topups.client.get_workflow_handle(workflow_id(scene.ref)).fetch_history()


@pytest.mark.parametrize("watched", PLAYS)
async def test_an_order_that_was_watched_while_its_worker_died_is_delivered_once(scenes: Scenes, watched: Play) -> None:
    for evidence, _ in await scenes(watched):
        assert evidence.was_delivered_once()


@pytest.mark.parametrize("watched", PLAYS)
async def test_its_history_replays(scenes: Scenes, watched: Play) -> None:
    replayer = Replayer(workflows=[TopUp], plugins=[TopUpsPlugin()])
    for _, history in await scenes(watched):
        await replayer.replay_workflow(history)


async def test_its_history_tells_which_version_of_ours_took_each_step(scenes: Scenes) -> None:
    for _, history in await scenes(play):
        steps = [event.workflow_task_completed_event_attributes for event in history.events]
        taken_by = {step.worker_version.build_id for step in steps if step.started_event_id}
        assert taken_by == {installed_version()}
