"""One order, as its caller holds it: waiting, viewing, acting."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHistory,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, TerminatedError
from temporalio.service import RPCStatusCode

from tests.unit.story import found, new_order, pending, request
from tests.unit.temporal import COMPLETED, FakeRun, FakeTemporal, rpc_error
from topups.errors import NoSuchOrder, NotAllowed, NotConfirmed, OrderInterrupted, StillOpen, TemporalUnreachable
from topups.handle import TopUpOrder, whoami
from topups.models import ActResult, Phase, TopUpResult
from topups.temporal_errors import explained

HISTORIES = Path(__file__).parents[1] / "replay" / "histories" / "0.1.0"
BROKEN = [WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT]
RESULT = TopUpResult(**pending().checks(found("FULFILLED")).order.view().model_dump())
TAKEN = ActResult(taken=True, why="cancelled", view=new_order().view())


@pytest.fixture
def temporal() -> FakeTemporal:
    return FakeTemporal()


@pytest.fixture
async def order(temporal: FakeTemporal) -> TopUpOrder:
    return await temporal.topups().submit(request())


@pytest.fixture
def run(order: TopUpOrder, temporal: FakeTemporal) -> FakeRun:
    return temporal.runs[f"topup-{order.ref}"]


def recorded(name: str) -> list[HistoryEvent]:
    """A real run's history."""
    return list(WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text()).events)


async def act(order: TopUpOrder) -> ActResult:
    return await order.cancel(reason="changed my mind", by="amel@shop")


async def test_waiting_gives_the_true_end(order: TopUpOrder, run: FakeRun) -> None:
    run.results = [RESULT]
    assert (await order.result(timeout=5)).phase is Phase.FULFILLED


async def test_waiting_rides_through_a_restart_of_the_server(
    order: TopUpOrder, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topups.handle.RECONNECT_SECONDS", 0.001)
    run.results = [rpc_error(RPCStatusCode.UNAVAILABLE), rpc_error(RPCStatusCode.CANCELLED), RESULT]
    assert (await order.result(timeout=5)).delivered


async def test_waiting_outlasts_the_test_servers_patience(
    order: TopUpOrder, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topups.handle.RECONNECT_SECONDS", 0.001)
    run.results = [RuntimeError("No completion event found"), RESULT]
    assert (await order.result(timeout=5)).delivered


async def test_what_else_goes_wrong_while_waiting_is_not_hidden(order: TopUpOrder, run: FakeRun) -> None:
    run.results = [RuntimeError("the codec has no key")]
    with pytest.raises(RuntimeError, match="no key"):
        await order.result(timeout=5)


async def test_a_wait_that_ends_first_says_that_the_order_goes_on(order: TopUpOrder, run: FakeRun) -> None:
    run.results = [rpc_error(RPCStatusCode.UNAVAILABLE)]
    with pytest.raises(StillOpen, match=r"after 0\.05 s; it goes on"):
        await order.result(timeout=0.05)


async def test_waiting_for_a_broken_order_names_the_command_that_goes_on(order: TopUpOrder, run: FakeRun) -> None:
    run.results = [WorkflowFailureError(cause=TerminatedError("by an operator"))]
    with pytest.raises(OrderInterrupted, match="topup reopen order-1042"):
        await order.result()


async def test_an_order_that_nobody_submitted_is_not_known(temporal: FakeTemporal) -> None:
    order = temporal.topups().order("order-7")
    for asked in (order.view(), order.result(), order.recheck(by="amel@shop")):
        with pytest.raises(NoSuchOrder, match="order-7"):
            await asked
    with pytest.raises(NoSuchOrder):
        await act(order)


async def test_the_view_of_an_open_order_is_the_workers(order: TopUpOrder, run: FakeRun) -> None:
    run.query = pending().order.view()
    assert (await order.view()).phase is Phase.PENDING


async def test_the_view_of_a_finished_order_is_its_result(order: TopUpOrder, run: FakeRun) -> None:
    run.status, run.results = COMPLETED, [RESULT]
    assert (await order.view()).final


@pytest.mark.parametrize("error", [RPCTimeoutOrCancelledError("no worker"), rpc_error(RPCStatusCode.UNAVAILABLE)])
async def test_a_view_without_a_worker_is_what_was_submitted_and_stale(
    order: TopUpOrder, run: FakeRun, error: Exception
) -> None:
    run.query = error
    view = await order.view()
    assert (view.stale, view.phase, view.phone, view.environment) == (True, Phase.ACCEPTED, "0771234567", "sandbox")


@pytest.mark.parametrize("status", [*BROKEN, None])
async def test_the_view_of_a_broken_order_says_how_it_was_broken(
    order: TopUpOrder, run: FakeRun, status: WorkflowExecutionStatus | None
) -> None:
    run.status = status
    with pytest.raises(OrderInterrupted, match=status.name if status else "unknown"):
        await order.view()


async def test_words_carry_who_said_them_and_ids_that_make_them_one_call(order: TopUpOrder, run: FakeRun) -> None:
    run.updated = TAKEN
    await act(order)
    await order.resolve("NOT_CREATED", note="the operator says so")
    await order.recheck()
    assert [(name, update_id) for name, _, update_id in run.words] == [
        ("cancel", "cancel"),
        ("resolve", "resolve-NOT_CREATED"),
        ("recheck", None),
    ]
    assert [word.by for _, word, _ in run.words] == ["amel@shop", whoami(), whoami()]
    assert "@" in whoami()


async def test_a_refused_word_says_why(order: TopUpOrder, run: FakeRun) -> None:
    run.updated = WorkflowUpdateFailedError(ApplicationError("a send is on its way"))
    with pytest.raises(NotAllowed, match="a send is on its way"):
        await act(order)


@pytest.mark.parametrize("error", [TimeoutError(), RPCTimeoutOrCancelledError("no worker")])
@pytest.mark.parametrize("where", ["update", "updated"])
async def test_a_word_that_nobody_answered_may_still_be_taken(
    order: TopUpOrder, run: FakeRun, error: Exception, where: str
) -> None:
    setattr(run, where, error)
    with pytest.raises(NotConfirmed, match="run the same again"):
        await act(order)


async def test_a_word_for_a_finished_order_says_how_it_ended(order: TopUpOrder, run: FakeRun) -> None:
    run.status, run.results = COMPLETED, [RESULT]
    run.update = rpc_error(RPCStatusCode.NOT_FOUND, "workflow execution already completed")
    with pytest.raises(NotAllowed, match="already FULFILLED"):
        await act(order)


async def test_a_word_to_a_server_that_is_gone_is_safe_to_repeat(order: TopUpOrder, run: FakeRun) -> None:
    run.update = rpc_error(RPCStatusCode.UNAVAILABLE)
    with pytest.raises(TemporalUnreachable):
        await act(order)


@pytest.mark.parametrize("status", BROKEN)
async def test_a_broken_order_is_reopened_with_what_its_former_run_knew(
    order: TopUpOrder, run: FakeRun, temporal: FakeTemporal, status: WorkflowExecutionStatus
) -> None:
    run.status, run.query = status, pending().order.view()
    await order.reopen(note="terminated by mistake", by="amel@shop")
    given = temporal.runs["topup-order-1042"].started["given"]
    assert (given.reopening.topup_id, given.reopening.by) == (pending().order.topup_id, "amel@shop")
    first = run.started["memo"]["submission"].accepted_at
    assert given.reopening.accepted_at == first
    assert (await order.view()).phase is Phase.CONFIRMING


WHOSE = "+213665983439"


@pytest.mark.parametrize(
    ("history", "known"),
    [
        ("terminated_and_reopened.1", (WHOSE, "6b0501d60071e4ea70aa4ecd")),
        ("terminated_and_reopened.2", (WHOSE, "6b0501d60071e4ea70aa4ecd")),
        ("in_many_runs.2", (WHOSE, "6b0501d6aaf092ff53c84d35")),
        ("lost_send_found.1", (WHOSE, None)),
        ("cancelled_on_hold.1", (WHOSE, None)),
        ("refused_by_the_catalogue.1", (None, None)),
    ],
)
async def test_a_broken_order_is_reopened_without_a_worker_by_what_its_history_knew(
    order: TopUpOrder, run: FakeRun, temporal: FakeTemporal, history: str, known: tuple[str | None, str | None]
) -> None:
    run.status, run.query = BROKEN[0], rpc_error(RPCStatusCode.UNAVAILABLE)
    run.history = recorded(history)
    await order.reopen(note="terminated by mistake")
    reopening = temporal.runs["topup-order-1042"].started["given"].reopening
    assert (reopening.account, reopening.topup_id) == known


async def test_a_broken_order_whose_history_is_gone_is_reopened_all_the_same(
    order: TopUpOrder, run: FakeRun, temporal: FakeTemporal
) -> None:
    run.status, run.query = BROKEN[0], rpc_error(RPCStatusCode.UNAVAILABLE)
    run.history = rpc_error(RPCStatusCode.NOT_FOUND, "history not found")
    await order.reopen(note="terminated by mistake")
    reopening = temporal.runs["topup-order-1042"].started["given"].reopening
    assert (reopening.account, reopening.topup_id) == (None, None)


async def test_a_history_that_nobody_gives_reopens_nothing(order: TopUpOrder, run: FakeRun) -> None:
    run.status, run.query = BROKEN[0], rpc_error(RPCStatusCode.UNAVAILABLE)
    run.history = rpc_error(RPCStatusCode.UNAVAILABLE)
    with pytest.raises(TemporalUnreachable, match="again is safe"):
        await order.reopen(note="terminated by mistake")


async def test_what_the_history_knew_of_the_account_counts_where_the_worker_never_heard_of_it(
    order: TopUpOrder, run: FakeRun, temporal: FakeTemporal
) -> None:
    run.status, run.query, run.history = BROKEN[0], new_order().view(), recorded("lost_send_found.1")
    await order.reopen(note="terminated by mistake")
    assert temporal.runs["topup-order-1042"].started["given"].reopening.account == WHOSE


async def test_an_order_that_was_not_broken_is_not_reopened(order: TopUpOrder, run: FakeRun) -> None:
    with pytest.raises(NotAllowed, match="nothing to reopen"):
        await order.reopen(note="to be sure")
    run.status = COMPLETED
    with pytest.raises(NotAllowed, match="nothing to reopen"):
        await order.reopen(note="to be sure")


async def test_two_people_reopen_an_order_once(order: TopUpOrder, run: FakeRun, monkeypatch: Any) -> None:
    run.status = BROKEN[0]

    async def somebody_was_faster() -> FakeRun:
        return FakeRun(run.id, run.started, BROKEN[0])

    monkeypatch.setattr(order, "describe", somebody_was_faster)
    run.status = WorkflowExecutionStatus.RUNNING
    with pytest.raises(NotAllowed, match="reopened already"):
        await order.reopen(note="terminated by mistake")


def test_only_a_failed_connection_is_a_server_that_can_not_be_reached() -> None:
    with (
        pytest.raises(TemporalUnreachable, match=r"at localhost:1; set TEMPORAL_ADDRESS"),
        explained(address="localhost:1"),
    ):
        raise RuntimeError("Failed client connect: tonic transport error")
    with pytest.raises(RuntimeError, match="something else"), explained():
        raise RuntimeError("something else")


def test_an_error_that_nobody_foresaw_comes_out_as_it_is() -> None:
    error = rpc_error(RPCStatusCode.DATA_LOSS, "panic")
    with pytest.raises(type(error)) as caught, explained():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (rpc_error(RPCStatusCode.UNAUTHENTICATED), TemporalUnreachable, "TEMPORAL_API_KEY"),
        (rpc_error(RPCStatusCode.PERMISSION_DENIED), TemporalUnreachable, "TEMPORAL_API_KEY"),
        (rpc_error(RPCStatusCode.NOT_FOUND, "Namespace x is not found"), TemporalUnreachable, "TEMPORAL_NAMESPACE"),
        (rpc_error(RPCStatusCode.NOT_FOUND, "workflow execution already completed"), NotAllowed, "reached its end"),
        (rpc_error(RPCStatusCode.NOT_FOUND, "workflow not found"), NoSuchOrder, "order-7"),
        (ValueError("no such profile"), TemporalUnreachable, "no such profile"),
        (OSError("no such file"), TemporalUnreachable, "no such file"),
    ],
)
def test_every_trouble_with_temporal_says_what_to_do(error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said), explained(ref="order-7", address="localhost:7233"):
        raise error


def test_a_wrong_value_has_nothing_to_do_with_temporal_where_nobody_connects() -> None:
    with pytest.raises(ValueError, match="odd"), explained(ref="order-7"):
        raise ValueError("odd")


def test_a_user_without_a_name_still_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid 1000")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert whoami().startswith("unknown@")
