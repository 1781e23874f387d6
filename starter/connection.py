"""The command's way to Temporal: quiet, and never waiting long for a server that isn't there."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from topups import TemporalUnreachable, TopUpError, TopUps, connect_temporal
from topups.books.audits import Audits
from topups.books.differences import AuditResult, AuditView
from topups.books.reconciling import Reconciliations, keep_schedule
from topups.namespace import USABLE_WITHIN_SECONDS, SetupReport, set_up
from topups.settings import ClientSettings

CALL_SECONDS = 10.0
DEFAULT_ADDRESS = "localhost:7233"

T = TypeVar("T")


async def bounded(call: Awaitable[T], seconds: float = CALL_SECONDS) -> T:
    """Await a call to Temporal for `seconds` at most. Raises TemporalUnreachable after that."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call
    except TimeoutError:
        if not limit.expired():
            raise
        raise TemporalUnreachable(
            f"Temporal at {address()} didn't answer in {seconds:g} s; the same call again is safe"
        ) from None


def address() -> str:
    """Where Temporal is looked for: `TEMPORAL_ADDRESS`, the profile's, or localhost:7233."""
    try:
        return ClientConfig.load_client_connect_config().get("target_host") or DEFAULT_ADDRESS
    except Exception:  # the profile can't be read: it names no other address
        return DEFAULT_ADDRESS


@functools.cache
def quiet_runtime() -> Runtime:
    """The SDK's core logs to stdout by default, which would break `--json`."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


class Connection:
    """Temporal, as the `TEMPORAL_*` variables or a profile name it."""

    async def topups(self) -> TopUps:
        """Connect. Raises TemporalUnreachable, or pydantic's ValidationError for a bad `ONECLICKDZ_…` setting."""
        settings = ClientSettings()
        return TopUps(await _connect(), settings)

    async def books(self) -> "Books":
        """Connect, for reconciliations and audits. Raises like `topups`."""
        settings = ClientSettings()
        return Books(await _connect(), settings.task_queue)

    async def set_up(self) -> SetupReport:
        """Give the namespace what orders need, and the daily reconciliation.

        Raises TemporalUnreachable or the SDK's RPCError.
        """
        settings, client = ClientSettings(), await _connect()
        report = await bounded(set_up(client), CALL_SECONDS + USABLE_WITHIN_SECONDS)
        return report.model_copy(update={"schedule": await _scheduled(client, settings)})


async def _scheduled(client: Client, settings: ClientSettings) -> str:
    hour, days = settings.reconcile_hour, settings.reconcile_days
    try:
        await bounded(keep_schedule(client, settings.task_queue, hour=hour, days=days))
    except RPCError as error:
        # Orders need no schedule, and not every server gives one to everybody.
        return f"not scheduled ({error.message}); run `topup reconcile` daily"
    return f"daily at {hour:02}:00 UTC over the last {days:g} days"


class Books(Reconciliations):
    """What the commands of the books need, in one place."""

    def __init__(self, client: Client, task_queue: str) -> None:
        super().__init__(client, task_queue)
        self._audits = Audits(client, task_queue)

    def audits(self) -> AsyncIterator[AuditView]:
        """Yield the open audits."""
        return self._audits.all_open()

    async def close_audit(self, ref: str, *, note: str, by: str) -> AuditResult:
        """End an audit by a person's word. Raises NoSuchOrder, NotAllowed or NotConfirmed."""
        return await self._audits.close(ref, note=note, by=by)


async def _connect() -> Client:
    try:
        return await bounded(connect_temporal(runtime=quiet_runtime()))
    except TopUpError:
        raise
    except Exception as error:
        raise TemporalUnreachable(f"the settings for Temporal at {address()} don't work: {error}") from error
