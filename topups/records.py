"""What a record of the provider proves about an order: whether it is ours, and what its status means."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from topups.models import Phase
from topups.observations import Record
from topups.order import Order
from topups.policy import STALE_RECORD_SECONDS


def prefixed(ref: str, account: str) -> str:
    """The form in which the provider stores a ref ("Send Top-Up", field topupRef)."""
    return f"API-{account}-{ref}"


def ref_is_ours(found: str | None, ref: str, account: str | None) -> bool:
    """Only the bare ref and exactly `API-<username>-<ref>` are ours; nothing else makes a record ours."""
    return found == ref or (account is not None and found == prefixed(ref, account))


def is_stale(order: Order, record: Record) -> bool:
    """Tell whether a REFUNDED record is the end of a former life of the ref, not the answer to our send."""
    if record.status != "REFUNDED" or record.created_at is None or order.duplicate or order.topup_id:
        return False
    return record.created_at < order.accepted_at - timedelta(seconds=STALE_RECORD_SECONDS)


def newest(records: Sequence[Record], undated: datetime) -> Record:
    """Return the record that counts of several under one ref; one without a time is taken as made at `undated`.

    Where no time tells, a REFUNDED one counts least: it may be the end of a former life of the ref.
    """
    return max(records, key=lambda record: (record.created_at or undated, record.status != "REFUNDED"))


def veto(order: Order, record: Record) -> str | None:
    """Say why a record with our ref or id can't be this order's; None when nothing speaks against it."""
    if order.topup_id is None and not ref_is_ours(record.ref, order.request.ref, order.account):
        return "it has another ref"
    if order.topup_id is not None and record.topup_id != order.topup_id:
        return "it has another id"
    if record.phone is not None and record.phone[-9:] != order.request.phone[-9:]:
        return "it has another number"
    if record.plan_code is not None and record.plan_code != order.request.plan_code:
        return "it has another plan"
    amount = order.amount or order.request.amount
    if not order.request.offers_only and None not in (record.amount, amount) and record.amount != amount:
        return "it has another amount"
    return None


def believe(order: Order, record: Record, now: datetime, chance: float) -> Order:
    """Return the order after the provider's own word on it; unknown words are never final."""
    if record.topup_id is None and record.status not in {"FULFILLED", "REFUNDED"}:
        return _without_id(order, record, now, chance)
    order = _adopt(order, record, now)
    match record.status:
        case "FULFILLED":
            return finish(order, Phase.FULFILLED, now, "The provider delivered it")
        case "REFUNDED":
            return finish(order, Phase.REFUNDED, now, _refund_note(order))
        case "PENDING" | "HANDLING" as status:
            return _in_flight(order, Phase(status), now, chance)
        case "UNKNOWN_ERROR":
            return _unknown(order, now)
        case word:
            return _unknown_word(order, word, now, chance)


def finish(order: Order, phase: Phase, now: datetime, note: str, *, by: str | None = None) -> Order:
    """Return the order at its true end."""
    order = order.moved(phase, now, note, by=by)
    order = order.but(finished_at=now, hold_reason=None, review_reason=None, resolution=None, send_open=False)
    if phase in {Phase.FULFILLED, Phase.REFUNDED}:
        return order.but(error_code=None, error_message=None)
    return order


def _adopt(order: Order, record: Record, now: datetime) -> Order:
    return order.but(
        may_exist=True,
        topup_id=record.topup_id,
        provider_ref=record.ref or order.provider_ref,
        balance_amount=record.balance_amount,
        refund_message=record.refund_message or order.refund_message,
        suggested_offers=record.suggested_offers or order.suggested_offers,
        polls=order.polls + 1,
        unanswered=0,
        hold_reason=None,
        refusal=None,
        error_code=None,
        error_message=None,
        last_checked_at=now,
    )


def _without_id(order: Order, record: Record, now: datetime, chance: float) -> Order:
    """The order exists, but only its ref can be asked for: it is looked up on, and never sent again."""
    why = f"The provider shows it as {record.status[:40]!r} under an id that can't be asked for"
    order = _adopt(order, record, now).but(no_more_sends=why, ref_was_taken=False, review_reason=why)
    wait = order.policy.poll_wait(order.polls, 0, chance)
    return order.moved(Phase.CONFIRMING, now, why).due(now + timedelta(seconds=wait))


def _refund_note(order: Order) -> str:
    if order.request.offers_only and order.suggested_offers:
        return f"The provider answered with {len(order.suggested_offers)} offers"
    return "The provider did not deliver it and gave the money back"


def _in_flight(order: Order, phase: Phase, now: datetime, chance: float) -> Order:
    if order.phase not in {Phase.PENDING, Phase.HANDLING}:
        order = order.but(polls=0, unknown_since=None)
    note = f"The provider says {phase}"
    if (order.phase, phase) == (Phase.HANDLING, Phase.PENDING):
        note = "The provider went back from HANDLING to PENDING; it is the same order"
    slow = order.polls >= order.policy.poll_count
    order = order.but(review_reason=f"Not final after {order.polls} checks" if slow else None)
    wait = timedelta(seconds=order.policy.poll_wait(order.polls, 0, chance))
    return order.moved(phase, now, note).due(max((order.last_request_at or now) + wait, order.at_the_soonest(now)))


def _unknown(order: Order, now: datetime) -> Order:
    since = order.unknown_since or now
    overdue = order.policy.unknown_rechecks(since, now) >= order.policy.unknown_review_after
    review = f"Still UNKNOWN_ERROR since {since:%Y-%m-%d %H:%M} UTC: ask the provider's support" if overdue else None
    order = order.but(unknown_since=since, review_reason=review)
    order = order.moved(Phase.UNKNOWN_ERROR, now, "The provider doesn't know; asked again after 24 h, then daily")
    return order.due(order.policy.unknown_due(since, now))


def _unknown_word(order: Order, word: str, now: datetime, chance: float) -> Order:
    order = order.but(review_reason=f"The provider says {word[:40]!r}, a status that nobody knows")
    if order.phase is Phase.UNKNOWN_ERROR:
        return order.due(order.policy.unknown_due(order.unknown_since or now, now))
    if order.phase is not Phase.HANDLING:
        order = order.moved(Phase.PENDING, now, f"The provider says {word[:40]!r}; not final")
    return order.due(now + timedelta(seconds=order.policy.poll_wait(order.polls, 0, chance)))
