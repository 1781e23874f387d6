"""Wrong keys and orderly stops of real workers."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from starter.demo.stage import KEY, Stage
from starter.demo.verdict import read_ledger
from tests.system.scene import Evidence, Scene, Scenes
from topups import HoldReason, Phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESTARTS = 10
NOTHING_IS_SENT = "Nothing is sent and orders wait"


@dataclass(frozen=True)
class Stopped:
    """How a worker ended."""

    exit_code: int
    output: str
    requests: int


@dataclass(frozen=True)
class WrongKey:
    """`attempts` before and after the restarts, the reason of the hold, and the end with the right key."""

    attempts: tuple[int, int]
    hold_reason: HoldReason | None
    evidence: Evidence


async def wrong_key(stage: Stage) -> WrongKey:
    file = stage.folder / "key"
    write_key(file, "not-a-key")
    scene = await Scene.on(stage, "wrong-key", ONECLICKDZ_ACCESS_TOKEN_FILE=str(file))
    await scene.submit()
    held = await scene.phase(Phase.ON_HOLD)
    first = attempts(stage)
    for _ in range(RESTARTS):
        scene.kill_worker()
        await scene.start_worker()
        await scene.worker.wait_for_line(NOTHING_IS_SENT)
    second = attempts(stage)
    write_key(file, KEY)
    return WrongKey((first, second), held.hold_reason, await scene.end())


def write_key(file: Path, key: str) -> None:
    """Replace the key as deployments do: whole, never half."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{key}\n", encoding="utf-8")
    fresh.replace(file)


def attempts(stage: Stage) -> int:
    """Requests with a key that the provider doesn't know."""
    rows = read_ledger(stage.ledger)
    return sum(row["kind"] == "request" and str(row["key"]).startswith("unknown-") for row in rows)


async def wrong_environment(stage: Stage) -> Stopped:
    mine = {"TOPUPS_TASK_QUEUE": "wrong-environment", "TOPUPS_STATE_DIR": str(stage.folder / "wrong-environment")}
    worker = stage.worker("wrong-environment", mine | {"ONECLICKDZ_ACCESS_TOKEN": "production-key"})
    worker.start()
    exit_code = await worker.ended(30)
    requests = [row for row in read_ledger(stage.ledger) if row["key"] == "production-key" and row["kind"] == "request"]
    return Stopped(exit_code, worker.output, len(requests))


async def asked_to_stop(stage: Stage) -> tuple[Stopped, Evidence]:
    scene = await Scene.on(stage, "asked-to-stop")
    await scene.hold("send", "committed")
    await scene.submit()
    await scene.held()
    scene.worker.terminate()
    await scene.worker.wait_for_line("Stopping")
    await scene.release()
    stopped = Stopped(await scene.worker.ended(45), scene.worker.output, len(scene.rows()))
    await scene.start_worker()
    return stopped, await scene.end()


PLAYS = (wrong_key, wrong_environment, asked_to_stop)


async def test_a_valid_key_of_the_wrong_environment_ends_the_worker_with_code_2(scenes: Scenes) -> None:
    stopped = await scenes(wrong_environment)
    assert stopped.exit_code == 2
    assert "production" in stopped.output
    assert "Traceback" not in stopped.output
    assert stopped.requests == 1


async def test_a_worker_asked_to_stop_hears_its_post_to_the_end(scenes: Scenes) -> None:
    stopped, evidence = await scenes(asked_to_stop)
    assert stopped.exit_code == 0
    assert evidence.was_delivered_once()
    assert Phase.CONFIRMING not in evidence.phases


async def test_a_refused_key_costs_one_request_however_often_the_worker_restarts(scenes: Scenes) -> None:
    assert (await scenes(wrong_key)).attempts == (1, 1)


async def test_orders_wait_for_a_right_key_and_then_go_on(scenes: Scenes) -> None:
    seen = await scenes(wrong_key)
    assert seen.hold_reason is HoldReason.CREDENTIALS
    assert seen.evidence.was_delivered_once()
    assert seen.evidence.count("request", endpoint="send") == 1
