"""Where a local Temporal server comes from."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from starter import local
from starter.local import DevServer, NoTemporal, local_server, temporal_program
from starter.processes import is_open
from topups import TopUps


async def test_a_server_that_the_user_named_is_used_and_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    async with local_server(tmp_path) as address:
        assert address == "temporal.example:7233"
    assert not (tmp_path / "temporal.log").exists()


async def test_a_server_of_this_machine_lives_as_long_as_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    async with local_server(tmp_path) as address:
        port = int(address.rpartition(":")[2])
        assert is_open(port)
    assert not is_open(port)


async def test_a_killed_server_comes_back_on_its_file_and_ports(tmp_path: Path) -> None:
    server = DevServer(await temporal_program(), tmp_path)
    await server.start()
    server.process.kill()
    await server.start()
    rows = [row async for row in TopUps(await server.connect()).list()]
    server.process.kill()
    assert rows == []


async def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_network(**_: object) -> WorkflowEnvironment:
        raise RuntimeError("Failed starting dev server: no network")

    monkeypatch.setattr(local, "installed", lambda _: None)
    monkeypatch.setattr(WorkflowEnvironment, "start_local", no_network)
    with pytest.raises(NoTemporal, match="install the `temporal` command"):
        await temporal_program()
