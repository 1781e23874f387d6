"""The demo's judge, by made-up ledgers."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from starter.demo.verdict import Row, judge, read_ledger
from topups import Phase, TopUpView


def view(ref: str, phase: Phase) -> TopUpView:
    return TopUpView(
        ref=ref,
        phase=phase,
        final=phase.final,
        plan_code="PREPAID_DJEZZY",
        phone="0771234567",
        environment="sandbox",
        accepted_at=datetime.now(UTC),
    )


def rows(*kinds: str, ref: str = "a") -> list[Row]:
    return [{"kind": kind, "endpoint": "send", "ref": ref} for kind in kinds]


@pytest.mark.parametrize(
    ("phase", "ledger", "end"),
    [
        (Phase.FULFILLED, ("request", "commit", "answer", "delivery"), "delivered"),
        (Phase.REFUNDED, ("request", "commit", "refund"), "refunded"),
        (Phase.REJECTED, ("request", "answer"), "refused"),
        (Phase.CANCELLED, (), "cancelled"),
    ],
)
def test_an_end_that_the_ledger_confirms_is_clean(phase: Phase, ledger: tuple[str, ...], end: str) -> None:
    verdict = judge(rows(*ledger), ["a"], [view("a", phase)])
    assert verdict.clean
    assert getattr(verdict, end) == ("a",)


@pytest.mark.parametrize(
    ("phase", "ledger"),
    [
        (Phase.FULFILLED, ("commit",)),
        (Phase.FULFILLED, ("commit", "refund")),
        (Phase.REFUNDED, ("commit", "delivery")),
        (Phase.REJECTED, ("commit", "delivery")),
        (Phase.CANCELLED, ("commit",)),
        (Phase.PENDING, ("commit", "delivery")),
        (Phase.UNKNOWN_ERROR, ("commit",)),
    ],
)
def test_an_end_that_the_ledger_denies_counts_as_lost(phase: Phase, ledger: tuple[str, ...]) -> None:
    verdict = judge(rows(*ledger), ["a"], [view("a", phase)])
    assert not verdict.clean
    assert verdict.lost == ("a",)
    assert phase in verdict.faults["a"]


@pytest.mark.parametrize("kind", ["commit", "delivery", "refund"])
def test_anything_that_happened_twice_is_never_clean(kind: str) -> None:
    verdict = judge(rows("commit", "delivery", kind, kind), ["a"], [view("a", Phase.FULFILLED)])
    assert verdict.twice == ("a",)
    assert not verdict.clean


def test_an_order_without_a_result_counts_as_lost() -> None:
    assert judge(rows("commit", "delivery"), ["a"], []).lost == ("a",)


def test_an_order_at_the_provider_that_nobody_accepted_is_never_clean() -> None:
    verdict = judge(rows("commit", "delivery", ref="stranger"), [], [])
    assert verdict.strangers == ("stranger",)
    assert not verdict.clean


def test_a_torn_last_line_of_the_ledger_is_left_out(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps({"kind": "commit"}) + "\n" + '{"kind": "deliv', encoding="utf-8")
    assert read_ledger(ledger) == [{"kind": "commit"}]
