"""Answers for the activities of a worker that died on this host; else Temporal would wait for a time-out, 8 to 10 s.

The answer is the one that an order gives itself at the time-out: the worker was lost, and nobody knows what it did.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest, ShutdownWorkerRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.under_way import Estate, Note, UnderWay
from topups.lifecycle import Request
from topups.observations import InDoubt, NoAnswer

log = logging.getLogger("topups.activities")

LOOK_SECONDS = 1.0
AT_ONCE = 20
# So many orders are asked which queue the dead worker had, and so many of each one's events.
FEW, NEWEST_EVENTS = 5, 30
# It was answered already, or belongs to somebody else.
CLOSED = {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}
DIED = NoAnswer(why="the worker died while asking", lost=True)
LOST: dict[str, InDoubt | NoAnswer] = {
    "prepare": DIED,
    "send": InDoubt(why="the worker died in the middle of the send", lost=True),
    "look_up": DIED,
    "check": DIED,
}


class NotesKept(Interceptor):
    """Keeps a note of each activity that asks the provider about an order, while it runs."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way

    def intercept_activity(self, inbound: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the activity with its note."""
        return _Noted(inbound, self._under_way)


class _Noted(ActivityInboundInterceptor):
    def __init__(self, inbound: ActivityInboundInterceptor, under_way: UnderWay) -> None:
        super().__init__(inbound)
        self._under_way = under_way

    async def execute_activity(self, asked: ExecuteActivityInput) -> Any:
        info = activity.info()
        if info.activity_type not in LOST:
            return await super().execute_activity(asked)
        note = Note(
            activity=cast("Request", info.activity_type),
            activity_id=info.activity_id,
            worker=activity.client().identity,
            workflow_id=info.workflow_id or "",
            run_id=info.workflow_run_id or "",
            task_token=info.task_token,
        )
        with self._under_way.noted(note):
            return await super().execute_activity(asked)


def under_way_at(state_dir: Path, client: Client) -> UnderWay:
    """Return the notes of a worker; its peers are those with the same folder, server and namespace."""
    return UnderWay(state_dir, f"{client.service_client.config.target_host} {client.namespace}")


async def succeed_the_dead(client: Client, under_way: UnderWay) -> None:
    """Look for dead workers of this host every second, for ever. Raises nothing: the time-outs would tell as well."""
    while True:
        with _logged():
            for estate in await asyncio.to_thread(under_way.estates):
                with _logged():
                    await _settle(client, under_way, estate)
        await asyncio.sleep(LOOK_SECONDS)


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("A worker of this host died, and Temporal can't be told now; it is tried again")


async def _settle(client: Client, under_way: UnderWay, estate: Estate) -> None:
    try:
        await _let_go(client, estate.notes[:FEW])
        answered = await _answer_all(client, estate.notes)
        await asyncio.to_thread(under_way.remove, estate)
    finally:
        estate.close()
    if estate.notes:
        log.warning("A worker of this host died with %d activities under way; their orders go on", answered)


async def _let_go(client: Client, notes: list[Note]) -> None:
    """Let the next tasks of all orders that it had in memory go to other workers; they would wait 5 s for it."""
    for note in notes:
        with suppress(RPCError):
            queue = sticky_queue(note, await _newest_events(client, note))
            if queue is not None:
                gone = ShutdownWorkerRequest(
                    namespace=client.namespace, identity=note.worker, sticky_task_queue=queue, reason="it died"
                )
                await client.workflow_service.shutdown_worker(gone)
                return


async def _newest_events(client: Client, note: Note) -> Sequence[HistoryEvent]:
    asked = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=note.workflow_id, run_id=note.run_id),
        maximum_page_size=NEWEST_EVENTS,
    )
    answer = await client.workflow_service.get_workflow_execution_history_reverse(asked)
    return answer.history.events


def sticky_queue(note: Note, newest_first: Sequence[HistoryEvent]) -> str | None:
    """Return the queue of the orders that a worker had in memory, None where this order doesn't tell.

    Only what came before the noted activity counts: a worker that is started in the same place may have the same name.
    """
    ids = [event.activity_task_scheduled_event_attributes.activity_id for event in newest_first]
    before = newest_first[ids.index(note.activity_id) :] if note.activity_id in ids else []
    its_tasks = {
        event.workflow_task_started_event_attributes.scheduled_event_id
        for event in before
        if event.workflow_task_started_event_attributes.identity == note.worker
    }
    queues = (
        event.workflow_task_scheduled_event_attributes.task_queue for event in before if event.event_id in its_tasks
    )
    return next((queue.name for queue in queues if queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY), None)


async def _answer_all(client: Client, notes: list[Note]) -> int:
    """Return how many were still open. Raises RPCError when Temporal can't be told now."""
    places = asyncio.Semaphore(AT_ONCE)

    async def answer(note: Note) -> bool:
        async with places:
            return await _answer(client, note)

    answered = await asyncio.gather(*map(answer, notes), return_exceptions=True)
    failed = [one for one in answered if isinstance(one, BaseException)]
    if failed:
        raise failed[0]
    return answered.count(True)


async def _answer(client: Client, note: Note) -> bool:
    try:
        await client.get_async_activity_handle(task_token=note.task_token).complete(LOST[note.activity])
    except RPCError as error:
        if error.status not in CLOSED:
            raise
        return False
    return True
