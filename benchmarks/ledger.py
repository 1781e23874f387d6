"""What the provider's ledger says of a key: the judge, which shares no code with anybody who is judged."""

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

MINUTE_SECONDS = 60.0
FINAL = frozenset({"FULFILLED", "REFUNDED"})
POLLING = frozenset({"list", "check-id", "check-ref"})
TOO_MANY = 429

Json = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A stretch of time, epoch seconds; `until` is not in it."""

    since: float
    until: float

    @property
    def minutes(self) -> float:
        """Its length."""
        return (self.until - self.since) / MINUTE_SECONDS

    def __contains__(self, moment: float) -> bool:
        return self.since <= moment < self.until


ALWAYS = Span(0.0, math.inf)


@dataclass(frozen=True, slots=True)
class Row:
    """What is needed of a row of the ledger; `at` in epoch seconds."""

    at: float
    kind: str
    endpoint: str | None
    ref: str | None
    status: str | None
    http: int | None


class Tail:
    """A growing file of JSON lines, of which each call gives what is new."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0

    def new(self) -> Iterator[Json]:
        """Yield the whole lines that were written since the last call."""
        with self._file.open("rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield json.loads(line)


class Books:
    """One key's rows, oldest first. Read once, after a run."""

    def __init__(self, ledger: Path, key: str) -> None:
        self.rows = [_row(line) for line in Tail(ledger).new() if line["key"] == key]

    def requests(self, span: Span) -> Counter[str]:
        """How many requests of each kind arrived, refused ones too."""
        return Counter(str(row.endpoint) for row in self._of("request") if row.at in span)

    def refused(self, span: Span) -> int:
        """How many were answered 429."""
        return sum(row.http == TOO_MANY for row in self._of("answer") if row.at in span)

    def most_in_a_minute(self, since: float = 0.0) -> int:
        """The greatest number of requests in any 60 s, of all those since then (epoch seconds)."""
        return most_in_a_minute(row.at for row in self._of("request") if row.at >= since)

    def delivered(self) -> dict[str, float]:
        """When each order truly ended."""
        return {str(row.ref): row.at for row in self._of("delivery")}

    def told(self) -> dict[str, float]:
        """When somebody who asks for each order by its id or ref was first told its final status."""
        told: dict[str, float] = {}
        for row in self._of("answer"):
            if row.endpoint in POLLING and row.ref is not None and row.status in FINAL:
                told.setdefault(row.ref, row.at)
        return told

    def sent_twice(self) -> int:
        """How many orders exist more than once."""
        return sum(count > 1 for count in Counter(row.ref for row in self._of("commit")).values())

    def under_way(self, moment: float) -> int:
        """How many orders had been sent and not delivered."""
        past = Counter(row.kind for row in self.rows if row.at < moment)
        return past["commit"] - past["delivery"]

    def _of(self, kind: str) -> Iterator[Row]:
        return (row for row in self.rows if row.kind == kind)


def most_in_a_minute(moments: Iterable[float]) -> int:
    """The greatest number of moments (seconds) in any 60 s, where one exactly 60 s old is out of it."""
    ordered = sorted(moments)
    ends = (bisect_right(ordered, moment - MINUTE_SECONDS) for moment in ordered)
    return max((place + 1 - first for place, first in enumerate(ends)), default=0)


def _row(line: Json) -> Row:
    at = datetime.fromisoformat(line["at"]).timestamp()
    return Row(at, *(line[name] for name in ("kind", "endpoint", "ref", "status", "http")))
