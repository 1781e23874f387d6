"""When an order in doubt is looked up: a ladder of look-ups after its send. Pure, like `topups.lifecycle`."""

from datetime import datetime, timedelta

from topups.order import Order
from topups.resending import may_resend, resend_is_open


def look_again(order: Order, now: datetime) -> Order:
    """Next look-up: the ladder after the send, then steadily; a resend when the ladder is all misses."""
    sent_at = order.last_send_at or now
    wait = order.policy.lookup_wait(order.lookups)
    if wait is not None:
        return order.due(max(now, sent_at + timedelta(seconds=wait)))
    if may_resend(order, now):
        return order.due(now)
    if order.refusal is None and not resend_is_open(order, now):
        order = order.but(review_reason="Nobody knows whether this order was created; it is looked up on and on")
        return order.due(now + timedelta(seconds=order.policy.slow_poll))
    if order.refusal is not None:
        order = order.but(review_reason=f"{order.refusal.code}, but nobody answers whether an earlier run used the ref")
    ladder = order.policy.lookup_waits
    # The ladder itself may have fallen into an outage: the slowing down begins after it.
    late = max(min(order.unanswered - 1, order.lookups - len(ladder)), 0)
    return order.due(now + timedelta(seconds=min(ladder[-1] * 2.0 ** min(late, 8), order.policy.slow_poll)))


def ask_at_once(order: Order, now: datetime) -> Order:
    """Return the order with its next request due at once, since its worker died with the last one.

    No gap is kept then: the next worker may be there within a second.
    """
    if order.release > 1:
        return order.but(due_at=now)
    # Not now: whether there is a timer before the next request may not hang on the clock.
    return order.due(now + timedelta(milliseconds=1))


def looks_early(order: Order) -> bool:
    """Whether a look-up before its rung's time is one more, and not the rung: in orders of release 1 and later."""
    return order.release > 0


def took_its_rung(order: Order) -> bool:
    """Whether the look-up that was just answered is a step of the ladder: one that was asked early is one more."""
    wait, sent_at, asked_at = order.policy.lookup_wait(order.lookups), order.last_send_at, order.asked_at
    if not looks_early(order) or wait is None or sent_at is None or asked_at is None:
        return True
    # The time of a task where a person asked: workflows.runner keeps a run from another answer than its replay's.
    return asked_at >= sent_at + timedelta(seconds=wait)
