"""How Temporal is told of a worker that died; tests/system kills real ones."""

import asyncio
from pathlib import Path
from typing import Any, cast, get_type_hints

import pytest
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import ProviderActivities, succession
from activities.succession import LOST, sticky_queue, succeed_the_dead
from activities.under_way import UnderWay
from tests.activities.beside import A_NOTE, HERE, until
from topups.encryption import Keys
from topups.observations import InDoubt, NoAnswer, Observation
from topups.plugin import converter

QUEUE = f"{A_NOTE.worker}-4f3a"
KEYS = Keys.parse("2026-11:" + "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")


def _task(number: int, queue: str, worker: str = A_NOTE.worker) -> list[HistoryEvent]:
    """A workflow task from a queue, the newer event first."""
    kind = TaskQueueKind.TASK_QUEUE_KIND_NORMAL if queue == "topups" else TaskQueueKind.TASK_QUEUE_KIND_STICKY
    scheduled, started = HistoryEvent(event_id=number), HistoryEvent(event_id=number + 1)
    scheduled.workflow_task_scheduled_event_attributes.task_queue.name = queue
    scheduled.workflow_task_scheduled_event_attributes.task_queue.kind = kind
    started.workflow_task_started_event_attributes.identity = worker
    started.workflow_task_started_event_attributes.scheduled_event_id = number
    return [started, scheduled]


def _activity(number: int, activity_id: str) -> HistoryEvent:
    event = HistoryEvent(event_id=number)
    event.activity_task_scheduled_event_attributes.activity_id = activity_id
    return event


def test_the_queue_of_a_dead_worker_is_that_of_the_task_in_which_it_began_the_activity() -> None:
    events = [*_task(20, f"{A_NOTE.worker}-successor"), _activity(14, "2"), *_task(10, QUEUE), *_task(2, "topups")]
    assert sticky_queue(A_NOTE, events) == QUEUE


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="nothing is known of the order"),
        pytest.param([*_task(10, QUEUE)], id="the activity is too long ago"),
        pytest.param([_activity(14, "2"), *_task(10, "topups")], id="its task came from the queue of all"),
        pytest.param([_activity(14, "2"), *_task(10, "8@other-1", "8@other")], id="another worker began the activity"),
    ],
)
def test_no_queue_is_taken_for_a_dead_workers_that_may_be_a_living_ones(events: list[HistoryEvent]) -> None:
    assert sticky_queue(A_NOTE, events) is None


@pytest.mark.parametrize("keys", [Keys.parse(""), KEYS], ids=["plain", "encrypted"])
@pytest.mark.parametrize("name", LOST)
async def test_an_order_reads_the_answer_for_its_dead_worker_as_an_answer_of_that_activity(
    name: str, keys: Keys
) -> None:
    (payload,) = await converter(keys).encode([LOST[name]])
    hint = get_type_hints(getattr(ProviderActivities, name), include_extras=True)["return"]
    (read,) = await converter(keys).decode([payload], [hint])
    assert read == LOST[name]
    assert read.lost


def test_every_request_to_the_provider_about_an_order_has_an_answer_for_when_its_worker_dies() -> None:
    names = {
        name for name, method in vars(ProviderActivities).items() if hasattr(method, "__temporal_activity_definition")
    }
    assert set(LOST) == names
    assert [type(LOST[name]) for name in sorted(names)] == [NoAnswer, NoAnswer, NoAnswer, InDoubt]


class Temporal:
    """The calls that a successor makes. `fails` are the answers to completions, in turn; then they succeed."""

    identity, namespace = "9@the-host", "default"

    def __init__(self, *fails: RPCStatusCode | Exception) -> None:
        self.workflow_service = self
        self.fails = list(fails)
        self.tried = 0
        self.completed: list[tuple[bytes, Observation]] = []

    async def get_workflow_execution_history_reverse(self, *_: Any) -> Any:
        raise RPCError("not found", RPCStatusCode.NOT_FOUND, b"")

    def get_async_activity_handle(self, *, task_token: bytes) -> "Handle":
        return Handle(self, task_token)


class Handle:
    def __init__(self, temporal: Temporal, token: bytes) -> None:
        self._temporal, self._token = temporal, token

    async def complete(self, answer: Observation) -> None:
        self._temporal.tried += 1
        if self._temporal.fails:
            fails = self._temporal.fails.pop(0)
            raise RPCError("…", fails, b"") if isinstance(fails, RPCStatusCode) else fails
        self._temporal.completed.append((self._token, answer))


async def _succeed(temporal: Temporal, state_dir: Path, dead: Path) -> None:
    """Look for dead workers until there is none."""
    with UnderWay(state_dir, HERE) as mine:
        heir = asyncio.create_task(succeed_the_dead(cast("Client", temporal), mine))
        await asyncio.to_thread(until, lambda: not dead.exists())
        heir.cancel()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "LOOK_SECONDS", 0.05)


async def test_a_send_whose_worker_died_is_in_doubt(tmp_path: Path, dead: Path) -> None:
    temporal = Temporal()
    await _succeed(temporal, tmp_path, dead)
    lost = InDoubt(why="the worker died in the middle of the send", lost=True)
    assert temporal.completed == [(A_NOTE.task_token, lost)]


async def test_what_was_answered_already_is_settled(tmp_path: Path, dead: Path) -> None:
    temporal = Temporal(RPCStatusCode.NOT_FOUND)
    await _succeed(temporal, tmp_path, dead)
    assert (temporal.completed, temporal.tried) == ([], 1)


@pytest.mark.parametrize(
    "trouble", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.INTERNAL, RPCStatusCode.PERMISSION_DENIED, ValueError("…")]
)
async def test_it_is_told_again_until_temporal_has_heard_it(
    tmp_path: Path, dead: Path, trouble: RPCStatusCode | Exception
) -> None:
    temporal = Temporal(trouble, trouble)
    await _succeed(temporal, tmp_path, dead)
    assert (len(temporal.completed), temporal.tried) == (1, 3)
