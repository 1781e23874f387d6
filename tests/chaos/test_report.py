"""A run is a proof only where enough was done to enough orders."""

from pathlib import Path

import pytest

from tests.chaos.ground import NO_PAGES
from tests.chaos.invariants.made_up import Run
from tests.chaos.report import Met, added_up, bound, report_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path).delivered("order-1")


def test_a_run_whose_faults_all_met_an_order_counts(run: Run, tmp_path: Path) -> None:
    run.round(2, "F1", "committed").fault(3, "F1", "committed", "order-1").verdict()
    assert report_of(tmp_path).clean


def test_a_fault_that_met_no_order_proves_nothing(run: Run, tmp_path: Path) -> None:
    run.round(2, "F1", "committed").fault(3, "F1", "committed").verdict()
    report = report_of(tmp_path)
    assert not report.clean
    assert report.missing[0].startswith("F1 committed: 0 rounds met 0 orders; less than 1 ")


def test_a_round_that_was_never_injected_proves_nothing(run: Run, tmp_path: Path) -> None:
    run.round(2, "F12", "deploys").fault(3, "F12", "patched", "order-1").verdict()
    assert [each.split(":")[0] for each in report_of(tmp_path).missing] == ["F12 bad-deploy"]


def test_what_this_machine_can_not_do_is_skipped_with_its_reason(run: Run, tmp_path: Path) -> None:
    run.round(2, "F10", "hour-ahead").skipped(2, "F10", "hour-ahead", "libfaketime is not installed").verdict()
    report = report_of(tmp_path)
    assert (report.clean, report.skipped) == (True, ["F10 hour-ahead: libfaketime is not installed"])


def test_five_rounds_of_six_must_meet_an_order() -> None:
    assert [Met(planned).needed for planned in (0, 1, 6, 12, 60)] == [0, 1, 5, 10, 50]
    assert Met(60, 50, 200).counts
    assert not Met(60, 49, 200).counts


def test_runs_add_up(run: Run, tmp_path: Path) -> None:
    run.round(2, "F1", "polls").fault(3, "F1", "polls", "order-1").kill(3, "worker-1", back_at=4).verdict()
    both = added_up([report_of(tmp_path), report_of(tmp_path)])
    assert both.windows["F1", "polls"] == Met(2, 2, 2)
    assert (both.counts["accepted"], both.counts["delivered"], both.blows["kill worker"]) == (2, 2, 2)


def test_a_zero_is_given_with_its_bound() -> None:
    assert bound(3_000) == "< 0.001 of all, at 95 %"


def test_a_page_that_never_lied_to_anybody_proves_nothing_and_is_named(run: Run, tmp_path: Path) -> None:
    run.round(2, "F17", "stale").fault(3, "F17", "stale", endpoint="list").verdict()
    report = report_of(tmp_path)
    assert not report.clean
    assert report.missing == ["F17 stale: 0 rounds met 0 orders; less than 1 is no proof"]


def test_without_shared_pages_their_faults_are_skipped_with_the_reason(run: Run, tmp_path: Path) -> None:
    run.round(2, "F17", "stale").skipped(2, "F17", "stale", NO_PAGES).verdict()
    report = report_of(tmp_path)
    assert (report.clean, report.skipped) == (True, [f"F17 stale: {NO_PAGES}"])


def test_a_report_says_how_checks_were_made_and_how_many_shared_pages(run: Run, tmp_path: Path) -> None:
    run.round(2, "F1", "polls").fault(3, "F1", "polls", "order-1").page(3, ("order-1", "PENDING")).verdict()
    report = report_of(tmp_path)
    assert (report.counts["checks"], report.counts["pages"]) == (2, 1)
    assert report.modes == {"checks one by one"}
