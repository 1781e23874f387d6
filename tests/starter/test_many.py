"""Recheck and resolve on many orders at once: chosen by filters, gently, and never by accident."""

import io
import signal
import sys
from typing import Any

import pytest

from starter.many import Rechecking, Resolving
from tests.starter.fakes import Answer, Desk, FakeOrder, refused, row, view
from tests.unit.story import held, in_doubt, pending, unknown
from topups import NotConfirmed, OrderInterrupted, Phase, TemporalUnreachable, people
from topups.models import Outcome, Resolve

RECHECK = ["recheck", "--phase", "UNKNOWN_ERROR"]
RESOLVE = ["resolve", "--phase", "UNKNOWN_ERROR", "--as", "REFUNDED", "--note", "ticket 881"]
BOTH = pytest.mark.parametrize("command", [RECHECK, RESOLVE])
REFS = ("order-1", "order-2", "order-3")


class Terminal(io.StringIO):
    """Somebody who types at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def three(topup: Desk) -> Desk:
    """Three orders in UNKNOWN_ERROR, which the provider goes on not knowing."""
    topup.orders.rows = [row(Phase.UNKNOWN_ERROR, ref) for ref in REFS]
    topup.orders.scripts = {ref: [view(Phase.REFUNDED, ref)] for ref in REFS}
    return topup


def touched(topup: Desk) -> list[str]:
    return [act[0] for act in topup.orders.acts]


@BOTH
def test_an_act_on_many_asks_for_open_orders_only_and_carries_who_and_why_to_each(
    three: Desk, command: list[str]
) -> None:
    answer = three(*command, "--by", "nadia@desk", "--yes")
    assert answer.code == 0
    assert three.orders.asked == [{"phase": "UNKNOWN_ERROR", "open_only": True}]
    word = ("recheck", "nadia@desk") if command is RECHECK else ("resolve", "REFUNDED", "ticket 881", "nadia@desk")
    assert three.orders.acts == [word] * 3
    assert answer.out == f"{command[0]}: 3 done\n"


@BOTH
def test_many_is_never_all_by_accident(three: Desk, command: list[str]) -> None:
    words = [part for part in command if part not in {"--phase", "UNKNOWN_ERROR"}]
    answer = three(*words, "--yes")
    assert answer.code == 2
    assert "choose orders by --phase" in answer.err
    assert not three.orders.asked
    assert not touched(three)


@BOTH
@pytest.mark.parametrize("option", [["--tail", "567"], ["--dry-run"], ["--json"]])
def test_one_ref_goes_without_the_options_for_many(three: Desk, command: list[str], option: list[str]) -> None:
    words = [part for part in command if part not in {"--phase", "UNKNOWN_ERROR"}]
    answer = three(*words, "order-1", *option)
    assert answer.code == 2
    assert "REF: is one order" in answer.err
    assert not touched(three)


@BOTH
def test_a_dry_run_shows_the_orders_and_does_nothing(three: Desk, command: list[str]) -> None:
    answer = three(*command, "--dry-run")
    assert answer.code == 0
    assert all(ref in answer.out for ref in REFS)
    assert f"would {command[0]} 3 orders (3 UNKNOWN_ERROR; at least 4 s); nothing was done" in answer.err
    assert not touched(three)


def test_a_dry_run_says_which_others_match_and_why_they_are_left_alone(topup: Desk) -> None:
    topup.orders.rows = [
        row(Phase.PENDING, "open"),
        row(Phase.ACCEPTED, "new"),
        row(Phase.FULFILLED, "done"),
        row(Phase.FULFILLED, "done-too"),
        row(Phase.CONFIRMING, "broken", needs_review=True),
    ]
    topup.orders.broken_off = {"broken"}
    answer = topup("recheck", "--tail", "567", "--dry-run", "--json")
    assert answer.json_lines == [{"ref": "open", "phase": "PENDING", "outcome": "dry_run", "why": None}]
    assert "left alone: 1 ACCEPTED: it is sent by itself" in answer.err
    assert "left alone: 2 FULFILLED: ended" in answer.err
    assert "left alone: 1 CONFIRMING: broken off; `topup reopen`" in answer.err


def test_a_dry_run_without_a_match_is_no_error(topup: Desk) -> None:
    answer = topup(*RECHECK, "--dry-run")
    assert (answer.code, answer.out) == (0, "")
    assert "would recheck 0 orders; nothing was done" in answer.err


@BOTH
def test_nothing_to_do_is_done(topup: Desk, command: list[str]) -> None:
    answer = topup(*command, "--yes")
    assert (answer.code, answer.out) == (0, "")
    assert "no open order" in answer.err


@BOTH
def test_more_than_the_limit_touches_none(three: Desk, command: list[str]) -> None:
    answer = three(*command, "--yes", "--limit", "2")
    assert answer.code == 2
    assert "3 orders match, the limit is 2: none was touched" in answer.err
    assert not touched(three)
    assert three(*command, "--yes", "--limit", "3").code == 0


@BOTH
def test_where_nobody_can_be_asked_it_wants_yes(
    three: Desk, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    answer = three(*command)
    assert answer.code == 2
    assert "--dry-run, then add --yes" in answer.err
    assert not touched(three)


@BOTH
@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_on_a_terminal_it_asks_with_the_count_first(
    three: Desk, command: list[str], typed: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    answer = three(*command)
    assert answer.code == code
    assert f"{command[0]} 3 orders (3 UNKNOWN_ERROR; at least 4 s)? [y/N]" in answer.err
    assert len(touched(three)) == (3 if code == 0 else 0)


def test_ctrl_c_at_the_question_touches_nothing(three: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            signal.raise_signal(signal.SIGINT)
            return "y"

    monkeypatch.setattr(sys, "stdin", Interrupted())
    answer = three(*RECHECK)
    assert answer.code == 130
    assert "nothing was touched" in answer.err
    assert not touched(three)


def test_it_goes_gently_one_order_after_the_other(three: Desk) -> None:
    three(*RECHECK, "--yes")
    three(*RECHECK, "--yes", "--per-minute", "120")
    assert three.slept == [2.0, 2.0, 0.5, 0.5]


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_on_a_terminal_a_bar_goes_to_stderr_and_results_alone_to_stdout(
    three: Desk, json: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    three.orders.refusals["order-2"] = refused("order-2: a send is on its way")
    answer = three(*RECHECK, "--yes", *json)
    assert "3/3" in shown.getvalue()
    assert ("order-2: a send is on its way" in shown.getvalue()) is not bool(json)
    assert len(answer.out.splitlines()) == (3 if json else 1)
    assert "\x1b" not in answer.out


def test_one_order_s_refusal_does_not_stop_the_others(three: Desk) -> None:
    three.orders.refusals["order-2"] = refused("order-2: a send is on its way")
    answer = three(*RESOLVE, "--yes")
    assert answer.code == 9
    assert answer.out == "resolve: 2 done · 1 refused\n"
    assert "order-2: a send is on its way" in answer.err
    assert touched(three) == ["resolve"] * 2


@pytest.mark.parametrize(
    ("troubles", "code", "outcomes"),
    [
        ({"order-1": refused("no")}, 9, ["refused", "done", "done"]),
        ({"order-1": OrderInterrupted("broken off")}, 9, ["refused", "done", "done"]),
        ({"order-1": refused("no"), "order-3": NotConfirmed("nobody")}, 8, ["refused", "done", "no_worker"]),
        ({"order-2": RuntimeError("a bug"), "order-3": NotConfirmed("nobody")}, 1, ["done", "failed", "no_worker"]),
    ],
)
def test_the_worst_end_of_all_is_the_exit_code_and_each_has_its_line(
    three: Desk, troubles: dict[str, Exception], code: int, outcomes: list[str]
) -> None:
    three.orders.refusals = troubles
    answer = three(*RESOLVE, "--yes", "--json")
    assert answer.code == code
    assert [(line["ref"], line["outcome"]) for line in answer.json_lines] == list(zip(REFS, outcomes, strict=True))
    assert {frozenset(line) for line in answer.json_lines} == {frozenset({"ref", "phase", "outcome", "why"})}


def test_the_provider_s_own_final_answer_wins_at_each_order(three: Desk) -> None:
    three.orders.taken = False
    three.orders.scripts["order-2"] = [view(Phase.FULFILLED, "order-2")]
    answer = three(*RESOLVE, "--yes", "--json")
    assert answer.code == 9
    assert [(line["phase"], line["outcome"]) for line in answer.json_lines] == [
        ("REFUNDED", "done"),
        ("FULFILLED", "refused"),
        ("REFUNDED", "done"),
    ]


def test_a_temporal_that_is_gone_stops_it_and_says_how_far_it_came(three: Desk) -> None:
    three.orders.refusals["order-2"] = TemporalUnreachable("Temporal doesn't answer")
    answer = three(*RECHECK, "--yes")
    assert answer.code == 7
    assert "Temporal doesn't answer. 1 of 3 orders gone through" in answer.err
    assert "1 not touched" in answer.err


def interrupted_at_the_second(three: Desk, command: list[str], monkeypatch: pytest.MonkeyPatch) -> Answer:
    acted = FakeOrder.recheck

    async def recheck(order: FakeOrder, **words: Any) -> None:
        if order.ref == "order-2":
            signal.raise_signal(signal.SIGINT)
            await three.never.wait()
        await acted(order, **words)

    monkeypatch.setattr(FakeOrder, "recheck", recheck)
    return three(*command)


def test_ctrl_c_stops_and_says_how_many_were_done_and_may_still_be_taken(
    three: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = interrupted_at_the_second(three, [*RECHECK, "--yes"], monkeypatch)
    assert answer.code == 130
    assert "interrupted: 1 of 3 orders gone through, 1 may still be taken, 1 not touched" in answer.err
    assert "the same command again is harmless" in answer.err


def test_json_lines_of_what_was_done_stay_after_ctrl_c(three: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = interrupted_at_the_second(three, [*RECHECK, "--yes", "--json"], monkeypatch)
    assert [line["ref"] for line in answer.json_lines] == ["order-1"]


@pytest.mark.parametrize("outcome", ["FULFILLED", "REFUNDED", "NOT_CREATED"])
def test_the_phases_that_are_left_alone_are_those_in_which_a_word_is_refused(outcome: Outcome) -> None:
    word = Resolve(outcome=outcome, note="seen", by="nadia@desk")
    act = Resolving(outcome, "seen", "nadia@desk")
    for story in (held(), in_doubt().after(901), pending(), unknown()):
        refusal = people.why_not_resolve(story.order, word, story.now)
        assert (act.why_not(story.phase) is None) is (refusal is None), story.phase


def test_the_phases_that_are_left_alone_are_those_in_which_a_recheck_does_nothing() -> None:
    act = Rechecking("nadia@desk")
    for story in (held(), in_doubt(), pending(), unknown()):
        assert people.recheck(story.order, "nadia@desk", story.now) != story.order
        assert act.why_not(story.phase) is None
    new = held().order.but(phase=Phase.ACCEPTED)
    assert people.recheck(new, "nadia@desk", held().now) == new
    assert act.why_not(Phase.ACCEPTED) is not None
