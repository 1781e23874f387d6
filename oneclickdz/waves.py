"""Who is asked for in a turn, and how: one by one where few orders are under way, by a page where many are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oneclickdz.errors import OneClickDZError
from oneclickdz.known import SKEW_MARGIN_SECONDS, Known, Round
from oneclickdz.models import TopUpRecord
from oneclickdz.pages import GROWTH, SPAN_MAX_SECONDS, Made, Span, best_span, longest_from

# A page costs as much as one check, but may miss an order. Who is on it may wait at another worker, which reads it too,
# or ask soon.
FEW = 3
# The provider ends most orders in half a minute.
OLD_SECONDS = 300.0
# An old order is asked for by itself, so that a list which lags behind for ever harms nobody; unless there are so many
# of them, or so many under way, that the budget would not do.
FEW_OLD, CROWD = 10, 200
# Then one of them in so many turns shows whether the list tells the truth.
SAMPLE_EVERY = 10
ROUND_SECONDS_MAX = 60.0
# A page that was full tells for so long how much time one holds.
FULL_SECONDS = 60.0
# While the list is not trusted, so many orders are asked for in a turn: the budget's ceiling keeps them then.
IN_DISTRUST = 4


@dataclass(eq=False)
class Waiting:
    """One check; times are those of all who share the key. `seen_at`: when the order had its last answer."""

    topup_id: str
    sent_at: float
    seen_at: float
    since: float
    answer: asyncio.Future[TopUpRecord]
    missed: int = 0
    alone: bool = False

    def fail(self, error: OneClickDZError) -> None:
        """Tell whoever asked."""
        self.answer.set_exception(error)

    def follow(self, other: Waiting) -> None:
        """Have the same answer as another check of the order."""
        other.answer.add_done_callback(self._take_over)

    def _take_over(self, other: asyncio.Future[TopUpRecord]) -> None:
        if error := other.exception():
            self.answer.set_exception(error)
        else:
            self.answer.set_result(other.result())


@dataclass(frozen=True)
class Wave:
    """What is asked for at once, and how many turns that takes up."""

    alone: Sequence[Waiting]
    together: Sequence[Waiting] = ()
    span: Span | None = None
    turns: int = 1


class Waves:
    """Chooses by what is known of the orders; turns are ``pace`` seconds apart."""

    def __init__(self, known: Known, pace: float) -> None:
        self._known = known
        self._pace = pace
        self._longest = OLD_SECONDS
        self._full_at = 0.0
        self._shared = 0

    def round(self, now: float) -> Round:
        """What it takes to see all orders under way once."""
        return self._known.round(self._longest, now)

    def round_seconds(self, now: float) -> float:
        """How long that takes, where each turn is a page; a minute at most, since what is known of it is not sure."""
        return min(self.round(now).pages * self._pace, ROUND_SECONDS_MAX)

    def heard_at(self, each: Waiting) -> float:
        """When something was heard of an order, its send at the least."""
        return max(self._known.seen_at(each.topup_id), each.seen_at, each.sent_at)

    def for_themselves(self, those: Iterable[Waiting], now: float) -> list[Waiting]:
        """Those whom a page answers only when they are delivered: the old ones, unless the budget would not do."""
        # As many may wait at each of the other workers.
        many = len(self._known.made_before(now - OLD_SECONDS)) >= FEW_OLD or len(self.round(now).seen) >= CROWD
        old = _old(those, now)
        return [] if many or len(old) >= FEW_OLD else old

    def measure(self, span: Span, rows: Sequence[TopUpRecord], now: float, *, full: bool) -> None:
        """Learn from a page how much time one holds."""
        self._longest = longest_from(span, rows, self._longest, full=full)
        if full:
            self._full_at = now

    def choose(self, waiting: Sequence[Waiting], now: float, *, trusted: bool) -> Wave:
        """Choose from those who wait; ``trusted``: whether a page may be asked for."""
        everybody = sorted(waiting, key=lambda each: each.since)
        if not trusted:
            return Wave(everybody[:IN_DISTRUST], turns=1)
        if wave := self._page(everybody, self._fit(everybody, now), now):
            return wave
        few = everybody[: FEW - 1]
        return Wave(few, turns=len(few))

    def _fit(self, everybody: Sequence[Waiting], now: float) -> dict[Waiting, Made]:
        made = {each: self._known.made(each.topup_id, each.sent_at) for each in everybody if not each.alone}
        fit = {each: self._narrow(at) for each, at in made.items() if at is not None}
        alone = self.for_themselves(fit, now)
        if not alone and (old := _old(fit, now)):
            self._shared += 1
            alone = old[:1] if self._shared % SAMPLE_EVERY == 0 else []
        return {each: at for each, at in fit.items() if each not in alone}

    def _narrow(self, made: Made) -> Made:
        # Where a page holds but a few seconds, no span covers all of a doubtful time: the likely part must do.
        likely = made.earliest + SKEW_MARGIN_SECONDS
        return made if made.latest - made.earliest < self._longest / 2 else Made(likely, likely)

    def _page(self, everybody: Sequence[Waiting], fit: Mapping[Waiting, Made], now: float) -> Wave | None:
        """A page for those who fit on one, and one who doesn't by itself; None where it would be for too few."""
        if not fit:
            return None
        first = min(fit, key=self.heard_at)
        unfit = [each for each in everybody if each not in fit][:1]
        if wave := self._around(fit, first, now):
            return replace(wave, alone=unfit, turns=len(unfit) + 1)
        # Whoever is that far from the others doesn't keep them waiting, nor one that no page can hold.
        others = {each: made for each, made in fit.items() if each is not first}
        if others and (wave := self._around(others, None, now)):
            return replace(wave, alone=[min((first, *unfit), key=lambda each: each.since)], turns=2)
        if len(fit) >= FEW and now > self._full_at + FULL_SECONDS:
            # It was once so short because many were made at once.
            self._longest = min(self._longest * GROWTH, SPAN_MAX_SECONDS)
        return None

    def _around(self, fit: Mapping[Waiting, Made], first: Waiting | None, now: float) -> Wave | None:
        others = self._known.under_way(not_since=now - self.round_seconds(now) / 2)
        span = best_span(list(fit.values()), others.values(), self._longest, around=fit[first] if first else None)
        together = [each for each, at in fit.items() if span.covers(at)]
        on_it = {key for key, at in others.items() if span.since <= at <= span.until}
        on_it |= {each.topup_id for each in together}
        return Wave((), together, span) if together and len(on_it) >= FEW else None


def _old(those: Iterable[Waiting], now: float) -> list[Waiting]:
    return [each for each in those if each.sent_at < now - OLD_SECONDS]
