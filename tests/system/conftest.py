"""Real processes. The scenes of all modules that are run are played at the same time; each test waits for its own.

A module names its scenes in `PLAYS`; those of one module share a server and a provider. `--temporal-server postgresql`
plays the same scenes on Temporal's production server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from starter.local import DevServer, temporal_program
from tests.containers.production import FEW_SHARDS, ProductionServer, database, why_no_engine
from tests.system.playing import kept_bytecode, played
from tests.system.scene import Play, Scenes

# The provider's own 15 s take 5; none of our waits is shortened by this.
SPEED = 3.0

Servers = Callable[[Path], DevServer]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What plays no scene needs no server, so it isn't run again on another one."""
    if config.getoption("--temporal-server") == "dev":
        return
    idle = [item for item in items if isinstance(item, pytest.Function) and not hasattr(item.module, "PLAYS")]
    config.hook.pytest_deselected(items=idle)
    items[:] = [item for item in items if item not in idle]


@asynccontextmanager
async def servers(kind: str, shards: int = FEW_SHARDS) -> AsyncIterator[Servers]:
    """How to make a server for a folder."""
    if kind == "dev":
        program = await temporal_program()
        yield lambda folder: DevServer(program, folder)
        return
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)
    with database() as holder, ExitStack() as stack:

        def make(folder: Path) -> DevServer:
            server = ProductionServer(holder, folder.name, folder, shards)
            stack.callback(server.process.remove)
            return server

        yield make


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with kept_bytecode(tmp_path_factory.mktemp("bytecode")):
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scenes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bytecode: None
) -> AsyncIterator[Scenes]:
    """How a play ended: `await scenes(play)`."""
    modules = {item.module: None for item in request.session.items if isinstance(item, pytest.Function)}
    async with AsyncExitStack() as stack:
        playing: dict[Play, asyncio.Future[Any]] = {}
        make = await stack.enter_async_context(servers(request.config.getoption("--temporal-server")))
        for module in modules:
            if hasattr(module, "PLAYS"):
                folder = tmp_path_factory.mktemp(module.__name__.rpartition(".")[2])
                playing |= await stack.enter_async_context(played(module.PLAYS, folder, make(folder), SPEED))
        yield playing.__getitem__
