"""The judge on ends: nothing is lost, nothing late, nothing stale, and the evidence is whole."""

import json
from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import Run
from tests.chaos.judge import Window, judge, windows


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path).delivered("order-0")


def test_an_order_without_an_end_is_lost(run: Run) -> None:
    verdict = run.order("order-1").send(1, "order-1").verdict()
    assert [each.sentence for each in verdict.violations] == [
        "order-1 was lost: it was acknowledged, but in the end nobody can say what became of it"
    ]
    assert (verdict.lost, verdict.clean) == (1, False)


@pytest.mark.parametrize("phase", ["ACCEPTED", "ON_HOLD", "CONFIRMING", "PENDING", "HANDLING"])
def test_an_order_that_is_still_open_in_the_end_is_lost(run: Run, phase: str) -> None:
    run.order("order-1").end("order-1", phase, next_check_at=2_000)
    assert run.broken() == {"settled"}
    assert run.verdict().lost == 1


def test_an_unknown_order_with_a_date_for_its_recheck_is_settled(run: Run) -> None:
    verdict = run.unknown("order-1").verdict()
    assert verdict.clean, verdict.violations
    assert verdict.on_recheck == 1


def test_an_unknown_order_without_a_date_is_lost(run: Run) -> None:
    assert run.unknown("order-1", next_check_at=None).broken() == {"settled"}


def test_an_order_whose_ref_somebody_elses_record_holds_may_wait_for_a_person(run: Run) -> None:
    run.order("order-1").act(0.8, "foreign", "order-1").send(1, "order-1", phone="0770000001")
    verdict = run.end("order-1", "CONFIRMING", next_check_at=5_000).verdict()
    assert verdict.clean, verdict.violations
    assert verdict.on_recheck == 1


def test_it_is_lost_when_nobody_looks_it_up_any_more(run: Run) -> None:
    run.order("order-1").act(0.8, "foreign", "order-1").send(1, "order-1", phone="0770000001")
    assert run.end("order-1", "CONFIRMING").broken() == {"settled"}


def test_an_order_that_ends_long_after_the_faults_is_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").deliver(10, "order-1").check(519, "order-1", "FULFILLED")
    assert run.end("order-1", "FULFILLED", 519).verdict().clean
    run.drop("ends", ref="order-1").end("order-1", "FULFILLED", 521)
    assert run.broken() == {"settled"}


def test_an_order_that_support_moved_late_has_its_time_from_then(run: Run) -> None:
    run.order("order-1").send(1, "order-1").deliver(500, "order-1").act(500, "drive", "order-1", status="FULFILLED")
    run.check(610, "order-1", "FULFILLED").end("order-1", "FULFILLED", 610)
    assert run.verdict().clean


def test_an_order_that_waited_for_its_recheck_is_not_late(tmp_path: Path) -> None:
    run = Run(tmp_path, unknown_recheck_seconds=600).order("order-1").send(1, "order-1")
    run.check(10, "order-1", "UNKNOWN_ERROR").deliver(500, "order-1").check(612, "order-1", "FULFILLED")
    assert run.end("order-1", "FULFILLED", 612).verdict().clean


def test_a_stale_view_in_the_end_is_caught(run: Run) -> None:
    run.drop("ends").end("order-0", "FULFILLED", 12, stale=True)
    assert run.broken() == {"fresh_view"}


def test_a_final_order_that_says_it_is_not_final_is_caught(run: Run) -> None:
    assert run.drop("ends").end("order-0", "FULFILLED", 12, final=False).broken() == {"settled"}


def test_an_order_that_was_handed_over_and_never_acknowledged_is_caught(run: Run) -> None:
    assert run.order("order-1", accepted=False).broken() == {"accepted"}


def test_submitting_again_after_a_kill_is_clean_and_so_is_a_conflict_that_was_noticed(run: Run) -> None:
    run.order("order-0", at=5, phone=run.body("order-0")["phone"])
    run.order("order-0", at=6, phone="0799999999", accepted=False).conflict(6, "order-0")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert (verdict.accepted, verdict.conflicts) == (1, 1)


def test_two_orders_acknowledged_under_one_ref_are_caught(run: Run) -> None:
    run.order("order-0", at=6, phone="0799999999")
    assert "conflict" in run.broken()


def test_a_run_that_was_broken_off_is_never_clean(run: Run, tmp_path: Path) -> None:
    assert run.verdict().clean
    diary = tmp_path / "diary.jsonl"
    diary.write_text(diary.read_text().rpartition('{"at"')[0])
    assert [each.invariant for each in judge(tmp_path, run.rules).violations] == ["evidence"]


def test_a_ledger_with_a_gap_is_never_clean(run: Run, tmp_path: Path) -> None:
    run.verdict()
    ledger = tmp_path / "ledger.jsonl"
    rows = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(rows[:1] + rows[2:]))
    assert "evidence" in {each.invariant for each in judge(tmp_path, run.rules).violations}


def test_a_run_is_judged_by_the_rules_in_its_own_diary(tmp_path: Path) -> None:
    run = Run(tmp_path, settle_seconds=900).order("order-1").send(1, "order-1").deliver(10, "order-1")
    run.check(900, "order-1", "FULFILLED").end("order-1", "FULFILLED", 900).verdict()
    assert judge(tmp_path).clean


def test_an_empty_folder_is_never_clean(tmp_path: Path) -> None:
    assert not judge(tmp_path).clean


def test_a_torn_last_line_is_left_out(run: Run, tmp_path: Path) -> None:
    run.verdict()
    with (tmp_path / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"seq": 99, "at": "20')
    assert judge(tmp_path, run.rules).clean


def test_the_verdict_is_json_with_a_sentence_for_each_violation(run: Run) -> None:
    read = json.loads(json.dumps(run.order("order-1").verdict().as_json()))
    assert (read["clean"], read["accepted"], read["delivered"]) == (False, 2, 1)
    assert read["violations"][0].keys() == {"invariant", "sentence", "ref", "key", "at"}


def test_windows_count_faults_and_the_orders_that_were_really_in_them(run: Run, tmp_path: Path) -> None:
    run.fault(1, "F10", "hour-ahead", "a").fault(2, "F4", "send", "a", "b", endpoint="send")
    run.fault(3, "F4", "send", "c", endpoint="send").verdict()
    assert windows(tmp_path) == [Window("F4", "send", "send", 2, 3), Window("F10", "hour-ahead", None, 1, 1)]
