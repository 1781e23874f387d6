"""The time by which an order decides. Only what stands in its history may lead it to another command.

When an order is looked at (a query) between an event and the next workflow task, and no worker has it in memory, the
SDK runs the workflow past its last task with *that* task's time. What it then decided goes into the history. A replay
sees the same events with the true time, so a decision that hangs on the clock could come out differently, and no
worker could go on with the order. Hence: a fired timer's time has passed, and `deliver_by` passes by a timer.

One decision hangs on a task's own time: an order that hears when its next check is due asks in that very task. There
`workflows.runner` alone keeps such a look away.
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from topups.policy import A_MOMENT
    from workflows.releases import Ways


class Clock:
    """By timers, but for orders that began before `deliver_by` had a timer of its own.

    `late`: `deliver_by` has passed. Made where an order's ways are known, which may be long after it was accepted.
    """

    def __init__(self, deliver_by: datetime, ways: Ways) -> None:
        self.by_timers = ways.by_timers
        self._deliver_by = deliver_by
        self._not_before = workflow.now()
        self.late = self._not_before >= deliver_by

    def now(self) -> datetime:
        """Never before a fired timer, and on that side of `deliver_by` which its own timer tells."""
        now = max(workflow.now(), self._not_before)
        if not self.by_timers or self.late:
            return now
        return min(now, self._deliver_by - A_MOMENT)

    def passed(self, moment: datetime) -> None:
        """A timer fired that was set to a moment."""
        self._not_before = max(self._not_before, moment)

    def left(self, until: datetime) -> timedelta:
        """How long a timer must be set; never nothing, since whether there is a timer may not hang on the clock."""
        return max(until - self.now(), A_MOMENT) if self.by_timers else until - self.now()

    def start(self) -> None:
        """Set the timer of `deliver_by`. Called once."""
        if self.by_timers and not self.late:
            self._passing = asyncio.create_task(self._pass_deliver_by())

    async def _pass_deliver_by(self) -> None:
        await workflow.sleep(self._deliver_by - workflow.now(), summary="Nothing is sent after this")
        self.late = True
        self.passed(self._deliver_by)
