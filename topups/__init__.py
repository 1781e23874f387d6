"""Durable mobile top-ups: hand over an order, and it reaches its true end exactly once.

from topups import TopUpRequest, TopUps

topups = await TopUps.connect()
order = await topups.submit(
    TopUpRequest(ref="order-1042", plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500)
)
result = await order.result(timeout=30)
"""

from topups.client import TopUps, connect_temporal
from topups.errors import (
    InvalidFilter,
    InvalidTopUp,
    KeysMissing,
    NoSuchOrder,
    NotAllowed,
    NotConfirmed,
    OrderInterrupted,
    RefConflict,
    SetupNeeded,
    StillOpen,
    TemporalUnreachable,
    TopUpError,
)
from topups.handle import TopUpOrder
from topups.models import (
    ActResult,
    HoldReason,
    Offer,
    Phase,
    TimelineEvent,
    TopUpRequest,
    TopUpResult,
    TopUpRow,
    TopUpView,
)
from topups.plugin import TopUpsPlugin

__all__ = [
    "ActResult",
    "HoldReason",
    "InvalidFilter",
    "InvalidTopUp",
    "KeysMissing",
    "NoSuchOrder",
    "NotAllowed",
    "NotConfirmed",
    "Offer",
    "OrderInterrupted",
    "Phase",
    "RefConflict",
    "SetupNeeded",
    "StillOpen",
    "TemporalUnreachable",
    "TimelineEvent",
    "TopUpError",
    "TopUpOrder",
    "TopUpRequest",
    "TopUpResult",
    "TopUpRow",
    "TopUpView",
    "TopUps",
    "TopUpsPlugin",
    "connect_temporal",
]
