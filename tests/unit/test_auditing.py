"""What a look at the provider means to the audit of an order that ended."""

from __future__ import annotations

import pytest

from tests.unit.test_reconciliation import OTHER_ID, ours, theirs
from topups.books.auditing import LOOKS_MAX, judge
from topups.books.differences import AuditInput, Difference, Kind, OurOrder
from topups.models import Phase
from topups.observations import Record


def given(order: OurOrder, difference: Difference | None = None) -> AuditInput:
    return AuditInput(order=order, why="resolved", by="fatima", difference=difference)


def a_difference(**other: object) -> Difference:
    return Difference(kind=Kind.OTHER_AMOUNT, ref="order-1042", says="something").model_copy(update=other)


RESOLVED = ours(Phase.REFUNDED, resolved_by="fatima")


def test_it_ends_when_the_provider_says_the_same() -> None:
    verdict = judge(given(RESOLVED), [theirs("REFUNDED")], 1)
    assert (verdict.agreed, verdict.over, verdict.review) == (True, True, None)


def test_it_stays_open_with_a_review_when_the_provider_says_the_opposite() -> None:
    verdict = judge(given(RESOLVED), [theirs("FULFILLED")], 1)
    assert (verdict.agreed, verdict.over, verdict.theirs) == (False, True, "FULFILLED")
    assert verdict.review == "ours is REFUNDED (by the word of fatima), theirs is FULFILLED"


@pytest.mark.parametrize("status", ["UNKNOWN_ERROR", "PENDING", "AWAITING_OPERATOR"])
def test_while_the_provider_is_undecided_it_looks_on_for_30_days(status: str) -> None:
    early, last = (judge(given(RESOLVED), [theirs(status)], looks) for looks in (LOOKS_MAX - 1, LOOKS_MAX))
    assert (early.agreed, early.over, early.review) == (False, False, None)
    assert (last.agreed, last.over) == (False, True)
    assert last.review == f"after 30 days they still have it as {status}, and ours is REFUNDED"


NEVER = ours(Phase.REJECTED, resolved_by="fatima", error_code="NEVER_CREATED")
NOT_SEEN = ours(Phase.REFUNDED, resolved_by="fatima", topup_id=None)


@pytest.mark.parametrize("order", [NEVER, NOT_SEEN])
def test_what_was_never_created_agrees_with_no_record_after_30_days(order: OurOrder) -> None:
    assert not judge(given(order), [], LOOKS_MAX - 1).agreed
    assert judge(given(order), [], LOOKS_MAX).agreed


def test_what_was_never_created_disagrees_with_a_record() -> None:
    verdict = judge(given(NEVER), [theirs("FULFILLED")], 3)
    assert (verdict.agreed, verdict.over, verdict.difference is None) == (False, True, False)


def test_a_record_that_should_not_be_and_is_gone_agrees_at_once() -> None:
    assert judge(given(NEVER, a_difference(kind=Kind.OTHER_STATUS)), [], 1).agreed


@pytest.mark.parametrize("order", [ours(), RESOLVED])
def test_a_record_that_is_missing_is_looked_for_on(order: OurOrder) -> None:
    verdict = judge(given(order, a_difference()), [], 1)
    assert (verdict.agreed, verdict.over, verdict.theirs) == (False, False, None)
    assert verdict.difference is not None
    assert judge(given(order), [], LOOKS_MAX).over


def test_what_only_the_transactions_show_is_for_a_person_to_close() -> None:
    odd = a_difference(by_money=True)
    verdict = judge(given(ours(), odd), [theirs()], 1)
    assert (verdict.agreed, verdict.difference, verdict.review) == (False, odd, "something")
    assert judge(given(ours(), a_difference()), [theirs()], 1).agreed


def test_two_records_disagree_as_long_as_both_are_there() -> None:
    both: list[Record] = [theirs(), theirs("REFUNDED", topup_id=OTHER_ID)]
    assert judge(given(ours()), both, 1).theirs == "FULFILLED REFUNDED"
    assert not judge(given(ours()), both, 1).agreed
    assert judge(given(ours()), both[:1], 1).agreed
