"""What a look-up, a list or the account's answers mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest

from oneclickdz import (
    CredentialsRefused,
    DynamicPlan,
    FixedPlan,
    NotFound,
    OneClickDZError,
    SaysNothing,
    Unreachable,
)
from tests.provider.stand_in import Kit, error, ok

ID = "65f0a1b2c3d4e5f607182930"
RECORD: dict[str, Any] = {
    "_id": ID,
    "ref": "API-+213665983439-order-1",
    "status": "REFUNDED",
    "plan_code": "PREPAID_DJEZZY",
    "MSSIDN": "0771234567",
    "topup_amount": 500,
    "balance_amount": "490.25",
    "created_at": "2025-10-29T00:35:59.378Z",
    "refund_message": "الرقم 0771234567 خاطئ",
    "suggested_offers": [
        {"typename": "FACTURE", "plan_code": "FACTURE_DJEZZY", "amount": 500, "extra": {"a": 1}},
        "odd",
    ],
    "follow_orderid": "f1",
    "retry_orderid": "r1",
    "news": 1,
}
PAGE = {"page": 1, "pageSize": 100, "totalPages": 3, "totalResults": 201}


async def test_a_record_is_read_whole(kit: Kit) -> None:
    kit.provider.say(f"/mobile/check-id/{ID}", ok(RECORD))
    record = await kit.client().check_id(ID)
    assert record.id == ID
    assert record.phone == "0771234567"
    assert record.amount == Decimal(500)
    assert record.balance_amount == Decimal("490.25")
    assert record.created_at == datetime(2025, 10, 29, 0, 35, 59, 378000, UTC)
    assert record.refund_message == "الرقم 0771234567 خاطئ"
    assert (record.follow_orderid, record.retry_orderid) == ("f1", "r1")
    assert [offer.plan_code for offer in record.suggested_offers] == ["FACTURE_DJEZZY"]
    assert record.suggested_offers[0].raw == RECORD["suggested_offers"][0]


async def test_a_record_needs_no_more_than_an_id_and_a_status(kit: Kit) -> None:
    odd: dict[str, Any] = {
        "topup_amount": "much",
        "created_at": "soon",
        "suggested_offers": None,
        "ref": {},
        "balance_amount": "NaN",
    }
    kit.provider.say("/mobile/check-id/7", ok({"_id": 7, "status": "FLYING", **odd}))
    record = await kit.client().check_id("7")
    assert (record.id, record.status) == ("7", "FLYING")
    absent = (record.amount, record.created_at, record.ref, record.phone, record.balance_amount)
    assert absent == (None,) * 5
    assert record.suggested_offers == ()


async def test_a_time_without_zone_is_utc(kit: Kit) -> None:
    kit.provider.say("/mobile/check-id/7", ok({"_id": "7", "status": "PENDING", "created_at": "2025-10-29T00:00:00"}))
    assert (await kit.client().check_id("7")).created_at == datetime(2025, 10, 29, tzinfo=UTC)


async def test_a_prefixed_ref_is_percent_encoded(kit: Kit) -> None:
    ref = "API-+213665983439-order/1"
    kit.provider.say(f"/mobile/check-ref/{ref}", ok(RECORD))
    await kit.client().check_ref(ref)
    assert kit.provider.requests[-1].url.raw_path == b"/v3/mobile/check-ref/API-%2B213665983439-order%2F1"


@pytest.mark.parametrize("odd", ["", ".", "..", "...", "a/b", "a\\b", "a b", "a\n", "a" * 129, None, ["a1"]])
async def test_a_record_with_an_id_that_nobody_can_ask_for_is_read_without_one(kit: Kit, odd: object) -> None:
    record = {**RECORD, "_id": odd}
    kit.provider.say("/mobile/check-ref/r", ok(record))
    assert (await kit.client().check_ref("r")).id is None
    kit.provider.say("/mobile/list", ok({"items": [record], "pagination": PAGE}))
    items = (await kit.client().list_topups()).items
    assert [(item.id, item.status) for item in items] == [(None, "REFUNDED")]


@pytest.mark.parametrize("text", ["", ".", ".."])
async def test_a_ref_that_would_change_the_path_is_a_bug_of_the_caller(kit: Kit, text: str) -> None:
    with pytest.raises(ValueError, match="empty or dots"):
        await kit.client().check_ref(text)


async def test_an_enveloped_not_found_is_a_miss(kit: Kit) -> None:
    kit.provider.say("/mobile/check-ref/r", error(404, "NOT_FOUND", "Top-up with reference 'r' not found"))
    with pytest.raises(NotFound) as caught:
        await kit.client().check_ref("r")
    assert not isinstance(caught.value, SaysNothing)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"message": "Route not found", "error": "Not Found", "statusCode": 404}),
        httpx.Response(404),
        error(404, "NO_ROUTE"),
        error(200, "NOT_FOUND"),
        error(410, "NOT_FOUND"),
        error(403, "ERR_NEW"),
        error(400, "ERR_VALIDATION"),
        error(500, "INTERNAL_ERROR"),
        error(503, "AUTH_UNAVAILABLE"),
        httpx.Response(302),
        httpx.Response(200, text="{"),
        ok({"status": "PENDING"}),
        ok({"_id": "a1"}),
        ok({"_id": "a1", "status": ""}),
        ok({"id": "a1", "status": "PENDING"}),
        httpx.ReadTimeout("late"),
        TimeoutError(),
    ],
)
async def test_any_other_answer_says_nothing(kit: Kit, answer: httpx.Response | Exception) -> None:
    kit.provider.say("/mobile/check-ref/r", answer)
    with pytest.raises(SaysNothing) as caught:
        await kit.client().check_ref("r")
    assert type(caught.value) is SaysNothing
    assert caught.value.reason == "unreachable"


async def test_a_read_without_connection_is_unreachable(kit: Kit) -> None:
    kit.provider.say("/mobile/check-ref/r", httpx.ConnectError("no"))
    with pytest.raises(Unreachable):
        await kit.client().check_ref("r")


async def test_a_read_that_is_told_to_slow_down_says_so(kit: Kit) -> None:
    kit.provider.say("/mobile/check-ref/r", error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "7"}))
    with pytest.raises(SaysNothing) as caught:
        await kit.client().check_ref("r")
    assert (caught.value.reason, caught.value.retry_after) == ("rate_limit", 7.0)


@pytest.mark.parametrize("answer", [error(401, "ERR_AUTH"), error(403, "IP_BLOCKED"), httpx.Response(401)])
async def test_a_refused_key_says_nothing_about_the_order(kit: Kit, answer: httpx.Response) -> None:
    kit.provider.say("/mobile/check-ref/r", answer)
    with pytest.raises(SaysNothing) as caught:
        await kit.client().check_ref("r")
    assert isinstance(caught.value, CredentialsRefused)


async def test_a_list_is_asked_for_by_page_and_time(kit: Kit) -> None:
    kit.provider.say("/mobile/list", ok({"items": [RECORD], "pagination": PAGE}))
    algiers = timezone(timedelta(hours=1))
    page = await kit.client().list_topups(
        page=2,
        since=datetime(2025, 10, 29, 1, tzinfo=algiers),
        until=datetime(2025, 10, 29, 1, 30, tzinfo=algiers),
    )
    assert dict(kit.provider.requests[-1].url.params) == {
        "page": "2",
        "pageSize": "100",
        "from": "2025-10-29T00:00:00.000Z",
        "to": "2025-10-29T00:30:00.000Z",
    }
    assert (page.page, page.total_pages, page.total_results) == (1, 3, 201)
    assert page.items[0].ref == "API-+213665983439-order-1"


async def test_a_list_without_times_has_no_window(kit: Kit) -> None:
    kit.provider.say("/mobile/list", ok({"items": [], "pagination": PAGE}))
    assert (await kit.client().list_topups(page_size=20)).items == ()
    assert dict(kit.provider.requests[-1].url.params) == {"page": "1", "pageSize": "20"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": 0},
        {"page_size": 0},
        {"page_size": 101},
        {"since": datetime(2025, 1, 1, tzinfo=UTC)},
        {"until": datetime(2025, 1, 1, tzinfo=UTC)},
        {"since": datetime.fromisoformat("2025-01-01"), "until": datetime.fromisoformat("2025-01-02")},
    ],
)
async def test_a_list_that_makes_no_sense_is_a_bug_of_the_caller(kit: Kit, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"page|since|zone"):
        await kit.client().list_topups(**wrong)
    assert kit.provider.requests == []


@pytest.mark.parametrize(
    "data",
    [
        {"items": [RECORD, {"ref": "order-1"}], "pagination": PAGE},
        {"items": [RECORD]},
        {"items": [RECORD], "pagination": {"page": 1}},
        {"pagination": PAGE},
        [],
    ],
)
async def test_a_page_that_might_hide_an_order_says_nothing(kit: Kit, data: object) -> None:
    kit.provider.say("/mobile/list", ok(data))
    with pytest.raises(SaysNothing):
        await kit.client().list_topups()


async def test_the_catalogue_finds_a_plan_by_its_exact_code(kit: Kit) -> None:
    dynamic = {"code": "PREPAID_DJEZZY", "cost": 0.98, "isEnabled": True, "min_amount": 50, "max_amount": 5000}
    fixed = {"code": "PIXX_500", "name": "📱", "isEnabled": False, "amount": 500, "operator": "Pixx", "kind": "odd"}
    kit.provider.say(
        "/mobile/plans",
        ok({"dynamicPlans": [dynamic, {"code": "GROS_MOBILIS", "isEnabled": "?"}, {}], "fixedPlans": [fixed, 3]}),
    )
    catalogue = await kit.client().plans()
    found = catalogue.find("PREPAID_DJEZZY")
    assert isinstance(found, DynamicPlan)
    assert (found.min_amount, found.max_amount, found.cost) == (Decimal(50), Decimal(5000), Decimal("0.98"))
    pixx = catalogue.find("PIXX_500")
    assert isinstance(pixx, FixedPlan)
    assert (pixx.amount, pixx.is_enabled) == (Decimal(500), False)
    gros = catalogue.find("GROS_MOBILIS")
    assert gros is not None
    assert gros.is_enabled
    assert gros.cost is None
    assert catalogue.find("prepaid_djezzy") is None


@pytest.mark.parametrize("data", [{"dynamicPlans": []}, {"dynamicPlans": [], "fixedPlans": None}, {}])
async def test_half_a_catalogue_is_none(kit: Kit, data: object) -> None:
    kit.provider.say("/mobile/plans", ok(data))
    with pytest.raises(SaysNothing):
        await kit.client().plans()


async def test_the_balance_is_exact(kit: Kit) -> None:
    kit.provider.say("/account/balance", ok({"balance": 1326.13, "currency": "DZD"}))
    assert await kit.client().balance() == Decimal("1326.13")


async def test_movements_are_read_page_by_page(kit: Kit) -> None:
    row = {
        "_id": "t1",
        "type": "REFUND-FLEXY",
        "operation": "increment",
        "amount": 490,
        "oldBalance": 10,
        "newBalance": 500,
        "objid": ID,
        "note": "x",
        "time": "2025-10-29T00:35:59.378Z",
    }
    kit.provider.say("/account/transactions", ok({"items": [row], "pagination": PAGE}))
    page = await kit.client().transactions()
    assert (page.items[0].objid, page.items[0].new_balance) == (ID, Decimal(500))


async def test_a_key_says_whose_it_is_and_is_not_kept(kit: Kit) -> None:
    client = kit.client()
    before = client.account
    account = await client.validate()
    assert (before, client.account) == (None, account)
    assert account.username == kit.username
    assert (account.environment, account.scope, account.is_enabled) == ("sandbox", "READ-WRITE", True)
    assert kit.key not in account.model_dump_json()


async def test_closing_is_enough_to_leave(kit: Kit) -> None:
    async with kit.client() as client:
        await client.validate()
    assert "sandbox" in repr(client)
    assert kit.key not in repr(client)


async def test_every_failure_of_a_read_is_one_of_two(kit: Kit) -> None:
    kit.provider.say("/validate", httpx.Response(500))
    with pytest.raises(OneClickDZError) as caught:
        await kit.client().check_ref("r")
    assert isinstance(caught.value, (SaysNothing, NotFound))
