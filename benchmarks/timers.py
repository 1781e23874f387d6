"""The timers of an order, out of its history: when each was due and when Temporal fired it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from topups.start import workflow_id

HISTORIES_AT_ONCE = 20


@dataclass(slots=True)
class Timer:
    """Epoch seconds. `ended_at` is when it fired or was cancelled; `checks` were asked for before it began."""

    started_at: float
    due_at: float
    checks: int
    ended_at: float | None = None
    fired: bool = False

    @property
    def seconds(self) -> float:
        """For how long it was set."""
        return self.due_at - self.started_at

    @property
    def late_seconds(self) -> float | None:
        """How long after it was due it fired; None where it didn't."""
        return self.ended_at - self.due_at if self.fired and self.ended_at is not None else None

    def runs_at(self, moment: float) -> bool:
        """Whether it was under way then."""
        return self.started_at <= moment and (self.ended_at is None or self.ended_at > moment)


async def timers_of(client: Client, refs: Iterable[str]) -> dict[str, list[Timer]]:
    """Return the timers of each order's present run, in the order in which they began."""
    places = asyncio.Semaphore(HISTORIES_AT_ONCE)

    async def read(ref: str) -> tuple[str, list[Timer]]:
        async with places:
            history = await client.get_workflow_handle(workflow_id(ref)).fetch_history()
        return ref, in_history(history.events)

    return dict(await asyncio.gather(*(read(ref) for ref in refs)))


def in_history(events: Iterable[HistoryEvent]) -> list[Timer]:
    """Return the timers that these events tell of."""
    found: dict[int, Timer] = {}
    checks = 0
    for event in events:
        at = event.event_time.ToNanoseconds() / 1e9
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                checks += event.activity_task_scheduled_event_attributes.activity_type.name == "check"
            case EventType.EVENT_TYPE_TIMER_STARTED:
                timeout = event.timer_started_event_attributes.start_to_fire_timeout
                found[event.event_id] = Timer(at, at + timeout.ToNanoseconds() / 1e9, checks)
            case EventType.EVENT_TYPE_TIMER_FIRED:
                timer = found[event.timer_fired_event_attributes.started_event_id]
                timer.ended_at, timer.fired = at, True
            case EventType.EVENT_TYPE_TIMER_CANCELED:
                found[event.timer_canceled_event_attributes.started_event_id].ended_at = at
            case _:
                pass
    return list(found.values())
