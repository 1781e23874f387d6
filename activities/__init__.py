"""The bridge between orders and the provider: each activity asks one thing and says what was seen."""

from activities.ask import Ask
from activities.clock import ClockActivities
from activities.policy import PolicyActivities
from activities.provider import ProviderActivities
from activities.reconcile import ReconcileActivities

__all__ = ["Ask", "ClockActivities", "PolicyActivities", "ProviderActivities", "ReconcileActivities"]
