"""The stand-in with its desk, its ledger and its clock in one hand."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from simulator import Settings, create_app

Query = dict[str, str | int]

DJEZZY = "0771234567"
MOBILIS = "0661234567"
PREFIX = "API-+213665983439-"


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Stand:
    """An in-process stand-in, and short words for what tests do with it."""

    ledger: Path
    settings: Settings = field(default_factory=Settings)
    clock: Clock = field(default_factory=Clock)
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app(self.ledger, self.settings, clock=self.clock)

    def restart(self) -> None:
        """Another life on the same ledger."""
        self.close()
        self.app = create_app(self.ledger, self.settings, clock=self.clock)

    def close(self) -> None:
        self.app.state.simulator.close()

    def client(self, key: str | None = "sandbox-key", address: str = "127.0.0.1") -> httpx.AsyncClient:
        headers = {"X-Access-Token": key} if key else {}
        transport = httpx.ASGITransport(app=self.app, client=(address, 4000))
        return httpx.AsyncClient(transport=transport, base_url="http://provider", headers=headers)

    async def get(self, path: str, key: str | None = "sandbox-key", query: Query | None = None) -> httpx.Response:
        async with self.client(key) as client:
            return await client.get(path, params=query)

    async def send(self, ref: str | None = None, key: str = "sandbox-key", **body: Any) -> httpx.Response:
        """Send 500 DZD to a Djezzy number, unless told otherwise; a field given as None is left out."""
        order: dict[str, Any] = {"plan_code": "PREPAID_DJEZZY", "MSSIDN": DJEZZY, "amount": 500, "ref": ref} | body
        async with self.client(key) as client:
            given = {name: value for name, value in order.items() if value is not None}
            return await client.post("/v3/mobile/send", json=given)

    async def record(self, ref: str, key: str = "sandbox-key") -> dict[str, Any]:
        """The data of check-ref."""
        answer = await self.get(f"/v3/mobile/check-ref/{ref}", key)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def status(self, ref: str) -> str:
        return str((await self.record(ref))["status"])

    async def balance(self, key: str = "sandbox-key") -> float:
        return float((await self.get("/v3/account/balance", key)).json()["data"]["balance"])

    async def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with self.client(None) as client:
            return await client.request(method, f"/_admin/{path}", json=body, timeout=20)

    async def fault(self, endpoint: str, moment: str, action: Any, **more: Any) -> None:
        armed = await self.admin("POST", "faults", {"endpoint": endpoint, "moment": moment, "action": action, **more})
        assert armed.status_code == 201, armed.text

    def rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The ledger, or its rows of one kind."""
        return [row for row in read_rows(self.ledger) if kind in {None, row["kind"]}]


def read_rows(ledger: Path) -> list[dict[str, Any]]:
    """Every whole line of a ledger file, which may be growing."""
    *lines, _ = ledger.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines]


def code(answer: httpx.Response) -> str:
    """The code of an error envelope."""
    return str(answer.json()["error"]["code"])
