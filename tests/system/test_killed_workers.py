"""`kill -9` of a worker at every moment of an order; the provider's ledger says what it did to the money."""

from datetime import timedelta

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from starter.demo.stage import Stage
from tests.system.scene import NOBODY_ANSWERS, Evidence, Play, Scene, Scenes
from topups import Phase
from topups.start import workflow_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON_SECONDS = 15.0


async def before_the_post(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "before-the-post", ONECLICKDZ_ACCESS_TOKEN="other-sandbox-key")
    await stage.desk.arm("plans", "received", "hold", hold=scene.ref, key="other-sandbox-key")
    await scene.submit()
    await scene.held()
    scene.kill_worker()
    await scene.release()
    await scene.start_worker()
    return await scene.end()


async def received_and_never_created(stage: Stage) -> Evidence:
    # The shortest ladder that a worker takes, for the time's sake; the real one is tested in tests/workflows.
    scene = await Scene.on(stage, "received-never-created", TOPUPS_LOOKUP_WAITS="5,6,7,30")
    await scene.hold("send", "received")
    await scene.submit()
    await scene.held()
    scene.kill_worker()
    await scene.start_worker()
    await scene.row(kind="commit")
    # Only now the provider reads on in the first request: it must find the ref used.
    await scene.release()
    return await scene.end()


async def received_and_created_late(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "received-created-late")
    await scene.hold("send", "received")
    await scene.submit()
    await scene.held()
    scene.kill_worker()
    await scene.start_worker()
    await scene.row(kind="answer", endpoint="check-ref", code="NOT_FOUND")
    await scene.release()
    return await scene.end()


async def committed_and_not_answered(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "committed-not-answered")
    await scene.hold("send", "committed")
    await scene.submit()
    await scene.held()
    scene.kill_worker()
    await scene.release()
    await scene.start_worker()
    return await scene.end()


async def answered_and_not_reported(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "answered-not-reported")
    await scene.hold("send", "committed")
    await scene.submit()
    await scene.held()
    scene.freeze_worker()
    await scene.release()
    await scene.row(kind="answer", endpoint="send", http=200)
    scene.kill_worker()
    await scene.start_worker()
    return await scene.end()


async def between_polls(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "between-polls")
    await scene.submit()
    await scene.phase(Phase.PENDING)
    scene.kill_worker()
    await scene.start_worker()
    return await scene.end()


async def in_the_middle_of_a_check(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "middle-of-a-check")
    await scene.hold("check-id", "received")
    await scene.submit()
    await scene.held()
    scene.kill_worker()
    await scene.release()
    await scene.start_worker()
    return await scene.end()


async def in_the_sleep_of_a_day(stage: Stage) -> Evidence:
    scene = await Scene.on(stage, "in-the-sleep-of-a-day")
    await scene.submit(NOBODY_ANSWERS)
    await scene.phase(Phase.UNKNOWN_ERROR)
    scene.kill_worker()
    await stage.desk.drive(scene.ref, "FULFILLED")
    await scene.start_worker()
    skipper = TimeSkipper(scene.topups.client, config=TimeSkippingConfig(enabled=False))
    handle = skipper.client.get_workflow_handle(workflow_id(scene.ref))
    await skipper.fast_forward(handle, timedelta(hours=24))
    return await scene.end()


PLAYS = (
    received_and_never_created,
    committed_and_not_answered,
    answered_and_not_reported,
    received_and_created_late,
    before_the_post,
    in_the_middle_of_a_check,
    in_the_sleep_of_a_day,
    between_polls,
)
ALL = pytest.mark.parametrize("moment", PLAYS)


@ALL
async def test_an_order_is_delivered_once_although_its_worker_was_killed(scenes: Scenes, moment: Play) -> None:
    evidence = await scenes(moment)
    assert evidence.was_delivered_once(), evidence


@ALL
async def test_a_new_worker_asks_the_provider_again_within_15_seconds(scenes: Scenes, moment: Play) -> None:
    evidence = await scenes(moment)
    assert evidence.seconds_until_next_request <= SOON_SECONDS, evidence


@pytest.mark.parametrize("moment", [play for play in PLAYS if play is not received_and_never_created])
async def test_no_order_that_may_exist_is_sent_a_second_time(scenes: Scenes, moment: Play) -> None:
    evidence = await scenes(moment)
    assert evidence.count("request", endpoint="send") == 1
    assert evidence.result.sends == 1


async def test_a_send_that_created_nothing_is_repeated_once_every_look_up_has_missed(scenes: Scenes) -> None:
    evidence = await scenes(received_and_never_created)
    assert evidence.count("request", endpoint="send") == 2
    # One look at once, since the worker was lost, and the four of the ladder.
    assert evidence.count("answer", endpoint="check-ref", code="NOT_FOUND") == 5 * 2


async def test_a_send_in_doubt_is_confirmed_before_anything_else(scenes: Scenes) -> None:
    for moment in (committed_and_not_answered, answered_and_not_reported, received_and_created_late):
        evidence = await scenes(moment)
        assert evidence.phases[:2] == [Phase.ACCEPTED, Phase.CONFIRMING]


async def test_a_worker_killed_in_the_sleep_of_a_day_asks_once_after_it(scenes: Scenes) -> None:
    evidence = await scenes(in_the_sleep_of_a_day)
    later = [row for row in evidence.rows if row["seq"] > evidence.killed_after and row["kind"] == "request"]
    assert [row["endpoint"] for row in later] == ["check-id"]
