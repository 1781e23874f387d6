"""Another worker of this host, as a process of its own, with one activity under way."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from activities.under_way import Note

HERE = "localhost:7233 default"
A_NOTE = Note(
    activity="send",
    activity_id="2",
    worker="7@the-host",
    workflow_id="topup-order-1",
    run_id="a-run",
    task_token=b"\xfftoken\x00",
)
_WORKS = f"""
import asyncio, sys
from pathlib import Path
from activities.under_way import Note, UnderWay

async def work():
    note = Note.model_validate_json({A_NOTE.model_dump_json()!r})
    with UnderWay(Path(sys.argv[1]), {HERE!r}) as mine, mine.noted(note):
        print("works", flush=True)
        await asyncio.sleep(60)

asyncio.run(work())
"""

Worker = subprocess.Popen[str]


@contextmanager
def worker_beside(state_dir: Path) -> Iterator[Worker]:
    """Return when its note stands."""
    with subprocess.Popen([sys.executable, "-c", _WORKS, str(state_dir)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        until(lambda: any(file.stat().st_size for file in state_dir.glob("workers/*/*.json")))
        yield process
        process.kill()


def folder_of(state_dir: Path) -> Path:
    """Where the one worker there keeps its notes."""
    (lock,) = state_dir.glob("workers/*/alive.lock")
    return lock.parent


def until(true: Callable[[], bool]) -> None:
    """Wait for it, at most 10 s."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
