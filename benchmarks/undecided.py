"""A workflow that goes through an order's own history without deciding anything: what is left is the replay itself."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities import Ask, PolicyActivities, ProviderActivities
from topups.observations import Found
from topups.order import TopUpInput, accepted
from topups.policy import Policy
from topups.search_attributes import PHASE

ONCE = RetryPolicy(maximum_attempts=1)
LIMIT = timedelta(seconds=45)


@workflow.defn(name="TopUp")
class Undecided:
    """The commands of an order that is delivered, in their order and with payloads of the same kind."""

    @workflow.run
    async def run(self, given: TopUpInput) -> str:
        """Issue them."""
        read = await workflow.execute_local_activity_method(PolicyActivities.read_policy, start_to_close_timeout=LIMIT)
        policy = read.policy
        # As the order's `deliver_by` does, it never fires in time.
        self._passing = asyncio.create_task(workflow.sleep(1_800))
        at = workflow.now()
        ask = Ask.about(accepted(given.request, given.environment, policy, accepted_at=at, now=at))
        await self._does(ProviderActivities.prepare, ask)
        await self._does(ProviderActivities.send, ask)
        return await self._check(ask, policy)

    async def _check(self, ask: Ask, policy: Policy) -> str:
        status = ""
        while status != "FULFILLED":
            if not status:
                workflow.upsert_search_attributes([PHASE.value_set("PENDING")])
            await self._wait(policy.first_check)
            seen = await self._does(ProviderActivities.check, ask)
            assert isinstance(seen, Found)
            if status != seen.record.status:
                workflow.upsert_search_attributes([PHASE.value_set(seen.record.status)])
            status = seen.record.status
        return status

    async def _wait(self, seconds: float) -> None:
        try:
            await workflow.wait_condition(lambda: False, timeout=seconds)
        except TimeoutError:
            return

    async def _does(self, activity: Any, ask: Ask) -> Any:
        return await workflow.execute_activity_method(activity, ask, start_to_close_timeout=LIMIT, retry_policy=ONCE)
