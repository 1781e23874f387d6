"""The typed client: submitting, finding and listing, without a worker."""

from datetime import UTC, datetime

import pytest
from temporalio.service import RPCStatusCode

from tests.unit.story import request
from tests.unit.temporal import FakeTemporal, rpc_error
from topups import search_attributes
from topups.errors import RefConflict, SetupNeeded, TemporalUnreachable
from topups.models import Phase
from topups.start import summary


@pytest.fixture
def temporal() -> FakeTemporal:
    return FakeTemporal()


async def test_an_order_is_one_workflow_whose_id_is_made_of_its_ref(temporal: FakeTemporal) -> None:
    order = await temporal.topups().submit(request())
    run = temporal.runs["topup-order-1042"]
    assert (order.ref, run.started["name"], run.started["task_queue"]) == ("order-1042", "TopUp", "topups")


async def test_an_order_is_stamped_with_the_environment_and_the_time_to_deliver(temporal: FakeTemporal) -> None:
    await temporal.topups(environment="production", deliver_within=90).submit(request())
    given = temporal.runs["topup-order-1042"].started["given"]
    assert (given.environment, given.request.deliver_within) == ("production", 90)
    await temporal.topups(deliver_within=90).submit(request(ref="order-2", deliver_within=60))
    assert temporal.runs["topup-order-2"].started["given"].request.deliver_within == 60


async def test_a_list_shows_an_order_before_any_worker_saw_it_and_no_whole_number(temporal: FakeTemporal) -> None:
    await temporal.topups().submit(request())
    (row,) = [row async for row in temporal.topups().list()]
    assert (row.ref, row.phase, row.plan_code) == ("order-1042", Phase.ACCEPTED, "PREPAID_DJEZZY")
    assert (row.phone_tail, row.needs_review, row.accepted_at) == ("567", False, row.phase_since)


async def test_the_same_order_again_gives_the_same_order_back(temporal: FakeTemporal) -> None:
    topups = temporal.topups()
    await topups.submit(request())
    again = await topups.submit(request(phone="+213771234567", deliver_within=60, metadata={"try": "2"}))
    assert again.ref == "order-1042"
    assert len(temporal.runs) == 1


@pytest.mark.parametrize("other", [{"amount": 1_000}, {"phone": "0550000000"}, {"plan_code": "PIXX_500"}])
async def test_the_same_ref_with_another_order_is_a_conflict(temporal: FakeTemporal, other: dict[str, object]) -> None:
    await temporal.topups().submit(request())
    with pytest.raises(RefConflict, match="077•••••67"):
        await temporal.topups().submit(request(**other))


async def test_the_same_ref_in_another_environment_is_a_conflict(temporal: FakeTemporal) -> None:
    await temporal.topups().submit(request())
    with pytest.raises(RefConflict, match="a sandbox order"):
        await temporal.topups(environment="production").submit(request())


@pytest.mark.parametrize(
    "status",
    [
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        # a server killed in the middle of the call, and one without disk
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    ],
)
async def test_a_server_that_is_gone_says_that_submitting_again_is_safe(
    temporal: FakeTemporal, status: RPCStatusCode
) -> None:
    temporal.trouble = rpc_error(status)
    with pytest.raises(TemporalUnreachable, match="safe"):
        await temporal.topups().submit(request())
    with pytest.raises(TemporalUnreachable):
        _ = [row async for row in temporal.topups().list()]


async def test_a_namespace_without_the_search_attributes_names_the_command(temporal: FakeTemporal) -> None:
    temporal.trouble = rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no mapping defined for search attribute TopUpPhase")
    with pytest.raises(SetupNeeded, match="topup setup"):
        await temporal.topups().submit(request())


async def test_a_list_asks_for_what_was_asked_and_never_for_old_runs(temporal: FakeTemporal) -> None:
    since = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    _ = [row async for row in temporal.topups().list("UNKNOWN_ERROR", needs_review=True, finished_since=since)]
    (query,) = temporal.queries
    assert query.split(" AND ") == [
        "WorkflowType = 'TopUp'",
        "ExecutionStatus != 'ContinuedAsNew'",
        "TopUpPhase = 'UNKNOWN_ERROR'",
        "(TopUpNeedsReview = true OR ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut'))",
        "CloseTime >= '2026-11-24T10:00:00+00:00'",
    ]


def test_the_line_in_temporals_lists_has_no_whole_number() -> None:
    assert summary(request()) == "500 DZD PREPAID_DJEZZY to 077•••••67"
    assert summary(request(amount=None)) == "PREPAID_DJEZZY to 077•••••67"


def test_every_search_attribute_has_its_type_in_the_registry() -> None:
    assert search_attributes.REGISTRY == {
        "TopUpPhase": "Keyword",
        "TopUpPlan": "Keyword",
        "TopUpPhoneTail": "Keyword",
        "TopUpNeedsReview": "Bool",
        "TopUpAcceptedAt": "Datetime",
        "TopUpPhaseSince": "Datetime",
    }
