"""How the requests of one key are shared out, as pure functions: at most ``limit`` in any 61 s.

Sends come first, then what confirms them, then checks, then reconciliation. Each kind has a *ceiling*: beyond it the
rest of the window is left to those before it. And each has a *floor*: places that nobody else takes while the kind
has something to ask, so that none of them starves. Whoever finds no place gets a *ticket*, a time to come back at; a
newcomer joins that queue at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["send", "validate", "confirm", "check", "audit"]

# Requests per minute. Source: the vendor's bill payment SDK; the mobile pages give no number.
DEFAULT_LIMITS = {"sandbox": 60, "production": 120}
# A second more than the minute: requests may arrive closer together than they left.
WINDOW_SECONDS = 61.0
# Requests are counted in slots of this length, so that the books stay small at any limit.
SLOT_SECONDS = 0.125
# A queue that is longer than this, s, is joined at its end: whoever was told to come back finds a place then.
QUEUE_SECONDS = 5.0
# One that is longer than this is from before the clock was set back.
QUEUE_MAX_SECONDS = 900.0


@dataclass(frozen=True)
class Share:
    """A kind's part of the window: more than `floor` only while less than `ceiling` is taken or kept in all."""

    ceiling: float
    floor: float


SHARES: Mapping[Kind, Share] = {
    "send": Share(1.0, 0.0),
    "validate": Share(1.0, 0.0),
    "confirm": Share(0.9, 0.1),
    "check": Share(0.75, 0.2),
    "audit": Share(0.5, 0.025),
}


class Window(BaseModel):
    """What left in the last minute, and who would like to.

    Attributes:
        slots: start of a slot (s since the epoch), kind, how many left in it; oldest first.
        wanted: when a kind last found no place.
        tickets: the latest time that somebody of a kind was told to come back at.
    """

    model_config = ConfigDict(frozen=True)

    slots: tuple[tuple[float, Kind, int], ...] = ()
    wanted: dict[Kind, float] = {}
    tickets: dict[Kind, float] = {}

    def since(self, now: float) -> Window:
        """The same without what no longer counts."""
        kept = tuple(slot for slot in self.slots if _ends(slot[0]) > now)
        return self.model_copy(update={"slots": kept})

    @property
    def newest(self) -> float:
        """When the last request left; 0 when none counts."""
        return self.slots[-1][0] if self.slots else 0.0


def take(window: Window, kind: Kind, limit: int, now: float, *, newcomer: bool) -> tuple[Window, float]:
    """Return the window after taking a place and 0, or with the wish noted and the seconds until there is one."""
    window = window.since(now)
    queue = window.tickets.get(kind, 0.0) - now if newcomer else 0.0
    wait = queue if QUEUE_SECONDS < queue < QUEUE_MAX_SECONDS else _wait(window, kind, limit, now)
    if wait > 0:
        return window.model_copy(update={"wanted": {**window.wanted, kind: now}}), wait
    return window.model_copy(update={"slots": _with_one_more(window.slots, kind, now)}), 0.0


def moved(window: Window, kind: Kind, taken_at: float, now: float) -> Window:
    """Return the window with a place that was taken earlier counted from now: its request leaves only now."""
    start = taken_at - taken_at % SLOT_SECONDS
    kept = tuple(
        (at, each, number - ((at, each) == (start, kind)))
        for at, each, number in window.slots
        if (at, each) != (start, kind) or number > 1
    )
    return window.model_copy(update={"slots": _with_one_more(kept, kind, now)})


def ticket(window: Window, kind: Kind, limit: int, now: float, wait: float) -> tuple[Window, float]:
    """Return the window with one more in the queue of a kind, and in how many seconds that one should come back."""
    before = window.tickets.get(kind, 0.0)
    at = max(now + wait, min(before, now + QUEUE_MAX_SECONDS) + WINDOW_SECONDS / _pace(window, kind, limit, now))
    return window.model_copy(update={"tickets": {**window.tickets, kind: at}}), at - now


def floor(kind: Kind, limit: int) -> int:
    """How many places of a window nobody takes from a kind."""
    return int(limit * SHARES[kind].floor)


def _wait(window: Window, kind: Kind, limit: int, now: float) -> float:
    counts: Counter[Kind] = Counter()
    for _, each, number in window.slots:
        counts[each] += number
    reserved = _reserved(window, counts, kind, limit, now)
    at = now
    for start, each, number in window.slots:
        if _fits(counts, kind, limit, reserved):
            break
        at = _ends(start)
        counts[each] -= number
    return at - now


def _fits(counts: Counter[Kind], kind: Kind, limit: int, reserved: Mapping[Kind, int]) -> bool:
    total = counts.total()
    if total >= limit:
        return False
    if counts[kind] < floor(kind, limit):
        return True
    kept = sum(max(0, places - counts[other]) for other, places in reserved.items())
    return total + kept < max(1, int(limit * SHARES[kind].ceiling))


def _reserved(window: Window, counts: Mapping[Kind, int], kind: Kind, limit: int, now: float) -> dict[Kind, int]:
    def asks(other: Kind) -> bool:
        # A send will want to be checked.
        sure = other == "check" and (kind == "send" or counts.get("send", 0) > 0)
        return sure or counts.get(other, 0) > 0 or window.wanted.get(other, 0.0) > now - WINDOW_SECONDS

    return {other: floor(other, limit) for other in SHARES if other != kind and asks(other)}


def _pace(window: Window, kind: Kind, limit: int, now: float) -> float:
    counts: Counter[Kind] = Counter(each for _, each, _ in window.slots)
    kept = sum(_reserved(window, counts, kind, limit, now).values())
    return max(1.0, floor(kind, limit), limit * SHARES[kind].ceiling - kept)


def _with_one_more(
    slots: tuple[tuple[float, Kind, int], ...], kind: Kind, now: float
) -> tuple[tuple[float, Kind, int], ...]:
    start = now - now % SLOT_SECONDS
    same = next((place for place, slot in enumerate(slots) if slot[:2] == (start, kind)), None)
    if same is None:
        return (*slots, (start, kind, 1))
    return (*slots[:same], (start, kind, slots[same][2] + 1), *slots[same + 1 :])


def _ends(start: float) -> float:
    return start + SLOT_SECONDS + WINDOW_SECONDS
