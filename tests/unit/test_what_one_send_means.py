"""What one POST can mean: which answers leave something that may exist, and which do not."""

import pytest

from tests.unit.story import (
    ACCEPTED,
    DUPLICATE,
    IN_DOUBT,
    LOST,
    MISSED,
    NO_ANSWER,
    NO_MONEY,
    NOT_LEFT,
    PREPARED,
    REFUSED,
    TOPUP_ID,
    Story,
    found,
    held,
    in_doubt,
    new_order,
    sending,
)
from topups.models import HoldReason, Phase
from topups.observations import Held, Observation, OtherAccount, PlanRefused
from topups.policy import Policy

OTHER_ACCOUNT = OtherAccount(why="a worker of another account took it")


def test_an_order_may_exist_from_the_step_that_sends_it() -> None:
    story = sending()
    assert story.order.may_exist
    assert story.order.send_open
    assert story.phase is Phase.ACCEPTED


def test_an_order_that_was_only_prepared_does_not_exist() -> None:
    assert not Story().does("prepare", PREPARED).order.may_exist


def test_a_taken_send_is_pending_and_checked_by_its_id_after_five_seconds() -> None:
    story = sending().sees(ACCEPTED)
    assert (story.phase, story.order.topup_id, story.due_in) == (Phase.PENDING, TOPUP_ID, 5)
    assert story.begins() == "check"


@pytest.mark.parametrize("answer", [NO_MONEY, NOT_LEFT, OTHER_ACCOUNT, REFUSED])
def test_an_answer_that_proves_not_created_takes_the_may_exist_back(answer: Observation) -> None:
    story = sending().sees(answer)
    assert not story.order.may_exist
    assert not story.order.send_open


@pytest.mark.parametrize("answer", [NO_MONEY, NOT_LEFT, OTHER_ACCOUNT, REFUSED])
def test_the_same_answer_to_a_second_send_says_nothing_about_the_first(answer: Observation) -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", answer)
    assert story.order.may_exist
    assert story.phase is Phase.CONFIRMING
    assert story.begins() == "look_up"


@pytest.mark.parametrize("answer", [IN_DOUBT, DUPLICATE])
def test_an_answer_that_proves_nothing_is_looked_up_by_ref_after_five_seconds(answer: Observation) -> None:
    story = sending().sees(answer, took=30)
    assert (story.phase, story.order.may_exist, story.due_in) == (Phase.CONFIRMING, True, 5)
    assert story.begins() == "look_up"


def test_a_doubt_once_raised_outlives_every_later_not_created() -> None:
    story = in_doubt()
    for answer in (NO_MONEY, NOT_LEFT, REFUSED):
        story.looks_up(*[MISSED] * 4).does("send", answer)
    assert story.order.may_exist
    assert story.phase is Phase.CONFIRMING


def test_a_request_that_never_left_is_not_counted_as_a_send() -> None:
    assert sending().sees(NOT_LEFT).order.sends == 0
    assert sending().sees(OTHER_ACCOUNT).order.sends == 0
    assert sending().sees(NO_MONEY).order.sends == 1


def test_a_send_taken_by_a_worker_of_another_account_waits_for_another_worker() -> None:
    story = sending().sees(OTHER_ACCOUNT)
    assert (story.phase, story.order.review_reason) == (Phase.ACCEPTED, OTHER_ACCOUNT.why)
    assert story.does("send", ACCEPTED).order.review_reason is None


def test_no_first_send_leaves_after_deliver_by() -> None:
    story = Story(new_order(deliver_within=60)).does("prepare", PREPARED).after(60)
    assert story.begins() == "expire"
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")


def test_an_order_may_be_sent_up_to_the_last_second_before_deliver_by() -> None:
    story = Story(new_order(deliver_within=60)).does("prepare", PREPARED).after(59.9)
    assert story.begins() == "send"


def test_an_order_that_nobody_took_up_in_time_is_rejected_without_a_request() -> None:
    story = Story().after(1_800)
    assert story.begins() == "expire"
    assert story.phase is Phase.REJECTED
    assert story.order.view().error_message is not None


@pytest.mark.parametrize(("seconds", "phase"), [(1_801.9, Phase.REJECTED), (1_802, Phase.CONFIRMING)])
def test_an_order_found_long_past_its_time_is_looked_up_since_a_backup_may_be_older_than_its_send(
    seconds: float, phase: Phase
) -> None:
    story = Story().after(seconds)
    assert story.begins() == "expire"
    assert story.phase is phase


def test_what_a_restored_order_did_after_the_backup_is_found() -> None:
    story = Story().after(7_200)
    assert story.begins() == "expire"
    assert story.looks_up(found("FULFILLED")).phase is Phase.FULFILLED


def test_a_restored_order_of_which_the_provider_knows_nothing_was_never_sent_and_never_is() -> None:
    story = Story().after(7_200)
    assert story.begins() == "expire"
    story.looks_up(NO_ANSWER, MISSED)
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")
    assert story.order.sends == 0


def test_a_hold_that_outlasts_deliver_by_is_rejected_at_that_time() -> None:
    story = sending(new_order(deliver_within=60)).sees(NOT_LEFT)
    story.does("prepare", NOT_LEFT)
    assert story.begins() == "expire"
    assert story.begun[-1] == ("expire", 60.0)
    assert story.phase is Phase.REJECTED


def test_an_order_the_provider_refused_for_money_is_looked_up_before_it_expires() -> None:
    story = held(new_order(deliver_within=60)).after(60)
    assert story.begins() == "expire"
    assert story.phase is Phase.CONFIRMING
    story.looks_up(MISSED)
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "DELIVER_BY_PASSED")


def test_a_refusal_becomes_rejected_only_after_one_complete_look_up_missed() -> None:
    story = sending().sees(REFUSED)
    assert (story.phase, story.order.error_code) == (Phase.CONFIRMING, "ERR_VALIDATION")
    story.looks_up(NO_ANSWER, LOST, MISSED)
    assert (story.phase, story.order.error_code) == (Phase.REJECTED, "ERR_VALIDATION")
    assert story.order.error_message == REFUSED.message


def test_a_refused_order_is_never_sent_again() -> None:
    story = sending().sees(REFUSED).looks_up(*[NO_ANSWER] * 12)
    assert [action for action, _ in story.begun].count("send") == 1


def test_a_refusal_of_a_ref_that_an_earlier_run_used_ends_as_that_order_did() -> None:
    story = sending().sees(REFUSED).looks_up(found("FULFILLED"))
    assert (story.phase, story.order.error_code) == (Phase.FULFILLED, None)


@pytest.mark.parametrize("code", ["PLAN_UNKNOWN", "PLAN_AMOUNT", "PLAN_DISABLED"])
def test_what_the_catalogue_refuses_ends_rejected_without_a_send(code: str) -> None:
    story = Story().does("prepare", PlanRefused(code=code, message="…"))
    assert (story.phase, story.order.error_code, story.order.sends) == (Phase.REJECTED, code, 0)


def test_a_plan_that_is_switched_off_while_the_order_waits_is_a_hold() -> None:
    story = held().does("prepare", PlanRefused(code="PLAN_DISABLED", message="maintenance"))
    assert (story.phase, story.order.hold_reason) == (Phase.ON_HOLD, HoldReason.PLAN_DISABLED)


def test_the_plans_own_amount_and_the_account_are_stamped_before_the_first_send() -> None:
    story = Story(new_order(amount=None)).does("prepare", PREPARED)
    assert (story.order.amount, story.order.account) == (500, PREPARED.account)
    assert story.order.view().amount == 500


def test_a_held_send_is_prepared_anew() -> None:
    story = sending().sees(Held(reason=HoldReason.CLOCK_SKEW, why="the clock is behind"))
    story.does("prepare", PREPARED).does("send", ACCEPTED)
    assert story.phase is Phase.PENDING


def test_no_policy_allows_a_first_resend_before_its_own_ladder_is_used_up() -> None:
    story = in_doubt(new_order(Policy(lookup_waits=(7.0,), max_resends=0)))
    story.looks_up(*[MISSED] * 8)
    assert [action for action, _ in story.begun].count("send") == 1
