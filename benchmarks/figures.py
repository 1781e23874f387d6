"""The figures of a run at the provider's rate limit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from benchmarks.closed_loop import ClosedLoop
from benchmarks.ground import quantile
from benchmarks.ledger import POLLING, Books, Span

LIMIT = 120


@dataclass(frozen=True)
class Lag:
    """From an order's true end to its owner's knowing of it, seconds."""

    mean: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Figures:
    """One contender's in a span; `most_in_a_minute` is of the whole time in which the limit was its own.

    `waits` are seconds from each order's end to its owner's knowing of it.
    """

    minutes: float
    orders: int
    requests: Counter[str]
    refused: int
    most_in_a_minute: int
    sent_twice: int
    waits: tuple[float, ...]
    under_way: int

    @property
    def lag(self) -> Lag | None:
        """Of the orders that ended; None when none did."""
        return lag_of(self.waits)

    @property
    def orders_a_minute(self) -> float:
        """Orders whose end became known."""
        return self.orders / self.minutes

    @property
    def requests_an_order(self) -> float | None:
        """All requests of the key, sends and refused ones included."""
        return self.requests.total() / self.orders if self.orders else None

    @property
    def polling_a_minute(self) -> float:
        """Requests that ask how orders are."""
        return sum(count for kind, count in self.requests.items() if kind in POLLING) / self.minutes

    @property
    def bound(self) -> float:
        """How many orders a minute could be sent beside that polling."""
        return LIMIT - self.polling_a_minute

    def facts(self) -> dict[str, Any]:
        """Everything, for the JSON."""
        return {
            "orders": self.orders,
            "orders_a_minute": self.orders_a_minute,
            "requests_a_minute": {kind: count / self.minutes for kind, count in sorted(self.requests.items())},
            "requests_an_order": self.requests_an_order,
            "answered_429": self.refused,
            "most_requests_in_any_60_s": self.most_in_a_minute,
            "orders_that_exist_twice": self.sent_twice,
            "lag_s": _plain(self.lag),
            "sent_and_not_delivered_in_the_middle": self.under_way,
        }


def lag_of(waits: Iterable[float]) -> Lag | None:
    """Summarise lags; None when there are none."""
    ordered = sorted(waits)
    if not ordered:
        return None
    return Lag(fmean(ordered), quantile(ordered, 0.5), quantile(ordered, 0.99))


def figures(books: Books, span: Span, known: dict[str, float], *, since: float = 0.0) -> Figures:
    """Judge a contender; `known` is when it knew of each order's end. The limit was its own `since` (epoch seconds)."""
    in_span = {ref: at for ref, at in known.items() if at in span}
    delivered = books.delivered()
    return Figures(
        minutes=span.minutes,
        # An end that the provider knows nothing of is no order delivered.
        orders=sum(ref in delivered for ref in in_span),
        requests=books.requests(span),
        refused=books.refused(span),
        most_in_a_minute=books.most_in_a_minute(since),
        sent_twice=books.sent_twice(),
        waits=tuple(at - delivered[ref] for ref, at in in_span.items() if ref in delivered),
        under_way=books.under_way((span.since + span.until) / 2),
    )


def client_facts(loop: ClosedLoop, span: Span) -> dict[str, Any]:
    """Whether the client was what was slow: its loop's lateness, and results after workflows' ends."""
    heard = lag_of(one.at - one.finished_at.timestamp() for one in loop.finished if one.at in span)
    return {
        "phases": dict(Counter(one.phase for one in loop.finished if one.at in span)),
        "loop_lateness_s": _plain(lag_of(loop.lateness)),
        "result_after_the_workflows_end_s": _plain(heard),
    }


def _plain(lag: Lag | None) -> dict[str, float] | None:
    return asdict(lag) if lag else None
