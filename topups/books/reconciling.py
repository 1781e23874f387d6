"""Reconciliations: the daily schedule, one by hand, and the newest report."""

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)

from topups.books.differences import ReconcileInput, Report
from topups.errors import NotConfirmed, TopUpError
from topups.start import ID_PREFIX
from topups.temporal_errors import explained

RECONCILE_TYPE = "Reconcile"
SCHEDULE_ID = f"{ID_PREFIX}reconcile"
SUMMARY = "Our orders against the provider's books"
# One missed day is caught up with; more of them would say the same.
CATCH_UP = timedelta(days=1)
TAKEN_SECONDS = 30.0


class ReconciliationFailed(TopUpError):
    """The books couldn't be compared, and why; nothing was changed."""


def reconcile_id(at: datetime) -> str:
    """Id of a reconciliation by hand; like those of the schedule it holds a colon, which no ref does."""
    return f"{SCHEDULE_ID}-{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


async def keep_schedule(client: Client, task_queue: str, *, hour: int, days: float) -> bool:
    """Have the daily reconciliation run at an hour (UTC); True where it is new.

    What is there already is brought to these settings; whether it is paused stays as it is.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            RECONCILE_TYPE, ReconcileInput(days=days), id=SCHEDULE_ID, task_queue=task_queue, static_summary=SUMMARY
        ),
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(hour)])]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )

    def as_set(known: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule.state = known.description.schedule.state
        return ScheduleUpdate(schedule=schedule)

    with explained():
        try:
            await client.create_schedule(SCHEDULE_ID, schedule)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(SCHEDULE_ID).update(as_set)
            return False
    return True


class Reconciliations:
    """Start one, follow it, read the newest. Every method raises TemporalUnreachable when Temporal doesn't answer."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, given: ReconcileInput) -> str:
        """Start a reconciliation by hand and return its id."""
        reconcile = reconcile_id(datetime.now(UTC))
        with explained():
            await self._client.start_workflow(
                RECONCILE_TYPE, given, id=reconcile, task_queue=self._task_queue, static_summary=SUMMARY
            )
        return reconcile

    async def progress(self, reconcile: str) -> str | None:
        """Return what is under way in words; None when it has ended.

        Raises NotConfirmed when no worker took it in 30 s: it stays and begins when one is there.
        """
        with explained():
            described = await self._handle(reconcile).describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        pending = described.raw_description.pending_activities
        for activity in pending:
            details = await self._client.data_converter.decode(activity.heartbeat_details.payloads)
            words = [str(one) for one in details if one]
            trouble = activity.last_failure.message
            if activity.attempt > 1 and trouble:
                words.append(f"(try {activity.attempt}; the last one: {trouble})")
            return " ".join(words) or "begins"
        waited = datetime.now(UTC) - described.start_time
        if described.history_length <= _UNTAKEN_EVENTS and waited > timedelta(seconds=TAKEN_SECONDS):
            raise NotConfirmed(f"no worker has taken {reconcile} yet; it begins when one is there")
        return "begins"

    async def report(self, reconcile: str) -> Report:
        """Wait for its end and return the report. Raises ReconciliationFailed."""
        with explained():
            return await _report(self._handle(reconcile))

    async def last(self) -> Report | None:
        """Return the newest report, of the schedule or by hand; None when there is none yet."""
        query = f"WorkflowType = '{RECONCILE_TYPE}' AND ExecutionStatus = 'Completed'"
        with explained():
            async for run in self._client.list_workflows(query, limit=1):
                return await _report(self._handle(run.id))
        return None

    def _handle(self, reconcile: str) -> WorkflowHandle[Any, Report]:
        return self._client.get_workflow_handle(reconcile, result_type=Report)


# Started, and its first task scheduled.
_UNTAKEN_EVENTS = 2


async def _report(handle: WorkflowHandle[Any, Report]) -> Report:
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ReconciliationFailed(f"the books couldn't be compared: {cause}") from error
