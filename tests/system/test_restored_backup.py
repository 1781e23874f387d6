"""Temporal is restored from a backup older than the sends: it has forgotten them, and the provider has not."""

import asyncio
import shutil
from datetime import UTC, datetime

import pytest

from starter.demo.stage import Stage
from tests.containers.production import ProductionServer
from tests.system.scene import Evidence, Scene, Scenes
from topups import NoSuchOrder, TopUpRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Its time to be sent has passed when the backup is restored.
LATE, IN_TIME, FORGOTTEN = "restored-late", "restored-in-time", "accepted-after-the-backup"
LATE_SECONDS = 60


async def play(stage: Stage) -> dict[str, Evidence]:
    """Back up two orders that nobody sent yet; let them be delivered, and another one; then restore the backup."""
    first = await Scene.on(stage, LATE)
    first.worker.kill()
    scenes = {ref: first.beside(ref) for ref in (LATE, IN_TIME, FORGOTTEN)}
    await hand_over(scenes[LATE], deliver_within=LATE_SECONDS)
    await hand_over(scenes[IN_TIME])
    stage.server.process.kill()
    back_up(stage)
    await stage.server.start()
    await hand_over(scenes[FORGOTTEN])
    await first.start_worker()
    before = [await scene.end() for scene in scenes.values()]
    first.worker.kill()
    stage.server.process.kill()
    restore(stage)
    late_at = before[0].result.deliver_by
    assert late_at is not None
    await asyncio.sleep(max((late_at - datetime.now(UTC)).total_seconds(), 0) + 3)
    await stage.server.start()
    with pytest.raises(NoSuchOrder):
        await scenes[FORGOTTEN].order.view()
    await hand_over(scenes[FORGOTTEN])
    await first.start_worker()
    return {ref: await scene.end() for ref, scene in scenes.items()}


PLAYS = (play,)


async def hand_over(scene: Scene, deliver_within: int | None = None) -> None:
    request = TopUpRequest(
        ref=scene.ref, plan_code="PREPAID_DJEZZY", phone="0771234500", amount=100, deliver_within=deliver_within
    )
    await scene.topups.submit(request)


def back_up(stage: Stage) -> None:
    if isinstance(stage.server, ProductionServer):
        stage.server.back_up()
        return
    folder = stage.folder / "backup"
    folder.mkdir()
    for file in stage.folder.glob("temporal.sqlite*"):
        shutil.copy(file, folder)


def restore(stage: Stage) -> None:
    if isinstance(stage.server, ProductionServer):
        stage.server.restore()
        return
    for file in stage.folder.glob("temporal.sqlite*"):
        file.unlink()
    for file in (stage.folder / "backup").iterdir():
        shutil.copy(file, stage.folder)


@pytest.mark.parametrize("ref", [LATE, IN_TIME, FORGOTTEN])
async def test_an_order_that_was_delivered_after_the_backup_is_found_and_not_sent_twice(
    scenes: Scenes, ref: str
) -> None:
    evidence = (await scenes(play))[ref]
    assert evidence.was_delivered_once(), evidence


async def test_an_order_whose_time_has_passed_is_looked_up_and_never_sent_again(scenes: Scenes) -> None:
    evidence = (await scenes(play))[LATE]
    assert evidence.count("request", endpoint="send") == 1
    assert evidence.count("request", endpoint="check-ref") >= 1
