"""What a workflow tells an activity about its order."""

from datetime import datetime
from typing import Self

from pydantic import Field

from topups.models import Environment, Model
from topups.order import Order


class Ask(Model):
    """One order as the provider's client needs it. `amount` DZD; nothing leaves after `deliver_by`.

    `held`: the order was on hold before, so it waits for the one that tries first. `by_itself`: a person's word
    hangs on the answer, so a page of the list won't do.
    """

    ref: str
    plan_code: str
    phone: str = Field(repr=False)
    amount: int | None
    environment: Environment
    account: str | None
    topup_id: str | None
    deliver_by: datetime
    first_send_at: datetime | None
    last_send_at: datetime | None = None
    last_checked_at: datetime | None = None
    held: bool = False
    by_itself: bool = False

    @classmethod
    def about(cls, order: Order) -> Self:
        """Return what an activity needs of an order."""
        return cls(
            ref=order.request.ref,
            plan_code=order.request.plan_code,
            phone=order.request.phone,
            amount=order.amount if order.prepared else order.request.amount,
            environment=order.environment,
            account=order.account,
            topup_id=order.topup_id,
            deliver_by=order.deliver_by,
            first_send_at=order.first_send_at,
            last_send_at=order.last_send_at,
            last_checked_at=order.last_checked_at,
            held=order.holds > 0,
            by_itself=order.resolution is not None,
        )

    @property
    def offers_only(self) -> bool:
        """A GETMENU order asks for the line's offers."""
        return self.plan_code.startswith("GETMENU_")
