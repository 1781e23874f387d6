"""Where requests are made to wait: named holds, and pauses that end when the provider stops."""

import asyncio
from collections import defaultdict


class Gone(Exception):
    """The connection ends here without a (whole) answer; ``abrupt`` means a reset."""

    def __init__(self, *, abrupt: bool) -> None:
        super().__init__("the connection is cut")
        self.abrupt = abrupt


class Hold:
    """A named place where requests wait to be let go."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Event] = []
        self.reached = 0
        self.news = asyncio.Event()


class Holds:
    """Every hold by name. A hold exists as soon as somebody speaks of it."""

    def __init__(self) -> None:
        self._holds: defaultdict[str, Hold] = defaultdict(Hold)
        self._closing = asyncio.Event()

    def wire(self) -> dict[str, dict[str, int]]:
        """For each hold how many requests wait there now and how many ever reached it."""
        return {name: self.shown(name) for name in self._holds}

    def shown(self, name: str) -> dict[str, int]:
        place = self._holds[name]
        return {"waiting": len(place.waiting), "reached": place.reached}

    async def reached(self, name: str, timeout_seconds: float) -> bool:
        """True as soon as a request waits at this hold; False when none came in time."""
        place = self._holds[name]
        try:
            async with asyncio.timeout(timeout_seconds):
                while not place.waiting and not self._closing.is_set():
                    place.news.clear()
                    await place.news.wait()
        except TimeoutError:
            pass
        return bool(place.waiting)

    def release(self, name: str) -> int:
        """Let everybody go who waits at this hold now; says how many."""
        waiting, self._holds[name].waiting = self._holds[name].waiting, []
        for gate in waiting:
            gate.set()
        return len(waiting)

    async def stay(self, name: str) -> None:
        """Wait at the hold until released. Raises Gone when the provider stops."""
        place, gate = self._holds[name], asyncio.Event()
        place.waiting.append(gate)
        place.reached += 1
        place.news.set()
        await gate.wait()
        if self._closing.is_set():
            raise Gone(abrupt=True)

    async def pause(self, seconds: float) -> None:
        """Wait that many real seconds. Raises Gone when the provider stops."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
        raise Gone(abrupt=True)

    def close(self) -> None:
        """The provider stops: nobody waits any longer."""
        self._closing.set()
        for name, place in self._holds.items():
            place.news.set()
            self.release(name)
