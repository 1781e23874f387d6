"""Audits: workflows that watch an order which has ended, since nothing can be changed in a run that is closed.

An audit's id is `topup-audit-{ref}`. An order whose own ref begins with `audit-` may have that very id; then no audit
is opened for the other one, and whoever asked is told.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from topups import search_attributes
from topups.books.differences import AuditInput, AuditResult, AuditView, CloseAudit, OurOrder
from topups.errors import NoSuchOrder, NotAllowed, NotConfirmed
from topups.handle import whoami
from topups.models import Recheck
from topups.start import ID_PREFIX, TASK_TIMEOUT
from topups.temporal_errors import explained

AUDIT_TYPE = "TopUpAudit"
AUDIT_PREFIX = f"{ID_PREFIX}audit-"
QUERY_TIMEOUT = timedelta(seconds=3)
UPDATE_TIMEOUT = timedelta(seconds=20)


def audit_id(ref: str) -> str:
    """The one workflow id of an order's audit."""
    return f"{AUDIT_PREFIX}{ref}"


def audit_summary(given: AuditInput) -> str:
    """One line for the UI's lists."""
    return f"{given.order.ref} is {given.order.phase}: {given.why}"[:200]


def audit_attributes(order: OurOrder, *, needs_review: bool) -> TypedSearchAttributes:
    """Return what lists show of an audit. It has no phase, so that no count of orders by phase meets it."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.NEEDS_REVIEW, value=needs_review),
            SearchAttributePair(search_attributes.PLAN, order.plan_code),
            SearchAttributePair(search_attributes.PHONE_TAIL, order.phone[-3:]),
        ]
    )


def _listed(ref: str, run: WorkflowExecution) -> AuditView:
    review = run.typed_search_attributes.get(search_attributes.NEEDS_REVIEW, default=False)
    no_worker = "no worker answered"
    return AuditView(
        ref=ref, opened_at=run.start_time, why=no_worker, by="", ours="", review_reason=no_worker if review else None
    )


class Audits:
    """Opens, shows and closes audits. Every method raises TemporalUnreachable when Temporal doesn't answer."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    def _handle(self, ref: str) -> WorkflowHandle[object, AuditResult]:
        return self._client.get_workflow_handle(audit_id(ref), result_type=AuditResult)

    async def open(self, given: AuditInput) -> str:
        """Open an audit, or look at the one that is there; return what was done, in words.

        One that a person closed over the same difference stays closed.
        """
        ref = given.order.ref
        with explained(ref=ref):
            said = await self._said(given)
            if said is not None:
                return said
            try:
                await self._start(given)
            except WorkflowAlreadyStartedError:
                return "its audit is open already"
        return "audit opened"

    async def _said(self, given: AuditInput) -> str | None:
        handle = self._handle(given.order.ref)
        try:
            described = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if described.workflow_type != AUDIT_TYPE:
            return f"no audit: its id {described.id} is another order's"
        if described.status is WorkflowExecutionStatus.RUNNING:
            await handle.signal("recheck", Recheck(by=given.by))
            return f"its audit is open since {described.start_time:%Y-%m-%d %H:%M} UTC"
        if described.status is WorkflowExecutionStatus.COMPLETED:
            ended = await handle.result()
            if ended.closed_by is not None and given.difference and given.difference.same_as(ended.difference):
                return f"closed by {ended.closed_by}: {ended.closed_note}"
        return None

    async def _start(self, given: AuditInput) -> None:
        await self._client.start_workflow(
            AUDIT_TYPE,
            given,
            id=audit_id(given.order.ref),
            task_queue=self._task_queue,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            search_attributes=audit_attributes(given.order, needs_review=given.difference is not None),
            static_summary=audit_summary(given),
        )

    async def all_open(self) -> AsyncIterator[AuditView]:
        """Yield the audits that are open, newest first; without a worker what the list alone tells of them."""
        query = f"WorkflowType = '{AUDIT_TYPE}' AND ExecutionStatus = 'Running'"
        answered = True
        with explained():
            async for run in self._client.list_workflows(query):
                ref = run.id.removeprefix(AUDIT_PREFIX)
                # One that doesn't answer takes 3 s; with many, nobody would wait for all of them.
                view = await self.view(ref) if answered else None
                answered = view is not None
                yield view or _listed(ref, run)

    async def view(self, ref: str) -> AuditView | None:
        """Return an order's audit, open or ended; None where there is none or no worker answers."""
        try:
            view: AuditView = await self._handle(ref).query("view", result_type=AuditView, rpc_timeout=QUERY_TIMEOUT)
        except (RPCError, RPCTimeoutOrCancelledError):
            return None
        return view

    async def close(self, ref: str, *, note: str, by: str | None = None) -> AuditResult:
        """End an audit by a person's word. Raises NoSuchOrder, NotAllowed or NotConfirmed."""
        word = CloseAudit(note=note, by=by or whoami())
        handle = self._handle(ref)
        try:
            await handle.execute_update("close", word, id="close", rpc_timeout=UPDATE_TIMEOUT)
        except RPCTimeoutOrCancelledError:
            raise NotConfirmed(f"no worker answered for the audit of {ref}; run the same again") from None
        except WorkflowUpdateFailedError as error:
            why = error.cause.message if isinstance(error.cause, FailureError) else error.cause
            raise NotAllowed(f"the audit of {ref}: {why}") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NoSuchOrder(f"no audit of {ref} is open") from error
            with explained(ref=ref):
                raise
        with explained(ref=ref):
            return await handle.result()
