"""Holds: an order that certainly does not exist waits, until its reason passes or its time is over."""

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
    Story,
    found,
    held,
    new_order,
    sending,
)
from topups.models import HoldReason, Phase
from topups.observations import Held, Observation, OtherAccount
from topups.policy import Policy


@pytest.mark.parametrize("reason", HoldReason)
def test_every_hold_shows_its_reason_and_names_why(reason: HoldReason) -> None:
    story = sending().sees(Held(reason=reason, why="because"))
    view = story.order.view()
    assert (view.phase, view.hold_reason, view.error_message) == (Phase.ON_HOLD, reason, "because")
    assert "because" in view.timeline[-1].note


def test_holds_double_from_30_to_300_seconds() -> None:
    story = held(new_order(deliver_within=86_400))
    first = story.due_in
    later = [story.does("prepare", PREPARED).does("send", NO_MONEY).due_in for _ in range(5)]
    assert [first, *later] == [30, 60, 120, 240, 300, 300]


def test_a_hold_waits_as_long_as_the_provider_asks_up_to_300_seconds() -> None:
    assert sending().sees(Held(reason=HoldReason.RATE_LIMIT, why="too many", retry_after=90)).due_in == 90
    assert sending().sees(Held(reason=HoldReason.RATE_LIMIT, why="too many", retry_after=900)).due_in == 300


def test_a_refused_keys_own_wait_does_not_hold_up_a_new_key() -> None:
    assert sending().sees(Held(reason=HoldReason.CREDENTIALS, why="refused", retry_after=900)).due_in == 30


def test_no_hold_waits_longer_than_deliver_by() -> None:
    story = sending(new_order(deliver_within=60))
    assert story.sees(Held(reason=HoldReason.RATE_LIMIT, why="too many", retry_after=90)).due_in == 60


def test_the_same_hold_again_is_not_noted_again_but_another_reason_is() -> None:
    story = held().does("prepare", PREPARED).does("send", NO_MONEY)
    events = len(story.order.timeline)
    story.does("prepare", NOT_LEFT)
    assert len(story.order.timeline) == events + 1
    assert story.order.hold_reason is HoldReason.UNREACHABLE


def test_an_order_that_is_tried_again_is_not_on_hold_while_its_send_is_open() -> None:
    story = held().does("prepare", PREPARED)
    assert story.order.phase == "ON_HOLD"
    assert story.begins() == "send"
    assert Story(story.order).phase is Phase.ACCEPTED
    assert story.sees(NO_MONEY).phase is Phase.ON_HOLD


def test_an_order_found_while_it_was_on_hold_is_on_hold_no_more() -> None:
    story = held().resolved("NOT_CREATED").looks_up(found("PENDING"))
    assert (story.phase, story.order.hold_reason) == (Phase.PENDING, None)


def test_a_recheck_tries_the_holds_reason_now() -> None:
    story = held().after(6).rechecked()
    assert story.due_in == 0
    assert story.begins() == "prepare"


def test_a_recheck_of_an_order_not_yet_sent_changes_nothing() -> None:
    story = Story()
    assert story.rechecked().order == new_order()


def test_a_hold_that_passed_is_no_longer_shown() -> None:
    story = held().does("prepare", PREPARED).does("send", ACCEPTED)
    assert (story.phase, story.order.hold_reason, story.order.error_message) == (Phase.PENDING, None, None)


@pytest.mark.parametrize("doubt", [IN_DOUBT, DUPLICATE])
def test_a_hold_ends_for_good_when_something_may_exist(doubt: Observation) -> None:
    story = held().does("prepare", PREPARED).does("send", doubt)
    assert (story.phase, story.order.hold_reason) == (Phase.CONFIRMING, None)
    assert story.looks_up(NO_ANSWER, MISSED).phase is Phase.CONFIRMING


def test_preparing_that_nobody_answered_is_a_hold_for_an_unreachable_provider() -> None:
    story = Story().does("prepare", NO_ANSWER)
    assert (story.phase, story.order.hold_reason) == (Phase.ON_HOLD, HoldReason.UNREACHABLE)


def test_preparing_that_died_with_its_worker_is_done_again_at_once() -> None:
    story = Story().does("prepare", LOST)
    assert (story.phase, story.due_in) == (Phase.ACCEPTED, 0)
    assert story.begins() == "prepare"


def test_preparing_by_a_worker_of_another_account_waits_for_another_worker() -> None:
    story = Story().does("prepare", OtherAccount(why="a production worker took it"))
    assert (story.phase, story.due_in) == (Phase.ACCEPTED, 5)
    assert story.order.view().needs_review


def test_an_order_that_was_held_often_may_be_sent_again_after_a_doubt() -> None:
    story = held(new_order(deliver_within=86_400))
    for _ in range(7):
        story.does("prepare", PREPARED).does("send", NO_MONEY)
    story.does("prepare", PREPARED).does("send", IN_DOUBT).looks_up(*[MISSED] * 4)
    assert story.does("send", ACCEPTED).checks(found("FULFILLED")).phase is Phase.FULFILLED


def test_the_waits_of_a_hold_are_the_policys() -> None:
    story = held(new_order(Policy(hold_min=7, hold_max=9)))
    assert story.due_in == 7
    assert story.does("prepare", NOT_LEFT).due_in == 9
