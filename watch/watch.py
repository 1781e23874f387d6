"""All that watches one worker, from its first moment to its last."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from oneclickdz import Exchange, Observer
from topups.census import TemporalVisibility
from topups.policy import Policy
from topups.settings import WorkerSettings
from topups.temporal_errors import explained
from topups.traces import tracing
from watch.health import Health, serving
from watch.metrics import Metrics
from watch.rounds import (
    BALANCE_LOOK_SECONDS,
    CENSUS_SECONDS,
    PULSE_SECONDS,
    BalancePort,
    Balances,
    Counting,
    Pulse,
    every,
)
from watch.runtime import worker_runtime

PULSE_TIMEOUT = timedelta(seconds=5)


class Watch:
    """A context around a worker. Entering it raises SetupNeeded when an address can't be listened on.

    `observer` is for the provider's client, `metrics` watches the activities, `runtime` is for Temporal's client.
    """

    def __init__(self, settings: WorkerSettings, policy: Policy) -> None:
        self._settings = settings
        self._unknown_recheck = timedelta(seconds=policy.unknown_recheck)
        self.health = Health()
        self.runtime = worker_runtime(settings.metrics_address)
        self.metrics = Metrics(self.runtime.metric_meter)
        self.observer = Observers(self.metrics, *_spans())
        self._rounds: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(serving(self.health, self._settings.health_address))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._rounds:
            task.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        await self._stack.aclose()

    def begin(self, client: Client, provider: BalancePort, working: "asyncio.Task[Any]") -> None:
        """The worker polls, until `working` ends. Orders and money are looked at only where somebody can read it."""
        self.health.set_up = True
        self.health.polling = True
        working.add_done_callback(self._ended)

        async def ask() -> object:
            request = DescribeNamespaceRequest(namespace=client.namespace)
            with explained():
                return await client.workflow_service.describe_namespace(request, timeout=PULSE_TIMEOUT)

        self._round(PULSE_SECONDS, Pulse(ask, self.health, self.metrics))
        if self._settings.metrics_address is not None:
            counting = Counting(TemporalVisibility(client), self.metrics, self._unknown_recheck)
            self._round(CENSUS_SECONDS, counting)
            self._round(BALANCE_LOOK_SECONDS, Balances(provider, self.health, self.metrics))

    def key(self, state: str, *, refused: bool) -> None:
        """The provider's word on the key: accepted, or why not; refused only where the provider said so."""
        self.health.key = state
        self.metrics.key(refused=refused)

    def stopping(self) -> None:
        """The worker takes no more work."""
        self.health.stopping = True

    def _ended(self, _: "asyncio.Task[Any]") -> None:
        self.health.polling = False

    def _round(self, seconds: float, looker: Pulse | Counting | Balances) -> None:
        self._rounds.append(asyncio.create_task(every(seconds, looker.look)))


class Observers:
    """Several observers of the provider's client as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def exchanged(self, exchange: Exchange) -> None:
        """A request ended."""
        for observer in self._observers:
            observer.exchanged(exchange)

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        """A request waited for its place in the rate window."""
        for observer in self._observers:
            observer.waited(kind, seconds, in_vain=in_vain)


def _spans() -> list[Observer]:
    if not tracing.is_on():
        return []
    return [tracing.loaded("watch.spans").Spans(tracing.loaded("topups.traces.otlp").provider())]
