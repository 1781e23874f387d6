"""The durable state of an order: what it keeps, what it shows, how it survives."""

from datetime import timedelta

import pytest

from tests.unit.story import (
    ACCOUNT,
    BEGAN,
    DUPLICATE,
    NO_MONEY,
    REFUSED,
    Story,
    found,
    held,
    in_doubt,
    new_order,
    pending,
    record,
    sending,
    unknown,
)
from topups.models import Phase, Reopening
from topups.order import TIMELINE_MAX, Order
from topups.records import is_stale, prefixed, veto


@pytest.mark.parametrize(
    "story",
    [
        Story(),
        sending(),
        in_doubt(),
        pending(),
        held(),
        unknown(),
        sending().sees(DUPLICATE),
        sending().sees(REFUSED),
        in_doubt().resolved("FULFILLED"),
        pending().checks(found("REFUNDED", suggested_offers=({"plan_code": "PIXX_500", "hint": {"days": 3}},))),
    ],
)
def test_an_order_survives_json_unchanged(story: Story) -> None:
    assert Order.model_validate_json(story.order.model_dump_json()) == story.order


def test_an_order_is_due_at_once() -> None:
    order = new_order()
    assert (order.phase, order.due_at, order.may_exist) == (Phase.ACCEPTED, BEGAN, False)


@pytest.mark.parametrize(("within", "seconds"), [(None, 1_800), (60, 60), (86_400, 86_400)])
def test_deliver_by_is_half_an_hour_after_acceptance_or_what_the_order_says(within: int | None, seconds: int) -> None:
    assert new_order(deliver_within=within).deliver_by == BEGAN + timedelta(seconds=seconds)


def test_the_timeline_keeps_its_first_event_and_the_newest_199() -> None:
    order = new_order()
    for number in range(500):
        order = order.noted(BEGAN, f"event {number}")
    notes = [event.note for event in order.timeline]
    assert len(notes) == TIMELINE_MAX
    assert (notes[0], notes[1], notes[-1]) == ("Accepted", "event 301", "event 499")


def test_a_phase_that_stays_is_no_event() -> None:
    order = new_order()
    assert order.moved(Phase.ACCEPTED, BEGAN, "again").timeline == order.timeline


def test_the_view_shows_the_request_and_when_it_is_asked_next() -> None:
    order = new_order(metadata={"shop": "7"})
    view = order.view()
    assert (view.ref, view.plan_code, view.phone, view.amount) == (
        "order-1042",
        "PREPAID_DJEZZY",
        "0771234567",
        500,
    )
    assert (view.metadata, view.deliver_by, view.next_check_at) == ({"shop": "7"}, order.deliver_by, BEGAN)
    assert (view.final, view.stale, view.needs_review) == (False, False, False)


def test_a_finished_order_is_asked_no_more() -> None:
    view = pending().checks(found("FULFILLED")).order.view()
    assert (view.final, view.next_check_at, view.delivered) == (True, None, True)
    assert view.finished_at is not None


def test_a_menu_of_offers_counts_as_delivered_when_it_has_offers() -> None:
    order = new_order(plan_code="GETMENU_Djezzy", amount=None)
    answer = found("REFUNDED", plan_code="GETMENU_Djezzy", suggested_offers=({"plan_code": "PIXX_500"},))
    view = pending(order).checks(answer).order.view()
    assert (view.phase, view.offers_only, view.delivered) == (Phase.REFUNDED, True, True)
    assert not pending().checks(found("REFUNDED")).order.view().delivered


def test_a_reopened_order_keeps_when_it_was_accepted_and_says_why_it_was_reopened() -> None:
    before = BEGAN - timedelta(hours=2)
    reopening = Reopening(note="terminated by mistake", by="amel@shop", accepted_at=before)
    order = new_order(reopening=reopening)
    assert (order.phase, order.accepted_at, order.may_exist) == (Phase.CONFIRMING, before, True)
    assert order.timeline[-1].note == "Reopened: terminated by mistake"


def test_the_reason_of_a_refusal_is_shown_until_the_order_ends_well() -> None:
    assert held().order.view().error_message == NO_MONEY.why
    assert in_doubt().looks_up(found("FULFILLED")).order.view().error_message is None


def test_a_ref_is_stored_with_the_account_in_front() -> None:
    assert prefixed("order-1042", ACCOUNT) == "API-+213665983439-order-1042"


def test_what_speaks_against_a_record_is_said_in_words() -> None:
    order = in_doubt().order
    assert veto(order, record()) is None
    assert veto(order, record(ref="order-7")) == "it has another ref"
    assert veto(order, record(phone="0550000000")) == "it has another number"
    assert veto(order, record(plan_code="PIXX_500")) == "it has another plan"
    assert veto(order, record(amount=501)) == "it has another amount"
    assert veto(pending().order, record(topup_id="f" * 24)) == "it has another id"


def test_only_a_refunded_record_from_long_before_is_stale() -> None:
    order, before = in_doubt().order, BEGAN - timedelta(seconds=601)
    assert is_stale(order, record("REFUNDED", created_at=before))
    assert not is_stale(order, record("REFUNDED", created_at=BEGAN - timedelta(seconds=600)))
    assert not is_stale(order, record("UNKNOWN_ERROR", created_at=before))
