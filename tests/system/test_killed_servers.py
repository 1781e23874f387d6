"""`kill -9` of the Temporal server, alone and together with the worker, with orders at every moment."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from starter.demo.stage import Stage
from tests.system.scene import NOBODY_ANSWERS, Evidence, Scene, Scenes
from topups import Phase
from topups.start import workflow_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON_SECONDS = 15.0
SERVER = ("server-while-sending", "server-between-polls", "server-in-the-sleep-of-a-day")
BOTH = ("both-while-sending", "both-between-polls", "both-just-accepted")


async def play(stage: Stage) -> dict[str, Evidence]:
    """First the server is killed, then server and worker at once."""
    first = await Scene.on(stage, SERVER[0])
    server = [first, *(first.beside(ref) for ref in SERVER[1:])]
    both = [first.beside(ref) for ref in BOTH]
    await kill_the_server(stage, *server)
    await kill_both(stage, *both)
    return {scene.ref: await scene.end() for scene in (*server, *both)}


PLAYS = (play,)


async def kill_the_server(stage: Stage, sending: Scene, polling: Scene, sleeping: Scene) -> None:
    await sleeping.submit(NOBODY_ANSWERS)
    await sleeping.phase(Phase.UNKNOWN_ERROR)
    await polling.submit()
    await polling.phase(Phase.PENDING)
    await sending.hold("send", "committed")
    await sending.submit()
    await sending.held()
    stage.server.process.kill()
    # The answer comes to a worker that has nobody to report it to.
    await sending.release()
    await sending.row(kind="answer", endpoint="send", http=200)
    await stage.desk.drive(sleeping.ref, "FULFILLED")
    await stage.server.start()
    await sending.phase(Phase.PENDING, Phase.HANDLING, Phase.FULFILLED)
    skipper = TimeSkipper(sleeping.topups.client, config=TimeSkippingConfig(enabled=False))
    handle = skipper.client.get_workflow_handle(workflow_id(sleeping.ref))
    await skipper.fast_forward(handle, timedelta(hours=24))


async def kill_both(stage: Stage, sending: Scene, polling: Scene, accepted: Scene) -> None:
    await polling.submit()
    await polling.phase(Phase.PENDING)
    await sending.hold("send", "committed")
    await sending.submit()
    await sending.held()
    sending.worker.kill()
    await accepted.submit()
    stage.server.process.kill()
    for scene in (sending, polling, accepted):
        scene.mark()
    await sending.release()
    await stage.server.start()
    await sending.start_worker()
    polling.back_at = accepted.back_at = datetime.now(UTC)


@pytest.mark.parametrize("ref", [*SERVER, *BOTH])
async def test_an_order_is_delivered_once_although_the_server_was_killed(scenes: Scenes, ref: str) -> None:
    evidence = (await scenes(play))[ref]
    assert evidence.was_delivered_once(), evidence
    assert evidence.count("request", endpoint="send") == 1


@pytest.mark.parametrize("ref", BOTH)
async def test_after_both_are_back_the_provider_is_asked_again_within_15_seconds(scenes: Scenes, ref: str) -> None:
    evidence = (await scenes(play))[ref]
    assert evidence.seconds_until_next_request <= SOON_SECONDS, evidence


async def test_an_order_accepted_without_a_worker_is_sent_by_the_next_one(scenes: Scenes) -> None:
    evidence = (await scenes(play))["both-just-accepted"]
    assert evidence.killed_after == 0
    assert Phase.CONFIRMING not in evidence.phases
