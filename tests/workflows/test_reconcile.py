"""The workflow of a reconciliation: what it compares, what it wakes and opens, what it returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio import activity
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import ReconcileActivities
from oneclickdz import OneClickDZ
from tests.unit.test_reconciliation import ours
from tests.workflows.provider import ScriptedProvider, broken, says
from tests.workflows.stage import REF, Stage, resolved
from topups import Phase, TopUps
from topups.books.audits import Audits, audit_id
from topups.books.differences import Act, AuditInput, Compared, Difference, Kind, ReconcileInput, Report, Window
from topups.books.reconciling import ReconciliationFailed, Reconciliations, reconcile_id
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import Reconcile, TopUp, TopUpAudit

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)


class Comparison:
    """The activity that compares, by a script: each step is what it finds, or its failure."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.steps: list[Compared | Exception] = []

    def finds(self, *found: Difference, behind: tuple[str, ...] = ()) -> None:
        report = Report(since=SINCE, until=UNTIL, environment="sandbox", counts={"any": len(found)}, differences=found)
        self.steps.append(Compared(report=report, behind=behind))

    @activity.defn
    async def compare(self, window: Window) -> Compared:
        self.windows.append(window)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def comparison() -> Comparison:
    return Comparison()


@pytest.fixture
async def stage(env: WorkflowEnvironment, provider: ScriptedProvider, comparison: Comparison) -> AsyncIterator[Stage]:
    topups = TopUps(env.client, ClientSettings())
    books = ReconcileActivities(cast("OneClickDZ", None), topups, "sandbox", pace=0, gap=0)
    async with Worker(
        env.client,
        task_queue=TASK_QUEUE,
        workflows=[TopUp, TopUpAudit, Reconcile],
        activities=[*provider.activities, comparison.compare, books.act],
    ):
        yield Stage(env, provider, topups)


def difference(act: Act, ref: str = REF, kind: Kind = Kind.OTHER_STATUS) -> Difference:
    return Difference(kind=kind, ref=ref, says="they differ", act=act)


async def _reconcile(stage: Stage, **given: object) -> Report:
    handle = await stage.env.client.start_workflow(
        Reconcile.run, ReconcileInput(**given), id=reconcile_id(datetime.now(UTC)), task_queue=TASK_QUEUE
    )
    report = await handle.result()
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert f"{report.found} differences" in metadata.current_details
    return report


async def test_the_window_is_the_last_three_days_or_what_was_asked_for(stage: Stage, comparison: Comparison) -> None:
    comparison.finds()
    comparison.finds()
    await _reconcile(stage)
    assert comparison.windows[0].until - comparison.windows[0].since == timedelta(days=3)
    report = await _reconcile(stage, since=SINCE, until=UNTIL)
    assert comparison.windows[1] == Window(since=SINCE, until=UNTIL)
    assert report.found == 0


async def test_books_that_cant_be_read_are_read_again(stage: Stage, comparison: Comparison) -> None:
    comparison.steps = [broken(), broken()]
    comparison.finds()
    assert (await _reconcile(stage)).found == 0
    assert len(comparison.windows) == 3


async def test_books_that_cant_be_read_for_hours_fail_it_and_say_why(stage: Stage, comparison: Comparison) -> None:
    comparison.steps = [ApplicationError("the provider's list has no end", non_retryable=True)]
    reconciliations = Reconciliations(stage.env.client, TASK_QUEUE)
    started = await reconciliations.start(ReconcileInput())
    with pytest.raises(ReconciliationFailed, match="the books couldn't be compared: the provider's list has no end"):
        await reconciliations.report(started)


async def test_an_unknown_error_that_was_settled_need_not_wait_for_its_24_hours(
    stage: Stage, comparison: Comparison
) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR"), says("FULFILLED"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    await stage.until(order, Phase.UNKNOWN_ERROR)
    await stage.later(3_600)
    comparison.finds(difference("wake"))
    [done] = (await _reconcile(stage)).differences
    assert done.done == "woken"
    view = await stage.until(order, Phase.FULFILLED)
    assert view.last_checked_at is not None
    assert view.last_checked_at - view.accepted_at < timedelta(hours=2)
    assert [event.by for event in view.timeline if event.note == "Recheck asked for"] == ["reconciliation"]


async def test_it_never_moves_the_rechecks_of_an_order_that_is_still_unknown(
    stage: Stage, comparison: Comparison
) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    await stage.later(6)
    due = (await stage.until(order, Phase.UNKNOWN_ERROR)).next_check_at
    await stage.later(3_600)
    comparison.finds(difference("wake"))
    await _reconcile(stage)
    view = await stage.until(order, lambda view: view.checks == 2)
    assert view.next_check_at == due


async def test_orders_that_are_behind_are_woken_and_counted(stage: Stage, comparison: Comparison) -> None:
    stage.provider.follow("check", says("HANDLING"))
    order = await stage.submit()
    await stage.until(order, Phase.PENDING)
    comparison.finds(behind=(REF,))
    report = await _reconcile(stage)
    assert (report.woken, report.differences) == (1, ())


async def test_a_difference_of_an_order_that_ended_opens_an_audit(stage: Stage, comparison: Comparison) -> None:
    await stage.run()
    comparison.finds(difference("audit", kind=Kind.LATE_REVERSAL))
    [done] = (await _reconcile(stage)).differences
    assert done.done == "audit opened"
    view = await Audits(stage.env.client, TASK_QUEUE).view(REF)
    assert view is not None
    assert (view.ours, view.by, view.why) == ("FULFILLED", "reconciliation", "they differ")
    assert view.review_reason


@pytest.mark.parametrize(
    ("act", "done"),
    [
        ("none", "reported"),
        ("reopen", f"its run was broken off: topup reopen {REF} --note …"),
    ],
)
async def test_what_was_done_about_a_difference_is_told(
    stage: Stage, comparison: Comparison, act: Act, done: str
) -> None:
    comparison.finds(difference(act))
    [told] = (await _reconcile(stage)).differences
    assert told.done == done


async def test_an_order_whose_own_ref_looks_like_an_audit_is_never_taken_over(stage: Stage) -> None:
    taken = await stage.submit(ref=f"audit-{REF}")
    await stage.end(taken)
    audits = Audits(stage.env.client, TASK_QUEUE)
    said = await audits.open(AuditInput(order=ours(ref=REF), why="x", by="y"))
    assert said == f"no audit: its id {audit_id(REF)} is another order's"
    assert (await taken.view()).phase is Phase.FULFILLED


async def test_a_resolve_leaves_an_order_alone_whose_ref_looks_like_its_audit(stage: Stage) -> None:
    taken = await stage.submit(ref=f"audit-{REF}")
    await stage.end(taken)
    order = await resolved(stage)
    assert (await order.result(timeout=20)).phase is Phase.REFUNDED
    assert (await taken.view()).phase is Phase.FULFILLED
