"""The stack of docker-compose.yml, brought up once. Without a Docker engine these tests are skipped."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
import pytest_asyncio
from temporalio.client import Client

from starter.connection import quiet_runtime
from starter.processes import free_port
from tests.containers.production import why_no_engine
from topups import TopUps, TopUpsPlugin
from topups.encryption import Keys
from topups.settings import ClientSettings

ROOT = Path(__file__).parents[2]
UP_SECONDS = 300


@dataclass
class Stack:
    """A stack under a project name and on ports of its own. `files` are compose files, `env` goes before `.env`."""

    project: str
    files: tuple[str, ...] = ("docker-compose.yml",)
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = {name: str(free_port()) for name in ("TEMPORAL_PORT", "UI_PORT", "CODEC_PORT")}
        self.env = {"COMPOSE_PROJECT_NAME": self.project, **ports, **self.env}

    def docker(self, *words: str, seconds: float = UP_SECONDS) -> str:
        """Run `docker compose …` and return what it printed. Raises AssertionError with its errors."""
        run = subprocess.run(
            ["docker", "compose", *(word for file in self.files for word in ("-f", file)), *words],
            cwd=ROOT,
            env=os.environ | self.env,
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

    def services(self) -> list[dict[str, Any]]:
        """What `docker compose ps` says of each container that runs."""
        return [json.loads(line) for line in self.docker("ps", "--format", "json").splitlines()]

    async def topups(self, keys: Keys | None = None) -> TopUps:
        """A backend outside the stack."""
        client = await Client.connect(
            f"127.0.0.1:{self.env['TEMPORAL_PORT']}",
            namespace="topups",
            plugins=[TopUpsPlugin(keys)],
            runtime=quiet_runtime(),
        )
        return TopUps(client, ClientSettings())


@contextmanager
def running(engine: docker.DockerClient, stack: Stack) -> Iterator[Stack]:
    """A stack from nothing; afterwards nothing of it is left."""
    stack.docker("down", "-v", "--remove-orphans")
    stack.docker("build")
    try:
        stack.up()
        yield stack
    finally:
        stack.docker("down", "-v", "--remove-orphans")
    of_project = {"label": f"com.docker.compose.project={stack.project}"}
    assert engine.containers.list(all=True, filters=of_project) == []
    assert engine.volumes.list(filters=of_project) == []


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)
    return docker.from_env()


@pytest.fixture(scope="session")
def stack(engine: docker.DockerClient) -> Iterator[Stack]:
    with running(engine, Stack("topups-test")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def topups(stack: Stack) -> AsyncIterator[TopUps]:
    """A backend outside the stack."""
    yield await stack.topups()
