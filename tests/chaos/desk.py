"""The stand-in provider's admin calls, and the clock of its life: they go on where it was killed and came back."""

import asyncio
from typing import Any

import httpx

from starter.demo.stage import Desk

AGAIN_SECONDS = 0.1
# Longer than any outage of a campaign.
GONE_SECONDS = 300.0


class ChaosDesk(Desk):
    """Also lifts faults and changes settings; every call waits until the provider is there."""

    async def arm_fault(self, endpoint: str, moment: str, action: str, **more: Any) -> int:
        """Arm a fault and return its id."""
        answer = await self._call("POST", "/faults", endpoint=endpoint, moment=moment, action=action, **more)
        return int(answer["id"])

    async def lift(self, fault: int | None = None) -> None:
        """Lift one fault, or all."""
        await self._call("DELETE", "/faults" if fault is None else f"/faults/{fault}")

    async def is_held(self, hold: str, seconds: float) -> bool:
        """Wait until a request waits at the hold; False when none came in time, or the provider is gone."""
        try:
            return await self.held(hold, seconds)
        except httpx.TransportError:
            return False

    async def let_go(self, hold: str) -> None:
        """Let go who waits at the hold."""
        await self._call("POST", f"/release/{hold}")

    async def waiting(self, hold: str) -> int:
        """How many requests wait at the hold now."""
        holds = (await self._call("GET", "/faults"))["holds"]
        return int(holds.get(hold, {}).get("waiting", 0))

    async def let_all_go(self) -> None:
        """Let go everybody, wherever they wait."""
        for hold in (await self._call("GET", "/faults"))["holds"]:
            await self.let_go(hold)

    async def settings(self, **changes: Any) -> None:
        """Change how the provider behaves."""
        await self._call("POST", "/settings", **changes)

    async def settle(self, ref: str, status: str) -> bool:
        """Give an order a status, as the provider's support does; False when it has no such order."""
        try:
            await self._call("POST", f"/orders/{ref}/status", status=status)
        except httpx.HTTPStatusError:
            return False
        return True

    async def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        gone_at = asyncio.get_running_loop().time() + GONE_SECONDS
        while True:
            try:
                answer = await self._http.request(method, path, json=body or None)
            except httpx.TransportError:
                if asyncio.get_running_loop().time() > gone_at:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            answer.raise_for_status()
            return dict(answer.json())
