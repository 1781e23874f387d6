"""What a send accepts, what it refuses, and what it costs."""

import asyncio
from typing import Any

import pytest

from tests.simulator.stand import DJEZZY, MOBILIS, PREFIX, Stand, code


async def test_an_accepted_send_answers_id_and_prefixed_ref_without_a_request_id(stand: Stand) -> None:
    body = (await stand.send("order-1")).json()
    assert set(body) == {"success", "data", "meta"}
    assert len(body["data"]["topupId"]) == 24
    assert body["data"]["topupRef"] == f"{PREFIX}order-1"


@pytest.mark.parametrize(
    ("plan", "phone", "amount", "debited"),
    [
        ("PREPAID_DJEZZY", DJEZZY, 500, 490),
        ("PREPAID_OOREDOO", "0551234567", 101, 100.5),
        ("GROS_MOBILIS", MOBILIS, 5000, 5000),
        ("MIX500_MOBILIS", MOBILIS, 1, 485),
        ("PIXX_500", DJEZZY, 500, 485),
        ("GETMENU_Djezzy", DJEZZY, None, 0),
        ("GETMENU_Djezzy", DJEZZY, 0, 0),
        ("GETMENU_Djezzy", DJEZZY, 50, 50),
    ],
)
async def test_the_wallet_pays_the_plan_s_multiple_of_the_face_value(
    stand: Stand, plan: str, phone: str, amount: int | None, debited: float
) -> None:
    before = await stand.balance()
    answer = await stand.send("r", plan_code=plan, MSSIDN=phone, amount=amount)
    assert answer.status_code == 200
    assert before - await stand.balance() == pytest.approx(debited, abs=0.001)
    assert (await stand.record("r"))["balance_amount"] == debited


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"plan_code": None}, "plan_code"),
        ({"plan_code": 7}, "plan_code"),
        ({"plan_code": "NO_SUCH_PLAN"}, "plan_code"),
        ({"plan_code": "DISABLED_DJEZZY"}, "plan_code"),
        ({"plan_code": "prepaid_djezzy"}, "plan_code"),
        ({"MSSIDN": None}, "MSSIDN"),
        ({"MSSIDN": "+213771234567"}, "MSSIDN"),
        ({"MSSIDN": "0471234567"}, "MSSIDN"),
        ({"MSSIDN": "07712345678"}, "MSSIDN"),
        ({"MSSIDN": MOBILIS}, "MSSIDN"),
        ({"amount": None}, "amount"),
        ({"amount": "500"}, "amount"),
        ({"amount": 500.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 99}, "amount"),
        ({"amount": 10_001}, "amount"),
        ({"plan_code": "PIXX_500", "amount": None}, "amount"),
        ({"ref": ""}, "ref"),
        ({"ref": "x" * 101}, "ref"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_and_names_the_field(
    stand: Stand, wrong: dict[str, Any], field: str
) -> None:
    answer = await stand.send(**{"ref": "r", **wrong})
    assert (answer.status_code, code(answer)) == (400, "ERR_VALIDATION")
    assert answer.json()["error"]["details"]["field"] == field
    assert stand.rows("commit") == []


async def test_the_phone_pattern_is_refused_in_ajv_s_words(stand: Stand) -> None:
    answer = await stand.send("r", MSSIDN="12")
    assert answer.json()["error"]["message"] == 'body/MSSIDN must match pattern "^0[567][0-9]{8}$"'


async def test_a_body_that_is_no_json_is_refused(stand: Stand) -> None:
    async with stand.client() as client:
        answer = await client.post("/v3/mobile/send", content=b"{")
    assert code(answer) == "ERR_VALIDATION"


async def test_the_sandbox_s_numbers_fit_every_operator(stand: Stand) -> None:
    assert (await stand.send("r", MSSIDN="0600000042")).status_code == 200
    assert code(await stand.send("s", MSSIDN="0600000000")) == "ERR_VALIDATION"


async def test_a_ref_is_accepted_once_and_the_refusal_creates_nothing(stand: Stand) -> None:
    await stand.send("r")
    again = await stand.send("r", amount=600)
    assert (again.status_code, code(again)) == (403, "DUPLICATED_REF")
    assert again.json()["error"]["message"] == "This reference ID is already in use."
    assert len(stand.rows("commit")) == 1


async def test_of_many_simultaneous_sends_with_one_ref_one_is_accepted(stand: Stand) -> None:
    answers = await asyncio.gather(*(stand.send("r") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 19
    assert len(stand.rows("commit")) == 1


async def test_refs_are_each_account_s_and_each_environment_s_own(stand: Stand) -> None:
    keys = ["sandbox-key", "production-key", "other-sandbox-key", "other-production-key"]
    assert [(await stand.send("r", key=key)).status_code for key in keys] == [200] * 4


async def test_without_a_ref_the_provider_makes_one_up(stand: Stand) -> None:
    first, second = [(await stand.send()).json()["data"]["topupRef"] for _ in range(2)]
    assert first != second
    assert first.startswith(PREFIX)


async def test_too_little_balance_says_how_much_is_missing_and_leaves_the_ref_free(stand: Stand) -> None:
    await stand.admin("POST", "balance", {"amount": 489.99, "environment": "sandbox"})
    answer = await stand.send("r")
    assert (answer.status_code, code(answer)) == (403, "INSUFFICIENT_BALANCE")
    assert answer.json()["error"]["details"] == {"required": 490, "available": 489.99}
    await stand.admin("POST", "balance", {"amount": 490})
    assert (await stand.send("r")).status_code == 200
    assert await stand.balance() == 0


async def test_one_number_never_has_enough_balance(stand: Stand) -> None:
    assert code(await stand.send("r", MSSIDN="0600000009")) == "INSUFFICIENT_BALANCE"


async def test_the_duplicate_s_spelling_and_the_ref_s_form_can_be_switched(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"duplicate_code": "DUPLICATED-REF", "ref_form": "bare"})
    assert (await stand.send("r")).json()["data"]["topupRef"] == "r"
    assert code(await stand.send("r")) == "DUPLICATED-REF"
    assert (await stand.record("r"))["ref"] == "r"


async def test_a_refunded_order_s_ref_is_free_again_only_with_the_switch(stand: Stand) -> None:
    await stand.send("r", MSSIDN="0600000001")
    stand.clock.pass_seconds(15)
    assert code(await stand.send("r")) == "DUPLICATED_REF"
    await stand.admin("POST", "settings", {"reuse_after_refund": True})
    second = (await stand.send("r")).json()["data"]["topupId"]
    assert (await stand.record("r"))["_id"] == second
    assert code(await stand.send("r")) == "DUPLICATED_REF"


async def test_meta_and_request_id_can_be_left_out(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"omit_meta": True, "omit_request_id": True})
    assert set((await stand.get("/v3/mobile/plans")).json()) == {"success", "data"}
    assert set((await stand.send("r", amount=1)).json()) == {"success", "error"}
