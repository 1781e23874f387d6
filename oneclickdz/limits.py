"""The rate window of a key, shared by all processes of the host."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Literal

from pyrate_limiter import Rate, RateItem, SQLiteBucket, SQLiteQueries

from oneclickdz.envelope import RETRY_AFTER_MAX_SECONDS
from oneclickdz.errors import RateLimited
from oneclickdz.observer import Watched
from oneclickdz.state import SharedState

# Requests per minute. Source: the vendor's bill payment SDK; the mobile pages give no number.
DEFAULT_LIMITS = {"sandbox": 60, "production": 120}
# A second more than the minute: requests may arrive closer together than they left.
WINDOW_SECONDS = 61
READ_SHARE = 0.75
SEND_WAIT_SECONDS, READ_WAIT_SECONDS = 5.0, 2.0

_CLOCK_STEP_MS = 5_000
_TABLE = "requests"

Kind = Literal["send", "read", "validate"]


class RateWindow:
    """At most ``limit`` requests in any 61 s. Reads leave a quarter of them to sends."""

    def __init__(
        self,
        state: SharedState,
        *,
        limit: int,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        watched: Watched | None = None,
    ) -> None:
        self._state = state
        self._watched = watched or Watched()
        self._limit = limit
        self._now = now
        self._sleep = sleep

    async def acquire(self, kind: Kind, *, max_wait: float) -> None:
        """Take a place in the window, waiting at most ``max_wait`` seconds for it.

        Raises RateLimited when that is too short. A place taken is never given back: a request
        that then didn't leave still counts.
        """
        left = max_wait
        while (wait := await asyncio.to_thread(self._take, kind)) > 0:
            if wait > left:
                self._watched.waited(kind, max_wait - left, in_vain=True)
                raise RateLimited("The request limit of this key is reached, so nothing was sent.", retry_after=wait)
            left -= wait
            await self._sleep(wait)
        self._watched.waited(kind, max_wait - left)

    async def hold(self, seconds: float) -> None:
        """Let no process send with this key for so many seconds, 900 at most."""
        await asyncio.to_thread(self._hold, min(seconds, RETRY_AFTER_MAX_SECONDS))

    def _hold(self, seconds: float) -> None:
        with self._state.locked():
            self._hold_locked(seconds)

    def _hold_locked(self, seconds: float) -> None:
        key, now = self._state.key(), self._now()
        # One that ends later than the longest hold is from before the clock was set back, and would hide this one.
        known = key.hold_until if key.hold_until <= now + RETRY_AFTER_MAX_SECONDS else now
        self._state.save(key.model_copy(update={"hold_until": max(known, now + seconds)}))

    def _take(self, kind: Kind) -> float:
        with self._state.locked():
            held = self._state.key().hold_until - self._now()
            # More than the longest hold means that the clock was set back: the hold is long over.
            if 0 < held <= RETRY_AFTER_MAX_SECONDS:
                return held
            try:
                with closing(sqlite3.connect(self._state.window_file, timeout=1)) as connection:
                    return self._count(kind, connection)
            except sqlite3.OperationalError as problem:
                raise OSError(str(problem)) from None
            except sqlite3.DatabaseError:
                return self._forget()

    def _count(self, kind: Kind, connection: sqlite3.Connection) -> float:
        connection.execute(SQLiteQueries.CREATE_BUCKET_TABLE.format(table=_TABLE))
        bucket = SQLiteBucket([Rate(self._limit, WINDOW_SECONDS * 1000)], connection, _TABLE)
        now = int(self._now() * 1000)
        newest = bucket.peek(0)
        if newest is not None and newest.timestamp > now + _CLOCK_STEP_MS:
            return self._forget()
        bucket.leak(now)
        limit = max(1, int(self._limit * READ_SHARE)) if kind == "read" else self._limit
        blocking = bucket.peek(limit - 1)
        if blocking is not None:
            return (blocking.timestamp + WINDOW_SECONDS * 1000 - now + 1) / 1000
        bucket.put(RateItem(kind, now))
        return 0.0

    def _forget(self) -> float:
        # How many requests left in the last minute is unknown, so a whole window must pass.
        self._state.window_file.unlink(missing_ok=True)
        self._hold_locked(WINDOW_SECONDS)
        return float(WINDOW_SECONDS)
