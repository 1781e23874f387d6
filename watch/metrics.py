"""Our own metrics, at the same endpoint as those of Temporal's SDK. docs/operations.md has the table.

No label ever holds a ref, a number or a message. What isn't known is NaN: `max` skips it and no alert fires on it.
"""

import math
import time
from collections.abc import Callable
from datetime import timedelta

from temporalio.common import MetricMeter

from oneclickdz import Exchange
from topups.census import OPEN_PHASES, Census
from topups.models import Phase

UNKNOWN = math.nan
SEND_OUTCOMES = ("accepted", "refused", "duplicate", "in_doubt", "held", "other_account")
WAIT_KINDS = ("send", "validate", "confirm", "check", "audit")
# Seconds. A POST may last 30, a GET 8; the wait for the rate window 5 at most.
BUCKETS = {
    "topups_provider_request": (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30),
    "topups_rate_limit_wait": (0.001, 0.1, 0.5, 1, 2, 5),
}


class Metrics:
    """Counts what the provider's client and the activities tell, and shows what the rounds found.

    `balance_told_at`: when the balance was last told, by the monotonic clock `now`.
    """

    def __init__(self, meter: MetricMeter, now: Callable[[], float] = time.monotonic) -> None:
        self.balance_told_at: float | None = None
        self._now = now
        self._sends = meter.create_counter("topups_sends", "Sends by what their answer proves")
        self._looks = meter.create_counter("topups_looks", "Prepares, look-ups and checks by what was seen")
        self._requests = meter.create_histogram_timedelta("topups_provider_request", "Requests to the provider")
        self._waits = meter.create_histogram_timedelta("topups_rate_limit_wait", "Waits for a place in the rate window")
        self._in_vain = meter.create_counter("topups_rate_limit_in_vain", "Requests that got no place in time")
        self._open = meter.create_gauge_float("topups_open_orders", "Open orders by phase")
        self._oldest = meter.create_gauge_float("topups_oldest_open_order_seconds", "Age of the oldest open order")
        self._longest = meter.create_gauge_float("topups_longest_in_phase_seconds", "Longest stay in the present phase")
        self._review = meter.create_gauge_float("topups_needs_review", "Orders that need a person")
        self._audits = meter.create_gauge_float("topups_audits_need_review", "Audits that found a difference")
        self._due = meter.create_gauge_float("topups_rechecks_due", "UNKNOWN_ERROR orders due within the next hour")
        self._counted = meter.create_gauge_float("topups_orders_counted_timestamp_seconds", "When orders were counted")
        self._balance = meter.create_gauge_float("topups_balance_dzd", "The account's money at the provider")
        self._refused = meter.create_gauge("topups_credentials_refused", "1 while the provider refuses the key")
        self._ready = meter.create_gauge_float("topups_worker_ready_timestamp_seconds", "When it was ready last")
        self._begin()

    def _begin(self) -> None:
        # A counter that appears with its first count hides that count from `increase()`.
        for outcome in SEND_OUTCOMES:
            self._sends.add(0, {"outcome": outcome, "reason": ""})
        for kind in WAIT_KINDS:
            self._in_vain.add(0, {"kind": kind})
        self._refused.set(0)
        self._ready.set(0)
        self.balance_unknown()
        self.orders_unknown()

    def exchanged(self, exchange: Exchange) -> None:
        """A request to the provider ended."""
        labels = {"endpoint": exchange.endpoint, "http": exchange.http, "code": exchange.code}
        self._requests.record(timedelta(seconds=exchange.seconds), labels)

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        """A request waited for its place in the rate window."""
        self._waits.record(timedelta(seconds=seconds), {"kind": kind})
        if in_vain:
            self._in_vain.add(1, {"kind": kind})

    def saw(self, action: str, seen: str, reason: str) -> None:
        """An activity answered."""
        if action == "send":
            self._sends.add(1, {"outcome": seen, "reason": reason})
        else:
            self._looks.add(1, {"action": action, "seen": seen, "reason": reason})

    def balance(self, dzd: float) -> None:
        """The account's money now, DZD."""
        self._balance.set(dzd)
        self.balance_told_at = self._now()

    def balance_unknown(self) -> None:
        """Nobody has said for long how much money there is."""
        self._balance.set(UNKNOWN)

    def key(self, *, refused: bool) -> None:
        """Whether the provider refuses the key."""
        self._refused.set(int(refused))

    def ready(self, at: float) -> None:
        """The worker was ready at this time, seconds since the epoch."""
        self._ready.set(at)

    def orders(self, census: Census, at: float) -> None:
        """All orders, as counted at this time, seconds since the epoch."""
        for phase, found in census.phases.items():
            self._phase(phase, found.open, found.oldest.total_seconds(), found.longest.total_seconds())
        self._review.set(census.needs_review)
        self._audits.set(census.audits)
        self._due.set(census.rechecks_due)
        self._counted.set(at)

    def orders_unknown(self) -> None:
        """Temporal can't be asked."""
        for phase in OPEN_PHASES:
            self._phase(phase, UNKNOWN, UNKNOWN, UNKNOWN)
        self._review.set(UNKNOWN)
        self._audits.set(UNKNOWN)
        self._due.set(UNKNOWN)

    def _phase(self, phase: Phase, count: float, oldest: float, longest: float) -> None:
        label = {"phase": phase.value}
        self._open.set(count, label)
        self._oldest.set(oldest, label)
        self._longest.set(longest, label)
