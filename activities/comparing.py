"""One comparison of both books, from reading to report.

What differs at the first sight is looked at a second time, order and record alike, since both books go on while they
are read. What is then gone was no difference.
"""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

from activities.their_books import Tell, TheirBooks
from topups.books import movements
from topups.books.differences import Balance, Compared, Difference, Kind, Movement, OurOrder, Report, Theirs, Window
from topups.books.ours import OurBooks
from topups.books.reconciliation import Matched, bare, behind, differences, match
from topups.models import DELIVER_WITHIN_MAX, Environment
from topups.observations import Record

# The provider's clock and ours may differ.
MARGIN = timedelta(minutes=10)
# So long after its acceptance an order may still be sent.
SENT_WITHIN = timedelta(seconds=DELIVER_WITHIN_MAX) + MARGIN
SECOND_LOOKS_MAX = 200
STEADY_MAX = 3
DIFFERENCES_MAX, BEHIND_MAX = 500, 1_000

_REF = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_GRAVITY = {kind: place for place, kind in enumerate(Kind)}
_NEVER = datetime.min.replace(tzinfo=UTC)


class Comparing:
    """Both books of a window, as far as they are read."""

    def __init__(
        self, ours: OurBooks, theirs: TheirBooks, *, environment: Environment, window: Window, now: datetime, tell: Tell
    ) -> None:
        self._ours, self._theirs = ours, theirs
        self._environment = environment
        self._window, self._now = window, now
        self._tell = tell
        self._account = ""
        self._orders: dict[str, OurOrder] = {}
        self._records: dict[object, Record] = {}
        self._listed: dict[object, Record] = {}
        self._movements: tuple[Movement, ...] = ()
        self._balance: int | None = None
        self._notes: list[str] = []

    async def run(self) -> Compared:
        """Read, compare, look again, report. Raises what both books raise."""
        await self._read()
        first = self._found()
        await self._look_again(first)
        final = self._found()
        _, matched = self._matched()
        return Compared(report=self._report(first, final, matched), behind=tuple(behind(matched)[:BEHIND_MAX]))

    async def _read(self) -> None:
        since, until = self._window.since - MARGIN, self._now + MARGIN
        self._account = await self._theirs.account()
        # Ours first: what is accepted meanwhile is then theirs alone, and is found by its ref.
        read = await self._ours.between(self._window.since - SENT_WITHIN, self._window.until + MARGIN, self._tell)
        self._orders = {ref: order for ref, order in read.items() if order.environment == self._environment}
        for record in await self._theirs.records(since, until):
            self._put(record)
        self._listed = dict(self._records)
        await self._read_money(since, until)
        if movements.balance(self._matched()[0])[1] is not None:
            # A transaction may show a moment after the balance that it led to.
            await self._read_money(since, until)

    async def _read_money(self, since: datetime, until: datetime) -> None:
        self._balance = await self._theirs.balance() if self._window.until > self._now - MARGIN else None
        self._movements = tuple(await self._theirs.movements(since, until))

    def _put(self, record: Record) -> None:
        self._records[record.topup_id or (record.ref, record.created_at)] = record

    def _matched(self) -> tuple[Theirs, Matched]:
        theirs = Theirs(
            account=self._account,
            records=tuple(self._records.values()),
            movements=self._movements,
            balance=self._balance,
            newer=frozenset(str(key) for key, one in self._records.items() if self._listed.get(key) != one),
        )
        return theirs, match(self._orders.values(), theirs)

    def _found(self) -> list[Difference]:
        theirs, matched = self._matched()
        found = differences(matched, self._account, self._window)
        found = movements.with_money(found, matched, theirs, self._window)
        return sorted(found, key=lambda one: (_GRAVITY[one.kind], one.at or _NEVER, one.ref or ""))

    async def _look_again(self, first: list[Difference]) -> None:
        for number, difference in enumerate(first[:SECOND_LOOKS_MAX], 1):
            self._theirs.say(f"second look: {number} of {len(first)}")
            await self._reread(difference.ref, difference.topup_ids, missing=difference.kind is Kind.UNKNOWN_TO_THEM)
        if len(first) > SECOND_LOOKS_MAX:
            self._notes.append(f"only {SECOND_LOOKS_MAX} of {len(first)} differences were looked at a second time")
        theirs, _ = self._matched()
        for topup_id in movements.unplaced(theirs, self._window)[:SECOND_LOOKS_MAX]:
            await self._reread(None, (topup_id,), missing=False)

    async def _reread(self, ref: str | None, topup_ids: tuple[str, ...], *, missing: bool) -> None:
        """Read an order and its records until the order is the same before and after: one moment of both books."""
        for topup_id in () if ref else topup_ids:
            record = await self._theirs.record(topup_id)
            ref = bare(record.ref, self._account) if record is not None else None
        for _ in range(STEADY_MAX):
            before = await self._reread_order(ref)
            await self._reread_records(topup_ids)
            if missing and before is not None:
                for record in await self._theirs.records_of(before, self._account):
                    self._put(record)
            if await self._reread_order(ref) == before:
                return

    async def _reread_records(self, topup_ids: tuple[str, ...]) -> None:
        for topup_id in topup_ids:
            record = await self._theirs.record(topup_id)
            if record is None:
                self._records.pop(topup_id, None)
            else:
                self._put(record)

    async def _reread_order(self, ref: str | None) -> OurOrder | None:
        if ref is None or not _REF.fullmatch(ref):
            return None
        order = await self._ours.order(ref)
        if order is None or order.environment != self._environment:
            return None
        self._orders[ref] = order
        return order

    def _report(self, first: list[Difference], final: list[Difference], matched: Matched) -> Report:
        theirs, _ = self._matched()
        moved, unexplained = movements.balance(theirs)
        final = [*final, unexplained] if unexplained else final
        stayed = {(one.ref, one.topup_ids) for one in final}
        return Report(
            since=self._window.since,
            until=self._window.until,
            environment=self._environment,
            account=self._account,
            orders=sum(self._window.holds(order.accepted_at) for order in matched.orders.values()),
            records=sum(self._window.holds(record.created_at) for record in theirs.records),
            movements=len(theirs.movements),
            other_accounts=matched.others,
            requests=dict(self._theirs.requests),
            counts=dict(Counter(one.kind.value for one in final)),
            differences=tuple(final[:DIFFERENCES_MAX]),
            passing=sum((one.ref, one.topup_ids) not in stayed for one in first),
            balance=moved if moved != Balance() else None,
            notes=(*self._notes, *self._theirs.notes, *self._about_money(theirs)),
        )

    def _about_money(self, theirs: Theirs) -> list[str]:
        why = movements.why_not_comparable(theirs, self._window)
        return [f"{why}, so the money was compared in sum only"] if why and theirs.records and theirs.movements else []
