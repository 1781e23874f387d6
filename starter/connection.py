"""The command's way to Temporal: quiet, and never waiting long for a server that isn't there."""

import asyncio
import functools
from collections.abc import Awaitable
from typing import TypeVar

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig

from topups import TemporalUnreachable, TopUpError, TopUps, connect_temporal
from topups.namespace import SetupReport, set_up
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

    async def set_up(self) -> SetupReport:
        """Give the namespace what orders need. Raises TemporalUnreachable or the SDK's RPCError."""
        return await bounded(set_up(await _connect()))


async def _connect() -> Client:
    try:
        return await bounded(connect_temporal(runtime=quiet_runtime()))
    except TopUpError:
        raise
    except Exception as error:
        raise TemporalUnreachable(f"the settings for Temporal at {address()} don't work: {error}") from error
