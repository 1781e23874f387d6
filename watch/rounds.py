"""The rounds of a worker's watch: does Temporal answer, how do the orders stand, how much money is there.

They share nothing with the orders' own work but the event loop and, for a balance, one place in the rate window.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from oneclickdz import OneClickDZError
from topups.census import Visibility, census
from topups.errors import TopUpError
from watch.health import KEY_ACCEPTED, Health
from watch.metrics import Metrics

log = logging.getLogger("topups.watch")

PULSE_SECONDS = 5.0
CENSUS_SECONDS = 30.0
BALANCE_SECONDS = 300.0
BALANCE_LOOK_SECONDS = 10.0
# A figure that is older says nothing about now.
BALANCE_VALID_SECONDS = 900.0


class BalancePort(Protocol):
    """The provider's client, as far as a balance is concerned."""

    async def balance(self) -> Decimal:
        """Return the account's money, DZD. Raises OneClickDZError."""
        ...


async def every(seconds: float, look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again, whatever a look meets; the same trouble is told once."""
    told = ""
    while True:
        try:
            await look()
            told = ""
        except Exception as error:
            if str(error) != told:
                log.warning("What is watched is out of date: %s", error, exc_info=not _expected(error))
            told = str(error)
        await asyncio.sleep(seconds)


def _expected(error: Exception) -> bool:
    return isinstance(error, TopUpError | OneClickDZError | OSError)


class Pulse:
    """Asks Temporal for a sign of life and tells the metrics that this worker was ready."""

    def __init__(self, ask: Callable[[], Awaitable[object]], health: Health, metrics: Metrics) -> None:
        self._ask, self._health, self._metrics = ask, health, metrics

    async def look(self) -> None:
        """Ask once. Raises what the question raises."""
        try:
            await self._ask()
            self._health.temporal_answered()
        finally:
            if self._health.ready:
                self._metrics.ready(time.time())


class Counting:
    """Counts the orders. While Temporal can't be asked the figures are unknown, not old."""

    def __init__(self, ask: Visibility, metrics: Metrics, unknown_recheck: timedelta) -> None:
        self._ask, self._metrics, self._unknown_recheck = ask, metrics, unknown_recheck

    async def look(self) -> None:
        """Count once. Raises what Temporal raises."""
        try:
            found = await census(self._ask, datetime.now(UTC), self._unknown_recheck)
        except Exception:
            self._metrics.orders_unknown()
            raise
        self._metrics.orders(found, time.time())


class Balances:
    """Keeps the balance fresh: each accepted send tells it for nothing, else it is asked every 5 minutes.

    A key that isn't accepted is never used for it.
    """

    def __init__(
        self, provider: BalancePort, health: Health, metrics: Metrics, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider, self._health, self._metrics, self._now = provider, health, metrics, now
        self._asked_at = -math.inf

    async def look(self) -> None:
        """Ask, if it is time. Raises OneClickDZError."""
        told_at = self._metrics.balance_told_at
        if told_at is not None and self._now() - told_at > BALANCE_VALID_SECONDS:
            self._metrics.balance_unknown()
        newest = max(self._asked_at, -math.inf if told_at is None else told_at)
        if self._health.key != KEY_ACCEPTED or self._now() - newest < BALANCE_SECONDS:
            return
        self._asked_at = self._now()
        self._metrics.balance(float(await self._provider.balance()))
