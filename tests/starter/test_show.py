"""`topup status` and `topup list`: what people and scripts read."""

from datetime import UTC, datetime

import pytest

from tests.starter.fakes import ARABIC, Desk, row, view
from topups import HoldReason, Offer, Phase

# To the letter: others script against it
FIELDS = """
ref, phase, final, plan_code, phone, amount, topup_id, provider_ref, balance_amount, refund_message, suggested_offers,
offers_only, error_code, error_message, hold_reason, needs_review, review_reason, sends, checks, deliver_by, account,
environment, accepted_at, last_checked_at, next_check_at, finished_at, resolved_by, resolved_note, metadata, stale,
timeline
"""


def test_status_as_json_has_every_field_of_the_contract(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.ACCEPTED)]
    shown = topup("status", "order-1", "--json").json
    assert set(shown) == {name.strip() for name in FIELDS.split(",")}
    assert shown["refund_message"] is None
    assert shown["accepted_at"] == "2026-11-24T02:00:00Z"
    assert set(shown["timeline"][0]) == {"at", "phase", "note", "by"}


def test_arabic_stands_unescaped_and_verbatim_in_json(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.REFUNDED, refund_message=ARABIC)]
    answer = topup("status", "order-1", "--json")
    assert ARABIC in answer.out
    assert answer.json["refund_message"] == ARABIC


def test_arabic_stands_verbatim_on_a_line_of_its_own(topup: Desk) -> None:
    message = f"{ARABIC} " * 8
    topup.orders.scripts["order-1"] = [view(Phase.REFUNDED, refund_message=message.strip())]
    assert message.strip() in topup("status", "order-1").out.splitlines()


def test_status_exits_0_whatever_the_phase(topup: Desk) -> None:
    for phase in Phase:
        topup.orders.scripts["order-1"] = [view(phase)]
        answer = topup("status", "order-1")
        assert answer.code == 0
        assert phase in answer.out


def test_an_unknown_ref_exits_6(topup: Desk) -> None:
    answer = topup("status", "order-9")
    assert answer.code == 6
    assert "topup list" in answer.err


def test_a_stale_view_says_plainly_that_no_worker_answered(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.PENDING, stale=True, timeline=())]
    answer = topup("status", "order-1")
    assert answer.code == 0
    assert "no worker answered; shown from Temporal's records" in answer.out
    assert "python worker.py" in answer.out


@pytest.mark.parametrize("reason", list(HoldReason))
def test_an_order_on_hold_says_what_it_waits_for_and_how_to_withdraw_it(topup: Desk, reason: HoldReason) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.ON_HOLD, hold_reason=reason)]
    out = topup("status", "order-1").out
    assert reason.value in out
    assert "topup cancel order-1" in out


def test_an_order_that_needs_a_person_says_why_and_what_to_run(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.UNKNOWN_ERROR, needs_review=True, review_reason="three days")]
    out = topup("status", "order-1").out
    assert "three days" in out
    assert "topup resolve order-1" in out
    assert "don't refund" in out


def test_everything_known_of_an_order_is_shown(topup: Desk) -> None:
    offers = (Offer(typename="فاتورة", plan_code="FACTURE_DJEZZY", amount=500.0),)
    topup.orders.scripts["order-1"] = [
        view(
            Phase.REFUNDED,
            topup_id="6901",
            provider_ref="API-+213-order-1",
            balance_amount=490.5,
            suggested_offers=offers,
            finished_at=datetime(2026, 11, 24, 2, 0, 9, tzinfo=UTC),
            metadata={"shop": "12"},
            resolved_by="nadia@desk",
            resolved_note="ticket 881",
        )
    ]
    out = topup("status", "order-1").out
    for words in ("6901", "API-+213-order-1", "490.50 DZD", "FACTURE_DJEZZY", "after 9 s", "shop=12", "ticket 881"):
        assert words in out


def test_text_that_looks_like_markup_is_shown_as_it_is(topup: Desk) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.REJECTED, error_code="ERR", error_message="[bold]no[/] :smile:")]
    assert "[bold]no[/] :smile:" in topup("status", "order-1").out


def test_list_as_json_prints_a_row_a_line(topup: Desk) -> None:
    topup.orders.rows = [row(Phase.PENDING), row(Phase.FULFILLED, "order-2", needs_review=True)]
    answer = topup("list", "--json")
    first, second = answer.json_lines
    assert answer.code == 0
    assert set(first) == {"ref", "phase", "plan_code", "phone_tail", "needs_review", "accepted_at", "phase_since"}
    assert (second["ref"], second["needs_review"]) == ("order-2", True)


def test_list_passes_its_filters_on(topup: Desk) -> None:
    topup("list", "--phase", "UNKNOWN_ERROR", "--needs-review")
    assert topup.orders.asked == [{"phase": "UNKNOWN_ERROR", "needs_review": True}]


def test_an_empty_list_leaves_stdout_empty(topup: Desk) -> None:
    answer = topup("list")
    assert (answer.code, answer.out) == (0, "")
    assert "no orders" in answer.err


def test_no_ref_is_ever_cut_in_a_list(topup: Desk) -> None:
    topup.orders.rows = [row(ref="r" * 64)]
    assert "r" * 64 in topup("list").out
