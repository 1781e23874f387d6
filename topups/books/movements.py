"""The money's side of the provider's books: does each top-up cost what its record says, and does the balance add up?

That `objid` of a transaction is the top-up's id is likely and not documented. Where no transaction names a record, only
the balance is looked at. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from topups.books.differences import Balance, Difference, Kind, Movement, OurOrder, Theirs, Window, centimes, dzd
from topups.books.reconciliation import Matched
from topups.observations import Record

DEBIT, CREDIT = "FLEXY", "REFUND-FLEXY"
ODD_MAX = 10


def why_not_comparable(theirs: Theirs, window: Window) -> str | None:
    """Say why single transactions can't be held against records; None when they can.

    What is odd about most of the records is a rule of the provider that nobody knew, not a difference.
    """
    ids = {record.topup_id for record in theirs.records}
    if not any(one.about in ids for one in theirs.movements if one.type in {DEBIT, CREDIT}):
        return "their transactions name no top-up of their list"
    judged = [record for record in theirs.records if record.topup_id and window.holds(record.created_at)]
    odd = len(list(_of_records(theirs, window)))
    if odd > ODD_MAX and odd * 2 > len(judged):
        return f"their transactions and their records disagree in {odd} of {len(judged)} cases"
    return None


def unplaced(theirs: Theirs, window: Window) -> list[str]:
    """Ids of top-ups that were paid or paid back, without a record here: older ones, or ones that are missing."""
    if why_not_comparable(theirs, window) is not None:
        return []
    ids = {record.topup_id for record in theirs.records}
    about = [one.about for one in theirs.movements if one.type in {DEBIT, CREDIT}]
    return list(dict.fromkeys(one for one in about if one and one not in ids))


def with_money(found: Iterable[Difference], matched: Matched, theirs: Theirs, window: Window) -> list[Difference]:
    """Add what the transactions say: to the difference that it belongs to, or as one of its own."""
    all_found = list(found)
    if why_not_comparable(theirs, window) is not None:
        return all_found
    for topup_id, says, at in (*_of_records(theirs, window), *_without_record(theirs, window)):
        owner = matched.owner(topup_id)
        place = _place(all_found, topup_id, owner.ref if owner else None)
        if place is not None:
            all_found[place] = all_found[place].model_copy(update={"says": f"{all_found[place].says}; {says}"})
        elif owner is not None:
            all_found.append(_of_owner(owner, topup_id, says))
        else:
            stranger = Difference(kind=Kind.UNKNOWN_TO_US, topup_ids=(topup_id,), at=at, says=says, by_money=True)
            all_found.append(stranger)
    return all_found


def _of_owner(owner: OurOrder, topup_id: str, says: str) -> Difference:
    return Difference(
        kind=Kind.OTHER_AMOUNT,
        ref=owner.ref,
        topup_ids=(topup_id,),
        ours=owner.phase,
        our_amount=owner.balance_amount,
        at=owner.accepted_at,
        says=says,
        by_money=True,
        act="audit" if owner.closed else "none",
    )


def _place(found: Sequence[Difference], topup_id: str, ref: str | None) -> int | None:
    for place, difference in enumerate(found):
        if topup_id in difference.topup_ids or (ref is not None and difference.ref == ref):
            return place
    return None


@dataclass
class _Paid:
    """Centimes of one top-up by the transactions, and when the first of them was."""

    at: datetime | None
    debit: int = 0
    credit: int = 0


Oddity = tuple[str, str, datetime | None]


def _of_records(theirs: Theirs, window: Window) -> Iterator[Oddity]:
    paid = _paid(theirs)
    for record in theirs.records:
        # What was made before the window may have been paid before it, what changed since then paid back since then.
        if record.topup_id is not None and record.topup_id not in theirs.newer and window.holds(record.created_at):
            says = _oddity(record, paid.get(record.topup_id) or _Paid(None))
            if says is not None:
                yield record.topup_id, says, record.created_at


def _without_record(theirs: Theirs, window: Window) -> Iterator[Oddity]:
    ids = {record.topup_id for record in theirs.records}
    for topup_id, sums in _paid(theirs).items():
        if topup_id not in ids and window.holds(sums.at):
            yield topup_id, f"{_sums(sums)} for a top-up that they don't show", sums.at


def _paid(theirs: Theirs) -> dict[str, _Paid]:
    paid: dict[str, _Paid] = {}
    for movement in theirs.movements:
        if movement.about and movement.type in {DEBIT, CREDIT}:
            sums = paid.setdefault(movement.about, _Paid(movement.at))
            if movement.type == DEBIT:
                sums.debit += movement.amount
            else:
                sums.credit += movement.amount
    return paid


def _oddity(record: Record, sums: _Paid) -> str | None:
    recorded = centimes(record.balance_amount)
    if record.status == "REFUNDED" and sums.debit != sums.credit:
        return f"{_sums(sums)}, though they call it REFUNDED"
    if record.status == "FULFILLED" and sums.credit:
        return f"{_sums(sums)}, though they call it FULFILLED"
    if record.status == "FULFILLED" and recorded is not None and recorded != sums.debit:
        return f"{_sums(sums)}, though their record says {dzd(recorded):g} DZD"
    return None


def _sums(sums: _Paid) -> str:
    back = f" and gave {dzd(sums.credit):g} DZD back" if sums.credit else ""
    return f"their transactions debited {dzd(sums.debit):g} DZD{back}"


def balance(theirs: Theirs) -> tuple[Balance, Difference | None]:
    """Return how the balance moved, and a difference where movements are missing between two balances.

    Each movement leads from one balance to the next, whatever their order in the list: what remains of all old and
    new balances are the first and the last one, and more where something is missing.
    """
    chain = [one for one in theirs.movements if one.old_balance is not None and one.new_balance is not None]
    now = None if theirs.balance is None else dzd(theirs.balance)
    moved = _by_type(theirs.movements)
    if not chain or len(chain) < len(theirs.movements):
        return Balance(now=now, moved=moved), None
    old, new = Counter(one.old_balance or 0 for one in chain), Counter(one.new_balance or 0 for one in chain)
    firsts, lasts = list((old - new).elements()), list((new - old).elements())
    opening = firsts[0] if len(firsts) == 1 else None
    closing = lasts[0] if len(lasts) == 1 else None
    says = _unexplained(theirs, gaps=len(firsts) - 1)
    shown = Balance(
        opening=None if opening is None else dzd(opening),
        closing=None if closing is None else dzd(closing),
        now=now,
        moved=moved,
        explained=says is None,
    )
    return shown, None if says is None else Difference(kind=Kind.BALANCE, says=says)


def _by_type(movements: Iterable[Movement]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for one in movements:
        sums[one.type] += one.amount
    return {name: dzd(amount) for name, amount in sorted(sums.items())}


def _unexplained(theirs: Theirs, gaps: int) -> str | None:
    wrong = [one for one in theirs.movements if abs((one.new_balance or 0) - (one.old_balance or 0)) != one.amount]
    if wrong:
        return f"transaction {wrong[0].id} moves the balance by another amount than its own"
    if gaps > 0:
        return f"the balance moved {gaps} time(s) without a transaction"
    # One that was read while orders went on is the balance before or after any of the movements.
    known = {balance for one in theirs.movements for balance in (one.old_balance, one.new_balance)}
    if theirs.balance is not None and theirs.balance not in known:
        return f"the balance is {dzd(theirs.balance):g} DZD, and no transaction leads to it"
    return None
