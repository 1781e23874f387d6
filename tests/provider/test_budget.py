"""How the requests of a key are shared out: never more than the limit, sends first, and nobody starves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneclickdz.budget import SHARES, SLOT_SECONDS, WINDOW_SECONDS, Kind, Window, floor, moved, take, ticket

LIMIT = 120
NOW = 1_800_000_000.0
KINDS: tuple[Kind, ...] = tuple(SHARES)


class Desk:
    """Hands out places and remembers when each was taken."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.window = Window()
        self.taken: list[tuple[float, Kind]] = []

    def ask(self, kind: Kind, now: float, *, newcomer: bool = False) -> float:
        self.window, wait = take(self.window, kind, self.limit, now, newcomer=newcomer)
        if wait == 0:
            self.taken.append((now, kind))
        return wait

    def fill(self, kind: Kind, now: float) -> int:
        before = len(self.taken)
        while self.ask(kind, now) == 0:
            pass
        return len(self.taken) - before

    def count(self, kind: Kind) -> int:
        return sum(each == kind for _, each in self.taken)


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 10), st.integers(1, 40), st.booleans()), max_size=60),
)
def test_no_minute_ever_holds_more_than_the_limit(limit: int, steps: list[tuple[Kind, float, int, bool]]) -> None:
    desk, now = Desk(limit), NOW
    for kind, pause, asks, newcomer in steps:
        now += pause
        for _ in range(asks):
            desk.ask(kind, now, newcomer=newcomer)
    times = [at for at, _ in desk.taken]
    assert all(sum(at <= other < at + 60 for other in times) <= limit for at in times)


@given(st.integers(1, 200), st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 5)), max_size=200))
def test_whoever_waits_as_long_as_told_finds_a_place_if_nobody_else_came(
    limit: int, steps: list[tuple[Kind, float]]
) -> None:
    desk, now = Desk(limit), NOW
    for kind, pause in steps:
        now += pause
        desk.ask(kind, now)
    for kind in KINDS:
        alone = Desk(limit)
        alone.window = desk.window
        # A wish of another kind is forgotten meanwhile, never added to.
        if (wait := alone.ask(kind, now)) > 0:
            assert alone.ask(kind, now + wait + 0.001) == 0


@pytest.mark.parametrize(
    ("kind", "most"), [("send", 96), ("validate", 120), ("confirm", 108), ("check", 90), ("audit", 60)]
)
def test_alone_a_kind_takes_no_more_than_its_ceiling(kind: Kind, most: int) -> None:
    assert Desk().fill(kind, NOW) == most


def test_checks_that_took_all_they_may_leave_a_quarter_to_sends() -> None:
    desk = Desk()
    desk.fill("check", NOW)
    assert desk.fill("send", NOW) == 30


@pytest.mark.parametrize("kind", ["confirm", "check", "audit"])
def test_an_endless_crowd_of_sends_leaves_each_other_kind_its_floor(kind: Kind) -> None:
    desk = Desk()
    for step in range(1_600):
        now = NOW + step * 0.125
        desk.ask("send", now)
        desk.ask(kind, now)
    last_minute = [each for at, each in desk.taken if at > NOW + 200 - WINDOW_SECONDS]
    assert Counter(last_minute)[kind] >= floor(kind, LIMIT) - 1
    assert Counter(last_minute)["send"] >= 0.65 * LIMIT
    # What is kept for checks is kept also while none is due.
    assert len(last_minute) >= LIMIT - 1 - (kind != "check") * floor("check", LIMIT)


def test_what_is_kept_for_look_ups_is_free_for_sends_while_nothing_is_looked_up() -> None:
    desk = Desk()
    desk.fill("check", NOW)
    assert desk.fill("send", NOW) == LIMIT - 90


def test_sends_keep_free_what_their_checks_will_need() -> None:
    assert Desk().fill("send", NOW) == LIMIT - floor("check", LIMIT)


def test_a_place_is_free_again_a_minute_and_a_second_later() -> None:
    desk = Desk()
    desk.fill("send", NOW)
    assert desk.ask("send", NOW + WINDOW_SECONDS) > 0
    assert desk.ask("send", NOW + WINDOW_SECONDS + SLOT_SECONDS) == 0


def test_those_who_are_turned_away_come_back_one_after_the_other() -> None:
    desk = Desk()
    wait = [desk.fill("send", NOW), desk.ask("send", NOW)][-1]
    back = []
    for _ in range(3):
        desk.window, back_in = ticket(desk.window, "send", LIMIT, NOW, wait)
        back.append(back_in)
    assert back[0] == wait
    assert back[1] - back[0] == back[2] - back[1] == pytest.approx(WINDOW_SECONDS / (LIMIT - floor("check", LIMIT)))


def test_a_newcomer_joins_a_long_queue_at_its_end_and_leaves_the_places_to_those_who_were_told() -> None:
    desk = Desk()
    desk.fill("send", NOW)
    for _ in range(40):
        desk.window, back_in = ticket(desk.window, "send", LIMIT, NOW, WINDOW_SECONDS)
    free = NOW + WINDOW_SECONDS + SLOT_SECONDS
    wait = desk.ask("send", free, newcomer=True)
    assert wait == pytest.approx(NOW + back_in - free)
    assert ticket(desk.window, "send", LIMIT, free, wait)[1] > wait
    assert desk.ask("send", free) == 0


def test_a_newcomer_waits_in_a_short_queue_like_everybody() -> None:
    desk = Desk()
    desk.window, _ = ticket(desk.window, "send", LIMIT, NOW, 4.0)
    assert desk.ask("send", NOW, newcomer=True) == 0


def test_a_ticket_from_before_the_clock_was_set_back_does_not_hold_up_a_day() -> None:
    desk = Desk()
    desk.window, _ = ticket(desk.window, "send", LIMIT, NOW + 86_400, 1.0)
    _, back_in = ticket(desk.window, "send", LIMIT, NOW, 1.0)
    assert back_in < 16 * WINDOW_SECONDS


def test_the_smallest_limits_serve_every_kind() -> None:
    for limit in range(1, 12):
        for kind in KINDS:
            assert Desk(limit).ask(kind, NOW) == 0


def test_a_place_that_is_moved_counts_once_and_from_then_on() -> None:
    desk = Desk(limit=3)
    desk.ask("send", NOW)
    desk.ask("send", NOW)
    desk.window = moved(desk.window, "send", NOW, NOW + 10)
    assert [(at - NOW, number) for at, _, number in desk.window.slots] == [(0, 1), (10, 1)]
    desk.window = moved(desk.window, "send", NOW, NOW + 20)
    assert [at - NOW for at, _, _ in desk.window.slots] == [10, 20]
