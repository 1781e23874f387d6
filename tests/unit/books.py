"""Books that a test keeps of its own, from the rules alone, to judge an order's decisions by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.unit.story import BEGAN, PHONE, REF
from topups.lifecycle import Action
from topups.observations import (
    Accepted,
    Duplicate,
    Found,
    Held,
    InDoubt,
    Missed,
    NoAnswer,
    Observation,
    OtherAccount,
    Record,
    Refused,
)
from topups.policy import RELEASE

GAP = timedelta(seconds=5)
LADDER_END = timedelta(seconds=60)
MAX_RESENDS = 5
LOST_IN_A_ROW_MAX = 3


@dataclass
class Books:
    """What was sent and what was proven, by the answers alone."""

    may_exist: bool = False
    doubted: bool = False
    topup_id: str | None = None
    duplicate: bool = False
    forbidden: bool = False
    sent_until: datetime | None = None
    misses: list[datetime] = field(default_factory=list)
    resends: int = 0
    begun_at: datetime | None = None
    lost: int = 0
    release: int = RELEASE
    answered_at: datetime | None = None

    def begins(self, action: Action, now: datetime, deliver_by: datetime) -> None:
        """Judge an action before it is begun."""
        if action in {"look_up", "check", "send"} and self.answered_at is not None:
            assert now >= self.answered_at + GAP, "two requests within five seconds"
        if action in {"look_up", "check", "send"}:
            assert self.begun_at is None or now >= self.begun_at + GAP, "two requests begun within five seconds"
            self.begun_at = now
        if action == "send":
            assert now < deliver_by, "a send after deliver_by"
            self._sends()

    def _sends(self) -> None:
        assert not self.forbidden, "a send that something forbids"
        assert self.topup_id is None, "a send of an order that the provider has"
        if self.may_exist:
            assert self.sent_until is not None
            assert len(self.misses) >= 4, "a second send without four misses in a row"
            assert self.misses[-1] >= self.sent_until + LADDER_END, "a second send without a late miss"
            self.resends += 1
            assert self.resends <= MAX_RESENDS, "too many second sends"
        self.doubted, self.may_exist, self.misses = self.may_exist, True, []

    def enter(self, action: Action, seen: Observation, now: datetime) -> None:
        """Write down what an answer proves."""
        # Nobody saw the end of a request that was lost with its worker.
        lost = isinstance(seen, NoAnswer | InDoubt) and seen.lost
        if action != "prepare":
            self.answered_at = self.answered_at if lost else now
            self._forgive(action, lost=lost)
        if action == "send":
            self._enter_send(seen, now)
        elif isinstance(seen, Missed):
            self.misses.append(now)
        elif isinstance(seen, Found):
            self._enter_record(seen.record, now)

    def _forgive(self, action: Action, *, lost: bool) -> None:
        """No gap is kept to a request that died with its worker, nor to three that did so one after the other."""
        self.lost = self.lost + (action != "send") if lost else 0
        if lost and self.lost <= LOST_IN_A_ROW_MAX and self.release > 1:
            self.begun_at = None

    def _enter_send(self, seen: Observation, now: datetime) -> None:
        self.sent_until = now
        match seen:
            case Accepted():
                self.topup_id = seen.topup_id
            case Duplicate():
                self.duplicate = self.forbidden = True
            case Held() | OtherAccount() | Refused():
                self.may_exist = self.doubted
                left = isinstance(seen, Refused) or (isinstance(seen, Held) and seen.left)
                self.resends -= 1 if self.doubted and not left else 0
                self.forbidden = self.forbidden or (isinstance(seen, Refused) and not self.doubted)

    def _enter_record(self, record: Record, now: datetime) -> None:
        if self.topup_id is not None:
            return
        old = record.created_at is not None and record.created_at < BEGAN - timedelta(minutes=10)
        if old and record.status == "REFUNDED" and not self.duplicate:
            self.misses.append(now)
        elif (record.ref, record.phone) == (REF, PHONE):
            self.topup_id, self.may_exist = record.topup_id, True
            # What is looked up by its ref alone must never be sent under it again.
            self.forbidden = self.forbidden or record.topup_id is None
        else:
            self.forbidden = True
