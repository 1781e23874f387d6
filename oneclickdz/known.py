"""What the checks of a key have shown of its orders. In memory: a worker that starts anew learns it again."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from oneclickdz.models import TopUpRecord
from oneclickdz.pages import CREATED_WITHIN_SECONDS, DELIVERED, Made, by_id, rank

# The provider ends most orders in half a minute.
OLD_SECONDS = 300.0
# A delivery that was on a page is kept for the check that is due next.
KEPT_SECONDS = 15.0
SKEWS, SKEW_MARGIN_SECONDS, REMEMBERED = 20, 3.0, 20_000


@dataclass
class Known:
    """What was seen of orders: when they were made and how far they are, how the provider's clock runs, deliveries.

    `unsettled` are those that a page didn't settle: their next answer is one of their own.
    """

    orders: OrderedDict[str, tuple[float | None, int]] = field(default_factory=OrderedDict)
    skews: deque[float] = field(default_factory=lambda: deque(maxlen=SKEWS))
    delivered: dict[str, tuple[TopUpRecord, float]] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    under_way: list[float] = field(default_factory=list)

    def made(self, topup_id: str, sent_at: float) -> Made | None:
        """When the provider made the order; None while nobody can tell."""
        at = self.orders.get(topup_id, (None, 0))[0]
        if at is not None:
            return Made(at, at)
        if not self.skews:
            return None
        # The smallest is the clocks' difference and the shortest way; every other one is late by its own way.
        at = sent_at + min(self.skews)
        return Made(at - SKEW_MARGIN_SECONDS, at + CREATED_WITHIN_SECONDS)

    def is_sure(self, topup_id: str) -> bool:
        """Whether the order's own record told when it was made: then it must be on a page about that time."""
        return self.orders.get(topup_id, (None, 0))[0] is not None

    def rank(self, topup_id: str) -> int:
        """How far the order was when it was last seen."""
        return self.orders.get(topup_id, (None, -1))[1]

    def learn(self, topup_id: str, sent_at: float, record: TopUpRecord) -> None:
        """Remember what an answer says."""
        at = record.created_at.timestamp() if record.created_at else None
        self.orders[topup_id] = at, rank(record.status)
        self.orders.move_to_end(topup_id)
        if len(self.orders) > REMEMBERED:
            self.orders.popitem(last=False)
        if at is not None:
            self.skews.append(at - sent_at)

    def take_in(self, rows: Sequence[TopUpRecord], now: float) -> None:
        """Remember what a page says of orders that nobody asks for just now."""
        kept = {key: kept for key, kept in self.delivered.items() if kept[1] > now - KEPT_SECONDS}
        found = by_id(rows)
        kept |= {key: (row, now) for key, row in found.items() if row is not None and row.status == DELIVERED}
        self.delivered = kept
        made = [row.created_at.timestamp() for row in rows if row.created_at and row.status in {"PENDING", "HANDLING"}]
        self.under_way = [at for at in made if at > max(made) - OLD_SECONDS]

    def delivery(self, topup_id: str, now: float) -> TopUpRecord | None:
        """The delivery that a page has just shown."""
        record, at = self.delivered.pop(topup_id, (None, 0.0))
        return record if at > now - KEPT_SECONDS else None
