"""F17: which fault a page meets, which orders it was told to, and what a run's files show of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.faults import Fault
from tests.chaos.diary import Row, Tail
from tests.chaos.pages import faults_of, lying_pages, still_open, unread_pages
from tests.chaos.plan import LIES, Round, Scale, plan

KEY = "sandbox-key-2"


def a_round(window: str, seed: int = 1) -> Round:
    return plan(seed, Scale(only=frozenset({f"F17/{window}"}))).rounds[0]


def row(seq: int, kind: str, **facts: Any) -> Row:
    return {"seq": seq, "kind": kind, "endpoint": "list", "key": KEY, "ref": None} | facts


@pytest.mark.parametrize("window", LIES)
def test_every_fault_is_one_that_the_desk_takes_and_the_last_one_stays(window: str) -> None:
    faults = [Fault.model_validate({"endpoint": "list", **fault}) for fault in faults_of(a_round(window))]
    assert [fault.n for fault in faults][-1] == -1
    assert all(fault.is_lie for fault in faults) is (window != "unreadable")


def test_other_seeds_make_other_totals_wrong() -> None:
    assert len({faults_of(a_round("totals", seed))[0]["totals"] for seed in range(1, 20)}) == 3


def test_a_page_that_the_fault_did_not_change_and_one_with_another_key_met_nobody() -> None:
    rows = [
        row(1, "request"),
        row(2, "answer", request_seq=1, items=[]),
        row(3, "answer", key="sandbox-key", items=[], lie="stale_page"),
        row(5, "answer", items=[], lie="stale_page"),
    ]
    assert lying_pages(rows, KEY) == [5]


def test_a_page_without_rows_was_not_read() -> None:
    rows = [
        *(row(seq, "request") for seq in (1, 2, 3)),
        row(4, "answer", request_seq=1, items=[], http=200),
        row(5, "answer", request_seq=2, http=503),
        row(6, "request", key="sandbox-key"),
    ]
    assert unread_pages(rows, KEY) == [2, 3]


def test_only_orders_without_an_end_were_lied_to() -> None:
    rows = [row(1, "delivery", ref="a"), row(5, "refund", ref="b")]
    assert still_open(["a", "b", "c"], rows, 3) == ["b", "c"]
    assert still_open(["a", "b", "c"], rows, None) == []


def test_what_a_page_shows_is_among_each_orders_rows(tmp_path: Path) -> None:
    items = [{"topup_id": "1", "ref": "a", "status": "HANDLING"}, {"topup_id": "2", "ref": "b", "status": "PENDING"}]
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps(row(1, "answer", items=items)) + "\n", encoding="utf-8")
    [found] = Tail(ledger).of("a")
    assert (found["kind"], found["topup_id"], found["status"]) == ("answer", "1", "HANDLING")
