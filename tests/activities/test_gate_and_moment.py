"""Two small guards before a POST: the gate over many orders, and the last moment of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from activities.gate import PROBE_EVERY_SECONDS, PROBE_MAX_SECONDS, Gate
from activities.moment import LastMoment, TooLate, servers_clock
from topups.models import HoldReason
from topups.observations import Accepted, Held, OtherAccount

STARTED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
FAR = STARTED + timedelta(hours=1)
NO_MONEY = Held(reason=HoldReason.BALANCE, why="too little money", left=True)
UNREACHABLE = Held(reason=HoldReason.UNREACHABLE, why="no connection")


@dataclass
class Clocks:
    """A wall clock `off` seconds from Temporal's, and a monotonic one."""

    off: float = 0.0
    passed: float = 0.0

    def wall(self) -> datetime:
        return STARTED + timedelta(seconds=self.off + self.passed)

    def monotonic(self) -> float:
        return 1_000.0 + self.passed

    def moment(self, deliver_by: datetime = FAR) -> LastMoment:
        return LastMoment(STARTED, deliver_by, wall=self.wall, monotonic=self.monotonic)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_post_may_leave_within_ten_seconds_of_its_start(clocks: Clocks) -> None:
    may_leave = clocks.moment()
    clocks.passed = 9.9
    may_leave()
    clocks.passed = 10
    with pytest.raises(TooLate, match="nothing was sent"):
        may_leave()


def test_a_process_that_was_frozen_does_not_post_when_it_wakes(clocks: Clocks) -> None:
    may_leave = clocks.moment()
    clocks.passed = 3_600
    with pytest.raises(TooLate, match="passed 3590 s ago"):
        may_leave()


def test_a_wall_clock_that_was_set_back_does_not_win_time(clocks: Clocks) -> None:
    may_leave = clocks.moment()
    clocks.passed, clocks.off = 11, -11
    with pytest.raises(TooLate):
        may_leave()


def test_a_monotonic_clock_that_slept_does_not_win_time(clocks: Clocks) -> None:
    may_leave = clocks.moment()
    clocks.off = 11
    with pytest.raises(TooLate):
        may_leave()


def test_a_clock_a_little_behind_still_sends_and_only_for_ten_seconds(clocks: Clocks) -> None:
    clocks.off = -60
    may_leave = clocks.moment()
    may_leave()
    clocks.passed = 10
    with pytest.raises(TooLate):
        may_leave()


def test_a_clock_more_than_a_minute_behind_never_sends(clocks: Clocks) -> None:
    clocks.off = -60.1
    with pytest.raises(TooLate, match="60 s behind Temporal's"):
        clocks.moment()()


def test_a_clock_more_than_ten_seconds_ahead_never_sends(clocks: Clocks) -> None:
    clocks.off = 10
    with pytest.raises(TooLate, match="ahead of Temporal's"):
        clocks.moment()()


def test_no_clock_lets_a_post_leave_after_deliver_by(clocks: Clocks) -> None:
    may_leave = clocks.moment(deliver_by=STARTED + timedelta(seconds=2))
    clocks.passed = 1.9
    may_leave()
    clocks.passed = 2
    with pytest.raises(TooLate):
        may_leave()


TAKEN = Accepted(topup_id="a" * 24)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def gate(seconds: Seconds) -> Gate:
    return Gate(now=seconds)


def test_a_gate_that_learned_nothing_bad_is_open(gate: Gate) -> None:
    gate.learn(500, TAKEN)
    assert gate.refuse(500) is None


@pytest.mark.parametrize("held", [NO_MONEY, UNREACHABLE])
def test_after_a_hold_nobody_tries_for_thirty_seconds_and_then_one_does(
    gate: Gate, seconds: Seconds, held: Held
) -> None:
    gate.learn(500, held)
    waiting = gate.refuse(500)
    assert waiting is not None
    assert (waiting.reason, waiting.left, waiting.retry_after) == (held.reason, False, PROBE_EVERY_SECONDS)
    seconds.now = PROBE_EVERY_SECONDS
    assert gate.refuse(500) is None
    assert gate.refuse(500) is not None


def test_a_probe_that_never_reports_does_not_close_the_gate_for_ever(gate: Gate, seconds: Seconds) -> None:
    gate.learn(500, NO_MONEY)
    seconds.now = PROBE_EVERY_SECONDS
    assert gate.refuse(500) is None
    seconds.now += PROBE_MAX_SECONDS
    assert gate.refuse(500) is None


def test_a_probe_that_succeeds_opens_the_gate_for_all(gate: Gate, seconds: Seconds) -> None:
    gate.learn(500, UNREACHABLE)
    gate.learn(500, NO_MONEY)
    seconds.now = PROBE_EVERY_SECONDS
    gate.learn(500, TAKEN)
    assert gate.refuse(500) is None


def test_a_balance_too_small_for_one_amount_may_pay_a_smaller_one(gate: Gate) -> None:
    gate.learn(500, NO_MONEY)
    assert gate.refuse(499) is None
    assert gate.refuse(1_000) is not None


def test_an_answer_about_money_shows_that_the_provider_can_be_reached(gate: Gate) -> None:
    gate.learn(500, UNREACHABLE)
    gate.learn(500, NO_MONEY)
    assert gate.refuse(100) is None


@pytest.mark.parametrize("reason", [HoldReason.CREDENTIALS, HoldReason.RATE_LIMIT, HoldReason.CLOCK_SKEW])
def test_reasons_with_keepers_of_their_own_do_not_close_the_gate(gate: Gate, reason: HoldReason) -> None:
    gate.learn(500, Held(reason=reason, why="…"))
    assert gate.refuse(500) is None


def test_a_small_order_that_went_through_says_nothing_of_a_larger_one(gate: Gate, seconds: Seconds) -> None:
    gate.learn(500, NO_MONEY)
    gate.learn(100, TAKEN)
    assert gate.refuse(500) is not None


@pytest.mark.parametrize("answer", [OtherAccount(why="…"), Held(reason=HoldReason.RATE_LIMIT, why="…")])
def test_a_probe_that_never_left_neither_opens_the_gate_nor_keeps_it_shut(
    gate: Gate, seconds: Seconds, answer: OtherAccount | Held
) -> None:
    gate.learn(500, UNREACHABLE)
    seconds.now = PROBE_EVERY_SECONDS
    assert gate.refuse(500) is None
    gate.learn(500, answer)
    assert gate.refuse(500) is not None
    seconds.now += PROBE_EVERY_SECONDS
    assert gate.refuse(500) is None


@pytest.mark.parametrize(("off", "told"), [(0.0, 3.0), (-60.0, 3.0), (60.0, 63.0)], ids=["right", "behind", "ahead"])
def test_an_answers_time_is_never_earlier_than_it_was_for_temporal(off: float, told: float) -> None:
    clocks = Clocks(off=off)
    clock = servers_clock(STARTED, wall=clocks.wall, monotonic=clocks.monotonic)
    clocks.passed = 3.0
    assert clock() == STARTED + timedelta(seconds=told)
