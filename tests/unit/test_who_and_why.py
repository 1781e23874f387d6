"""Every act of a person stands in the order's timeline, with who and why."""

import pytest

from tests.unit.story import ACCOUNT, BEGAN, Story, found, held, in_doubt, new_order, pending, unknown
from topups import people
from topups.models import Phase, Reopening, TimelineEvent

WHO = "amel@shop"


def last(story: Story) -> TimelineEvent:
    return story.order.timeline[-1]


@pytest.mark.parametrize("story", [held(), in_doubt(), pending(), unknown()])
def test_a_recheck_is_kept_with_who_asked_for_it(story: Story) -> None:
    asked = last(Story(story.order, story.now).rechecked())
    assert (asked.note, asked.by, asked.phase, asked.at) == ("Recheck asked for", WHO, story.phase, story.now)


def test_a_cancel_is_kept_with_who_and_why() -> None:
    cancelled = last(Story(held().order, BEGAN).cancelled())
    assert (cancelled.note, cancelled.by) == ("Cancelled: changed my mind", WHO)


def test_a_resolve_is_kept_when_it_is_asked_for_and_when_it_is_taken() -> None:
    story = unknown().resolved("REFUNDED")
    assert (last(story).note, last(story).by) == ("Asked to resolve as REFUNDED: the operator says so", WHO)
    story.checks(found("UNKNOWN_ERROR"))
    assert (last(story).note, last(story).by) == ("Resolved as REFUNDED: the operator says so", WHO)


def test_a_resolve_that_the_provider_overruled_is_kept_too() -> None:
    story = unknown().resolved("REFUNDED").checks(found("FULFILLED"))
    asked, ended = story.order.timeline[-2:]
    assert (asked.by, asked.note) == (WHO, "Asked to resolve as REFUNDED: the operator says so")
    assert (ended.by, ended.phase) == (None, Phase.FULFILLED)


def test_a_reopening_is_kept_with_who_and_why() -> None:
    reopening = Reopening(note="terminated by mistake", by=WHO, accepted_at=BEGAN, account=ACCOUNT)
    reopened = new_order(reopening=reopening).timeline[-1]
    assert (reopened.note, reopened.by) == ("Reopened: terminated by mistake", WHO)


def test_a_cancel_request_of_temporal_is_kept_whether_it_was_taken_or_not() -> None:
    taken = people.cancel_from_temporal(held().order, BEGAN).timeline[-1]
    assert (taken.note, taken.by) == ("Cancelled: a cancel request in Temporal", "temporal")
    ignored = people.cancel_from_temporal(pending().order, BEGAN).timeline[-1]
    assert ignored.by == "temporal"
    assert ignored.note.startswith("A cancel request in Temporal was ignored: the order is PENDING")
