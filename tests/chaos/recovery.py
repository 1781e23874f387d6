"""How long an order waits after a kill: from a worker that polls again, or a server that answers, to its request.

A request that is due only later counts from then: no order is asked about twice within five seconds. A page of the
list that shows the order counts as a request about it, from when one is due: it may have been for others, so where
checks share pages an order may have waited longer than the figures say.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from tests.chaos.books import Books, read
from tests.chaos.invariants.evidence import Fault, ProcessEvent, Story
from tests.chaos.invariants.troubles import is_crew

SEND_WINDOWS = frozenset({"before", "received", "committed", "answered", "send"})
# There an order has nothing to do before its recheck, or isn't known yet.
IDLE_WINDOWS = frozenset({"sleep", "start"})
MEASURED = frozenset({"F1", "F2", "F3"})
POLL_GAP_SECONDS = 5.0
# The longest wait between two polls, and a little.
POLLED_SECONDS = 12.0


@dataclass(frozen=True)
class Figures:
    """Recovery of `n` orders, seconds; None without any. `unrecovered` were never asked about again and didn't end."""

    n: int = 0
    p50: float | None = None
    p99: float | None = None
    max: float | None = None
    unrecovered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recovery:
    """Figures by who was killed and what the order was doing: `worker/send`, `server/check`, `everybody/send`…"""

    groups: dict[str, Figures] = field(default_factory=dict)
    overall: Figures = field(default_factory=Figures)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Sample:
    """One order after one kill; `seconds` is None when nothing came any more."""

    group: str
    ref: str
    seconds: float | None


def recovery(folder: Path) -> Recovery:
    """Measure every order that a quiet kill met."""
    return of_samples(samples(read(folder)))


def samples(books: Books) -> list[Sample]:
    """Return every order that a quiet kill met, in the order of the kills."""
    return [sample for fault in books.faults if _is_measured(fault) for sample in _samples(fault, books)]


def of_samples(found: Iterable[Sample]) -> Recovery:
    """Sum up samples, of one run or of several."""
    every = list(found)
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in every:
        groups[sample.group].append(sample)
    return Recovery({name: figures(group) for name, group in sorted(groups.items())}, figures(every))


def figures(found: Iterable[Sample]) -> Figures:
    """Return how long these orders waited."""
    every = list(found)
    values = [sample.seconds for sample in every if sample.seconds is not None]
    unrecovered = tuple(sample.ref for sample in every if sample.seconds is None)
    if not values:
        return Figures(unrecovered=unrecovered)
    return Figures(len(values), percentile(values, 50), percentile(values, 99), max(values), unrecovered)


def percentile(values: Iterable[float], q: float) -> float:
    """Return the smallest value that at least `q` per cent of all are not above. Raises ValueError without values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(ceil(len(ordered) * q / 100) - 1, 0)]


def _is_measured(fault: Fault) -> bool:
    return fault.quiet and fault.fault in MEASURED and fault.window not in IDLE_WINDOWS


def _samples(fault: Fault, books: Books) -> Iterable[Sample]:
    kills = _kills(fault, books.processes)
    returns = [_return(kill, books.processes) for kill in kills]
    known = [at for at in returns if at is not None]
    if not kills:
        return []
    killed_at, ready_at = min(kill.at for kill in kills), max(known) if len(known) == len(returns) else None
    what = "send" if fault.endpoint == "send" or fault.window in SEND_WINDOWS else "check"
    group = f"{_who(kills)}/{what}"
    stories = [books.stories[ref] for ref in fault.targets if ref in books.stories]
    return [Sample(group, story.ref, _seconds(story, books, killed_at, ready_at)) for story in stories]


def _kills(fault: Fault, events: list[ProcessEvent]) -> list[ProcessEvent]:
    """The last kill of a worker (F1), of Temporal (F2), of both (F3) before the fault was written down."""
    kills = [event for event in events if event.what == "kill" and event.at <= fault.at]
    kills = [event for event in kills if event.round in {None, fault.round}]
    workers = [event for event in kills if is_crew(event.name)]
    servers = [event for event in kills if event.name == "temporal"]
    wanted = {"F1": (workers,), "F2": (servers,), "F3": (workers, servers)}[fault.fault]
    return [found[-1] for found in wanted if found]


def _return(kill: ProcessEvent, events: list[ProcessEvent]) -> float | None:
    """When the killed one, or for a worker another of the crew, was there again."""
    for event in events:
        is_same = event.name == kill.name or (is_crew(event.name) and is_crew(kill.name))
        if event.what == "ready" and event.at > kill.at and is_same:
            return event.at
    return None


def _who(kills: list[ProcessEvent]) -> str:
    if len(kills) > 1:
        return "everybody"
    return "server" if kills[0].name == "temporal" else "worker"


def _seconds(story: Story, books: Books, killed_at: float, ready_at: float | None) -> float | None:
    own, pages = [request.at for request in story.requests], [books.asked_at(page) for page in story.pages]
    due_at = _due_at(own, pages, killed_at)
    later = [*(at for at in own if at > killed_at), *(at for at in pages if at > max(killed_at, due_at))]
    finished_at = story.end.finished_at if story.end else None
    at = min(later, default=finished_at if finished_at and finished_at > killed_at else None)
    if at is None or ready_at is None:
        return None
    return max(0.0, at - max(ready_at, due_at))


def _due_at(own: list[float], pages: list[float], killed_at: float) -> float:
    """The earliest moment at which the order may be asked about again; the true one is up to five seconds later.

    An order whose last request of its own is too long ago was asked about on a page; which one nobody knows.
    """
    before = [at for at in own if at <= killed_at]
    if not before or max(before) < killed_at - POLLED_SECONDS:
        before += [at for at in pages if at <= killed_at]
    return max(before) + POLL_GAP_SECONDS if before else 0.0
