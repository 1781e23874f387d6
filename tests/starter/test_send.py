"""`topup send`: what it submits, what it prints, and how `--wait` ends."""

from datetime import UTC, datetime

import pytest

from tests.starter.fakes import ARABIC, Desk, steps, view
from topups import Offer, OrderInterrupted, Phase, TemporalUnreachable, TopUpView

SEND = ["send", "--ref", "order-1", "--plan", "PREPAID_DJEZZY", "--phone", "+213 771 23 45 67", "--amount", "500"]


def test_an_order_is_submitted_as_typed_and_normalised(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.ACCEPTED)]
    answer = topup(*SEND, "--deliver-within", "60", "--metadata", "shop=12", "--metadata", "note=a=b")
    (request,) = topup.orders.submitted
    assert answer.code == 0
    assert (request.phone, request.amount, request.deliver_within) == ("0771234567", 500, 60)
    assert request.metadata == {"shop": "12", "note": "a=b"}


def test_a_new_order_is_recorded_and_the_next_command_is_named(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.ACCEPTED, accepted_at=datetime.now(UTC))]
    answer = topup(*SEND)
    assert answer.out.startswith("recorded: order-1")
    assert "topup watch order-1" in answer.out


def test_the_same_order_again_says_that_it_is_known(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.HANDLING)]
    answer = topup(*SEND)
    assert answer.code == 0
    assert answer.out.startswith("known already: order-1")


def test_without_wait_any_phase_exits_0(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.REFUNDED)]
    assert topup(*SEND).code == 0


def test_another_order_with_the_same_ref_exits_5(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.ACCEPTED)]
    topup(*SEND)
    answer = topup(*SEND[:-1], "600")
    assert answer.code == 5
    assert "already belongs to another order" in answer.err
    assert "next:" in answer.err


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (view(Phase.FULFILLED), 0),
        (view(Phase.REFUNDED, refund_message=ARABIC), 3),
        (view(Phase.REJECTED, error_code="PLAN_UNKNOWN"), 3),
        (view(Phase.CANCELLED), 3),
        (view(Phase.REFUNDED, plan_code="GETMENU_Djezzy", offers_only=True, suggested_offers=(Offer(),)), 0),
        (view(Phase.REFUNDED, plan_code="GETMENU_Djezzy", offers_only=True), 3),
    ],
)
def test_the_end_of_a_wait_says_whether_it_was_delivered(topup: Desk, end: TopUpView, code: int) -> None:
    topup.orders.scripts["order-1"] = [*steps(Phase.ACCEPTED, Phase.PENDING), end]
    answer = topup(*SEND, "--wait", "10", "--json")
    assert answer.code == code
    assert answer.json["phase"] == end.phase


def test_a_wait_that_ends_first_exits_4_with_the_last_view(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.UNKNOWN_ERROR)]
    answer = topup(*SEND, "--wait", "0", "--json")
    assert answer.code == 4
    assert answer.json["phase"] == "UNKNOWN_ERROR"
    assert "topup watch order-1" in answer.err


def test_progress_goes_to_stderr_once_for_each_change(topup: Desk) -> None:
    script = [*steps(Phase.ACCEPTED, Phase.PENDING, Phase.PENDING, Phase.PENDING, Phase.HANDLING, Phase.FULFILLED)]
    topup.orders.scripts["order-1"] = [*script]
    answer = topup(*SEND, "--wait", "10", "--json")
    told = [line.split()[2] for line in answer.err.splitlines()]
    assert told == ["ACCEPTED", "PENDING", "HANDLING", "FULFILLED"]


def test_a_wait_rides_through_a_restart_of_the_server(topup: Desk) -> None:
    gone = TemporalUnreachable("gone")
    topup.orders.scripts["order-1"] = [view(Phase.PENDING), gone, gone, *steps(Phase.HANDLING, Phase.FULFILLED)]
    answer = topup(*SEND, "--wait", "10", "--json")
    assert answer.code == 0
    assert answer.err.count("Temporal doesn't answer") == 1
    assert answer.err.count("Temporal answers again") == 1


def test_a_wait_says_once_that_no_worker_answers(topup: Desk) -> None:
    stale = view(Phase.ACCEPTED, stale=True, timeline=())
    topup.orders.scripts["order-1"] = [stale, stale, view(Phase.PENDING), view(Phase.FULFILLED)]
    answer = topup(*SEND, "--wait", "10")
    assert answer.code == 0
    assert answer.err.count("no worker answered;") == 1
    assert answer.err.count("a worker answers again") == 1


def test_a_broken_run_ends_the_wait_with_the_way_to_reopen_it(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [OrderInterrupted("run `topup reopen order-1 --note …`")]
    answer = topup(*SEND, "--wait", "10", "--json")
    assert answer.code == 1
    assert "topup reopen order-1" in answer.err
    assert not answer.out


def test_an_order_recorded_just_before_the_server_went_says_so(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [TemporalUnreachable("Temporal doesn't answer")]
    answer = topup(*SEND)
    assert answer.code == 7
    assert "order-1 is recorded and goes on" in answer.err
