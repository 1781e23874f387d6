"""A key at a provider, and the workers that share it: the client's real budget, turns and pages in virtual time."""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from oneclickdz import TopUpRecord
from oneclickdz.budget import DEFAULT_LIMITS
from oneclickdz.coalescing import Checks
from oneclickdz.limits import READ_WAIT_SECONDS, SEND_WAIT_SECONDS, RateWindow
from oneclickdz.models import TopUpPage
from oneclickdz.pages import DELIVERED, LARGEST_PAGE, Span
from oneclickdz.state import SharedState
from oneclickdz.turns import Turns

LIMIT = DEFAULT_LIMITS["production"]
BEGAN = 1_800_000_000.0
ANSWER_SECONDS = 0.02
# No book of the host is used.
NOWHERE = Path("/nonexistent")


class Key:
    """The provider's orders of one key, what was asked with it by kind, and the books that its workers share."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.delivered_at: dict[str, float] = {}
        self.books = SharedState(NOWHERE, "virtual", now=self.now, store=_Books(self))
        self._orders: dict[str, TopUpRecord] = {}
        self._made: list[float] = []

    def now(self) -> float:
        """Seconds since the epoch, of everybody."""
        return BEGAN + asyncio.get_running_loop().time()

    def make(self, ago: float = 0.0) -> str:
        """One more order, made after all the others."""
        at, topup_id = self.now() - ago, f"order-{len(self._orders)}"
        self._made.append(at)
        self._orders[topup_id] = TopUpRecord(id=topup_id, status="HANDLING", created_at=datetime.fromtimestamp(at, UTC))
        return topup_id

    def made_at(self, topup_id: str) -> float:
        """When it was made."""
        return self._made[int(topup_id.removeprefix("order-"))]

    def deliver(self, topup_id: str) -> None:
        """It has ended now."""
        self.delivered_at[topup_id] = self.now()
        self._orders[topup_id] = self._orders[topup_id].model_copy(update={"status": DELIVERED})

    def one(self, topup_id: str) -> TopUpRecord:
        """What `check-id` answers."""
        return self._orders[topup_id]

    def page(self, span: Span) -> TopUpPage:
        """What `list` answers, newest first."""
        first, last = bisect_left(self._made, span.since), bisect_right(self._made, span.until)
        rows = [self._orders[f"order-{number}"] for number in range(last - 1, first - 1, -1)]
        pages = -(-len(rows) // LARGEST_PAGE)
        return TopUpPage.model_construct(items=tuple(rows[:LARGEST_PAGE]), page=1, total_pages=pages)


class Worker:
    """What one worker process has of the client."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._window = RateWindow(key.books, limit=LIMIT, sleep=asyncio.sleep)
        turns = Turns(key.books, limit=LIMIT, token=type(key).__name__)
        self.checks = Checks(ask_one=self._one, ask_page=self._page, turns=turns, sleep=asyncio.sleep)

    async def take_a_place_to_send(self, *, newcomer: bool) -> None:
        """Raises RateLimited."""
        await self._ask("send", newcomer=newcomer)

    async def close(self) -> None:
        """End what is under way."""
        await self.checks.aclose()

    async def _one(self, topup_id: str) -> TopUpRecord:
        await self._ask("check-id")
        return self._key.one(topup_id)

    async def _page(self, span: Span) -> TopUpPage:
        await self._ask("list")
        return self._key.page(span)

    async def _ask(self, what: str, *, newcomer: bool = False) -> None:
        if what == "send":
            await self._window.acquire("send", max_wait=SEND_WAIT_SECONDS, newcomer=newcomer)
        else:
            await self._window.acquire("check", max_wait=READ_WAIT_SECONDS)
        self._key.requests[what] += 1
        await asyncio.sleep(ANSWER_SECONDS)


class _Books:
    def __init__(self, key: Key) -> None:
        self._key = key
        self._bodies: dict[str, bytes] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def now(self) -> float:
        return self._key.now()

    def read(self, name: str) -> bytes | None:
        return self._bodies.get(name)

    def glance(self, name: str) -> bytes | None:
        return self.read(name)

    def write(self, name: str, body: bytes, *, sure: bool) -> None:
        self._bodies[name] = body

    def whereabouts(self, name: str) -> str:
        return name
