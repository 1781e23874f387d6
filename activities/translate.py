"""From the provider's words to observations. The table of what proves what is in docs/design.md."""

import json
from typing import Any

from oneclickdz import (
    DuplicateRef,
    NothingCreated,
    NotSent,
    OneClickDZError,
    RateLimited,
    Refused,
    TopUpRecord,
)
from topups import observations
from topups.models import HoldReason, Offer

OFFERS_MAX = 200
OFFER_DEPTH_MAX = 10
OFFER_LENGTH_MAX = 4_000


def as_record(record: TopUpRecord) -> observations.Record:
    """Return the provider's record in our words."""
    return observations.Record(
        topup_id=record.id,
        status=record.status,
        ref=record.ref,
        plan_code=record.plan_code,
        phone=record.phone,
        amount=record.amount,
        balance_amount=record.balance_amount,
        created_at=record.created_at,
        refund_message=record.refund_message,
        suggested_offers=tuple(Offer.model_validate(raw) for raw in _kept(record)) or None,
    )


def _kept(record: TopUpRecord) -> list[dict[str, Any]]:
    # An absurd offer must not keep the status from its order: too deep or too long a one is left out.
    offers = [offer.raw for offer in record.suggested_offers[:OFFERS_MAX]]
    return [raw for raw in offers if _depth(raw) <= OFFER_DEPTH_MAX and len(json.dumps(raw)) <= OFFER_LENGTH_MAX]


def _depth(value: object, known: int = 0) -> int:
    if known > OFFER_DEPTH_MAX or not isinstance(value, dict | list):
        return known
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, known + 1) for one in inner), default=known + 1)


def send_failure(error: OneClickDZError) -> observations.SendAnswer:
    """Return what a failed send proves. Anything that isn't surely *not created* is in doubt."""
    if isinstance(error, DuplicateRef):
        return observations.Duplicate(code=error.code or "DUPLICATED_REF")
    if isinstance(error, Refused):
        return observations.Refused(code=error.code or "REFUSED", message=error.message)
    if isinstance(error, NothingCreated):
        return observations.Held(
            reason=HoldReason(error.reason or HoldReason.UNREACHABLE),
            why=error.message,
            left=not isinstance(error, NotSent),
            retry_after=error.retry_after or 0.0,
        )
    return observations.InDoubt(why=error.message)


def no_answer(error: OneClickDZError) -> observations.NoAnswer:
    """Return a read that says nothing about the order."""
    asked = not isinstance(error, RateLimited)
    return observations.NoAnswer(why=error.message, asked=asked, retry_after=error.retry_after or 0.0)
