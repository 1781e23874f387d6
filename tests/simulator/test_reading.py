"""Looking up, listing, reconciling."""

from typing import Any

import pytest

from simulator.clock import iso
from tests.simulator.stand import DJEZZY, PREFIX, Query, Stand, code

ENCODED = PREFIX.replace("+", "%2B")


async def test_a_fresh_order_shows_exactly_the_documented_fields(stand: Stand) -> None:
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    answer = (await stand.get(f"/v3/mobile/check-id/{topup_id}")).json()
    assert answer["data"] == {
        "_id": topup_id,
        "ref": f"{PREFIX}r",
        "status": "PENDING",
        "plan_code": "PREPAID_DJEZZY",
        "MSSIDN": DJEZZY,
        "topup_amount": 500,
        "balance_amount": 490,
        "created_at": iso(stand.clock.now),
    }
    assert set(answer) == {"success", "data", "meta", "requestId"}


@pytest.mark.parametrize(
    ("forms", "bare", "prefixed"),
    [("both", 200, 200), ("bare", 200, 404), ("prefixed", 404, 200), ("none", 404, 404)],
)
async def test_which_form_of_a_ref_is_found_can_be_switched(stand: Stand, forms: str, bare: int, prefixed: int) -> None:
    await stand.admin("POST", "settings", {"check_ref_forms": forms})
    await stand.send("r")
    answers = [await stand.get(f"/v3/mobile/check-ref/{form}r") for form in ("", ENCODED)]
    assert [answer.status_code for answer in answers] == [bare, prefixed]


async def test_an_unknown_ref_is_not_found_in_an_envelope_that_names_it(stand: Stand) -> None:
    answer = await stand.get("/v3/mobile/check-ref/nothing")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error == {"code": "NOT_FOUND", "message": "Top-up with reference 'nothing' not found"}


@pytest.mark.parametrize("path", ["/v3/mobile/topup/1", "/v3/mobile/send", "/", "/v2/validate"])
async def test_an_unknown_route_answers_404_without_an_envelope(stand: Stand, path: str) -> None:
    answer = await stand.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"message", "error", "statusCode"}
    assert [row["http"] for row in stand.rows("answer")] == [404]


@pytest.mark.parametrize("key", ["production-key", "other-sandbox-key"])
async def test_no_other_environment_or_account_sees_a_record(stand: Stand, key: str) -> None:
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    for path in (f"check-id/{topup_id}", "check-ref/r", f"check-ref/{ENCODED}r"):
        assert code(await stand.get(f"/v3/mobile/{path}", key)) == "NOT_FOUND"
    assert (await stand.get("/v3/mobile/list", key)).json()["data"]["items"] == []


async def test_check_ref_lags_behind_the_commit_when_told_to(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"read_lag": 3, "speed": 100})
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    assert (await stand.get("/v3/mobile/check-ref/r")).status_code == 404
    assert (await stand.get(f"/v3/mobile/check-id/{topup_id}")).status_code == 200
    stand.clock.pass_seconds(3)
    assert (await stand.get("/v3/mobile/check-ref/r")).status_code == 200


async def test_the_lag_can_cover_the_id_and_the_list(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"read_lag": 3, "read_lag_endpoints": ["check-id", "list"]})
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    assert (await stand.get(f"/v3/mobile/check-id/{topup_id}")).status_code == 404
    assert (await stand.get("/v3/mobile/list")).json()["data"]["items"] == []
    assert (await stand.get("/v3/mobile/check-ref/r")).status_code == 200


async def page(stand: Stand, path: str, query: Query | None = None) -> dict[str, Any]:
    data: dict[str, Any] = (await stand.get(path, query=query)).json()["data"]
    return data


async def test_the_list_is_newest_first_and_paged(stand: Stand) -> None:
    for number in range(5):
        await stand.send(f"r{number}")
        stand.clock.pass_seconds(1)
    last = await page(stand, "/v3/mobile/list", {"page": 3, "pageSize": 2})
    assert [item["ref"] for item in last["items"]] == [f"{PREFIX}r0"]
    assert last["pagination"] == {"page": 3, "pageSize": 2, "totalPages": 3, "totalResults": 5}
    first = await page(stand, "/v3/mobile/list")
    assert [item["ref"][-2:] for item in first["items"]] == ["r4", "r3", "r2", "r1", "r0"]


async def test_the_list_is_cut_by_from_and_to(stand: Stand) -> None:
    start = stand.clock.now
    for number in range(3):
        await stand.send(f"r{number}")
        stand.clock.pass_seconds(60)
    span: Query = {"from": iso(start + 30), "to": iso(start + 90)}
    found = await page(stand, "/v3/mobile/list", span)
    assert [item["ref"] for item in found["items"]] == [f"{PREFIX}r1"]


@pytest.mark.parametrize("path", ["/v3/mobile/list", "/v3/account/transactions"])
@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-01-01T00:00:00Z"},
        {"to": "2026-01-01T00:00:00Z"},
        {"from": "yesterday", "to": "today"},
        {"page": 0},
        {"pageSize": 101},
        {"pageSize": "many"},
    ],
)
async def test_a_query_that_does_not_fit_is_refused(stand: Stand, path: str, query: Query) -> None:
    answer = await stand.get(path, query=query)
    assert (answer.status_code, code(answer)) == (400, "ERR_VALIDATION")


async def test_every_movement_of_money_names_its_order_and_both_balances(stand: Stand) -> None:
    topup_id = (await stand.send("r", MSSIDN="0600000001")).json()["data"]["topupId"]
    stand.clock.pass_seconds(15)
    rows = (await page(stand, "/v3/account/transactions"))["items"]
    told = [(row["type"], row["operation"], row["amount"], row["oldBalance"], row["newBalance"]) for row in rows]
    assert told == [
        ("REFUND-FLEXY", "INCREMENT", 490, 999_510, 1_000_000),
        ("FLEXY", "DECREMENT", 490, 1_000_000, 999_510),
    ]
    assert {row["objid"] for row in rows} == {topup_id}


async def test_a_set_balance_is_a_deposit_or_a_withdrawal(stand: Stand) -> None:
    for amount in (2_000_000, 0):
        await stand.admin("POST", "balance", {"amount": amount})
    rows = (await page(stand, "/v3/account/transactions"))["items"]
    assert [(row["type"], row["amount"]) for row in rows] == [("WITHDRAW", 2_000_000), ("DEPOSIT", 1_000_000)]


async def test_the_catalogue_has_the_documented_codes_and_a_plan_without_a_cost(stand: Stand) -> None:
    data = (await stand.get("/v3/mobile/plans")).json()["data"]
    dynamic = {plan["code"]: plan for plan in data["dynamicPlans"]}
    assert "cost" not in dynamic["GROS_MOBILIS"]
    assert dynamic["PREPAID_MOBILIS"]["min_amount"] == 40
    assert dynamic["DISABLED_DJEZZY"]["isEnabled"] is False
    assert {plan["code"]: plan["amount"] for plan in data["fixedPlans"]} == {
        "PIXX_500": 500,
        "MIX500_MOBILIS": 500,
        "MIX1000_OOREDOO": 1000,
    }
