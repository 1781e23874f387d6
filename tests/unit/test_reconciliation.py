"""What is a difference between an order and the provider's records, and what is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.story import ACCOUNT, BEGAN, PHONE, REF, TOPUP_ID
from topups.books.differences import Difference, Kind, OurOrder, Theirs, Window
from topups.books.reconciliation import behind, differences, match
from topups.models import Phase, TopUpView
from topups.observations import Record
from topups.records import prefixed

WINDOW = Window(since=BEGAN - timedelta(days=1), until=BEGAN + timedelta(days=1))
OTHER_ID = "6901616fe9e88196b4eb64ff"
UNSENT = (Phase.REJECTED, Phase.CANCELLED, Phase.ON_HOLD)
SAID = ("PENDING", "HANDLING", "FULFILLED", "REFUNDED", "UNKNOWN_ERROR", "AWAITING_OPERATOR")


def ours(phase: Phase = Phase.FULFILLED, **other: Any) -> OurOrder:
    known: dict[str, Any] = {
        "ref": REF,
        "phase": phase,
        "plan_code": "PREPAID_DJEZZY",
        "phone": PHONE,
        "amount": 500,
        "environment": "sandbox",
        "account": ACCOUNT,
        "topup_id": None if phase in {*UNSENT, Phase.ACCEPTED, Phase.CONFIRMING} else TOPUP_ID,
        "accepted_at": BEGAN,
        "balance_amount": 490 if phase is Phase.FULFILLED else None,
        "sends": 0 if phase in UNSENT else 1,
    }
    return OurOrder(**known | other)


def theirs(status: str = "FULFILLED", **other: Any) -> Record:
    known: dict[str, Any] = {
        "topup_id": TOPUP_ID,
        "status": status,
        "ref": prefixed(REF, ACCOUNT),
        "plan_code": "PREPAID_DJEZZY",
        "phone": PHONE,
        "amount": 500,
        "balance_amount": 0 if status == "REFUNDED" else 490,
        "created_at": BEGAN,
    }
    return Record(**known | other)


def found(orders: list[OurOrder], records: list[Record], window: Window = WINDOW) -> list[Difference]:
    return differences(match(orders, Theirs(account=ACCOUNT, records=tuple(records))), ACCOUNT, window)


def kinds(orders: list[OurOrder], records: list[Record], window: Window = WINDOW) -> list[tuple[Kind, str]]:
    return [(one.kind, one.act) for one in found(orders, records, window)]


def woken(order: OurOrder, *records: Record) -> list[str]:
    return behind(match([order], Theirs(account=ACCOUNT, records=records)))


def test_what_is_compared_of_a_view_names_how_often_it_was_sent_unless_nobody_could_tell() -> None:
    view = TopUpView(
        ref=REF,
        phase=Phase.ON_HOLD,
        final=False,
        plan_code="P",
        phone=PHONE,
        environment="sandbox",
        accepted_at=BEGAN,
        sends=2,
    )
    assert OurOrder.of(view).sends == 2
    assert OurOrder.of(view.model_copy(update={"stale": True})).sends is None
    assert PHONE not in repr(OurOrder.of(view))


@pytest.mark.parametrize("phase", [Phase.FULFILLED, Phase.REFUNDED])
@pytest.mark.parametrize("ref", [REF, prefixed(REF, ACCOUNT), None])
def test_an_order_that_both_have_alike_is_no_difference(phase: Phase, ref: str | None) -> None:
    assert kinds([ours(phase)], [theirs(phase, ref=ref)]) == []


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.HANDLING])
@pytest.mark.parametrize("status", SAID)
def test_an_order_under_way_is_a_look_behind_and_no_difference(phase: Phase, status: str) -> None:
    assert kinds([ours(phase)], [theirs(status)]) == []
    assert woken(ours(phase), theirs(status)) == []


def test_an_order_that_is_asked_slowly_is_woken_by_an_end_alone() -> None:
    slow = ours(Phase.HANDLING, needs_review=True)
    assert woken(slow, theirs("FULFILLED")) == [REF]
    assert woken(slow, theirs("PENDING")) == []
    assert kinds([slow], [theirs("REFUNDED")]) == []


def test_an_order_that_is_looked_up_is_woken_by_its_record() -> None:
    assert woken(ours(Phase.CONFIRMING), theirs("PENDING")) == [REF]
    assert kinds([ours(Phase.CONFIRMING)], [theirs("PENDING")]) == []
    assert kinds([ours(Phase.CONFIRMING)], []) == []


def test_a_record_of_another_number_wakes_nobody() -> None:
    stranger = theirs("PENDING", phone="0770000000")
    assert woken(ours(Phase.CONFIRMING), stranger) == []
    assert kinds([ours(Phase.CONFIRMING)], [stranger]) == [(Kind.OTHER_ORDER, "none")]


@pytest.mark.parametrize("phase", UNSENT)
def test_an_order_that_was_never_sent_needs_no_record(phase: Phase) -> None:
    assert kinds([ours(phase)], []) == []


@pytest.mark.parametrize("status", SAID)
@pytest.mark.parametrize("phase", UNSENT)
def test_a_record_of_an_order_that_was_never_created_is_a_difference(phase: Phase, status: str) -> None:
    act = "none" if phase is Phase.ON_HOLD else "audit"
    assert kinds([ours(phase)], [theirs(status)]) == [(Kind.OTHER_STATUS, act)]


def test_a_first_send_may_be_on_its_way_and_one_that_never_left_is_not() -> None:
    assert kinds([ours(Phase.ACCEPTED)], [theirs("PENDING")]) == []
    assert kinds([ours(Phase.ACCEPTED, sends=None)], [theirs("PENDING")]) == []
    assert kinds([ours(Phase.ACCEPTED, sends=0)], [theirs("PENDING")]) == [(Kind.OTHER_STATUS, "none")]


def test_a_ref_that_was_taken_has_a_record_that_is_none_of_ours() -> None:
    refused = ours(Phase.REJECTED, error_code="REF_TAKEN")
    [difference] = found([refused], [theirs(amount=700)])
    assert (difference.kind, difference.act, difference.their_amount) == (Kind.UNKNOWN_TO_US, "none", 700)


def test_a_record_of_another_number_under_the_ref_of_a_cancelled_order_is_none_of_ours() -> None:
    assert kinds([ours(Phase.CANCELLED)], [theirs(phone="0770000000")]) == [(Kind.UNKNOWN_TO_US, "none")]


@pytest.mark.parametrize("phase", [Phase.REJECTED, Phase.CONFIRMING])
def test_an_old_refund_is_the_end_of_a_former_life_of_the_ref(phase: Phase) -> None:
    old = theirs("REFUNDED", created_at=BEGAN - timedelta(hours=1), amount=700)
    assert kinds([ours(phase)], [old]) == []


@pytest.mark.parametrize("phase", [Phase.REJECTED, Phase.ON_HOLD])
def test_a_delivery_is_never_a_former_life(phase: Phase) -> None:
    old = theirs("FULFILLED", created_at=BEGAN - timedelta(hours=1))
    assert [kind for kind, _ in kinds([ours(phase)], [old])] == [Kind.OTHER_STATUS]


def test_an_undated_refund_of_an_order_that_was_refused_is_a_difference() -> None:
    assert [kind for kind, _ in kinds([ours(Phase.REJECTED)], [theirs("REFUNDED", created_at=None)])] == [
        Kind.OTHER_STATUS
    ]


def test_a_delivery_that_was_taken_back_is_a_late_reversal() -> None:
    assert kinds([ours()], [theirs("REFUNDED")]) == [(Kind.LATE_REVERSAL, "audit")]


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.FULFILLED, "PENDING"),
        (Phase.FULFILLED, "UNKNOWN_ERROR"),
        (Phase.REFUNDED, "FULFILLED"),
        (Phase.REFUNDED, "AWAITING_OPERATOR"),
    ],
)
def test_another_status_of_an_order_that_ended_opens_an_audit(phase: Phase, status: str) -> None:
    assert kinds([ours(phase)], [theirs(status)]) == [(Kind.OTHER_STATUS, "audit")]


@pytest.mark.parametrize("status", ["FULFILLED", "REFUNDED", "PENDING", "HANDLING"])
def test_an_unknown_error_that_was_settled_is_woken(status: str) -> None:
    assert kinds([ours(Phase.UNKNOWN_ERROR)], [theirs(status)]) == [(Kind.OTHER_STATUS, "wake")]


def test_an_unknown_error_on_both_sides_is_no_difference() -> None:
    assert kinds([ours(Phase.UNKNOWN_ERROR)], [theirs("UNKNOWN_ERROR")]) == []


@pytest.mark.parametrize("phase", [Phase.FULFILLED, Phase.REFUNDED])
def test_a_persons_word_is_no_difference_while_the_provider_is_undecided(phase: Phase) -> None:
    said = ours(phase, resolved_by="fatima")
    assert kinds([said], [theirs("UNKNOWN_ERROR")]) == []
    opposite = "REFUNDED" if phase is Phase.FULFILLED else "FULFILLED"
    assert kinds([said], [theirs(opposite)]) == [(Kind.OTHER_STATUS, "audit")]


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.HANDLING, Phase.UNKNOWN_ERROR, Phase.FULFILLED, Phase.REFUNDED])
def test_an_order_that_they_dont_show_is_unknown_to_them(phase: Phase) -> None:
    act = "audit" if phase.final else "none"
    [difference] = found([ours(phase)], [])
    assert (difference.kind, difference.act, difference.topup_ids) == (Kind.UNKNOWN_TO_THEM, act, (TOPUP_ID,))


def test_not_delivered_by_a_persons_word_needs_no_record_where_none_was_ever_seen() -> None:
    said = ours(Phase.REFUNDED, resolved_by="fatima", topup_id=None)
    assert kinds([said], []) == []
    assert kinds([said.model_copy(update={"topup_id": TOPUP_ID})], []) == [(Kind.UNKNOWN_TO_THEM, "audit")]
    delivered = ours(Phase.FULFILLED, resolved_by="fatima", topup_id=None)
    assert kinds([delivered], []) == [(Kind.UNKNOWN_TO_THEM, "audit")]


def test_two_records_for_one_ref_are_reported_once() -> None:
    both = [theirs(), theirs("REFUNDED", topup_id=OTHER_ID)]
    [difference] = found([ours()], both)
    assert (difference.kind, difference.act) == (Kind.TWO_RECORDS, "audit")
    assert difference.topup_ids == (TOPUP_ID, OTHER_ID)
    assert kinds([ours(Phase.PENDING)], both) == [(Kind.TWO_RECORDS, "none")]


def test_a_record_of_ours_under_another_id_is_another_order() -> None:
    assert kinds([ours()], [theirs(topup_id=OTHER_ID)]) == [(Kind.OTHER_ORDER, "audit")]
    assert kinds([ours()], [theirs(plan_code="FACTURE_DJEZZY")]) == [(Kind.OTHER_ORDER, "audit")]


def test_a_record_without_an_id_is_ours_by_its_ref() -> None:
    assert kinds([ours()], [theirs(topup_id=None)]) == []


def test_other_amounts_are_reported_of_what_was_ordered_and_of_what_was_debited() -> None:
    [ordered] = found([ours()], [theirs(amount=400)])
    [debited] = found([ours()], [theirs(balance_amount=480)])
    assert (ordered.kind, debited.kind) == (Kind.OTHER_AMOUNT, Kind.OTHER_AMOUNT)
    assert (ordered.our_amount, ordered.their_amount) == (500, 400)
    assert "480" in debited.says
    assert kinds([ours(balance_amount=496.25)], [theirs(balance_amount=496.25)]) == []


@pytest.mark.parametrize("without", ["amount", "balance_amount", "phone", "plan_code"])
def test_what_a_record_leaves_out_is_no_difference(without: str) -> None:
    assert kinds([ours()], [theirs().model_copy(update={without: None})]) == []
    assert kinds([ours(amount=None, balance_amount=None)], [theirs()]) == []


def test_the_amount_of_a_menu_says_nothing() -> None:
    menu = ours(Phase.REFUNDED, plan_code="GETMENU_Djezzy", amount=50)
    assert kinds([menu], [theirs("REFUNDED", plan_code="GETMENU_Djezzy", amount=0)]) == []


@pytest.mark.parametrize("ref", ["from-elsewhere", prefixed("from-elsewhere", ACCOUNT), "API-+213770112233-x", None])
def test_a_record_that_no_order_has_is_unknown_to_us(ref: str | None) -> None:
    [difference] = found([ours()], [theirs(), theirs(ref=ref, topup_id=OTHER_ID)])
    bare = "from-elsewhere" if ref and "elsewhere" in ref else ref
    assert (difference.kind, difference.ref, difference.act) == (Kind.UNKNOWN_TO_US, bare, "none")
    assert difference.topup_ids == (OTHER_ID,)


def test_a_record_without_ref_and_id_is_unknown_to_us() -> None:
    [difference] = found([], [theirs(ref=None, topup_id=None)])
    assert (difference.ref, difference.topup_ids) == (None, ())


def test_orders_of_another_account_are_not_looked_for() -> None:
    other = ours(account="+213770112233")
    assert kinds([other], []) == []
    matched = match([other, ours(ref="mine", account=None)], Theirs(account=ACCOUNT))
    assert matched.others == 1


def test_at_the_edges_of_the_window_nothing_is_missed_and_nothing_made_up() -> None:
    early = BEGAN - timedelta(days=1, seconds=1)
    assert kinds([ours(accepted_at=early)], []) == []
    assert kinds([], [theirs(created_at=early)]) == []
    assert kinds([ours(accepted_at=early)], [theirs("REFUNDED", created_at=early)]) == [(Kind.LATE_REVERSAL, "audit")]
    assert kinds([ours(accepted_at=BEGAN - timedelta(days=1))], []) == [(Kind.UNKNOWN_TO_THEM, "audit")]


@pytest.mark.parametrize(
    ("phase", "status"), [(Phase.PENDING, "FULFILLED"), (Phase.ACCEPTED, "PENDING"), (Phase.CONFIRMING, "HANDLING")]
)
def test_an_order_whose_run_was_broken_off_is_to_be_reopened(phase: Phase, status: str) -> None:
    broken = ours(phase, broken_off=True, sends=None)
    assert kinds([broken], [theirs(status)]) == [(Kind.OTHER_STATUS, "reopen")]
    assert woken(broken, theirs(status)) == []


def test_a_difference_is_the_same_as_long_as_the_books_say_the_same() -> None:
    [first], [again], [other] = (found([ours()], [theirs(status)]) for status in ("REFUNDED", "REFUNDED", "PENDING"))
    assert first.same_as(again.model_copy(update={"done": "audit opened"}))
    assert not first.same_as(other)
    assert not first.same_as(None)


def test_the_owner_of_an_id_is_known_by_the_order_or_by_its_record() -> None:
    orders = [ours(), ours(ref="other", topup_id=None)]
    records = (theirs(ref="other", topup_id=OTHER_ID),)
    matched = match(orders, Theirs(account=ACCOUNT, records=records))
    assert [owner.ref if (owner := matched.owner(one)) else None for one in (TOPUP_ID, OTHER_ID, "nobody's")] == [
        REF,
        "other",
        None,
    ]
