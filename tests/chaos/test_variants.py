"""Each control really makes its mistake, and a deploy does to orders under way what its name says.

The plays run at the same time, with real processes on one server and one provider; each test waits for its own.
"""

import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from starter.local import DevServer, temporal_program
from tests.chaos.variants import plays
from tests.chaos.variants.__main__ import main
from tests.chaos.variants.catalogue import VARIANTS, Variant
from tests.chaos.variants.deploys import NotPatched, Patched, Raises
from tests.replay import record
from tests.system.playing import kept_bytecode, played
from tests.system.scene import Evidence, Play, Scenes
from topups import Phase
from topups.plugin import TopUpsPlugin
from workflows import TopUp

# The plays run in one loop, beside all tests.
beside = pytest.mark.asyncio(loop_scope="session")

SPEED = 5.0
HISTORIES = sorted(record.HISTORIES.glob("*/*.json"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scenes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scenes]:
    """How a play ended: `await scenes(play)`."""
    folder = tmp_path_factory.mktemp("variants")
    with kept_bytecode(folder / "bytecode"):
        async with played(plays.ALL, folder, DevServer(await temporal_program(), folder), SPEED) as playing:
            yield playing.__getitem__


@beside
async def test_blind_resend_delivers_one_order_twice_under_two_refs(scenes: Scenes) -> None:
    commits = await scenes(plays.blind_resend)
    assert [row["ref"] for row in commits] == ["blind-resend", "blind-resend-2"]


@beside
async def test_the_documented_loop_calls_refunded_what_the_provider_never_refunded(scenes: Scenes) -> None:
    ends: list[Evidence] = await scenes(plays.documented_loop)
    for end in ends:
        assert (end.result.phase, end.count("commit"), end.count("refund")) == (Phase.REFUNDED, 1, 0), end.result.ref


@beside
async def test_a_duplicate_taken_for_a_failure_rejects_an_order_that_exists(scenes: Scenes) -> None:
    end: Evidence = await scenes(plays.duplicate_is_failure)
    assert (end.result.phase, end.result.error_code, end.count("commit")) == (Phase.REJECTED, "DUPLICATED_REF", 1)
    assert end.count("request", endpoint="send") == 2


@beside
async def test_the_first_404_rejects_an_order_that_exists(scenes: Scenes) -> None:
    end: Evidence = await scenes(plays.first_404)
    assert (end.result.phase, end.result.error_code, end.count("commit")) == (Phase.REJECTED, "NOT_FOUND", 1)


@beside
async def test_no_limit_makes_several_requests_in_a_minute_that_allows_one(scenes: Scenes) -> None:
    end: Evidence = await scenes(plays.no_limit)
    assert end.was_delivered_once()
    assert end.count("request") > 1


@beside
async def test_one_who_forgets_checks_after_the_final_answer(scenes: Scenes) -> None:
    late = await scenes(plays.forgets)
    assert late[0]["endpoint"] == "check-id"


@beside
async def test_one_who_hurries_checks_again_before_five_seconds_passed(scenes: Scenes) -> None:
    gaps: list[float] = await scenes(plays.hurries)
    assert gaps
    assert min(gaps) < 4


@beside
async def test_a_patched_worker_takes_over_orders_under_way_and_they_are_delivered_once(scenes: Scenes) -> None:
    ends: list[Evidence] = await scenes(plays.patched)
    assert all(end.was_delivered_once() for end in ends)


@beside
async def test_an_order_of_the_patched_code_waits_under_the_old_one_until_it_is_back(scenes: Scenes) -> None:
    end: Evidence = await scenes(plays.patch_rolled_back)
    assert end.was_delivered_once()


@beside
@pytest.mark.parametrize("play", [plays.bad_deploy, plays.raises])
async def test_orders_stuck_under_a_bad_deploy_are_delivered_once_after_a_roll_back(scenes: Scenes, play: Play) -> None:
    end: Evidence = await scenes(play)
    assert end.was_delivered_once()
    assert end.count("request", endpoint="send") == 1


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_every_recorded_order_of_the_old_code_replays_under_the_patched_one(path: Path) -> None:
    await replay(Patched, path)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_no_recorded_order_gets_any_further_without_the_patch(path: Path) -> None:
    with pytest.raises(NondeterminismError):
        await replay(NotPatched, path)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_no_recorded_order_gets_any_further_under_a_bug_that_raises(path: Path) -> None:
    with pytest.raises(RuntimeError, match="KeyError"):
        await replay(Raises, path)


async def replay(workflow: type[TopUp], path: Path) -> None:
    await Replayer(workflows=[workflow], plugins=[TopUpsPlugin()]).replay_workflow(_history(path))


def _history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))


def test_every_variant_is_listed_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["variants", "--list"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*VARIANTS]
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_what_a_variant_replaces_is_still_there(variant: Variant) -> None:
    for dotted in variant.changes:
        home, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(home), name)


def test_a_variant_of_something_that_is_gone_refuses_to_start() -> None:
    with pytest.raises(AttributeError, match=r"worker\.Nothing is gone"):
        Variant("old", "changes what was removed", {"worker.Nothing": None}).apply()
