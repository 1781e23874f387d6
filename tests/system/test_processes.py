"""Child processes: killed on the spot, started again, and never left over."""

import sys
from pathlib import Path

import pytest

from starter.processes import NotReady, Process, free_port, is_open

SLEEPER = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)"]
PARENT = """
import asyncio, sys, time
from pathlib import Path
from starter.processes import Process
server = [sys.executable, "-m", "http.server", sys.argv[1], "--bind", "127.0.0.1"]
child = Process("child", server, log=Path(sys.argv[2]))
child.start()
asyncio.run(child.wait_for_port(int(sys.argv[1])))
print("child is up", flush=True)
time.sleep(60)
"""


async def test_a_killed_process_can_be_started_again_and_its_output_begins_anew(tmp_path: Path) -> None:
    process = Process("sleeper", SLEEPER, log=tmp_path / "log")
    process.start()
    await process.wait_for_line("awake")
    pid = process.kill()
    assert not process.running
    process.start()
    await process.wait_for_line("awake")
    assert process.pid != pid
    assert process.output.count("awake") == 1
    process.kill()


async def test_a_process_that_ends_before_it_is_ready_says_so_with_its_log(tmp_path: Path) -> None:
    process = Process("bad", [sys.executable, "-c", "raise SystemExit('no such thing')"], log=tmp_path / "log")
    process.start()
    with pytest.raises(NotReady, match="no such thing"):
        await process.wait_for_line("ready")


async def test_a_long_stack_trace_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    program = "raise SystemExit('no such thing ' + 'frame ' * 10_000)"
    process = Process("bad", [sys.executable, "-c", program], log=tmp_path / "log")
    process.start()
    with pytest.raises(NotReady, match="no such thing"):
        await process.wait_for_line("ready")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children of a killed parent")
async def test_a_child_ends_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    parent = Process(
        "parent", [sys.executable, "-c", PARENT, str(port), str(tmp_path / "child")], log=tmp_path / "log", tied=False
    )
    parent.start()
    await parent.wait_for_line("child is up")
    parent.kill()
    watched = Process("clock", SLEEPER, log=tmp_path / "clock")
    watched.start()

    async def gone() -> bool:
        return not is_open(port)

    await watched.wait_for(gone, "the end of the child", 10)
    watched.kill()


def test_no_port_is_given_twice_even_before_it_is_used() -> None:
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == 500
