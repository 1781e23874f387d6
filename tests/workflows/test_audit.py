"""An order that ended is watched until both sides agree, or a person closes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from tests.replay import clocks
from tests.unit.test_reconciliation import ours, theirs
from tests.workflows.provider import ScriptedProvider
from tests.workflows.stage import DAY, PATIENCE_SECONDS, REF, Stage, resolved
from topups import NoSuchOrder, Phase, TopUpsPlugin, search_attributes
from topups.books import audits
from topups.books.audits import Audits, audit_id
from topups.books.differences import AuditInput, AuditResult, AuditView, Difference, Kind, OurOrder
from topups.models import Recheck
from topups.observations import Record
from topups.settings import TASK_QUEUE
from workflows import TopUpAudit

SILENT = ApplicationError("nobody there", non_retryable=True)
RESOLVED = ours(Phase.REFUNDED, resolved_by="fatima", ref=REF)
REVERSED = Difference(kind=Kind.LATE_REVERSAL, ref=REF, theirs="REFUNDED", says="they took it back")


@dataclass
class Watch:
    """The audit of `order-1`, and its clock."""

    stage: Stage
    audits: Audits

    @property
    def handle(self) -> WorkflowHandle[Any, AuditResult]:
        return self.stage.topups.client.get_workflow_handle(audit_id(REF), result_type=AuditResult)

    def shows(self, *shown: tuple[Record, ...] | Exception) -> None:
        self.stage.provider.shown = list(shown)

    async def open(self, order: OurOrder, difference: Difference | None = None) -> str:
        return await self.audits.open(AuditInput(order=order, why="a reason", by="fatima", difference=difference))

    async def later(self, days: float) -> None:
        if self.stage.skipper is None:
            await self.stage.env.sleep(days * DAY)
        else:
            with suppress(RPCError):
                await self.stage.skipper.fast_forward(self.handle, days * DAY)

    async def until(self, wanted: Callable[[AuditView], bool]) -> AuditView:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            view = await self.audits.view(REF)
            if view is not None and wanted(view):
                return view
            assert time.monotonic() < deadline, view
            await asyncio.sleep(0.02)

    async def needs_review(self) -> bool:
        described = await self.handle.describe()
        return described.typed_search_attributes[search_attributes.NEEDS_REVIEW]

    async def result(self) -> AuditResult:
        """Let time pass until its end."""
        result = asyncio.create_task(self.handle.result())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await asyncio.wait({result}, timeout=0.02))[0]:
                with suppress(RPCError):
                    await self.later(0.25)
        return result.result()


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage, Audits(stage.topups.client, TASK_QUEUE))


async def test_it_looks_daily_and_ends_when_the_provider_says_the_same(
    watch: Watch, provider: ScriptedProvider, exact_clock: None
) -> None:
    watch.shows((theirs("UNKNOWN_ERROR"),), (theirs("UNKNOWN_ERROR"),), (theirs("REFUNDED"),))
    await watch.open(RESOLVED)
    assert not await watch.needs_review()
    result = await watch.result()
    assert (result.agreed, result.theirs, result.checks, result.closed_by) == (True, "REFUNDED", 3, None)
    began = result.opened_at
    assert [round((at - began).total_seconds() / DAY, 2) for at in provider.looked] == [1, 2, 3]


async def test_it_stays_open_when_the_provider_says_the_opposite_until_a_person_closes_it(
    watch: Watch, provider: ScriptedProvider
) -> None:
    watch.shows((theirs("FULFILLED"),))
    await watch.open(RESOLVED)
    await watch.later(1.1)
    view = await watch.until(lambda view: view.checks == 1)
    assert (view.theirs, view.next_check_at) == ("FULFILLED", None)
    assert await watch.needs_review()
    await watch.later(40)
    assert len(provider.looked) == 1
    closed = await watch.audits.close(REF, note="ticket 881", by="karim")
    assert (closed.agreed, closed.closed_by, closed.closed_note) == (False, "karim", "ticket 881")
    assert closed.review_reason
    assert not await watch.needs_review()


async def test_after_30_days_an_undecided_provider_is_a_persons(watch: Watch, provider: ScriptedProvider) -> None:
    watch.shows((theirs("UNKNOWN_ERROR"),))
    await watch.open(RESOLVED)
    await watch.later(29.5)
    await watch.until(lambda view: view.checks == 29)
    assert not await watch.needs_review()
    await watch.later(1)
    view = await watch.until(lambda view: view.checks == 30)
    assert view.review_reason == "after 30 days they still have it as UNKNOWN_ERROR, and ours is REFUNDED"
    assert await watch.needs_review()
    await watch.later(20)
    assert len(provider.looked) == 30
    assert (await watch.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_difference_needs_review_from_the_start_and_ends_when_the_provider_mends_it(watch: Watch) -> None:
    watch.shows((theirs("FULFILLED", ref=REF),))
    assert await watch.open(ours(ref=REF), REVERSED) == "audit opened"
    assert await watch.needs_review()
    await watch.later(1.1)
    assert (await watch.result()).agreed
    assert not await watch.needs_review()


async def test_a_person_may_have_it_look_now(watch: Watch, provider: ScriptedProvider) -> None:
    watch.shows((theirs("REFUNDED"),))
    await watch.open(RESOLVED)
    await watch.handle.signal("recheck", Recheck(by="karim"))
    assert (await watch.result()).agreed
    assert len(provider.looked) == 1


async def test_days_without_an_answer_count_and_are_told_after_the_third(watch: Watch) -> None:
    watch.shows(SILENT)
    await watch.open(RESOLVED)
    await watch.later(2.5)
    assert not await watch.needs_review()
    await watch.later(1)
    view = await watch.until(lambda view: view.review_reason is not None)
    assert view.review_reason == "nobody at the provider could be asked for 3 days"
    watch.shows((theirs("REFUNDED"),))
    await watch.later(1)
    assert (await watch.result()).agreed


async def test_an_open_audit_is_looked_at_anew_and_one_that_a_person_closed_stays_closed(watch: Watch) -> None:
    watch.shows((theirs("REFUNDED"),))
    reversed_order = ours(ref=REF)
    await watch.open(reversed_order, REVERSED)
    assert (await watch.open(reversed_order, REVERSED)).startswith("its audit is open since")
    view = await watch.until(lambda view: view.checks == 1)
    assert view.difference is not None
    await watch.audits.close(REF, note="settled", by="karim")
    assert await watch.open(reversed_order, view.difference) == "closed by karim: settled"
    assert await watch.open(reversed_order, REVERSED.model_copy(update={"theirs": "PENDING"})) == "audit opened"


async def test_the_ui_tells_what_it_waits_for(watch: Watch) -> None:
    await watch.open(ours(ref=REF), REVERSED)
    await watch.until(lambda view: view.next_check_at is not None)
    told = await watch.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert "they took it back" in told.current_details
    assert "topup close-audit order-1" in told.current_details


async def test_nobody_closes_an_audit_that_is_not_there(watch: Watch) -> None:
    with pytest.raises(NoSuchOrder, match="no audit of order-1"):
        await watch.audits.close(REF, note="x", by="karim")
    assert await watch.audits.view(REF) is None


async def test_what_an_audit_does_never_hangs_on_the_clock(watch: Watch) -> None:
    """A look between two tasks runs it with the former task's time; its replay has the true one."""
    watch.shows((theirs("UNKNOWN_ERROR"),), SILENT, (theirs("FULFILLED"),), (theirs("REFUNDED"),))
    await watch.open(RESOLVED)
    await watch.later(3.5)
    await watch.until(lambda view: view.review_reason is not None)
    await watch.handle.signal("recheck", Recheck(by="karim"))
    assert (await watch.result()).agreed
    history = await watch.handle.fetch_history()
    replayer = Replayer(workflows=[TopUpAudit], plugins=[TopUpsPlugin()])
    await replayer.replay_workflow(history)
    for stale in clocks.stale(history.to_json()):
        await replayer.replay_workflow(WorkflowHistory.from_json(audit_id(REF), stale))


async def test_the_open_audits_are_listed_with_and_without_a_worker(
    local_env: WorkflowEnvironment, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "QUERY_TIMEOUT", timedelta(seconds=1))
    books = Audits(local_env.client, TASK_QUEUE)
    for ref in ("one", "two"):
        await books.open(AuditInput(order=ours(ref=ref), why="a reason", by="fatima", difference=REVERSED))

    async def are_listed(why: str, review_reason: str) -> None:
        deadline, wanted = time.monotonic() + PATIENCE_SECONDS, dict.fromkeys(("one", "two"), (why, review_reason))
        while (found := {view.ref: (view.why, view.review_reason) async for view in books.all_open()}) != wanted:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.1)

    await are_listed("no worker answered", "no worker answered")
    async with Worker(local_env.client, task_queue=TASK_QUEUE, workflows=[TopUpAudit], activities=[provider.look]):
        await are_listed("a reason", "they took it back")


async def test_a_resolve_opens_one_audit_that_outlives_the_order(watch: Watch) -> None:
    await resolved(watch.stage)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await watch.stage.handle.result()).resolved_by == "fatima"
    view = await watch.until(lambda view: view.next_check_at is not None)
    assert (view.ours, view.by, view.why, view.review_reason) == ("REFUNDED", "fatima", "resolved: ticket 881", None)


async def test_a_resolve_whose_audit_is_open_already_ends_all_the_same(watch: Watch) -> None:
    await watch.open(ours(ref=REF), REVERSED)
    order = await resolved(watch.stage)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await watch.stage.handle.result()).phase is Phase.REFUNDED
    assert (await order.view()).resolved_by == "fatima"
    assert (await watch.until(lambda view: view.next_check_at is not None)).why == "a reason"


async def test_an_order_that_the_provider_settles_opens_none(watch: Watch) -> None:
    await watch.stage.run()
    with pytest.raises(RPCError):
        await watch.handle.describe()
