"""What the key's own budget keeps back is due again when the budget says, and a person hears of it when it is late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.story import NO_ANSWER, REFUSED, Story, found, in_doubt, new_order, pending, sending
from topups.lifecycle import Wait
from topups.models import HoldReason, Phase
from topups.observations import Found, Held, NoAnswer
from topups.order import Order


def order() -> Order:
    return new_order().but(own_times=True)


def kept_back(seconds: float) -> NoAnswer:
    return NoAnswer(why="the request limit is reached", asked=False, retry_after=seconds)


def too_many(seconds: float) -> Held:
    return Held(reason=HoldReason.RATE_LIMIT, why="the request limit is reached", retry_after=seconds)


@pytest.mark.parametrize(("told", "waits"), [(7.5, 7.5), (0.2, 1.0), (90.0, 90.0), (900.0, 300.0)])
def test_a_send_that_finds_no_place_comes_back_exactly_when_it_was_told(told: float, waits: float) -> None:
    assert sending(order()).sees(too_many(told), took=5).due_in == waits


def test_the_tenth_time_it_waits_no_longer_than_the_first() -> None:
    story = sending(order())
    for _ in range(9):
        story.sees(too_many(4.0), took=5)
        assert story.begins() == "send"
    assert story.sees(too_many(4.0), took=5).due_in == 4


def test_in_the_key_s_queue_the_plan_is_not_asked_again_but_after_any_other_hold_it_is() -> None:
    story = sending(order()).sees(too_many(4.0), took=5)
    assert story.after(4).step() == "send"
    other = sending(order()).sees(Held(reason=HoldReason.UNREACHABLE, why="no connection"))
    assert other.after(other.due_in).step() == "prepare"


def test_a_hold_without_a_time_of_its_own_waits_as_any_other() -> None:
    assert sending(order()).sees(too_many(0.0)).due_in == 30


def test_a_check_comes_back_when_it_was_told_and_never_slows_down_for_it() -> None:
    story = pending(order()).checks(found("PENDING"))
    for _ in range(10):
        story.checks(kept_back(12.0))
        assert story.due_in == 12
    assert (story.order.polls, story.order.unanswered) == (1, 0)


def test_a_check_that_was_not_asked_does_not_put_off_the_next_by_five_seconds() -> None:
    story = pending(order()).does("check", kept_back(0.5), took=5.5)
    assert story.due_in == 0.5


def test_those_who_wait_for_the_provider_s_own_retry_after_do_not_come_back_in_one_moment() -> None:
    early, late = pending(order()), pending(order())
    late.chance = 0.99
    assert 2 < late.checks(kept_back(60)).due_in - early.checks(kept_back(60)).due_in <= 3


def test_an_order_that_is_not_asked_for_five_minutes_needs_a_person() -> None:
    story = pending(order()).checks(found("HANDLING"))
    while story.seconds < 300:
        assert story.order.review_reason is None
        story.checks(kept_back(60))
    story.checks(kept_back(60))
    assert "limit is used up" in str(story.order.review_reason)
    assert story.checks(found("HANDLING")).order.review_reason is None


def test_so_does_an_order_in_doubt() -> None:
    story = in_doubt(order())
    for _ in range(7):
        story.does("look_up", kept_back(60))
    assert story.phase is Phase.CONFIRMING
    assert "limit is used up" in str(story.order.review_reason)


def test_a_recheck_of_an_unknown_order_that_is_a_minute_late_needs_a_person() -> None:
    story = pending(order()).checks(found("UNKNOWN_ERROR"))
    story.checks(kept_back(40), kept_back(40))
    assert story.order.review_reason is None
    story.checks(kept_back(40))
    assert "limit is used up" in str(story.order.review_reason)


def test_a_person_s_recheck_between_two_due_ones_is_never_late() -> None:
    story = pending(order()).checks(found("UNKNOWN_ERROR"), found("UNKNOWN_ERROR"))
    story.after(3_600).rechecked().does("check", kept_back(40))
    assert story.order.review_reason is None


def test_what_is_wrong_already_stays_what_a_person_is_told() -> None:
    story = pending(order()).checks(found("A_NEW_WORD"))
    why = story.order.review_reason
    while story.seconds < 400:
        story.checks(kept_back(60))
    assert story.order.review_reason == why


def test_an_order_of_an_older_worker_keeps_the_waits_that_it_began_with() -> None:
    story = Story(new_order())
    assert not story.order.own_times
    assert sending().sees(too_many(4.0)).due_in == 30
    assert pending().checks(kept_back(2.0)).due_in >= 5


def test_a_refused_order_whose_look_up_is_kept_back_is_still_looked_up_before_it_ends() -> None:
    story = sending(order()).sees(REFUSED)
    story.does("look_up", kept_back(8.0))
    assert story.phase is Phase.CONFIRMING
    assert story.step() == Wait(until=story.now + timedelta(seconds=8))


def test_a_check_that_nobody_answered_still_waits_longer_each_time() -> None:
    story = pending(order()).checks(*[NO_ANSWER] * 6)
    assert story.due_in > 30


def in_a_round_of(seconds: float, status: str = "HANDLING") -> Found:
    return found(status).model_copy(update={"round_seconds": seconds})


def test_with_many_others_under_way_an_order_is_asked_for_when_all_of_them_have_been() -> None:
    story = pending(order()).checks(in_a_round_of(40))
    assert story.due_in == 40
    assert story.checks(in_a_round_of(2)).due_in < 10
    assert story.checks(in_a_round_of(4_000)).due_in == 300


def test_those_of_one_page_do_not_come_back_in_one_moment() -> None:
    early, late = pending(order()), pending(order())
    late.chance = 0.99
    assert 2 < late.checks(in_a_round_of(40)).due_in - early.checks(in_a_round_of(40)).due_in <= 3


def test_a_round_puts_off_no_daily_recheck_and_no_end() -> None:
    assert pending(order()).checks(in_a_round_of(40, "UNKNOWN_ERROR")).due_in == 86_400
    assert pending(order()).checks(in_a_round_of(40, "FULFILLED")).order.final
