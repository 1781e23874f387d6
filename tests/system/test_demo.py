"""The demo itself, as a user runs it."""

import json
import os
import signal
import sys
from typing import Any

import pytest

from starter.demo.stage import Stage
from starter.processes import Process, is_open
from tests.system.scene import Play, Scenes

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def whole_demo(stage: Stage) -> tuple[int, dict[str, Any]]:
    demo = Process("demo", [sys.executable, "-m", "starter.demo", "--json"], log=stage.folder / "demo.log")
    demo.start()
    exit_code = await demo.ended(110)
    return exit_code, json.loads(demo.output.splitlines()[-1])


async def interrupted_demo(stage: Stage) -> tuple[int, int, str]:
    demo = Process("demo", [sys.executable, "-m", "starter.demo"], log=stage.folder / "interrupted.log")
    demo.start()
    address = await demo.wait_for_line("Temporal's UI", 60)
    await demo.wait_for_line("orders are in Temporal", 60)
    os.kill(demo.pid, signal.SIGINT)
    return await demo.ended(20), int(address.rpartition(":")[2]), demo.output


PLAYS: tuple[Play, ...] = (whole_demo, interrupted_demo)


async def test_the_demo_ends_with_a_clean_verdict(scenes: Scenes) -> None:
    exit_code, verdict = await scenes(whole_demo)
    assert exit_code == 0
    assert verdict["clean"]
    assert len(verdict["accepted"]) == 12
    assert not verdict["lost"]
    assert not verdict["twice"]


async def test_an_interrupted_demo_leaves_nothing_behind(scenes: Scenes) -> None:
    exit_code, ui_port, output = await scenes(interrupted_demo)
    assert exit_code == 130
    assert not is_open(ui_port)
    assert "Traceback" not in output
