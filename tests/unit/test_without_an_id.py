"""Records whose id can't be asked for: the order is looked up by its ref, and a person sees it."""

import pytest

from tests.unit.story import DUPLICATE, MISSED, REFUSED, Story, found, held, in_doubt, new_order, sending
from topups.models import Phase
from topups.observations import Found

NAMELESS = ["PENDING", "HANDLING", "UNKNOWN_ERROR", "SOMETHING_NEW"]


def nameless(status: str = "PENDING", **other: object) -> Found:
    """The provider's record of the order, under an id that is no id."""
    return found(status, topup_id=None, **other)


def sends(story: Story) -> int:
    return [action for action, _ in story.begun].count("send")


@pytest.mark.parametrize("status", NAMELESS)
def test_an_order_without_a_usable_id_is_looked_up_by_its_ref_and_needs_review(status: str) -> None:
    story = in_doubt().looks_up(nameless(status))
    assert (story.phase, story.order.may_exist, story.due_in) == (Phase.CONFIRMING, True, 5)
    assert status in (story.order.review_reason or "")
    assert story.begins() == "look_up"


@pytest.mark.parametrize("status", ["FULFILLED", "REFUNDED"])
def test_a_final_word_needs_no_id(status: str) -> None:
    story = in_doubt().looks_up(nameless(), nameless(status))
    assert (story.phase, story.order.topup_id) == (Phase(status), None)


def test_a_record_without_a_usable_id_forbids_any_further_send() -> None:
    story = in_doubt().looks_up(nameless(), *[MISSED] * 30)
    assert sends(story) == 1
    assert story.order.view().needs_review


def test_an_order_whose_id_turns_out_usable_goes_on_by_it() -> None:
    story = in_doubt().looks_up(nameless(), found("HANDLING"))
    assert (story.phase, story.order.review_reason) == (Phase.HANDLING, None)
    assert story.begins() == "check"


def test_look_ups_of_a_record_without_an_id_slow_down_like_checks() -> None:
    story = in_doubt(new_order()).looks_up(*[nameless()] * 60)
    assert story.due_in == 300


def test_a_refused_send_that_met_a_record_without_an_id_is_not_rejected() -> None:
    story = sending().sees(REFUSED).looks_up(nameless(), MISSED)
    assert (story.phase, story.order.refusal) == (Phase.CONFIRMING, None)


def test_a_duplicate_that_met_our_own_record_without_an_id_is_not_rejected_as_taken() -> None:
    story = sending().sees(DUPLICATE).looks_up(nameless(), nameless(phone="0550000000"))
    assert story.phase is Phase.CONFIRMING


def test_an_order_on_hold_that_turns_out_to_exist_is_on_hold_no_more() -> None:
    story = held().resolved("NOT_CREATED").looks_up(nameless())
    assert (story.phase, story.order.hold_reason) == (Phase.CONFIRMING, None)
