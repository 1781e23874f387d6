"""A provider of bytes: what a client sends is counted, and answered by the request's first line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.provider.stand_in import whose_key

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]
SEND = b"POST /v3/mobile/send"
ACCEPTED = b'{"success": true, "data": {"topupId": "a1"}}'


def whole(body: bytes, status: bytes = b"200 OK", length: int | None = None) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, size, body))
        if length is not None:
            writer.close()

    return reply


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def never(writer: asyncio.StreamWriter) -> None:
    await writer.drain()


async def stall(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n{")


class Server:
    """Counts every byte of every connection, and answers by the request's first line."""

    def __init__(self) -> None:
        self.connections: list[bytearray] = []
        self.replies: dict[bytes, Reply] = {b"GET /v3/validate": whole(whose_key().content), SEND: whole(ACCEPTED)}
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self._changed = asyncio.Condition()

    async def until_connected(self, count: int) -> None:
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.connections) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = bytearray()
        async with self._changed:
            self.connections.append(seen)
            self._changed.notify_all()
        self.writers.append(writer)
        request = bytearray()
        while data := await reader.read(65536):
            seen += data
            request += data
            head, end, body = bytes(request).partition(b"\r\n\r\n")
            if end and len(body) == _content_length(head):
                await self._reply(head)(writer)
                request.clear()

    def count(self, start: bytes) -> int:
        return sum(bytes(seen).count(start) for seen in self.connections)

    def _reply(self, head: bytes) -> Reply:
        return next(reply for start, reply in self.replies.items() if head.startswith(start))


def _content_length(head: bytes) -> int:
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0]) if lengths else 0
