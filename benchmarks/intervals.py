"""How often an order really heard from the provider, from the histories of a sample of orders."""

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import pairwise
from statistics import fmean

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from topups.start import workflow_id

SAMPLE = 60
FOUND = "found"


async def mean_interval(client: Client, refs: Sequence[str], since: float = 0.0) -> float | None:
    """Return the mean time between two answers for the same order, seconds, of at most 60 of the orders.

    Only those that end ``since`` then (epoch seconds) count; None when there are none. An answer that tells the order's
    status counts, whatever activity brought it.
    """
    intervals: list[float] = []
    for ref in refs[:: max(1, len(refs) // SAMPLE)][:SAMPLE]:
        history = await client.get_workflow_handle(workflow_id(ref)).fetch_history()
        answered = [moment async for moment in _answers(client, history.events)]
        intervals += [later - earlier for earlier, later in pairwise(answered) if later >= since]
    return fmean(intervals) if intervals else None


async def _answers(client: Client, events: Iterable[HistoryEvent]) -> AsyncIterator[float]:
    for event in events:
        if not event.HasField("activity_task_completed_event_attributes"):
            continue
        result = event.activity_task_completed_event_attributes.result
        for answer in await client.data_converter.decode(result.payloads):
            if isinstance(answer, dict) and answer.get("kind") == FOUND:
                yield event.event_time.ToMicroseconds() / 1e6
