"""A scripted provider behind httpx's own port, and a clock that only moves when told."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from oneclickdz import OneClickDZ

KEY = "key-4f0c"
USERNAME = "+213665983439"
BASE = "https://provider.test/v3"

Script = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def ok(data: object, http: int = 200) -> httpx.Response:
    return httpx.Response(http, json={"success": True, "data": data, "meta": {"timestamp": "2026-01-01T00:00:00Z"}})


def error(
    http: int, code: str, message: str = "", details: object = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"code": code, "message": message, "details": details or {}}
    return httpx.Response(http, json={"success": False, "error": body, "requestId": "req-1"}, headers=headers)


def whose_key(**changes: object) -> httpx.Response:
    key = {"key": KEY, "isEnabled": True, "type": "SANDBOX", "allowedips": [], "scope": "READ-WRITE", **changes}
    return httpx.Response(200, json={"success": True, "data": {"username": USERNAME, "apiKey": key}})


class Provider:
    """Answers from a script for each path; a path's last answer is repeated. /validate says yes unless told."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._scripts: dict[str, deque[Script]] = {}
        self.transport = httpx.MockTransport(self._answer)
        self.say("/validate", lambda _: whose_key())

    def say(self, path: str, *answers: Script) -> None:
        self._scripts[path] = deque(answers)

    def count(self, path: str) -> int:
        return sum(request.url.path == f"/v3{path}" for request in self.requests)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.requests[-1].content)
        return body

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        script = self._scripts[request.url.path.removeprefix("/v3")]
        step = script.popleft() if len(script) > 1 else script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, headers=step.headers, content=step.content)
        return step(request)


class Clock:
    """Seconds since the epoch; sleeping moves it at once."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Kit:
    """What the tests share: answers in the provider's envelope and clients of one host."""

    ok = staticmethod(ok)
    error = staticmethod(error)
    whose_key = staticmethod(whose_key)
    key = KEY
    username = USERNAME

    def __init__(self, folder: Path, provider: Provider, clock: Clock) -> None:
        self.folder = folder
        self.provider = provider
        self.clock = clock
        self.clients: list[OneClickDZ] = []

    def client(self, **changes: Any) -> OneClickDZ:
        given: dict[str, Any] = {
            "token": KEY,
            "environment": "sandbox",
            "state_dir": self.folder,
            "base_url": BASE,
            "transport": self.provider.transport,
            "now": self.clock.now,
            "sleep": self.clock.sleep,
            **changes,
        }
        self.clients.append(OneClickDZ(**given))
        return self.clients[-1]


async def until(ready: Callable[[], object]) -> None:
    """Wait for something that other tasks do."""
    for _ in range(500):
        if ready():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")
