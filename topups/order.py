"""The durable state of one order: everything that survives a worker, a server and continue-as-new."""

from datetime import datetime, timedelta
from typing import Any, Self

from topups.models import (
    DELIVER_WITHIN_MAX,
    Environment,
    HoldReason,
    Model,
    Offer,
    Phase,
    Reopening,
    Resolve,
    TimelineEvent,
    TopUpRequest,
    TopUpView,
)
from topups.policy import A_MOMENT, ASKS_LATE_AT_ONCE, REQUEST_GAP_SECONDS, WAITS_FROM_ANSWERS, Policy

TIMELINE_MAX = 200
DELIVER_WITHIN_DEFAULT = 1_800


class Refusal(Model):
    """A refusal that becomes REJECTED once a complete look-up shows that no earlier run used the ref."""

    code: str
    message: str


class Order(Model):
    """One order. Frozen: each decision returns a new one.

    `may_exist` is the money's flag: while it is true something may exist at the provider, and the order is
    never ON_HOLD or CANCELLED, and REJECTED only on proof.
    """

    request: TopUpRequest
    environment: Environment
    policy: Policy
    accepted_at: datetime
    phase: Phase = Phase.ACCEPTED
    due_at: datetime
    timeline: tuple[TimelineEvent, ...] = ()

    # who sends it, and what the provider calls it
    account: str | None = None
    amount: int | None = None
    prepared: bool = False
    topup_id: str | None = None
    provider_ref: str | None = None

    # sends
    may_exist: bool = False
    doubted: bool = False
    send_open: bool = False
    sends: int = 0
    resends: int = 0
    first_send_at: datetime | None = None
    last_send_at: datetime | None = None
    duplicate: bool = False
    ref_was_taken: bool = False
    answered: bool = False
    no_more_sends: str | None = None
    refusal: Refusal | None = None

    # look-ups and checks
    misses: int = 0
    lookups: int = 0
    polls: int = 0
    checks: int = 0
    unanswered: int = 0
    last_request_at: datetime | None = None
    last_checked_at: datetime | None = None
    asked_at: datetime | None = None
    missed_at: datetime | None = None
    unknown_since: datetime | None = None

    # holds
    hold_reason: HoldReason | None = None
    holds: int = 0

    # of the code that began it; 0 before there were releases
    release: int = 0
    # whether the times that the key's budget names are taken as they are; orders of before 0.4 have longer waits
    own_times: bool = False

    # people
    reopened: bool = False
    resolution: Resolve | None = None
    resolution_asked: bool = False
    resolved_by: str | None = None
    resolved_note: str | None = None

    # what is shown
    balance_amount: float | None = None
    refund_message: str | None = None
    suggested_offers: tuple[Offer, ...] | None = None
    error_code: str | None = None
    error_message: str | None = None
    review_reason: str | None = None
    finished_at: datetime | None = None

    @property
    def final(self) -> bool:
        """The order reached its true end."""
        return self.phase.final

    @property
    def deliver_by(self) -> datetime:
        """No POST, first or repeated, leaves after this."""
        return _deliver_by(self.request, self.accepted_at)

    def but(self, **changes: Any) -> Self:
        """Return the same order with some fields changed."""
        return self.model_copy(update=changes)

    def noted(self, now: datetime, note: str, *, by: str | None = None) -> Self:
        """Return the order with one more event in its timeline; the first and the newest are kept."""
        event = TimelineEvent(at=now, phase=self.phase, note=note, by=by)
        kept = self.timeline if len(self.timeline) < TIMELINE_MAX else (self.timeline[0], *self.timeline[2:])
        return self.but(timeline=(*kept, event))

    def moved(self, phase: Phase, now: datetime, note: str, *, by: str | None = None) -> Self:
        """Return the order in a phase, with an event where the phase is new."""
        if phase is self.phase:
            return self
        return self.but(phase=phase).noted(now, note, by=by)

    def due(self, at: datetime) -> Self:
        """Return the order with its next step at a time, at the earliest one gap after the last request."""
        if self.last_request_at is not None:
            at = max(at, self.last_request_at + timedelta(seconds=REQUEST_GAP_SECONDS))
        return self.but(due_at=at)

    def at_the_soonest(self, now: datetime) -> datetime:
        """When the next check may be due for an order that hears late, at the soonest."""
        return now + A_MOMENT if WAITS_FROM_ANSWERS <= self.release < ASKS_LATE_AT_ONCE else now

    def view(self) -> TopUpView:
        """Return what callers and operators see."""
        shared = set(TopUpView.model_fields) & set(type(self).model_fields)
        return TopUpView(
            **{name: getattr(self, name) for name in shared - {"amount"}},
            ref=self.request.ref,
            final=self.final,
            plan_code=self.request.plan_code,
            phone=self.request.phone,
            amount=self.amount or self.request.amount,
            offers_only=self.request.offers_only,
            needs_review=self.review_reason is not None,
            deliver_by=self.deliver_by,
            next_check_at=None if self.final else self.due_at,
            metadata=self.request.metadata,
        )


class TopUpInput(Model):
    """Input of the workflow: a new order, a reopened one, or (`order`) one that goes on in a new run."""

    request: TopUpRequest
    environment: Environment
    reopening: Reopening | None = None
    order: Order | None = None


class Submission(Model):
    """Memo of the workflow: what was submitted, readable without a worker."""

    request: TopUpRequest
    environment: Environment
    accepted_at: datetime

    @property
    def deliver_by(self) -> datetime:
        """As the order has it, but for the moment between a client's clock and the server's."""
        return _deliver_by(self.request, self.accepted_at)


def _deliver_by(request: TopUpRequest, accepted_at: datetime) -> datetime:
    within = request.deliver_within or DELIVER_WITHIN_DEFAULT
    return accepted_at + timedelta(seconds=min(within, DELIVER_WITHIN_MAX))


def accepted(
    request: TopUpRequest,
    environment: Environment,
    policy: Policy,
    *,
    accepted_at: datetime,
    now: datetime,
    reopening: Reopening | None = None,
) -> Order:
    """Return a new order; a reopened one looks up first and never sends again."""
    order = Order(request=request, environment=environment, policy=policy, accepted_at=accepted_at, due_at=now).noted(
        accepted_at, "Accepted"
    )
    if reopening is None:
        return order
    return order.but(
        accepted_at=reopening.accepted_at,
        reopened=True,
        may_exist=True,
        no_more_sends="the order was reopened: what its former run sent is not known",
        topup_id=reopening.topup_id,
        account=reopening.account,
        first_send_at=reopening.accepted_at,
        last_send_at=now,
    ).moved(Phase.CONFIRMING, now, f"Reopened: {reopening.note}", by=reopening.by)
