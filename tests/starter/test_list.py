"""`topup list`: the questions of a bad day."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.starter.fakes import BEGAN, Desk, row, view
from topups import HoldReason, OrderInterrupted, Phase


def _ago(when: object) -> timedelta:
    assert isinstance(when, datetime)
    return datetime.now(UTC) - when


def test_a_list_asks_for_what_the_options_say(topup: Desk) -> None:
    assert topup("list", "--phase", "PENDING", "--plan", "PIXX_500", "--tail", "567", "--open").code == 0
    assert topup.orders.asked == [{"phase": "PENDING", "plan_code": "PIXX_500", "phone_tail": "567", "open_only": True}]


def test_older_than_means_in_its_phase(topup: Desk) -> None:
    topup("list", "--older-than", "2h")
    [asked] = topup.orders.asked
    assert _ago(asked["unchanged_since"]) == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=5))


def test_accepted_since_and_before_are_times_or_lengths(topup: Desk) -> None:
    topup("list", "--accepted-after", "2026-11-23", "--accepted-before", "30m", "--ended-after", "2026-11-24")
    [asked] = topup.orders.asked
    assert asked["finished_since"] == datetime(2026, 11, 24, tzinfo=UTC)
    assert asked["accepted_after"] == datetime(2026, 11, 23, tzinfo=UTC)
    assert _ago(asked["accepted_before"]) == pytest.approx(timedelta(minutes=30), abs=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--plan", "P' OR '"),
        ("--tail", "0771234567"),
        ("--tail", ""),
        ("--older-than", "soon"),
        ("--accepted-after", "24/11/2026"),
        ("--accepted-before", ""),
    ],
)
@pytest.mark.parametrize("command", [["list"], ["recheck"], ["resolve", "--as", "REFUNDED", "--note", "ticket 881"]])
def test_a_wrong_filter_is_named_and_asks_nothing(topup: Desk, command: list[str], option: str, value: str) -> None:
    answer = topup(*command, option, value)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"topup: {option}: must be ")
    assert not topup.orders.asked


def test_every_wrong_filter_gets_its_own_sentence(topup: Desk) -> None:
    wrong = ["--phase", "x", "--plan", "-", "--tail", "1", "--older-than", "x", "--accepted-after", "x"]
    err = topup("list", *wrong, "--accepted-before", "x", "--ended-after", "x").err
    named = [line.split(":")[1].strip() for line in err.splitlines() if line.startswith("topup: ")]
    assert named == [
        "--phase",
        "--plan",
        "--tail",
        "--older-than",
        "--accepted-after",
        "--accepted-before",
        "--ended-after",
    ]


def test_the_query_for_temporal_s_ui_is_printed_instead_and_nothing_is_asked(topup: Desk) -> None:
    answer = topup("list", "--tail", "567", "--accepted-after", "2026-11-23", "--query")
    assert answer.out == (
        "WorkflowType = 'TopUp' AND ExecutionStatus != 'ContinuedAsNew' AND TopUpPhoneTail = '567'"
        " AND TopUpAcceptedAt >= '2026-11-23T00:00:00+00:00'\n"
    )
    assert not topup.orders.asked


def test_a_list_shows_how_long_an_order_is_in_its_phase(topup: Desk) -> None:
    since = datetime.now(UTC) - timedelta(hours=3, seconds=30)
    topup.orders.rows = [row(Phase.UNKNOWN_ERROR, phase_since=since)]
    header, line = topup("list").out.splitlines()
    assert "IN PHASE" in header
    assert " 3 h " in line


def test_why_asks_the_open_orders_and_says_what_each_waits_for(topup: Desk) -> None:
    topup.orders.rows = [
        row(Phase.ON_HOLD, "held"),
        row(Phase.UNKNOWN_ERROR, "unknown", needs_review=True),
        row(Phase.CONFIRMING, "broken", needs_review=True),
        row(Phase.FULFILLED, "done"),
    ]
    topup.orders.scripts = {
        "held": [view(Phase.ON_HOLD, "held", hold_reason=HoldReason.BALANCE, deliver_by=BEGAN)],
        "unknown": [view(Phase.UNKNOWN_ERROR, "unknown", needs_review=True, review_reason="Still UNKNOWN_ERROR")],
        "broken": [OrderInterrupted("its run was broken off")],
    }
    answer = topup("list", "--why")
    lines = dict(zip(("held", "unknown", "broken", "done"), answer.out.splitlines()[1:], strict=True))
    assert "waits: balance" in lines["held"]
    assert "needs review: Still UNKNOWN_ERROR" in lines["unknown"]
    assert "topup reopen broken" in lines["broken"]
    assert {line["ref"]: line["why"] is None for line in topup("list", "--why", "--json").json_lines} == {
        "held": False,
        "unknown": False,
        "broken": False,
        "done": True,
    }


def test_why_without_a_worker_still_tells_who_needs_review(topup: Desk) -> None:
    topup.orders.rows = [row(Phase.PENDING, needs_review=True)]
    topup.orders.scripts = {"order-1": [view(Phase.PENDING, needs_review=True, stale=True)]}
    assert topup("list", "--why", "--json").json["why"] == "needs review, and no worker answered"


def test_why_asks_a_bounded_number_of_orders_and_says_so(topup: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starter.commands_list.ASKED_MOST", 1)
    topup.orders.rows = [row(ref="first"), row(ref="second")]
    topup.orders.scripts = {"first": [view(ref="first")]}
    answer = topup("list", "--why", "--json")
    assert [line["why"] for line in answer.json_lines] == ["Now PENDING", None]
    assert "only the first 1 open" in answer.err
