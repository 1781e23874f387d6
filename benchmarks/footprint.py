"""Memory and CPU of running processes, as Linux counts them in /proc."""

import asyncio
import os
from pathlib import Path
from statistics import median

LOOK_SECONDS = 0.5
MEGABYTE = 1e6
# Why a benchmark that asks for any of this is skipped; None on Linux.
WHY_NOT = None if Path("/proc/self/status").exists() else "memory and CPU are read from /proc, so this needs Linux"


def memory(pid: int) -> float:
    """Resident memory of a process and all its descendants, MB; a page that they share counts for each."""
    return sum(_status_kilobytes(each, "VmRSS") for each in _family(pid)) * 1024 / MEGABYTE


def peak_memory(pid: int) -> float:
    """The most that one process has ever had resident, MB."""
    return _status_kilobytes(pid, "VmHWM") * 1024 / MEGABYTE


def cpu_seconds(pid: int) -> float:
    """CPU that one process has used so far, all threads, user and system."""
    # The name of the program stands in brackets and may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def steady_memory(*pids: int, seconds: float) -> tuple[float, ...]:
    """The median of each one's memory over so many seconds, MB: one look may meet a garbage collection."""
    looks: list[tuple[float, ...]] = []
    deadline = asyncio.get_running_loop().time() + seconds
    while not looks or asyncio.get_running_loop().time() < deadline:
        looks.append(tuple(memory(pid) for pid in pids))
        await asyncio.sleep(LOOK_SECONDS)
    return tuple(median(of_one) for of_one in zip(*looks, strict=True))


def _family(pid: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return [pid, *(descendant for child in children for descendant in _family(child))]


def _children(task: Path) -> list[str]:
    return (task / "children").read_text(encoding="utf-8").split()


def _status_kilobytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
