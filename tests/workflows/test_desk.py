"""The operator's desk on a real server: lists by every filter, and acts on many orders through the command."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from starter.cli import run
from starter.session import Session
from tests.workflows.provider import ScriptedProvider, says
from tests.workflows.stage import Stage, rows_of
from topups import Phase, TopUps
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import TopUp


@pytest.fixture
async def stage(local_env: WorkflowEnvironment, provider: ScriptedProvider) -> AsyncIterator[Stage]:
    skipper = TimeSkipper(local_env.client, config=TimeSkippingConfig(enabled=False))
    async with Worker(local_env.client, task_queue=TASK_QUEUE, workflows=[TopUp], activities=provider.activities):
        yield Stage(local_env, provider, TopUps(skipper.client, ClientSettings()), skipper)


@pytest.fixture
def topup(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command, in a thread: it has an event loop of its own."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", stage.env.client.service_client.config.target_host)

    async def at_once(seconds: float) -> None:
        assert seconds == 2.0

    async def command(*argv: str) -> tuple[int, list[dict[str, Any]]]:
        code = await asyncio.to_thread(run, argv, Session(sleep=at_once))
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return command


async def unknown(stage: Stage, *refs: str, then: str = "UNKNOWN_ERROR") -> None:
    """Orders that the provider doesn't know; at the next look it says `then`."""
    for ref in refs:
        stage.provider.follow("check", says("UNKNOWN_ERROR"), says(then), ref=ref)
        order = await stage.submit(ref=ref)
        await stage.until(order, Phase.PENDING)
        await stage.later(6, ref)
        await stage.until(order, Phase.UNKNOWN_ERROR)


async def moment() -> datetime:
    """A time that Temporal's lists can tell from what happened before and what happens next: they know milliseconds."""
    await asyncio.sleep(0.005)
    now = datetime.now(UTC)
    await asyncio.sleep(0.005)
    return now


async def test_a_list_finds_orders_by_plan_number_and_age(stage: Stage) -> None:
    # No check changes their phase, however long this takes.
    stage.provider.follow("check", says("PENDING"))
    before = await moment()
    await stage.submit(ref="first", plan_code="PIXX_500", phone="0771234568")
    await stage.until(stage.topups.order("first"), Phase.PENDING)
    between = await moment()
    await stage.submit(ref="second")
    await stage.until(stage.topups.order("second"), Phase.PENDING)
    after = await moment()
    listed = stage.topups.list
    await rows_of(listed, {"first", "second"})
    asked: list[tuple[dict[str, Any], set[str]]] = [
        ({"plan_code": "PIXX_500"}, {"first"}),
        ({"phone_tail": "567"}, {"second"}),
        ({"accepted_after": between}, {"second"}),
        ({"accepted_before": between}, {"first"}),
        ({"accepted_after": before, "accepted_before": after}, {"first", "second"}),
        ({"unchanged_since": between}, {"first"}),
        ({"unchanged_since": after, "phase": "PENDING"}, {"first", "second"}),
        ({"unchanged_since": before - timedelta(hours=1)}, set()),
        ({"phone_tail": "567", "plan_code": "PIXX_500"}, set()),
    ]
    for wanted, refs in asked:
        await rows_of(partial(listed, **wanted), refs)


async def test_a_recheck_of_many_asks_the_provider_about_each_and_leaves_who_in_its_timeline(
    stage: Stage, topup: Any
) -> None:
    await unknown(stage, "one", "two", then="FULFILLED")
    await unknown(stage, "other", then="FULFILLED")
    await rows_of(lambda: stage.topups.list(phase="UNKNOWN_ERROR"), {"one", "two", "other"})
    code, dry = await topup("recheck", "--phase", "UNKNOWN_ERROR", "--dry-run", "--json")
    assert (code, {line["ref"] for line in dry}) == (0, {"one", "two", "other"})
    code, lines = await topup("recheck", "--phase", "UNKNOWN_ERROR", "--yes", "--json", "--by", "nadia@desk")
    assert (code, [line["outcome"] for line in lines]) == (0, ["done"] * 3)
    for ref in ("one", "two", "other"):
        await stage.later(6, ref)
        result = await stage.end(stage.topups.order(ref))
        assert result.phase is Phase.FULFILLED
        assert [event.by for event in result.timeline if event.note == "Recheck asked for"] == ["nadia@desk"]
    await rows_of(lambda: stage.topups.list(open_only=True), set())
    assert await topup("recheck", "--phase", "UNKNOWN_ERROR", "--yes", "--json") == (0, [])


async def test_a_resolve_of_many_gives_each_order_its_own_fresh_look_and_keeps_who_and_why(
    stage: Stage, topup: Any
) -> None:
    await unknown(stage, "lost")
    await unknown(stage, "arrived", then="FULFILLED")
    await rows_of(lambda: stage.topups.list(phase="UNKNOWN_ERROR"), {"lost", "arrived"})
    words = ["--as", "REFUNDED", "--note", "support, ticket 881", "--by", "nadia@desk"]
    resolving = asyncio.create_task(topup("resolve", "--phase", "UNKNOWN_ERROR", *words, "--yes", "--json"))
    for ref in ("lost", "arrived"):
        await stage.until(stage.topups.order(ref), lambda view: view.resolved_by is not None or view.final)
    code, lines = await resolving
    ends = {line["ref"]: (line["phase"], line["outcome"]) for line in lines}
    assert (code, ends) == (9, {"lost": ("REFUNDED", "done"), "arrived": ("FULFILLED", "refused")})
    for ref in ends:
        view = await stage.topups.order(ref).view()
        asked = "Asked to resolve as REFUNDED: support, ticket 881"
        assert [event.by for event in view.timeline if event.note == asked] == ["nadia@desk"]
    assert (await stage.topups.order("lost").view()).resolved_note == "support, ticket 881"
