"""The command on a real Temporal server that has no worker."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from starter.cli import run
from tests.starter.server import Cli, bare_server
from topups import TopUps, handle

pytestmark = pytest.mark.timeout(60)
DESK = Path(__file__).parents[2] / "docs" / "desk.md"


def _send(ref: str, amount: str = "500") -> list[str]:
    return ["send", "--ref", ref, "--plan", "PREPAID_DJEZZY", "--phone", "0771234567", "--amount", amount]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server with the search attributes, registered by the command itself."""
    with bare_server() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", address)
        assert run(["setup"]) == 0
        yield address


@pytest.fixture
def topup(address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setattr(handle, "QUERY_TIMEOUT", timedelta(seconds=0.3))
    monkeypatch.setattr(handle, "UPDATE_ACCEPT_SECONDS", 1)
    capsys.readouterr()
    return Cli(capsys)


def _terminate(ref: str) -> None:
    async def act() -> None:
        topups = await TopUps.connect()
        await topups.client.get_workflow_handle(f"topup-{ref}").terminate()

    asyncio.run(act())


def test_the_same_order_twice_is_one_order(topup: Cli) -> None:
    first, second = topup(*_send("twice"), "--json"), topup(*_send("twice"), "--json")
    assert (first.code, second.code) == (0, 0)
    assert first.json == second.json
    assert first.json["stale"] is True
    assert first.json["phase"] == "ACCEPTED"


def test_another_amount_for_the_same_ref_exits_5(topup: Cli) -> None:
    topup(*_send("conflict"))
    answer = topup(*_send("conflict", "501"))
    assert answer.code == 5
    assert not answer.out


def test_status_without_a_worker_is_stale_and_says_so(topup: Cli) -> None:
    topup(*_send("stale"))
    answer = topup("status", "stale")
    assert answer.code == 0
    assert "no worker answered" in answer.out


def test_a_wait_without_a_worker_ends_with_4(topup: Cli) -> None:
    answer = topup(*_send("waiting"), "--wait", "2", "--json")
    assert answer.code == 4
    assert answer.json["phase"] == "ACCEPTED"


def test_an_unknown_ref_exits_6_for_every_command(topup: Cli) -> None:
    for argv in (
        ["status", "nobody"],
        ["watch", "nobody"],
        ["recheck", "nobody"],
        ["cancel", "nobody", "--reason", "x"],
        ["resolve", "nobody", "--as", "FULFILLED", "--note", "x"],
        ["reopen", "nobody", "--note", "x"],
    ):
        assert topup(*argv).code == 6


def test_a_cancel_that_no_worker_takes_exits_8(topup: Cli) -> None:
    topup(*_send("cancel"))
    answer = topup("cancel", "cancel", "--reason", "not wanted")
    assert answer.code == 8
    assert "may still be taken" in answer.err


def test_a_recheck_is_recorded_without_a_worker(topup: Cli) -> None:
    topup(*_send("recheck"))
    assert topup("recheck", "recheck").code == 0


def test_a_terminated_run_is_named_and_reopened_once(topup: Cli) -> None:
    topup(*_send("broken"))
    _terminate("broken")
    answer = topup("status", "broken")
    assert answer.code == 1
    assert "topup reopen broken" in answer.err
    assert topup("recheck", "broken").code == 9
    assert topup("reopen", "broken", "--note", "by mistake").code == 0
    assert topup("status", "broken", "--json").json["phase"] == "CONFIRMING"
    assert topup("reopen", "broken", "--note", "again").code == 9


def _listed(topup: Cli, *filters: str, refs: set[str]) -> None:
    """Wait until the list shows just these; it follows the orders by a moment."""
    deadline = time.monotonic() + 10
    while (found := {row["ref"] for row in topup("list", *filters, "--json").json_lines}) != refs:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_many_orders_are_rechecked_without_a_worker_and_resolved_only_with_one(topup: Cli) -> None:
    many = ["--phase", "CONFIRMING", "--plan", "PREPAID_DJEZZY", "--tail", "999", "--accepted-after", "1h"]
    for ref in ("many-1", "many-2"):
        topup("send", "--ref", ref, "--plan", "PREPAID_DJEZZY", "--phone", "0771234999", "--amount", "500")
        _terminate(ref)
        assert topup("reopen", ref, "--note", "by mistake").code == 0
    _listed(topup, *many, refs={"many-1", "many-2"})
    _listed(topup, *many, "--older-than", "1d", refs=set())
    quick = ["--yes", "--json", "--per-minute", "120"]
    answer = topup("recheck", *many, *quick)
    assert (answer.code, [line["outcome"] for line in answer.json_lines]) == (0, ["done"] * 2)
    answer = topup("resolve", *many, *quick, "--as", "FULFILLED", "--note", "seen")
    assert (answer.code, [line["outcome"] for line in answer.json_lines]) == (8, ["no_worker"] * 2)


def test_the_list_shows_orders_that_no_worker_has_seen(topup: Cli) -> None:
    topup(*_send("listed"))
    deadline = time.monotonic() + 10
    while not (rows := [row for row in topup("list", "--json").json_lines if row["ref"] == "listed"]):
        assert time.monotonic() < deadline, "visibility never showed the order"
        time.sleep(0.1)
    assert (rows[0]["phase"], rows[0]["phone_tail"]) == ("ACCEPTED", "567")


@pytest.mark.parametrize("query", re.findall(r"^```sql\n(.+?)\n```$", DESK.read_text(), re.DOTALL | re.MULTILINE))
def test_every_query_of_the_desk_is_understood(topup: Cli, query: str) -> None:
    async def count() -> int:
        return (await (await TopUps.connect()).client.count_workflows(query)).count

    assert asyncio.run(count()) >= 0


def test_setup_is_harmless_when_repeated(topup: Cli) -> None:
    answer = topup("setup")
    assert answer.code == 0
    assert "there already" in answer.out


def test_a_missing_namespace_exits_7_and_is_named(topup: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    for argv in (["list"], ["status", "a"], ["setup"], _send("a")):
        answer = topup(*argv)
        assert answer.code == 7
        assert "nowhere" in answer.err
        assert "TEMPORAL_NAMESPACE" in answer.err


@pytest.mark.parametrize("where", ["127.0.0.1:1", "no such host", "nosuch.invalid:7233"])
def test_a_server_that_is_not_there_exits_7_soon(topup: Cli, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", where)
    began = time.monotonic()
    answer = topup("list", "--json")
    assert answer.code == 7
    assert where in answer.err
    assert "TEMPORAL_ADDRESS" in answer.err
    assert time.monotonic() - began < 12


def test_a_profile_that_is_not_there_exits_7(topup: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "nowhere")
    answer = topup("list")
    assert answer.code == 7
    assert "nowhere" in answer.err


def test_a_namespace_without_search_attributes_names_setup(topup: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with bare_server() as bare:
        monkeypatch.setenv("TEMPORAL_ADDRESS", bare)
        answer = topup(*_send("early"))
        assert answer.code == 1
        assert "topup setup" in answer.err


def test_the_process_ends_with_its_code_and_clean_streams(topup: Cli, address: str) -> None:
    topup(*_send("process"))
    status = [sys.executable, "-m", "starter", "status", "process", "--json"]
    ended = subprocess.run(status, capture_output=True, timeout=30, env=os.environ | {"LC_ALL": "C"}, check=False)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["ref"] == "process"
    assert not ended.stderr
