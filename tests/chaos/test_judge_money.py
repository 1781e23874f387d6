"""The judge on money: one delivery, one ref, the truth, the wallet. Each promise is kept once and broken once."""

from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_delivered_order_is_clean(run: Run) -> None:
    verdict = run.delivered("order-1").verdict()
    assert verdict.clean, verdict.violations
    assert (verdict.accepted, verdict.delivered, verdict.sends, verdict.commits, verdict.resends) == (1, 1, 1, 1, 0)


def test_a_good_run_with_kills_is_clean(run: Run) -> None:
    for number in range(20):
        run.delivered(f"order-{number}", at=number)
    run.kill(9, "worker-1", back_at=12).kill(20, "temporal", back_at=21)
    # The send's answer met the kill, so it is looked up and found.
    run.order("lost-answer").send(8.9, "lost-answer", http=None).look_up(14, "lost-answer", "FULFILLED")
    run.deliver(12, "lost-answer").end("lost-answer", "FULFILLED", 14.2)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert verdict.delivered == 21


def test_two_deliveries_of_one_order_are_caught(run: Run) -> None:
    run.delivered("order-1").send(30, "order-1", topup_id="second").deliver(40, "order-1", topup_id="second")
    verdict = run.verdict()
    sentences = [each.sentence for each in verdict.violations]
    assert any(sentence.startswith("order-1 was delivered twice: ") for sentence in sentences)
    assert (verdict.twice, verdict.clean) == (1, False)


def test_two_orders_at_the_provider_for_one_of_ours_are_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").send(100, "order-1").deliver(110, "order-1")
    run.check(112, "order-1", "FULFILLED").end("order-1", "FULFILLED", 113)
    assert "one_delivery" in run.broken()


def test_one_order_in_two_accounts_is_caught(run: Run) -> None:
    run.delivered("order-1").send(30, "order-1", environment="PRODUCTION")
    assert "one_delivery" in run.broken()


def test_a_ref_that_is_taken_again_after_a_refund_is_reported(tmp_path: Path) -> None:
    run = Run(tmp_path, reuse_after_refund=True).order("order-1").send(1, "order-1", topup_id="a")
    run.refund(10, "order-1", topup_id="a").check(12, "order-1", "REFUNDED").act(30, "delete", "order-1")
    run.act(31, "resubmit", "order-1").send(32, "order-1", topup_id="b").deliver(44, "order-1", topup_id="b")
    run.check(46, "order-1", "FULFILLED").end("order-1", "FULFILLED", 46.1)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert verdict.reused == 1


def test_a_ref_is_taken_again_only_in_the_window_that_allows_it(run: Run) -> None:
    run.order("order-1").send(1, "order-1", topup_id="a").refund(10, "order-1", topup_id="a")
    run.check(12, "order-1", "REFUNDED").act(30, "delete", "order-1").act(31, "resubmit", "order-1")
    run.send(32, "order-1", topup_id="b").refund(44, "order-1", topup_id="b").check(46, "order-1", "REFUNDED")
    assert run.end("order-1", "REFUNDED", 46.1).broken() == {"one_delivery"}
    assert run.fault(45, "F14", "forgotten-and-reused", "order-1").verdict().clean


def test_a_resend_under_a_new_ref_is_caught(run: Run) -> None:
    run.delivered("order-1")
    body = run.body("order-1")
    same = {"phone": body["phone"], "plan_code": body["plan_code"], "amount": body["amount"]}
    run.send(60, "order-1-again", **same).deliver(70, "order-1-again", **same)
    assert run.broken() == {"one_ref", "one_delivery"}


def test_a_post_whose_body_was_cut_off_by_a_kill_names_no_ref_and_is_nobody_s(run: Run) -> None:
    run.delivered("order-1").kill(50.01, "worker-1", 52).cut_off(50)
    assert "one_ref" not in run.broken()


def test_a_send_without_a_ref_is_caught_by_the_number_that_it_has(run: Run) -> None:
    run.delivered("order-1").send(50, None, creates=False, http=None, phone="0770000001")
    assert "one_ref" in run.broken()


def test_somebody_elses_record_under_our_ref_may_reject_the_order(run: Run) -> None:
    run.order("order-1").act(1, "foreign", "order-1").send(1.1, "order-1", phone="0770000001")
    run.send(3, "order-1", creates=False, http=403, code="DUPLICATED_REF")
    run.look_up(8.1, "order-1").deliver(12, "order-1", phone="0770000001")
    run.end("order-1", "REJECTED", 9, error_code="REF_TAKEN")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert (verdict.rejected, verdict.foreign) == (1, 1)


def test_another_number_under_our_ref_that_nobody_else_sent_is_caught(run: Run) -> None:
    run.delivered("order-1").send(3, "order-1", phone="0770000001")
    assert {"one_ref", "one_delivery"} <= run.broken()


def test_believing_somebody_elses_record_is_caught(run: Run) -> None:
    run.order("order-1").act(1, "foreign", "order-1").send(1.1, "order-1", phone="0770000001")
    run.deliver(10, "order-1", phone="0770000001").end("order-1", "FULFILLED", 12)
    assert "true_phase" in run.broken()


@pytest.mark.parametrize("phase", ["REJECTED", "CANCELLED", "REFUNDED"])
def test_an_end_that_the_ledger_denies_is_caught(run: Run, phase: str) -> None:
    run.delivered("order-1").drop("ends").end("order-1", phase, 12)
    assert "true_phase" in run.broken()


def test_fulfilled_without_an_order_at_the_provider_is_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1", creates=False, http=500).end("order-1", "FULFILLED", 9)
    assert run.broken() == {"true_phase"}
    assert run.verdict().lost == 1


def test_refunded_orders_and_orders_that_never_existed_are_clean(run: Run) -> None:
    run.order("order-1").send(1, "order-1").refund(10, "order-1").check(12, "order-1", "REFUNDED")
    run.end("order-1", "REFUNDED", 12)
    run.order("order-2").end("order-2", "CANCELLED", 3)
    run.order("order-3").send(1, "order-3", creates=False, http=400, code="ERR_VALIDATION").look_up(6.1, "order-3")
    run.end("order-3", "REJECTED", 7, error_code="ERR_VALIDATION")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert (verdict.refunded, verdict.cancelled, verdict.rejected) == (1, 1, 1)


def test_the_providers_first_final_answer_counts_and_not_its_second(run: Run) -> None:
    run.delivered("order-1").act(30, "drive", "order-1", status="REFUNDED").refund(30, "order-1")
    assert run.verdict().clean
    run.drop("ends").end("order-1", "REFUNDED", 40)
    assert "true_phase" in run.broken()


def test_a_final_answer_that_a_kill_ate_does_not_bind_us(run: Run) -> None:
    run.order("order-1").send(1, "order-1").deliver(10, "order-1").check(12, "order-1", "FULFILLED")
    run.kill(12.2, "worker-1", back_at=14).act(13, "drive", "order-1", status="REFUNDED").refund(13, "order-1")
    run.check(23, "order-1", "REFUNDED").end("order-1", "REFUNDED", 23.1)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_a_persons_word_holds_while_the_provider_is_silent(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(7, "order-1", "HANDLING").act(30, "resolve", "order-1")
    run.end("order-1", "REFUNDED", 30, resolved_by="ops")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert verdict.resolved == 1


def test_a_persons_word_against_the_providers_own_is_caught(run: Run) -> None:
    run.delivered("order-1").drop("ends").end("order-1", "REFUNDED", 40, resolved_by="ops")
    assert run.broken() == {"true_phase"}


def test_an_end_that_was_heard_and_not_taken_is_caught(run: Run) -> None:
    run.delivered("order-1").drop("ends").end("order-1", "UNKNOWN_ERROR", next_check_at=5_000)
    assert run.broken() == {"true_phase"}


def test_a_balance_that_does_not_follow_is_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").send(2, "order-1")
    assert "wallet" not in run.broken()
    run.refund(20, "order-1", balance=1.0)
    assert "wallet" in run.broken()


def test_money_that_is_gone_for_an_order_that_we_call_refunded_is_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(12, "order-1", "REFUNDED").end("order-1", "REFUNDED", 12)
    assert run.broken() == {"wallet", "true_phase"}
