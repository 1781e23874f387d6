"""What people's words may do to an order. Pure, like `topups.lifecycle`."""

from datetime import datetime, timedelta

from topups.models import ActResult, Cancel, Phase, Resolve
from topups.observations import Found, NoAnswer, Observation, OtherAccount
from topups.order import Order
from topups.policy import RESOLVE_AFTER_SEND_SECONDS
from topups.records import finish, is_stale, veto


def why_not_cancel(order: Order) -> str | None:
    """Say why an order can't be cancelled now; None when it can."""
    if order.final:
        return f"the order is already {order.phase}"
    if order.send_open:
        return "a send is on its way; its outcome will show"
    if order.may_exist or not order.phase.unsent:
        return f"the order is {order.phase}: it was sent, or may have been"
    if order.resolution is not None:
        return "somebody is resolving the order"
    return None


def cancel(order: Order, word: Cancel, now: datetime) -> Order:
    """Return the order withdrawn before anything was sent; the caller asked `why_not_cancel` first."""
    return finish(order, Phase.CANCELLED, now, f"Cancelled: {word.reason}", by=word.by)


def why_not_resolve(order: Order, word: Resolve, now: datetime) -> str | None:
    """Say why a person's word on the outcome can't be taken now; None when it can."""
    if order.final:
        return f"the order is already {order.phase}"
    if order.send_open:
        return "a send is on its way; try again when it has ended"
    if order.resolution is not None and order.resolution.outcome != word.outcome:
        return f"somebody is resolving the order as {order.resolution.outcome}"
    if word.outcome == "NOT_CREATED":
        return _why_not_never_created(order, now)
    if order.phase.unsent:
        return "nothing was sent yet; cancel the order instead"
    return _too_soon(order, now) if word.outcome == "REFUNDED" else None


def _why_not_never_created(order: Order, now: datetime) -> str | None:
    if order.topup_id is not None:
        return f"the provider has the order as {order.phase}"
    return _too_soon(order, now)


def _too_soon(order: Order, now: datetime) -> str | None:
    if order.phase is not Phase.CONFIRMING or order.last_send_at is None:
        return None
    free_at = order.last_send_at + timedelta(seconds=RESOLVE_AFTER_SEND_SECONDS)
    if now >= free_at:
        return None
    return f"the last send is too recent; not before {free_at:%H:%M:%S} UTC"


def resolve(order: Order, word: Resolve, now: datetime) -> Order:
    """Forbid any further send and make one fresh look due; what it shows decides, then the person's word."""
    order = order.but(
        resolution=word,
        resolution_asked=False,
        no_more_sends=f"{word.by} is resolving the order",
    )
    return order.due(now).noted(now, f"Asked to resolve as {word.outcome}: {word.note}", by=word.by)


def settle(order: Order, seen: Observation, now: datetime) -> Order:
    """End the order by a person's word, after the look that the word asked for showed nothing final."""
    word = order.resolution
    if word is None or order.final:
        return order
    if not order.resolution_asked:
        return order.due(order.at_the_soonest(now))
    # Nobody looked: the worker died with it, belongs to somebody else, or had to keep within the rate limit.
    if isinstance(seen, OtherAccount) or (isinstance(seen, NoAnswer) and seen.lost):
        return order
    if isinstance(seen, NoAnswer) and not seen.asked:
        return order.due(order.at_the_soonest(now))
    shown = _shown(order, seen) if word.outcome == "NOT_CREATED" else None
    if shown is not None:
        return order.but(resolution=None).noted(now, f"Not taken as NOT_CREATED: the provider has it as {shown}")
    phase = Phase.REJECTED if word.outcome == "NOT_CREATED" else Phase(word.outcome)
    order = order.but(resolved_by=word.by, resolved_note=word.note)
    if phase is Phase.REJECTED:
        order = order.but(error_code="NEVER_CREATED", error_message=word.note)
    return finish(order, phase, now, f"Resolved as {word.outcome}: {word.note}", by=word.by)


def _shown(order: Order, seen: Observation) -> str | None:
    """The provider's word on an order that exists there, though perhaps under an id that can't be asked for."""
    if order.topup_id is not None:
        return order.phase
    if isinstance(seen, Found) and not is_stale(order, seen.record) and veto(order, seen.record) is None:
        return seen.record.status[:40]
    return None


def recheck(order: Order, by: str, now: datetime) -> Order:
    """Make the next look due now; it never sends what wasn't due to be sent."""
    if order.final or order.phase is Phase.ACCEPTED:
        return order
    return order.due(now).noted(now, "Recheck asked for", by=by)


def cancel_from_temporal(order: Order, now: datetime) -> Order:
    """Take a raw cancel request (the UI's button) as a `cancel`; note and ignore it where that isn't allowed."""
    why_not = why_not_cancel(order)
    if why_not is not None:
        return order.noted(now, f"A cancel request in Temporal was ignored: {why_not}", by="temporal")
    return cancel(order, Cancel(reason="a cancel request in Temporal", by="temporal"), now)


def answer(order: Order, word: Resolve) -> ActResult:
    """Say what became of a person's word."""
    meant = Phase.REJECTED if word.outcome == "NOT_CREATED" else Phase(word.outcome)
    if order.phase is not meant:
        return ActResult(taken=False, why=f"the provider says {order.phase}", view=order.view())
    whose = "as you said" if order.resolved_by else "the provider's own answer"
    return ActResult(taken=True, why=f"the order is {order.phase} ({whose})", view=order.view())
