"""Counts, between the workers and the provider's stand-in, what really leaves; shares no code with either.

Writes `{"at": epoch seconds, "key", "method", "path"}` for each request, then passes it on as it came.
`python -m benchmarks.counter --port 8034 --to 8033 --log counted.jsonl`
"""

import argparse
import asyncio
import json
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TextIO

HOST = "127.0.0.1"
END_OF_HEAD = b"\r\n\r\n"


class Counter:
    """A forwarder of HTTP/1.1 with `Content-Length`."""

    def __init__(self, to_port: int, log: TextIO) -> None:
        self._to_port = to_port
        self._log = log

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on the requests of one connection until its owner closes it."""
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, body = await _message(reader)
                self._note(head)
                writer.write(await self._exchange(head + body))
                await writer.drain()

    async def _exchange(self, request: bytes) -> bytes:
        # A fresh connection each: a kept one may just be closing, and a lost request would look like the provider's.
        reader, writer = await asyncio.open_connection(HOST, self._to_port)
        with closing(writer):
            writer.write(request)
            await writer.drain()
            return b"".join(await _message(reader))

    def _note(self, head: bytes) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        row = {"at": time.time(), "key": _header(head, "x-access-token"), "method": method, "path": path}
        self._log.write(json.dumps(row) + "\n")
        self._log.flush()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(END_OF_HEAD)
    return head, await reader.readexactly(int(_header(head, "content-length") or 0))


def _header(head: bytes, name: str) -> str | None:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return None


async def _run(port: int, to_port: int, log: Path) -> None:
    with log.open("a", encoding="utf-8") as lines:
        server = await asyncio.start_server(Counter(to_port, lines).serve, HOST, port)
        async with server:
            await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counter", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(_run(options.port, options.to, options.log))


if __name__ == "__main__":
    main()
