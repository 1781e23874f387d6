"""What the provider says, as it arrives on the wire.

Reading is lenient: a field that is absent or odd is None, unknown fields are ignored, unknown statuses
are kept. Only what a decision about money rests on is required. Amounts are DZD, times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from oneclickdz.masking import mask_phones

_LONGEST_ID = 128


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _as_id(text: str) -> str:
    # The id becomes a segment of a path, where dots, slashes and blanks would mean something else.
    if not text.strip(".") or len(text) > _LONGEST_ID or not text.isprintable() or set(text) & set(" /\\"):
        raise ValueError("not an id")
    return text


def _or_true(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return True


def _plans(value: object) -> object:
    # A missing list is no empty list: every plan of its kind would look unknown, and its orders be refused.
    return [plan for plan in _objects(value) if plan.get("code")] if isinstance(value, list) else value


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_Odd = WrapValidator(_or_none)
_Id = Annotated[str, AfterValidator(_as_id)]
_Text = Annotated[str | None, _Odd]
# A bound on the digits: an exponent without one would fill the memory of whoever makes it whole.
Amount = Annotated[Decimal, Field(max_digits=30)]
_Number = Annotated[Amount | None, _Odd]
_Flag = Annotated[bool, WrapValidator(_or_true)]
_Moment = Annotated[Annotated[datetime, AfterValidator(_in_utc)] | None, _Odd]


class WireModel(BaseModel):
    """A read-only answer whose repr masks phone numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    def __repr__(self) -> str:
        return mask_phones(super().__repr__())

    def __str__(self) -> str:
        return mask_phones(super().__str__())


class Account(WireModel):
    """Whose key it is. Source: api-reference/core/validate-token; the key in that answer is not kept."""

    username: _Text = None
    environment: str
    scope: _Text = None
    is_enabled: _Flag = True

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(key := data.get("apiKey"), dict):
            return data
        return {
            "username": data.get("username"),
            "environment": str(key.get("type") or "").lower() or None,
            "scope": key.get("scope"),
            "is_enabled": key.get("isEnabled", True),
        }


class SendAccepted(WireModel):
    """The provider took the order; its outcome is open. Source: api-reference/mobile/send-topup."""

    topup_id: _Id = Field(alias="topupId")
    topup_ref: _Text = Field(None, alias="topupRef")
    new_balance: _Number = Field(None, alias="newBalance")


class Offer(WireModel):
    """An alternative plan for this line; ``raw`` is the whole offer as it came, unknown fields too."""

    typename: _Text = None
    plan_code: _Text = None
    amount: _Number = None
    raw: dict[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_whole(cls, data: Any) -> Any:
        return {**data, "raw": data} if isinstance(data, dict) else data


class TopUpRecord(WireModel):
    """One top-up. Source: api-reference/mobile/check-by-id; list items have the same shape.

    ``amount`` was ordered, ``balance_amount`` was debited. ``refund_message`` is Arabic, for the customer,
    to be shown as it is. ``id`` is None where the provider's can't be asked for.
    """

    id: Annotated[_Id | None, _Odd] = Field(alias="_id")
    status: str = Field(min_length=1)
    ref: _Text = None
    plan_code: _Text = None
    phone: _Text = Field(None, alias="MSSIDN", repr=False)
    amount: _Number = Field(None, alias="topup_amount")
    balance_amount: _Number = None
    created_at: _Moment = None
    refund_message: _Text = None
    suggested_offers: Annotated[tuple[Offer, ...], BeforeValidator(_objects)] = ()
    follow_orderid: _Text = None
    retry_orderid: _Text = None


class Plan(WireModel):
    """A plan of either kind; ``cost`` is the account's multiplier of the face value, often absent."""

    code: str = Field(min_length=1)
    name: _Text = None
    operator: _Text = None
    cost: _Number = None
    is_enabled: _Flag = Field(True, alias="isEnabled")


class DynamicPlan(Plan):
    """A plan whose amount the caller chooses between two limits."""

    min_amount: _Number = None
    max_amount: _Number = None


class FixedPlan(Plan):
    """A plan with an amount of its own."""

    amount: _Number = None


class Catalogue(WireModel):
    """All plans of the account. Source: api-reference/mobile/list-plans. Codes are case-sensitive."""

    dynamic_plans: Annotated[tuple[DynamicPlan, ...], BeforeValidator(_plans)] = Field(alias="dynamicPlans")
    fixed_plans: Annotated[tuple[FixedPlan, ...], BeforeValidator(_plans)] = Field(alias="fixedPlans")

    def find(self, code: str) -> DynamicPlan | FixedPlan | None:
        """The plan with exactly this code, or None."""
        plans: tuple[DynamicPlan | FixedPlan, ...] = (*self.dynamic_plans, *self.fixed_plans)
        return next((plan for plan in plans if plan.code == code), None)


class Page(WireModel):
    """One page of a list; pages count from 1."""

    page: int = Field(ge=0)
    total_pages: int = Field(ge=0)
    total_results: Annotated[int | None, _Odd] = None

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(found := data.get("pagination"), dict):
            return data
        return {
            **data,
            "page": found.get("page"),
            "total_pages": found.get("totalPages"),
            "total_results": found.get("totalResults"),
        }


class TopUpPage(Page):
    """Source: api-reference/mobile/list-topups. A row that can't be read makes the page unreadable:

    a look-up that skipped it might miss the very order it looks for.
    """

    items: tuple[TopUpRecord, ...]


class Transaction(WireModel):
    """One movement of the account's balance. Source: api-reference/account/list-transactions."""

    id: _Id = Field(alias="_id")
    type: _Text = None
    operation: _Text = None
    amount: _Number = None
    old_balance: _Number = Field(None, alias="oldBalance")
    new_balance: _Number = Field(None, alias="newBalance")
    objid: _Text = None
    note: _Text = None
    time: _Moment = None


class TransactionPage(Page):
    """A page of the account's movements."""

    items: tuple[Transaction, ...]
