"""The one registry of search attributes: workflow, client, local server and `topup setup` all read it.

They hold nothing that identifies a person: of a phone number the last three digits at most.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from topups.models import Phase, TopUpRequest
from topups.order import Order

PHASE = SearchAttributeKey.for_keyword("TopUpPhase")
PLAN = SearchAttributeKey.for_keyword("TopUpPlan")
PHONE_TAIL = SearchAttributeKey.for_keyword("TopUpPhoneTail")
NEEDS_REVIEW = SearchAttributeKey.for_bool("TopUpNeedsReview")
ACCEPTED_AT = SearchAttributeKey.for_datetime("TopUpAcceptedAt")
PHASE_SINCE = SearchAttributeKey.for_datetime("TopUpPhaseSince")

# Name -> Temporal's type name, as `temporal operator search-attribute create` spells it.
REGISTRY = {
    PHASE.name: "Keyword",
    PLAN.name: "Keyword",
    PHONE_TAIL.name: "Keyword",
    NEEDS_REVIEW.name: "Bool",
    ACCEPTED_AT.name: "Datetime",
    PHASE_SINCE.name: "Datetime",
}


def of_a_new_order(request: TopUpRequest, accepted_at: datetime, phase: Phase) -> TypedSearchAttributes:
    """Return what a start carries, so that a list shows the order before any worker has seen it."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(PHASE, phase.value),
            SearchAttributePair(PLAN, request.plan_code),
            SearchAttributePair(PHONE_TAIL, request.phone[-3:]),
            SearchAttributePair(NEEDS_REVIEW, value=False),
            SearchAttributePair(ACCEPTED_AT, accepted_at),
            SearchAttributePair(PHASE_SINCE, accepted_at),
        ]
    )


def of_a_change(before: Order, after: Order, now: datetime) -> Sequence[SearchAttributeUpdate[Any]]:
    """Return the updates that a step of an order needs; empty where nothing changed that a list shows."""
    updates: list[SearchAttributeUpdate[Any]] = []
    if after.phase is not before.phase:
        updates += [PHASE.value_set(after.phase.value), PHASE_SINCE.value_set(now)]
    if bool(after.review_reason) is not bool(before.review_reason):
        updates.append(NEEDS_REVIEW.value_set(bool(after.review_reason)))
    return updates
