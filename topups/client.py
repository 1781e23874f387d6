"""The typed client: what a backend, the `topup` command and the tests use. It never calls the provider."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Self

from temporalio.client import Client, WorkflowExecution
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from topups import search_attributes
from topups.errors import NoSuchOrder, RefConflict
from topups.filters import BROKEN_OFF, Filters
from topups.handle import TopUpOrder, submission_of
from topups.models import Phase, TopUpRequest, TopUpRow
from topups.order import TopUpInput
from topups.plugin import TopUpsPlugin
from topups.settings import ClientSettings
from topups.start import ID_PREFIX, start, summary
from topups.temporal_errors import explained
from topups.traces import tracing


async def connect_temporal(*, runtime: Runtime | None = None, **overrides: Any) -> Client:
    """Connect as `TEMPORAL_*` variables or a profile say; localhost:7233 when nothing does.

    Raises TemporalUnreachable, or SetupNeeded for encryption keys or traces that can't be had.
    """
    config: dict[str, Any] = {"target_host": "localhost:7233"}
    with explained(address=config["target_host"]):
        config |= ClientConfig.load_client_connect_config()
    config |= overrides
    with explained(address=config["target_host"]):
        return await Client.connect(**config, plugins=[TopUpsPlugin(), *tracing.plugins()], runtime=runtime)


class TopUps:
    """Submit orders, find them again, list them.

    `settings.environment` is stamped on every order: a worker of the other environment never touches it.
    """

    def __init__(self, client: Client, settings: ClientSettings | None = None) -> None:
        self.client = client
        self.settings = settings or ClientSettings()

    @classmethod
    async def connect(cls, settings: ClientSettings | None = None, *, runtime: Runtime | None = None) -> Self:
        """Connect to Temporal by `TEMPORAL_*` variables or profile. Raises TemporalUnreachable."""
        return cls(await connect_temporal(runtime=runtime), settings)

    def order(self, ref: str) -> TopUpOrder:
        """Re-attach to an order by its ref. Makes no call, so it doesn't tell whether the order exists."""
        return TopUpOrder(self.client, self.settings, ref)

    async def submit(self, request: TopUpRequest) -> TopUpOrder:
        """Record an order durably and return it; from here on it reaches its end by itself.

        Submitting the same order again gives the same order back, however often.
        Raises RefConflict when the ref belongs to another order, SetupNeeded when the namespace lacks the search
        attributes, TemporalUnreachable when it isn't known whether the order was recorded: submit it again.
        """
        if request.deliver_within is None:
            request = request.model_copy(update={"deliver_within": self.settings.deliver_within})
        given = TopUpInput(request=request, environment=self.settings.environment)
        try:
            await start(self.client, self.settings, given, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        except WorkflowAlreadyStartedError:
            await self._must_be_same(request)
        return self.order(request.ref)

    async def _must_be_same(self, request: TopUpRequest) -> None:
        try:
            known = await submission_of(await self.order(request.ref).describe())
        except NoSuchOrder as error:
            raise RefConflict(f"{request.ref} can't be used: {error}") from error
        if known.environment != self.settings.environment:
            raise RefConflict(f"{request.ref} already belongs to a {known.environment} order")
        if not known.request.same_order(request):
            raise RefConflict(
                f"{request.ref} already belongs to another order ({summary(known.request)}); "
                "use a ref of its own for each order"
            )

    async def list(
        self,
        phase: Phase | str | None = None,
        *,
        plan_code: str | None = None,
        phone_tail: str | None = None,
        needs_review: bool | None = None,
        unchanged_since: datetime | None = None,
        accepted_after: datetime | None = None,
        accepted_before: datetime | None = None,
        finished_since: datetime | None = None,
        open_only: bool = False,
    ) -> AsyncIterator[TopUpRow]:
        """Yield orders from Temporal's visibility alone, newest first, open and finished; see `Filters`.

        Visibility follows an order by a second or so. An order whose run was broken off (terminated in Temporal) and
        that nobody has reopened needs review, and is in its last phase. Raises InvalidFilter.
        """
        filters = Filters.model_validate(
            {
                "phase": phase,
                "plan_code": plan_code,
                "phone_tail": phone_tail,
                "needs_review": needs_review,
                "unchanged_since": unchanged_since,
                "accepted_after": accepted_after,
                "accepted_before": accepted_before,
                "finished_since": finished_since,
                "open_only": open_only,
            }
        )
        with explained():
            async for run in self.client.list_workflows(filters.query()):
                if run.status not in BROKEN_OFF:
                    yield _row(run.id, run.typed_search_attributes)
                elif await self._is_newest(run):
                    yield _row(run.id, run.typed_search_attributes, broken_off=True)

    async def must_be_readable(self) -> None:
        """Try to read the newest open order. Raises KeysMissing when it is encrypted with a key that isn't here."""
        with explained():
            async for run in self.client.list_workflows(Filters(open_only=True).query(), limit=1):
                await submission_of(run)

    async def _is_newest(self, run: WorkflowExecution) -> bool:
        # A reopened order's former run stays in Temporal's lists.
        try:
            return (await self.client.get_workflow_handle(run.id).describe()).run_id == run.run_id
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise


def _row(run_id: str, attributes: TypedSearchAttributes, *, broken_off: bool = False) -> TopUpRow:
    return TopUpRow(
        ref=run_id.removeprefix(ID_PREFIX),
        phase=attributes.get(search_attributes.PHASE, Phase.ACCEPTED),
        plan_code=attributes.get(search_attributes.PLAN),
        phone_tail=attributes.get(search_attributes.PHONE_TAIL),
        needs_review=broken_off or attributes.get(search_attributes.NEEDS_REVIEW, False),
        accepted_at=attributes.get(search_attributes.ACCEPTED_AT),
        phase_since=attributes.get(search_attributes.PHASE_SINCE),
    )
