"""What holds over all processes of a host, and when they are killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.provider.stand_in import error, ok, whose_key

WORKER = """
import asyncio, sys
from pathlib import Path
from oneclickdz import OneClickDZ, OneClickDZError

async def main(port, folder, calls):
    url = f"http://127.0.0.1:{port}/v3"
    async with OneClickDZ(
        token="k", environment="sandbox", state_dir=Path(folder), base_url=url, rate_limit=8
    ) as client:
        for _ in range(int(calls)):
            try:
                await client.balance()
                print("ok", flush=True)
            except OneClickDZError as problem:
                print(type(problem).__name__, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Server:
    """A provider on a port; says whose key it is, or holds its answer back."""

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[str] = []
        self.asked = asyncio.Condition()
        self.silent = False
        self.validate = whose_key()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._answer((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode(), writer)
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        async with self.asked:
            self.lines.append(path.removeprefix("/v3"))
            self.asked.notify_all()
        if self.silent:
            return
        reply = self.validate if path.endswith("/validate") else ok({"balance": 1})
        head = f"HTTP/1.1 {reply.status_code} X\r\ncontent-length: {len(reply.content)}\r\n\r\n"
        writer.write(head.encode() + reply.content)
        await writer.drain()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.asked:
            await self.asked.wait_for(condition)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


async def start(server: Server, folder: Path, calls: int) -> Process:
    arguments = ("-c", WORKER, str(server.port), str(folder), str(calls))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)


async def words(process: Process) -> list[str]:
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().split()


async def test_three_processes_with_a_bad_key_cost_one_request(server: Server, tmp_path: Path) -> None:
    server.validate = error(401, "INVALID_ACCESS_TOKEN")
    workers = [await start(server, tmp_path, calls=2) for _ in range(3)]
    said = [word for worker in workers for word in await words(worker)]
    assert sorted(said) == ["CredentialsRefused", *["KeyClosed"] * 5]
    assert server.lines == ["/validate"]


async def test_three_processes_share_one_rate_window(server: Server, tmp_path: Path) -> None:
    workers = [await start(server, tmp_path, calls=4) for _ in range(3)]
    said = [word for worker in workers for word in await words(worker)]
    assert said.count("ok") + said.count("RateLimited") == 12
    # Reads may fill three quarters of the eight places, and each process asks /validate once.
    assert server.lines.count("/validate") == 3
    assert len(server.lines) <= 8
    assert "RateLimited" in said


async def test_a_process_killed_while_it_tries_the_key_leaves_no_lock_behind(server: Server, tmp_path: Path) -> None:
    server.silent = True
    victim = await start(server, tmp_path, calls=1)
    await server.until(lambda: len(server.lines) == 1)
    victim.send_signal(signal.SIGKILL)
    await victim.wait()
    assert victim.stdout is not None
    assert await victim.stdout.read() == b""
    server.silent = False
    assert await words(await start(server, tmp_path, calls=1)) == ["ok"]
