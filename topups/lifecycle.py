"""Decisions about money, as pure functions: order + observation -> order, order + time -> next step.

Nothing here does I/O or knows Temporal, so a test can enumerate it. The rules and their reasons are in
docs/design.md; the table of what an observation proves is `observe`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from topups import people, records
from topups.kept_back import hold_wait, in_its_round, is_own_time, kept_back, spread
from topups.looking_up import ask_at_once, look_again, looks_early, took_its_rung
from topups.models import HoldReason, Phase
from topups.observations import (
    Accepted,
    Duplicate,
    Found,
    Held,
    InDoubt,
    Missed,
    NoAnswer,
    Observation,
    OtherAccount,
    PlanRefused,
    Prepared,
    Refused,
)
from topups.order import Order, Refusal
from topups.policy import EXPIRY_GRACE_SECONDS, LOST_IN_A_ROW, UNANSWERED_MAX_SECONDS, WAITS_FROM_ANSWERS
from topups.resending import may_resend

Request = Literal["prepare", "send", "look_up", "check"]
Action = Request | Literal["expire"]


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `until`."""

    until: datetime


def next_step(order: Order, now: datetime) -> Wait | Action | None:
    """Return what to do now, how long to wait, or None when the order reached its end."""
    if order.final:
        return None
    if now < order.due_at:
        return Wait(until=order.due_at)
    if order.resolution is not None or not order.phase.unsent:
        return _ask(order, now)
    if now >= order.deliver_by:
        return "expire"
    return "send" if order.prepared else "prepare"


def _ask(order: Order, now: datetime) -> Request:
    if order.topup_id is not None:
        return "check"
    return "send" if may_resend(order, now) else "look_up"


def begin(order: Order, action: Request, now: datetime) -> Order:
    """Return the order with an action under way; a send may exist from this very step on."""
    if action == "prepare":
        return order
    order = order.but(last_request_at=now, resolution_asked=order.resolution is not None)
    if action != "send":
        return order.but(checks=order.checks + 1, asked_at=now)
    return order.but(
        phase=Phase.ACCEPTED if order.phase is Phase.ON_HOLD else order.phase,
        send_open=True,
        doubted=order.may_exist,
        may_exist=True,
        sends=order.sends + 1,
        resends=order.resends + order.may_exist,
        first_send_at=order.first_send_at or now,
        last_send_at=now,
        misses=0,
        lookups=0,
    )


def expire(order: Order, noticed_at: datetime, now: datetime) -> Order:
    """Return the order when `deliver_by` has passed before it could be sent, which was noticed at some time.

    Noticed late, Temporal itself may have been restored from a backup that is older than a send: so it is looked up.
    """
    text = "The time to deliver passed before the order could be sent; nothing was created."
    refusal = Refusal(code="DELIVER_BY_PASSED", message=text)
    late = noticed_at >= order.deliver_by + timedelta(seconds=EXPIRY_GRACE_SECONDS)
    return _confirm_refusal(order, refusal, now) if order.answered or late else _reject(order, refusal, now)


def observe(order: Order, seen: Observation, now: datetime, chance: float) -> Order:
    """Return the order after an observation. `chance` in [0, 1) spreads the next check.

    A final order never changes. A person's `resolve` ends the order right after the look it asked for, unless
    the provider's own word did.
    """
    if order.final:
        return order
    if order.last_request_at is not None and not isinstance(seen, Prepared | PlanRefused) and not _unasked(order, seen):
        order = order.but(last_request_at=_heard_at(order, seen, order.last_request_at, now))
    return people.settle(_observe(order, seen, now, chance), seen, now)


def _heard_at(order: Order, seen: Observation, asked_at: datetime, now: datetime) -> datetime:
    """When the answer came: a worker that died before its order took note of it costs no more than its own time."""
    if order.release < WAITS_FROM_ANSWERS or not isinstance(seen, Found) or seen.ended_at is None:
        return now
    return min(max(seen.ended_at, asked_at), now)


def _unasked(order: Order, seen: Observation) -> bool:
    """No request's end was seen: the gap to the next one counts from the beginning."""
    if isinstance(seen, Held):
        return order.own_times and order.send_open and not seen.left
    if isinstance(seen, InDoubt):
        return seen.lost and looks_early(order)
    if not isinstance(seen, NoAnswer):
        return False
    return seen.lost or (order.own_times and order.topup_id is not None and not seen.asked)


def _observe(order: Order, seen: Observation, now: datetime, chance: float) -> Order:
    match seen:
        case Prepared():
            return order.but(prepared=True, account=seen.account, amount=seen.amount, unanswered=0, due_at=now)
        case PlanRefused():
            return _plan_refused(order, seen, now)
        case Held():
            return _held(order, seen, now)
        case Accepted():
            return _accepted(order, seen, now)
        case Refused():
            return _refused(order, seen, now)
        case Duplicate():
            return _duplicate(order, now)
        case InDoubt():
            return _in_doubt(order.but(send_open=False), seen, now)
        case Found():
            return _found(order, seen, now, chance)
        case Missed():
            return _missed(order, seen, now)
        case NoAnswer():
            return _no_answer(order, seen, now, chance)
        case _:
            return _other_account(order, seen, now, chance)


def _plan_refused(order: Order, seen: PlanRefused, now: datetime) -> Order:
    # An order that already waits for something else is not dropped for the operator's maintenance.
    if seen.code == "PLAN_DISABLED" and order.holds:
        return _hold(order, Held(reason=HoldReason.PLAN_DISABLED, why=seen.message), now)
    return _reject(order, Refusal(code=seen.code, message=seen.message), now)


def _held(order: Order, seen: Held, now: datetime) -> Order:
    if not order.send_open:
        return _hold(order, seen, now)
    order = _not_created(order) if seen.left else _not_sent(order)
    order = order.but(answered=order.answered or (seen.left and seen.reason is HoldReason.BALANCE))
    return _confirm(order, seen.why, now) if order.may_exist else _hold(order, seen, now)


def _accepted(order: Order, seen: Accepted, now: datetime) -> Order:
    order = order.but(send_open=False, topup_id=seen.topup_id, provider_ref=seen.provider_ref, polls=0)
    order = order.but(hold_reason=None, review_reason=None, unanswered=0, error_code=None, error_message=None)
    order = order.moved(Phase.PENDING, now, "The provider took the order")
    return order.due(now + timedelta(seconds=order.policy.first_check))


def _refused(order: Order, seen: Refused, now: datetime) -> Order:
    order = _not_created(order)
    if order.may_exist:
        return _confirm(order, f"{seen.code}, which says nothing about the earlier send", now)
    return _confirm_refusal(order, Refusal(code=seen.code, message=seen.message), now)


def _duplicate(order: Order, now: datetime) -> Order:
    # With no earlier send in doubt, somebody else's order or a former life of this one holds the ref.
    taken = order.ref_was_taken or not order.doubted
    order = order.but(send_open=False, duplicate=True, ref_was_taken=taken)
    return _confirm(order, "The provider already knows this ref", now)


def _other_account(order: Order, seen: OtherAccount, now: datetime, chance: float) -> Order:
    if order.send_open:
        order = _not_sent(order)
    order = order.but(review_reason=seen.why, unanswered=order.unanswered + 1)
    # Nobody was asked, so what was due still is: a worker of the right account may take it next.
    wait = min(order.policy.poll_wait(0, order.unanswered, chance), UNANSWERED_MAX_SECONDS)
    return order.due(now + timedelta(seconds=wait))


def _no_answer(order: Order, seen: NoAnswer, now: datetime, chance: float) -> Order:
    if seen.lost and order.unanswered < LOST_IN_A_ROW:
        return _ask_anew(order, now)
    if order.phase.unsent:
        return _hold(order, Held(reason=HoldReason.UNREACHABLE, why=seen.why), now)
    if order.topup_id is None:
        if not seen.asked:
            return kept_back(order, now, chance, seen.retry_after)
        rung = took_its_rung(order)
        return look_again(order.but(lookups=order.lookups + rung, unanswered=order.unanswered + 1), now)
    if not seen.asked and (order.own_times or order.phase is Phase.UNKNOWN_ERROR):
        return kept_back(order, now, chance, seen.retry_after)
    order = order.but(polls=order.polls + seen.asked)
    if order.polls >= order.policy.poll_count:
        order = order.but(review_reason=order.review_reason or f"Not final after {order.polls} checks")
    return _unanswered(order, now, chance, at_least=seen.retry_after)


def _ask_anew(order: Order, now: datetime) -> Order:
    """The request died with its worker."""
    order = order.but(unanswered=order.unanswered + 1)
    return order.due(now) if order.last_request_at is None else ask_at_once(order, now)


def _missed(order: Order, seen: Missed, now: datetime) -> Order:
    order = order.but(account=order.account or seen.account, last_checked_at=now, missed_at=order.asked_at)
    if order.refusal is not None:
        return _reject(order, order.refusal, now)
    rung = took_its_rung(order)
    order = order.but(misses=order.misses + rung, lookups=order.lookups + rung, unanswered=0, review_reason=None)
    return look_again(order, now)


def _in_doubt(order: Order, seen: InDoubt, now: datetime) -> Order:
    order = _confirm(order, seen.why, now)
    return ask_at_once(order, now) if seen.lost and looks_early(order) else order


def _found(order: Order, seen: Found, now: datetime, chance: float) -> Order:
    order = order.but(account=order.account or seen.account)
    if records.is_stale(order, seen.record):
        return _missed(order, Missed(), now)
    against = records.veto(order, seen.record)
    if against is None:
        return in_its_round(records.believe(order, seen.record, now, chance), now, chance, seen.round_seconds)
    if order.ref_was_taken and order.topup_id is None:
        message = f"The provider knew this ref before our first send: {against}."
        return _reject(order, Refusal(code="REF_TAKEN", message=message), now)
    against = f"The provider shows a record under our ref, but {against}"
    order = order.but(no_more_sends=against, review_reason=against, last_checked_at=now)
    return order.due(now + timedelta(seconds=order.policy.slow_poll))


def _not_created(order: Order) -> Order:
    """The send's own answer proves that it created nothing; an earlier doubt stays."""
    return order.but(send_open=False, may_exist=order.doubted)


def _not_sent(order: Order) -> Order:
    return _not_created(order).but(sends=order.sends - 1, resends=order.resends - order.doubted)


def _hold(order: Order, held: Held, now: datetime) -> Order:
    before, holds = order, order.holds + 1
    # What the plan allows is asked again after a hold, but for the short one in the key's own queue.
    prepared = order.prepared and is_own_time(order, held)
    order = order.but(phase=Phase.ON_HOLD, hold_reason=held.reason, holds=holds, prepared=prepared)
    order = order.but(error_message=held.why, review_reason=None)
    if before.hold_reason is not held.reason:
        order = order.noted(now, f"On hold for {held.reason}: {held.why}")
    return order.due(min(now + timedelta(seconds=hold_wait(order, held)), order.deliver_by))


def _confirm(order: Order, why: str, now: datetime) -> Order:
    order = order.but(last_send_at=now, misses=0, lookups=0, unanswered=0, hold_reason=None)
    order = order.but(error_message=why).moved(Phase.CONFIRMING, now, f"Looking it up: {why}")
    return look_again(order, now)


def _confirm_refusal(order: Order, refusal: Refusal, now: datetime) -> Order:
    order = order.but(refusal=refusal, error_code=refusal.code)
    return _confirm(order, f"{refusal.code}; making sure that no earlier run used the ref", now)


def _reject(order: Order, refusal: Refusal, now: datetime) -> Order:
    order = order.but(error_code=refusal.code, error_message=refusal.message)
    return records.finish(order, Phase.REJECTED, now, f"{refusal.code}: {refusal.message}")


def _unanswered(order: Order, now: datetime, chance: float, *, at_least: float = 0.0) -> Order:
    order = order.but(unanswered=order.unanswered + 1)
    if order.phase is Phase.UNKNOWN_ERROR:
        return order.due(now + timedelta(seconds=order.policy.slow_poll))
    wait = max(order.policy.poll_wait(order.polls, order.unanswered, chance), spread(at_least, chance))
    return order.due(now + timedelta(seconds=wait))
