"""Every wait of an order, as data."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.story import BEGAN
from topups.policy import Policy
from topups.settings import PolicySettings


def test_the_defaults_are_those_of_the_documentation() -> None:
    policy = Policy()
    assert (policy.first_check, policy.poll_min, policy.poll_max, policy.poll_count) == (5, 5, 10, 60)
    assert (policy.slow_poll, policy.unknown_recheck, policy.unknown_review_after) == (300, 86_400, 3)
    assert (policy.lookup_waits, policy.max_resends) == ((5, 10, 20, 60), 5)
    assert (policy.hold_min, policy.hold_max) == (30, 300)


@pytest.mark.parametrize(
    "waits",
    [
        {"poll_min": 11},
        {"hold_min": 301},
        {"lookup_waits": (10, 5)},
        {"lookup_waits": ()},
        {"first_check": 0},
        {"slow_poll": -1},
        {"poll_count": 0},
        {"max_resends": -1},
        {"unknown_recheck": float("nan")},
        {"poll_max": float("inf")},
        {"lookup_waits": (5, float("inf"))},
    ],
)
def test_waits_that_make_no_sense_are_refused(waits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy(**waits)


@given(polls=st.integers(0, 10_000), unanswered=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_no_wait_for_a_check_is_shorter_than_the_fastest_or_longer_than_the_slowest(
    polls: int, unanswered: int, chance: float
) -> None:
    policy = Policy()
    assert policy.poll_min <= policy.poll_wait(polls, unanswered, chance) <= policy.slow_poll


@given(holds=st.integers(0, 1_000_000))
def test_no_hold_is_shorter_than_the_shortest_or_longer_than_the_longest(holds: int) -> None:
    assert 30 <= Policy().hold_wait(holds) <= 300


@given(passed=st.floats(0, 10 * 86_400))
def test_a_daily_check_is_always_in_the_future_and_a_whole_number_of_days_after_the_first(passed: float) -> None:
    now = BEGAN + timedelta(seconds=passed)
    due = Policy().unknown_due(BEGAN, now)
    assert now < due <= now + timedelta(days=1)
    assert (due - BEGAN) % timedelta(days=1) == timedelta(0)


def test_the_ladder_of_look_ups_ends() -> None:
    assert [Policy().lookup_wait(number) for number in range(5)] == [5, 10, 20, 60, None]


def test_every_wait_is_a_setting_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(PolicySettings.model_fields) == set(Policy.model_fields)
    monkeypatch.setenv("TOPUPS_LOOKUP_WAITS", "1, 2,3,30")
    monkeypatch.setenv("TOPUPS_POLL_COUNT", "7")
    policy = PolicySettings().policy()
    assert (policy.lookup_waits, policy.poll_count, policy.hold_max) == ((1, 2, 3, 30), 7, 300)


def test_the_waits_may_be_given_as_numbers_too() -> None:
    assert PolicySettings(lookup_waits=(1.0, 2.0, 3.0, 30.0)).policy().lookup_waits == (1, 2, 3, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOPUPS_LOOKUP_WAITS", "5,10,60"),
        ("TOPUPS_LOOKUP_WAITS", "60"),
        ("TOPUPS_LOOKUP_WAITS", "5,10,20,29.9"),
        ("TOPUPS_LOOKUP_WAITS", "30,10,20,5"),
        ("TOPUPS_LOOKUP_WAITS", ""),
        ("TOPUPS_LOOKUP_WAITS", "5,10,20,nan"),
        ("TOPUPS_MAX_RESENDS", "6"),
    ],
)
def test_no_setting_makes_a_second_send_easier_than_the_protocol_allows(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("TOPUPS_").lower()):
        PolicySettings().policy()


@pytest.mark.parametrize(("name", "value"), [("TOPUPS_LOOKUP_WAITS", "5,6"), ("TOPUPS_MAX_RESENDS", "9")])
def test_a_setting_that_would_send_too_easily_says_its_bound(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=rf"{name} .*at (least 4 waits, the last at least 30 s|most 5)"):
        PolicySettings().policy()


def test_an_order_under_way_with_a_shorter_ladder_is_still_read() -> None:
    old = Policy(lookup_waits=(5.0, 6.0), max_resends=9)
    assert Policy.model_validate_json(old.model_dump_json()) == old


@pytest.mark.parametrize(("name", "value"), [("TOPUPS_POLL_MIN", "60"), ("TOPUPS_HOLD_MAX", "1")])
def test_a_setting_that_makes_no_sense_names_itself(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removesuffix("_MIN").removesuffix("_MAX")):
        PolicySettings().policy()
