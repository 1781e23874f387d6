"""Fixtures of the provider's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.provider.shop import Shop
from tests.provider.stand_in import Clock, Kit, Provider


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kit(tmp_path: Path, provider: Provider, clock: Clock) -> AsyncIterator[Kit]:
    made = Kit(tmp_path / "state", provider, clock)
    yield made
    for client in made.clients:
        await client.aclose()


@pytest.fixture
def order() -> dict[str, Any]:
    return {
        "plan_code": "PREPAID_DJEZZY",
        "phone": "0771234567",
        "amount": 500,
        "ref": "order-1",
        "may_leave": lambda: None,
    }


@pytest.fixture
def shop(kit: Kit, provider: Provider, clock: Clock) -> Shop:
    return Shop(kit, provider, clock)
