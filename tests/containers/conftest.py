"""The stack of docker-compose.yml, brought up once. Without a Docker engine these tests are skipped."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest
import pytest_asyncio
from temporalio.client import Client
from testcontainers.compose import DockerCompose

from starter.connection import quiet_runtime
from starter.processes import free_port
from tests.containers.production import why_no_engine
from topups import TopUps, TopUpsPlugin
from topups.settings import ClientSettings

ROOT = Path(__file__).parents[2]
PROJECT = "topups-test"
UP_SECONDS = 300


class Stack(DockerCompose):
    """The compose file under a project name of its own, with two more words: kill and up again."""

    def docker(self, *words: str, seconds: float = UP_SECONDS) -> str:
        """Run `docker compose …` and return what it printed. Raises AssertionError with its errors."""
        run = subprocess.run(
            [*self.compose_command_property, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert run.returncode == 0, f"{words}: {run.stdout[-2000:]}{run.stderr[-4000:]}"
        return run.stdout

    def up(self) -> None:
        """As an operator does; ends when everything is healthy."""
        self.docker("up", "--wait")


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)
    return docker.from_env()


@pytest.fixture(scope="session")
def stack(engine: docker.DockerClient) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", PROJECT)
        patch.setenv("TEMPORAL_PORT", str(free_port()))
        patch.setenv("UI_PORT", str(free_port()))
        compose = Stack(ROOT)
        compose.docker("down", "-v", "--remove-orphans")
        compose.docker("build")
        try:
            compose.up()
            yield compose
        finally:
            compose.docker("down", "-v", "--remove-orphans")
    of_project = {"label": f"com.docker.compose.project={PROJECT}"}
    assert engine.containers.list(all=True, filters=of_project) == []
    assert engine.volumes.list(filters=of_project) == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def topups(stack: Stack) -> AsyncIterator[TopUps]:
    """A backend outside the stack."""
    address = f"127.0.0.1:{stack.get_service_port('temporal', 7233)}"
    client = await Client.connect(address, namespace="topups", plugins=[TopUpsPlugin()], runtime=quiet_runtime())
    yield TopUps(client, ClientSettings())
