"""Who is asked for in a turn with more orders under way than a page holds, and what is known of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from oneclickdz import TopUpRecord
from oneclickdz.known import (
    DELIVERY_KEPT_SECONDS,
    KEPT_SECONDS,
    REMEMBERED,
    ROW_STEP_SECONDS,
    SIGHT_SECONDS,
    Known,
    Round,
)
from oneclickdz.pages import LARGEST_PAGE, MARGIN_SECONDS, Made, Span, best_span, pages_for
from oneclickdz.waves import (
    CROWD,
    FEW,
    FEW_OLD,
    FULL_SECONDS,
    ROUND_SECONDS_MAX,
    SAMPLE_EVERY,
    Waiting,
    Waves,
)

PACE = 2.0


def row(number: int, at: float, status: str = "HANDLING") -> TopUpRecord:
    return TopUpRecord(id=str(number), status=status, created_at=datetime.fromtimestamp(at, UTC))


def known(*rows: TopUpRecord, seen_at: float = 0.0) -> Known:
    found = Known()
    found.take_in(rows, seen_at)
    return found


def full_page(waves: Waves, now: float, *, a_second: int) -> None:
    waves.measure(Span(0, 300), [row(number, number / a_second) for number in range(LARGEST_PAGE)], now, full=True)


def waits(number: int, sent_at: float, *, alone: bool = False) -> Waiting:
    answer = asyncio.get_running_loop().create_future()
    return Waiting(str(number), sent_at, seen_at=0.0, since=1_000.0, answer=answer, alone=alone)


def test_so_many_pages_as_it_takes_to_hold_them_all() -> None:
    assert pages_for([], 60) == 0
    assert pages_for([0, 30, 58], 60) == 1
    assert pages_for([0, 58.5, 300], 60) == 3


def test_who_was_not_seen_the_longest_is_on_the_first_page_of_a_round() -> None:
    coming = Round(pages=3, seen=[10, 11, 20, 21, 30, 31])
    assert [coming.pages_before(at) for at in (0, 10, 20, 31, 99)] == [0, 0, 0, 2, 2]
    assert Round(pages=0, seen=[]).pages_before(5) == 0


def test_a_page_can_be_asked_for_around_one_order_even_where_others_are_more() -> None:
    wanted = [Made(at, at) for at in (0, 100, 101, 102)]
    span = best_span(wanted, [], 50, around=wanted[0])
    assert span == Span(-MARGIN_SECONDS, MARGIN_SECONDS)


def test_of_two_spans_with_as_many_who_ask_the_one_with_more_others_is_taken() -> None:
    span = best_span([Made(0, 0), Made(100, 100)], [101, 102], 50)
    assert span == Span(100 - MARGIN_SECONDS, 102 + MARGIN_SECONDS)


def test_an_order_is_under_way_until_a_page_shows_its_end() -> None:
    found = known(row(1, 5.0), row(2, 6.0), row(3, 7.0, "REFUNDED"), seen_at=10.0)
    assert found.under_way(10.0) == {"1": 5.0, "2": 6.0}
    assert found.under_way(9.0) == {}
    found.take_in([row(1, 5.0, "FULFILLED")], 20.0)
    assert found.under_way(20.0) == {"2": 6.0}


def test_an_order_whose_end_another_worker_heard_soon_counts_no_more() -> None:
    found = known(row(1, 5.0), seen_at=10.0)
    assert found.round(300, 10.0).pages == 1
    assert found.round(300, 10.0 + SIGHT_SECONDS).pages == 0


def test_an_order_seen_before_the_clock_was_set_back_counts_no_more() -> None:
    assert known(row(1, 5.0), seen_at=10_000.0).round(300, 10.0).pages == 0


def test_a_page_that_comes_late_does_not_bring_back_an_order_that_has_ended() -> None:
    found = known(row(1, 5.0), seen_at=10.0)
    found.learn("1", 0.0, row(1, 5.0, "FULFILLED"), 20.0)
    found.take_in([row(1, 5.0)], 25.0)
    assert found.round(300, 26.0).pages == 0
    found = known(row(1, 5.0), seen_at=10.0)
    found.take_in([row(1, 5.0, "REFUNDED")], 8.0)
    assert found.round(300, 10.0).pages == 1


def test_that_an_order_must_be_asked_alone_is_forgotten_with_it() -> None:
    found = Known(unsettled={"1", "2"})
    found.learn("1", 0.0, row(1, 5.0, "FULFILLED"), 10.0)
    found.learn("2", 0.0, row(2, 5.0), 10.0)
    assert found.unsettled == {"2"}
    for number in range(10, REMEMBERED + 10):
        found.learn(str(number), 0.0, row(number, 5.0), 10.0)
    assert found.unsettled == set()


def test_a_page_around_an_order_whose_time_is_doubtful_covers_all_of_it() -> None:
    doubtful = Made(986.5, 997.5)
    span = best_span([doubtful, *(Made(at, at) for at in range(958, 987))], [], 31.0, around=doubtful)
    assert span.covers(doubtful)


def test_when_an_order_was_made_is_known_from_a_page_as_well() -> None:
    assert known(row(1, 5.0)).made("1", sent_at=0.0) == Made(5.0, 5.0)


def test_a_row_is_kept_for_the_next_check_until_that_is_answered_or_too_late() -> None:
    found = known(row(1, 5.0), row(2, 6.0), seen_at=10.0)
    assert found.row("1", 12.0) == (row(1, 5.0), 10.0)
    found.learn("1", 0.0, row(1, 5.0), 12.0)
    assert found.row("1", 12.0) == (None, 0.0)
    assert found.row("2", 10.0 + KEPT_SECONDS) == (None, 0.0)


def test_a_delivery_is_kept_for_longer_than_what_may_change() -> None:
    found = known(row(1, 5.0, "FULFILLED"), row(2, 6.0), seen_at=10.0)
    found.take_in([], 10.0 + KEPT_SECONDS)
    assert found.row("1", 10.0 + KEPT_SECONDS) == (row(1, 5.0, "FULFILLED"), 10.0)
    assert found.row("1", 10.0 + DELIVERY_KEPT_SECONDS) == (None, 0.0)
    found.take_in([], 10.0 + DELIVERY_KEPT_SECONDS)
    assert found.rows == {}


def test_a_page_that_comes_late_replaces_no_newer_row() -> None:
    found = known(row(1, 5.0, "FULFILLED"), seen_at=10.0)
    found.take_in([row(1, 5.0)], 9.0)
    assert found.row("1", 12.0) == (row(1, 5.0, "FULFILLED"), 10.0)


def test_a_row_from_before_the_clock_was_set_back_counts_no_more() -> None:
    found = known(row(1, 5.0), row(2, 6.0, "FULFILLED"), seen_at=100.0 + ROW_STEP_SECONDS)
    assert (found.row("1", 100.0), found.row("2", 100.0)) == ((None, 0.0), (None, 0.0))
    found.take_in([row(1, 5.0)], 100.0)
    assert found.row("1", 101.0) == (row(1, 5.0), 100.0)


def test_a_page_that_comes_late_makes_an_order_be_seen_no_earlier() -> None:
    found = Known()
    found.learn("1", 0.0, row(1, 5.0), 20.0)
    found.take_in([row(1, 5.0)], 15.0)
    assert found.seen_at("1") == 20.0


def test_rows_that_contradict_each_other_leave_nothing_kept() -> None:
    found = known(row(1, 5.0, "FULFILLED"), seen_at=10.0)
    found.take_in([row(1, 5.0, "FULFILLED"), row(1, 5.0)], 12.0)
    assert found.row("1", 12.0) == (None, 0.0)


def test_what_pages_left_open_is_not_kept_without_end() -> None:
    found = Known()
    for number in range(REMEMBERED + 1):
        found.leave_open(str(number))
    assert found.unsettled == {str(REMEMBERED)}


async def test_one_far_from_all_the_others_does_not_keep_them_waiting() -> None:
    found = known(*(row(number, 990.0 + number) for number in range(5)), row(9, 720.0), seen_at=980.0)
    waves = Waves(found, PACE)
    full_page(waves, 1_000.0, a_second=5)
    wave = waves.choose([waits(9, 720.0), *(waits(number, 990.0) for number in range(5))], 1_000.0, trusted=True)
    assert ([each.topup_id for each in wave.alone], len(wave.together), wave.turns) == (["9"], 5, 2)


async def test_one_that_must_be_asked_alone_is_not_passed_over_for_those_far_from_the_others() -> None:
    found = known(*(row(number, 990.0 + number) for number in range(5)), row(9, 720.0), seen_at=980.0)
    waves = Waves(found, PACE)
    full_page(waves, 1_000.0, a_second=5)
    far, young = waits(9, 720.0), [waits(number, 990.0) for number in range(5)]
    refunded = waits(8, 990.0, alone=True)
    refunded.since -= 1
    wave = waves.choose([far, *young, refunded], 1_000.0, trusted=True)
    assert list(wave.alone) == [refunded]


async def test_an_order_that_another_worker_has_just_told_is_not_the_next() -> None:
    waves = Waves(Known(), PACE)
    told = waits(1, 900.0)
    told.seen_at = 999.0
    assert waves.heard_at(told) == 999.0


async def test_no_round_is_thought_to_take_longer_than_a_minute() -> None:
    found = known(*(row(number, number * 1_000.0) for number in range(100)), seen_at=980.0)
    assert Waves(found, PACE).round_seconds(1_000.0) == ROUND_SECONDS_MAX


async def test_a_page_is_worth_it_for_one_where_a_few_are_on_it_who_may_wait_at_other_workers() -> None:
    rows = [row(number, 900.0 + number) for number in range(FEW)]
    waves = Waves(known(*rows, seen_at=980.0), PACE)
    assert len(waves.choose([waits(0, 900.0)], 1_000.0, trusted=True).together) == 1
    waves = Waves(known(*rows[1:], seen_at=980.0), PACE)
    assert waves.choose([waits(1, 900.0)], 1_000.0, trusted=True).span is None


async def test_two_who_wait_and_one_other_who_was_not_seen_lately_are_enough_for_a_page() -> None:
    found = known(row(1, 901.0), seen_at=980.0)
    found.take_in([row(2, 902.0), row(3, 903.0)], 999.9)
    waves = Waves(found, PACE)
    assert waves.choose([waits(2, 902.0)], 1_000.0, trusted=True).span is None
    assert len(waves.choose([waits(2, 902.0), waits(3, 903.0)], 1_000.0, trusted=True).together) == 2


async def test_those_who_were_seen_a_moment_ago_make_no_page_worth_it() -> None:
    rows = [row(number, 900.0 + number) for number in range(FEW)]
    waves = Waves(known(*rows, seen_at=999.9), PACE)
    assert waves.choose([waits(0, 900.0)], 1_000.0, trusted=True).span is None


async def test_in_a_crowd_old_orders_are_on_pages_too() -> None:
    old = [waits(number, 600.0 + number) for number in range(3)]
    rows = [row(number, (600.0 if number < 3 else 720.0) + number) for number in range(CROWD)]
    few = Waves(known(*rows[:-1], seen_at=980.0), PACE)
    assert few.choose(old, 1_000.0, trusted=True).span is None
    many = Waves(known(*rows, seen_at=980.0), PACE)
    assert len(many.choose(old, 1_000.0, trusted=True).together) == 3


async def test_old_orders_are_on_pages_too_where_as_many_may_wait_at_other_workers() -> None:
    old = [waits(number, 600.0 + number) for number in range(3)]
    few = Waves(known(*(row(number, 600.0 + number) for number in range(FEW_OLD - 1)), seen_at=980.0), PACE)
    assert few.for_themselves(old, 1_000.0) == old
    many = Waves(known(*(row(number, 600.0 + number) for number in range(FEW_OLD)), seen_at=980.0), PACE)
    assert many.for_themselves(old, 1_000.0) == []


async def test_in_a_crowd_one_old_order_in_ten_turns_is_asked_for_itself() -> None:
    waves = Waves(known(*(row(number, 600.0 + number) for number in range(CROWD)), seen_at=980.0), PACE)
    old = [waits(number, 600.0 + number) for number in range(5)]
    chosen = [waves.choose(old, 1_000.0, trusted=True) for _ in range(2 * SAMPLE_EVERY)]
    assert [len(wave.alone) for wave in chosen] == 2 * [*[0] * (SAMPLE_EVERY - 1), 1]
    assert all(not set(wave.alone) & set(wave.together) for wave in chosen)


async def test_what_a_full_page_says_of_how_much_it_holds_counts_for_a_minute() -> None:
    waves = Waves(known(*(row(number, 100.0 * number) for number in range(3)), seen_at=980.0), PACE)
    full_page(waves, 1_000.0, a_second=10)
    three = [waits(number, 900.0) for number in range(3)]
    assert waves.choose(three, 1_001.0, trusted=True).span is None
    for later in range(6):
        wave = waves.choose(three, 1_001.0 + FULL_SECONDS + later, trusted=True)
    assert wave.span is not None


async def test_a_doubtful_time_does_not_keep_an_order_off_a_page_that_holds_few_seconds() -> None:
    found = Known()
    found.learn("0", 0.0, row(0, 7.0, "FULFILLED"), 900.0)
    waves = Waves(found, PACE)
    full_page(waves, 900.0, a_second=16)
    wave = waves.choose([waits(number, 950.0) for number in range(1, 4)], 1_000.0, trusted=True)
    assert len(wave.together) == 3
