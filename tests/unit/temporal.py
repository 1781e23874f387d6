"""Temporal at the client's port: runs in memory that answer what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from topups.client import TopUps
from topups.order import Submission
from topups.settings import ClientSettings

RUNNING, COMPLETED = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED


def rpc_error(status: RPCStatusCode, message: str = "because") -> RPCError:
    return RPCError(message, status, b"")


@dataclass
class FakeRun:
    """One workflow. Each answer may be an error; those of `result` come one after the other."""

    id: str
    started: dict[str, Any] = field(default_factory=dict)
    status: WorkflowExecutionStatus | None = RUNNING
    query: Any = None
    results: list[Any] = field(default_factory=list)
    update: Any = None
    updated: Any = None
    words: list[tuple[str, Any, str | None]] = field(default_factory=list)
    run_id: str = "run-1"
    workflow_type: str = "TopUp"
    history: list[HistoryEvent] | RPCError = field(default_factory=list)

    @property
    def typed_search_attributes(self) -> TypedSearchAttributes:
        found: TypedSearchAttributes = self.started["search_attributes"]
        return found

    async def memo_value(self, key: str, *, type_hint: type[Submission]) -> Submission:
        memo = self.started["memo"][key]
        return type_hint.model_validate_json(memo.model_dump_json())


@dataclass
class FakeHandle:
    """What `get_workflow_handle` gives, whether the run exists or not."""

    temporal: FakeTemporal
    id: str

    @property
    def _run(self) -> FakeRun:
        if self.temporal.trouble is not None:
            raise self.temporal.trouble
        if self.id not in self.temporal.runs:
            raise rpc_error(RPCStatusCode.NOT_FOUND, "workflow not found")
        return self.temporal.runs[self.id]

    async def describe(self) -> FakeRun:
        return self._run

    async def result(self) -> Any:
        return _given(self._run.results.pop(0))

    async def query(self, name: str, **_: Any) -> Any:
        return _given(self._run.query)

    async def fetch_history_events(self) -> AsyncIterator[HistoryEvent]:
        for event in _given(self._run.history):
            yield event

    async def signal(self, name: str, word: Any) -> None:
        self._run.words.append((name, word, None))

    async def start_update(self, name: str, word: Any, *, id: str, **_: Any) -> SimpleNamespace:
        run = self._run
        run.words.append((name, word, id))
        _given(run.update)

        async def result() -> Any:
            return _given(run.updated)

        return SimpleNamespace(result=result)


@dataclass
class FakeTemporal:
    """A namespace in memory."""

    runs: dict[str, FakeRun] = field(default_factory=dict)
    trouble: Exception | None = None
    queries: list[str] = field(default_factory=list)
    data_converter: DataConverter = pydantic_data_converter

    async def start_workflow(self, name: str, given: Any, **options: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        known = self.runs.get(options["id"])
        again = options["id_reuse_policy"] is WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        if known and not (again and known.status not in {RUNNING, COMPLETED}):
            raise WorkflowAlreadyStartedError(options["id"], name)
        self.runs[options["id"]] = FakeRun(options["id"], {"name": name, "given": given, **options})

    def get_workflow_handle(self, workflow_id: str, **_: Any) -> FakeHandle:
        return FakeHandle(self, workflow_id)

    async def list_workflows(self, query: str) -> AsyncIterator[FakeRun]:
        self.queries.append(query)
        if self.trouble is not None:
            raise self.trouble
        for run in self.runs.values():
            yield run

    def topups(self, **settings: Any) -> TopUps:
        return TopUps(cast("Client", self), ClientSettings(**settings))


def _given(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer
