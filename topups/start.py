"""How an order's workflow is started: its id, its memo, what a list shows of it from the first moment on."""

from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from topups import search_attributes
from topups.models import Phase, TopUpRequest
from topups.order import Submission, TopUpInput
from topups.phone import mask
from topups.settings import ClientSettings
from topups.temporal_errors import explained

WORKFLOW_TYPE = "TopUp"
ID_PREFIX = "topup-"
MEMO_KEY = "submission"
# A worker that dies inside a workflow task holds its order for so long; Temporal's default would be 10 s.
TASK_TIMEOUT = timedelta(seconds=5)


def workflow_id(ref: str) -> str:
    """The one workflow id of an order."""
    return f"{ID_PREFIX}{ref}"


def summary(request: TopUpRequest) -> str:
    """One line for the UI's lists; the number is masked."""
    amount = f"{request.amount} DZD " if request.amount else ""
    return f"{amount}{request.plan_code} to {mask(request.phone)}"


async def start(client: Client, settings: ClientSettings, given: TopUpInput, reuse: WorkflowIDReusePolicy) -> None:
    """Start the workflow of an order. Raises the SDK's WorkflowAlreadyStartedError, which says nothing of whose."""
    request, reopening = given.request, given.reopening
    accepted_at = reopening.accepted_at if reopening else datetime.now(UTC)
    phase = Phase.CONFIRMING if reopening else Phase.ACCEPTED
    memo = Submission(request=request, environment=given.environment, accepted_at=accepted_at)
    with explained():
        await client.start_workflow(
            WORKFLOW_TYPE,
            given,
            id=workflow_id(request.ref),
            task_queue=settings.task_queue,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=reuse,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={MEMO_KEY: memo},
            search_attributes=search_attributes.of_a_new_order(request, accepted_at, phase),
            static_summary=summary(request),
        )
