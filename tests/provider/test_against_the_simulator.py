"""The client against the stand-in provider, which shares no code with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from oneclickdz import (
    CredentialsRefused,
    DuplicateRef,
    InsufficientBalance,
    KeyClosed,
    NotFound,
    OneClickDZ,
    ProviderUnavailable,
    Refused,
    SaysNothing,
    UnclearAnswer,
    WrongEnvironment,
)
from simulator import create_app

BASE = "http://provider"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Starlette]:
    made = create_app(tmp_path / "ledger.jsonl")
    yield made
    made.state.simulator.close()


def client_for(app: Starlette, folder: Path, **changes: Any) -> OneClickDZ:
    given: dict[str, Any] = {
        "token": "sandbox-key",
        "environment": "sandbox",
        "state_dir": folder,
        "base_url": f"{BASE}/v3",
        "transport": httpx.ASGITransport(app=app),
        **changes,
    }
    return OneClickDZ(**given)


@pytest.fixture
async def client(app: Starlette, tmp_path: Path) -> AsyncIterator[OneClickDZ]:
    async with client_for(app, tmp_path / "state") as made:
        yield made


async def tell(app: Starlette, path: str, what: dict[str, Any]) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as desk:
        (await desk.post(f"/_admin/{path}", json=what)).raise_for_status()


async def test_an_order_is_found_by_id_by_ref_and_in_the_list(client: OneClickDZ, order: dict[str, Any]) -> None:
    since = datetime.now(UTC) - timedelta(minutes=10)
    sent = await client.send(**order)
    account = client.account
    assert account is not None
    by_id = await client.check_id(sent.topup_id)
    assert by_id.id == sent.topup_id
    assert (by_id.phone, by_id.plan_code) == ("0771234567", "PREPAID_DJEZZY")
    assert by_id.amount == 500
    assert by_id.ref == sent.topup_ref == f"API-{account.username}-order-1"
    assert (await client.check_ref("order-1")).id == sent.topup_id
    assert (await client.check_ref(by_id.ref)).id == sent.topup_id
    page = await client.list_topups(since=since, until=datetime.now(UTC) + timedelta(minutes=1))
    assert [item.id for item in page.items] == [sent.topup_id]
    moved = await client.transactions()
    assert [item.objid for item in moved.items if item.type == "FLEXY"] == [sent.topup_id]


async def test_the_same_ref_again_is_a_duplicate(client: OneClickDZ, order: dict[str, Any]) -> None:
    await client.send(**order)
    with pytest.raises(DuplicateRef):
        await client.send(**order)


async def test_a_refund_carries_its_words_and_offers(app: Starlette, client: OneClickDZ, order: dict[str, Any]) -> None:
    sent = await client.send(**order)
    offer = {"typename": "FACTURE", "plan_code": "FACTURE_DJEZZY", "amount": 500}
    told = {"status": "REFUNDED", "refund_message": "رقم خاطئ", "suggested_offers": [offer]}
    await tell(app, "orders/order-1/status", told)
    record = await client.check_id(sent.topup_id)
    assert (record.status, record.refund_message) == ("REFUNDED", "رقم خاطئ")
    assert record.suggested_offers[0].raw == offer


async def test_what_never_was_is_not_found(client: OneClickDZ) -> None:
    with pytest.raises(NotFound):
        await client.check_ref("order-9")
    with pytest.raises(NotFound):
        await client.check_id("65f0a1b2c3d4e5f607182930")


async def test_the_catalogue_and_the_balance_are_readable(client: OneClickDZ) -> None:
    catalogue = await client.plans()
    assert catalogue.find("PREPAID_DJEZZY") is not None
    assert catalogue.fixed_plans
    assert await client.balance() == 1_000_000


async def test_an_amount_out_of_range_is_refused(client: OneClickDZ, order: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        await client.send(**{**order, "amount": 1})
    assert caught.value.code == "ERR_VALIDATION"


async def test_an_empty_account_names_what_is_missing(
    app: Starlette, client: OneClickDZ, order: dict[str, Any]
) -> None:
    await tell(app, "balance", {"amount": 3})
    with pytest.raises(InsufficientBalance) as caught:
        await client.send(**order)
    assert caught.value.available == 3


@pytest.mark.parametrize("code", ["AUTH_UNAVAILABLE", "PARTNER_UNAVAILABLE"])
async def test_an_outage_that_promises_nothing_started_created_nothing(
    app: Starlette, client: OneClickDZ, order: dict[str, Any], code: str
) -> None:
    await tell(app, "faults", {"endpoint": "send", "action": "error", "code": code})
    with pytest.raises(ProviderUnavailable):
        await client.send(**order)


@pytest.mark.parametrize("fault", [{"action": "error", "http": 500}, {"action": "empty"}, {"action": "broken_json"}])
async def test_an_answer_lost_after_the_commit_may_hide_an_order_and_does(
    app: Starlette, client: OneClickDZ, order: dict[str, Any], fault: dict[str, Any]
) -> None:
    await tell(app, "faults", {"endpoint": "send", "moment": "committed", **fault})
    with pytest.raises(UnclearAnswer):
        await client.send(**order)
    assert (await client.check_ref("order-1")).status == "PENDING"


@pytest.mark.parametrize("fault", [{"http": 503}, {"http": 404, "envelope": False}, {"http": 429}])
async def test_a_look_up_that_fails_says_nothing(app: Starlette, client: OneClickDZ, fault: dict[str, Any]) -> None:
    await tell(app, "faults", {"endpoint": "check-ref", "action": "error", **fault})
    with pytest.raises(SaysNothing):
        await client.check_ref("order-1")


async def test_a_strange_key_costs_one_of_the_five_attempts(
    app: Starlette, tmp_path: Path, order: dict[str, Any]
) -> None:
    for kind in (CredentialsRefused, KeyClosed, KeyClosed):
        async with client_for(app, tmp_path / "state", token="stranger") as client:
            with pytest.raises(kind):
                await client.send(**order)
    async with client_for(app, tmp_path / "state") as client:
        assert (await client.send(**order)).topup_id


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("production-key", WrongEnvironment),
        ("readonly-key", CredentialsRefused),
        ("disabled-key", CredentialsRefused),
    ],
)
async def test_a_key_that_may_not_order_here_never_orders(
    app: Starlette, tmp_path: Path, order: dict[str, Any], key: str, kind: type[Exception]
) -> None:
    async with client_for(app, tmp_path / "state", token=key) as client:
        with pytest.raises(kind):
            await client.send(**order)
    assert "commit" not in (tmp_path / "ledger.jsonl").read_text()
