"""Instants: epoch seconds inside, ISO 8601 UTC outside."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Gives the present instant in epoch seconds. ``time.time`` outside of tests."""


def iso(instant: float, timespec: str = "milliseconds") -> str:
    """``2026-01-31T10:00:00.000Z``: the provider's form; the ledger asks for microseconds."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def instant(text: str) -> float:
    """The instant that ``text`` names; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
