"""Our side of a reconciliation, read from Temporal: each order of a window with what was learned of it.

A list gives every order's id and status; the end of a finished one is one more call and needs no worker, an open one is
asked by a query. Nothing here calls the provider.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from topups import search_attributes
from topups.books.differences import OurOrder
from topups.client import TopUps
from topups.errors import NoSuchOrder, NotAllowed, OrderInterrupted
from topups.filters import BROKEN_OFF
from topups.handle import submission_of
from topups.models import Phase
from topups.start import ID_PREFIX, WORKFLOW_TYPE
from topups.temporal_errors import explained

AT_ONCE = 16

Tell = Callable[[str], None]


class OurBooks:
    """Reads orders for a comparison, and wakes them. Raises TemporalUnreachable and KeysMissing."""

    def __init__(self, topups: TopUps) -> None:
        self._topups = topups

    async def between(self, since: datetime, until: datetime, tell: Tell) -> dict[str, OurOrder]:
        """Return the orders that were accepted in a span, by ref. `tell` hears how far it is."""
        refs = await self._refs(since, until)
        found: dict[str, OurOrder] = {}
        room = asyncio.Semaphore(AT_ONCE)

        async def read(ref: str) -> None:
            async with room:
                order = await self.order(ref)
            if order is not None:
                found[ref] = order
            tell(f"our orders: {len(found)} of {len(refs)}")

        try:
            async with asyncio.TaskGroup() as group:
                for ref in refs:
                    group.create_task(read(ref))
        except ExceptionGroup as errors:
            # One says enough; they are all of one dead server or one missing key.
            raise errors.exceptions[0] from errors
        return {ref: found[ref] for ref in refs if ref in found}

    async def _refs(self, since: datetime, until: datetime) -> list[str]:
        name = search_attributes.ACCEPTED_AT.name
        query = (
            f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus != 'ContinuedAsNew'"
            f" AND {name} >= '{since.astimezone(UTC).isoformat()}' AND {name} <= '{until.astimezone(UTC).isoformat()}'"
        )
        with explained():
            # A reopened order is in the list with its former run, too.
            return list(
                dict.fromkeys(
                    [run.id.removeprefix(ID_PREFIX) async for run in self._topups.client.list_workflows(query)]
                )
            )

    async def order(self, ref: str) -> OurOrder | None:
        """Return one order as it stands; None where nobody knows it."""
        order = self._topups.order(ref)
        try:
            return OurOrder.of(await order.view())
        except NoSuchOrder:
            return None
        except OrderInterrupted:
            return await self._broken_off(ref)

    async def _broken_off(self, ref: str) -> OurOrder:
        described = await self._topups.order(ref).describe()
        submission = await submission_of(described)
        request = submission.request
        return OurOrder(
            ref=ref,
            phase=Phase(described.typed_search_attributes.get(search_attributes.PHASE, Phase.ACCEPTED.value)),
            plan_code=request.plan_code,
            phone=request.phone,
            amount=request.amount,
            environment=submission.environment,
            accepted_at=submission.accepted_at,
            broken_off=described.status in BROKEN_OFF,
        )

    async def wake(self, ref: str, by: str) -> bool:
        """Ask an open order to look now; False when it has ended meanwhile."""
        try:
            await self._topups.order(ref).recheck(by=by)
        except (NotAllowed, NoSuchOrder):
            return False
        return True
