"""The control's worker, as a process: `python -m benchmarks.smallest_worker`, settings as for `python worker.py`.

Its options, its activities, its notes of them and its client of the provider are those of the real worker.
"""

import asyncio
import signal
import sys

from temporalio.client import Client
from temporalio.worker import Worker

import worker as real
from activities import PolicyActivities, ProviderActivities
from activities.succession import NotesKept, under_way_at
from activities.under_way import UnderWay
from benchmarks.smallest import TASK_QUEUE, Smallest
from oneclickdz import OneClickDZ
from starter.demo.stage import WORKER_IS_READY
from topups import connect_temporal
from topups.logs import set_up_logging
from topups.policy import Policy
from topups.settings import WorkerSettings
from topups.version import installed_version
from workflows.runner import UpToTheLastTask


def build(client: Client, provider: OneClickDZ, settings: WorkerSettings, under_way: UnderWay) -> Worker:
    """Return a worker with the options of the real one."""
    asks = ProviderActivities(provider, settings.environment)
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Smallest],
        workflow_runner=UpToTheLastTask(),
        activities=[asks.prepare, asks.send, asks.check, PolicyActivities(Policy()).read_policy],
        interceptors=[NotesKept(under_way)],
        build_id=installed_version(),
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
    settings = WorkerSettings()
    async with real.provider_client(settings) as provider:
        client = await connect_temporal()
        with under_way_at(settings.state_dir, client) as under_way:
            async with build(client, provider, settings, under_way):
                sys.stdout.write(f"{WORKER_IS_READY}\n")
                sys.stdout.flush()
                await stop.wait()


if __name__ == "__main__":
    set_up_logging()
    asyncio.run(serve())
