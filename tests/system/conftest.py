"""Real processes. The scenes of all modules that are run are played at the same time; each test waits for its own.

A module names its scenes in `PLAYS`; those of one module share a server and a provider.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.system.playing import kept_bytecode, played
from tests.system.scene import Play, Scenes

# The provider's own 15 s take 5; none of our waits is shortened by this.
SPEED = 3.0


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
        for module in modules:
            if hasattr(module, "PLAYS"):
                folder = tmp_path_factory.mktemp(module.__name__.rpartition(".")[2])
                playing |= await stack.enter_async_context(played(module.PLAYS, folder, SPEED))
        yield playing.__getitem__
