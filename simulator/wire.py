"""The connection under an ASGI request, for what ASGI can't say: cut it, or ask whether the bytes left."""

import asyncio
import socket
import struct
from typing import Any, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable
from uvicorn._types import Scope as UvicornScope
from uvicorn.protocols.http.h11_impl import H11Protocol

EXTENSION = "simulator.connection"


class Connection:
    """A TCP connection while it serves one request."""

    def __init__(self, protocol: "CuttingProtocol") -> None:
        self._protocol = protocol
        self._cycle = protocol.cycle

    async def cut(self, *, abrupt: bool) -> None:
        """Close the connection, by a reset if ``abrupt``, and return once it is gone."""
        transport = self._protocol.transport
        if abrupt:
            raw: socket.socket | None = transport.get_extra_info("socket")
            if raw is not None:
                # Zero linger turns the close into a reset.
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        await self._protocol.lost.wait()

    async def sent(self) -> bool:
        """True once the last byte of the answer was handed to the kernel; False if the client was gone."""
        if not self._cycle.response_complete:
            return False
        await self._protocol.flow.drain()
        return not self._protocol.is_broken


class CuttingProtocol(H11Protocol):
    """uvicorn's protocol, which also hands its connection to the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lost = asyncio.Event()
        self.is_broken = False
        self.app = self._with_connection(self.app)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        super().connection_made(stream)
        # Draining then means that every byte was handed to the kernel.
        stream.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.is_broken = exc is not None
        self.lost.set()

    def _with_connection(self, app: ASGI3Application) -> ASGI3Application:
        async def handed(scope: UvicornScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            cast(dict[str, Any], scope)["extensions"] = {EXTENSION: Connection(self)}
            await app(scope, receive, send)

        return cast(ASGI3Application, handed)


def connection_of(scope: Scope) -> Connection | None:
    """The connection under this request; None when no server carries it (in-process tests)."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found if isinstance(found, Connection) else None
