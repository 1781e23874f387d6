"""What a benchmark stands on: a real Temporal server, the provider's stand-in, and what their processes cost."""

import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path

from starter.demo.stage import Stage, new_folder
from starter.local import DevServer, temporal_program

# Requests a minute that nothing here reaches, so that no limit of ours is what is measured; and each order has checks
# of its own, as the control has.
LIMIT_LIFTED = {"ONECLICKDZ_RATE_LIMIT": "1000000", "TOPUPS_COALESCE_CHECKS": "false"}


@asynccontextmanager
async def server() -> AsyncIterator[DevServer]:
    """A Temporal server of its own, for as long as the context."""
    folder = new_folder()
    dev = DevServer(await temporal_program(), folder)
    try:
        await dev.start()
        yield dev
    finally:
        dev.process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def ground(speed: float) -> AsyncIterator[Stage]:
    """A server and a provider without a rate limit; `speed` divides the provider's own delays."""
    folder = new_folder()
    stage = Stage(folder, DevServer(await temporal_program(), folder), speed=speed, rate_limit=0)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.end()
        shutil.rmtree(folder, ignore_errors=True)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, s; Linux."""
    # The name of the program, in brackets, may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU time by name, s."""
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest rank: the smallest value that so many of all are not above, which was really measured."""
    return sorted(values)[max(ceil(len(values) * share), 1) - 1]
