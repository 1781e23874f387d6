"""How the recorder moves the stand-in provider."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Desk:
    """The stand-in's desk: what goes wrong there, and how orders end."""

    http: httpx.AsyncClient

    async def _tell(self, path: str, what: dict[str, Any]) -> None:
        (await self.http.post(f"/_admin/{path}", json=what)).raise_for_status()

    async def fault(self, ref: str, moment: str, action: Any, endpoint: str = "send") -> None:
        """Let the next send of an order go wrong."""
        await self._tell("faults", {"endpoint": endpoint, "ref": ref, "moment": moment, "action": action})

    async def ends(self, ref: str, status: str) -> None:
        """Bring an order to a status."""
        await self._tell(f"orders/{ref}/status", {"status": status})

    async def held(self, hold: str) -> None:
        """Wait until a request waits at a hold."""
        (await self.http.get(f"/_admin/holds/{hold}", params={"timeout": 30}, timeout=40)).raise_for_status()

    async def release(self, hold: str) -> None:
        """Let it go."""
        (await self.http.post(f"/_admin/release/{hold}")).raise_for_status()
