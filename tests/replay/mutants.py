"""Workflows that a careless change could make of `TopUp`; each must fail to replay the orders of today."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import Ask, ProviderActivities
    from topups import lifecycle
    from topups.models import TopUpResult
    from topups.observations import Observation, Prepared
    from topups.order import TopUpInput
    from workflows import TopUp


@workflow.defn(name="TopUp")
class SendsTwice(TopUp):
    """The mistake that costs money."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _send(self) -> Observation:
        await super()._send()
        return await super()._send()


@workflow.defn(name="TopUp")
class SkipsPreparation(TopUp):
    """Sends what the catalogue was never asked about."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _prepare(self) -> Observation:
        return Prepared(account="+213550000001", amount=500)


@workflow.defn(name="TopUp")
class SleepsOnceMore(TopUp):
    """Another timer after each wait: harmless for money, fatal for orders under way."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _wait(self, step: lifecycle.Wait) -> None:
        await super()._wait(step)
        await workflow.sleep(1)


@workflow.defn(name="TopUp")
class ChecksByRef(TopUp):
    """Asks by another activity."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _check(self) -> Observation:
        return await workflow.execute_activity_method(
            ProviderActivities.look_up, Ask.about(self._order), start_to_close_timeout=timedelta(seconds=10)
        )


ALL = (SendsTwice, SkipsPreparation, SleepsOnceMore, ChecksByRef)
