"""What a reconciliation and an audit ask: both books compared, one order looked at, and what is done about it.

Everything here only reads at the provider, so Temporal may try it again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.comparing import Comparing
from activities.their_books import CantRead, TheirBooks
from oneclickdz import OneClickDZ, OneClickDZError
from topups.books.audits import Audits
from topups.books.differences import AuditInput, Compared, Difference, Look, Report, Window
from topups.books.ours import OurBooks
from topups.client import TopUps
from topups.models import Environment
from topups.policy import REQUEST_GAP_SECONDS

log = logging.getLogger("topups.activities")

BY = "reconciliation"


class ReconcileActivities:
    """Holds the one provider's client of this worker and a client of Temporal.

    `pace` is the pause before each request of a reconciliation, `gap` that between two requests for one order, seconds.
    """

    def __init__(
        self,
        client: OneClickDZ,
        topups: TopUps,
        environment: Environment,
        *,
        pace: float,
        gap: float = REQUEST_GAP_SECONDS,
    ) -> None:
        self._client = client
        self._ours = OurBooks(topups)
        self._audits = Audits(topups.client, topups.settings.task_queue)
        self._environment = environment
        self._pace = pace
        self._gap = gap

    @activity.defn
    async def compare(self, window: Window) -> Compared:
        """Compare our orders of a window with the provider's books."""
        # A slow clock here must not hide what was made last.
        now = max(datetime.now(UTC), activity.info().started_time)
        tell = activity.heartbeat
        theirs = TheirBooks(self._client, self._pace, tell)
        async with _readable():
            compared = await Comparing(
                self._ours, theirs, environment=self._environment, window=window, now=now, tell=tell
            ).run()
        report = compared.report
        log.info("compared %d orders with %d records: %d differences", report.orders, report.records, report.found)
        return compared

    @activity.defn
    async def act(self, compared: Compared) -> Report:
        """Wake orders that the provider has moved, open audits of those that ended; harmless when repeated."""
        if any(one.act == "wake" for one in compared.report.differences):
            # The second look has just asked for the same order.
            await asyncio.sleep(self._gap)
        done: list[Difference] = []
        for difference in compared.report.differences:
            activity.heartbeat(f"acting on differences: {len(done) + 1} of {len(compared.report.differences)}")
            done.append(difference.model_copy(update={"done": await self._done(difference)}))
        woken = 0
        for ref in compared.behind:
            activity.heartbeat("waking orders that are behind")
            woken += await self._ours.wake(ref, BY)
        return compared.report.model_copy(update={"differences": tuple(done), "woken": woken})

    @activity.defn
    async def look(self, asked: AuditInput) -> Look:
        """Ask for one order by every id that is known of it, and by its ref in both forms."""
        order, ids = asked.order, asked.difference.topup_ids if asked.difference else ()
        theirs = TheirBooks(self._client, 0.0, activity.heartbeat)
        async with _readable():
            account = await theirs.account()
            if order.environment != self._environment or order.account not in {None, account}:
                raise CantRead("this worker's key belongs to another account or environment than the order")
            return Look(account=account, records=tuple(await theirs.records_of(order, account, ids)))

    async def _done(self, difference: Difference) -> str:
        ref = difference.ref or ""
        match difference.act:
            case "wake":
                return "woken" if await self._ours.wake(ref, BY) else "it has ended meanwhile"
            case "audit":
                return await self._audit(ref, difference)
            case "reopen":
                return f"its run was broken off: topup reopen {ref} --note …"
            case _:
                return "reported"

    async def _audit(self, ref: str, difference: Difference) -> str:
        order = await self._ours.order(ref)
        if order is None:
            return "reported; Temporal has just forgotten the order"
        return await self._audits.open(AuditInput(order=order, why=difference.says, by=BY, difference=difference))


@asynccontextmanager
async def _readable() -> AsyncIterator[None]:
    try:
        yield
    except (OneClickDZError, CantRead) as error:
        raise ApplicationError(str(error), type="BooksUnreadable") from error
