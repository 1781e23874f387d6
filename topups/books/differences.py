"""What is compared with the provider's books, and how a difference is told. Pure: no I/O, no Temporal.

Amounts are DZD, times are UTC. A report names no phone number.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field

from topups.models import Environment, Model, Phase, TopUpView
from topups.observations import Record


class Kind(StrEnum):
    """What kind of difference it is, the gravest first."""

    TWO_RECORDS = "two_records"
    LATE_REVERSAL = "late_reversal"
    OTHER_STATUS = "other_status"
    UNKNOWN_TO_THEM = "unknown_to_them"
    OTHER_ORDER = "other_order"
    OTHER_AMOUNT = "other_amount"
    UNKNOWN_TO_US = "unknown_to_us"
    BALANCE = "balance"


Act = Literal["wake", "audit", "reopen", "none"]


class OurOrder(Model):
    """An order as our books have it: what a comparison needs, and what an audit keeps.

    `sends` is None where no worker could tell. `broken_off`: its run was terminated or failed, nobody follows it.
    """

    ref: str
    phase: Phase
    plan_code: str
    phone: str = Field(repr=False)
    amount: int | None = None
    environment: Environment
    account: str | None = None
    topup_id: str | None = None
    accepted_at: datetime
    balance_amount: float | None = None
    error_code: str | None = None
    resolved_by: str | None = None
    needs_review: bool = False
    sends: int | None = None
    broken_off: bool = False

    @classmethod
    def of(cls, view: TopUpView) -> Self:
        """Return what is compared of an order's view; a stale one tells its phase alone."""
        kept = set(cls.model_fields) & set(TopUpView.model_fields) - {"sends"}
        return cls(**{name: getattr(view, name) for name in kept}, sends=None if view.stale else view.sends)

    @property
    def closed(self) -> bool:
        """Its run has ended: no signal and no update reaches it any more."""
        return self.phase.final and not self.broken_off

    @property
    def never_created(self) -> bool:
        """By our books nothing exists at the provider, nor ever did."""
        return self.phase in {Phase.REJECTED, Phase.CANCELLED}

    @property
    def offers_only(self) -> bool:
        """A GETMENU order, whose amount says nothing."""
        return self.plan_code.startswith("GETMENU_")


class Movement(Model):
    """A movement of the account's balance, in centimes. `about` is the top-up's id, as far as is known."""

    id: str
    type: str
    amount: int
    old_balance: int | None = None
    new_balance: int | None = None
    about: str | None = None
    at: datetime | None = None


class Window(Model):
    """The time that is compared: orders accepted in it, records made in it."""

    since: datetime
    until: datetime

    def holds(self, at: datetime | None) -> bool:
        """Tell whether a moment lies in it; nobody knows of one that is not given, so it does."""
        return at is None or self.since <= at <= self.until


class Theirs(Model):
    """The provider's books of one account. `balance` in centimes, None where it wasn't asked.

    `newer` are ids of records that were read after the movements, and had changed by then.
    """

    account: str
    records: tuple[Record, ...] = ()
    movements: tuple[Movement, ...] = ()
    balance: int | None = None
    newer: frozenset[str] = frozenset()


class Difference(Model):
    """One thing in which the books differ. `done` says what was done about it.

    `ours` is a phase and `theirs` a status, None where that side has nothing. `by_money`: only transactions show it.
    """

    kind: Kind
    ref: str | None = None
    topup_ids: tuple[str, ...] = ()
    ours: str | None = None
    theirs: str | None = None
    our_amount: float | None = None
    their_amount: float | None = None
    at: datetime | None = None
    says: str
    by_money: bool = False
    act: Act = "none"
    done: str = ""

    def same_as(self, other: "Difference | None") -> bool:
        """Tell whether both are about the same state of the books."""
        return other is not None and self._state() == other._state()

    def _state(self) -> tuple[object, ...]:
        return (self.kind, self.ref, self.topup_ids, self.ours, self.theirs, self.our_amount, self.their_amount)


class Balance(Model):
    """How the account's balance moved. `explained` is None where the movements don't tell."""

    opening: float | None = None
    closing: float | None = None
    now: float | None = None
    moved: dict[str, float] = Field(default_factory=dict)
    explained: bool | None = None


class Report(Model):
    """What a reconciliation found. `counts` are whole, `differences` are the gravest of them."""

    since: datetime
    until: datetime
    environment: Environment
    account: str | None = None
    orders: int = 0
    records: int = 0
    movements: int = 0
    other_accounts: int = 0
    requests: dict[str, int] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    passing: int = 0
    woken: int = 0
    balance: Balance | None = None
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> int:
        """How many differences there are."""
        return sum(self.counts.values())


class Compared(Model):
    """A report before anything was done about it. `behind` are refs of orders that look again too late."""

    report: Report
    behind: tuple[str, ...] = ()


# So many days back, so that late settlements are seen; Temporal knows orders for 90 days.
DAYS, DAYS_MAX = 3.0, 90.0


class ReconcileInput(Model):
    """Input of the workflow `Reconcile`: a window, or the last `days` before now."""

    days: float = Field(default=DAYS, gt=0, le=DAYS_MAX)
    since: datetime | None = None
    until: datetime | None = None
    by: str = Field(default="schedule", max_length=200)


class AuditInput(Model):
    """Input of the workflow `TopUpAudit`: an order that ended, and why it is watched.

    `difference` is what a reconciliation found; None after a person's `resolve`.
    """

    order: OurOrder
    why: str
    by: str
    difference: Difference | None = None


class CloseAudit(Model):
    """Payload of the update `close`: a person's word that a difference is settled."""

    note: str = Field(min_length=1, max_length=500)
    by: str = Field(default="unknown", max_length=200)


class AuditView(Model):
    """An audit as it stands. `review_reason` says what a person must look at."""

    ref: str
    opened_at: datetime
    why: str
    by: str
    ours: str
    theirs: str | None = None
    difference: Difference | None = None
    review_reason: str | None = None
    checks: int = 0
    last_checked_at: datetime | None = None
    next_check_at: datetime | None = None


class AuditResult(AuditView):
    """How an audit ended: both sides agree, or a person closed it."""

    agreed: bool
    closed_by: str | None = None
    closed_note: str | None = None


class Look(Model):
    """What the provider shows of one order when it is asked by id and by ref; nothing is told by silence."""

    account: str
    records: tuple[Record, ...] = ()


def centimes(amount: float | None) -> int | None:
    """Return DZD in centimes, so that two amounts can be compared."""
    return None if amount is None else round(amount * 100)


def dzd(amount: int) -> float:
    """Return centimes in DZD."""
    return amount / 100
