"""Which Temporal server the tests of workflows use, and the servers themselves."""

import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from starter.connection import quiet_runtime
from starter.local import DYNAMIC_CONFIG, installed
from topups.namespace import missing_search_attributes
from topups.plugin import TopUpsPlugin
from topups.search_attributes import REGISTRY


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--temporal-server",
        default="dev",
        choices=("dev", "postgresql"),
        help="the server under tests/system: the dev server on its SQLite file (default), or the production server on "
        "PostgreSQL, in containers",
    )
    parser.addoption(
        "--workflow-environment",
        default="time-skipping",
        metavar="time-skipping|local|HOST:PORT",
        help="the server under the tests of workflows: the time-skipping test server (default), a dev server of this "
        "machine, or one that runs already",
    )


def pytest_configure() -> None:
    # What a script starts in the background ignores Ctrl-C, as do its children: tests that press it would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def workflow_environment(request: pytest.FixtureRequest) -> str:
    """What `--workflow-environment` says."""
    return str(request.config.getoption("--workflow-environment"))


@pytest.fixture
async def env(workflow_environment: str) -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own for each test: on the test server the end of an order may move the clock by years."""
    async with await start_environment(workflow_environment) as env:
        yield env


@pytest.fixture
async def local_env(workflow_environment: str) -> AsyncIterator[WorkflowEnvironment]:
    """A real server, for what the test server lacks: lists, and moving one order's clock."""
    kind = "local" if workflow_environment == "time-skipping" else workflow_environment
    async with await start_environment(kind) as env:
        yield env


async def start_environment(kind: str) -> AbstractAsyncContextManager[WorkflowEnvironment]:
    """Start, or connect to, a server that has the search attributes."""
    if kind == "time-skipping":
        env = await WorkflowEnvironment.start_time_skipping(
            plugins=[TopUpsPlugin()], runtime=quiet_runtime(), test_server_existing_path=_path("temporal-test-server")
        )
        await register(env.client, list(REGISTRY))
    elif kind == "local":
        env = await WorkflowEnvironment.start_local(
            plugins=[TopUpsPlugin()],
            runtime=quiet_runtime(),
            dev_server_existing_path=_path("temporal"),
            dev_server_log_level="error",
            dev_server_extra_args=[
                part for name, value in DYNAMIC_CONFIG.items() for part in ("--dynamic-config-value", f"{name}={value}")
            ],
        )
        await register(env.client, await missing_search_attributes(env.client))
    else:
        client = await Client.connect(kind, plugins=[TopUpsPlugin()], runtime=quiet_runtime())
        await register(client, await missing_search_attributes(client))
        env = WorkflowEnvironment.from_client(client)
    return env


async def register(client: Client, names: list[str]) -> None:
    """Add search attributes to the client's namespace."""
    if not names:
        return
    types = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{REGISTRY[name].upper()}") for name in names}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    )


def _path(name: str) -> str | None:
    found = installed(name)
    return str(found) if found else None
