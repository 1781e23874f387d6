"""What an activity saw, in words that a decision can be made of.

Each class is one row of the decision table in docs/design.md. They say what an observation proves about the
order, never which HTTP status carried it.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from topups.models import HoldReason, Model, Offer


class Record(Model):
    """The provider's record of an order. `created_at` UTC, amounts DZD; all but the status may lack.

    `topup_id` is None where the provider's id is none that can be asked for.
    """

    topup_id: str | None
    status: str
    ref: str | None = None
    plan_code: str | None = None
    phone: str | None = Field(default=None, repr=False)
    amount: float | None = None
    balance_amount: float | None = None
    created_at: datetime | None = None
    refund_message: str | None = None
    suggested_offers: tuple[Offer, ...] | None = None


class Prepared(Model):
    """The plan allows the order; `amount` (DZD) is what will be sent, `account` who sends it."""

    kind: Literal["prepared"] = "prepared"
    account: str
    amount: int | None


class PlanRefused(Model):
    """The catalogue refuses the order; nothing was sent."""

    kind: Literal["plan_refused"] = "plan_refused"
    code: str
    message: str


class Held(Model):
    """Certainly not created. `left`: the request reached the provider, who answered with a refusal."""

    kind: Literal["held"] = "held"
    reason: HoldReason
    why: str
    left: bool = False
    retry_after: float = 0.0


class Accepted(Model):
    """The provider took the send and named it."""

    kind: Literal["accepted"] = "accepted"
    topup_id: str
    provider_ref: str | None = None


class Refused(Model):
    """The provider refused this very send; it created nothing."""

    kind: Literal["refused"] = "refused"
    code: str
    message: str


class Duplicate(Model):
    """Something with this ref exists at the provider."""

    kind: Literal["duplicate"] = "duplicate"
    code: str


class InDoubt(Model):
    """The send may have created the order. `lost`: its worker died, or Temporal heard no more of it for 8 s."""

    kind: Literal["in_doubt"] = "in_doubt"
    why: str
    lost: bool = False


class Found(Model):
    """The provider showed a record under our ref or id. Sooner than `round_seconds` a check brings nothing new.

    `ended_at`: when the check was over, by Temporal's clock; None where that isn't known.
    """

    kind: Literal["found"] = "found"
    record: Record
    account: str | None = None
    round_seconds: float = 0.0
    ended_at: datetime | None = None


class Missed(Model):
    """A complete look-up, every request answered, no record."""

    kind: Literal["missed"] = "missed"
    account: str | None = None


class NoAnswer(Model):
    """Says nothing about the order.

    `lost`: the worker died with it, so that it is due at once. `asked`: false when our own rate limit kept it back.
    """

    kind: Literal["no_answer"] = "no_answer"
    why: str
    lost: bool = False
    asked: bool = True
    retry_after: float = 0.0


class OtherAccount(Model):
    """The worker that took the activity belongs to another account or environment, and asked nothing."""

    kind: Literal["other_account"] = "other_account"
    why: str


PrepareAnswer = Annotated[Prepared | PlanRefused | Held | OtherAccount | NoAnswer, Field(discriminator="kind")]
SendAnswer = Annotated[Accepted | Refused | Held | Duplicate | InDoubt | OtherAccount, Field(discriminator="kind")]
LookUpAnswer = Annotated[Found | Missed | NoAnswer | OtherAccount, Field(discriminator="kind")]
CheckAnswer = Annotated[Found | NoAnswer | OtherAccount, Field(discriminator="kind")]

Observation = (
    Prepared | PlanRefused | Held | Accepted | Refused | Duplicate | InDoubt | Found | Missed | NoAnswer | OtherAccount
)
