"""Orders that were accepted by an older version still go on under this one."""

import re
from base64 import b64decode, b64encode
from functools import cache
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from tests.replay import clocks, mutants
from tests.replay.record import HISTORIES
from tests.replay.scenarios import ALL, DJEZZY, MOBILIS, NEVER_PAID, OFFERS, REFUNDED, UNKNOWN, WORKING, in_many_runs
from topups.plugin import TopUpsPlugin
from topups.policy import RELEASE
from workflows import TopUp, releases
from workflows.runner import UpToTheLastTask

FILES = sorted(HISTORIES.glob("*/*.json"))
NEWEST = [path for path in FILES if path.parent.name == FILES[-1].parent.name]
DELIVERED = [path for path in FILES if path.match("delivered.1.json")]


NUMBERS = {number.encode() for number in (DJEZZY, MOBILIS, REFUNDED, OFFERS, UNKNOWN, WORKING, NEVER_PAID)}


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _history(path: Path, text: str | None = None) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"topup-{path.name.split('.')[0]}", text or _text(path))


def _payloads(text: str) -> bytes:
    return b"\n".join(b64decode(data) for data in re.findall(r'"data": "([^"]*)"', text))


def _replayer(workflow: type[TopUp] = TopUp, runner: WorkflowRunner | None = None) -> Replayer:
    """In the SDK's sandbox, unless told otherwise: a worker has none, so this is where it would stop something."""
    runner = runner or SandboxedWorkflowRunner()
    return Replayer(workflows=[workflow], workflow_runner=runner, plugins=[TopUpsPlugin()])


async def _replay_with_stale_clocks(path: Path) -> None:
    for stale in clocks.stale(_text(path)):
        await _replayer().replay_workflow(_history(path, stale))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_every_order_that_was_ever_recorded_replays(path: Path) -> None:
    await _replayer().replay_workflow(_history(path))


@pytest.mark.parametrize("path", NEWEST, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_an_order_replays_as_a_worker_runs_it_without_the_sandbox(path: Path) -> None:
    await _replayer(runner=UpToTheLastTask()).replay_workflow(_history(path))


@pytest.mark.parametrize("path", NEWEST, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_what_an_order_does_never_hangs_on_the_clock(path: Path) -> None:
    """A look between two tasks runs the order with the former task's time; its replay has the true one.

    No answer here is heard late, which is the exception: `tests/system/test_watched_orders.py` has it.
    """
    await _replay_with_stale_clocks(path)


async def test_an_order_of_the_first_generation_did_hang_on_the_clock() -> None:
    """Without this the test above could be one that sees nothing."""
    with pytest.raises(NondeterminismError):
        await _replay_with_stale_clocks(HISTORIES / "0.1.0" / "resolved_as_never_created.1.json")


def test_there_is_a_history_of_every_way_that_an_order_can_go() -> None:
    names = {path.name.split(".")[0] for path in FILES}
    assert names >= {scenario.__name__ for scenario in (*ALL, in_many_runs)}
    assert sum(path.match("in_many_runs.*") for path in FILES) > 3


@pytest.mark.parametrize("mutant", mutants.ALL, ids=lambda mutant: mutant.__name__)
async def test_a_workflow_that_does_something_else_fails_to_replay(mutant: type[TopUp]) -> None:
    """Without this a replay that checks nothing would pass unseen."""
    for path in DELIVERED:
        with pytest.raises(NondeterminismError):
            await _replayer(mutant).replay_workflow(_history(path))


def _in_their_place(text: str, old: bytes, new: bytes) -> str:
    """A history with other payloads; one of them at least has `old`."""
    assert old in _payloads(text)

    def changed(match: re.Match[str]) -> str:
        return f'"data": "{b64encode(b64decode(match[1]).replace(old, new)).decode()}"'

    return re.sub(r'"data": "([^"]*)"', changed, text)


@pytest.mark.parametrize("name", ["delivered.1.json", "in_many_runs.2.json"])
async def test_an_order_that_newer_code_began_waits_for_a_worker_that_has_it(name: str) -> None:
    path = HISTORIES / "0.5.0" / name
    newer = _in_their_place(_text(path), b'"release":1', b'"release":99')
    with pytest.raises(RuntimeError, match=f"release 99, and this worker has {RELEASE}:"):
        await _replayer(runner=UpToTheLastTask()).replay_workflow(_history(path, newer))


async def test_a_further_run_of_such_an_order_that_older_code_took_up_goes_on_in_that_codes_way() -> None:
    """Code of 0.4 overlooks the release that the run is handed."""
    path = HISTORIES / "0.4.0" / "in_many_runs.2.json"
    text = _in_their_place(_text(path), b'"own_times":true', b'"own_times":true,"release":1')
    await _replayer(runner=UpToTheLastTask()).replay_workflow(_history(path, text))


NOT_ASKED = [*DELIVERED[1:], HISTORIES / "0.5.0" / "in_many_runs.2.json"]


@pytest.mark.parametrize("path", NOT_ASKED, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_an_order_that_is_not_asked_what_it_was_begun_with_fails_to_replay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders of 0.1.0 were begun with nothing that could be asked."""
    monkeypatch.setattr(releases, "at_the_start", lambda _: releases.Ways())
    monkeypatch.setattr(releases, "of", lambda _: None)
    with pytest.raises(NondeterminismError):
        await _replayer(runner=UpToTheLastTask()).replay_workflow(_history(path))


def test_no_history_names_a_machine_or_a_number_of_a_real_person() -> None:
    for path in FILES:
        text = _text(path)
        assert set(re.findall(r'"identity": "([^"]*)"', text)) <= {"recorder", "history-service", ""}, path
        assert set(re.findall(rb"(?<![\w.])0[567][0-9]{8}(?!\w)", _payloads(text))) <= NUMBERS, path
        assert '"encoding": "anNvbi9wbGFpbg=="' in text, (
            "payloads are base64 of plain JSON, so that people can read them"
        )
