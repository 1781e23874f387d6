"""New versions of the workflow, put live while orders are under way: a good one and two bad ones."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from topups import lifecycle
    from topups.models import TopUpResult
    from topups.order import TopUpInput
    from workflows import TopUp

BREATHES = "breathes-after-waits"
BREATH = timedelta(seconds=0.5)
PRICES: dict[str, int] = {}


@workflow.defn(name="TopUp")
class Patched(TopUp):
    """One more timer after each wait, behind `workflow.patched`.

    Orders that the old code began go on under this one, without the timer. The other way round Temporal allows
    nothing: orders that this code began carry the patch's marker, so the old code fails their tasks, which Temporal
    repeats until a patched worker is back. Nothing is lost or sent by that.
    """

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)
        self._breathes = False

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _live(self) -> None:
        # Asked once, before the first command: a run has one answer, from its begin to its end.
        self._breathes = workflow.patched(BREATHES)
        await super()._live()

    async def _wait(self, step: lifecycle.Wait) -> None:
        await super()._wait(step)
        if self._breathes:
            await workflow.sleep(BREATH)


@workflow.defn(name="TopUp")
class NotPatched(TopUp):
    """One more timer at the start, without `workflow.patched`: the tasks of all orders under way fail.

    It stands before the first command of the old code, so no order under way gets one event further, and all go on
    after a roll-back. Orders that this code itself began need it to end; nothing of them is sent twice either.
    """

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        await workflow.sleep(BREATH)
        return await super().run(given)


@workflow.defn(name="TopUp")
class Raises(TopUp):
    """A bug that shows with every order: each task fails before its first decision, also of new orders."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        return await super().run(given)

    async def _go_on(self) -> None:
        workflow.logger.info("The price is %d DZD", PRICES[self._order.request.plan_code])
        await super()._go_on()
