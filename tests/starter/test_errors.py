"""Which trouble means which exit code, and the demo's door."""

import asyncio
import sys
import types

import pytest
from temporalio.service import RPCError, RPCStatusCode

from starter.connection import bounded
from starter.exits import ExitCode, explain
from starter.screens import live_table
from tests.starter.fakes import ARABIC, Desk, view
from tests.starter.test_terminal import seen, terminal
from topups import NotAllowed, Phase, TemporalUnreachable
from topups.temporal_errors import explained

WHERE = "host:7233"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RPCStatusCode.UNAVAILABLE, "doesn't answer"),
        (RPCStatusCode.DEADLINE_EXCEEDED, "doesn't answer"),
        (RPCStatusCode.PERMISSION_DENIED, "refuses these credentials"),
        (RPCStatusCode.UNAUTHENTICATED, "refuses these credentials"),
    ],
)
def test_a_server_that_can_t_be_used_exits_7_with_its_address(
    topup: Desk, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode, words: str
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", WHERE)
    with pytest.raises(TemporalUnreachable) as raised, explained():
        raise RPCError("said so", status, b"")
    topup.orders.scripts["a"] = [raised.value]
    answer = topup("status", "a")
    assert answer.code == ExitCode.UNREACHABLE
    assert words in answer.err
    assert WHERE in answer.err
    assert "TEMPORAL_ADDRESS" in answer.err


def test_other_answers_of_the_server_are_unexpected() -> None:
    assert explain(RPCError("odd", RPCStatusCode.DATA_LOSS, b"")) is None


async def test_a_call_that_hangs_is_given_up() -> None:
    with pytest.raises(TemporalUnreachable, match=r"didn't answer in 0\.01 s"):
        await bounded(asyncio.Event().wait(), 0.01)


async def test_a_time_out_of_the_call_itself_is_not_the_server_s() -> None:
    async def give_up() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await bounded(give_up())


def test_watch_rides_through_what_a_starting_server_says(topup: Desk) -> None:
    starting = RPCError("shard status unknown", RPCStatusCode.INTERNAL, b"")
    topup.orders.scripts["a"] = [starting, view(Phase.FULFILLED, "a")]
    answer = topup("watch", "a", "--json")
    assert answer.code == 0
    assert answer.err.count("Temporal doesn't answer") == 1


def test_watch_does_not_ride_through_a_refusal(topup: Desk) -> None:
    topup.orders.scripts["a"] = [NotAllowed("order-1 is already REFUNDED")]
    assert topup("watch", "a").code == 9


def test_the_demo_is_loaded_when_it_runs_and_its_code_is_the_command_s(
    topup: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def run(*, keep: bool, json_output: bool = False) -> int:
        asked.append(keep)
        return 1 if keep else 0

    monkeypatch.setitem(sys.modules, "starter.demo", types.SimpleNamespace(run=run))
    assert [topup("demo").code, topup("demo", "--keep").code] == [0, 1]
    assert asked == [False, True]


def test_a_live_table_leaves_its_last_state_on_the_screen() -> None:
    console = terminal(120)
    with live_table(console, keep=True) as table:
        table.show(view(Phase.PENDING), changed=True)
        table.note("Temporal answers again")
        table.show(view(Phase.REFUNDED, refund_message=ARABIC), changed=True)
    assert "Temporal answers again" in seen(console)
    assert "REFUNDED" in seen(console)
    assert ARABIC in seen(console).split("\n")
