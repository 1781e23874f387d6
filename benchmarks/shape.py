"""The least number of events that an order's way needs on Temporal, and what ours adds to it.

A workflow task is three events (scheduled, started, completed). What wakes a workflow brings a task:

* the start: itself and a task, 4; the end: 1, in the task before it;
* an activity: scheduled, started, completed and a task, 6; a timer: started, fired and a task, 5;
  so a poll, which is a timer and an activity, is 11;
* a local activity: one marker, 1, in the task that asked for it;
* an update: accepted, completed and a task, 5; a timer that it makes needless: started and cancelled, 2.

Ours adds, each by a name of its own: `lists`, an upsert of search attributes for each change that a list shows;
`versions`, a marker and an upsert for each `workflow.patched` (none since releases stand in the policy's marker);
`deliver_by`, the timer after which nothing is sent.
"""

from collections.abc import Sequence
from typing import Literal

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

TASK = 3
START, END = 1 + TASK, 1
Step = Literal["policy", "clock", "prepare", "send", "look_up", "check", "wait", "word", "broken_wait"]
COSTS: dict[Step, int] = {
    **dict.fromkeys(("policy", "clock"), 1),
    **dict.fromkeys(("prepare", "send", "look_up", "check"), 3 + TASK),
    "wait": 2 + TASK,
    "word": 2 + TASK,
    "broken_wait": 2,
}
BEGIN: tuple[Step, ...] = ("policy", "prepare", "send")
POLL: tuple[Step, ...] = ("wait", "check")
VERSIONS_ATTRIBUTE = "TemporalChangeVersion"


def needed(steps: Sequence[Step]) -> int:
    """Events of a whole order with these steps."""
    return START + sum(COSTS[step] for step in steps) + END


def extras(events: Sequence[HistoryEvent]) -> dict[str, int]:
    """Count what ours adds, by name."""
    upserts = [
        event.upsert_workflow_search_attributes_event_attributes
        for event in _of(events, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    ]
    for_versions = sum(VERSIONS_ATTRIBUTE in upsert.search_attributes.indexed_fields for upsert in upserts)
    markers = [event.marker_recorded_event_attributes.marker_name for event in _of(events, "MARKER_RECORDED")]
    # Of all timers only this one is left when an order ends; one that fired took a task with it.
    left = len(_of(events, "TIMER_STARTED")) - len(_of(events, "TIMER_FIRED")) - len(_of(events, "TIMER_CANCELED"))
    return {
        "lists": len(upserts) - for_versions,
        "versions": markers.count("core_patch") + for_versions,
        "deliver_by": left,
    }


def _of(events: Sequence[HistoryEvent], name: str) -> list[HistoryEvent]:
    wanted = EventType.Value(f"EVENT_TYPE_{name}")
    return [event for event in events if event.event_type == wanted]
