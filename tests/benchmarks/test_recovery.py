"""How long an order waited after a kill, by its history and the provider's ledger."""

import pytest

from benchmarks.recovery import delay
from benchmarks.timers import Timer

KILLED_AT, READY_AT = 100.0, 102.0


def poll(started_at: float, due_at: float, ended_at: float | None) -> Timer:
    return Timer(started_at, due_at, checks=1, ended_at=ended_at, fired=ended_at is not None)


@pytest.mark.parametrize(
    ("timers", "requests", "seconds"),
    [
        pytest.param([poll(97, 101, 101.1)], [96, 103], 1.0, id="due while nobody polled: from the new worker on"),
        pytest.param([poll(97, 105, 105.1)], [96, 108], 3.0, id="due later: from then on"),
        pytest.param([poll(90, 98, 98.1)], [89, 98.5, 108], 4.5, id="its check died: from the gap after that on"),
        pytest.param(
            [poll(80, 90, 99.9)], [79, 105], 3.0, id="the worker died before it could ask: from the new one on"
        ),
        pytest.param([poll(97, 105, 105.1)], [96, 104.9], 0.0, id="a person's word asked earlier: no delay"),
    ],
)
def test_an_order_counts_from_its_due_check_and_a_worker_that_polls(
    timers: list[Timer], requests: list[float], seconds: float
) -> None:
    deliver_by = Timer(started_at=0, due_at=1_800, checks=0)
    assert delay([deliver_by, *timers], requests, KILLED_AT, READY_AT) == pytest.approx(seconds)
