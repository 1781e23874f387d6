"""Finds and runs a Temporal server on this machine, for the demo and the tests. Not for production."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from starter.connection import quiet_runtime
from starter.processes import Process, free_port
from topups import TopUpsPlugin
from topups.namespace import missing_search_attributes
from topups.search_attributes import REGISTRY

HOST = "127.0.0.1"
DYNAMIC_CONFIG = {
    # Lets the demo and the tests move one order's clock forward.
    "frontend.WorkflowTimeSkippingEnabled": "true",
}
OURS = ("TEMPORAL_", "TOPUPS_", "ONECLICKDZ_")


class NoTemporal(Exception):
    """This machine has no Temporal server and could not get one; the text says what to do."""


def configured_address() -> str | None:
    """The server that the user named by `TEMPORAL_ADDRESS`; then none is started."""
    return os.environ.get("TEMPORAL_ADDRESS") or None


def installed(name: str) -> Path | None:
    """A program beside this Python (the virtual environment's), or on PATH."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=beside) or shutil.which(name)
    return Path(found) if found else None


async def temporal_program() -> Path:
    """The `temporal` program: installed, or downloaded once by Temporal's SDK. Raises NoTemporal."""
    return installed("temporal") or await _downloaded()


async def _downloaded() -> Path:
    folder = Path(tempfile.gettempdir()) / "topups-temporal"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        async with await WorkflowEnvironment.start_local(download_dest_dir=str(folder)):
            pass
    except RuntimeError as error:
        raise NoTemporal(
            f"no Temporal server here, and the SDK could not download one ({error}): "
            "install the `temporal` command (https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a server"
        ) from error
    programs = sorted(folder.glob("temporal-cli*"), key=lambda path: path.stat().st_mtime)
    if not programs:
        raise NoTemporal(f"the SDK downloaded no Temporal server into {folder}; install the `temporal` command")
    return programs[-1]


def without_ours(environment: Mapping[str, str], **more: str) -> dict[str, str]:
    """An environment for a child that no setting or profile of the user reaches, but those given."""
    kept = {name: value for name, value in environment.items() if not name.startswith(OURS)}
    return kept | {"TEMPORAL_CONFIG_FILE": os.devnull} | more


class DevServer:
    """A real Temporal server as a process, on a SQLite file. Killed and started again it goes on where it was."""

    def __init__(self, program: Path, folder: Path, *, tied: bool = True) -> None:
        self.port, self.ui_port = free_port(), free_port()
        self.address = f"{HOST}:{self.port}"
        self.ui_url = f"http://{HOST}:{self.ui_port}"
        self.process = Process(
            "temporal server",
            self._command(program, folder / "temporal.sqlite"),
            log=folder / "temporal.log",
            env=without_ours(os.environ),
            tied=tied,
        )

    async def start(self) -> None:
        """Start it, or start it again; return when it holds orders. Raises NotReady."""
        self.process.start()
        await self.process.wait_for_port(self.port)
        await self.process.wait_for(self._is_ready, "a namespace with the search attributes")

    async def connect(self) -> Client:
        """Return a client for it, whatever server the user's profile names."""
        return await Client.connect(self.address, plugins=[TopUpsPlugin()], runtime=quiet_runtime())

    async def _is_ready(self) -> bool:
        with suppress(RPCError, RuntimeError):
            return not await missing_search_attributes(await self.connect())
        return False

    def _command(self, program: Path, database: Path) -> list[str]:
        command = [str(program), "server", "start-dev", "--ip", HOST, "--log-level", "error"]
        command += ["--port", str(self.port), "--ui-port", str(self.ui_port), "--db-filename", str(database)]
        for name, kind in REGISTRY.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for name, value in DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{name}={value}"]
        return command


@asynccontextmanager
async def local_server(folder: Path) -> AsyncIterator[str]:
    """The address of the server that the user named, else of one that runs as long as the context.

    Raises NoTemporal or NotReady.
    """
    address = configured_address()
    if address:
        yield address
        return
    server = DevServer(await temporal_program(), folder)
    try:
        await server.start()
        yield server.address
    finally:
        server.process.kill()
