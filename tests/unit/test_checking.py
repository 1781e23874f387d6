"""Checks of an order that the provider has, from its first PENDING to its last word."""

from datetime import timedelta

import pytest

from tests.unit.story import (
    ACCEPTED,
    DUPLICATE,
    LOST,
    NO_ANSWER,
    PREPARED,
    TOPUP_ID,
    Story,
    found,
    in_doubt,
    new_order,
    pending,
    sending,
    unknown,
)
from topups.lifecycle import Wait
from topups.models import Phase
from topups.observations import NoAnswer, OtherAccount
from topups.policy import Policy

DAY = 86_400
STRANGER = OtherAccount(why="a worker of another account took it")


def test_a_pending_order_is_checked_every_5_to_10_seconds() -> None:
    for chance, wait in ((0.0, 5), (0.5, 7.5), (0.999, 9.995)):
        story = pending()
        story.chance = chance
        assert story.checks(found("PENDING")).due_in == pytest.approx(wait)


def test_after_60_checks_an_order_is_checked_every_300_seconds_and_needs_review() -> None:
    story = pending().checks(*[found("PENDING")] * 59)
    assert (story.due_in, story.order.view().needs_review) == (5, False)
    story.checks(found("HANDLING"))
    assert (story.due_in, story.order.view().needs_review) == (300, True)


def test_sixty_checks_without_an_answer_need_review_as_well() -> None:
    story = pending().checks(*[NO_ANSWER] * 60)
    assert (story.due_in, story.order.view().needs_review) == (300, True)


def test_a_delivered_order_ends_and_is_never_asked_about_again() -> None:
    story = pending().checks(found("FULFILLED", balance_amount=490.0))
    assert (story.phase, story.order.balance_amount) == (Phase.FULFILLED, 490)
    assert story.order.finished_at == story.now
    assert story.step() is None


def test_a_refund_carries_the_providers_words_and_offers_to_the_caller() -> None:
    offers = ({"typename": "Facture", "plan_code": "FACTURE_DJEZZY", "amount": 500},)
    story = pending().checks(found("REFUNDED", refund_message="رقم غير صحيح", suggested_offers=offers))
    view = story.order.view()
    assert (view.phase, view.refund_message) == (Phase.REFUNDED, "رقم غير صحيح")
    assert view.suggested_offers is not None
    assert view.suggested_offers[0].plan_code == "FACTURE_DJEZZY"


def test_a_final_order_never_changes() -> None:
    story = pending().checks(found("FULFILLED"))
    ended = story.order
    for seen in (found("REFUNDED"), NO_ANSWER, ACCEPTED, DUPLICATE, PREPARED):
        assert story.sees(seen, took=60).order == ended
    assert story.rechecked().order == ended


def test_a_check_without_an_answer_is_due_again() -> None:
    story = pending().checks(NO_ANSWER)
    assert (story.phase, story.due_in) == (Phase.PENDING, 5)


def test_checks_without_an_answer_slow_down_to_one_a_minute_and_back() -> None:
    story = pending().checks(*[NO_ANSWER] * 8)
    assert story.due_in == 60
    assert story.checks(found("PENDING")).due_in == 5


def test_a_check_that_the_provider_asked_to_put_off_is_put_off() -> None:
    story = pending().checks(NoAnswer(why="too many requests", retry_after=40))
    assert story.due_in == 40


def test_checks_that_were_put_off_together_come_back_apart() -> None:
    story = pending()
    story.chance = 0.5
    assert story.checks(NoAnswer(why="too many requests", retry_after=40)).due_in == 45


def test_a_check_that_died_with_its_worker_is_due_at_once_and_not_counted() -> None:
    story = pending().checks(LOST)
    assert (story.due_in, story.order.polls) == (0, 0)


def test_going_back_from_handling_to_pending_is_noted_and_not_believed_as_a_new_order() -> None:
    story = pending().checks(found("HANDLING"), found("PENDING"))
    assert (story.phase, story.order.topup_id, story.order.polls) == (Phase.PENDING, TOPUP_ID, 2)
    assert "went back" in story.order.timeline[-1].note


def test_a_status_that_nobody_knows_is_not_final_and_needs_review() -> None:
    story = pending().checks(found("PARTIALLY_DELIVERED"))
    assert (story.phase, story.due_in) == (Phase.PENDING, 5)
    assert "PARTIALLY_DELIVERED" in (story.order.review_reason or "")
    assert story.checks(found("FULFILLED")).order.view().needs_review is False


def test_a_status_that_nobody_knows_leaves_handling_as_it_is() -> None:
    assert pending().checks(found("HANDLING"), found("PAUSED")).phase is Phase.HANDLING


def test_a_status_that_nobody_knows_at_the_first_look_up_is_pending() -> None:
    story = in_doubt().looks_up(found("QUEUED"))
    assert story.phase is Phase.PENDING
    assert "not final" in story.order.timeline[-1].note


def test_a_status_that_nobody_knows_is_polled_slowly_after_60_checks() -> None:
    assert pending().checks(*[found("QUEUED")] * 61).due_in == 300


def test_unknown_error_is_asked_again_24_hours_after_it_was_first_seen_and_then_daily() -> None:
    story = unknown()
    first_seen = story.seconds
    story.checks(*[found("UNKNOWN_ERROR", refund_message="…")] * 4)
    asked = [at - first_seen for action, at in story.begun if action == "check"]
    assert asked[1:] == [DAY, 2 * DAY, 3 * DAY, 4 * DAY]
    assert story.phase is Phase.UNKNOWN_ERROR


def test_unknown_error_needs_review_after_the_third_daily_check() -> None:
    story = unknown().checks(found("UNKNOWN_ERROR"), found("UNKNOWN_ERROR"))
    assert not story.order.view().needs_review
    assert story.checks(found("UNKNOWN_ERROR")).order.view().needs_review


def test_an_unknown_error_that_nobody_answers_for_hours_needs_review() -> None:
    story = unknown().checks(*[NO_ANSWER] * 60)
    assert story.seconds < 2 * DAY
    assert story.order.view().needs_review


def test_a_recheck_does_not_move_the_daily_checks() -> None:
    story = unknown()
    first_seen = story.seconds
    story.after(3_600).rechecked().checks(found("UNKNOWN_ERROR"))
    assert story.begins() == "check"
    assert story.seconds - first_seen == DAY


def test_a_daily_check_without_an_answer_is_repeated_every_300_seconds() -> None:
    story = unknown().checks(NO_ANSWER)
    assert story.due_in == 300
    assert story.checks(NO_ANSWER).due_in == 300
    assert story.checks(found("UNKNOWN_ERROR")).due_in == DAY - 600


def test_a_daily_check_that_died_with_its_worker_is_not_put_off_for_a_day() -> None:
    assert unknown().checks(LOST).due_in == 0


@pytest.mark.parametrize("end", ["FULFILLED", "REFUNDED"])
def test_unknown_error_ends_with_the_providers_word(end: str) -> None:
    assert unknown().checks(found(end)).phase is Phase(end)


@pytest.mark.parametrize("back", ["PENDING", "HANDLING"])
def test_an_order_that_comes_back_from_unknown_error_is_polled_again_with_a_fresh_count(back: str) -> None:
    story = pending().checks(*[found("PENDING")] * 70, found("UNKNOWN_ERROR"), found(back))
    assert (story.phase, story.due_in, story.order.view().needs_review) == (Phase(back), 5, False)
    story.checks(found("UNKNOWN_ERROR"))
    assert story.due_in == DAY


def test_a_status_that_nobody_knows_keeps_unknown_error_and_its_daily_checks() -> None:
    story = unknown().checks(found("ARCHIVED"))
    assert (story.phase, story.due_in) == (Phase.UNKNOWN_ERROR, DAY)
    assert story.order.view().needs_review


def test_a_worker_of_another_account_changes_nothing_but_needs_review() -> None:
    story = pending().checks(STRANGER)
    assert (story.phase, story.order.review_reason) == (Phase.PENDING, STRANGER.why)
    assert story.checks(found("PENDING")).order.view().needs_review is False


@pytest.mark.parametrize("story", [pending(), pending().checks(*[found("PENDING")] * 70), unknown(), in_doubt()])
def test_an_order_that_a_stranger_took_comes_back_after_5_seconds_growing_to_60(story: Story) -> None:
    waits = []
    for _ in range(6):
        story.begins()
        waits.append(story.sees(STRANGER).due_in)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_a_daily_check_that_a_stranger_took_is_made_soon_and_the_next_one_a_day_later() -> None:
    story = unknown().checks(STRANGER, found("UNKNOWN_ERROR"))
    assert story.seconds == 5 + DAY + 5
    assert story.due_in == DAY - 5


def test_a_record_with_another_id_is_not_believed() -> None:
    story = pending().checks(found("FULFILLED", topup_id="ffffffffffffffffffffffff"))
    assert (story.phase, story.due_in) == (Phase.PENDING, 300)
    assert story.order.view().needs_review


def test_an_order_once_adopted_is_never_rejected_as_taken() -> None:
    story = sending().sees(DUPLICATE).looks_up(found("PENDING")).checks(found("FULFILLED", topup_id="f" * 24))
    assert story.phase is Phase.PENDING


def test_a_record_by_id_needs_no_ref_but_may_not_be_for_another_number() -> None:
    assert pending().checks(found("FULFILLED", ref=None)).phase is Phase.FULFILLED
    assert pending().checks(found("FULFILLED", phone="0550000000")).phase is Phase.PENDING


def test_an_old_refunded_record_under_our_own_id_is_ours() -> None:
    story = pending()
    long_ago = story.now - timedelta(days=1)
    assert story.checks(found("REFUNDED", created_at=long_ago)).phase is Phase.REFUNDED


def test_two_requests_for_one_order_are_at_least_five_seconds_apart() -> None:
    story = pending(new_order(Policy(first_check=0.1, poll_min=0.1, poll_max=0.2)))
    story.checks(*[found("PENDING")] * 3)
    assert [at for action, at in story.begun if action == "check"] == [5, 10, 15]


def test_five_seconds_are_counted_from_the_answer_not_from_the_question() -> None:
    story = pending(new_order(Policy(poll_min=0.1, poll_max=0.2))).does("check", found("PENDING"), took=8)
    assert story.due_in == 5


def test_a_recheck_comes_at_once_or_five_seconds_after_the_last_request() -> None:
    story = unknown().rechecked()
    assert story.due_in == 5
    assert story.after(3_600).rechecked().due_in == 0
    assert story.order.timeline[-1].by == "amel@shop"


def test_every_check_is_counted_and_shown() -> None:
    story = pending().checks(NO_ANSWER, found("PENDING"))
    view = story.order.view()
    assert (view.checks, view.sends, view.last_checked_at) == (2, 1, story.now)
    assert view.next_check_at == story.order.due_at


def test_nothing_is_asked_before_it_is_due() -> None:
    story = pending()
    assert story.after(4.9).step() == Wait(until=story.order.due_at)
    assert story.after(0.1).step() == "check"


def test_a_check_that_our_own_rate_limit_kept_back_is_none_of_the_sixty() -> None:
    kept_back = NoAnswer(why="the request limit is reached", asked=False, retry_after=13)
    story = pending().checks(*[kept_back] * 70)
    assert (story.order.polls, story.order.review_reason) == (0, None)


def test_an_unknown_order_whose_recheck_our_own_rate_limit_kept_back_is_asked_as_soon_as_the_limit_lets_us() -> None:
    kept_back = NoAnswer(why="the request limit is reached", asked=False, retry_after=13)
    story = unknown().after(86_400).checks(kept_back)
    assert 13 <= story.due_in <= 20


def test_a_check_that_died_with_its_worker_is_asked_again_at_once() -> None:
    story = pending().after(10)
    assert story.step() == "check"
    story.begins()
    story.after(10).sees(NoAnswer(why="the worker was lost", lost=True))
    assert story.due_in < 0.1


def test_a_check_whose_worker_is_known_to_have_died_is_asked_again_the_moment_it_is_known() -> None:
    story = pending().after(10)
    story.begins()
    story.after(1).sees(NoAnswer(why="the worker died", lost=True))
    assert story.due_in == 0


def test_an_order_of_the_first_release_keeps_5_seconds_from_the_beginning_of_a_check_that_was_lost() -> None:
    story = pending(new_order().but(release=1)).after(10)
    story.begins()
    story.after(1).sees(NoAnswer(why="the worker died", lost=True))
    assert story.due_in == 4
