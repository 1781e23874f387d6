"""What the checks of a key have shown of its orders. In memory: a worker that starts anew learns it again.

Times are those of all who share the key, but for `made`, which is the provider's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from oneclickdz.models import TopUpRecord
from oneclickdz.pages import (
    BELIEVED,
    CREATED_WITHIN_SECONDS,
    DELIVERED,
    MARGIN_SECONDS,
    Made,
    Span,
    by_id,
    pages_for,
    rank,
)

# A row that was on a page is kept for the check that is due next; a delivery stays one, and with many under way that
# check may come late.
KEPT_SECONDS, DELIVERY_KEPT_SECONDS = 15.0, 120.0
# Who wasn't seen for so long is no longer thought to be under way: another worker may have heard of the end.
SIGHT_SECONDS, CLOCK_STEP_SECONDS = 120.0, 5.0
# No page comes that long after it was asked for: a row that is further ahead is from before the clock was set back.
ROW_STEP_SECONDS = 30.0
# A list may be a moment behind an order's own record.
LAG_SECONDS = 5.0
UNDER_WAY = BELIEVED[:-1]
SKEWS, SKEW_MARGIN_SECONDS, REMEMBERED = 20, 3.0, 20_000


@dataclass(frozen=True)
class Heard:
    """An order's last answer and when it came; `made`: if that was told; `rank`: how far it was, -1 for unknown."""

    made: float | None = None
    rank: int = -1
    at: float = 0.0


@dataclass(frozen=True)
class Sight:
    """When an order that is under way was made, and when that was seen last."""

    made: float
    seen_at: float


@dataclass(frozen=True)
class Round:
    """How all orders under way are seen once: so many pages, first who wasn't seen the longest."""

    pages: int
    seen: Sequence[float]

    def pages_before(self, seen_at: float) -> int:
        """How many pages come before the one for an order that was seen then."""
        return bisect_left(self.seen, seen_at) * self.pages // (len(self.seen) + 1)


@dataclass
class Known:
    """What was seen of orders: when they were made and how far they are, how the provider's clock runs, newest rows.

    `unsettled` are those that a page didn't settle: their next answer is one of their own.
    """

    orders: OrderedDict[str, Heard] = field(default_factory=OrderedDict)
    skews: deque[float] = field(default_factory=lambda: deque(maxlen=SKEWS))
    rows: dict[str, tuple[TopUpRecord, float]] = field(default_factory=dict)
    sights: dict[str, Sight] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)

    def leave_open(self, topup_id: str) -> None:
        """A page didn't settle the order."""
        if len(self.unsettled) >= REMEMBERED:
            # Other workers may have answered them; a page only misses the others once more.
            self.unsettled.clear()
        self.unsettled.add(topup_id)

    def made(self, topup_id: str, sent_at: float) -> Made | None:
        """When the provider made the order; None while nobody can tell."""
        at = self._heard(topup_id).made
        if at is None and topup_id in self.sights:
            at = self.sights[topup_id].made
        if at is not None:
            return Made(at, at)
        if not self.skews:
            return None
        # The smallest is the clocks' difference and the shortest way; every other one is late by its own way.
        at = sent_at + min(self.skews)
        return Made(at - SKEW_MARGIN_SECONDS, at + CREATED_WITHIN_SECONDS)

    def is_sure(self, topup_id: str) -> bool:
        """Whether the order's own record told when it was made: then it must be on a page about that time."""
        return self._heard(topup_id).made is not None

    def rank(self, topup_id: str) -> int:
        """How far the order was when it was last seen."""
        return self._heard(topup_id).rank

    def behind(self, rows: Sequence[TopUpRecord], asked_at: float) -> int:
        """How many rows of a page are behind what was heard before it was asked for."""
        heard = [(row, self._heard(row.id or "")) for row in rows if row.status in UNDER_WAY]
        return sum(rank(row.status) < known.rank and known.at < asked_at - LAG_SECONDS for row, known in heard)

    def _heard(self, topup_id: str) -> Heard:
        return self.orders.get(topup_id, Heard())

    def seen_at(self, topup_id: str) -> float:
        """When it was last seen under way; 0 for never, or long ago."""
        sight = self.sights.get(topup_id)
        return sight.seen_at if sight else 0.0

    def learn(self, topup_id: str, sent_at: float, record: TopUpRecord, now: float) -> None:
        """Remember what an answer says."""
        at = record.created_at.timestamp() if record.created_at else None
        self.orders[topup_id] = Heard(at, rank(record.status), now)
        self.orders.move_to_end(topup_id)
        if len(self.orders) > REMEMBERED:
            self.unsettled.discard(self.orders.popitem(last=False)[0])
        if record.status == DELIVERED:
            self.unsettled.discard(topup_id)
        if at is not None:
            self.skews.append(at - sent_at)
        self.rows.pop(topup_id, None)
        self._sight(topup_id, record, now)

    def take_in(self, rows: Sequence[TopUpRecord], now: float) -> None:
        """Remember what a page says, also of orders that nobody asks for just now."""
        self.rows = {key: kept for key, kept in self.rows.items() if _is_kept(*kept, now)}
        for key, row in by_id(rows).items():
            if self.rows.get(key, (None, 0.0))[1] > now:
                continue
            self.rows.pop(key, None)
            if row is not None:
                self.rows[key] = row, now
                self._sight(key, row, now)

    def row(self, topup_id: str, now: float) -> tuple[TopUpRecord | None, float]:
        """What a page showed of an order a moment ago, and when; nothing where it has been answered since."""
        kept = self.rows.get(topup_id)
        return kept if kept and _is_kept(*kept, now) else (None, 0.0)

    def round(self, longest: float, now: float) -> Round:
        """What it takes to see all orders that are under way, with pages for at most ``longest`` seconds each."""
        # One that is ahead is from before the clock was set back.
        oldest, newest = now - SIGHT_SECONDS, now + CLOCK_STEP_SECONDS
        self.sights = {key: sight for key, sight in self.sights.items() if oldest < sight.seen_at < newest}
        pages = pages_for((sight.made for sight in self.sights.values()), longest)
        return Round(pages, sorted(sight.seen_at for sight in self.sights.values()))

    def under_way(self, not_since: float) -> dict[str, float]:
        """Those that are under way and were not seen since then, and when they were made."""
        return {key: sight.made for key, sight in self.sights.items() if sight.seen_at <= not_since}

    def made_before(self, at: float) -> set[str]:
        """Those that are under way and older than that, by the provider's clock."""
        return {key for key, sight in self.sights.items() if sight.made < at}

    def expected(self, span: Span) -> set[str]:
        """Those that a page for this span must show, as orders that were under way a moment ago."""
        since, until = span.since + MARGIN_SECONDS, span.until - MARGIN_SECONDS
        return {key for key, sight in self.sights.items() if since <= sight.made <= until}

    def _sight(self, topup_id: str, record: TopUpRecord, now: float) -> None:
        if self.seen_at(topup_id) > now:
            return
        self.sights.pop(topup_id, None)
        is_over = record.status not in UNDER_WAY or self.rank(topup_id) == rank(DELIVERED)
        if record.created_at is not None and not is_over:
            self.sights[topup_id] = Sight(record.created_at.timestamp(), now)


def _is_kept(row: TopUpRecord, at: float, now: float) -> bool:
    kept = DELIVERY_KEPT_SECONDS if row.status == DELIVERED else KEPT_SECONDS
    return now - kept < at < now + ROW_STEP_SECONDS
