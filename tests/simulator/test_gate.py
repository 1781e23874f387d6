"""Keys, lock-out, rate limit."""

import math

import pytest

from tests.simulator.stand import Stand, code


async def test_validate_names_the_account_and_the_environment_without_meta(stand: Stand) -> None:
    body = (await stand.get("/v3/validate", "production-key")).json()
    assert body == {
        "success": True,
        "data": {
            "username": "+213665983439",
            "apiKey": {
                "key": "production-key",
                "isEnabled": True,
                "type": "PRODUCTION",
                "allowedips": [],
                "scope": "READ-WRITE",
            },
        },
    }


async def test_each_bad_key_counts_down_and_the_sixth_request_finds_the_address_blocked(stand: Stand) -> None:
    left = []
    for _ in range(5):
        answer = await stand.get("/v3/validate", "wrong")
        assert (answer.status_code, code(answer)) == (401, "INVALID_ACCESS_TOKEN")
        left.append(answer.json()["error"]["details"]["attemptsLeft"])
    assert left == [4, 3, 2, 1, 0]
    good = await stand.get("/v3/validate")
    assert (good.status_code, code(good)) == (403, "IP_BLOCKED")


async def test_the_block_ends_after_fifteen_minutes(stand: Stand) -> None:
    for _ in range(5):
        await stand.get("/v3/validate", None)
    stand.clock.pass_seconds(899)
    assert (await stand.get("/v3/validate")).status_code == 403
    stand.clock.pass_seconds(2)
    assert (await stand.get("/v3/validate")).status_code == 200


async def test_the_block_is_one_address_s_and_can_be_lifted(stand: Stand) -> None:
    for _ in range(5):
        await stand.get("/v3/validate", None)
    async with stand.client(address="10.0.0.7") as elsewhere:
        assert (await elsewhere.get("/v3/validate")).status_code == 200
    await stand.admin("DELETE", "lockouts")
    assert (await stand.get("/v3/validate")).status_code == 200


async def test_a_missing_key_is_told_apart_from_a_wrong_one(stand: Stand) -> None:
    answer = await stand.get("/v3/account/balance", None)
    assert (answer.status_code, code(answer)) == (401, "MISSING_ACCESS_TOKEN")


async def test_a_disabled_key_and_a_key_that_may_only_read_are_refused(stand: Stand) -> None:
    disabled = await stand.get("/v3/validate", "disabled-key")
    assert (disabled.status_code, code(disabled)) == (403, "API_DISABLED")
    assert (await stand.get("/v3/mobile/plans", "readonly-key")).status_code == 200
    assert code(await stand.send("r", key="readonly-key")) == "FORBIDDEN"


async def test_a_strange_key_is_never_written_down(stand: Stand) -> None:
    await stand.get("/v3/validate", "somebody-s-real-key")
    assert "somebody" not in stand.ledger.read_text(encoding="utf-8")
    assert stand.rows("request")[0]["key"].startswith("unknown-")


@pytest.mark.parametrize(("key", "limit"), [("sandbox-key", 60), ("production-key", 120)])
async def test_a_key_s_budget_is_shared_by_all_endpoints_and_slides(stand: Stand, key: str, limit: int) -> None:
    for number in range(limit):
        path = "/v3/account/balance" if number % 2 else "/v3/mobile/plans"
        assert (await stand.get(path, key)).status_code == 200
        stand.clock.pass_seconds(0.125)
    refused = await stand.get("/v3/validate", key)
    assert (refused.status_code, code(refused)) == (429, "RATE_LIMIT_EXCEEDED")
    wait = int(refused.headers["Retry-After"])
    assert wait == math.ceil(60 - limit * 0.125)
    stand.clock.pass_seconds(wait)
    assert (await stand.get("/v3/validate", key)).status_code == 200


async def test_speed_does_not_shorten_the_rate_limit_s_window(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"speed": 1000, "rate_limit": 1})
    assert (await stand.get("/v3/validate")).status_code == 200
    stand.clock.pass_seconds(59)
    assert (await stand.get("/v3/validate")).status_code == 429
    assert (await stand.get("/v3/validate", "production-key")).status_code == 200


async def test_a_rate_limit_of_nought_means_none(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"rate_limit": 0})
    answers = [await stand.get("/v3/validate") for _ in range(70)]
    assert {answer.status_code for answer in answers} == {200}
