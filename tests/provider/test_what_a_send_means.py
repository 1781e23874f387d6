"""Section by section, what one POST can mean: the rule that no order is lost or sent twice rests on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from oneclickdz import (
    CredentialsRefused,
    DuplicateRef,
    InsufficientBalance,
    NoAnswer,
    NothingCreated,
    OneClickDZError,
    PerhapsCreated,
    ProviderUnavailable,
    Refused,
    UnclearAnswer,
    Unreachable,
)
from tests.provider.stand_in import Kit, error, ok

SEND = "/mobile/send"
ACCEPTED = {"topupId": "65f0a1b2c3d4e5f607182930", "topupRef": "API-+213665983439-order-1"}


async def outcome(kit: Kit, order: dict[str, Any], answer: httpx.Response | Exception) -> OneClickDZError:
    kit.provider.say(SEND, answer)
    with pytest.raises(OneClickDZError) as caught:
        await kit.client().send(**order)
    assert kit.provider.count(SEND) == 1
    assert isinstance(caught.value, NothingCreated) is not isinstance(caught.value, PerhapsCreated)
    return caught.value


@pytest.mark.parametrize("http", [200, 201, 202])
async def test_an_accepted_order_gives_its_id(kit: Kit, order: dict[str, Any], http: int) -> None:
    kit.provider.say(SEND, ok({**ACCEPTED, "newBalance": 1326.13}, http))
    sent = await kit.client().send(**order)
    assert sent.topup_id == "65f0a1b2c3d4e5f607182930"
    assert sent.topup_ref == "API-+213665983439-order-1"
    assert sent.new_balance == Decimal("1326.13")


async def test_the_order_travels_under_the_providers_field_names(kit: Kit, order: dict[str, Any]) -> None:
    kit.provider.say(SEND, ok(ACCEPTED))
    await kit.client().send(**order)
    assert kit.provider.body() == {
        "plan_code": "PREPAID_DJEZZY",
        "MSSIDN": "0771234567",
        "amount": 500,
        "ref": "order-1",
    }
    assert kit.provider.requests[-1].headers["x-access-token"] == kit.key


async def test_an_order_without_amount_sends_none(kit: Kit, order: dict[str, Any]) -> None:
    kit.provider.say(SEND, ok(ACCEPTED))
    sent = await kit.client().send(**{**order, "amount": None})
    assert "amount" not in kit.provider.body()
    assert sent.new_balance is None


@pytest.mark.parametrize(
    "problem",
    [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol],
)
async def test_without_a_connection_nothing_was_created(
    kit: Kit, order: dict[str, Any], problem: type[httpx.TransportError]
) -> None:
    failure = await outcome(kit, order, problem("no"))
    assert isinstance(failure, Unreachable)
    assert failure.reason == "unreachable"


@pytest.mark.parametrize(
    "problem",
    [
        httpx.ReadTimeout("late"),
        httpx.WriteTimeout("late"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.CloseError("reset"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.LocalProtocolError("odd"),
        httpx.ProxyError("odd"),
        httpx.DecodingError("odd"),
        httpx.TooManyRedirects("odd"),
        TimeoutError(),
        ConnectionResetError(),
        OSError(),
        RuntimeError("anything"),
    ],
    ids=lambda problem: type(problem).__name__,
)
async def test_every_other_fault_of_the_transport_may_hide_an_order(
    kit: Kit, order: dict[str, Any], problem: Exception
) -> None:
    assert isinstance(await outcome(kit, order, problem), NoAnswer)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (error(400, "ERR_VALIDATION"), Refused, None),
        (error(400, "ERR-PHONE"), Refused, None),
        (error(403, "INSUFFICIENT_BALANCE"), InsufficientBalance, "balance"),
        (error(403, "NO-BALANCE"), InsufficientBalance, "balance"),
        (error(401, "INVALID_ACCESS_TOKEN"), CredentialsRefused, "credentials"),
        (error(401, "DUPLICATED_REF"), CredentialsRefused, "credentials"),
        (httpx.Response(401, text="<html>"), CredentialsRefused, "credentials"),
        (httpx.Response(401), CredentialsRefused, "credentials"),
        (error(403, "IP_BLOCKED"), CredentialsRefused, "credentials"),
        (error(403, "IP_NOT_ALLOWED"), CredentialsRefused, "credentials"),
        (error(403, "IP_ANYTHING"), CredentialsRefused, "credentials"),
        (error(403, "API_DISABLED"), CredentialsRefused, "credentials"),
        (error(503, "AUTH_UNAVAILABLE"), ProviderUnavailable, "unreachable"),
        (error(502, "PARTNER_UNAVAILABLE"), ProviderUnavailable, "unreachable"),
    ],
)
async def test_a_listed_refusal_proves_that_nothing_was_created(
    kit: Kit, order: dict[str, Any], answer: httpx.Response, kind: type[OneClickDZError], reason: str | None
) -> None:
    failure = await outcome(kit, order, answer)
    assert isinstance(failure, kind)
    assert isinstance(failure, NothingCreated)
    assert failure.reason == reason
    assert failure.http == answer.status_code


@pytest.mark.parametrize("http", [200, 400, 403, 409, 500])
@pytest.mark.parametrize("code", ["DUPLICATED_REF", "DUPLICATED-REF", "duplicated-ref"])
async def test_a_duplicate_ref_means_that_something_exists(
    kit: Kit, order: dict[str, Any], http: int, code: str
) -> None:
    failure = await outcome(kit, order, error(http, code))
    assert isinstance(failure, DuplicateRef)
    assert isinstance(failure, PerhapsCreated)
    assert failure.code == "DUPLICATED_REF"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(301, headers={"location": "/elsewhere"}),
        httpx.Response(307, headers={"location": "/elsewhere"}),
        error(302, "AUTH_UNAVAILABLE"),
        error(429, "RATE_LIMIT_EXCEEDED"),
        error(429, "AUTH_UNAVAILABLE"),
        error(429, "NO_BALANCE"),
        error(500, "INTERNAL_ERROR"),
        error(500, "ERR_VALIDATION"),
        error(500, "INSUFFICIENT_BALANCE"),
        error(503, "SERVICE_UNAVAILABLE"),
        error(503, "IP_BLOCKED"),
        httpx.Response(502, text="Bad Gateway"),
        httpx.Response(504),
        error(400, "ERR_NEW"),
        error(400, "NO_BALANCE"),
        error(403, "ERR_VALIDATION"),
        error(403, "ERR_NEW"),
        error(403, ""),
        error(404, "NOT_FOUND"),
        error(200, "ERR_NEW"),
        error(200, ""),
        httpx.Response(400, json={"error": {"code": "ERR_VALIDATION"}}),
        httpx.Response(400, json={"success": True, "error": {"code": "ERR_VALIDATION"}}),
        httpx.Response(400, json={"success": "false", "error": {"code": "ERR_VALIDATION"}}),
        httpx.Response(400, json={"statusCode": 400, "error": "Bad Request", "message": "x"}),
        httpx.Response(400, json={"success": False, "error": "ERR_VALIDATION"}),
        httpx.Response(400, json={"success": False, "error": {"code": 7}}),
        httpx.Response(413),
        httpx.Response(200),
        httpx.Response(204),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"success": False, "data": {"topupId": "a1"}}),
        ok(None),
        ok([]),
        ok({}),
        ok({"topupId": ""}),
        ok({"topupId": "."}),
        ok({"topupId": ".."}),
        ok({"topupId": "..."}),
        ok({"topupId": "a/b"}),
        ok({"topupId": "a\\b"}),
        ok({"topupId": "a\x00"}),
        ok({"topupId": "a b"}),
        ok({"topupId": "a" * 129}),
        ok({"topupId": None}),
        ok({"topupId": ["a1"]}),
        ok({"topup_id": "a1"}),
    ],
)
async def test_an_answer_that_promises_nothing_may_hide_an_order(
    kit: Kit, order: dict[str, Any], answer: httpx.Response
) -> None:
    failure = await outcome(kit, order, answer)
    assert isinstance(failure, UnclearAnswer)
    assert failure.http == answer.status_code
    assert failure.reason is None


async def test_a_balance_refusal_says_how_much_is_missing(kit: Kit, order: dict[str, Any]) -> None:
    details = {"required": 490, "available": "12.5"}
    failure = await outcome(kit, order, error(403, "INSUFFICIENT_BALANCE", details=details))
    assert isinstance(failure, InsufficientBalance)
    assert (failure.required, failure.available) == (490.0, 12.5)


async def test_a_balance_refusal_without_numbers_is_one_all_the_same(kit: Kit, order: dict[str, Any]) -> None:
    failure = await outcome(kit, order, error(403, "NO_BALANCE", details={"required": "much"}))
    assert isinstance(failure, InsufficientBalance)
    assert failure.required is None
    assert failure.available is None


async def test_a_refusal_keeps_the_providers_words_but_masks_the_number(kit: Kit, order: dict[str, Any]) -> None:
    answer = error(
        400,
        "ERR_VALIDATION",
        "body/MSSIDN 0771234567 must match pattern",
        {"field": "MSSIDN", "value": "0771234567", "seen": ["+213771234567", 3]},
    )
    failure = await outcome(kit, order, answer)
    assert isinstance(failure, Refused)
    assert failure.code == "ERR_VALIDATION"
    assert "077•••••67 must match" in failure.message
    assert failure.details == {"field": "MSSIDN", "value": "077•••••67", "seen": ["+21377•••••67", 3]}


@pytest.mark.parametrize(("header", "seconds"), [({"Retry-After": "5"}, 5.0), ({}, None)])
async def test_an_outage_says_when_to_come_back(
    kit: Kit, order: dict[str, Any], header: dict[str, str], seconds: float | None
) -> None:
    failure = await outcome(kit, order, error(503, "AUTH_UNAVAILABLE", headers=header))
    assert failure.retry_after == seconds


async def test_an_odd_text_does_not_hide_an_accepted_order(kit: Kit, order: dict[str, Any]) -> None:
    body = b'\xef\xbb\xbf{"success": true, "data": {"topupId": "a1", "topupRef": "x\\ud800\xff", "newBalance": NaN}}'
    kit.provider.say(SEND, httpx.Response(200, content=body))
    sent = await kit.client().send(**order)
    assert sent.topup_id == "a1"
    assert sent.topup_ref is not None
    sent.topup_ref.encode()
    assert sent.new_balance is None


async def test_a_body_nested_without_end_is_unclear(kit: Kit, order: dict[str, Any]) -> None:
    assert isinstance(await outcome(kit, order, httpx.Response(200, content=b"[" * 200_000)), UnclearAnswer)


@pytest.mark.parametrize("code", ["ERR_VALIDATION", "NO_BALANCE", "API_DISABLED", "IP_BLOCKED", "PARTNER_UNAVAILABLE"])
async def test_a_refusal_under_a_2xx_proves_nothing(kit: Kit, order: dict[str, Any], code: str) -> None:
    assert isinstance(await outcome(kit, order, error(200, code)), UnclearAnswer)
