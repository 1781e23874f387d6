"""A provider that always tells the truth, over a line that does not: every order ends as it really ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.story import (
    ACCEPTED,
    DUPLICATE,
    IN_DOUBT,
    LOST,
    MISSED,
    NO_ANSWER,
    PREPARED,
    SEND_LOST,
    Story,
    found,
    new_order,
)
from topups.lifecycle import Action
from topups.models import HoldReason, Phase
from topups.observations import Held, Observation

Fault = Literal["none", "lost before", "lost after", "slow", "no answer", "lost worker", "frozen worker"]
End = Literal["FULFILLED", "REFUNDED"]

FAULTS: list[Fault] = ["none", "lost before", "lost after", "slow", "no answer", "lost worker", "frozen worker"]
# A POST that was given up may still arrive for as long as a request can live.
SLOW = timedelta(seconds=30)
WORKING = ["PENDING", "HANDLING", "PENDING", "UNKNOWN_ERROR"]


@dataclass
class Provider:
    """At most one order per ref, as the protocol assumes; `deliveries` is what the customer got."""

    end: End
    working: list[str]
    moneyless: int = 0
    created_at: datetime | None = None
    arrives_at: datetime | None = None
    deliveries: int = 0
    created: int = 0
    statuses: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.statuses = iter(self.working)

    def answers(self, action: Action, fault: Fault, now: datetime) -> Observation:
        if self.arrives_at is not None and now >= self.arrives_at:
            self.arrives_at = None
            self._create(now)
        match action:
            case "prepare":
                return NO_ANSWER if fault == "no answer" else PREPARED
            case "send":
                return self._takes(fault, now)
            case _:
                return self._shows(fault)

    def _create(self, now: datetime) -> bool:
        if self.created_at is not None:
            return False
        self.created_at = now
        self.created += 1
        return True

    def _takes(self, fault: Fault, now: datetime) -> Observation:
        if fault in {"lost before", "no answer"}:
            return IN_DOUBT
        if fault in {"slow", "frozen worker"}:
            self.arrives_at = now + SLOW
            return IN_DOUBT if fault == "slow" else SEND_LOST
        if self.moneyless:
            self.moneyless -= 1
            return Held(reason=HoldReason.BALANCE, why="too little money", left=True)
        fresh = self._create(now)
        if fault in {"lost after", "lost worker"}:
            return IN_DOUBT if fault == "lost after" else SEND_LOST
        return ACCEPTED if fresh else DUPLICATE

    def _shows(self, fault: Fault) -> Observation:
        if fault in {"lost before", "lost after", "no answer", "slow"}:
            return NO_ANSWER
        if fault in {"lost worker", "frozen worker"}:
            return LOST
        if self.created_at is None:
            return MISSED
        status = next(self.statuses, self.end)
        if status == "FULFILLED":
            self.deliveries += 1
        return found(status, created_at=self.created_at)


def lives(story: Story, provider: Provider, faults: list[Fault]) -> None:
    """Let the order live until its end, or until a person must look; the line is sound when the faults are over."""
    remaining = iter(faults)
    for _ in range(300):
        if story.order.final:
            return
        action = story.begins()
        if action == "expire":
            continue
        story.sees(provider.answers(action, next(remaining, "none"), story.now), took=1)
    assert story.order.view().needs_review


line = st.lists(st.sampled_from(FAULTS), max_size=40)
outcomes = st.sampled_from(["FULFILLED", "REFUNDED"])
ways = st.lists(st.sampled_from(WORKING), max_size=4)


@settings(max_examples=300, deadline=None)
@given(end=outcomes, working=ways, moneyless=st.integers(0, 10), faults=line, chance=st.floats(0, 1, exclude_max=True))
def test_every_order_that_was_created_ends_as_it_really_ended(
    end: End, working: list[str], moneyless: int, faults: list[Fault], chance: float
) -> None:
    story, provider = Story(new_order(), chance=chance), Provider(end, working, moneyless)
    lives(story, provider, faults)
    assert provider.created <= 1
    if provider.created:
        assert story.phase is Phase(end)
        assert provider.deliveries == (end == "FULFILLED")
    else:
        nothing_more = story.seconds >= 1_800 or story.order.resends == 5
        assert nothing_more
        assert story.phase is (Phase.CONFIRMING if story.order.may_exist else Phase.REJECTED)


@settings(max_examples=200, deadline=None)
@given(faults=line)
def test_an_order_is_given_up_only_where_nothing_was_ever_created(faults: list[Fault]) -> None:
    story, provider = Story(new_order(deliver_within=60)), Provider("FULFILLED", [])
    lives(story, provider, faults)
    if story.phase is Phase.REJECTED:
        assert (provider.created, provider.arrives_at) == (0, None)


@settings(max_examples=100, deadline=None)
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=12))
def test_with_a_day_to_deliver_a_line_that_heals_always_delivers(faults: list[Fault]) -> None:
    story, provider = Story(new_order(deliver_within=86_400)), Provider("FULFILLED", ["PENDING"])
    lives(story, provider, [fault for fault in faults if fault != "lost before"])
    assert (story.phase, provider.deliveries) == (Phase.FULFILLED, 1)
