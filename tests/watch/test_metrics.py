"""What a scrape shows of what was told; names and labels are what alerts and dashboards are written against."""

import math
from collections.abc import Callable
from datetime import timedelta

from oneclickdz import Exchange
from tests.watch.conftest import Scrape
from topups import Phase
from topups.census import OPEN_PHASES, Census, OfPhase
from watch.metrics import Metrics

CENSUS = Census(
    {phase: OfPhase() for phase in OPEN_PHASES}
    | {Phase.CONFIRMING: OfPhase(2, timedelta(hours=2), timedelta(minutes=20))},
    needs_review=3,
    audits=5,
    rechecks_due=4,
)


def test_a_new_worker_shows_zero_counts_and_owns_up_to_what_it_does_not_know(
    metrics: Metrics, scrape: Callable[[], Scrape]
) -> None:
    seen = scrape()
    assert seen['topups_sends_total{outcome="duplicate",reason=""}'] == 0
    assert seen["topups_credentials_refused"] == 0
    assert seen["topups_worker_ready_timestamp_seconds"] == 0
    assert math.isnan(seen["topups_balance_dzd"])
    assert math.isnan(seen["topups_needs_review"])
    assert math.isnan(seen['topups_open_orders{phase="PENDING"}'])


def test_sends_are_counted_by_outcome_and_the_reason_of_a_hold(metrics: Metrics, scrape: Callable[[], Scrape]) -> None:
    metrics.saw("send", "duplicate", "")
    metrics.saw("send", "held", "balance")
    metrics.saw("send", "held", "balance")
    metrics.saw("look_up", "missed", "")
    seen = scrape()
    assert seen['topups_sends_total{outcome="duplicate",reason=""}'] == 1
    assert seen['topups_sends_total{outcome="held",reason="balance"}'] == 2
    assert seen['topups_looks_total{action="look_up",reason="",seen="missed"}'] == 1


def test_requests_are_timed_by_endpoint_class_and_code(metrics: Metrics, scrape: Callable[[], Scrape]) -> None:
    metrics.exchanged(Exchange("send", "4xx", "DUPLICATED_REF", 0.7))
    labels = 'code="DUPLICATED_REF",endpoint="send",http="4xx"'
    seen = scrape()
    assert seen[f"topups_provider_request_seconds_sum{{{labels}}}"] == 0.7
    assert seen[f'topups_provider_request_seconds_bucket{{{labels},le="0.5"}}'] == 0
    assert seen[f'topups_provider_request_seconds_bucket{{{labels},le="1"}}'] == 1


def test_waits_for_the_rate_window_are_timed_and_those_in_vain_counted(
    metrics: Metrics, scrape: Callable[[], Scrape]
) -> None:
    metrics.waited("send", 1.5, in_vain=False)
    metrics.waited("send", 5.0, in_vain=True)
    seen = scrape()
    assert seen['topups_rate_limit_wait_seconds_sum{kind="send"}'] == 6.5
    assert seen['topups_rate_limit_in_vain_total{kind="send"}'] == 1
    assert seen['topups_rate_limit_in_vain_total{kind="check"}'] == 0


def test_orders_are_shown_by_phase_until_nobody_can_count_them(metrics: Metrics, scrape: Callable[[], Scrape]) -> None:
    metrics.orders(CENSUS, at=1_800_000_000.0)
    seen = scrape()
    assert seen['topups_open_orders{phase="CONFIRMING"}'] == 2
    assert seen['topups_oldest_open_order_seconds{phase="CONFIRMING"}'] == 7_200
    assert seen['topups_longest_in_phase_seconds{phase="CONFIRMING"}'] == 1_200
    assert seen['topups_open_orders{phase="PENDING"}'] == 0
    assert (seen["topups_needs_review"], seen["topups_rechecks_due"]) == (3, 4)
    assert seen["topups_audits_need_review"] == 5
    metrics.orders_unknown()
    seen = scrape()
    assert math.isnan(seen['topups_open_orders{phase="CONFIRMING"}'])
    assert math.isnan(seen["topups_needs_review"])
    assert seen["topups_orders_counted_timestamp_seconds"] == 1_800_000_000


def test_key_money_and_readiness_are_shown(metrics: Metrics, scrape: Callable[[], Scrape]) -> None:
    metrics.key(refused=True)
    metrics.balance(1234.5)
    metrics.ready(1_800_000_000.0)
    seen = scrape()
    assert seen["topups_credentials_refused"] == 1
    assert seen["topups_balance_dzd"] == 1234.5
    assert seen["topups_worker_ready_timestamp_seconds"] == 1_800_000_000
    metrics.balance_unknown()
    assert math.isnan(scrape()["topups_balance_dzd"])
