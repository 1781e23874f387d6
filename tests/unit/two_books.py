"""Two books that agree, drawn at random, and every way to make them differ in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.unit.story import ACCOUNT, BEGAN
from topups.books.differences import Difference, Kind, Movement, OurOrder, Theirs, Window
from topups.books.movements import balance, with_money
from topups.books.reconciliation import differences, match
from topups.models import Phase
from topups.observations import Record
from topups.records import prefixed

WINDOW = Window(since=BEGAN, until=BEGAN + timedelta(days=3))
OPENING = 50_000_000
SENT = (Phase.PENDING, Phase.HANDLING, Phase.UNKNOWN_ERROR, Phase.FULFILLED, Phase.REFUNDED)
NEVER = (Phase.REJECTED, Phase.CANCELLED, Phase.ON_HOLD, Phase.ACCEPTED, Phase.CONFIRMING)
OPEN_WORDS = ("PENDING", "HANDLING")


@dataclass(frozen=True)
class Books:
    """Orders by ref, records by id, the movements in the order in which they happened."""

    orders: dict[str, OurOrder] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    movements: tuple[Movement, ...] = ()

    def found(self) -> list[Difference]:
        """What a reconciliation reports of them."""
        theirs = Theirs(
            account=ACCOUNT,
            records=tuple(self.records.values()),
            movements=self.movements,
            balance=self.movements[-1].new_balance if self.movements else None,
        )
        matched = match(self.orders.values(), theirs)
        found = with_money(differences(matched, ACCOUNT, WINDOW), matched, theirs, WINDOW)
        _, unexplained = balance(theirs)
        return [*found, unexplained] if unexplained else found

    def but(self, ref: str | None = None, **changes: Any) -> Books:
        """The same with another record of an order, or with other parts."""
        if ref is None:
            return dataclasses.replace(self, **changes)
        record = self.record_of(ref)
        changed = record.model_copy(update=changes)
        return dataclasses.replace(self, records={**self.records, str(record.topup_id): changed})

    def record_of(self, ref: str) -> Record:
        return next(one for one in self.records.values() if one.ref == prefixed(ref, ACCOUNT))

    def plus(self, record: Record, *kinds: str) -> Books:
        """The same with one more record, and what was paid and paid back for it."""
        books = dataclasses.replace(self, records={**self.records, str(record.topup_id): record})
        for kind in kinds:
            books = books.moved(record, kind)
        return books

    def moved(self, record: Record, kind: str) -> Books:
        """The same with one more movement for a record."""
        amount = round((record.amount or 0) * 98)
        before = self.movements[-1].new_balance if self.movements else OPENING
        after = (before or 0) + (-amount if kind == "FLEXY" else amount)
        movement = Movement(
            id=f"m{len(self.movements)}",
            type=kind,
            amount=amount,
            old_balance=before,
            new_balance=after,
            about=record.topup_id,
            at=record.created_at,
        )
        return dataclasses.replace(self, movements=(*self.movements, movement))


def record_for(order: OurOrder, status: str, at: datetime) -> Record:
    """The provider's record of an order."""
    amount = order.amount or 0
    return Record(
        topup_id=order.topup_id,
        status=status,
        ref=prefixed(order.ref, ACCOUNT),
        plan_code=order.plan_code,
        phone=order.phone,
        amount=amount,
        balance_amount=0.0 if status == "REFUNDED" else round(amount * 0.98, 2),
        created_at=at,
    )


def order_of(number: int, phase: Phase, amount: int, minutes: int) -> OurOrder:
    """An order that was accepted so many minutes after the window's begin."""
    return OurOrder(
        ref=f"order-{number}",
        phase=phase,
        plan_code="PREPAID_DJEZZY",
        phone=f"0770{number:06}",
        amount=amount,
        environment="sandbox",
        account=ACCOUNT,
        topup_id=f"{number:024x}" if phase in SENT else None,
        accepted_at=BEGAN + timedelta(minutes=minutes),
        balance_amount=round(amount * 0.98, 2) if phase is Phase.FULFILLED else None,
        sends=1 if phase in SENT else 0,
    )


@st.composite
def books(draw: st.DrawFn) -> Books:
    """Books that agree: each phase has the record that it must have, and each record its money."""
    made = Books()
    phases: Sequence[Phase] = draw(st.lists(st.sampled_from(SENT + NEVER), max_size=8))
    # One of each that can be changed below.
    for number, phase in enumerate([Phase.FULFILLED, Phase.REFUNDED, Phase.UNKNOWN_ERROR, Phase.CANCELLED, *phases]):
        order = order_of(number, phase, draw(st.integers(100, 10_000)), draw(st.integers(0, 3 * 24 * 60 - 30)))
        made = dataclasses.replace(made, orders={**made.orders, order.ref: order})
        if phase in SENT:
            word = draw(st.sampled_from(OPEN_WORDS)) if phase in {Phase.PENDING, Phase.HANDLING} else phase.value
            at = order.accepted_at + timedelta(seconds=draw(st.integers(0, 600)))
            paid = ("FLEXY", "REFUND-FLEXY") if phase is Phase.REFUNDED else ("FLEXY",)
            made = made.plus(record_for(order, word, at), *paid)
    return made


DELIVERED, REFUNDED, UNKNOWN, CANCELLED = (f"order-{number}" for number in range(4))


def _late_reversal(books: Books) -> Books:
    record = books.record_of(DELIVERED)
    return books.but(DELIVERED, status="REFUNDED", balance_amount=0.0).moved(record, "REFUND-FLEXY")


def _forgotten(books: Books) -> Books:
    gone = str(books.record_of(DELIVERED).topup_id)
    return books.but(records={key: record for key, record in books.records.items() if key != gone})


def _another_record(books: Books, ref: str, **changes: Any) -> Books:
    record = books.record_of(DELIVERED)
    known: dict[str, Any] = {"topup_id": f"{999:024x}", "ref": prefixed(ref, ACCOUNT)}
    return books.plus(record.model_copy(update=known | changes), "FLEXY")


def _of_cancelled(books: Books) -> Books:
    order = books.orders[CANCELLED].model_copy(update={"topup_id": f"{999:024x}"})
    return books.plus(record_for(order, "FULFILLED", order.accepted_at), "FLEXY")


def _cheaper(books: Books) -> Books:
    first, *rest = books.movements
    amount = first.amount - 100
    cheaper = first.model_copy(update={"amount": amount, "old_balance": (first.new_balance or 0) + amount})
    return books.but(movements=(cheaper, *rest))


def _lost_movement(books: Books) -> Books:
    # A deposit in the middle that no row shows.
    first, *rest = books.movements
    later = [
        one.model_copy(
            update={"old_balance": (one.old_balance or 0) + 777_00, "new_balance": (one.new_balance or 0) + 777_00}
        )
        for one in rest
    ]
    return books.but(movements=(first, *later))


MUTATIONS: dict[str, tuple[Callable[[Books], Books], Kind, str | None]] = {
    "a delivery is taken back": (_late_reversal, Kind.LATE_REVERSAL, DELIVERED),
    "a delivery hangs again": (lambda books: books.but(DELIVERED, status="HANDLING"), Kind.OTHER_STATUS, DELIVERED),
    "a refund was delivered": (lambda books: books.but(REFUNDED, status="FULFILLED"), Kind.OTHER_STATUS, REFUNDED),
    "an unknown error is settled": (lambda books: books.but(UNKNOWN, status="FULFILLED"), Kind.OTHER_STATUS, UNKNOWN),
    "a cancelled order exists": (_of_cancelled, Kind.OTHER_STATUS, CANCELLED),
    "a record is gone": (_forgotten, Kind.UNKNOWN_TO_THEM, DELIVERED),
    "a record has another amount": (lambda books: books.but(DELIVERED, amount=7.0), Kind.OTHER_AMOUNT, DELIVERED),
    "a record cost another amount": (
        lambda books: books.but(DELIVERED, balance_amount=7.0),
        Kind.OTHER_AMOUNT,
        DELIVERED,
    ),
    "less was debited": (_cheaper, Kind.OTHER_AMOUNT, DELIVERED),
    "a record has another number": (
        lambda books: books.but(DELIVERED, phone="0550000000"),
        Kind.OTHER_ORDER,
        DELIVERED,
    ),
    "somebody else ordered": (lambda books: _another_record(books, "elsewhere"), Kind.UNKNOWN_TO_US, "elsewhere"),
    "two records have one ref": (lambda books: _another_record(books, DELIVERED), Kind.TWO_RECORDS, DELIVERED),
    "the balance jumps": (_lost_movement, Kind.BALANCE, None),
}
