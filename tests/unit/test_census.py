"""All open orders at a glance: what is counted, how old it is, and how little is asked for it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.client import WorkflowExecution
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from topups import Phase, search_attributes
from topups.census import OPEN_PHASES, PAGE, Census, OfPhase, census

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TABLE = """CREATE TABLE runs (WorkflowType, WorkflowId, ExecutionStatus, TopUpPhase, TopUpNeedsReview,
    TopUpAcceptedAt, TopUpPhaseSince)"""


class Orders:
    """A list of orders that understands Temporal's queries: they are what SQL calls a condition."""

    def __init__(self) -> None:
        self._runs = sqlite3.connect(":memory:")
        self._runs.execute(TABLE)
        self.asked: list[str] = []

    def add(
        self,
        phase: Phase = Phase.PENDING,
        *,
        ref: str = "order",
        age: timedelta = timedelta(0),
        here: timedelta = timedelta(0),
        review: bool = False,
        status: str = "Running",
        kind: str = "TopUp",
    ) -> None:
        times = ((NOW - age).isoformat(), (NOW - here).isoformat())
        row = (kind, f"topup-{ref}", status, phase.value, review, *times)
        self._runs.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    async def count(self, query: str) -> int:
        return len(self._found("WorkflowId", query))

    async def page(self, query: str) -> list[WorkflowExecution]:
        found = self._found("WorkflowId, TopUpAcceptedAt, TopUpPhaseSince", query)
        return [cast("WorkflowExecution", _run(*row)) for row in found[:PAGE]]

    def _found(self, what: str, query: str) -> list[tuple[str, ...]]:
        self.asked.append(query)
        newest_first = ["SELECT", what, "FROM runs WHERE", query, "ORDER BY TopUpAcceptedAt DESC"]
        return self._runs.execute(" ".join(newest_first)).fetchall()

    async def census(self) -> Census:
        return await census(self, NOW, DAY)


def _run(workflow_id: str, accepted_at: str, phase_since: str) -> SimpleNamespace:
    pairs = [
        SearchAttributePair(search_attributes.ACCEPTED_AT, datetime.fromisoformat(accepted_at)),
        SearchAttributePair(search_attributes.PHASE_SINCE, datetime.fromisoformat(phase_since)),
    ]
    return SimpleNamespace(id=workflow_id, typed_search_attributes=TypedSearchAttributes(pairs))


@pytest.fixture
def orders() -> Orders:
    return Orders()


async def test_without_orders_every_open_phase_is_zero(orders: Orders) -> None:
    assert await orders.census() == Census(dict.fromkeys(OPEN_PHASES, OfPhase()), needs_review=0, rechecks_due=0)


async def test_open_orders_are_counted_by_phase_with_the_oldest_and_the_longest_stay(orders: Orders) -> None:
    orders.add(Phase.CONFIRMING, age=timedelta(hours=3), here=timedelta(minutes=1))
    orders.add(Phase.CONFIRMING, age=timedelta(hours=1), here=timedelta(minutes=50))
    orders.add(Phase.PENDING, age=timedelta(minutes=2))
    phases = (await orders.census()).phases
    assert phases[Phase.CONFIRMING] == OfPhase(2, timedelta(hours=3), timedelta(minutes=50))
    assert phases[Phase.PENDING].open == 1
    assert phases[Phase.ACCEPTED].open == 0


async def test_finished_orders_and_former_runs_are_not_open(orders: Orders) -> None:
    orders.add(Phase.FULFILLED, status="Completed")
    orders.add(Phase.PENDING, status="ContinuedAsNew")
    assert not any(found.open for found in (await orders.census()).phases.values())


@pytest.mark.parametrize("number", [PAGE, PAGE + 1, 3_000])
async def test_the_oldest_of_many_orders_is_found_on_small_pages(orders: Orders, number: int) -> None:
    for minutes in range(number):
        orders.add(Phase.ON_HOLD, age=timedelta(minutes=minutes), here=timedelta(seconds=minutes))
    found = (await orders.census()).phases[Phase.ON_HOLD]
    assert found == OfPhase(number, timedelta(minutes=number - 1), timedelta(seconds=number - 1))
    assert len(orders.asked) < 80


async def test_many_orders_of_the_very_same_moment_end_the_search(orders: Orders) -> None:
    for _ in range(PAGE * 3):
        orders.add(Phase.ON_HOLD, age=timedelta(hours=7))
    assert (await orders.census()).phases[Phase.ON_HOLD].oldest == timedelta(hours=7)


async def test_an_order_accepted_by_a_fast_clock_is_not_of_negative_age(orders: Orders) -> None:
    orders.add(Phase.PENDING, age=-timedelta(minutes=1), here=-timedelta(minutes=1))
    assert (await orders.census()).phases[Phase.PENDING] == OfPhase(1)


async def test_orders_that_need_a_person_are_counted_in_every_phase(orders: Orders) -> None:
    orders.add(Phase.PENDING, review=True)
    orders.add(Phase.CONFIRMING, review=True)
    orders.add(Phase.CONFIRMING)
    assert (await orders.census()).needs_review == 2


async def test_an_order_whose_run_was_broken_off_needs_a_person_until_somebody_reopened_it(orders: Orders) -> None:
    orders.add(ref="left", status="Terminated")
    orders.add(ref="twice", status="Failed")
    orders.add(ref="twice", status="TimedOut")
    orders.add(ref="reopened", status="Terminated")
    orders.add(ref="reopened", status="Running")
    orders.add(ref="ended", status="Terminated")
    orders.add(ref="ended", status="Completed")
    assert (await orders.census()).needs_review == 2


async def test_audits_that_found_a_difference_are_counted_apart_from_orders(orders: Orders) -> None:
    orders.add(kind="TopUpAudit", ref="audit-one", review=True)
    orders.add(kind="TopUpAudit", ref="audit-two")
    orders.add(kind="TopUpAudit", ref="audit-three", review=True, status="Completed")
    found = await orders.census()
    assert (found.audits, found.needs_review) == (1, 0)


async def test_an_id_that_somebody_made_up_does_not_break_the_query(orders: Orders) -> None:
    orders.add(ref="it's", status="Terminated")
    assert (await orders.census()).needs_review == 0


@pytest.mark.parametrize(
    ("here", "due"), [(23.5, 1), (47.1, 1), (71.9, 1), (1.0, 0), (24.5, 0), (46.9, 0)], ids="{}h".format
)
async def test_a_recheck_is_due_in_the_hour_before_each_whole_day(orders: Orders, here: float, due: int) -> None:
    orders.add(Phase.UNKNOWN_ERROR, here=timedelta(hours=here))
    orders.add(Phase.PENDING, here=timedelta(hours=here))
    assert (await orders.census()).rechecks_due == due
