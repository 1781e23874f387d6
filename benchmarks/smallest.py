"""The control: the smallest workflow with an order's activities and timers, and no decision.

The activities are the real ones, with what they are given and answer, and the timers are an order's: the waits, and
the one of `deliver_by`. What it lacks is what makes it an order: no search attributes, no details, no summaries, no
words from outside, no heartbeats, no releases. It would lose and double money: it is no way to send an order, only the
least that one could cost on Temporal.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities import Ask, PolicyActivities, ProviderActivities
    from topups.observations import Accepted, Found, Prepared
    from topups.policy import REQUEST_GAP_SECONDS

WORKFLOW_TYPE, TASK_QUEUE = "Smallest", "smallest"
ONCE = RetryPolicy(maximum_attempts=1)
ACTIVITY_TIMEOUT = timedelta(seconds=45)
LAST_WORDS = ("FULFILLED", "REFUNDED")

A = TypeVar("A")


@workflow.defn(name=WORKFLOW_TYPE)
class Smallest:
    """Read the policy, prepare, send, then wait and check until the provider is final."""

    @workflow.run
    async def run(self, ask: Ask) -> str:
        """Return the provider's last word."""
        await workflow.execute_local_activity_method(
            PolicyActivities.read_policy, start_to_close_timeout=ACTIVITY_TIMEOUT
        )
        self._passing = asyncio.create_task(workflow.sleep(ask.deliver_by - workflow.now()))
        prepared = await _seen(ProviderActivities.prepare, ask, Prepared)
        ask = ask.model_copy(update={"account": prepared.account, "amount": prepared.amount})
        sent_at = workflow.now()
        accepted = await _seen(ProviderActivities.send, ask, Accepted)
        ask = ask.model_copy(update={"topup_id": accepted.topup_id, "first_send_at": sent_at, "last_send_at": sent_at})
        status = ""
        while status not in LAST_WORDS:
            # What ours comes to as well when its own waits are shorter.
            await workflow.sleep(REQUEST_GAP_SECONDS)
            status = (await _seen(ProviderActivities.check, ask, Found)).record.status
        return status


async def _seen(activity: Callable[[Any, Ask], Awaitable[Any]], ask: Ask, only: type[A]) -> A:
    answer = await workflow.execute_activity_method(
        activity, ask, start_to_close_timeout=ACTIVITY_TIMEOUT, retry_policy=ONCE
    )
    assert isinstance(answer, only), answer
    return answer
