"""Whatever is sent to an order as a signal, an update or a query: the order goes on, and only right words count."""

import asyncio
import json
from random import Random
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.service import RPCError

from tests.bad_input.garbage import PHONE, thorough, whole_numbers
from tests.workflows.provider import says
from tests.workflows.stage import Stage
from topups import Phase, TopUpOrder

WORDS = 3_000 if thorough() else 500
AT_ONCE = 20
NAMES = ("recheck", "cancel", "resolve", "view", "refund", "é" * 50, "__temporal_workflow_metadata")
ENCODINGS = ("json/plain", "json/plain", "json/plain", "binary/plain", "binary/null", "json/protobuf", "x", "")
FIELDS = ("by", "reason", "note", "outcome", "unknown")
VALUES: tuple[Any, ...] = (
    None, True, 7, -1.5, 2**70, "", " ", "fatima", "\u202e", "\ud800", "x" * 5_000, PHONE, "+213 771 23 45 67",
    "FULFILLED", "NOT_CREATED", "LOST", [], ["a"], {"by": "b"}, {"a": {"b": {"c": []}}},
)  # fmt: skip
RAW = (
    b"",
    b"{no json",
    b"[" * 20_000,
    b"\xff\xfe\x00",
    b"null",
    b"NaN",
    b'"text"',
    b'{"by":"' + b"x" * 100_000 + b'"}',
)


def _payload(rng: Random) -> RawValue:
    if rng.random() < 0.3:
        data = rng.choice(RAW)
    else:
        word = {rng.choice(FIELDS): rng.choice(VALUES) for _ in range(rng.randrange(5))}
        data = json.dumps(rng.choice((word, word, word, [word], list(word)))).encode()
    return RawValue(Payload(metadata={"encoding": rng.choice(ENCODINGS).encode()}, data=data))


def _words(rng: Random, count: int) -> list[tuple[str, list[RawValue]]]:
    many = rng.choices((0, 1, 2, 3), (1, 8, 1, 1), k=count)
    return [(rng.choice(NAMES), [_payload(rng) for _ in range(size)]) for size in many]


async def _open_order(stage: Stage) -> TopUpOrder:
    stage.provider.follow("check", says("HANDLING"))
    order = await stage.submit()
    await stage.until(order, Phase.HANDLING)
    return order


async def _is_as_it_was(stage: Stage, order: TopUpOrder) -> WorkflowHistory:
    """A worker answers for it, it has not been sent again, and it still ends with the provider's word."""
    view = await order.view()
    assert (view.stale, view.phase, view.sends) == (False, Phase.HANDLING, 1)
    stage.provider.follow("check", says("FULFILLED"))
    assert (await stage.end(order)).phase is Phase.FULFILLED
    history = await stage.handle.fetch_history()
    failed = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
    assert not failed
    return history


async def _in_groups(calls: list[Any]) -> list[Any]:
    found: list[Any] = []
    for first in range(0, len(calls), AT_ONCE):
        found += await asyncio.gather(*calls[first : first + AT_ONCE], return_exceptions=True)
    return found


async def test_hundreds_of_wrong_signals_change_nothing(stage: Stage) -> None:
    order = await _open_order(stage)
    for outcome in await _in_groups([stage.handle.signal(name, args=args) for name, args in _words(Random(1), WORDS)]):
        assert outcome is None or isinstance(outcome, RPCError), outcome
    await _is_as_it_was(stage, order)


async def test_hundreds_of_wrong_updates_are_refused_without_repeating_a_number(stage: Stage) -> None:
    order = await _open_order(stage)
    words = [(name, args) for name, args in _words(Random(2), WORDS) if name != "resolve" or len(args) != 1]
    for outcome in await _in_groups([stage.handle.execute_update(name, args=args) for name, args in words]):
        assert isinstance(outcome, WorkflowUpdateFailedError | RPCError), outcome
        assert not whole_numbers(f"{outcome} {outcome.__cause__}")
    await _is_as_it_was(stage, order)


async def test_hundreds_of_wrong_queries_are_refused_or_answered(stage: Stage) -> None:
    order = await _open_order(stage)
    for outcome in await _in_groups([stage.handle.query(name, args=args) for name, args in _words(Random(3), WORDS)]):
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, WorkflowQueryFailedError | RPCError), outcome
    await _is_as_it_was(stage, order)
