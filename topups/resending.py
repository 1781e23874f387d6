"""Whether an order that was perhaps sent may be sent once more. Pure, like `topups.lifecycle`."""

from datetime import datetime, timedelta

from topups.models import Phase
from topups.order import Order


def may_resend(order: Order, now: datetime) -> bool:
    """Only after a full ladder of misses in a row, with the same ref, in time, and nothing against it."""
    if order.phase is not Phase.CONFIRMING or not resend_is_open(order, now):
        return False
    ladder, sent_at, missed_at = order.policy.lookup_waits, order.last_send_at, order.missed_at
    if sent_at is None or missed_at is None:
        return False
    # The last miss must have been asked late itself: people's rechecks ask early, before a slow POST can show.
    return missed_at >= sent_at + timedelta(seconds=ladder[-1]) and order.misses >= len(ladder)


def resend_is_open(order: Order, now: datetime) -> bool:
    """Nothing is known against another send of this order, now or after more misses."""
    barred = order.no_more_sends or order.resolution or order.refusal or order.duplicate or order.send_open
    return not barred and now < order.deliver_by and order.resends < order.policy.max_resends
