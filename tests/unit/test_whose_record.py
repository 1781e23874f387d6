"""Records that a look-up shows: whose they are, and whether they are the answer to this send."""

from datetime import timedelta

import pytest

from tests.unit.story import (
    ACCOUNT,
    BEGAN,
    DUPLICATE,
    MISSED,
    NO_MONEY,
    PHONE,
    PREPARED,
    REF,
    REFUSED,
    found,
    in_doubt,
    new_order,
    sending,
    sends,
)
from topups.models import Phase

LONG_AGO = BEGAN - timedelta(minutes=11)


def test_an_order_of_ours_that_turns_up_late_is_believed() -> None:
    story = in_doubt().looks_up(MISSED, MISSED, found("HANDLING"))
    assert (story.phase, story.order.topup_id) == (Phase.HANDLING, found().record.topup_id)
    assert story.begins() == "check"


@pytest.mark.parametrize("ref", [REF, f"API-{ACCOUNT}-{REF}"])
def test_a_record_is_ours_under_the_bare_ref_and_under_the_prefixed_one(ref: str) -> None:
    assert in_doubt().looks_up(found("FULFILLED", ref=ref)).phase is Phase.FULFILLED


@pytest.mark.parametrize("ref", [None, "", f"API-{ACCOUNT}-{REF}-2", f"API-+213700000000-{REF}", REF.upper()])
def test_no_other_ref_makes_a_record_ours_however_much_the_rest_fits(ref: str | None) -> None:
    story = in_doubt().looks_up(found("FULFILLED", ref=ref))
    assert (story.phase, story.order.topup_id) == (Phase.CONFIRMING, None)
    assert story.order.view().needs_review


VETOES = [{"phone": "0550000000"}, {"plan_code": "PREPAID_MOBILIS"}, {"amount": 1_000.0}]


@pytest.mark.parametrize("other", VETOES)
def test_a_foreign_record_behind_a_duplicate_ref_is_rejected_as_taken(other: dict[str, object]) -> None:
    story = sending().sees(DUPLICATE).looks_up(found("FULFILLED", **other))
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "REF_TAKEN")


@pytest.mark.parametrize("other", VETOES)
def test_any_other_foreign_record_is_for_a_person_and_forbids_a_resend(other: dict[str, object]) -> None:
    story = in_doubt().looks_up(found("FULFILLED", **other))
    assert (story.phase, story.due_in) == (Phase.CONFIRMING, 300)
    assert story.order.view().needs_review
    story.looks_up(*[MISSED] * 30)
    assert len(sends(story)) == 1


@pytest.mark.parametrize("other", VETOES)
def test_a_ref_that_turned_up_taken_only_on_the_second_send_is_not_rejected(other: dict[str, object]) -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", DUPLICATE).looks_up(found("FULFILLED", **other))
    assert story.phase is Phase.CONFIRMING


def test_a_duplicate_after_a_send_that_surely_created_nothing_still_means_taken() -> None:
    story = sending().sees(NO_MONEY).does("prepare", PREPARED).does("send", DUPLICATE)
    story.looks_up(found("FULFILLED", phone="0550000000"))
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "REF_TAKEN")


def test_an_old_refunded_record_is_not_the_answer_to_a_new_send() -> None:
    story = in_doubt().looks_up(*[found("REFUNDED", created_at=LONG_AGO)] * 4)
    assert (story.phase, story.order.topup_id) == (Phase.CONFIRMING, None)
    assert story.begins() == "send"


def test_an_old_refunded_record_is_the_answer_to_a_send_that_was_a_duplicate() -> None:
    story = sending().sees(DUPLICATE).looks_up(found("REFUNDED", created_at=LONG_AGO))
    assert story.phase is Phase.REFUNDED


def test_a_refunded_record_of_the_last_ten_minutes_is_the_answer() -> None:
    recent = BEGAN - timedelta(minutes=9)
    assert in_doubt().looks_up(found("REFUNDED", created_at=recent)).phase is Phase.REFUNDED
    assert in_doubt().looks_up(found("REFUNDED", created_at=None)).phase is Phase.REFUNDED


def test_an_old_record_that_was_delivered_is_the_end_of_the_order_under_this_ref() -> None:
    assert in_doubt().looks_up(found("FULFILLED", created_at=LONG_AGO)).phase is Phase.FULFILLED


def test_an_old_refunded_record_lets_a_refusal_stand() -> None:
    story = sending().sees(REFUSED).looks_up(found("REFUNDED", created_at=LONG_AGO))
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "ERR_VALIDATION")


def test_a_record_without_number_plan_and_amount_is_judged_by_its_ref_alone() -> None:
    bare = found("FULFILLED", phone=None, plan_code=None, amount=None)
    assert in_doubt().looks_up(bare).phase is Phase.FULFILLED


def test_the_international_form_of_the_number_is_the_same_number() -> None:
    assert in_doubt().looks_up(found("FULFILLED", phone=f"+213{PHONE[1:]}")).phase is Phase.FULFILLED


def test_the_amount_of_an_order_for_offers_never_speaks_against_a_record() -> None:
    order = new_order(plan_code="GETMENU_Djezzy", amount=None)
    offers = found("REFUNDED", plan_code="GETMENU_Djezzy", amount=0, suggested_offers=({"plan_code": "PIXX_500"},))
    story = in_doubt(order).looks_up(offers)
    assert story.phase is Phase.REFUNDED
    assert "1 offers" in story.order.timeline[-1].note
