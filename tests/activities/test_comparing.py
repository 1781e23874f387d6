"""One comparison: what differs at first sight is looked at a second time, and both books go on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from activities import comparing
from activities.comparing import MARGIN, SENT_WITHIN, Comparing
from activities.their_books import Tell, TheirBooks
from tests.unit.story import ACCOUNT, BEGAN, REF, TOPUP_ID
from tests.unit.test_reconciliation import OTHER_ID, WINDOW, ours, theirs
from topups import Phase
from topups.books.differences import Compared, Difference, Kind, Movement, OurOrder, Window
from topups.books.ours import OurBooks
from topups.observations import Record
from topups.records import prefixed

NOW = WINDOW.until
OLD = BEGAN - timedelta(days=40)


def paid(topup_id: str, kind: str = "FLEXY", amount: int = 49_000) -> Movement:
    return Movement(id=f"{kind}-{topup_id}", type=kind, amount=amount, about=topup_id, at=BEGAN)


@dataclass
class Both:
    """Both books at their ports: what the first reading shows, and what a second look shows of the same."""

    orders: list[OurOrder] = field(default_factory=list)
    later: dict[str, OurOrder] = field(default_factory=dict)
    moving: dict[str, list[OurOrder]] = field(default_factory=dict)
    listed: list[Record] = field(default_factory=list)
    by_id: dict[str, Record] = field(default_factory=dict)
    by_ref: dict[str, list[Record]] = field(default_factory=dict)
    paid: list[Movement] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=lambda: {"list": 1})
    notes: list[str] = field(default_factory=list)

    async def between(self, since: object, until: object, tell: Tell) -> dict[str, OurOrder]:
        self.asked.append((since, until))
        return {order.ref: order for order in self.orders}

    async def order(self, ref: str) -> OurOrder | None:
        self.asked.append(ref)
        if self.moving.get(ref):
            return self.moving[ref].pop(0)
        known = {order.ref: order for order in self.orders} | self.later
        return known.get(ref)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    async def account(self) -> str:
        return ACCOUNT

    async def balance(self) -> int:
        self.asked.append("balance")
        return 100

    async def records(self, since: object, until: object) -> list[Record]:
        self.asked.append((since, until))
        return self.listed

    async def movements(self, since: object, until: object) -> list[Movement]:
        return self.paid

    async def record(self, topup_id: str) -> Record | None:
        self.asked.append(topup_id)
        return self.by_id.get(topup_id)

    async def records_of(self, order: OurOrder, account: str) -> list[Record]:
        return self.by_ref.get(order.ref, [])

    async def compared(self, window: Window = WINDOW) -> Compared:
        run = Comparing(
            cast("OurBooks", self),
            cast("TheirBooks", self),
            environment="sandbox",
            window=window,
            now=NOW,
            tell=lambda _: None,
        )
        return await run.run()

    async def found(self) -> list[Difference]:
        return list((await self.compared()).report.differences)


def agreed() -> Both:
    return Both(orders=[ours()], listed=[theirs()], by_id={TOPUP_ID: theirs()}, paid=[paid(TOPUP_ID)])


async def test_books_that_agree_cost_no_second_look() -> None:
    both = agreed()
    report = (await both.compared()).report
    assert (report.found, report.orders, report.records, report.movements, report.passing) == (0, 1, 1, 1, 0)
    assert (report.account, report.requests, report.notes) == (ACCOUNT, {"list": 1}, ())
    assert both.asked == [
        (WINDOW.since - SENT_WITHIN, NOW + MARGIN),
        (WINDOW.since - MARGIN, NOW + MARGIN),
        "balance",
    ]


async def test_a_difference_that_stays_is_reported() -> None:
    both = agreed()
    both.listed = [theirs("PENDING")]
    both.by_id = {TOPUP_ID: theirs("PENDING")}
    [difference] = await both.found()
    assert (difference.kind, difference.ref) == (Kind.OTHER_STATUS, REF)
    assert both.said == ["second look: 1 of 1"]


async def test_a_list_that_lags_behind_its_own_records_makes_no_difference() -> None:
    both = agreed()
    both.listed = [theirs("PENDING")]
    report = (await both.compared()).report
    assert (report.found, report.passing) == (0, 1)


async def test_an_order_that_went_on_while_it_was_read_makes_no_difference() -> None:
    both = agreed()
    both.orders = [ours(Phase.UNKNOWN_ERROR)]
    both.later = {REF: ours()}
    assert (await both.compared()).report.passing == 1


async def test_an_order_that_is_sent_while_its_money_is_read_makes_no_difference() -> None:
    both = agreed()
    both.orders = [ours(Phase.ACCEPTED, sends=0)]
    both.by_id = {TOPUP_ID: theirs("PENDING")}
    both.paid.append(paid(OTHER_ID))
    both.listed = [theirs(ref="another", topup_id=OTHER_ID, phone="0770000000")]
    both.by_id[OTHER_ID] = both.listed[0]
    both.later = {REF: ours(Phase.PENDING)}
    assert [one.ref for one in await both.found()] == ["another"]


async def test_an_order_that_moves_under_the_second_look_is_looked_at_once_more() -> None:
    both = agreed()
    both.orders = [ours(Phase.UNKNOWN_ERROR)]
    both.moving = {REF: [ours(Phase.UNKNOWN_ERROR)]}
    both.later = {REF: ours()}
    assert await both.found() == []
    assert both.asked.count(TOPUP_ID) == 2


async def test_money_that_moved_since_the_transactions_were_read_makes_no_difference() -> None:
    both = agreed()
    both.orders, both.later = [ours()], {REF: ours(Phase.PENDING)}
    both.listed, both.by_id = [theirs("PENDING")], {TOPUP_ID: theirs("REFUNDED")}
    assert await both.found() == []
    both.listed = [theirs("REFUNDED")]
    [difference] = await both.found()
    assert (difference.kind, difference.by_money) == (Kind.OTHER_AMOUNT, True)


async def test_a_record_that_the_list_lacks_is_looked_for_by_id_and_by_ref() -> None:
    both = agreed()
    both.listed = []
    both.by_ref = {REF: [theirs()]}
    both.paid = []
    assert await both.found() == []
    both.by_ref = {}
    both.by_id = {}
    [difference] = await both.found()
    assert difference.kind is Kind.UNKNOWN_TO_THEM


async def test_an_order_that_no_list_of_ours_shows_yet_is_found_by_its_ref() -> None:
    both = agreed()
    both.orders = []
    both.later = {REF: ours()}
    assert await both.found() == []
    both.later = {REF: ours(environment="production")}
    [difference] = await both.found()
    assert difference.kind is Kind.UNKNOWN_TO_US


@pytest.mark.parametrize("ref", ["a ref/of a stranger", "API-+213770112233-x", None])
async def test_a_strangers_ref_is_never_asked_for_in_temporal(ref: str | None) -> None:
    both = agreed()
    stranger = theirs(ref=ref, topup_id=OTHER_ID)
    both.listed, both.by_id = [theirs(), stranger], {TOPUP_ID: theirs(), OTHER_ID: stranger}
    both.paid.append(paid(OTHER_ID))
    [difference] = await both.found()
    assert (difference.kind, difference.ref) == (Kind.UNKNOWN_TO_US, ref)
    assert ref not in both.asked


async def test_a_delivery_of_long_ago_that_is_taken_back_now_is_found_by_its_money() -> None:
    both = agreed()
    old = theirs("REFUNDED", ref=prefixed("old", ACCOUNT), topup_id=OTHER_ID, created_at=OLD)
    both.by_id[OTHER_ID] = old
    both.later = {"old": ours(ref="old", topup_id=OTHER_ID, accepted_at=OLD)}
    both.paid.append(paid(OTHER_ID, "REFUND-FLEXY"))
    [difference] = await both.found()
    assert (difference.kind, difference.ref, difference.act) == (Kind.LATE_REVERSAL, "old", "audit")


async def test_money_for_what_nobody_shows_is_reported_by_its_id() -> None:
    both = agreed()
    both.paid.append(paid(OTHER_ID))
    [difference] = await both.found()
    assert (difference.kind, difference.ref, difference.topup_ids) == (Kind.UNKNOWN_TO_US, None, (OTHER_ID,))


async def test_transactions_that_name_no_top_up_are_told() -> None:
    both = agreed()
    both.paid = [paid("something-else")]
    report = (await both.compared()).report
    assert report.found == 0
    assert "in sum only" in report.notes[0]


async def test_of_too_many_differences_all_are_counted_and_the_gravest_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "SECOND_LOOKS_MAX", 2)
    monkeypatch.setattr(comparing, "DIFFERENCES_MAX", 3)
    strangers = [theirs(ref=f"r{number}", topup_id=f"id{number}") for number in range(5)]
    both = Both(listed=strangers, by_id={str(one.topup_id): one for one in strangers})
    both.orders = [ours(Phase.CANCELLED, ref="r4")]
    report = (await both.compared()).report
    assert report.counts == {"unknown_to_us": 4, "other_status": 1}
    assert [one.kind for one in report.differences] == [Kind.OTHER_STATUS, Kind.UNKNOWN_TO_US, Kind.UNKNOWN_TO_US]
    assert report.notes == ("only 2 of 5 differences were looked at a second time",)


async def test_the_balance_of_now_says_nothing_of_a_window_that_is_over() -> None:
    both = agreed()
    await both.compared(Window(since=OLD, until=BEGAN))
    assert "balance" not in both.asked


async def test_a_balance_that_no_transaction_leads_to_is_a_difference_of_its_own() -> None:
    both = agreed()
    both.paid = [paid(TOPUP_ID).model_copy(update={"old_balance": 100_000, "new_balance": 51_000})]
    [difference] = await both.found()
    assert (difference.kind, difference.ref) == (Kind.BALANCE, None)
    assert both.asked.count("balance") == 2


async def test_orders_that_are_behind_are_named_and_are_no_difference() -> None:
    both = agreed()
    both.orders = [ours(Phase.CONFIRMING)]
    compared = await both.compared()
    assert (compared.report.found, compared.behind) == (0, (REF,))
