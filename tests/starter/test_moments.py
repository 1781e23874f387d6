"""Lengths and times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.moments import LONGEST, length_of, moment_of

NOW = datetime(2026, 11, 24, 10, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("45s", 45), ("90m", 5_400), ("2h", 7_200), ("3d", 259_200), ("1d12h", 129_600), ("1h30m5s", 5_405)],
)
def test_lengths_are_a_number_and_a_unit_as_often_as_one_likes(typed: str, seconds: int) -> None:
    assert length_of(typed) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "typed", ["", "2", "h", "0h", "-2h", "2 h", "1.5h", "2H", "٢h", "2h\n", "2w", "9999999d", "4000d"]
)
def test_what_is_no_length_is_none(typed: str) -> None:
    assert length_of(typed) is None


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("today", datetime(2026, 11, 24, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 24, 8, 30, 15, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:15", datetime(2026, 11, 20, 8, 15, tzinfo=UTC)),
        ("2026-11-20T08:15:30Z", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-20T08:15+01:00", datetime(2026, 11, 20, 7, 15, tzinfo=UTC)),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(typed: str, moment: datetime) -> None:
    assert moment_of(typed, NOW) == moment


@pytest.mark.parametrize(
    "typed", ["", "tomorrow", "24/11/2026", "2026-13-01", "10:30", "0001-01-01T00:00+14:00", "now"]
)
def test_what_is_no_time_is_none(typed: str) -> None:
    assert moment_of(typed, NOW) is None


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(typed: str) -> None:
    moment = moment_of(typed, NOW)
    assert moment is None or moment.tzinfo is not None
    length = length_of(typed)
    assert length is None or timedelta() < length <= LONGEST
