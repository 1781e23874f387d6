"""What goes in and what comes out: the request, the view, the result, the row of a list.

Amounts are whole DZD unless a field says otherwise; times are UTC.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from topups.errors import InvalidTopUp
from topups.phone import is_phone_like, normalise

Environment = Literal["sandbox", "production"]
Outcome = Literal["FULFILLED", "REFUNDED", "NOT_CREATED"]

AMOUNT_MAX = 300_000
METADATA_MAX_BYTES = 2_048
DELIVER_WITHIN_MIN = 60
DELIVER_WITHIN_MAX = 86_400


class Phase(StrEnum):
    """Where an order stands. The last four are final."""

    ACCEPTED = "ACCEPTED"
    ON_HOLD = "ON_HOLD"
    CONFIRMING = "CONFIRMING"
    PENDING = "PENDING"
    HANDLING = "HANDLING"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    FULFILLED = "FULFILLED"
    REFUNDED = "REFUNDED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """A final phase never changes again."""
        return self in FINAL

    @property
    def unsent(self) -> bool:
        """Nothing exists at the provider; in ACCEPTED the first send may be on its way."""
        return self in {Phase.ACCEPTED, Phase.ON_HOLD}


FINAL = frozenset({Phase.FULFILLED, Phase.REFUNDED, Phase.REJECTED, Phase.CANCELLED})


class HoldReason(StrEnum):
    """Why an order that certainly doesn't exist at the provider waits to be sent."""

    BALANCE = "balance"
    CREDENTIALS = "credentials"
    RATE_LIMIT = "rate_limit"
    UNREACHABLE = "unreachable"
    PLAN_DISABLED = "plan_disabled"
    CLOCK_SKEW = "clock_skew"


class Model(BaseModel):
    """Immutable, so that a decision about money is always a new value."""

    # An error of ours never repeats its input: that may be a phone number.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def _not_a_phone(ref: str) -> str:
    if is_phone_like(ref):
        raise ValueError("a ref is visible to everybody and must not be a phone number")
    return ref


def _small(metadata: dict[str, str]) -> dict[str, str]:
    size = sum(len(text.encode()) for item in metadata.items() for text in item)
    if size > METADATA_MAX_BYTES:
        raise ValueError(f"at most {METADATA_MAX_BYTES} bytes in all, not {size}")
    return metadata


Ref = Annotated[StrictStr, Field(pattern=r"\A[A-Za-z0-9_-]{1,64}\z"), AfterValidator(_not_a_phone)]
PlanCode = Annotated[StrictStr, Field(pattern=r"\A[A-Za-z0-9_]{1,64}\z")]
Phone = Annotated[StrictStr, Field(max_length=40, repr=False), AfterValidator(normalise)]

_FIELD_NAME = re.compile(r"[A-Za-z_]{1,40}")
_SENTENCES = {
    "ref": "1 to 64 of the characters A-Z a-z 0-9 _ -",
    "plan_code": "1 to 64 of the characters A-Z a-z 0-9 _",
    "phone": "an Algerian mobile number like 0771234567",
    "amount": f"a whole number of DZD from 1 to {AMOUNT_MAX:,}, or nothing for fixed and GETMENU plans",
    "deliver_within": f"whole seconds from {DELIVER_WITHIN_MIN} to {DELIVER_WITHIN_MAX:,}",
    "metadata": "an object whose keys and values are text",
}


class TopUpRequest(Model):
    """One order, as a reseller's backend hands it over.

    `ref` is the caller's own, unique for ever. `amount` in DZD is left out for fixed and GETMENU plans.
    `deliver_within`, seconds: nothing is sent to the provider later than this after acceptance
    (default: the client's `TOPUPS_DELIVER_WITHIN`). `metadata` is kept and given back, never sent.

    Raises InvalidTopUp, with a sentence for each field that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: Ref
    plan_code: PlanCode
    phone: Phone
    amount: Annotated[StrictInt, Field(ge=1, le=AMOUNT_MAX)] | None = None
    deliver_within: Annotated[StrictInt, Field(ge=DELIVER_WITHIN_MIN, le=DELIVER_WITHIN_MAX)] | None = None
    metadata: Annotated[dict[StrictStr, StrictStr], AfterValidator(_small)] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidTopUp(_problems(error)) from None

    @property
    def offers_only(self) -> bool:
        """A GETMENU order buys nothing: the list of offers for the line is its product."""
        return self.plan_code.startswith("GETMENU_")

    def same_order(self, other: "TopUpRequest") -> bool:
        """Tell whether both are one order; `deliver_within` and `metadata` don't count."""
        return self._identity() == other._identity()

    def _identity(self) -> tuple[str, str, str, int | None]:
        return (self.ref, self.plan_code, self.phone, self.amount)


def _problems(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False):
        field = _named(str(problem["loc"][0])) if problem["loc"] else "order"
        found.setdefault(field, _sentence(field, problem["type"], problem["msg"]))
    return found


def _named(field: str) -> str:
    # An unknown field came from outside: its name may be anything, also a phone number.
    return field if _FIELD_NAME.fullmatch(field) else "a field"


def _sentence(field: str, kind: str, message: str) -> str:
    if kind == "missing":
        return f"is missing; give {_SENTENCES.get(field, 'it')}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return "is no field of an order"
    return f"must be {_SENTENCES.get(field, 'an object with the fields of an order')}"


class Offer(Model):
    """A plan that the provider suggests for the line, as it came; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    typename: JsonValue = None
    plan_code: JsonValue = None
    amount: JsonValue = None


class TimelineEvent(Model):
    """A change of phase, or what a person did."""

    at: datetime
    phase: Phase
    note: str
    by: str | None = None


class TopUpView(Model):
    """All that is known of an order, as `topup status --json` prints it.

    `stale` is true when no worker answered and only the order and its search attributes are shown.
    `balance_amount` is what the provider debited, DZD with centimes.
    """

    ref: str
    phase: Phase
    final: bool
    plan_code: str
    phone: str = Field(repr=False)
    amount: int | None = None
    topup_id: str | None = None
    provider_ref: str | None = None
    balance_amount: float | None = None
    refund_message: str | None = None
    suggested_offers: tuple[Offer, ...] | None = None
    offers_only: bool = False
    error_code: str | None = None
    error_message: str | None = None
    hold_reason: HoldReason | None = None
    needs_review: bool = False
    review_reason: str | None = None
    sends: int = 0
    checks: int = 0
    deliver_by: datetime | None = None
    account: str | None = None
    environment: Environment
    accepted_at: datetime
    last_checked_at: datetime | None = None
    next_check_at: datetime | None = None
    finished_at: datetime | None = None
    resolved_by: str | None = None
    resolved_note: str | None = None
    metadata: dict[str, str] = {}
    stale: bool = False
    timeline: tuple[TimelineEvent, ...] = ()

    @property
    def delivered(self) -> bool:
        """The customer got what was ordered: the top-up, or a GETMENU's offers."""
        return self.phase is Phase.FULFILLED or (self.offers_only and bool(self.suggested_offers))


class TopUpResult(TopUpView):
    """The view of a finished order: its true end."""


class TopUpRow(Model):
    """A row of `topup list`, from visibility alone."""

    ref: str
    phase: Phase
    plan_code: str | None = None
    phone_tail: str | None = None
    needs_review: bool = False
    accepted_at: datetime | None = None
    phase_since: datetime | None = None


class Recheck(Model):
    """Payload of the signal `recheck`: ask the provider now instead of at the next due time."""

    by: str = Field(default="unknown", max_length=200)


class Cancel(Model):
    """Payload of the update `cancel`."""

    reason: str = Field(min_length=1, max_length=500)
    by: str = Field(default="unknown", max_length=200)


class Resolve(Model):
    """Payload of the update `resolve`: a person's word on what really happened."""

    outcome: Outcome
    note: str = Field(min_length=1, max_length=500)
    by: str = Field(default="unknown", max_length=200)


class Reopening(Model):
    """Why an interrupted order was started again, and what its former run still knew."""

    note: str = Field(min_length=1, max_length=500)
    by: str = Field(default="unknown", max_length=200)
    accepted_at: datetime
    topup_id: str | None = None
    account: str | None = None


class ActResult(Model):
    """Answer of an update: whether it was taken, a sentence, and the order as it stands."""

    taken: bool
    why: str
    view: TopUpView
