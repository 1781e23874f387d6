"""What a look at the provider means to an audit. Pure; the workflow `TopUpAudit` waits and asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from topups.books.differences import AuditInput, Difference
from topups.books.reconciliation import is_final, of_order
from topups.models import Phase
from topups.observations import Record

LOOKS_MAX = 30
UNANSWERED_MAX = 3


@dataclass(frozen=True)
class Verdict:
    """What one look shows. `over`: no further look is due by itself. `review` says what a person must settle."""

    agreed: bool
    over: bool
    theirs: str | None
    difference: Difference | None
    review: str | None


def judge(given: AuditInput, records: Sequence[Record], looks: int) -> Verdict:
    """Judge look number `looks` (from 1), one a day; after the last of them an undecided provider is a person's."""
    order = given.order
    theirs = " ".join(sorted({record.status for record in records})) or None
    difference = of_order(order, records) or _shown_by_money(given)
    decided, last = is_final(records), looks >= LOOKS_MAX
    if difference is None and (decided or _nothing_is_right(given, records, last=last)):
        return Verdict(agreed=True, over=True, theirs=theirs, difference=None, review=None)
    review = difference.says if difference else None
    if review is None and last:
        review = f"after {LOOKS_MAX} days they still have it as {theirs or 'nothing'}, and ours is {order.phase}"
    return Verdict(agreed=False, over=decided or last, theirs=theirs, difference=difference, review=review)


def _shown_by_money(given: AuditInput) -> Difference | None:
    # A look at records can't show that the transactions were mended.
    return given.difference if given.difference is not None and given.difference.by_money else None


def _nothing_is_right(given: AuditInput, records: Sequence[Record], *, last: bool) -> bool:
    """No record is what an order means that was never created, once nothing can turn up any more."""
    order = given.order
    nothing_meant = order.never_created or (order.phase is Phase.REFUNDED and order.topup_id is None)
    return not records and nothing_meant and (last or given.difference is not None)
