"""Lengths and times as people type them: 90m, 2h, 3d; 2026-11-24, yesterday, 2h for two hours ago."""

import re
from datetime import UTC, datetime, timedelta

_LENGTH = re.compile(r"(?:[0-9]{1,6}[smhd])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Longer than any namespace keeps an order, and short of what a date can hold.
LONGEST = timedelta(days=3_650)
A_LENGTH = "must be a length of time like 90m, 2h, 3d or 1d12h"
A_TIME = "must be a time like 2026-11-24, 2026-11-24T10:30 (UTC), today, yesterday, or 2h for two hours ago"


def length_of(typed: str) -> timedelta | None:
    """Return a length of time; None for what is none, for nothing at all, and for more than ten years."""
    if _LENGTH.fullmatch(typed) is None:
        return None
    parts = [timedelta(**{_UNITS[unit]: int(count)}) for count, unit in _PART.findall(typed)]
    length = sum(parts, timedelta())
    return length if timedelta() < length <= LONGEST else None


def moment_of(typed: str, now: datetime) -> datetime | None:
    """Return a time, UTC where none is said, or a length of time before now; None for what is neither."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"today": midnight, "yesterday": midnight - timedelta(days=1)}.get(typed)
    if named is not None:
        return named
    length = length_of(typed)
    if length is not None:
        return now - length
    try:
        moment = datetime.fromisoformat(typed)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
