"""Every wait of an order, as data. Read once per order and kept with it.

All waits are seconds. The numbers come from the provider's "Check Status by ID" (every 5-10 s, 60 tries,
UNKNOWN_ERROR again after 24 h) and from the rules for look-ups and holds in docs/design.md.
"""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from topups.models import Model

# Two requests for one order are never closer than this, whoever asks, unless a worker died with the first.
REQUEST_GAP_SECONDS = 5.0
# The shortest wait that is a timer.
A_MOMENT = timedelta(milliseconds=1)
# Waits after checks that nobody answered grow to this, so that an outage is no herd.
UNANSWERED_MAX_SECONDS = 60.0
# So often is a request that a worker died with asked again at once; then it counts as unanswered.
LOST_IN_A_ROW = 3
# A person may declare "not delivered" only when a late request of ours can't be running any more.
RESOLVE_AFTER_SEND_SECONDS = 900.0
# Less than this would make a second send too easy. Asked of a worker's settings, not of `Policy`: orders under way
# keep theirs.
LOOKUP_WAITS_MIN, LAST_LOOKUP_MIN_SECONDS, MAX_RESENDS_MAX = 4, 30.0, 5
# An order that is found this long past `deliver_by` may have been away, and its state with it.
EXPIRY_GRACE_SECONDS = 2.0
# An older REFUNDED record belongs to a former life of the ref.
STALE_RECORD_SECONDS = 600.0
# Counted up with each change to the commands of an order's workflow; an order keeps the one that it began with.
RELEASE = 4
# The first whose orders wait from when a check was answered, not from when they heard of it.
WAITS_FROM_ANSWERS = 3
# The first whose orders ask at once where that wait is over when they hear; until then with a timer of 1 ms.
ASKS_LATE_AT_ONCE = 4


class Policy(Model):
    """How long an order waits for what; each field is one setting `TOPUPS_…`."""

    model_config = ConfigDict(allow_inf_nan=False)

    first_check: PositiveFloat = 5.0
    poll_min: PositiveFloat = 5.0
    poll_max: PositiveFloat = 10.0
    poll_count: PositiveInt = 60
    slow_poll: PositiveFloat = 300.0
    unknown_recheck: PositiveFloat = 86_400.0
    unknown_review_after: PositiveInt = 3
    lookup_waits: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (5.0, 10.0, 20.0, 60.0)
    max_resends: Annotated[int, Field(ge=0)] = 5
    hold_min: PositiveFloat = 30.0
    hold_max: PositiveFloat = 300.0
    # Continue-as-new beyond this many history events; the server itself hints at 4,096.
    history_events: PositiveInt = 2_000

    @model_validator(mode="after")
    def _ordered(self) -> "Policy":
        if self.poll_min > self.poll_max:
            raise ValueError("TOPUPS_POLL_MIN must not exceed TOPUPS_POLL_MAX")
        if self.hold_min > self.hold_max:
            raise ValueError("TOPUPS_HOLD_MIN must not exceed TOPUPS_HOLD_MAX")
        if list(self.lookup_waits) != sorted(self.lookup_waits):
            raise ValueError("TOPUPS_LOOKUP_WAITS must grow")
        return self

    def poll_wait(self, polls: int, unanswered: int, chance: float) -> float:
        """Wait before the next check: `polls` were made, the last `unanswered` of them got no answer."""
        if polls >= self.poll_count:
            return self.slow_poll
        jittered = self.poll_min + (self.poll_max - self.poll_min) * chance
        return min(jittered * 2.0 ** min(max(unanswered - 1, 0), 6), max(UNANSWERED_MAX_SECONDS, jittered))

    def hold_wait(self, holds: int) -> float:
        """Wait before try number `holds` + 1 of an order on hold."""
        return min(self.hold_min * 2.0 ** min(max(holds - 1, 0), 16), self.hold_max)

    def lookup_wait(self, lookups: int) -> float | None:
        """Time of look-up number `lookups` + 1 after the send ended; None when the ladder is used up."""
        return self.lookup_waits[lookups] if lookups < len(self.lookup_waits) else None

    def unknown_rechecks(self, first_seen: datetime, now: datetime) -> int:
        """How many daily rechecks were due by now."""
        return int((now - first_seen).total_seconds() // self.unknown_recheck)

    def unknown_due(self, first_seen: datetime, now: datetime) -> datetime:
        """The next of first-seen + k x 24 h after now."""
        rechecks = self.unknown_rechecks(first_seen, now) + 1
        return first_seen + timedelta(seconds=self.unknown_recheck * rechecks)


class PolicyRead(Policy):
    """What a worker hands an order at its beginning, as it stands in the order's history.

    `release` is that of the worker's code; 0 in histories of before there were releases.
    """

    release: int = 0

    @classmethod
    def now(cls, policy: Policy) -> Self:
        """Return what this code hands out."""
        return cls(**policy.model_dump(), release=RELEASE)

    @property
    def policy(self) -> Policy:
        """The waits alone."""
        return Policy(**self.model_dump(exclude={"release"}))
