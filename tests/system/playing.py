"""Plays that run at the same time, on one server and one provider; each test waits for its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from starter.demo.stage import Stage
from starter.local import DevServer
from tests.system.scene import Play

Playing = Mapping[Play, asyncio.Future[Any]]


@contextmanager
def kept_bytecode(folder: Path) -> Iterator[None]:
    """Dozens of workers start; where Python keeps no bytecode each would compile everything anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(folder))
        yield


@asynccontextmanager
async def played(plays: Sequence[Play], folder: Path, server: DevServer, speed: float) -> AsyncIterator[Playing]:
    """Start them all; what is still under way at the end is broken off."""
    stage = Stage(folder, server, speed=speed, rate_limit=0)
    playing: dict[Play, asyncio.Future[Any]] = {}
    try:
        await stage.start()
        playing = {play: asyncio.ensure_future(play(stage)) for play in plays}
        yield playing
    finally:
        for play in playing.values():
            play.cancel()
        await asyncio.gather(*playing.values(), return_exceptions=True)
        await stage.end()
