"""Records a new generation of histories: `python -m tests.replay.record`, named like the installed version.

A real server, the real worker, the stand-in provider; about 90 s. Run it for each release whose workflow issues other
commands than the last. Generations that exist are never written again: orders of that age may still run.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version as installed_version
from pathlib import Path

import httpx
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from activities import beating
from oneclickdz import OneClickDZ
from simulator import Settings, create_app
from starter.connection import quiet_runtime
from starter.local import DevServer, temporal_program
from tests.replay.desk import Desk
from tests.replay.scenarios import ALL, Play, Scenario, in_many_runs
from topups import TopUps, TopUpsPlugin
from topups.policy import Policy
from topups.settings import ClientSettings, WorkerSettings
from topups.start import workflow_id
from worker import build_worker

HISTORIES = Path(__file__).parent / "histories"
SPEED = 3.0
BASE = "http://provider"
# A send that takes long is one that was lost with its worker, without killing any.
NO_SIGN_OF_LIFE_SECONDS = 3_600.0


@asynccontextmanager
async def _provider(folder: Path) -> AsyncIterator[tuple[OneClickDZ, Desk]]:
    app = create_app(folder / "ledger.jsonl", Settings(speed=SPEED, rate_limit=0))
    transport = httpx.ASGITransport(app=app)
    client = OneClickDZ(
        token="sandbox-key",
        environment="sandbox",
        state_dir=folder / "state",
        base_url=f"{BASE}/v3",
        rate_limit=1_000,
        transport=transport,
    )
    async with client, httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield client, Desk(http)
    app.state.simulator.close()


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[Client]:
    """A client whose name in the histories is no machine's."""
    server = DevServer(await temporal_program(), folder)
    try:
        await server.start()
        yield await Client.connect(
            server.address, identity="recorder", plugins=[TopUpsPlugin()], runtime=quiet_runtime()
        )
    finally:
        server.process.kill()


async def _record(folder: Path) -> dict[str, str]:
    """Play every scenario at once and return the histories of all runs by file name."""
    async with _server(folder) as client, _provider(folder) as (provider, desk):
        plays = [_play(client, desk, scenario) for scenario in ALL]
        short = _play(client, desk, in_many_runs, queue="short-runs")
        async with (
            build_worker(client, provider, WorkerSettings(), Policy()),
            build_worker(client, provider, WorkerSettings(task_queue="short-runs"), Policy(history_events=1)),
            asyncio.TaskGroup() as group,
        ):
            found = [group.create_task(play) for play in (*plays, short)]
    return {name: text for one in found for name, text in one.result().items()}


async def _play(client: Client, desk: Desk, scenario: Scenario, queue: str = "topups") -> dict[str, str]:
    name = scenario.__name__
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    await scenario(Play(name, TopUps(client, ClientSettings(task_queue=queue)), skipper, desk))
    runs = [client.get_workflow_handle(workflow_id(name), run_id=run) for run in await _runs(client, name)]
    return {f"{name}.{number}.json": (await run.fetch_history()).to_json() for number, run in enumerate(runs, 1)}


async def _runs(client: Client, name: str) -> list[str]:
    """Return the ids of all runs, oldest first, once the list knows the last one: it follows by a moment."""
    last = (await client.get_workflow_handle(workflow_id(name)).describe()).run_id
    while True:
        found = [run async for run in client.list_workflows(f"WorkflowId = '{workflow_id(name)}'")]
        if last in [run.run_id for run in found]:
            return [run.run_id for run in sorted(found, key=lambda run: run.start_time)]
        await asyncio.sleep(0.2)


def main(version: str) -> None:
    """Write one generation. Exits when it exists."""
    target = HISTORIES / version
    if target.exists():
        sys.exit(f"{target} exists, and a generation is never written again")
    beating.HEARTBEAT_SECONDS = NO_SIGN_OF_LIFE_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        histories = asyncio.run(_record(Path(folder)))
    target.mkdir(parents=True)
    for name, text in histories.items():
        (target / name).write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(histories)} histories in {target}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else installed_version("durable-topups"))
