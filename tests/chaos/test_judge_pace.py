"""The judge on pace: after the end, between checks, over a minute, after `deliver_by`, after a 401."""

from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import KEY, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, rate_limits={KEY: 60}, watched_keys=("watched",)).delivered("order-0")


def test_a_check_long_after_a_final_answer_is_caught(run: Run) -> None:
    assert run.check(26.9, "order-0", "FULFILLED").verdict().clean
    assert run.check(32, "order-0", "FULFILLED").broken() == {"no_late_check"}


def test_sending_what_the_provider_has_shown_is_caught(run: Run) -> None:
    run.send(20, "order-0", creates=False, http=403, code="DUPLICATED_REF")
    verdict = run.verdict()
    assert [each.invariant for each in verdict.violations] == ["needless_send"]
    assert "although the provider had answered PENDING" in verdict.violations[0].sentence


def test_sending_again_what_no_look_up_has_found_is_clean(run: Run) -> None:
    run.order("order-1").send(1, "order-1", creates=False, http=None)
    for at in (6, 11.2, 21, 61):
        run.look_up(at, "order-1")
    run.send(67, "order-1").deliver(80, "order-1").check(82, "order-1", "FULFILLED").end("order-1", "FULFILLED", 82)
    verdict = run.verdict()
    assert verdict.clean, verdict.violations
    assert verdict.resends == 1


@pytest.mark.parametrize("what", ["kill", "freeze", "thaw"])
@pytest.mark.parametrize("name", ["worker-1", "worker-7", "sleeper", "temporal"])
def test_a_final_answer_to_a_process_that_was_hit_may_be_asked_for_again(run: Run, what: str, name: str) -> None:
    run.process(20, what, name).process(21, "thaw" if what == "freeze" else "ready", name)
    run.check(40, "order-0", "FULFILLED").drop("ends").end("order-0", "FULFILLED", 40.1)
    assert run.verdict().clean


def test_a_worker_that_was_frozen_all_the_time_excuses_nothing(run: Run) -> None:
    run.process(5, "freeze", "sleeper").process(60, "thaw", "sleeper")
    assert run.check(40, "order-0", "FULFILLED").broken() == {"no_late_check"}


def test_a_worker_of_another_queue_excuses_nothing(run: Run) -> None:
    run.delivered("order-1", queue="deploys-3").kill(13, "deploys-3-old", back_at=14)
    run.check(40, "order-1", "FULFILLED").drop("ends", ref="order-1").end("order-1", "FULFILLED", 40.1)
    assert run.verdict().clean
    assert run.check(40, "order-0", "FULFILLED").broken() == {"no_late_check"}


def test_a_new_life_of_the_order_may_ask_again(run: Run) -> None:
    run.act(40, "delete", "order-0").act(41, "resubmit", "order-0")
    run.send(42, "order-0", creates=False, http=403, code="DUPLICATED_REF").look_up(47.2, "order-0", "FULFILLED")
    assert run.verdict().clean


def test_the_answer_that_somebody_elses_order_was_delivered_ends_nothing(run: Run) -> None:
    run.order("order-1").act(0.8, "foreign", "order-1").send(1, "order-1", phone="0770000001")
    run.send(3, "order-1", creates=False, http=403, code="DUPLICATED_REF")
    for at in (9, 60):
        run.check(at, "order-1", "FULFILLED", endpoint="check-ref", phone="0770000001", path="/check-ref/order-1")
    run.deliver(5, "order-1", phone="0770000001").end("order-1", "REJECTED", 61, error_code="REF_TAKEN")
    verdict = run.verdict()
    assert verdict.clean, verdict.violations


def test_two_checks_too_close_to_each_other_are_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(7, "order-1", "HANDLING").check(12.02, "order-1", "HANDLING")
    run.end("order-1", "CONFIRMING").act(20, "resolve", "order-1")
    assert "gap" not in run.broken()
    assert "gap" in run.check(16.9, "order-1", "HANDLING").broken()


def test_the_distance_counts_from_the_answer(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(7, "order-1", "HANDLING", took=3).check(12.5, "order-1", "HANDLING")
    assert "gap" in run.broken()


def test_a_complete_look_up_counts_as_one(run: Run) -> None:
    run.order("order-1").send(1, "order-1", http=None).look_up(6.1, "order-1").look_up(11.3, "order-1", "FULFILLED")
    run.deliver(9, "order-1").end("order-1", "FULFILLED", 12)
    assert run.verdict().clean


def test_two_look_ups_too_close_to_each_other_are_caught(run: Run) -> None:
    run.order("order-1").send(1, "order-1", http=None).look_up(6.1, "order-1").look_up(9, "order-1", "FULFILLED")
    assert run.deliver(9, "order-1").end("order-1", "FULFILLED", 12).broken() == {"gap"}


def test_after_a_kill_the_next_check_may_come_at_once(run: Run) -> None:
    run.order("order-1").send(1, "order-1").check(7, "order-1", "HANDLING").kill(8, "worker-1", back_at=9)
    run.check(10, "order-1", "FULFILLED").deliver(9.5, "order-1").end("order-1", "FULFILLED", 12)
    assert run.verdict().clean


def test_what_waited_at_a_frozen_providers_door_is_no_haste_of_ours(run: Run) -> None:
    run.process(14, "freeze", "provider").process(70, "thaw", "provider").order("order-1").send(1, "order-1")
    run.check(70.2, "order-1", None).check(70.3, "order-1", "HANDLING").deliver(75, "order-1")
    for number in range(70):
        run.request(70.5 + number / 100, "balance")
    run.check(80, "order-1", "FULFILLED").end("order-1", "FULFILLED", 81)
    assert run.verdict().clean


def test_a_minute_with_too_many_requests_is_caught(run: Run) -> None:
    for number in range(60):
        run.request(100 + number, "balance")
    assert run.verdict().clean
    verdict = run.request(159.5, "plans").verdict()
    assert [each.invariant for each in verdict.violations] == ["rate_limit"]
    assert "61 requests in the minute" in verdict.violations[0].sentence


def test_every_key_has_a_minute_of_its_own(run: Run) -> None:
    for number in range(50):
        run.request(100 + number, "balance").request(100 + number, "balance", key="production-key")
    assert run.verdict().clean


def test_a_send_after_the_time_to_deliver_is_caught(run: Run) -> None:
    run.order("order-1", deliver_within=60).send(61.9, "order-1").deliver(70, "order-1")
    run.check(75, "order-1", "FULFILLED").end("order-1", "FULFILLED", 75)
    assert run.verdict().clean
    run.order("order-2", deliver_within=60).send(62.1, "order-2").deliver(70, "order-2")
    assert run.check(75, "order-2", "FULFILLED").end("order-2", "FULFILLED", 75).broken() == {"deliver_by"}


def test_a_refused_key_that_is_left_alone_is_clean(run: Run) -> None:
    run.over_at = 4_000
    run.request(100, "validate", key="watched", http=401).request(100.3, "plans", key="watched", http=401)
    for at in (1_000.1, 1_900.2, 2_800.3):
        run.request(at, "validate", key="watched", http=401)
    assert run.verdict().clean


def test_a_refused_key_that_is_tried_again_too_soon_is_caught(run: Run) -> None:
    run.request(100, "validate", key="watched", http=403, code="IP_BLOCKED")
    assert run.request(500, "validate", key="watched", http=401).broken() == {"refused_key"}


def test_a_fourth_try_with_a_refused_key_is_caught(run: Run) -> None:
    run.over_at = 5_000
    for number in range(5):
        run.request(100 + number * 901, "validate", key="watched", http=401)
    verdict = run.verdict()
    assert [each.sentence for each in verdict.violations] == ["watched was refused and yet made more than 3 requests"]


def test_a_key_that_is_good_again_may_be_used(run: Run) -> None:
    run.over_at = 2_000
    run.request(100, "validate", key="watched", http=401).request(1_001, "validate", key="watched")
    assert run.request(1_002, "plans", key="watched").request(1_003, "balance", key="watched").verdict().clean


def test_keys_that_nobody_watches_have_tests_of_their_own(run: Run) -> None:
    assert run.request(100, "validate", http=401).request(101, "validate", http=401).verdict().clean
