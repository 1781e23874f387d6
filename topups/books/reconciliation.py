"""Our orders against the provider's books: what differs, and what may be done about it. Pure.

What is no difference: an order that is one look behind, or whose record nobody could have yet; an end that a person
gave while the provider is undecided; a refunded record from a former life of the ref.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from topups.books.differences import Act, Difference, Kind, OurOrder, Theirs, Window, centimes
from topups.models import Phase
from topups.observations import Record
from topups.policy import STALE_RECORD_SECONDS
from topups.records import prefixed, ref_is_ours

FINAL_WORDS = frozenset({"FULFILLED", "REFUNDED"})
# In these a record must exist: the provider itself has said so.
_EXISTS = frozenset({Phase.PENDING, Phase.HANDLING, Phase.UNKNOWN_ERROR, Phase.FULFILLED, Phase.REFUNDED})
_SHOWN_WORD = 40


@dataclass
class Matched:
    """The two books side by side: the records of each order, and those that no order of ours has."""

    orders: dict[str, OurOrder]
    of_order: dict[str, list[Record]] = field(default_factory=dict)
    strangers: list[Record] = field(default_factory=list)
    others: int = 0

    def owner(self, topup_id: str) -> OurOrder | None:
        """The order that has this id, by its own word or by its record's."""
        for order in self.orders.values():
            if order.topup_id == topup_id:
                return order
            if any(record.topup_id == topup_id for record in self.of_order.get(order.ref, ())):
                return order
        return None


def match(orders: Iterable[OurOrder], theirs: Theirs) -> Matched:
    """Give each record to the order that has its id or its ref; orders of another account have none here."""
    known = list(orders)
    mine = {order.ref: order for order in known if order.account in {None, theirs.account}}
    matched = Matched(mine, others=len(known) - len(mine))
    by_id = {order.topup_id: order.ref for order in mine.values() if order.topup_id is not None}
    for record in theirs.records:
        ref = by_id.get(record.topup_id or "") or _ref_of_ours(record, mine, theirs.account)
        if ref is None:
            matched.strangers.append(record)
        else:
            matched.of_order.setdefault(ref, []).append(record)
    return matched


def bare(ref: str | None, account: str) -> str | None:
    """The caller's own ref in the form that the provider stores."""
    return ref.removeprefix(prefixed("", account)) if ref is not None else None


def _ref_of_ours(record: Record, mine: Mapping[str, OurOrder], account: str) -> str | None:
    for ref in (record.ref, bare(record.ref, account)):
        if ref is not None and ref in mine and ref_is_ours(record.ref, ref, account):
            return ref
    return None


def differences(matched: Matched, account: str, window: Window) -> list[Difference]:
    """Return every difference between orders and records, one an order and one a stranger at most."""
    found: list[Difference] = []
    for ref, order in matched.orders.items():
        records = matched.of_order.get(ref, [])
        # Of an order from before the window no record need be in the list.
        if records or window.holds(order.accepted_at):
            difference = of_order(order, records)
            found += [difference] if difference is not None else []
    found += [_stranger(record, account) for record in matched.strangers if window.holds(record.created_at)]
    return found


def behind(matched: Matched) -> list[str]:
    """Refs of open orders that the provider has moved, and that wouldn't look soon by themselves."""
    return [
        ref
        for ref, records in matched.of_order.items()
        if len(records) == 1 and _is_behind(matched.orders[ref], records[0])
    ]


def _is_behind(order: OurOrder, record: Record) -> bool:
    if order.broken_off or other_order(order, record) is not None:
        return False
    if order.phase is Phase.CONFIRMING:
        return True
    # Without a need of review it looks every few seconds anyway.
    return order.phase in {Phase.PENDING, Phase.HANDLING} and order.needs_review and record.status in FINAL_WORDS


def of_order(order: OurOrder, records: Sequence[Record]) -> Difference | None:
    """Compare one order with all records that bear its id or ref."""
    if len(records) > 1:
        return _two(order, records)
    if not records:
        return _missing(order)
    [record] = records
    if order.never_created or order.phase.unsent:
        return _uncalled_for(order, record)
    if order.phase is Phase.CONFIRMING and is_former_life(order, record):
        return None
    strange = other_order(order, record)
    if strange is not None:
        return _differ(order, record, Kind.OTHER_ORDER, f"their record under our ref or id {strange}")
    return _status(order, record) or _amount(order, record)


def other_order(order: OurOrder, record: Record) -> str | None:
    """Say why a record with our ref or id can't be this order's; None when nothing but an amount could."""
    if None not in {order.topup_id, record.topup_id} and record.topup_id != order.topup_id:
        return "has another id"
    if record.phone is not None and record.phone[-9:] != order.phone[-9:]:
        return "has another number"
    if record.plan_code is not None and record.plan_code != order.plan_code:
        return "has another plan"
    return None


def _two(order: OurOrder, records: Sequence[Record]) -> Difference:
    shown = ", ".join(f"{record.topup_id or 'no id'} {record.status[:_SHOWN_WORD]}" for record in records)
    says = f"they have {len(records)} records for this one ref: {shown}"
    return Difference(
        kind=Kind.TWO_RECORDS,
        ref=order.ref,
        topup_ids=_ids(order, records),
        ours=order.phase,
        theirs=" ".join(sorted({record.status[:_SHOWN_WORD] for record in records})),
        our_amount=order.amount,
        their_amount=sum(record.amount or 0 for record in records),
        at=order.accepted_at,
        says=says,
        act=_act(order),
    )


def _missing(order: OurOrder) -> Difference | None:
    if order.phase not in _EXISTS:
        return None
    # A person said "not delivered" of an order that perhaps never came to be: no record is what that means.
    if order.resolved_by is not None and order.phase is Phase.REFUNDED and order.topup_id is None:
        return None
    says = f"ours is {order.phase}, and they show no record of it"
    return _differ(order, None, Kind.UNKNOWN_TO_THEM, says)


def _uncalled_for(order: OurOrder, record: Record) -> Difference | None:
    # ACCEPTED may mean that the first send is on its way.
    on_its_way = order.phase is Phase.ACCEPTED and order.sends != 0 and not order.broken_off
    if on_its_way or is_former_life(order, record):
        return None
    strange = "was there before our send" if order.error_code == "REF_TAKEN" else other_order(order, record)
    if strange is not None:
        says = f"a record under our ref {order.ref} {strange}: it is none of ours"
        return _differ(order, record, Kind.UNKNOWN_TO_US, says).model_copy(update={"act": "none"})
    says = f"ours is {order.phase}, so nothing should exist, and they have it as {record.status[:_SHOWN_WORD]}"
    return _differ(order, record, Kind.OTHER_STATUS, says)


def is_former_life(order: OurOrder, record: Record) -> bool:
    """Tell whether a REFUNDED record is older than the order, and not known to be its own."""
    if record.status != "REFUNDED" or record.created_at is None or order.topup_id is not None:
        return False
    return record.created_at < order.accepted_at - timedelta(seconds=STALE_RECORD_SECONDS)


def _status(order: OurOrder, record: Record) -> Difference | None:
    if not _statuses_differ(order, record):
        return None
    if order.phase is Phase.FULFILLED and record.status == "REFUNDED" and order.resolved_by is None:
        says = "they called it delivered, and took that back later"
        return _differ(order, record, Kind.LATE_REVERSAL, says)
    whose = f" (by the word of {order.resolved_by})" if order.resolved_by else ""
    says = f"ours is {order.phase}{whose}, theirs is {record.status[:_SHOWN_WORD]}"
    difference = _differ(order, record, Kind.OTHER_STATUS, says)
    if order.phase is Phase.UNKNOWN_ERROR and not order.broken_off:
        return difference.model_copy(update={"act": "wake"})
    return difference


def _statuses_differ(order: OurOrder, record: Record) -> bool:
    if record.status == order.phase:
        return False
    if order.broken_off:
        return True
    if order.closed:
        # Undecided there, decided here by a person: the audit of that order watches it.
        return order.resolved_by is None or record.status in FINAL_WORDS
    return order.phase is Phase.UNKNOWN_ERROR


def _amount(order: OurOrder, record: Record) -> Difference | None:
    if not order.offers_only and _unequal(order.amount, record.amount):
        says = f"ours is {order.amount} DZD, theirs is {record.amount:g} DZD"
        return _differ(order, record, Kind.OTHER_AMOUNT, says)
    both_delivered = order.phase is Phase.FULFILLED and record.status == "FULFILLED"
    if both_delivered and _unequal(order.balance_amount, record.balance_amount):
        says = f"they debited {order.balance_amount} DZD when it was delivered, and {record.balance_amount} DZD now"
        return _differ(order, record, Kind.OTHER_AMOUNT, says)
    return None


def _unequal(ours: float | None, theirs: float | None) -> bool:
    return ours is not None and theirs is not None and centimes(ours) != centimes(theirs)


def _stranger(record: Record, account: str) -> Difference:
    return Difference(
        kind=Kind.UNKNOWN_TO_US,
        ref=bare(record.ref, account),
        topup_ids=(record.topup_id,) if record.topup_id else (),
        theirs=record.status[:_SHOWN_WORD],
        their_amount=record.amount,
        at=record.created_at,
        says="they have a record of it, and no order of ours has this ref",
    )


def _differ(order: OurOrder, record: Record | None, kind: Kind, says: str) -> Difference:
    return Difference(
        kind=kind,
        ref=order.ref,
        topup_ids=_ids(order, [record] if record else []),
        ours=order.phase,
        theirs=record.status[:_SHOWN_WORD] if record else None,
        our_amount=order.amount,
        their_amount=record.amount if record else None,
        at=order.accepted_at,
        says=says,
        act=_act(order),
    )


def _ids(order: OurOrder, records: Sequence[Record]) -> tuple[str, ...]:
    ids = {record.topup_id for record in records if record.topup_id} or {order.topup_id} - {None}
    return tuple(sorted(str(one) for one in ids))


def _act(order: OurOrder) -> Act:
    if order.broken_off:
        return "reopen"
    # An open order is woken only where its status has moved: a look that shows nothing would be repeated on and on.
    return "audit" if order.closed else "none"


def is_final(records: Iterable[Record]) -> bool:
    """The provider has decided: each of its records of the order says so."""
    words = [record.status for record in records]
    return bool(words) and all(word in FINAL_WORDS for word in words)
