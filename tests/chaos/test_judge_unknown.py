"""The judge on UNKNOWN_ERROR: rechecks at first-seen + k x W, never in between, whatever was killed."""

from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import Run

WAIT = 200.0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, unknown_recheck_seconds=WAIT, recheck_again_seconds=300).delivered("order-0")


def test_rechecks_on_their_dates_are_clean(run: Run) -> None:
    verdict = run.unknown("order-1", 210.1, 411, 610.2, 869, 1_010).verdict()
    assert verdict.clean, verdict.violations


def test_a_check_between_the_dates_is_caught(run: Run) -> None:
    verdict = run.unknown("order-1", 16, 210.1, 411, 610.2, 811).verdict()
    assert [each.sentence for each in verdict.violations] == [
        "order-1 was asked 6.0 s after it became UNKNOWN_ERROR, not at k x 200 s"
    ]


def test_a_second_check_on_the_same_date_is_caught(run: Run) -> None:
    assert run.unknown("order-1", 210.1, 220, 411, 610.2, 811).broken() == {"unknown_recheck"}


def test_a_recheck_whose_answer_a_kill_ate_is_repeated(run: Run) -> None:
    run.kill(210.5, "worker-1", back_at=212)
    assert run.unknown("order-1", 210.1, 222, 411, 610.2, 811).verdict().clean


def test_a_check_a_moment_too_early_is_caught(run: Run) -> None:
    assert run.unknown("order-1", 209.8, 411, 610.2, 811).broken() == {"unknown_recheck"}


def test_a_recheck_that_does_not_come_is_caught(run: Run) -> None:
    verdict = run.unknown("order-1", 210.1, 610.2, 811).verdict()
    assert [each.invariant for each in verdict.violations] == ["unknown_recheck"]
    assert "its recheck 2, due at" in verdict.violations[0].sentence


def test_a_recheck_more_than_a_minute_late_is_caught(run: Run) -> None:
    assert run.unknown("order-1", 210.1, 490, 610.2, 811).broken() == {"unknown_recheck"}


def test_a_day_that_lasts_longer_than_the_run_has_no_rechecks(tmp_path: Path) -> None:
    assert Run(tmp_path).unknown("order-1").verdict().clean
    assert Run(tmp_path).unknown("order-1", 600).broken() == {"unknown_recheck"}


def test_a_person_may_ask_in_between(run: Run) -> None:
    run.unknown("order-1", 100, 210.1, 411, 610.2, 811).act(99, "recheck", "order-1")
    assert run.verdict().clean


def test_a_restart_moves_no_date(run: Run) -> None:
    run.kill(10.5, "worker-1", back_at=20).kill(300, "temporal", back_at=301)
    assert run.unknown("order-1", 210.1, 411, 610.2, 811).verdict().clean


def test_an_answer_that_a_kill_ate_is_asked_for_again_and_sets_the_date(run: Run) -> None:
    run.kill(10.5, "worker-1", back_at=15)
    verdict = run.unknown("order-1", 26, 226.5, 427, 627, 827).verdict()
    assert verdict.clean, verdict.violations


def test_a_kill_excuses_only_that_it_is_asked_again_soon(run: Run) -> None:
    run.kill(10.5, "worker-1", back_at=15)
    assert run.unknown("order-1", 80, 210.1, 411, 610.2, 811).broken() == {"unknown_recheck"}


def test_a_recheck_while_nobody_was_there_may_come_when_somebody_is_back(run: Run) -> None:
    run.kill(150, "worker-1", back_at=290)
    assert run.unknown("order-1", 300, 411, 610.2, 811).verdict().clean


def test_a_recheck_while_one_of_two_workers_was_there_must_come(run: Run) -> None:
    run.process(100, "ready", "worker-2").kill(150, "worker-1", back_at=320)
    assert run.unknown("order-1", 330, 411, 610.2, 811).broken() == {"unknown_recheck"}


def test_a_recheck_that_met_a_dead_provider_is_repeated_later(run: Run) -> None:
    run.kill(205, "provider", back_at=230)
    assert run.unknown("order-1", 511, 611, 811).verdict().clean


def test_a_recheck_that_nobody_answered_is_repeated_later(run: Run) -> None:
    run.unknown("order-1", 610.2, 811).check(210.2, "order-1", None).check(511, "order-1", "UNKNOWN_ERROR")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_recheck_that_a_stranger_took_is_repeated_later(run: Run) -> None:
    run.process(200, "ready", "stranger-4").process(215, "kill", "stranger-4")
    assert run.unknown("order-1", 510, 610.2, 811).verdict().clean


def test_when_the_provider_says_something_else_the_dates_are_over(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(10, "order-1", "UNKNOWN_ERROR").check(211, "order-1", "HANDLING")
    run.check(218, "order-1", "HANDLING").check(226, "order-1", "FULFILLED").deliver(225, "order-1")
    assert run.end("order-1", "FULFILLED", 226).verdict().clean


def test_a_second_sleep_has_dates_of_its_own(run: Run) -> None:
    run.unknown("order-1", 240, 441, 641, 841).check(211, "order-1", "HANDLING")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_after_a_persons_word_nothing_is_due(run: Run) -> None:
    run.unknown("order-1").drop("ends", ref="order-1").act(100, "resolve", "order-1").check(99.5, "order-1", "HANDLING")
    run.end("order-1", "FULFILLED", 100, resolved_by="ops")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_skipped_day_brings_the_recheck_at_once(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(10, "order-1", "UNKNOWN_ERROR").act(60, "skip", "order-1")
    run.deliver(50, "order-1").check(61, "order-1", "FULFILLED").end("order-1", "FULFILLED", 86_461)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_check_before_the_day_was_skipped_is_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(10, "order-1", "UNKNOWN_ERROR").act(60, "skip", "order-1")
    run.check(30, "order-1", "UNKNOWN_ERROR").check(61, "order-1", "UNKNOWN_ERROR")
    assert run.end("order-1", "UNKNOWN_ERROR", next_check_at=9_999).broken() == {"unknown_recheck"}


def test_a_skipped_day_without_a_recheck_is_caught(run: Run) -> None:
    run.unknown("order-1").act(60, "skip", "order-1")
    assert run.broken() == {"unknown_recheck"}
