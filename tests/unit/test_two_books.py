"""Books that agree show no difference, and one change of them shows exactly itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.two_books import MUTATIONS, WINDOW, Books, books, order_of, record_for
from topups.books.differences import Balance, Kind, Movement, Theirs
from topups.books.movements import balance, unplaced, why_not_comparable
from topups.models import Phase

ACCOUNT_OF_NOBODY = Theirs(account="+213000000000")


@given(books())
def test_books_that_agree_show_no_difference(drawn: Books) -> None:
    assert drawn.found() == []


@pytest.mark.parametrize("name", MUTATIONS)
@given(drawn=books())
def test_one_change_of_the_books_shows_exactly_itself(name: str, drawn: Books) -> None:
    change, kind, ref = MUTATIONS[name]
    [difference] = change(drawn).found()
    assert (difference.kind, difference.ref) == (kind, ref)


@given(books(), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_rows_nor_of_the_changes_matters(drawn: Books, chance: random.Random) -> None:
    names = ["a delivery is taken back", "a refund was delivered", "somebody else ordered", "a cancelled order exists"]
    chance.shuffle(names)
    wanted: set[tuple[Kind, str | None]] = set()
    for name in names[:3]:
        change, kind, ref = MUTATIONS[name]
        # Both take the same id, so only one of them.
        if name == "a cancelled order exists" and (Kind.UNKNOWN_TO_US, "elsewhere") in wanted:
            continue
        if name == "somebody else ordered" and any(known == "order-3" for _, known in wanted):
            continue
        drawn, wanted = change(drawn), wanted | {(kind, ref)}
    movements, records = list(drawn.movements), list(drawn.records.items())
    newest = movements[-1].new_balance
    chance.shuffle(movements)
    chance.shuffle(records)
    shuffled = drawn.but(movements=tuple(movements), records=dict(records))
    # The last row of a shuffled list is any of them, and each is a balance that somebody may have read.
    assert newest is not None
    assert {(one.kind, one.ref) for one in shuffled.found()} == wanted


@given(books())
def test_where_no_transaction_names_a_record_the_money_is_compared_in_sum_only(drawn: Books) -> None:
    nameless = tuple(one.model_copy(update={"about": "something-else"}) for one in drawn.movements)
    assert drawn.but(movements=nameless).found() == []
    theirs = Theirs(account="", records=tuple(drawn.records.values()), movements=nameless)
    assert why_not_comparable(theirs, WINDOW) == "their transactions name no top-up of their list"
    assert unplaced(theirs, WINDOW) == []


def test_what_is_odd_about_most_records_is_a_rule_that_nobody_knew() -> None:
    drawn = Books()
    for number in range(12):
        order = order_of(number, Phase.FULFILLED, 500, 0)
        record = record_for(order, "FULFILLED", order.accepted_at)
        drawn = drawn.but(orders={**drawn.orders, order.ref: order}).plus(record, "FLEXY")
    gross = tuple(one.model_copy(update={"amount": 50_000, "old_balance": None}) for one in drawn.movements)
    assert drawn.but(movements=gross).found() == []
    theirs = Theirs(account="", records=tuple(drawn.records.values()), movements=gross)
    assert "disagree in 12 of 12 cases" in (why_not_comparable(theirs, WINDOW) or "")
    few = (*gross[:6], *drawn.movements[6:])
    assert len(drawn.but(movements=few).found()) == 6


def test_money_for_a_top_up_that_nobody_shows_is_unknown_to_us() -> None:
    drawn = _one_delivered()
    stray = drawn.movements[0].model_copy(update={"id": "stray", "about": "nobody's"})
    before = drawn.movements[-1].new_balance or 0
    stray = stray.model_copy(update={"old_balance": before, "new_balance": before - stray.amount})
    strayed = drawn.but(movements=(*drawn.movements, stray))
    [difference] = strayed.found()
    assert (difference.kind, difference.topup_ids, difference.by_money) == (Kind.UNKNOWN_TO_US, ("nobody's",), True)
    theirs = Theirs(account="", records=tuple(strayed.records.values()), movements=strayed.movements)
    assert unplaced(theirs, WINDOW) == ["nobody's"]
    early = stray.model_copy(update={"at": WINDOW.since.replace(year=2020)})
    assert drawn.but(movements=(*drawn.movements, early)).found() == []


def test_a_deposit_is_about_no_top_up() -> None:
    drawn = _one_delivered()
    [record] = drawn.records.values()
    assert drawn.moved(record, "DEPOSIT").found() == []


def test_a_refund_without_its_money_and_a_delivery_with_its_money_back_are_told() -> None:
    drawn = _one_delivered()
    [record] = drawn.records.values()
    [back] = drawn.moved(record, "REFUND-FLEXY").found()
    assert (back.kind, back.by_money, "gave" in back.says) == (Kind.OTHER_AMOUNT, True, True)
    [kept] = drawn.but("order-0", status="REFUNDED").found()
    assert kept.kind is Kind.LATE_REVERSAL
    assert "they call it REFUNDED" in kept.says


def test_what_was_made_before_the_window_may_have_been_paid_before_it() -> None:
    drawn = _one_delivered()
    early = drawn.but("order-0", created_at=WINDOW.since.replace(year=2020), balance_amount=490)
    cheap = early.movements[0].model_copy(update={"amount": 1, "old_balance": 101, "new_balance": 100})
    assert [one.kind for one in early.but(movements=(cheap,)).found()] == []


def test_an_order_under_way_with_odd_money_opens_no_audit() -> None:
    drawn = _one_delivered()
    open_order = drawn.orders["order-0"].model_copy(update={"phase": Phase.PENDING})
    [record] = drawn.records.values()
    [difference] = drawn.but(orders={"order-0": open_order}).moved(record, "REFUND-FLEXY").found()
    assert (difference.kind, difference.act) == (Kind.OTHER_AMOUNT, "none")


def _row(old: int | None, new: int | None, amount: int) -> Movement:
    return Movement(id=f"{old}-{new}", type="DEPOSIT", amount=amount, old_balance=old, new_balance=new)


@pytest.mark.parametrize(
    ("rows", "now", "shown", "says"),
    [
        ((), 100, Balance(now=1), None),
        ((_row(None, 100, 100),), 100, Balance(now=1, moved={"DEPOSIT": 1}), None),
        ((_row(0, 100, 100),), None, Balance(opening=0, closing=1, moved={"DEPOSIT": 1}, explained=True), None),
        (
            (_row(0, 100, 100),),
            300,
            Balance(opening=0, closing=1, now=3, moved={"DEPOSIT": 1}, explained=False),
            "no transaction leads to it",
        ),
        (
            (_row(0, 100, 90),),
            100,
            Balance(opening=0, closing=1, now=1, moved={"DEPOSIT": 0.9}, explained=False),
            "another amount than its own",
        ),
        (
            (_row(0, 100, 100), _row(150, 250, 100)),
            250,
            Balance(now=2.5, moved={"DEPOSIT": 2}, explained=False),
            "1 time(s)",
        ),
    ],
)
def test_the_balance_adds_up_or_it_is_said_where_not(
    rows: tuple[Movement, ...], now: int | None, shown: Balance, says: str | None
) -> None:
    found, difference = balance(ACCOUNT_OF_NOBODY.model_copy(update={"movements": rows, "balance": now}))
    assert found == shown
    assert (difference is None) is (says is None)
    assert difference is None or (says or "") in difference.says


def _one_delivered() -> Books:
    order = order_of(0, Phase.FULFILLED, 500, 0)
    return Books(orders={order.ref: order}).plus(record_for(order, "FULFILLED", order.accepted_at), "FLEXY")
