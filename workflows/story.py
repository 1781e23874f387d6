"""What an operator reads in the Temporal UI: summaries of waits and activities, and where the order stands."""

from topups.lifecycle import Request
from topups.models import Phase
from topups.order import Order
from topups.phone import mask

_MEANING = {
    Phase.ACCEPTED: "Recorded; not sent yet, or the first send is on its way.",
    Phase.ON_HOLD: "Certainly not created at the provider; waits for its hold to pass.",
    Phase.CONFIRMING: "Sent, or perhaps sent; being looked up by its ref. Never terminate or reset it.",
    Phase.PENDING: "The provider has it in its queue.",
    Phase.HANDLING: "The provider is working on it.",
    Phase.UNKNOWN_ERROR: "The provider doesn't know the outcome; asked again daily. Don't refund on a guess.",
    Phase.FULFILLED: "Delivered.",
    Phase.REFUNDED: "Not delivered; the provider gave the money back.",
    Phase.REJECTED: "Refused; nothing was created at the provider.",
    Phase.CANCELLED: "Withdrawn before anything was sent.",
}


def of_action(order: Order, action: Request) -> str:
    """Summary of an activity."""
    request = order.request
    match action:
        case "prepare":
            return "Plan rules and account, before anything is sent"
        case "send":
            amount = f"{order.amount} DZD " if order.amount else ""
            return f"Send {amount}{request.plan_code} to {mask(request.phone)} (send {order.sends})"
        case "look_up":
            return f"Look up by ref, number {order.lookups + 1} since the send"
        case _:
            return f"Check {order.polls + 1}, last known: {order.phase}"


def of_wait(order: Order) -> str:
    """Summary of a timer."""
    match order.phase:
        case Phase.ON_HOLD:
            return f"On hold for {order.hold_reason}, next try is number {order.holds + 1}"
        case Phase.CONFIRMING:
            return f"Before look-up {order.lookups + 1} ({order.misses} misses)"
        case Phase.UNKNOWN_ERROR:
            return "UNKNOWN_ERROR: until the next daily recheck"
        case _:
            return f"{order.phase}: before check {order.polls + 1}"


def in_markdown(order: Order) -> str:
    """Current details of a run."""
    request = order.request
    lines = [
        f"### {order.phase}",
        _MEANING[order.phase],
        "",
        f"- Order: {order.amount or request.amount or ''} DZD {request.plan_code} to {mask(request.phone)}",
        f"- Sends: {order.sends}, checks: {order.checks}",
    ]
    lines += [f"- {label}: {value}" for label, value in _facts(order).items() if value]
    return "\n".join([*lines, "", "**What happened** (UTC)", "", *_timeline(order)])


def _facts(order: Order) -> dict[str, str | None]:
    next_at = None if order.final else f"{order.due_at:%Y-%m-%d %H:%M:%S} UTC"
    return {
        "**Needs review**": order.review_reason,
        "On hold for": order.hold_reason,
        "Provider's id": order.topup_id,
        "Next step": next_at,
        "Reason": order.error_message,
        "Provider's message": order.refund_message,
        "Offers": str(len(order.suggested_offers)) if order.suggested_offers else None,
        "Resolved by": order.resolved_by,
    }


def _timeline(order: Order) -> list[str]:
    newest = order.timeline[-12:]
    return [f"- `{event.at:%m-%d %H:%M:%S}` {event.note}" + (f" ({event.by})" if event.by else "") for event in newest]
