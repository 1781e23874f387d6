"""What hangs on two clocks, this host's and Temporal's: whether a POST still may leave, and when an answer came."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

LEAVE_WITHIN = timedelta(seconds=10)
SKEW_MAX = timedelta(seconds=60)


class TooLate(Exception):
    """Raised instead of sending: the time for this send is over, or the clocks disagree."""


class OtherKey(Exception):
    """Raised instead of sending: the worker's key now belongs to another account than the order."""


class LastMoment:
    """Calling it raises TooLate when the POST must not leave any more.

    A send leaves within 10 s of its start as Temporal's server saw it, never after `deliver_by`. Both the wall and
    the monotonic clock are asked: one shows a frozen process, the other a clock that was set back.
    """

    def __init__(
        self,
        started_at: datetime,
        deliver_by: datetime,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._started_at = started_at
        self._not_after = min(deliver_by, started_at + LEAVE_WITHIN)
        # The server's own time of the start, where this clock is slow.
        left = min(self._not_after - max(wall(), started_at), LEAVE_WITHIN)
        self._monotonic_limit = monotonic() + left.total_seconds()

    def __call__(self) -> None:
        """Let the POST leave, or raise TooLate."""
        now = self._wall()
        ahead = self._started_at - now
        if ahead > SKEW_MAX:
            raise TooLate(f"this worker's clock is {ahead.total_seconds():.0f} s behind Temporal's; nothing was sent")
        if now >= self._not_after or self._monotonic() >= self._monotonic_limit:
            late = now - self._not_after
            raise TooLate(
                f"the time to send passed {max(late.total_seconds(), 0):.0f} s ago by this worker's clock "
                "(it was frozen, or its clock is ahead of Temporal's); nothing was sent"
            )


def servers_clock(
    started_at: datetime,
    *,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[[], datetime]:
    """Tell the time of Temporal's server, who says that an activity has just started.

    Where this host's clock is ahead it is later than there; where it is behind, earlier by the task's way to here.
    """
    began = monotonic()
    return lambda: max(wall(), started_at + timedelta(seconds=monotonic() - began))
