"""One order, driven by hand: what the workflow does, without Temporal and without waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from topups import people
from topups.lifecycle import Action, Wait, begin, expire, next_step, observe
from topups.models import Cancel, HoldReason, Outcome, Phase, Reopening, Resolve, TopUpRequest
from topups.observations import (
    Accepted,
    Duplicate,
    Found,
    Held,
    InDoubt,
    Missed,
    NoAnswer,
    Observation,
    Prepared,
    Record,
    Refused,
)
from topups.order import Order, accepted
from topups.policy import RELEASE, Policy

BEGAN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ACCOUNT = "+213665983439"
REF = "order-1042"
PHONE = "0771234567"
TOPUP_ID = "6901616fe9e88196b4eb64b0"


def request(**other: Any) -> TopUpRequest:
    """An order for 500 DZD, or what the test changes of it."""
    return TopUpRequest(**{"ref": REF, "plan_code": "PREPAID_DJEZZY", "phone": PHONE, "amount": 500} | other)


def new_order(policy: Policy | None = None, reopening: Reopening | None = None, **other: Any) -> Order:
    """An order of the newest release, accepted at BEGAN; `other` are fields of the request."""
    policy = policy or Policy()
    order = accepted(request(**other), "sandbox", policy, accepted_at=BEGAN, now=BEGAN, reopening=reopening)
    return order.but(release=RELEASE)


def record(status: str = "PENDING", **other: Any) -> Record:
    """The provider's record of that order."""
    known: dict[str, Any] = {
        "topup_id": TOPUP_ID,
        "status": status,
        "ref": REF,
        "plan_code": "PREPAID_DJEZZY",
        "phone": PHONE,
        "amount": 500,
        "created_at": BEGAN,
    }
    return Record(**known | other)


def found(status: str = "PENDING", **other: Any) -> Found:
    """That record, as a look-up or a check shows it."""
    return Found(record=record(status, **other), account=ACCOUNT)


def started(order: Order, action: Action, now: datetime) -> Order:
    """Begin what comes next, as the workflow does."""
    return expire(order, now, now) if action == "expire" else begin(order, action, now)


PREPARED = Prepared(account=ACCOUNT, amount=500)
ACCEPTED = Accepted(topup_id=TOPUP_ID, provider_ref=f"API-{ACCOUNT}-{REF}")
IN_DOUBT = InDoubt(why="no answer came")
SEND_LOST = InDoubt(why="the worker was lost in the middle of the send", lost=True)
DUPLICATE = Duplicate(code="DUPLICATED_REF")
REFUSED = Refused(code="ERR_VALIDATION", message="the phone does not fit the plan")
NO_ANSWER = NoAnswer(why="a time-out")
LOST = NoAnswer(why="the worker was lost", lost=True)
MISSED = Missed(account=ACCOUNT)
NO_MONEY = Held(reason=HoldReason.BALANCE, why="too little money", left=True)
NOT_LEFT = Held(reason=HoldReason.UNREACHABLE, why="no connection")


@dataclass
class Story:
    """An order and its clock. `begun` has the time of each action since the start, in seconds."""

    order: Order = field(default_factory=new_order)
    now: datetime = BEGAN
    chance: float = 0.0
    begun: list[tuple[Action, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Seconds since the order was accepted."""
        return (self.now - BEGAN).total_seconds()

    @property
    def due_in(self) -> float:
        """Seconds until the next step."""
        return (self.order.due_at - self.now).total_seconds()

    @property
    def phase(self) -> Phase:
        return self.order.phase

    def after(self, seconds: float) -> Self:
        self.now += timedelta(seconds=seconds)
        return self

    def step(self) -> Wait | Action | None:
        return next_step(self.order, self.now)

    def begins(self) -> Action:
        """Wait as long as the order wants and begin what comes next."""
        step = self.step()
        if isinstance(step, Wait):
            self.now = step.until
            step = self.step()
        assert step is not None
        assert not isinstance(step, Wait)
        self.begun.append((step, self.seconds))
        self.order = started(self.order, step, self.now)
        return step

    def sees(self, seen: Observation, *, took: float = 0.0) -> Self:
        self.after(took)
        self.order = observe(self.order, seen, self.now, self.chance)
        return self

    def does(self, action: Action, seen: Observation, *, took: float = 0.0) -> Self:
        """The next action is this one, and this is what it sees."""
        assert self.begins() == action
        return self.sees(seen, took=took)

    def looks_up(self, *seen: Observation) -> Self:
        for one in seen:
            self.does("look_up", one)
        return self

    def checks(self, *seen: Observation) -> Self:
        for one in seen:
            self.does("check", one)
        return self

    def rechecked(self) -> Self:
        self.order = people.recheck(self.order, "amel@shop", self.now)
        return self

    def cancelled(self) -> Self:
        assert people.why_not_cancel(self.order) is None
        self.order = people.cancel(self.order, Cancel(reason="changed my mind", by="amel@shop"), self.now)
        return self

    def resolved(self, outcome: Outcome) -> Self:
        word = Resolve(outcome=outcome, note="the operator says so", by="amel@shop")
        assert people.why_not_resolve(self.order, word, self.now) is None
        self.order = people.resolve(self.order, word, self.now)
        return self

    def why_not_resolve(self, outcome: Outcome) -> str | None:
        return people.why_not_resolve(self.order, Resolve(outcome=outcome, note="…", by="amel@shop"), self.now)


def sends(story: Story) -> list[float]:
    """When each send began, in seconds since the order was accepted."""
    return [at for action, at in story.begun if action == "send"]


def sending(order: Order | None = None) -> Story:
    """The first send is open."""
    story = Story(order or new_order()).does("prepare", PREPARED)
    assert story.begins() == "send"
    return story


def in_doubt(order: Order | None = None) -> Story:
    """The first send ended in doubt, after no time at all."""
    return sending(order).sees(IN_DOUBT)


def pending(order: Order | None = None) -> Story:
    """The provider took the order."""
    return sending(order).sees(ACCEPTED)


def unknown(order: Order | None = None) -> Story:
    """The provider's first check said UNKNOWN_ERROR."""
    return pending(order).checks(found("UNKNOWN_ERROR"))


def held(order: Order | None = None) -> Story:
    """On hold for the balance after one refused send."""
    return sending(order).sees(NO_MONEY)
