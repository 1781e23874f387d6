"""The judge where orders share pages of the list: a page names many, and nobody who listened."""

from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import Run

WAIT = 200.0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, unknown_recheck_seconds=WAIT, recheck_again_seconds=300).delivered("order-0")


def shared(run: Run, *refs: str, until: float = 12) -> Run:
    """Orders that are in flight together, and a page that shows them."""
    for ref in refs:
        run.order(ref).send(1, ref)
    return run.page(until, *((ref, "HANDLING") for ref in refs))


def test_orders_that_heard_their_end_from_a_page_are_clean(run: Run) -> None:
    shared(run, "a", "b").deliver(15, "a").refund(16, "b")
    run.page(20, ("a", "FULFILLED"), ("b", "REFUNDED")).end("a", "FULFILLED", 20.1).end("b", "REFUNDED", 20.1)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert (verdict.pages, verdict.checks) == (2, 2)


def test_an_end_that_only_a_lie_has_told_is_caught(run: Run) -> None:
    shared(run, "a").page(20, ("a", "REFUNDED"), lie="duplicate_rows").end("a", "REFUNDED", 20.1)
    assert {"true_phase"} <= run.broken()


def test_the_end_that_a_page_showed_first_or_the_one_that_was_heard_is_right(run: Run) -> None:
    shared(run, "a").deliver(15, "a").page(16, ("a", "FULFILLED")).act(17, "drive", "a", status="REFUNDED")
    run.refund(17, "a").check(21, "a", "REFUNDED").end("a", "REFUNDED", 21.1)
    assert run.verdict().clean
    assert run.drop("ends", ref="a").end("a", "FULFILLED", 16.1).verdict().clean


def test_an_end_that_a_page_showed_after_another_was_heard_is_caught(run: Run) -> None:
    shared(run, "a").deliver(15, "a").check(16, "a", "FULFILLED").act(40, "drive", "a", status="REFUNDED")
    run.refund(40, "a").page(41, ("a", "REFUNDED")).end("a", "REFUNDED", 41.1)
    assert run.broken() == {"true_phase"}


def test_a_page_may_show_an_order_that_has_ended_because_of_others(run: Run) -> None:
    shared(run, "a").page(40, ("order-0", "FULFILLED"), ("a", "HANDLING")).deliver(45, "a")
    run.page(50, ("order-0", "FULFILLED"), ("a", "FULFILLED")).end("a", "FULFILLED", 50.1)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_check_long_after_an_end_that_a_page_told_is_caught(run: Run) -> None:
    shared(run, "a").deliver(15, "a").page(16, ("a", "FULFILLED")).end("a", "FULFILLED", 16.1)
    assert run.verdict().clean
    verdict = run.check(32, "a", "FULFILLED").verdict()
    assert [each.sentence for each in verdict.violations] == ["a met a check-id 15.9 s after its end as FULFILLED"]


def test_a_check_that_a_thawed_worker_still_makes_is_none_of_the_order(run: Run) -> None:
    run.process(13, "freeze", "sleeper").process(60, "thaw", "sleeper")
    shared(run, "a").deliver(15, "a").page(16, ("a", "FULFILLED")).end("a", "FULFILLED", 16.1)
    assert run.check(61, "a", "FULFILLED").verdict().clean


def test_a_page_when_nothing_is_open_any_more_is_caught(run: Run) -> None:
    run.page(26, ("order-0", "FULFILLED"))
    assert run.verdict().clean
    verdict = run.page(33, ("order-0", "FULFILLED")).verdict()
    assert [each.sentence for each in verdict.violations] == [
        "the list was asked for 1 times in 5 s, with 0 orders open"
    ]


def test_more_pages_in_five_seconds_than_open_orders_are_caught(run: Run) -> None:
    shared(run, "a", "b", until=30).page(31).end("a", "CONFIRMING").end("b", "CONFIRMING").act(40, "resolve", "a")
    assert "needless_page" not in run.broken()
    assert "needless_page" in run.page(32).broken()


def test_the_further_pages_of_one_question_count_with_the_first(run: Run) -> None:
    shared(run, "a", until=30).page(30.1, number=2).page(30.2, number=3).deliver(31, "a")
    assert run.page(36, ("a", "FULFILLED")).end("a", "FULFILLED", 36.1).verdict().clean


def test_after_a_kill_a_page_may_come_at_once(run: Run) -> None:
    shared(run, "a", until=30).kill(31, "worker-1", back_at=32).page(33, ("a", "FULFILLED")).deliver(32, "a")
    assert run.end("a", "FULFILLED", 33.1).verdict().clean


def test_unknown_orders_may_be_asked_about_by_pages(run: Run) -> None:
    run.order("a").send(1, "a").page(10, ("a", "UNKNOWN_ERROR"))
    for at in (210.1, 411, 610.2, 811):
        run.page(at, ("a", "UNKNOWN_ERROR"))
    verdict = run.end("a", "UNKNOWN_ERROR", next_check_at=5_000).verdict()
    assert verdict.clean, verdict.violations


def test_a_page_in_between_was_for_others_and_a_check_of_its_own_is_caught(run: Run) -> None:
    run.unknown("a", 210.1, 411, 610.2, 811).page(100, ("a", "UNKNOWN_ERROR"))
    assert run.verdict().clean
    assert run.check(150, "a", "UNKNOWN_ERROR").broken() == {"unknown_recheck"}


def test_a_recheck_that_neither_a_check_nor_a_page_made_is_caught(run: Run) -> None:
    run.order("a").send(1, "a").page(10, ("a", "UNKNOWN_ERROR")).page(210, ("a", "UNKNOWN_ERROR"))
    run.page(611, ("a", "UNKNOWN_ERROR")).page(811, ("a", "UNKNOWN_ERROR"))
    verdict = run.end("a", "UNKNOWN_ERROR", next_check_at=5_000).verdict()
    assert [each.invariant for each in verdict.violations] == ["unknown_recheck"]
    assert "its recheck 2, due at" in verdict.violations[0].sentence


def test_the_first_check_that_heard_it_sets_the_date_and_no_page_for_others(run: Run) -> None:
    run.order("a").send(1, "a").page(10, ("a", "UNKNOWN_ERROR")).check(18, "a", "UNKNOWN_ERROR")
    for at in (218.1, 419, 619, 818.2):
        run.check(at, "a", "UNKNOWN_ERROR")
    verdict = run.end("a", "UNKNOWN_ERROR", next_check_at=5_000).verdict()
    assert verdict.clean, verdict.violations


def test_an_order_that_a_page_woke_may_be_polled_again(run: Run) -> None:
    run.order("a").send(1, "a").page(10, ("a", "UNKNOWN_ERROR")).page(210.1, ("a", "HANDLING"))
    run.check(216, "a", "HANDLING").check(223, "a", "FULFILLED").deliver(222, "a").end("a", "FULFILLED", 223.1)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_stale_page_begins_no_new_sleep(run: Run) -> None:
    run.order("a").send(1, "a").check(10, "a", "UNKNOWN_ERROR").check(210.1, "a", "HANDLING")
    run.page(212, ("a", "UNKNOWN_ERROR"), lie="stale_page")
    run.check(216, "a", "HANDLING").check(223, "a", "HANDLING").check(230, "a", "FULFILLED").deliver(229, "a")
    verdict = run.end("a", "FULFILLED", 230.1).verdict()
    assert verdict.clean, verdict.violations


def test_somebody_elses_record_under_our_ref_is_not_ours_on_a_page_either(run: Run) -> None:
    run.order("a").act(0.8, "foreign", "a").send(1, "a", phone="0770000001").send(3, "a", creates=False, http=None)
    run.deliver(5, "a", phone="0770000001").page(9, ("a", "FULFILLED")).end("a", "FULFILLED", 9.1)
    assert "true_phase" in run.broken()
