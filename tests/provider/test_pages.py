"""What a page of the list is asked for, and what of it is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oneclickdz import TopUpRecord
from oneclickdz.models import TopUpPage
from oneclickdz.pages import (
    LARGEST_PAGE,
    MARGIN_SECONDS,
    SPAN_MAX_SECONDS,
    Made,
    Span,
    best_span,
    by_id,
    is_believed,
    is_full,
    longest_from,
    rank,
)


def row(topup_id: str | None = "a", status: str = "HANDLING", at: float | None = 0.0, **more: Any) -> TopUpRecord:
    created = None if at is None else datetime.fromtimestamp(at, UTC)
    return TopUpRecord(id=topup_id, status=status, created_at=created, **more)


def made(*times: float) -> list[Made]:
    return [Made(at, at) for at in times]


def test_a_page_is_asked_for_all_that_is_due_where_it_fits() -> None:
    assert best_span(made(10, 40, 25), [], 60) == Span(10 - MARGIN_SECONDS, 40 + MARGIN_SECONDS)


def test_else_for_the_time_in_which_most_were_made() -> None:
    span = best_span(made(0, 200, 210, 220, 400), [], 50)
    assert [span.covers(each) for each in made(0, 200, 210, 220, 400)] == [False, True, True, True, False]


def test_the_oldest_go_first_where_there_is_a_choice() -> None:
    span = best_span(made(0, 100, 200), [], 50)
    assert span.covers(Made(0, 0))
    assert not span.covers(Made(100, 100))


def test_it_takes_along_what_else_is_under_way() -> None:
    span = best_span(made(30), [10, 60], 60)
    assert span == Span(10 - MARGIN_SECONDS, 60 + MARGIN_SECONDS)
    assert best_span(made(30), [10, 600], 60) == Span(10 - MARGIN_SECONDS, 30 + MARGIN_SECONDS)


def test_an_order_whose_time_is_not_known_well_is_only_covered_whole() -> None:
    span = best_span([Made(0, 45), Made(20, 20), Made(22, 22)], [], 30)
    assert not span.covers(Made(0, 45))
    assert span.covers(Made(20, 20))


def test_a_full_page_makes_the_next_span_shorter_than_what_it_held() -> None:
    rows = [row(str(number), at=float(number)) for number in range(LARGEST_PAGE)]
    assert longest_from(Span(-300, 300), rows, 600, full=True) == pytest.approx(99 * 0.95)


def test_a_full_page_without_times_makes_it_as_short_as_can_be() -> None:
    rows = [row(str(number), at=None) for number in range(LARGEST_PAGE)]
    assert longest_from(Span(0, 300), rows, 600, full=True) == 4 * MARGIN_SECONDS


def test_a_page_with_room_lets_the_next_span_grow_slowly() -> None:
    assert longest_from(Span(0, 300), [row()], 300, full=False) == 600
    assert longest_from(Span(0, 100), [row()], 300, full=False) == 300
    assert longest_from(Span(0, 10_000), [], 300, full=False) == SPAN_MAX_SECONDS


@pytest.mark.parametrize(
    ("rows", "pages", "total", "expected", "full"),
    [
        (LARGEST_PAGE, 1, None, {"0"}, True),
        (50, 1, 50, {"60"}, False),
        (50, 2, 70, {"60"}, True),
        (50, 2, 70, {"0", "1"}, False),
        (50, 2, 500, {"60"}, False),
        (0, 2, 8, {"60"}, False),
        (50, 2, None, {"60"}, False),
    ],
    ids=[
        "as many as it holds",
        "the last one",
        "not the last one and one lacks",
        "not the last one and nobody lacks",
        "more than its pages hold",
        "empty and yet not the last one",
        "no total",
    ],
)
def test_a_page_is_full_where_orders_are_on_a_further_one(
    rows: int, pages: int, total: int | None, expected: set[str], *, full: bool
) -> None:
    items = tuple(row(str(number)) for number in range(rows))
    page = TopUpPage.model_construct(items=items, page=1, total_pages=pages, total_results=total)
    assert is_full(page, expected) is full


def test_rows_that_contradict_each_other_say_nothing() -> None:
    rows = [row("a"), row("a"), row("b"), row("b", "FULFILLED"), row("c"), row(None)]
    assert by_id(rows) == {"a": row("a"), "b": None, "c": row("c")}


@pytest.mark.parametrize(
    ("status", "seen", "believed"),
    [
        ("PENDING", -1, True),
        ("HANDLING", 0, True),
        ("FULFILLED", 1, True),
        ("PENDING", 1, False),
        ("HANDLING", 2, False),
        ("REFUNDED", 1, False),
        ("UNKNOWN_ERROR", -1, False),
        ("ON_ITS_WAY", -1, False),
    ],
)
def test_a_row_is_believed_only_where_it_goes_on_and_gives_no_money_back(
    status: str, seen: int, believed: bool
) -> None:
    assert is_believed(row(status=status), seen) is believed


def test_no_row_is_not_believed() -> None:
    assert not is_believed(None, -1)


def test_an_unknown_word_has_no_rank() -> None:
    assert [rank(word) for word in ("PENDING", "HANDLING", "FULFILLED", "REFUNDED")] == [0, 1, 2, -1]
