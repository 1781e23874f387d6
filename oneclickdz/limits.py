"""The rate window of a key, shared by all who use it. The rules are in `oneclickdz.budget`."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from oneclickdz.budget import WINDOW_SECONDS, Kind, moved, take, ticket
from oneclickdz.envelope import RETRY_AFTER_MAX_SECONDS
from oneclickdz.errors import RateLimited
from oneclickdz.observer import Watched
from oneclickdz.state import SharedState, WindowState

SEND_WAIT_SECONDS, READ_WAIT_SECONDS = 5.0, 2.0

_CLOCK_STEP_SECONDS = 5.0
# Much less than what the window is longer than a minute.
_LEAVES_WITHIN_SECONDS = 0.25


@dataclass
class Place:
    """A place in the window, taken for a request that is about to leave."""

    kind: Kind
    taken_at: float
    until: float = field(default_factory=lambda: time.monotonic() + _LEAVES_WITHIN_SECONDS)


class RateWindow:
    """At most ``limit`` requests in any 61 s."""

    def __init__(
        self,
        state: SharedState,
        *,
        limit: int,
        sleep: Callable[[float], Awaitable[object]],
        watched: Watched | None = None,
    ) -> None:
        self._state = state
        self._watched = watched or Watched()
        self._limit = limit
        self._sleep = sleep
        # One of each kind tries at a time, in the order of coming: the longest wait ends first.
        self._lines: defaultdict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def acquire(self, kind: Kind, *, max_wait: float, newcomer: bool = False) -> Place:
        """Take a place in the window, waiting at most ``max_wait`` seconds for it.

        Raises RateLimited when that is too short; its ``retry_after`` is this caller's own time to come back, and
        who then comes is no ``newcomer``. A place taken is never given back: a request that then didn't leave still
        counts.
        """
        began = asyncio.get_running_loop().time()
        async with self._lines[kind]:
            left = max_wait - (asyncio.get_running_loop().time() - began)
            while not isinstance(wait := await asyncio.to_thread(self._take, kind, newcomer), Place):
                if wait > left:
                    self._watched.waited(kind, max_wait - max(left, 0.0), in_vain=True)
                    back_in = await asyncio.to_thread(self._ticket, kind, wait)
                    raise RateLimited(
                        "The request limit of this key is reached, so nothing was sent.", retry_after=back_in
                    )
                left -= wait
                await self._sleep(wait)
        self._watched.waited(kind, max(max_wait - left, 0.0))
        return wait

    async def keep(self, place: Place) -> None:
        """Have a place count from now, if taking it is a while ago: connecting takes time, and so does a busy machine.

        Raises RateLimited when the books can't be used.
        """
        while time.monotonic() > place.until:
            await asyncio.to_thread(self._move, place)

    async def hold(self, seconds: float) -> None:
        """Let nobody send with this key for so many seconds, 900 at most."""
        await asyncio.to_thread(self._hold, min(seconds, RETRY_AFTER_MAX_SECONDS))

    def _hold(self, seconds: float) -> None:
        with self._state.locked():
            self._hold_locked(seconds)

    def _hold_locked(self, seconds: float) -> None:
        key, now = self._state.key(), self._state.now()
        # One that ends later than the longest hold is from before the clock was set back, and would hide this one.
        known = key.hold_until if key.hold_until <= now + RETRY_AFTER_MAX_SECONDS else now
        self._state.save(key.model_copy(update={"hold_until": max(known, now + seconds)}))

    def _take(self, kind: Kind, newcomer: bool) -> float | Place:
        with self._state.locked():
            now = self._state.now()
            held = self._state.key().hold_until - now
            # More than the longest hold means that the clock was set back: the hold is long over.
            if 0 < held <= RETRY_AFTER_MAX_SECONDS:
                return held
            known = self._state.sound(WindowState)
            if known is None or known.window.newest > now + _CLOCK_STEP_SECONDS:
                return self._forget()
            window, wait = take(known.window, kind, self._limit, now, newcomer=newcomer)
            self._state.save(WindowState(window=window))
            return wait or Place(kind, now)

    def _move(self, place: Place) -> None:
        with self._state.locked():
            now = self._state.now()
            window = moved(self._state.read(WindowState).window, place.kind, place.taken_at, now)
            self._state.save(WindowState(window=window))
        place.taken_at, place.until = now, Place(place.kind, now).until

    def _ticket(self, kind: Kind, wait: float) -> float:
        with self._state.locked():
            now = self._state.now()
            if self._state.key().hold_until > now:
                return wait
            window, back_in = ticket(self._state.read(WindowState).window, kind, self._limit, now, wait)
            self._state.save(WindowState(window=window))
            return back_in

    def _forget(self) -> float:
        # How many requests left in the last minute is unknown, so a whole window must pass.
        self._state.save(WindowState())
        self._hold_locked(WINDOW_SECONDS)
        return WINDOW_SECONDS
