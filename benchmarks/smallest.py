"""The control: the smallest workflow that makes an order's calls and waits, and decides nothing.

Plain types, no search attributes, no details, no summaries, no words from outside, no heartbeats, no versions. It would
lose and double money: it is no way to send an order, only the least that one could cost on Temporal.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

WORKFLOW_TYPE, TASK_QUEUE = "Smallest", "smallest"
ONCE = RetryPolicy(maximum_attempts=1)
ACTIVITY_TIMEOUT = timedelta(seconds=45)
LAST_WORDS = ("FULFILLED", "REFUNDED")


@dataclass(frozen=True)
class Given:
    """An order; `amount` DZD."""

    ref: str
    plan_code: str
    phone: str
    amount: int


@workflow.defn(name=WORKFLOW_TYPE)
class Smallest:
    """Read the policy, prepare, send, then wait and check until the provider is final."""

    @workflow.run
    async def run(self, given: Given) -> str:
        """Return the provider's last word."""
        # By name: the activities' module would be loaded anew for each run.
        wait = await workflow.execute_local_activity(
            "read_policy", result_type=float, start_to_close_timeout=ACTIVITY_TIMEOUT
        )
        await _ask("prepare", given)
        topup_id = await _ask("send", given)
        status = ""
        while status not in LAST_WORDS:
            await workflow.sleep(wait)
            status = await _ask("check", topup_id)
        return status


async def _ask(name: str, given: Any) -> str:
    answer: str = await workflow.execute_activity(
        name, given, result_type=str, start_to_close_timeout=ACTIVITY_TIMEOUT, retry_policy=ONCE
    )
    return answer
