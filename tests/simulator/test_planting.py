"""Differences planted in the provider's books stand in all of them, also after a restart."""

from typing import Any

import pytest

from tests.simulator.stand import Stand, code


async def _listed(stand: Stand) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stand.get("/v3/mobile/list")).json()["data"]["items"]
    return found


async def _movements(stand: Stand) -> list[tuple[str, float]]:
    found = (await stand.get("/v3/account/transactions")).json()["data"]["items"]
    return [(row["type"], row["amount"]) for row in found]


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_order_from_elsewhere_has_a_record_and_was_paid(stand: Stand, restarted: bool) -> None:
    planted = await stand.admin("POST", "orders", {"ref": "elsewhere", "amount": 200, "status": "FULFILLED"})
    assert planted.status_code == 201
    if restarted:
        stand.restart()
    [record] = await _listed(stand)
    assert (record["ref"][-9:], record["status"], record["topup_amount"]) == ("elsewhere", "FULFILLED", 200)
    assert await _movements(stand) == [("FLEXY", 196)]
    assert await stand.balance() == 1_000_000 - 196


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_second_record_may_have_a_ref_that_is_taken(stand: Stand, restarted: bool) -> None:
    await stand.send("r")
    await stand.admin("POST", "orders", {"ref": "r"})
    if restarted:
        stand.restart()
    assert len(await _listed(stand)) == 2
    assert len({record["_id"] for record in await _listed(stand)}) == 2


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_forgotten_order_is_in_no_answer_but_its_money_moved(stand: Stand, restarted: bool) -> None:
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    await stand.send("other")
    assert (await stand.admin("DELETE", "orders/r")).status_code == 200
    stand.clock.pass_seconds(60)
    if restarted:
        stand.restart()
    assert [record["ref"][-5:] for record in await _listed(stand)] == ["other"]
    assert code(await stand.get(f"/v3/mobile/check-id/{topup_id}")) == "NOT_FOUND"
    assert code(await stand.get("/v3/mobile/check-ref/r")) == "NOT_FOUND"
    assert await _movements(stand) == [("FLEXY", 490)] * 2


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_record_can_show_something_else_than_was_ordered(stand: Stand, restarted: bool) -> None:
    await stand.send("r")
    changes = {"amount": 400, "debited": 392.5, "phone": "0779999999", "plan_code": "FACTURE_DJEZZY"}
    assert (await stand.admin("POST", "orders/r/record", changes)).status_code == 200
    if restarted:
        stand.restart()
    shown = await stand.record("r")
    assert (shown["topup_amount"], shown["balance_amount"]) == (400, 392.5)
    assert (shown["MSSIDN"], shown["plan_code"]) == ("0779999999", "FACTURE_DJEZZY")
    assert await _movements(stand) == [("FLEXY", 490)]


async def test_of_two_records_the_older_one_counts_again_when_the_newer_is_forgotten(stand: Stand) -> None:
    await stand.send("r")
    first = (await stand.record("r"))["_id"]
    await stand.admin("POST", "orders", {"ref": "r"})
    assert (await stand.record("r"))["_id"] != first
    await stand.admin("DELETE", "orders/r?environment=sandbox")
    assert (await stand.record("r"))["_id"] == first


@pytest.mark.parametrize(
    ("method", "path", "body", "http"),
    [
        ("POST", "orders", {"ref": "r", "environment": "NOWHERE"}, 400),
        ("POST", "orders", {"ref": ""}, 400),
        ("POST", "orders/nobody/record", {"amount": 1}, 404),
        ("POST", "orders/nobody/record", {"sum": 1}, 400),
        ("DELETE", "orders/nobody", None, 404),
    ],
)
async def test_what_cant_be_planted_is_refused(stand: Stand, method: str, path: str, body: Any, http: int) -> None:
    assert (await stand.admin(method, path, body)).status_code == http


@pytest.mark.parametrize("restarted", [False, True])
async def test_the_balance_can_move_without_a_transaction(stand: Stand, restarted: bool) -> None:
    await stand.send("r")
    await stand.admin("POST", "balance", {"amount": 5_000, "noted": False})
    if restarted:
        stand.restart()
    assert await stand.balance() == 5_000
    assert await _movements(stand) == [("FLEXY", 490)]
