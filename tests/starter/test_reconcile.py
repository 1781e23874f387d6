"""The commands of the books: reconcile, audits, close-audit."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest

from starter.report import COLUMNS
from tests.starter.fakes import BEGAN, Desk
from topups import NoSuchOrder, NotConfirmed
from topups.books.differences import AuditView, Balance, Difference, Kind, Report
from topups.books.reconciling import ReconciliationFailed

STRANGER = Difference(
    kind=Kind.UNKNOWN_TO_US,
    ref="=cmd()",
    topup_ids=("6901616fe9e88196b4eb64b0", "6901616fe9e88196b4eb64ff"),
    theirs="FULFILLED",
    their_amount=500,
    at=BEGAN,
    says="they have a record of it",
    done="reported",
)
REVERSED = Difference(
    kind=Kind.LATE_REVERSAL,
    ref="order-1",
    ours="FULFILLED",
    theirs="REFUNDED",
    says="they took it back",
    done="audit opened",
)
REPORT = Report(
    since=BEGAN - timedelta(days=3),
    until=BEGAN,
    environment="sandbox",
    account="+213665983439",
    orders=1_000,
    records=990,
    movements=1_020,
    other_accounts=2,
    requests={"list": 10, "transactions": 11},
    counts={"late_reversal": 1, "unknown_to_us": 2},
    differences=(REVERSED, STRANGER),
    passing=3,
    woken=4,
    balance=Balance(opening=1000, closing=510, now=510, moved={"FLEXY": 490}, explained=True),
    notes=("something is odd",),
)
AGREED = Report(since=BEGAN, until=BEGAN, environment="sandbox", balance=Balance(now=1.5))


def test_a_report_tells_what_was_compared_what_differs_and_what_was_done(topup: Desk) -> None:
    topup.books.found = REPORT
    answer = topup("reconcile", "--days", "7")
    assert answer.code == 0
    for told in (
        "3 differences",
        "1000 orders, 990 records, 1020 transactions; 2 orders belong to another account",
        "list 10x",
        "late_reversal 1, unknown_to_us 2",
        "4 open orders",
        "3 that were gone",
        "1,000 DZD to 510 DZD; FLEXY 490 DZD; it adds up",
        "something is odd",
        "audit opened",
        "they took it back",
        "and 1 more, about which nothing was done",
    ):
        assert told in answer.out, told
    assert topup.books.started[0].days == 7


def test_books_that_agree_say_so(topup: Desk) -> None:
    topup.books.found = AGREED
    answer = topup("reconcile")
    assert answer.code == 0
    assert "no difference" in answer.out


def test_json_is_one_object_and_progress_goes_to_stderr(topup: Desk) -> None:
    topup.books.found = REPORT
    topup.books.steps = ["their list: page 1 of 10", "their list: page 1 of 10", "second look: 1 of 2"]
    answer = topup("reconcile", "--json")
    assert answer.json["counts"] == {"late_reversal": 1, "unknown_to_us": 2}
    assert answer.err.count("page 1 of 10") == 1
    assert "second look: 1 of 2" in answer.err


def test_csv_has_a_row_for_each_difference_and_runs_nothing_in_a_spreadsheet(topup: Desk, tmp_path: Path) -> None:
    topup.books.found = REPORT
    file = tmp_path / "differences.csv"
    assert topup("reconcile", "--csv", str(file)).code == 0
    header, first, second = csv.reader(file.read_text(encoding="utf-8").splitlines())
    assert tuple(header) == COLUMNS
    assert first[:2] == ["late_reversal", "order-1"]
    assert second[1:3] == ["'=cmd()", "6901616fe9e88196b4eb64b0 6901616fe9e88196b4eb64ff"]


def test_a_file_that_cant_be_written_is_no_lost_report(topup: Desk, tmp_path: Path) -> None:
    topup.books.found = REPORT
    answer = topup("reconcile", "--csv", str(tmp_path / "nowhere" / "file.csv"))
    assert answer.code == 1
    assert "3 differences" in answer.out


def test_the_newest_report_is_shown_without_asking_anybody(topup: Desk) -> None:
    topup.books.found = REPORT
    assert topup("reconcile", "--last").code == 0
    assert topup.books.started == []
    topup.books.found = None
    answer = topup("reconcile", "--last")
    assert answer.code == 6
    assert "no report yet" in answer.err


def test_a_window_can_be_named(topup: Desk) -> None:
    topup.books.found = AGREED
    assert topup("reconcile", "--since", "2026-01-01", "--until", "2026-01-08T12:30+01:00").code == 0
    [given] = topup.books.started
    assert (given.since, given.until) == (
        BEGAN.replace(month=1, day=1, hour=0),
        BEGAN.replace(month=1, day=8, hour=11, minute=30),
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["--days", "0"],
        ["--days", "91"],
        ["--days", "many"],
        ["--since", "yesterday"],
        ["--since", "2026-01-08", "--until", "2026-01-01"],
        ["--since", "2999-01-01"],
        ["--until", "2999-01-01"],
        ["--since", "0001-01-01"],
        ["--until", "9999-12-31T23:59-23:00"],
        ["--days", "3", "--since", "2026-01-01"],
        ["--last", "--days", "3"],
    ],
)
def test_a_window_that_makes_no_sense_is_refused_before_anything_starts(topup: Desk, argv: list[str]) -> None:
    assert topup("reconcile", *argv).code == 2
    assert topup.books.started == []


def test_books_that_cant_be_read_exit_1_and_say_why(topup: Desk) -> None:
    topup.books.trouble = ReconciliationFailed("the books couldn't be compared: the provider's list has no end")
    answer = topup("reconcile")
    assert answer.code == 1
    assert "has no end" in answer.err
    assert "nothing was changed" in answer.err


def test_a_reconciliation_that_no_worker_takes_exits_8_and_stays(topup: Desk) -> None:
    topup.books.steps = [NotConfirmed("no worker has taken it yet")]
    answer = topup("reconcile")
    assert answer.code == 8
    assert "--last" in answer.err


def test_open_audits_are_listed(topup: Desk) -> None:
    assert "no audit is open" in topup("audits").err
    watched = AuditView(ref="order-1", opened_at=BEGAN, why="resolved: ticket 881", by="fatima", ours="REFUNDED")
    topup.books.open_audits = [watched, watched.model_copy(update={"ref": "order-2", "review_reason": "they differ"})]
    answer = topup("audits")
    assert "ticket 881" in answer.out
    assert "needs review" in answer.out
    assert [row["ref"] for row in topup("audits", "--json").json_lines] == ["order-1", "order-2"]


def test_an_audit_is_closed_by_a_person_with_a_note(topup: Desk) -> None:
    assert topup("close-audit", "order-1", "--note", "refunded by hand", "--by", "karim").code == 0
    assert topup.books.closed == [("order-1", "refunded by hand", "karim")]
    assert topup("close-audit", "order-1", "--note", " ").code == 2
    topup.books.trouble = NoSuchOrder("no audit of order-1 is open")
    assert topup("close-audit", "order-1", "--note", "x").code == 6


def test_json_of_a_report_has_plain_values(topup: Desk) -> None:
    topup.books.found = REPORT
    found = json.loads(topup("reconcile", "--json").out)
    assert found["differences"][0]["kind"] == "late_reversal"
    assert found["balance"]["closing"] == 510
