"""What a list may be asked for, and that nothing else gets into its query."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.temporal import FakeTemporal
from topups import InvalidFilter, InvalidTopUp
from topups.filters import Filters

AT = datetime(2026, 11, 24, 11, 0, tzinfo=timezone(timedelta(hours=1)))


def terms(**wanted: Any) -> list[str]:
    """What a filter adds to what every query says."""
    return Filters(**wanted).query().split(" AND ")[2:]


def test_every_query_is_about_orders_and_never_about_their_old_runs() -> None:
    assert Filters().query() == "WorkflowType = 'TopUp' AND ExecutionStatus != 'ContinuedAsNew'"


@pytest.mark.parametrize(
    ("wanted", "term"),
    [
        ({"phase": "ON_HOLD"}, "TopUpPhase = 'ON_HOLD'"),
        ({"plan_code": "PIXX_500"}, "TopUpPlan = 'PIXX_500'"),
        ({"phone_tail": "067"}, "TopUpPhoneTail = '067'"),
        ({"unchanged_since": AT}, "TopUpPhaseSince <= '2026-11-24T10:00:00+00:00'"),
        ({"accepted_after": AT}, "TopUpAcceptedAt >= '2026-11-24T10:00:00+00:00'"),
        ({"accepted_before": AT}, "TopUpAcceptedAt < '2026-11-24T10:00:00+00:00'"),
        ({"finished_since": AT}, "CloseTime >= '2026-11-24T10:00:00+00:00'"),
        ({"open_only": True}, "ExecutionStatus = 'Running'"),
    ],
)
def test_each_filter_is_one_term_and_times_are_utc(wanted: dict[str, Any], term: str) -> None:
    assert terms(**wanted) == [term]


def test_filters_together_are_all_asked_for() -> None:
    assert terms(phase="ON_HOLD", phone_tail="567", open_only=True) == [
        "TopUpPhase = 'ON_HOLD'",
        "TopUpPhoneTail = '567'",
        "ExecutionStatus = 'Running'",
    ]


def test_an_order_that_was_broken_off_needs_review_whatever_its_attribute_says() -> None:
    broken_off = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
    assert terms(needs_review=True) == [f"(TopUpNeedsReview = true OR {broken_off})"]
    assert terms(needs_review=False) == [
        "(TopUpNeedsReview = false",
        "ExecutionStatus NOT IN ('Terminated', 'Failed', 'TimedOut'))",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("phase", value) for value in ("DONE", "", "pending", "ON_HOLD' OR TopUpPhase != '")],
        *[("plan_code", value) for value in ("", "a-b", "x" * 65, "P' OR '1' = '1", "خطة", "P\n")],
        *[("phone_tail", value) for value in ("", "67", "4567", "0771234567", "٥٦٧", "56x", "567\n", "' O")],
        *[(name, AT.replace(tzinfo=None)) for name in ("unchanged_since", "accepted_after", "accepted_before")],
    ],
)
def test_a_value_of_another_shape_is_named_and_asks_nothing(field: str, value: Any) -> None:
    with pytest.raises(InvalidFilter) as caught:
        Filters(**{field: value})
    assert list(caught.value.problems) == [field]
    assert isinstance(caught.value, InvalidTopUp)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_no_text_ever_adds_a_quote_or_a_term_to_a_query(phase: str, plan: str, tail: str) -> None:
    for wanted in ({"phase": phase}, {"plan_code": plan}, {"phone_tail": tail}):
        try:
            query = Filters.model_validate(wanted).query()
        except InvalidFilter:
            continue
        assert query.count("'") == 6
        assert query.count(" AND ") == 2


async def test_a_list_with_a_wrong_filter_never_reaches_temporal() -> None:
    temporal = FakeTemporal()
    with pytest.raises(InvalidFilter, match="phone_tail: must be the number's last three digits"):
        _ = [row async for row in temporal.topups().list(phone_tail="0771234567")]
    assert not temporal.queries


async def test_a_list_asks_for_every_filter() -> None:
    temporal = FakeTemporal()
    listed = temporal.topups().list(
        "ON_HOLD", plan_code="P", phone_tail="567", unchanged_since=AT, accepted_after=AT, accepted_before=AT
    )
    assert [row async for row in listed] == []
    same = Filters(
        phase="ON_HOLD", plan_code="P", phone_tail="567", unchanged_since=AT, accepted_after=AT, accepted_before=AT
    )
    assert temporal.queries == [same.query()]
    assert same.query().count("AND") == 7
    assert same.accepted_after == AT.astimezone(UTC)
