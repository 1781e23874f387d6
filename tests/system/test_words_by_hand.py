"""What an operator, or anybody with the `temporal` command, can type at an order; and what never gets into logs."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from starter.demo.stage import KEY, Stage
from starter.local import installed
from tests.system.scene import Evidence, Scene, Scenes
from topups.start import workflow_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDLESS = "0600000006"  # the stand-in's number for HANDLING without an end
NUMBER = "0799887766"
INPUTS: tuple[tuple[str, ...], ...] = (
    (),
    ("--input", "null"),
    ("--input", "7"),
    ("--input", f'"{NUMBER}"'),
    ("--input", "[]"),
    ("--input", "{}"),
    ("--input", '{"by": 7, "reason": [], "note": {}, "outcome": "LOST"}'),
    ("--input", f'{{"by": "", "reason": "", "note": "{NUMBER}", "outcome": "{NUMBER}"}}'),
    ("--input", '{"by": "a"}', "--input", '{"by": "b"}'),
    ("--input", "not json", "--input-meta", "encoding=binary/plain"),
    ("--input", "AAECAw==", "--input-base64", "--input-meta", "encoding=binary/encrypted"),
    ("--input", '{"by": "' + "x" * 50_000 + '"}'),
    ("--input", "[" * 5_000 + "]" * 5_000),
)


@dataclass(frozen=True)
class ByHand:
    """How the order ended, its history as JSON, what the worker logged, and the exit codes of the updates."""

    evidence: Evidence
    history: dict[str, Any]
    log: str
    updates: list[int]


async def play(stage: Stage) -> ByHand:
    scene = await Scene.on(stage, "by-hand")
    await stage.desk.arm("send", "committed", "error", http=500, code=f"NUMBER {NUMBER}", ref=scene.ref)
    await scene.submit(ENDLESS)
    await scene.row(kind="answer", endpoint="check-id", status="HANDLING")
    updates = []
    for given in INPUTS:
        await _temporal(stage, scene, "signal", "--name", "recheck", *given)
        await _temporal(stage, scene, "signal", "--name", "nobody-knows", *given)
        updates += [
            await _temporal(stage, scene, "update", "execute", "--name", name, *given)
            for name in ("cancel", "resolve", "nobody-knows")
        ]
        await _temporal(stage, scene, "query", "--type", "view", *given)
    assert not (await scene.order.view()).stale
    await stage.desk.drive(scene.ref, "FULFILLED")
    evidence = await scene.end()
    history = await scene.topups.client.get_workflow_handle(workflow_id(scene.ref)).fetch_history()
    return ByHand(evidence, json.loads(history.to_json()), scene.worker.output, updates)


PLAYS = (play,)


async def _temporal(stage: Stage, scene: Scene, *words: str) -> int:
    program = installed("temporal")
    assert program is not None
    where: Sequence[str] = ("--address", stage.server.address, "--workflow-id", workflow_id(scene.ref))
    process = await asyncio.create_subprocess_exec(
        program,
        "workflow",
        *words,
        *where,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        return await process.wait()


async def test_whatever_is_typed_at_an_order_it_is_delivered_once(scenes: Scenes) -> None:
    found: ByHand = await scenes(play)
    assert found.evidence.was_delivered_once()
    assert found.evidence.count("request", endpoint="send") == 1


async def test_a_wrong_update_is_refused_and_no_task_of_the_workflow_fails(scenes: Scenes) -> None:
    found: ByHand = await scenes(play)
    assert all(code != 0 for code in found.updates)
    kinds = [event["eventType"] for event in found.history["events"]]
    assert "EVENT_TYPE_WORKFLOW_TASK_FAILED" not in kinds


async def test_logs_and_failures_hold_no_key_and_no_whole_number(scenes: Scenes) -> None:
    found: ByHand = await scenes(play)
    failures = [
        json.dumps(value)
        for event in found.history["events"]
        for attributes in event.values()
        if isinstance(attributes, dict)
        for name, value in attributes.items()
        if name == "failure"
    ]
    for text in (found.log, *failures):
        assert KEY not in text
        assert NUMBER not in text
        assert ENDLESS not in text
