"""One order, as its caller holds it."""

import asyncio
import getpass
import socket
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from topups import search_attributes
from topups.errors import NoSuchOrder, NotAllowed, NotConfirmed, OrderInterrupted, StillOpen, TemporalUnreachable
from topups.former import Former, former
from topups.models import (
    ActResult,
    Cancel,
    Outcome,
    Phase,
    Recheck,
    Reopening,
    Resolve,
    TopUpResult,
    TopUpView,
)
from topups.order import Submission, TopUpInput
from topups.settings import ClientSettings
from topups.start import MEMO_KEY, WORKFLOW_TYPE, start, workflow_id
from topups.temporal_errors import explained

QUERY_TIMEOUT = timedelta(seconds=3)
QUERY_TRIES = 4
QUERY_AGAIN_SECONDS = 0.5
UPDATE_ACCEPT_SECONDS = 10
UPDATE_RESULT_SECONDS = 45
RECONNECT_SECONDS = 1.0


def whoami() -> str:
    """Who acts when the caller names nobody: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


async def submission_of(described: WorkflowExecution) -> Submission:
    """Return what was submitted, from the memo: no worker needed."""
    return Submission.model_validate(await described.memo_value(MEMO_KEY, type_hint=Submission))


class TopUpOrder:
    """Ask about an order and act on it. Nothing here calls the provider; the order's worker does.

    Every method raises NoSuchOrder for a ref that nobody submitted and TemporalUnreachable when Temporal doesn't
    answer; `result` rides through that.
    """

    def __init__(self, client: Client, settings: ClientSettings, ref: str) -> None:
        self.ref = ref
        self._client = client
        self._settings = settings
        # Never pinned to a run id: an order may go on in a new run.
        self._handle: WorkflowHandle[Any, TopUpResult] = client.get_workflow_handle(
            workflow_id(ref), result_type=TopUpResult
        )

    async def describe(self) -> WorkflowExecutionDescription:
        """Return Temporal's own description of the order's newest run."""
        with explained(ref=self.ref):
            described = await self._handle.describe()
        if described.workflow_type != WORKFLOW_TYPE:
            # `audit-1` as a ref has the id of the audit of order `1`.
            raise NoSuchOrder(f"{described.id} is the audit of an order, and no order with ref {self.ref} is known")
        return described

    async def result(self, timeout: float | None = None) -> TopUpResult:
        """Wait for the true end, `timeout` seconds at most.

        Raises StillOpen when the wait ended first (the order goes on), OrderInterrupted when its run was broken.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._result()
        except TimeoutError:
            raise StillOpen(f"{self.ref} is still open after {timeout:g} s; it goes on by itself") from None

    async def _result(self) -> TopUpResult:
        while True:
            try:
                with explained(ref=self.ref):
                    return await self._fetch_result()
            except TemporalUnreachable:
                pass
            except RuntimeError as error:
                # The time-skipping test server ends a poll of 20 s with nothing, which the SDK takes for an end.
                if str(error) != "No completion event found":
                    raise
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _fetch_result(self) -> TopUpResult:
        try:
            return await self._handle.result()
        except WorkflowFailureError as error:
            raise self._interrupted(str(error.cause)) from error

    def _interrupted(self, how: str) -> OrderInterrupted:
        return OrderInterrupted(
            f"the run of {self.ref} was broken off ({how}); what it sent is not lost: "
            f"run `topup reopen {self.ref} --note …`, which looks it up and never sends again"
        )

    async def view(self) -> TopUpView:
        """Return the order as it stands. A finished one needs no worker; `stale` says that none answered.

        Raises OrderInterrupted when its run was terminated, timed out or failed.
        """
        described = await self.describe()
        match described.status:
            case WorkflowExecutionStatus.COMPLETED:
                return await self.result()
            case WorkflowExecutionStatus.RUNNING:
                return await self._query() or await _stale_view(self.ref, described)
            case status:
                raise self._interrupted(status.name if status else "unknown")

    async def _query(self) -> TopUpView | None:
        for _ in range(QUERY_TRIES):
            try:
                view: TopUpView = await self._handle.query("view", result_type=TopUpView, rpc_timeout=QUERY_TIMEOUT)
            except WorkflowQueryFailedError:
                # Between an event and its task a worker doesn't answer: the next task comes in a moment.
                await asyncio.sleep(QUERY_AGAIN_SECONDS)
            except (RPCError, WorkflowQueryRejectedError, RPCTimeoutOrCancelledError):
                return None
            else:
                return view
        return None

    async def recheck(self, *, by: str | None = None) -> None:
        """Ask the provider now instead of at the next due time, at the earliest 5 s after the last request."""
        with explained(ref=self.ref):
            await self._handle.signal("recheck", Recheck(by=by or whoami()))

    async def cancel(self, *, reason: str, by: str | None = None) -> ActResult:
        """Withdraw an order that was certainly not sent. Raises NotAllowed or NotConfirmed."""
        return await self._update("cancel", Cancel(reason=reason, by=by or whoami()), "cancel")

    async def resolve(self, outcome: Outcome, *, note: str, by: str | None = None) -> ActResult:
        """Say what really happened to an order that the provider can't settle.

        One fresh look comes first, and the provider's own final answer wins: read `taken`.
        Raises NotAllowed or NotConfirmed.
        """
        word = Resolve(outcome=outcome, note=note, by=by or whoami())
        return await self._update("resolve", word, f"resolve-{outcome}")

    async def _update(self, name: str, word: Cancel | Resolve, update_id: str) -> ActResult:
        try:
            # The id makes a repeated call the same call.
            async with asyncio.timeout(UPDATE_ACCEPT_SECONDS):
                update = await self._handle.start_update(
                    name,
                    word,
                    id=update_id,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    result_type=ActResult,
                )
            async with asyncio.timeout(UPDATE_RESULT_SECONDS):
                return ActResult.model_validate(await update.result())
        except (TimeoutError, RPCTimeoutOrCancelledError):
            raise NotConfirmed(
                f"no worker answered for {self.ref}; it may still be taken: run the same again"
            ) from None
        except WorkflowUpdateFailedError as error:
            why = error.cause.message if isinstance(error.cause, FailureError) else error.cause
            raise NotAllowed(f"{self.ref}: {why}") from error
        except RPCError as error:
            return await self._closed_or_unknown(error)

    async def _closed_or_unknown(self, error: RPCError) -> ActResult:
        if error.status is RPCStatusCode.NOT_FOUND:
            view = await self.view()
            raise NotAllowed(f"{self.ref} is already {view.phase}") from error
        with explained(ref=self.ref):
            raise error

    async def reopen(self, *, note: str, by: str | None = None) -> None:
        """Go on with an order whose run was terminated, timed out or failed. It looks up and never sends.

        The account and the provider's id of the former run come from a worker, else from the run's history.
        Raises NotAllowed when the order is running or reached its end.
        """
        described = await self.describe()
        if described.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}:
            raise NotAllowed(f"{self.ref} was not broken off; there is nothing to reopen")
        submission = await submission_of(described)
        last: TopUpView | Former | None = await self._query()
        if last is None or last.account is None:
            # Without it the first worker that looks would make the order its own account's.
            with explained(ref=self.ref):
                last = await former(self._client, described)
        reopening = Reopening(
            note=note,
            by=by or whoami(),
            accepted_at=submission.accepted_at,
            topup_id=last.topup_id,
            account=last.account,
        )
        given = TopUpInput(request=submission.request, environment=submission.environment, reopening=reopening)
        try:
            await start(self._client, self._settings, given, WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
        except WorkflowAlreadyStartedError as error:
            raise NotAllowed(f"{self.ref} was reopened already") from error


async def _stale_view(ref: str, described: WorkflowExecutionDescription) -> TopUpView:
    submission = await submission_of(described)
    request, attributes = submission.request, described.typed_search_attributes
    needs_review = attributes.get(search_attributes.NEEDS_REVIEW, default=False)
    phase = Phase(attributes.get(search_attributes.PHASE, default=Phase.ACCEPTED.value))
    return TopUpView(
        ref=ref,
        phase=phase,
        final=phase.final,
        plan_code=request.plan_code,
        phone=request.phone,
        amount=request.amount,
        offers_only=request.offers_only,
        needs_review=needs_review,
        environment=submission.environment,
        accepted_at=submission.accepted_at,
        deliver_by=submission.deliver_by,
        metadata=request.metadata,
        stale=True,
    )
