"""Our side of a comparison, read from Temporal."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCStatusCode

from tests.unit.story import ACCOUNT, BEGAN, REF, TOPUP_ID, found, pending, request, unknown
from tests.unit.temporal import COMPLETED, FakeTemporal, rpc_error
from topups.books.ours import OurBooks
from topups.errors import NoSuchOrder, RefConflict, TemporalUnreachable
from topups.models import Phase, TopUpResult

RESULT = TopUpResult(**pending().checks(found("FULFILLED", balance_amount=490)).order.view().model_dump())
SPAN = (BEGAN, BEGAN + timedelta(days=1))
AUDIT = f"topup-audit-{REF}"


@pytest.fixture
async def temporal() -> FakeTemporal:
    temporal = FakeTemporal()
    await temporal.topups().submit(request())
    return temporal


def books(temporal: FakeTemporal) -> OurBooks:
    return OurBooks(temporal.topups())


async def test_of_an_order_that_ended_its_end_is_read(temporal: FakeTemporal) -> None:
    run = temporal.runs["topup-order-1042"]
    run.status, run.results = COMPLETED, [RESULT]
    told: list[str] = []
    read = await books(temporal).between(*SPAN, told.append)
    order = read[REF]
    assert (order.phase, order.topup_id, order.account) == (Phase.FULFILLED, TOPUP_ID, ACCOUNT)
    assert (order.amount, order.balance_amount, order.sends, order.closed) == (500, 490, 1, True)
    assert told == ["our orders: 1 of 1"]


async def test_the_list_is_asked_by_the_time_of_acceptance(temporal: FakeTemporal) -> None:
    temporal.runs["topup-order-1042"].query = unknown().order.view()
    read = await books(temporal).between(*SPAN, lambda _: None)
    assert read[REF].phase is Phase.UNKNOWN_ERROR
    assert temporal.queries[-1].split(" AND ") == [
        "WorkflowType = 'TopUp'",
        "ExecutionStatus != 'ContinuedAsNew'",
        "TopUpAcceptedAt >= '2026-11-24T10:00:00+00:00'",
        "TopUpAcceptedAt <= '2026-11-25T10:00:00+00:00'",
    ]


async def test_an_open_order_that_no_worker_shows_is_known_by_its_phase(temporal: FakeTemporal) -> None:
    temporal.runs["topup-order-1042"].query = rpc_error(RPCStatusCode.DEADLINE_EXCEEDED)
    order = await books(temporal).order(REF)
    assert order is not None
    assert (order.phase, order.sends, order.account) == (Phase.ACCEPTED, None, None)


async def test_an_order_whose_run_was_broken_off_says_so(temporal: FakeTemporal) -> None:
    temporal.runs["topup-order-1042"].status = WorkflowExecutionStatus.TERMINATED
    order = await books(temporal).order(REF)
    assert order is not None
    assert (order.broken_off, order.closed, order.phase) == (True, False, Phase.ACCEPTED)


async def test_an_order_that_nobody_knows_is_none_and_a_dead_server_is_no_answer(temporal: FakeTemporal) -> None:
    assert await books(temporal).order("nobody") is None
    temporal.trouble = rpc_error(RPCStatusCode.UNAVAILABLE)
    with pytest.raises(TemporalUnreachable):
        await books(temporal).order(REF)


async def test_an_open_order_is_woken_and_one_that_ended_is_not(temporal: FakeTemporal) -> None:
    assert await books(temporal).wake(REF, "reconciliation")
    [(name, word, _)] = temporal.runs["topup-order-1042"].words
    assert (name, word.by) == ("recheck", "reconciliation")
    assert not await books(temporal).wake("nobody", "reconciliation")


async def test_the_audit_of_an_order_is_no_order(temporal: FakeTemporal) -> None:
    await temporal.topups().submit(request(ref=f"audit-{REF}"))
    temporal.runs[AUDIT].workflow_type = "TopUpAudit"
    assert await books(temporal).order(f"audit-{REF}") is None
    with pytest.raises(NoSuchOrder, match="is the audit of an order"):
        await temporal.topups().order(f"audit-{REF}").view()
    with pytest.raises(RefConflict, match=f"audit-{REF} can't be used"):
        await temporal.topups().submit(request(ref=f"audit-{REF}"))
