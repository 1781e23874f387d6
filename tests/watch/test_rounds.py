"""A worker's rounds: they go on whatever they meet, and never show an old figure as a new one."""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowExecution
from temporalio.common import MetricMeter

from oneclickdz import Unreachable
from tests.watch.conftest import Scrape
from topups import TemporalUnreachable
from watch.health import KEY_ACCEPTED, Health
from watch.metrics import Metrics
from watch.rounds import BALANCE_SECONDS, BALANCE_VALID_SECONDS, Balances, Counting, Pulse, every


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Server:
    """Temporal without an order, or not there at all."""

    def __init__(self) -> None:
        self.away = False

    async def count(self, query: str) -> int:
        if self.away:
            raise TemporalUnreachable("nobody answers")
        return 0

    async def page(self, query: str) -> list[WorkflowExecution]:
        return []


class Wallet:
    """The provider, asked for nothing but its balance."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def balance(self) -> Decimal:
        self.asked += 1
        if self.away:
            raise Unreachable("nobody answers")
        return Decimal("4999.50")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(meter: MetricMeter, clock: Clock) -> Metrics:
    return Metrics(meter, now=clock)


@pytest.fixture
def wallet() -> Wallet:
    return Wallet()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(set_up=True, polling=True, key=KEY_ACCEPTED, now=clock)


@pytest.fixture
def balances(wallet: Wallet, health: Health, metrics: Metrics, clock: Clock) -> Balances:
    return Balances(wallet, health, metrics, now=clock)


async def test_a_round_goes_on_after_any_trouble_and_tells_the_same_one_once(caplog: pytest.LogCaptureFixture) -> None:
    looks = 0
    enough = asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            enough.set()
        raise TemporalUnreachable("nobody answers") if looks < 3 else ZeroDivisionError("a bug of ours")

    with caplog.at_level(logging.WARNING):
        going = asyncio.create_task(every(0, look))
        await asyncio.wait_for(enough.wait(), 5)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
    first, second = caplog.records
    assert "nobody answers" in first.message
    assert not first.exc_info
    assert second.exc_info


async def test_while_temporal_is_away_the_orders_are_unknown_and_not_old(
    metrics: Metrics, scrape: Callable[[], Scrape]
) -> None:
    server = Server()
    counting = Counting(server, metrics, timedelta(days=1))
    await counting.look()
    assert scrape()["topups_needs_review"] == 0
    server.away = True
    with pytest.raises(TemporalUnreachable):
        await counting.look()
    assert math.isnan(scrape()["topups_needs_review"])
    server.away = False
    await counting.look()
    assert scrape()["topups_needs_review"] == 0


async def test_the_time_of_the_last_readiness_stands_still_while_temporal_is_silent(
    metrics: Metrics, health: Health, scrape: Callable[[], Scrape], clock: Clock
) -> None:
    answers = True

    async def ask() -> None:
        if not answers:
            raise TemporalUnreachable("nobody answers")

    pulse = Pulse(ask, health, metrics)
    await pulse.look()
    ready_at = scrape()["topups_worker_ready_timestamp_seconds"]
    assert ready_at > 0
    answers = False
    clock.seconds += 60
    with pytest.raises(TemporalUnreachable):
        await pulse.look()
    assert scrape()["topups_worker_ready_timestamp_seconds"] == ready_at


async def test_the_balance_is_asked_every_five_minutes_at_most(
    balances: Balances, wallet: Wallet, clock: Clock, scrape: Callable[[], Scrape]
) -> None:
    await balances.look()
    assert scrape()["topups_balance_dzd"] == 4999.5
    clock.seconds += BALANCE_SECONDS - 1
    await balances.look()
    assert wallet.asked == 1
    clock.seconds += 1
    await balances.look()
    assert wallet.asked == 2


async def test_a_balance_that_a_send_told_is_not_asked_for(
    balances: Balances, wallet: Wallet, metrics: Metrics, clock: Clock
) -> None:
    for _ in range(10):
        metrics.balance(100.0)
        clock.seconds += BALANCE_SECONDS - 1
        await balances.look()
    assert wallet.asked == 0


async def test_a_key_that_is_not_accepted_is_never_used_for_a_balance(
    balances: Balances, wallet: Wallet, health: Health, clock: Clock
) -> None:
    health.key = "INVALID_ACCESS_TOKEN"
    await balances.look()
    assert wallet.asked == 0
    health.key = KEY_ACCEPTED
    await balances.look()
    assert wallet.asked == 1


async def test_a_balance_that_nobody_could_refresh_becomes_unknown(
    balances: Balances, wallet: Wallet, clock: Clock, scrape: Callable[[], Scrape]
) -> None:
    await balances.look()
    wallet.away = True
    clock.seconds += BALANCE_SECONDS
    with pytest.raises(Unreachable):
        await balances.look()
    await balances.look()
    assert (wallet.asked, scrape()["topups_balance_dzd"]) == (2, 4999.5)
    clock.seconds += BALANCE_VALID_SECONDS
    with pytest.raises(Unreachable):
        await balances.look()
    assert math.isnan(scrape()["topups_balance_dzd"])
