"""When processes were dead, frozen or away: what excuses a promise that leans on somebody who is alive."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from tests.chaos.invariants.evidence import ProcessEvent

Span = tuple[float, float]
Events = list[ProcessEvent]

# What waited at a frozen provider's door is read in one go when it goes on.
BACKLOG_SECONDS = 3.0
# A kill or a thaw is written down after it was done, a freeze before.
NOTED_LATE_SECONDS = 0.5

_BLOWS = frozenset({"kill", "freeze", "thaw", "exited"})
_GOES = frozenset({"kill", "freeze", "stop", "exited"})
_COMES = frozenset({"ready", "thaw"})
_SERVERS = frozenset({"temporal", "provider", "client"})
_CREW = re.compile(r"worker-\d+")


def is_crew(name: str) -> bool:
    """Tell whether a worker of this name belongs to the main queue for good."""
    return _CREW.fullmatch(name) is not None


def serves(name: str, queue: str | None, queues: Iterable[str]) -> bool:
    """Tell whether a process is a worker of a queue: it is named after it, and after none for the main one."""
    if name in _SERVERS:
        return False
    own = {each for each in queues if name == each or name.startswith(f"{each}-")}
    return queue in own if queue else not own


@dataclass(frozen=True)
class Troubles:
    """What happened to those who serve one queue. `blows` are moments, sorted; the rest are spans of time.

    `crew_away`: no worker was there. `strangers`: a worker of another account or environment took tasks from the
    queue. A worker that stands still excuses nothing: it neither asks nor hears.
    """

    blows: tuple[float, ...] = ()
    temporal_away: tuple[Span, ...] = ()
    provider_away: tuple[Span, ...] = ()
    provider_frozen: tuple[Span, ...] = ()
    crew_away: tuple[Span, ...] = ()
    strangers: tuple[Span, ...] = ()

    @classmethod
    def of(cls, events: Events, queue: str | None = None, queues: Iterable[str] = ()) -> "Troubles":
        """Sum up what happened to the processes that an order of this queue leans on."""
        names = {event.name for event in events}
        workers = {name for name in names if serves(name, queue, queues)}
        by_name: dict[str, Events] = defaultdict(list)
        for event in sorted(events, key=lambda event: event.at):
            by_name[event.name].append(event)
        crew = {name for name in workers if queue or is_crew(name)} or workers
        return cls(
            blows=tuple(
                sorted(event.at for name in workers | {"temporal"} for event in by_name[name] if event.what in _BLOWS)
            ),
            temporal_away=tuple(_away(by_name["temporal"])),
            provider_away=tuple(_away(by_name["provider"])),
            provider_frozen=tuple(_frozen(by_name["provider"])),
            crew_away=tuple(_nobody([event for name in crew for event in by_name[name]])),
            strangers=tuple(_there([event for name in workers if "stranger" in name for event in by_name[name]])),
        )

    def between(self, since: float, until: float) -> bool:
        """Tell whether a worker or Temporal was killed, frozen or thawed between two moments, or Temporal away."""
        place = bisect_left(self.blows, since - NOTED_LATE_SECONDS)
        if place < len(self.blows) and self.blows[place] <= until + NOTED_LATE_SECONDS:
            return True
        return overlaps(self.temporal_away, since, until)

    def backlogged(self, since: float, until: float) -> bool:
        """Tell whether the provider was frozen, or had just been, so that the ledger's times are its own."""
        return overlaps(self.provider_frozen, since - BACKLOG_SECONDS, until)


def overlaps(spans: Iterable[Span], since: float, until: float) -> bool:
    """Tell whether one of the spans touches the time between two moments."""
    return any(start <= until and since <= end for start, end in spans)


def _away(events: Events) -> list[Span]:
    return _spans(events, _GOES, _COMES)


def _frozen(events: Events) -> list[Span]:
    return _spans(events, frozenset({"freeze"}), frozenset({"thaw", "kill", "exited"}))


def _there(events: Events) -> list[Span]:
    return _spans(sorted(events, key=lambda event: event.at), _COMES, _GOES)


def _spans(events: Events, begin: frozenset[str], finish: frozenset[str]) -> list[Span]:
    spans: list[Span] = []
    since: float | None = None
    for event in events:
        if event.what in finish and since is not None:
            spans.append((since, event.at))
            since = None
        elif event.what in begin and since is None:
            since = event.at
    return spans if since is None else [*spans, (since, inf)]


def _nobody(events: Events) -> list[Span]:
    """When none of these processes was there; each is there from its first `ready` on."""
    present: set[str] = set()
    spans: list[Span] = []
    since = -inf
    for event in sorted(events, key=lambda event: event.at):
        was_manned = bool(present)
        if event.what in _COMES:
            present.add(event.name)
        elif event.what in _GOES:
            present.discard(event.name)
        if present and not was_manned:
            spans.append((since, event.at))
        elif was_manned and not present:
            since = event.at
    return spans if present or not events else [*spans, (since, inf)]
