"""The provider's side of a reconciliation: its list and its transactions page by page, and single records.

Pages are asked for at a pace of our own, so that the orders under way keep most of the key's rate limit. A list that
grows while it is read shows a record twice and is no trouble; one that lost rows under our hands is read again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Generic, TypeVar

from activities.translate import as_record
from oneclickdz import NotFound, OneClickDZ, RateLimited, TopUpRecord, Transaction
from topups.books.differences import Movement, OurOrder
from topups.observations import Record
from topups.records import prefixed, ref_is_ours

PAGES_MAX = 5_000
READINGS_MAX = 3
SLICE_SECONDS = 5.0

T = TypeVar("T")
Row = TypeVar("Row")
Tell = Callable[[str], None]


class CantRead(Exception):
    """The provider's books couldn't be read as a whole; nothing follows from what was read."""


@dataclass(frozen=True)
class _Page(Generic[Row]):
    """One page of either list, in our words."""

    number: int
    of: int
    total: int | None
    rows: tuple[Row, ...]


class TheirBooks:
    """One reading of the provider's books. `pace` is the pause before each request in seconds.

    `tell` hears what is under way every few seconds. `requests` counts what was asked, `notes` has what is odd about
    the books themselves. Every method raises the client's SaysNothing when there is no answer, or CantRead; it waits
    for the rate limit by itself.
    """

    def __init__(self, client: OneClickDZ, pace: float, tell: Tell) -> None:
        self._client = client
        self._pace = pace
        self._tell = tell
        self._under_way = "asking the provider"
        self.requests: Counter[str] = Counter()
        self.notes: list[str] = []

    def say(self, sentence: str) -> None:
        """Tell what is under way, now and during the next waits."""
        self._under_way = sentence
        self._tell(sentence)

    async def account(self) -> str:
        """Whose books these are."""
        username = (await self._unhurried(self._client.identify)).username
        if username is None:
            raise CantRead("the provider doesn't say whose key this is")
        return username

    async def balance(self) -> int:
        """The balance now, in centimes."""
        return _centimes(await self._ask("balance", self._client.balance))

    async def records(self, since: datetime, until: datetime) -> list[Record]:
        """Every record that was made in a span, each once."""

        async def read(number: int) -> _Page[Record]:
            page = await self._client.list_topups(page=number, since=since, until=until, purpose="audit")
            return _Page(page.page, page.total_pages, page.total_results, tuple(map(as_record, page.items)))

        return await self._whole("list", read, lambda row: row.topup_id or (row.ref, row.created_at))

    async def movements(self, since: datetime, until: datetime) -> list[Movement]:
        """Every movement of the balance in a span, each once."""

        async def read(number: int) -> _Page[Movement]:
            page = await self._client.transactions(page=number, since=since, until=until)
            return _Page(page.page, page.total_pages, page.total_results, tuple(map(as_movement, page.items)))

        return await self._whole("transactions", read, lambda row: row.id)

    async def record(self, topup_id: str) -> Record | None:
        """The record with an id; None where the provider has none."""
        return await self._found(lambda: self._client.check_id(topup_id, purpose="audit"))

    async def records_of(self, order: OurOrder, account: str, ids: Iterable[str] = ()) -> list[Record]:
        """Every record that the provider shows for an order's id, for other ids and for both forms of its ref."""
        known = dict.fromkeys([order.topup_id, *ids] if order.topup_id else ids)
        found = {topup_id: await self.record(topup_id) for topup_id in known}
        for form in (order.ref, prefixed(order.ref, account)):
            record = await self._by_ref(form)
            if record is not None and ref_is_ours(record.ref, order.ref, account):
                found[record.topup_id or form] = record
        return [record for record in found.values() if record is not None]

    async def _by_ref(self, form: str) -> Record | None:
        return await self._found(lambda: self._client.check_ref(form, purpose="audit"))

    async def _found(self, ask: Callable[[], Awaitable[TopUpRecord]]) -> Record | None:
        try:
            return as_record(await self._ask("check", ask))
        except NotFound:
            return None

    async def _whole(
        self, name: str, read: Callable[[int], Awaitable[_Page[Row]]], key: Callable[[Row], object]
    ) -> list[Row]:
        rows: dict[object, Row] = {}
        total: int | None = None
        for _ in range(READINGS_MAX):
            total = await self._read(name, read, key, rows)
            if total is None or len(rows) >= total:
                return list(rows.values())
        self.notes.append(f"the provider counts {total} rows in its {name}, and showed {len(rows)}")
        return list(rows.values())

    async def _read(
        self,
        name: str,
        read: Callable[[int], Awaitable[_Page[Row]]],
        key: Callable[[Row], object],
        rows: dict[object, Row],
    ) -> int | None:
        total: int | None = None
        for number in range(1, PAGES_MAX + 1):
            page = await self._ask(name, partial(read, number))
            # What is added later stands before the first page, which was read.
            total = page.total if number == 1 else total
            if page.number != number:
                raise CantRead(f"the provider answered with another page of its {name}")
            rows |= {key(row): row for row in page.rows}
            self.say(f"their {name}: page {number} of {max(page.of, 1)}")
            if number >= page.of:
                return total
        raise CantRead(f"the provider's {name} has more than {PAGES_MAX} pages")

    async def _ask(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        await self._pause(self._pace)
        self.requests[name] += 1
        return await self._unhurried(ask)

    async def _unhurried(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except RateLimited as error:
                # Nothing left this host. Sends go first, and a reconciliation has all day.
                await self._pause(max(error.retry_after or 0.0, 1.0))

    async def _pause(self, seconds: float) -> None:
        self._tell(self._under_way)
        while seconds > 0:
            await asyncio.sleep(min(seconds, SLICE_SECONDS))
            seconds -= SLICE_SECONDS
            self._tell(self._under_way)


def as_movement(row: Transaction) -> Movement:
    """Return the provider's transaction in our words."""
    old, new = _or_none(row.old_balance), _or_none(row.new_balance)
    amount = _or_none(row.amount)
    if amount is None:
        amount = abs(new - old) if old is not None and new is not None else 0
    return Movement(
        id=row.id,
        type=(row.type or "UNNAMED")[:40],
        amount=abs(amount),
        old_balance=old,
        new_balance=new,
        about=row.objid or None,
        at=row.time,
    )


def _or_none(amount: Decimal | None) -> int | None:
    return None if amount is None else _centimes(amount)


def _centimes(amount: Decimal) -> int:
    return round(amount * 100)
