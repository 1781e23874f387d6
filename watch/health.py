"""`/healthz` and `/readyz`: whether this process lives, and whether it can take part in the work."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from topups.errors import SetupNeeded

# Longer than a server's restart and two looks (5 s each) that just missed it.
ANSWERED_WITHIN_SECONDS = 20.0
REQUEST_SECONDS = 5.0
KEY_ACCEPTED = "accepted"


@dataclass
class Health:
    """What is known of this worker. `key` is the provider's word on it: accepted, or why not.

    A key that is refused doesn't make the worker unready: it costs every replica alike, no restart mends it, and the
    worker is still needed for orders that wait, for people's words and for the day on which the key works again.
    """

    set_up: bool = False
    polling: bool = False
    stopping: bool = False
    key: str = "not asked yet"
    now: Callable[[], float] = time.monotonic
    _answered_at: float | None = field(default=None, init=False)

    def temporal_answered(self) -> None:
        """Note that Temporal answered a call just now."""
        self._answered_at = self.now()

    @property
    def reasons(self) -> list[str]:
        """Why this worker is not ready; empty when it is."""
        if not self.set_up:
            return ["not connected to Temporal yet, or the namespace lacks its search attributes"]
        found = [] if self.polling else ["not polling for orders"]
        if self.stopping:
            found.append("stopping")
        silent = None if self._answered_at is None else self.now() - self._answered_at
        if silent is None or silent > ANSWERED_WITHIN_SECONDS:
            found.append(f"Temporal hasn't answered for {ANSWERED_WITHIN_SECONDS:g} s")
        return found

    @property
    def ready(self) -> bool:
        """Whether it takes part in the work."""
        return not self.reasons


@asynccontextmanager
async def serving(health: Health, address: str | None) -> AsyncIterator[None]:
    """Answer at `address` (IP:port) as long as the context; at none when it is None. Raises SetupNeeded."""
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(health, request))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port))
    except OSError as error:
        raise SetupNeeded(f"TOPUPS_HEALTH_ADDRESS: {address} can't be listened on ({error.strerror})") from error
    async with server:
        yield


def _response(health: Health, request: bytes) -> bytes:
    method, _, target = request.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    status, body = _said(health, method, target.partition(" ")[0].partition("?")[0])
    content = json.dumps(body).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else content)


def _said(health: Health, method: str, path: str) -> tuple[HTTPStatus, dict[str, object]]:
    if method not in {"GET", "HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "GET only"}
    if path == "/healthz":
        return HTTPStatus.OK, {"alive": True}
    if path == "/readyz":
        reasons = health.reasons
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return status, {"ready": not reasons, "reasons": reasons, "key": health.key}
    return HTTPStatus.NOT_FOUND, {"error": "there are /healthz and /readyz"}
