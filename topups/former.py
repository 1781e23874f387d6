"""What a run that was broken off still knew of its order, from its history: no worker is needed to read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode


@dataclass(frozen=True)
class Former:
    """Whose order it is, and the provider's id of it; None where the run never learned it."""

    account: str | None = None
    topup_id: str | None = None

    def after(self, fact: Any) -> "Former":
        """Return what is known after one more fact; what is known already stays, as in `topups.lifecycle`."""
        match fact:
            case {"order": {"account": account, "topup_id": topup_id}}:
                learned = Former(account, topup_id)
            case {"reopening": {"account": account, "topup_id": topup_id}}:
                learned = Former(account, topup_id)
            case {"kind": "accepted", "topup_id": topup_id}:
                learned = Former(topup_id=topup_id)
            # A record's id isn't taken: whether the record is this order's was judged by the run, and will be again.
            case {"kind": "prepared" | "missed" | "found", "account": account}:
                learned = Former(account)
            case _:
                return self
        return Former(self.account or learned.account, self.topup_id or learned.topup_id)


async def former(client: Client, run: WorkflowExecutionDescription) -> Former:
    """Read a run's history to its end; one that is gone knew nothing. Raises the SDK's RPCError."""
    known = Former()
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    try:
        async for event in handle.fetch_history_events():
            for fact in await client.data_converter.decode(_payloads(event)):
                known = known.after(fact)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return known


def _payloads(event: HistoryEvent) -> Sequence[Payload]:
    if event.HasField("workflow_execution_started_event_attributes"):
        return event.workflow_execution_started_event_attributes.input.payloads
    return event.activity_task_completed_event_attributes.result.payloads
