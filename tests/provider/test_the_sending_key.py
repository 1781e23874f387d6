"""Whose key a send leaves with, while the key's file changes."""

import asyncio
import json
from pathlib import Path

import httpx

from oneclickdz import OneClickDZ

OWNERS = {"key-one": "+213550000001", "key-two": "+213550000002"}


class ChangingToken:
    """Another key at every look."""

    def __init__(self) -> None:
        self._keys = ["key-one", "key-two"]

    def read(self) -> str:
        self._keys.reverse()
        return self._keys[0]


async def test_while_a_send_leaves_the_account_is_that_of_its_own_key(tmp_path: Path) -> None:
    posted: list[str] = []
    told: list[str | None] = []

    def provider(request: httpx.Request) -> httpx.Response:
        key = request.headers["X-Access-Token"]
        if request.url.path.endswith("/validate"):
            api_key = {"key": key, "isEnabled": True, "type": "SANDBOX", "scope": "READ-WRITE"}
            return httpx.Response(200, json={"success": True, "data": {"username": OWNERS[key], "apiKey": api_key}})
        posted.append(OWNERS[key])
        return httpx.Response(200, text=json.dumps({"success": True, "data": {"topupId": "a" * 24}}))

    client = OneClickDZ(
        token=ChangingToken(), environment="sandbox", state_dir=tmp_path, transport=httpx.MockTransport(provider)
    )

    def may_leave() -> None:
        told.append(client.account.username if client.account else None)

    async with client:
        send = client.send(plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500, ref="r", may_leave=may_leave)
        await asyncio.gather(send, client.identify())
    assert len(posted) == 1
    assert set(told) == set(posted)
