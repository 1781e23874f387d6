"""Real processes. The scenes of all modules that are run are played at the same time; each test waits for its own.

A module names its scenes in `PLAYS`; those of one module share a server and a provider.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from starter.demo.stage import Stage
from starter.local import temporal_program
from tests.system.scene import Play, Scenes

# The provider's own 15 s take 5; none of our waits is shortened by this.
SPEED = 3.0


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Dozens of workers start here; where Python keeps no bytecode each would compile everything anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scenes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bytecode: None
) -> AsyncIterator[Scenes]:
    """How a play ended: `await scenes(play)`."""
    modules = {item.module: None for item in request.session.items if isinstance(item, pytest.Function)}
    async with AsyncExitStack() as stack:
        playing: dict[Play, asyncio.Future[Any]] = {}
        for module in modules:
            if hasattr(module, "PLAYS"):
                folder = tmp_path_factory.mktemp(module.__name__.rpartition(".")[2])
                playing |= await stack.enter_async_context(_played(module, folder))
        yield playing.__getitem__


@asynccontextmanager
async def _played(module: ModuleType, folder: Path) -> AsyncIterator[Mapping[Play, asyncio.Future[Any]]]:
    stage = Stage(folder, await temporal_program(), speed=SPEED, rate_limit=0)
    playing: dict[Play, asyncio.Future[Any]] = {}
    try:
        await stage.start()
        playing = {play: asyncio.ensure_future(play(stage)) for play in module.PLAYS}
        yield playing
    finally:
        for play in playing.values():
            play.cancel()
        await asyncio.gather(*playing.values(), return_exceptions=True)
        await stage.end()
