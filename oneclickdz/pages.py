"""What one page of the list can tell about many orders, as pure functions. Times are seconds since the epoch.

Source: api-reference/mobile/list-topups (no filter but a window of creation times, at most 100 records a page, no
order promised).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from operator import itemgetter

from oneclickdz.models import TopUpPage, TopUpRecord

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


def best_span(wanted: Sequence[Made], others: Iterable[float], longest: float, around: Made | None = None) -> Span:
    """The span of at most ``longest`` seconds that covers most of the wanted, then of the others; else the oldest.

    With ``around``, one of the wanted, it covers that one. Who is covered and asks next has an answer at once. Give at
    least one.
    """
    starts, more = sorted(made.earliest for made in wanted), sorted(others)
    first, last = (around.latest, around.earliest) if around else (-inf, inf)
    room = longest - 2 * MARGIN_SECONDS
    best = starts[0], -1, -1
    for since in sorted({*starts, *more}):
        if since <= last and since + room >= first:
            best = max(best, (since, _between(starts, since, room), _between(more, since, room)), key=itemgetter(1, 2))
    since, end = best[0], best[0] + room
    ends = [at for at in more if since <= at <= end]
    ends += [made.latest for made in wanted if since <= made.earliest <= end]
    return Span(since - MARGIN_SECONDS, max(min(end, max(ends)), since) + MARGIN_SECONDS)


def _between(times: Sequence[float], since: float, seconds: float) -> int:
    return bisect_right(times, since + seconds) - bisect_left(times, since)


def pages_for(made: Iterable[float], longest: float) -> int:
    """How many pages it takes to see all that were made at these times."""
    pages, held_until = 0, -inf
    for at in sorted(made):
        if at > held_until:
            pages, held_until = pages + 1, at + longest - 2 * MARGIN_SECONDS
    return pages


def is_full(page: TopUpPage, expected: AbstractSet[str]) -> bool:
    """Whether orders of the span are on a further page; a provider may give fewer records than it is asked for.

    The page's own totals are believed only where they agree with its length and it lacks some that are ``expected``:
    else a wrong total would have every page look full, and a list that lost its orders look honest.
    """
    count, total = len(page.items), page.total_results or 0
    has_more = count < total <= count * page.total_pages and not expected <= set(by_id(page.items))
    return count >= LARGEST_PAGE or has_more


def longest_from(span: Span, rows: Sequence[TopUpRecord], before: float, *, full: bool) -> float:
    """How long a span may be so that a page holds it, after a page of ``rows`` came for ``span``."""
    if not full:
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
