"""Workflows that make the mistakes which real integrations of this API make. The judge must catch each of them.

Each changes one decision and leaves the rest of `TopUp` as it is; `tests.chaos.variants.catalogue` names them.
"""

from collections.abc import Awaitable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import Ask, ProviderActivities
    from topups import lifecycle
    from topups.models import Phase, TopUpResult
    from topups.observations import Duplicate, Found, InDoubt, Missed, NoAnswer, Observation, PlanRefused, Record
    from topups.order import TopUpInput
    from workflows import TopUp
    from workflows.topup import HEARTBEAT_TIMEOUT, ONCE, SEND_TIMEOUT

SECOND = "-2"
CHECKS_AFTER_THE_END = 5
BETWEEN_THEM = timedelta(seconds=8)
HURRY = timedelta(seconds=1)
STILL_AT_WORK = frozenset({"PENDING", "HANDLING"})
DONE = frozenset({"FULFILLED", "REFUNDED"})


@workflow.defn(name="TopUp")
class BlindResend(TopUp):
    """Without an answer to its send it orders once more, under a new ref, and believes that answer."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _send(self) -> Observation:
        seen = await _or_in_doubt(super()._send())
        return await self._send_anew() if isinstance(seen, InDoubt) else seen

    async def _send_anew(self) -> Observation:
        ask = Ask.about(self._order)
        return await workflow.execute_activity_method(
            ProviderActivities.send,
            ask.model_copy(update={"ref": f"{ask.ref}{SECOND}"}),
            start_to_close_timeout=SEND_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=ONCE,
        )


@workflow.defn(name="TopUp")
class DuplicateIsFailure(TopUp):
    """Without an answer it sends again with the same ref, and takes DUPLICATED_REF for "not created"."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _send(self) -> Observation:
        seen = await _or_in_doubt(super()._send())
        if isinstance(seen, InDoubt):
            seen = await super()._send()
        return _not_created("DUPLICATED_REF") if isinstance(seen, Duplicate) else seen


@workflow.defn(name="TopUp")
class FirstNotFound(TopUp):
    """Believes the first NOT_FOUND after a send in doubt; works with `tests.chaos.variants.asking.BareLookUp`."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _look_up(self) -> Observation:
        seen = await super()._look_up()
        return _not_created("NOT_FOUND") if isinstance(seen, Missed) else seen


@workflow.defn(name="TopUp")
class DocumentedLoop(TopUp):
    """The polling example of "Check Status by ID": every 5 s, 60 times; all but a delivery is a failure.

    UNKNOWN_ERROR, a check without an answer and the end of the loop end the order as not delivered.
    """

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _read_policy(self) -> None:
        await super()._read_policy()
        policy = self._order.policy
        self._change(self._order.but(policy=policy.model_copy(update={"poll_max": policy.poll_min})))

    async def _check(self) -> Observation:
        try:
            seen = await super()._check()
        except ActivityError as error:
            seen = NoAnswer(why=str(error))
        last = self._order.polls + 1 >= self._order.policy.poll_count
        if isinstance(seen, Found):
            word = seen.record.status
            given_up = word not in DONE and (last or word not in STILL_AT_WORK)
        else:
            given_up = True
        return self._failed() if given_up else seen

    def _failed(self) -> Found:
        return Found(record=Record(topup_id=self._order.topup_id or "", status="REFUNDED"))


@workflow.defn(name="TopUp")
class Forgets(TopUp):
    """Goes on checking after the final answer."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _live(self) -> None:
        await super()._live()
        if not self._order.final or self._order.topup_id is None:
            return
        for _ in range(CHECKS_AFTER_THE_END):
            await workflow.sleep(BETWEEN_THEM)
            await self._ask("check")


@workflow.defn(name="TopUp")
class Hurries(TopUp):
    """Checks every second what the provider says takes its time."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _wait(self, step: lifecycle.Wait) -> None:
        if self._order.phase not in {Phase.PENDING, Phase.HANDLING}:
            await super()._wait(step)
            return
        await workflow.sleep(HURRY)
        self._change(self._order.but(due_at=workflow.now()))


async def _or_in_doubt(send: Awaitable[Observation]) -> Observation:
    try:
        return await send
    except ActivityError as error:
        return InDoubt(why=str(error))


def _not_created(code: str) -> PlanRefused:
    # Of all observations this one ends the order without another look.
    return PlanRefused(code=code, message=f"The provider said {code}, so nothing was created.")
