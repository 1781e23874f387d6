"""Heartbeats around a piece of work that must not be torn in the middle."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import activity

HEARTBEAT_SECONDS = 2.0

T = TypeVar("T")


async def beating(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end while telling Temporal that this worker lives.

    A cancellation or shutdown doesn't reach the work: a POST that may have left must be heard to its end, its
    answer is worth more than the cancellation. The work bounds its own time.
    """
    task = asyncio.create_task(work)
    while not task.done():
        try:
            done, _ = await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS)
        except asyncio.CancelledError:
            continue
        # Only now: most work is done before its first heartbeat, which is a call and a write for the server.
        if not done:
            activity.heartbeat()
    return task.result()
