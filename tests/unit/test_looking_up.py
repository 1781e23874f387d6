"""Looking up an order whose send is in doubt, and the one way to a second send."""

from datetime import timedelta

import pytest

from tests.unit.story import (
    ACCEPTED,
    ACCOUNT,
    BEGAN,
    DUPLICATE,
    IN_DOUBT,
    LOST,
    MISSED,
    NO_ANSWER,
    NO_MONEY,
    NOT_LEFT,
    PREPARED,
    REFUSED,
    SEND_LOST,
    Story,
    found,
    in_doubt,
    new_order,
    sending,
    sends,
)
from topups.models import Phase, Reopening
from topups.observations import InDoubt, Missed, NoAnswer, Observation, OtherAccount, Refused
from topups.policy import Policy
from topups.resending import may_resend


def test_look_ups_come_5_10_20_and_60_seconds_after_the_send_ended() -> None:
    story = sending().sees(IN_DOUBT, took=30).looks_up(*[MISSED] * 4)
    assert [at - 30 for action, at in story.begun if action == "look_up"] == [5, 10, 20, 60]


def test_a_send_that_was_lost_with_its_worker_is_looked_up_at_once_and_then_as_any_other() -> None:
    story = sending().sees(SEND_LOST, took=8).looks_up(*[MISSED] * 5)
    assert [round(at - 8, 1) for action, at in story.begun if action == "look_up"] == [0, 5, 10, 20, 60]
    assert story.begins() == "send"


def test_an_order_that_its_lost_worker_did_send_is_found_at_once() -> None:
    story = sending().sees(SEND_LOST, took=8).looks_up(found("FULFILLED"))
    assert (story.phase, round(story.seconds, 2)) == (Phase.FULFILLED, 8)


def test_a_send_whose_worker_is_known_to_have_died_is_looked_up_the_moment_it_is_known() -> None:
    story = sending().sees(SEND_LOST, took=1).looks_up(*[MISSED] * 5)
    assert [at - 1 for action, at in story.begun if action == "look_up"] == [0, 5, 10, 20, 60]


def test_an_order_of_the_first_release_keeps_5_seconds_from_the_beginning_of_a_send_that_was_lost() -> None:
    story = Story(order=new_order().but(release=1)).does("prepare", PREPARED)
    assert story.begins() == "send"
    story.after(1).sees(SEND_LOST).looks_up(MISSED)
    assert [at for action, at in story.begun if action == "look_up"] == [5]


@pytest.mark.parametrize("answer", [MISSED, NO_ANSWER])
def test_a_look_up_before_its_time_is_one_more_and_takes_no_step_of_the_ladder(answer: Observation) -> None:
    story = sending().sees(SEND_LOST, took=8).looks_up(answer)
    assert (story.order.misses, story.order.lookups) == (0, 0)
    assert story.looks_up(answer).order.lookups == 1


def test_an_order_of_before_there_were_releases_is_looked_up_as_it_began() -> None:
    story = Story(order=new_order().but(release=0)).does("prepare", PREPARED)
    assert story.begins() == "send"
    story.after(8).sees(SEND_LOST).looks_up(MISSED)
    assert [at - 8 for action, at in story.begun if action == "look_up"] == [5]
    story.rechecked().looks_up(MISSED)
    assert story.order.lookups == 2


def test_a_second_send_needs_four_misses_in_a_row_and_sixty_seconds() -> None:
    story = in_doubt().looks_up(*[MISSED] * 3)
    assert not may_resend(story.order, story.now + timedelta(seconds=600))
    story.looks_up(MISSED).does("send", ACCEPTED)
    assert sends(story) == [0, 65]
    assert (story.phase, story.order.sends) == (Phase.PENDING, 2)


def test_four_rechecks_in_a_row_do_not_bring_a_resend_forward() -> None:
    story = in_doubt()
    for _ in range(4):
        story.rechecked().looks_up(MISSED)
    assert story.seconds == 20
    story.rechecked().looks_up(MISSED)
    assert len(sends(story)) == 1


def test_the_last_miss_before_a_second_send_came_at_least_sixty_seconds_after_the_first() -> None:
    story = in_doubt()
    for _ in range(4):
        story.rechecked().looks_up(MISSED)
    while story.begins() != "send":
        story.sees(MISSED)
    asked = [at for action, at in story.begun if action == "look_up"]
    assert asked[-1] >= 60


def test_a_recheck_never_sends() -> None:
    story = in_doubt()
    for _ in range(4):
        story.rechecked().looks_up(MISSED)
    story.after(45).rechecked()
    assert story.begins() == "look_up"


def test_a_look_up_without_an_answer_counts_for_nothing() -> None:
    story = in_doubt().looks_up(MISSED, MISSED, NO_ANSWER, MISSED)
    assert not may_resend(story.order, story.now + timedelta(seconds=600))
    story.looks_up(MISSED)
    assert story.begins() == "send"


def test_no_number_of_look_ups_without_an_answer_allows_a_second_send() -> None:
    story = in_doubt().looks_up(*[NO_ANSWER] * 40)
    assert len(sends(story)) == 1
    assert story.phase is Phase.CONFIRMING


def test_look_ups_without_an_answer_slow_down_to_one_in_300_seconds() -> None:
    story = in_doubt().looks_up(*[NO_ANSWER] * 10)
    assert story.due_in == 300


def test_a_look_up_that_our_own_rate_limit_kept_back_is_still_due() -> None:
    kept_back = NoAnswer(why="the request limit is reached", asked=False, retry_after=13)
    story = in_doubt().looks_up(*[kept_back] * 3, *[MISSED] * 4)
    assert [at for action, at in story.begun if action == "look_up"] == [5, 18, 31, 44, 49, 54, 60]


@pytest.mark.parametrize("before", [MISSED, NO_ANSWER])
def test_after_a_ladder_that_ended_without_an_answer_the_next_look_ups_come_after_1_2_4_and_5_minutes(
    before: Observation,
) -> None:
    story = in_doubt().looks_up(*[before] * 3, NO_ANSWER)
    waits = []
    for _ in range(5):
        waits.append(story.due_in)
        story.looks_up(NO_ANSWER)
    assert waits == [60, 120, 240, 300, 300]


def test_a_look_up_that_died_with_its_worker_counts_for_nothing_and_is_repeated() -> None:
    story = in_doubt().looks_up(LOST)
    assert (story.order.lookups, story.order.misses, story.due_in) == (0, 0, 0)
    assert story.begins() == "look_up"


def test_a_worker_of_another_account_counts_for_nothing() -> None:
    stranger = OtherAccount(why="a worker of another account took it")
    story = in_doubt().looks_up(*[stranger] * 20)
    assert (story.order.misses, story.phase) == (0, Phase.CONFIRMING)
    assert (story.order.review_reason, len(sends(story))) == (stranger.why, 1)


def test_every_second_send_starts_the_ladder_anew() -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", IN_DOUBT)
    assert (story.order.misses, story.order.lookups, story.due_in) == (0, 0, 5)


@pytest.mark.parametrize("answer", [NOT_LEFT, NO_MONEY, REFUSED])
def test_a_second_send_that_created_nothing_starts_the_ladder_anew_too(answer: Observation) -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", answer).looks_up(*[MISSED] * 3)
    assert not may_resend(story.order, story.now + timedelta(seconds=600))


def test_an_order_is_sent_again_five_times_at_most() -> None:
    story = in_doubt(new_order(deliver_within=86_400))
    for _ in range(5):
        story.looks_up(*[MISSED] * 4).does("send", IN_DOUBT)
    story.looks_up(*[MISSED] * 30)
    assert len(sends(story)) == 6
    assert story.due_in == 300
    assert story.order.view().needs_review


def test_no_second_send_leaves_after_deliver_by() -> None:
    story = in_doubt(new_order(deliver_within=60)).looks_up(*[MISSED] * 30)
    assert len(sends(story)) == 1
    assert (story.phase, story.due_in) == (Phase.CONFIRMING, 300)
    assert story.order.view().needs_review


def test_a_duplicate_ref_forbids_any_resend() -> None:
    story = sending().sees(DUPLICATE).looks_up(*[MISSED] * 30)
    assert len(sends(story)) == 1
    assert (story.phase, story.due_in) == (Phase.CONFIRMING, 300)
    assert story.order.view().needs_review


def test_a_duplicate_ref_on_the_second_send_forbids_a_third() -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", DUPLICATE).looks_up(*[MISSED] * 30)
    assert len(sends(story)) == 2


def test_a_shorter_ladder_of_the_policy_is_climbed_whole() -> None:
    story = in_doubt(new_order(Policy(lookup_waits=(1.0, 30.0)))).looks_up(MISSED, MISSED)
    assert [at for action, at in story.begun if action == "look_up"] == [5, 30]
    assert story.begins() == "send"


def test_the_account_of_a_look_up_is_kept_where_none_was_known() -> None:
    reopening = Reopening(note="terminated", by="amel@shop", accepted_at=BEGAN)
    story = Story(new_order(reopening=reopening)).looks_up(Missed(account=ACCOUNT), Missed(account="+213700000000"))
    assert story.order.account == ACCOUNT


def test_a_refusal_that_nobody_lets_us_make_sure_of_is_shown_to_a_person() -> None:
    story = sending().sees(Refused(code="ERR_PHONE", message="…"))
    for _ in range(4):
        story.looks_up(NoAnswer(why="…"))
    assert story.phase is Phase.CONFIRMING
    assert "ERR_PHONE" in (story.order.review_reason or "")
    assert story.looks_up(Missed()).order.error_code == "ERR_PHONE"


def test_a_worker_lost_again_and_again_counts_as_no_answer() -> None:
    story = sending().sees(InDoubt(why="…"))
    for _ in range(12):
        story.looks_up(NoAnswer(why="…", lost=True))
    assert story.order.lookups > 0
    assert (story.order.due_at - story.now).total_seconds() > 60


def test_a_look_up_that_was_asked_early_and_answered_late_brings_no_resend() -> None:
    story = sending().sees(InDoubt(why="…"))
    for _ in range(3):
        story.looks_up(Missed())
    story = story.rechecked()
    assert story.begins() == "look_up"
    assert story.after(61).sees(Missed()).begins() == "look_up"
