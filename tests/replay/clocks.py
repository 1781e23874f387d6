"""Histories whose clocks stood still, as the SDK lets them for an order that is looked at between two tasks."""

import json
from collections.abc import Iterator
from itertools import pairwise

_STARTED, _COMPLETED = "EVENT_TYPE_WORKFLOW_TASK_STARTED", "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"


def stale(text: str) -> Iterator[str]:
    """Yield the history once for each workflow task but the first, with that task at the time of the one before."""
    history = json.loads(text)
    events = history["events"]
    tasks = [
        event
        for event, after in pairwise(events)
        if event["eventType"] == _STARTED and after["eventType"] == _COMPLETED
    ]
    for before, task in pairwise(tasks):
        true_time, task["eventTime"] = task["eventTime"], before["eventTime"]
        yield json.dumps(history)
        task["eventTime"] = true_time
