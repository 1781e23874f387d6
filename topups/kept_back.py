"""Requests that the key's own budget kept back: nobody was asked, so what was due still is. Pure, like the lifecycle.

The budget tells each order when there will be a place for it. That time is taken as it is: a longer wait would leave
the place empty, a shorter one would only be told to wait again.
"""

from datetime import datetime, timedelta

from topups.models import HoldReason, Phase
from topups.observations import Held
from topups.order import Order
from topups.policy import UNANSWERED_MAX_SECONDS

# A hold by the provider's own Retry-After ends for all orders at once.
SPREAD_MAX_SECONDS = 3.0
SHORTEST_HOLD_SECONDS = 1.0
# A recheck of UNKNOWN_ERROR is promised to the minute.
RECHECK_LATE_SECONDS = 60.0


def kept_back(order: Order, now: datetime, chance: float, retry_after: float) -> Order:
    """Return the order with its look or recheck still due, and a person told where that breaks a promise."""
    if not order.own_times:
        wait = max(order.policy.poll_wait(0, 0, chance), spread(retry_after, chance))
        return order.due(now + timedelta(seconds=wait))
    heard_at = order.last_checked_at or order.last_send_at or order.accepted_at
    if _is_late(order, heard_at, now):
        quiet = f"{(now - heard_at).total_seconds():,.0f} s"
        order = order.but(review_reason=order.review_reason or f"Not asked for {quiet}: the key's limit is used up")
    return order.due(now + _own_time(order, retry_after, chance))


def in_its_round(order: Order, now: datetime, chance: float, round_seconds: float) -> Order:
    """Return an order under way with its next check no sooner than all others under way have been seen as well."""
    if order.phase not in {Phase.PENDING, Phase.HANDLING} or not round_seconds:
        return order
    return order.due(max(order.due_at, now + _own_time(order, round_seconds, chance)))


def _own_time(order: Order, seconds: float, chance: float) -> timedelta:
    return timedelta(seconds=min(seconds, order.policy.slow_poll) + chance * min(seconds / 4, SPREAD_MAX_SECONDS))


def hold_wait(order: Order, held: Held) -> float:
    """Seconds until the next try of an order on hold, of which this is the `order.holds`-th hold."""
    # A new key may come at any moment, so a refused one's own wait doesn't count.
    asked = 0.0 if held.reason is HoldReason.CREDENTIALS else min(held.retry_after, order.policy.hold_max)
    if is_own_time(order, held):
        return max(asked, SHORTEST_HOLD_SECONDS)
    return max(order.policy.hold_wait(order.holds), asked)


def is_own_time(order: Order, held: Held) -> bool:
    """Whether the budget told this very order when to come back."""
    return order.own_times and held.reason is HoldReason.RATE_LIMIT and held.retry_after > 0


def spread(seconds: float, chance: float) -> float:
    """Or all orders that wait for the rate limit come back at once."""
    return min(seconds, UNANSWERED_MAX_SECONDS) * (1 + chance / 4)


def _is_late(order: Order, heard_at: datetime, now: datetime) -> bool:
    if order.phase is not Phase.UNKNOWN_ERROR or order.unknown_since is None:
        return now > heard_at + timedelta(seconds=order.policy.slow_poll)
    rechecks = order.policy.unknown_rechecks(order.unknown_since, now)
    due_at = order.unknown_since + timedelta(seconds=order.policy.unknown_recheck * rechecks)
    return heard_at < due_at and now > due_at + timedelta(seconds=RECHECK_LATE_SECONDS)
