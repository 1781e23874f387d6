"""The daily reconciliation: our orders of a window against the provider's books, and what was done about it.

It runs by the schedule `topup-reconcile` and by `topup reconcile`. Its result is the report. The books themselves never
pass through it: they are read and compared in one activity, which returns what differs.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.reconcile import ReconcileActivities
    from topups.books.differences import Compared, ReconcileInput, Report, Window

COMPARE_TIMEOUT, COMPARE_GIVEN_UP = timedelta(hours=2), timedelta(hours=6)
ACT_TIMEOUT, ACT_GIVEN_UP = timedelta(minutes=30), timedelta(hours=2)
HEARTBEAT_TIMEOUT = timedelta(seconds=60)
# Both only read at the provider, and what they tell orders is harmless when told twice.
AGAIN = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=5))


@workflow.defn(name="Reconcile")
class Reconcile:
    """One reconciliation. It fails when the provider's books can't be read for hours."""

    @workflow.run
    async def run(self, given: ReconcileInput) -> Report:
        """Compare, act, report."""
        until = given.until or workflow.info().workflow_start_time
        window = Window(since=given.since or until - timedelta(days=given.days), until=until)
        workflow.set_current_details(f"Comparing {_span(window)}, asked for by {given.by}")
        compared = await self._compare(window)
        workflow.set_current_details(_in_markdown(compared.report))
        report = await self._act(compared)
        workflow.set_current_details(_in_markdown(report))
        return report

    async def _compare(self, window: Window) -> Compared:
        return await workflow.execute_activity_method(
            ReconcileActivities.compare,
            window,
            start_to_close_timeout=COMPARE_TIMEOUT,
            schedule_to_close_timeout=COMPARE_GIVEN_UP,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=AGAIN,
            summary="Read both books and compare them",
        )

    async def _act(self, compared: Compared) -> Report:
        return await workflow.execute_activity_method(
            ReconcileActivities.act,
            compared,
            start_to_close_timeout=ACT_TIMEOUT,
            schedule_to_close_timeout=ACT_GIVEN_UP,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=AGAIN,
            summary="Wake orders, open audits",
        )


def _span(window: Window) -> str:
    return f"{window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC"


def _in_markdown(report: Report) -> str:
    window = Window(since=report.since, until=report.until)
    lines = [
        f"### {report.found} differences",
        f"{_span(window)}: {report.orders} orders, {report.records} records, {report.movements} transactions",
        "",
    ]
    lines += [f"- {kind}: {count}" for kind, count in sorted(report.counts.items())]
    lines += [f"- `{one.ref or ' '.join(one.topup_ids) or 'balance'}` {one.says}" for one in report.differences[:20]]
    return "\n".join(lines)
