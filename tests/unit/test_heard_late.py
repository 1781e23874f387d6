"""An answer that an order hears long after it came: its worker died, or had no time for it."""

from datetime import timedelta

import pytest

from tests.unit.story import found, new_order, pending
from topups.lifecycle import Wait
from topups.policy import RELEASE


def test_the_wait_for_the_next_check_begins_with_the_answer_however_late_the_order_hears_it() -> None:
    """A worker that died in between costs its own time alone."""
    for heard_after, due_in in ((0.0, 5.0), (3.0, 2.0), (20.0, 0.0)):
        story = pending()
        story.begins()
        answered = found("HANDLING").model_copy(update={"ended_at": story.now})
        assert story.sees(answered, took=heard_after).due_in == pytest.approx(due_in)


def test_an_order_that_hears_when_its_next_check_is_due_asks_without_a_timer() -> None:
    """On a machine that is full each further task waits its turn, seconds long."""
    story = pending()
    story.begins()
    story.sees(found("HANDLING").model_copy(update={"ended_at": story.now}), took=600)
    assert story.step() == "check"


def test_an_order_of_release_3_that_hears_late_sets_a_timer_as_it_always_did() -> None:
    story = pending(new_order().but(release=3))
    story.begins()
    story.sees(found("HANDLING").model_copy(update={"ended_at": story.now}), took=600)
    assert story.due_in == pytest.approx(0.001)
    assert isinstance(story.step(), Wait)


@pytest.mark.parametrize(("ahead", "due_in"), [(3600.0, 5.0), (-3600.0, 2.0)], ids=["ahead", "behind"])
def test_a_workers_wrong_clock_moves_the_next_check_no_further_than_the_check_took(ahead: float, due_in: float) -> None:
    story = pending()
    story.begins()
    answered = found("HANDLING").model_copy(update={"ended_at": story.now + timedelta(seconds=ahead)})
    assert story.sees(answered, took=3).due_in == pytest.approx(due_in)


def test_an_order_that_began_earlier_waits_from_when_it_heard_as_it_always_did() -> None:
    story = pending(new_order().but(release=2))
    story.begins()
    answered = found("HANDLING").model_copy(update={"ended_at": story.now})
    assert story.sees(answered, took=3).due_in == pytest.approx(5)


@pytest.mark.parametrize(("release", "due_in"), [(2, 5.0), (3, 0.001), (RELEASE, 0.0)])
def test_after_a_word_during_a_check_whose_answer_is_heard_late_the_look_is_due_as_soon_as_the_release_allows(
    release: int, due_in: float
) -> None:
    story = pending(new_order().but(release=release))
    assert story.begins() == "check"
    answered = found("HANDLING").model_copy(update={"ended_at": story.now})
    story.resolved("REFUNDED").sees(answered, took=600)
    assert story.due_in == pytest.approx(due_in)
