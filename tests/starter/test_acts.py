"""What people do to orders: recheck, cancel, resolve, reopen; and setup."""

import getpass
import socket

import pytest

from tests.starter.fakes import Desk, refused, view
from topups import NotConfirmed, OrderInterrupted, Phase, SetupNeeded
from topups.namespace import SetupReport

ME = f"{getpass.getuser()}@{socket.gethostname()}"
ACTS = [
    ["recheck", "order-1"],
    ["cancel", "order-1", "--reason", "not wanted"],
    ["resolve", "order-1", "--as", "FULFILLED", "--note", "ticket 881"],
    ["reopen", "order-1", "--note", "terminated by mistake"],
]


def test_acts_carry_the_words_and_who_spoke(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.CANCELLED)]
    assert [topup(*argv, "--by", "nadia@desk").code for argv in ACTS] == [0, 0, 0, 0]
    assert topup.orders.acts == [
        ("recheck", "nadia@desk"),
        ("cancel", "not wanted", "nadia@desk"),
        ("resolve", "FULFILLED", "ticket 881", "nadia@desk"),
        ("reopen", "terminated by mistake", "nadia@desk"),
    ]


def test_who_acts_is_user_at_host_by_default(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.PENDING)]
    topup("recheck", "order-1")
    assert topup.orders.acts == [("recheck", ME)]


def test_a_user_without_a_name_can_act_too(topup: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", nameless)
    topup.orders.scripts["order-1"] = [view(Phase.PENDING)]
    assert topup("recheck", "order-1").code == 0
    assert topup.orders.acts[0][1].startswith("uid-")


@pytest.mark.parametrize("argv", ACTS)
def test_a_refusal_exits_9_and_says_where_the_order_stands(topup: Desk, argv: list[str]) -> None:
    topup.orders.refusal = refused("order-1: a send is on its way")
    answer = topup(*argv)
    assert answer.code == 9
    assert "a send is on its way" in answer.err
    assert "topup status" in answer.err


@pytest.mark.parametrize("argv", ACTS[1:3])
def test_an_act_that_no_worker_answered_exits_8_and_may_still_be_taken(topup: Desk, argv: list[str]) -> None:
    topup.orders.refusal = NotConfirmed("no worker answered for order-1; it may still be taken: run the same again")
    answer = topup(*argv)
    assert answer.code == 8
    assert "may still be taken" in answer.err
    assert "python worker.py" in answer.err


def test_the_provider_s_own_final_answer_wins_over_a_resolve(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.REFUNDED)]
    topup.orders.taken = False
    answer = topup(*ACTS[2])
    assert answer.code == 9
    assert "REFUNDED: the provider's word" in answer.err


def test_a_resolve_that_the_provider_confirms_is_done_as_asked(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.FULFILLED)]
    topup.orders.taken = False
    assert topup(*ACTS[2]).code == 0


def test_an_act_on_a_broken_run_names_reopen(topup: Desk) -> None:
    topup.orders.refusal = OrderInterrupted("run `topup reopen order-1 --note …`")
    answer = topup(*ACTS[1])
    assert answer.code == 1
    assert "topup reopen order-1" in answer.err


def test_setup_says_what_it_added_and_what_it_could_not(topup: Desk) -> None:
    topup.temporal.report = SetupReport(added=("TopUpPhase",), retention_days=3, retention_note="not raised")
    answer = topup("setup")
    assert answer.code == 0
    assert "TopUpPhase" in answer.out
    assert "3 days" in answer.out
    assert "not raised" in answer.err


def test_a_namespace_without_search_attributes_names_the_command(topup: Desk) -> None:
    topup.temporal.trouble = SetupNeeded("the namespace lacks search attributes; run `topup setup`")
    answer = topup("list")
    assert answer.code == 1
    assert "topup setup" in answer.err
