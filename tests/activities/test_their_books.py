"""Reading the provider's books: whole, once, at a pace, and never on a guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from activities import their_books
from activities.their_books import CantRead, TheirBooks, as_movement
from oneclickdz import Account, NotFound, OneClickDZ, RateLimited, SaysNothing, TopUpPage, TopUpRecord, Transaction
from oneclickdz.models import TransactionPage
from tests.activities.fake import ACCOUNT, REF, TOPUP_ID, record
from tests.unit.test_reconciliation import ours
from topups.records import prefixed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPAN = (NOW - timedelta(days=1), NOW)
Answers = list[TopUpPage | Exception]


class Client:
    """Pages in the order in which they are asked for, and records by id and ref."""

    def __init__(self, *pages: TopUpPage | Exception, **known: TopUpRecord) -> None:
        self.pages = list(pages)
        self.known = known
        self.by_ref: dict[str, TopUpRecord] = {}
        self.asked: list[str] = []
        self.whose: str | None = ACCOUNT

    async def identify(self) -> Account:
        return Account(username=self.whose, environment="sandbox")

    async def list_topups(self, *, page: int, since: datetime, until: datetime, purpose: str) -> TopUpPage:
        self.asked.append(f"list {page}")
        found = self.pages.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def transactions(self, *, page: int, since: datetime, until: datetime) -> TransactionPage:
        row = Transaction(id="t1", type="FLEXY", amount=Decimal("490.00"), objid=TOPUP_ID)
        return TransactionPage(items=(row,), page=page, total_pages=1, total_results=1)

    async def balance(self) -> Decimal:
        return Decimal("1326.13")

    async def check_id(self, topup_id: str, *, purpose: str) -> TopUpRecord:
        self.asked.append(f"check-id {topup_id}")
        return self._given(self.known.get(topup_id))

    async def check_ref(self, ref: str, *, purpose: str) -> TopUpRecord:
        self.asked.append(f"check-ref {ref}")
        return self._given(self.by_ref.get(ref))

    def _given(self, found: TopUpRecord | None) -> TopUpRecord:
        if found is None:
            raise NotFound("no such record", http=404, code="NOT_FOUND")
        return found


def page(*ids: str, number: int = 1, of: int = 1, total: int | None = None) -> TopUpPage:
    rows = tuple(record(id=one, ref=f"order-{one}") for one in ids)
    return TopUpPage(items=rows, page=number, total_pages=of, total_results=total)


def reading(client: Client, tell: Callable[[str], None] = lambda _: None, pace: float = 0.0) -> TheirBooks:
    return TheirBooks(cast("OneClickDZ", client), pace, tell)


async def test_every_page_is_read_once() -> None:
    client = Client(page("a", "b", of=2, total=3), page("c", number=2, of=2, total=3))
    books = reading(client)
    assert [row.topup_id for row in await books.records(*SPAN)] == ["a", "b", "c"]
    assert books.requests == {"list": 2}


async def test_a_list_that_grows_under_the_reading_shows_each_record_once() -> None:
    client = Client(page("a", "b", of=2, total=3), page("b", "c", number=2, of=2, total=4))
    books = reading(client)
    assert [row.topup_id for row in await books.records(*SPAN)] == ["a", "b", "c"]
    assert (books.requests, books.notes) == ({"list": 2}, [])


async def test_a_list_that_lost_rows_under_the_reading_is_read_again() -> None:
    first = [page("a", "b", of=2, total=4), page("d", number=2, of=2, total=4)]
    second = [page("b", "c", of=2, total=4), page("d", number=2, of=2, total=4)]
    books = reading(Client(*first, *second))
    assert sorted(str(row.topup_id) for row in await books.records(*SPAN)) == ["a", "b", "c", "d"]
    assert books.notes == []


async def test_a_list_that_never_shows_what_it_counts_is_told_and_used_all_the_same() -> None:
    books = reading(Client(*[page("a", total=5)] * 3))
    assert len(await books.records(*SPAN)) == 1
    assert books.notes == ["the provider counts 5 rows in its list, and showed 1"]


async def test_another_page_than_the_one_that_was_asked_for_proves_nothing() -> None:
    with pytest.raises(CantRead, match="another page of its list"):
        await reading(Client(page("a", number=2, of=2))).records(*SPAN)


async def test_a_list_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(their_books, "PAGES_MAX", 2)
    endless = Client(page("a", of=9), page("b", number=2, of=9))
    with pytest.raises(CantRead, match="more than 2 pages"):
        await reading(endless).records(*SPAN)


async def test_it_waits_for_the_rate_limit_and_tells_meanwhile_that_it_lives() -> None:
    told: list[str] = []
    limited = RateLimited("the window is full", retry_after=0.01)
    books = reading(Client(page("a", of=2), limited, page("b", number=2, of=2)), told.append, pace=0.01)
    assert len(await books.records(*SPAN)) == 2
    assert "their list: page 1 of 2" in told
    assert len(told) > 4


async def test_no_answer_is_no_empty_list() -> None:
    with pytest.raises(SaysNothing):
        await reading(Client(SaysNothing("time-out"))).records(*SPAN)


async def test_a_key_that_nobody_owns_proves_nothing() -> None:
    client = Client()
    client.whose = None
    with pytest.raises(CantRead, match="whose key"):
        await reading(client).account()


async def test_a_record_may_be_missing() -> None:
    books = reading(Client(**{TOPUP_ID: record()}))
    assert await books.record(TOPUP_ID) is not None
    assert await books.record("gone") is None
    assert books.requests == {"check": 2}


async def test_of_one_order_every_id_and_both_forms_of_its_ref_are_asked() -> None:
    client = Client(**{TOPUP_ID: record(), "other": record(id="other")})
    client.by_ref = {
        REF: record(id="foreign", ref="another-ref"),
        prefixed(REF, ACCOUNT): record(ref=prefixed(REF, ACCOUNT)),
    }
    found = await reading(client).records_of(ours(), ACCOUNT, ["other"])
    assert [one.topup_id for one in found] == [TOPUP_ID, "other"]
    assert len(client.asked) == 4
    assert await reading(Client()).records_of(ours(topup_id=None), ACCOUNT) == []


async def test_money_is_counted_in_centimes() -> None:
    books = reading(Client())
    assert await books.balance() == 132_613
    [row] = await books.movements(*SPAN)
    assert (row.amount, row.about, row.type) == (49_000, TOPUP_ID, "FLEXY")


@pytest.mark.parametrize(
    ("known", "amount"),
    [
        ({"amount": Decimal(-5)}, 500),
        ({"old_balance": Decimal(9), "new_balance": Decimal(4)}, 500),
        ({"old_balance": Decimal(9)}, 0),
    ],
)
def test_an_amount_that_is_missing_comes_from_the_balances_where_it_can(known: dict[str, Any], amount: int) -> None:
    row = as_movement(Transaction(id="t1", **known))
    assert (row.amount, row.type, row.about) == (amount, "UNNAMED", None)
