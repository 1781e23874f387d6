"""The control's worker, as a process: `python -m benchmarks.smallest_worker`, settings as for `python worker.py`.

Its options, its sandbox and its client of the provider are those of the real worker.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

import worker as real
from benchmarks.smallest import TASK_QUEUE, Given, Smallest
from oneclickdz import Catalogue, OneClickDZ
from starter.demo.stage import WORKER_IS_READY
from topups.policy import REQUEST_GAP_SECONDS
from topups.settings import WorkerSettings
from workflows.runner import UpToTheLastTask


class SmallestActivities:
    """The same requests as ours, and nothing is made of the answers."""

    def __init__(self, provider: OneClickDZ) -> None:
        self._provider = provider
        self._catalogue: asyncio.Task[Catalogue] | None = None

    @property
    def all(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [self.read_policy, self.prepare, self.send, self.check]

    @activity.defn
    async def read_policy(self) -> float:
        """Return the wait before a check, s: what ours comes to as well when its own waits are shorter."""
        return REQUEST_GAP_SECONDS

    @activity.defn
    async def prepare(self, given: Given) -> str:
        """Ask whose key it is, and load the catalogue once, as ours does."""
        account = await self._provider.identify()
        if self._catalogue is None:
            self._catalogue = asyncio.create_task(self._provider.plans())
        assert (await self._catalogue).find(given.plan_code) is not None
        return account.username or ""

    @activity.defn
    async def send(self, given: Given) -> str:
        """POST the order."""
        taken = await self._provider.send(
            plan_code=given.plan_code, phone=given.phone, amount=given.amount, ref=given.ref, may_leave=lambda: None
        )
        return taken.topup_id

    @activity.defn
    async def check(self, topup_id: str) -> str:
        """Ask for the order by its id."""
        return (await self._provider.check_id(topup_id)).status


def build(client: Client, provider: OneClickDZ) -> Worker:
    """Return a worker with the options of the real one."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Smallest],
        workflow_runner=UpToTheLastTask(),
        activities=SmallestActivities(provider).all,
        max_cached_workflows=real.CACHED_WORKFLOWS,
        max_concurrent_activities=real.CONCURRENT_ACTIVITIES,
        max_concurrent_workflow_tasks=real.CONCURRENT_WORKFLOW_TASKS,
        max_concurrent_workflow_task_polls=real.WORKFLOW_TASK_POLLS,
        nonsticky_to_sticky_poll_ratio=real.POLLS_FOR_ANY_ORDER,
        sticky_queue_schedule_to_start_timeout=real.STICKY_TIMEOUT,
        max_heartbeat_throttle_interval=real.HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=real.HEARTBEAT_THROTTLE,
    )


async def serve() -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with real.provider_client(WorkerSettings()) as provider:
        client = await Client.connect(**ClientConfig.load_client_connect_config())
        async with build(client, provider):
            sys.stdout.write(f"{WORKER_IS_READY}\n")
            sys.stdout.flush()
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
