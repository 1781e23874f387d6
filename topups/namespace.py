"""What a Temporal namespace must have before it can hold orders, and how to give it that."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from topups.errors import SetupNeeded
from topups.models import Model
from topups.search_attributes import REGISTRY
from topups.temporal_errors import explained

RETENTION = timedelta(days=90)
# A server's processes read search attributes anew once a minute at the latest.
USABLE_WITHIN_SECONDS, LOOK_SECONDS = 90.0, 0.2
PROBE_TIMEOUT = timedelta(seconds=5)
_NOT_OURS_TO_DO = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})


class SetupReport(Model):
    """What `set_up` did. `retention_days` as it is now; `retention_note` says why it could not be raised.

    `schedule` is when the daily reconciliation runs, in words.
    """

    added: tuple[str, ...]
    retention_days: float
    retention_note: str | None = None
    schedule: str | None = None


async def missing_search_attributes(client: Client) -> list[str]:
    """Return the names from the registry that the namespace lacks."""
    with explained():
        known = await _search_attributes(client)
    return [name for name in REGISTRY if name not in known]


async def _search_attributes(client: Client) -> Collection[str]:
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in _NOT_OURS_TO_DO:
            raise
        # Temporal Cloud has no operator's service; a namespace itself says what its columns are called.
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
        return list(described.config.custom_search_attribute_aliases.values())
    return list(listed.custom_attributes)


async def set_up(client: Client) -> SetupReport:
    """Register the search attributes and raise the retention to 90 days; harmless when repeated.

    Returns when the server takes orders, at most 90 s later. Raises TemporalUnreachable, and SetupNeeded where
    somebody else must register them, as in Temporal Cloud, or where the server needs longer.
    """
    missing = await missing_search_attributes(client)
    if missing:
        await _add(client, missing)
    with explained():
        await _until_usable(client)
    days, note = await _raise_retention(client)
    return SetupReport(added=tuple(missing), retention_days=days, retention_note=note)


async def _add(client: Client, missing: list[str]) -> None:
    types = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{REGISTRY[name].upper()}") for name in missing}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
        )
    except RPCError as error:
        if error.status not in _NOT_OURS_TO_DO:
            raise
        wanted = ", ".join(f"{name} ({REGISTRY[name]})" for name in missing)
        raise SetupNeeded(
            f"these credentials may not add search attributes ({error.message}): add {wanted} "
            "in Temporal Cloud's UI or with an administrator's key, then run `topup setup` again"
        ) from error


async def _until_usable(client: Client) -> None:
    try:
        async with asyncio.timeout(USABLE_WITHIN_SECONDS):
            while True:
                if await takes_orders(client):
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise SetupNeeded(
            "the search attributes are added, but the server doesn't take orders with them yet: "
            "run `topup setup` again in a minute"
        ) from None


async def takes_orders(client: Client) -> bool:
    """Whether the process that answered knows what to do with the search attributes."""
    # It reads the whole query, and looks by the id, which no order has.
    query = " AND ".join(["WorkflowId = 'setup'", *(f"{name} IS NOT NULL" for name in REGISTRY)])
    try:
        await client.count_workflows(query, rpc_timeout=PROBE_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return False
    return True


async def _raise_retention(client: Client) -> tuple[float, str | None]:
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
    if kept >= RETENTION:
        return kept / timedelta(days=1), None
    wanted = Duration()
    wanted.FromTimedelta(RETENTION)
    try:
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=wanted)
            )
        )
    except RPCError as error:
        return kept / timedelta(days=1), f"the retention could not be raised to 90 days: {error.message}"
    return RETENTION / timedelta(days=1), None
