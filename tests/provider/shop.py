"""A provider with orders of its own, for the tests of shared checks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from oneclickdz import OneClickDZ, TopUpRecord
from oneclickdz.coalescing import Checks
from oneclickdz.pages import LARGEST_PAGE
from tests.provider.stand_in import Clock, Kit, Provider, ok, until

LIST = "/mobile/list"
# The provider's clock is ahead of ours.
SKEW = 7.0


def checks_of(client: OneClickDZ) -> Checks:
    """The shared checks of a client that has asked for something."""
    return next(iter(client._sessions.values()))._checks


class Shop:
    """A provider with orders: it answers for one and for a page, newest first, as the documents say."""

    def __init__(self, kit: Kit, provider: Provider, clock: Clock) -> None:
        self.kit, self.provider, self.clock = kit, provider, clock
        self.orders: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, datetime] = {}
        self.spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
        self.page_size = LARGEST_PAGE
        provider.say(LIST, self._list)

    def make(self, number: int, *, ago: float = 30.0, status: str = "HANDLING") -> str:
        at = datetime.fromtimestamp(self.clock.now() - ago, UTC)
        topup_id = f"id{number:03}"
        made = (at + timedelta(seconds=SKEW)).isoformat().replace("+00:00", "Z")
        self.orders[topup_id] = {"_id": topup_id, "status": status, "ref": f"r{number}", "created_at": made}
        self.sent[topup_id] = at
        self.provider.say(f"/mobile/check-id/{topup_id}", lambda _: ok(self.orders[topup_id]))
        return topup_id

    def crowd(self, size: int, **more: Any) -> list[str]:
        return [self.make(number, **{"ago": 30.0 + number / 10, **more}) for number in range(size)]

    def check(self, client: OneClickDZ, topup_id: str) -> Coroutine[Any, Any, TopUpRecord]:
        return client.check_id(topup_id, sent_at=self.sent[topup_id])

    async def sleep(self, seconds: float) -> None:
        """Moves the clock, and lets everybody else do what they can meanwhile."""
        await self.clock.sleep(seconds)
        await asyncio.sleep(0.03)

    async def check_all(self, client: OneClickDZ, ids: list[str]) -> list[TopUpRecord]:
        return await asyncio.gather(*(self.check(client, each) for each in ids))

    def client(self, **more: Any) -> OneClickDZ:
        return self.kit.client(**{"sleep": self.sleep, **more})

    async def known(self, **more: Any) -> OneClickDZ:
        """A client that has seen an order, so that it knows how the provider's clock runs."""
        client = self.client(**more)
        await self.check(client, self.make(999, ago=20.0))
        self.clock.seconds += 60
        self.provider.requests.clear()
        return client

    async def published(self) -> Path:
        """The file in which other workers find the newest page."""
        await until(
            lambda: any(json.loads(turn.read_text())["page_at"] for turn in self.kit.folder.glob("*.turn.json"))
        )
        return next(self.kit.folder.glob("*.page.json"))

    @property
    def pages(self) -> int:
        return self.provider.count(LIST)

    @property
    def singles(self) -> list[str]:
        paths = [request.url.path for request in self.provider.requests]
        return [path.rpartition("/")[2] for path in paths if "check-id" in path]

    def _list(self, request: httpx.Request) -> httpx.Response:
        since, until = (datetime.fromisoformat(request.url.params[name]) for name in ("from", "to"))
        rows = [row for row in self.orders.values() if since <= datetime.fromisoformat(row["created_at"]) <= until]
        rows = self.spoil(sorted(rows, key=lambda row: row["created_at"], reverse=True))
        pages = max(-(-len(rows) // self.page_size), 1)
        page = {"page": 1, "pageSize": self.page_size, "totalPages": pages, "totalResults": len(rows)}
        return ok({"items": rows[: self.page_size], "pagination": page})
