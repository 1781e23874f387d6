"""How long orders wait after a kill, by made-up runs."""

from pathlib import Path

import pytest

from tests.chaos.invariants.made_up import Run
from tests.chaos.recovery import percentile


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, q) for q in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_recovery_counts_from_a_worker_that_polls_again_to_the_next_request(run: Run) -> None:
    run.order("a").send(9, "a").order("b").send(9, "b").kill(10, "worker-1", back_at=15)
    run.fault(10.1, "F1", "committed", "a", "b", quiet=True).check(18, "a", "HANDLING").check(27, "b", "HANDLING")
    found = run.recovery()
    assert found.groups.keys() == {"worker/send"}
    figures = found.groups["worker/send"]
    assert figures.n == 2
    assert [figures.p50, figures.p99, figures.max] == pytest.approx([3, 12, 12])


def test_a_check_that_is_due_later_counts_from_then(run: Run) -> None:
    run.order("a").send(1, "a").check(9, "a", "HANDLING").kill(10, "worker-1", back_at=11)
    run.fault(10.1, "F1", "polls", "a", quiet=True).check(17, "a", "HANDLING")
    assert run.recovery().groups["worker/check"].max == pytest.approx(3)


def test_the_first_of_the_crew_that_is_back_counts(run: Run) -> None:
    run.process(-5, "ready", "worker-2").order("a").send(9, "a")
    run.process(10, "kill", "worker-1").process(10.01, "kill", "worker-2").process(11, "ready", "keys-3-1")
    run.process(20, "ready", "worker-1").fault(10.1, "F1", "polls", "a", quiet=True).check(24, "a", "HANDLING")
    assert run.recovery().groups["worker/check"].max == pytest.approx(4)


def test_servers_are_measured_apart_and_never_below_zero(run: Run) -> None:
    run.order("a").send(9, "a").kill(10, "temporal", back_at=15).fault(10.1, "F2", "polls", "a", quiet=True)
    run.check(12, "a", "HANDLING")
    assert run.recovery().groups["server/check"].max == 0.0


def test_everybody_is_back_when_the_last_one_is(run: Run) -> None:
    run.order("a").send(9, "a").kill(10, "temporal", back_at=15).kill(10.05, "worker-1", back_at=20)
    run.fault(10.1, "F3", "all", "a", quiet=True, endpoint="send").check(26, "a", "HANDLING")
    assert run.recovery().groups["everybody/send"].max == pytest.approx(6)


def test_an_end_counts_where_no_request_was_due(run: Run) -> None:
    run.order("a").send(1, "a").deliver(5, "a").check(9, "a", "FULFILLED").kill(10, "worker-1", back_at=15)
    run.fault(10.1, "F1", "answered", "a", quiet=True).end("a", "FULFILLED", 17)
    assert run.recovery().overall.max == pytest.approx(2)


def test_an_order_that_nobody_asks_about_again_is_named(run: Run) -> None:
    run.order("a").send(9, "a").kill(10, "worker-1", back_at=15).fault(10.1, "F1", "committed", "a", quiet=True)
    assert run.recovery().as_json()["overall"]["unrecovered"] == ("a",)


def test_noisy_rounds_and_sleeping_orders_are_not_measured(run: Run) -> None:
    run.order("a").send(9, "a").kill(10, "worker-1", back_at=15).check(18, "a", "HANDLING")
    run.fault(10.1, "F1", "committed", "a").fault(10.2, "F1", "sleep", "a", quiet=True)
    run.fault(10.3, "F4", "send", "a", quiet=True)
    assert run.recovery().overall.n == 0


def test_a_page_that_shows_the_order_counts_as_a_request_about_it(run: Run) -> None:
    run.order("a").send(1, "a").page(6, ("a", "HANDLING")).page(14, ("a", "HANDLING"))
    run.kill(20, "worker-1", back_at=22).fault(20.1, "F1", "polls", "a", quiet=True).page(25, ("a", "HANDLING"))
    assert run.recovery().groups["worker/check"].max == pytest.approx(3)


def test_a_page_before_a_check_is_due_was_for_others(run: Run) -> None:
    run.order("a").send(1, "a").check(9, "a", "HANDLING").kill(10, "worker-1", back_at=11)
    run.page(12, ("a", "HANDLING")).page(13.9, ("a", "HANDLING")).check(17, "a", "HANDLING")
    assert run.fault(10.1, "F1", "polls", "a", quiet=True).recovery().groups["worker/check"].max == pytest.approx(3)
