"""What people's words do to an order, and what they can't."""

import pytest

from tests.unit.story import (
    ACCEPTED,
    ACCOUNT,
    BEGAN,
    DUPLICATE,
    LOST,
    MISSED,
    NO_ANSWER,
    NO_MONEY,
    PREPARED,
    REFUSED,
    Story,
    found,
    held,
    in_doubt,
    new_order,
    pending,
    sending,
    unknown,
)
from topups import people
from topups.models import Outcome, Phase, Reopening, Resolve
from topups.observations import NoAnswer, Observation, OtherAccount

STRANGER = OtherAccount(why="a worker of another account took it")
OUTCOMES: list[Outcome] = ["FULFILLED", "REFUNDED", "NOT_CREATED"]


def word(outcome: Outcome) -> Resolve:
    return Resolve(outcome=outcome, note="the operator says so", by="amel@shop")


@pytest.mark.parametrize("story", [Story(), held(), sending().sees(STRANGER)])
def test_an_order_that_was_surely_not_created_can_be_cancelled(story: Story) -> None:
    ended = Story(story.order, story.now).cancelled()
    assert ended.phase is Phase.CANCELLED
    assert ended.order.finished_at == story.now
    assert ended.order.timeline[-1].by == "amel@shop"
    assert ended.step() is None


@pytest.mark.parametrize("story", [sending(), in_doubt(), pending(), unknown(), sending().sees(REFUSED)])
def test_an_order_that_was_sent_or_may_have_been_can_not_be_cancelled(story: Story) -> None:
    assert people.why_not_cancel(story.order) is not None


def test_an_order_that_ended_can_neither_be_cancelled_nor_resolved() -> None:
    story = pending().checks(found("FULFILLED"))
    assert "FULFILLED" in (people.why_not_cancel(story.order) or "")
    assert "FULFILLED" in (story.why_not_resolve("REFUNDED") or "")


def test_a_cancelled_order_ignores_the_answer_to_what_was_under_way() -> None:
    story = Story()
    assert story.begins() == "prepare"
    assert story.cancelled().sees(PREPARED).phase is Phase.CANCELLED


def test_a_cancel_request_in_temporal_is_taken_as_a_cancel_where_one_is_allowed() -> None:
    order = people.cancel_from_temporal(held().order, BEGAN)
    assert order.phase is Phase.CANCELLED
    assert order.timeline[-1].by == "temporal"


def test_a_cancel_request_in_temporal_is_noted_and_ignored_where_none_is_allowed() -> None:
    order = people.cancel_from_temporal(sending().order, BEGAN)
    assert order.phase is Phase.ACCEPTED
    assert "ignored" in order.timeline[-1].note


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_nothing_is_resolved_while_a_send_is_open(outcome: Outcome) -> None:
    assert "a send is on its way" in (sending().why_not_resolve(outcome) or "")


@pytest.mark.parametrize("outcome", ["REFUNDED", "NOT_CREATED"])
def test_a_send_in_doubt_is_not_declared_undelivered_within_15_minutes(outcome: Outcome) -> None:
    story = in_doubt()
    assert "too recent" in (story.after(899).why_not_resolve(outcome) or "")
    assert story.after(1).why_not_resolve(outcome) is None


def test_fifteen_minutes_are_counted_from_the_last_send() -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).does("send", NO_MONEY)
    assert story.after(899).why_not_resolve("NOT_CREATED") is not None


def test_a_send_in_doubt_may_be_declared_delivered_at_once() -> None:
    assert in_doubt().why_not_resolve("FULFILLED") is None


@pytest.mark.parametrize("outcome", ["FULFILLED", "REFUNDED"])
def test_an_order_that_was_never_sent_is_cancelled_not_resolved(outcome: Outcome) -> None:
    assert "cancel" in (held().why_not_resolve(outcome) or "")


def test_an_order_that_the_provider_has_is_not_declared_never_created() -> None:
    assert "the provider has the order" in (pending().why_not_resolve("NOT_CREATED") or "")


def test_two_people_can_not_say_two_things_at_once() -> None:
    story = in_doubt().resolved("FULFILLED").after(1_000)
    assert "somebody is resolving" in (story.why_not_resolve("NOT_CREATED") or "")
    assert story.why_not_resolve("FULFILLED") is None


def test_an_order_that_somebody_is_resolving_can_not_be_cancelled() -> None:
    assert "resolving" in (people.why_not_cancel(held().resolved("NOT_CREATED").order) or "")


def test_a_word_forbids_any_further_send_at_once() -> None:
    story = in_doubt().looks_up(*[MISSED] * 4).resolved("FULFILLED")
    assert story.order.no_more_sends is not None
    assert story.begins() == "look_up"


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [("FULFILLED", Phase.FULFILLED), ("REFUNDED", Phase.REFUNDED), ("NOT_CREATED", Phase.REJECTED)],
)
@pytest.mark.parametrize("seen", [MISSED, NO_ANSWER])
def test_a_word_ends_the_order_after_one_fresh_look(outcome: Outcome, phase: Phase, seen: Observation) -> None:
    story = in_doubt().after(900).resolved(outcome).looks_up(seen)
    assert (story.phase, story.order.resolved_by) == (phase, "amel@shop")
    assert story.order.resolved_note == "the operator says so"
    taken = people.answer(story.order, word(outcome))
    assert taken.taken
    assert "as you said" in taken.why


def test_an_order_declared_never_created_is_rejected_with_that_code() -> None:
    story = in_doubt().after(900).resolved("NOT_CREATED").looks_up(MISSED)
    assert (story.order.error_code, story.order.error_message) == ("NEVER_CREATED", "the operator says so")


def test_an_order_on_hold_may_be_declared_never_created_too() -> None:
    assert held().resolved("NOT_CREATED").looks_up(MISSED).phase is Phase.REJECTED


@pytest.mark.parametrize(("outcome", "truth"), [("FULFILLED", "REFUNDED"), ("REFUNDED", "FULFILLED")])
def test_the_providers_own_final_answer_wins_over_a_word(outcome: Outcome, truth: str) -> None:
    story = in_doubt().after(900).resolved(outcome).looks_up(found(truth))
    assert (story.phase, story.order.resolved_by) == (Phase(truth), None)
    refused = people.answer(story.order, word(outcome))
    assert not refused.taken
    assert truth in refused.why


def test_the_providers_own_answer_may_agree_with_the_word() -> None:
    story = unknown().resolved("FULFILLED").checks(found("FULFILLED"))
    agreed = people.answer(story.order, word("FULFILLED"))
    assert agreed.taken
    assert "the provider's own answer" in agreed.why


def test_a_word_on_an_order_the_provider_has_asks_by_its_id_first() -> None:
    story = unknown().resolved("REFUNDED").checks(found("UNKNOWN_ERROR"))
    assert (story.phase, story.order.resolved_by) == (Phase.REFUNDED, "amel@shop")


def test_never_created_is_not_taken_when_the_fresh_look_finds_the_order() -> None:
    story = in_doubt().after(900).resolved("NOT_CREATED").looks_up(found("HANDLING"))
    assert (story.phase, story.order.resolution) == (Phase.HANDLING, None)
    assert not people.answer(story.order, word("NOT_CREATED")).taken
    assert story.begins() == "check"


def test_a_look_that_a_stranger_took_is_made_again_while_the_person_waits() -> None:
    story = unknown().after(3_600).resolved("REFUNDED").checks(STRANGER)
    assert (story.phase, story.due_in) == (Phase.UNKNOWN_ERROR, 5)
    assert story.checks(found("FULFILLED")).phase is Phase.FULFILLED


def test_never_created_is_not_taken_when_the_fresh_look_shows_a_record_without_an_id() -> None:
    story = in_doubt().after(900).resolved("NOT_CREATED").looks_up(found("PENDING", topup_id=None))
    assert (story.phase, story.order.resolution) == (Phase.CONFIRMING, None)
    assert "the provider has it as PENDING" in story.order.timeline[-1].note


@pytest.mark.parametrize("nobody_looked", [LOST, STRANGER])
def test_a_look_that_never_happened_does_not_end_the_order(nobody_looked: Observation) -> None:
    story = in_doubt().resolved("FULFILLED").looks_up(nobody_looked)
    assert story.phase is Phase.CONFIRMING
    assert story.looks_up(MISSED).phase is Phase.FULFILLED


def test_a_look_that_was_asked_before_the_word_is_not_the_fresh_one() -> None:
    story = unknown().after(3_600)
    story.rechecked()
    assert story.begins() == "check"
    story.resolved("REFUNDED").sees(found("UNKNOWN_ERROR"))
    assert story.phase is Phase.UNKNOWN_ERROR
    assert story.checks(found("UNKNOWN_ERROR")).phase is Phase.REFUNDED


def test_a_word_given_during_a_check_does_not_wait_for_the_next_day() -> None:
    story = unknown().rechecked()
    assert story.begins() == "check"
    assert story.resolved("REFUNDED").sees(found("UNKNOWN_ERROR")).due_in == 5


def test_a_word_given_while_the_order_is_prepared_does_not_wait_for_the_hold() -> None:
    story = Story()
    assert story.begins() == "prepare"
    assert story.resolved("NOT_CREATED").sees(NO_ANSWER).due_in <= 5
    assert story.looks_up(MISSED).phase is Phase.REJECTED


def test_a_word_comes_at_the_earliest_five_seconds_after_the_last_request() -> None:
    assert unknown().resolved("REFUNDED").due_in == 5


def test_a_word_on_a_foreign_record_ends_the_order() -> None:
    story = in_doubt().looks_up(found("FULFILLED", phone="0550000000")).after(900).resolved("NOT_CREATED")
    assert story.looks_up(found("FULFILLED", phone="0550000000")).phase is Phase.REJECTED


def test_a_reopened_order_waits_15_minutes_too_before_it_is_declared_never_created() -> None:
    reopening = Reopening(note="terminated", by="amel@shop", accepted_at=BEGAN, account=ACCOUNT)
    story = Story(new_order(reopening=reopening))
    assert story.after(899).why_not_resolve("NOT_CREATED") is not None
    assert story.after(1).why_not_resolve("NOT_CREATED") is None


def test_a_person_may_settle_a_duplicate_that_nobody_can_find() -> None:
    story = sending().sees(DUPLICATE).looks_up(*[MISSED] * 5).after(900).resolved("NOT_CREATED")
    assert story.looks_up(MISSED).order.error_code == "NEVER_CREATED"


def test_an_order_that_was_taken_may_be_declared_refunded_at_once() -> None:
    assert sending().sees(ACCEPTED).why_not_resolve("REFUNDED") is None


def test_a_word_is_not_taken_while_our_own_rate_limit_keeps_the_look_back() -> None:
    story = unknown().resolved("REFUNDED").checks(NoAnswer(why="…", asked=False))
    assert (story.phase, story.due_in) == (Phase.UNKNOWN_ERROR, 5)
    assert story.checks(found("FULFILLED")).phase is Phase.FULFILLED
