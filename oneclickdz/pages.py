"""What one page of the list can tell about many orders, as pure functions. Times are seconds since the epoch.

Source: api-reference/mobile/list-topups (no filter but a window of creation times, at most 100 records a page, no
order promised).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oneclickdz.models import TopUpRecord

LARGEST_PAGE = 100
# The list's bounds may be rounded or exclusive.
MARGIN_SECONDS = 1.0
# An order is made so long after its send was scheduled: its wait for the rate window, and the POST's way. One that was
# made still later isn't on the page, and asks for itself once.
CREATED_WITHIN_SECONDS = 8.0
SPAN_MAX_SECONDS = 3_600.0
GROWTH = 2.0
FILL = 0.95

# The words that a page is believed, in the order in which an order goes through them. A refund gives money back and an
# UNKNOWN_ERROR takes a day, so these, and every unknown word, are asked for once more, by the order's own check.
BELIEVED = ("PENDING", "HANDLING", "FULFILLED")
DELIVERED = BELIEVED[-1]


@dataclass(frozen=True)
class Made:
    """When the provider made an order, by its own clock: at some time between two."""

    earliest: float
    latest: float


@dataclass(frozen=True)
class Span:
    """The creation times that a page is asked for."""

    since: float
    until: float

    def covers(self, made: Made) -> bool:
        """Whether an order must be on the page, if that has room for it."""
        return self.since <= made.earliest and made.latest <= self.until

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.until - self.since


def best_span(wanted: Sequence[Made], others: Iterable[float], longest: float) -> Span:
    """The span of at most ``longest`` seconds that covers most of the wanted, the oldest where there is a choice.

    Widened to what else is under way, where that fits: who asks for it next has its answer at once. Give at least one.
    """
    starts = sorted(made.earliest for made in wanted)
    ends = [start + longest - 2 * MARGIN_SECONDS for start in starts]
    reached, best, most = 0, 0, 0
    for place, end in enumerate(ends):
        while reached < len(starts) and starts[reached] <= end:
            reached += 1
        if reached - place > most:
            best, most = place, reached - place
    since = starts[best]
    until = min(ends[best], max(made.latest for made in wanted))
    under_way = list(others)
    wide = min([since, *under_way]), max([until, *under_way])
    if wide[1] - wide[0] <= longest - 2 * MARGIN_SECONDS:
        since, until = wide
    return Span(since - MARGIN_SECONDS, max(until, since) + MARGIN_SECONDS)


def longest_from(span: Span, rows: Sequence[TopUpRecord], before: float) -> float:
    """How long a span may be so that a page holds it, after a page of ``rows`` came for ``span``.

    The page's own totals are not asked: they would be trusted with whether anything is ever found again.
    """
    if len(rows) < LARGEST_PAGE:
        room = LARGEST_PAGE * FILL / max(len(rows), 1)
        return min(max(before, span.seconds * min(room, GROWTH)), SPAN_MAX_SECONDS)
    made = [row.created_at.timestamp() for row in rows if row.created_at is not None]
    held = max(made) - min(made) if made else 0.0
    return max(held * FILL, 4 * MARGIN_SECONDS)


def by_id(rows: Iterable[TopUpRecord]) -> Mapping[str, TopUpRecord | None]:
    """The rows by their ids; None where two rows of one order contradict each other."""
    found: dict[str, TopUpRecord | None] = {}
    for row in rows:
        if row.id is not None:
            known = found.setdefault(row.id, row)
            found[row.id] = known if known == row else None
    return found


def rank(status: str) -> int:
    """How far an order is; -1 for a word that a page is not believed."""
    return BELIEVED.index(status) if status in BELIEVED else -1


def is_believed(row: TopUpRecord | None, seen: int) -> bool:
    """Whether a row stands for the order's own check. One that goes back behind what was ``seen`` doesn't."""
    return row is not None and rank(row.status) >= max(seen, 0)
