"""How a run of the command ends: errors, interrupts, lost readers, tracebacks."""

import os
import signal
import sys

import pytest

from starter.cli import run
from starter.output import is_right_to_left
from tests.starter.fakes import Desk, view
from topups import Phase, TemporalUnreachable, TopUpView

SEND = ["send", "--ref", "order-1", "--plan", "P", "--phone", "0771234567", "--amount", "5"]


def test_temporal_that_is_gone_exits_7_and_names_the_variable(topup: Desk) -> None:
    topup.temporal.trouble = TemporalUnreachable("Temporal can't be reached at host:1")
    for argv in (["list"], ["status", "a"], ["watch"], ["setup"], SEND):
        answer = topup(*argv)
        assert answer.code == 7
        assert "host:1" in answer.err
        assert "TEMPORAL_ADDRESS" in answer.err
        assert not answer.out


def test_an_unexpected_error_is_one_line_without_a_traceback(topup: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOPUP_DEBUG", raising=False)
    topup.temporal.trouble = RuntimeError("broken\nin two")
    answer = topup("list")
    assert answer.code == 1
    assert "unexpected RuntimeError: broken in two" in answer.err
    assert "Traceback" not in answer.err


def test_topup_debug_shows_the_traceback(topup: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUP_DEBUG", "1")
    topup.temporal.trouble = RuntimeError("broken")
    assert "Traceback" in topup("list").err


def test_a_bad_setting_exits_2_and_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECLICKDZ_ENVIRONMENT", "staging")
    assert run(["list"]) == 2
    assert "ONECLICKDZ_ENVIRONMENT" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["watch", "order-1"], [*SEND, "--wait", "30"]])
def test_ctrl_c_exits_130_and_says_that_the_order_goes_on(
    topup: Desk, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def look(_: object) -> TopUpView:
        nonlocal looks
        looks += 1
        if looks > 1:
            signal.raise_signal(signal.SIGINT)
        return view(Phase.PENDING)

    monkeypatch.setattr("tests.starter.fakes.FakeOrder.view", look)
    answer = topup(*argv)
    assert answer.code == 130
    assert "the order goes on; `topup watch order-1` shows it" in answer.err
    assert "Traceback" not in answer.err


def test_a_reader_that_leaves_is_no_error(topup: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    topup.orders.scripts["order-1"] = [view(Phase.PENDING)]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        answer = topup("status", "order-1", "--json")
        assert answer.code == 0
        assert not answer.err


def test_version_and_help_exit_0(topup: Desk) -> None:
    assert topup("--version").out.startswith("topup ")
    for command in ("send", "status", "watch", "list", "recheck", "cancel", "resolve", "reopen", "setup", "demo"):
        answer = topup(command, "--help")
        assert answer.code == 0
        assert f"topup {command}" in answer.out
        assert "Exit codes" in answer.out


def test_arabic_is_told_from_latin() -> None:
    assert is_right_to_left("الرقم")
    assert not is_right_to_left("0771234567, ticket 881")
