"""What an observer is told of the wire: enough to see trouble, nothing that names anybody, and never in the way."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from oneclickdz import Exchange, NotFound, OneClickDZError
from oneclickdz.observer import KNOWN_CODES
from tests.provider.stand_in import Clock, Kit, Provider, error, ok

SEND = "/mobile/send"
BALANCE = "/account/balance"
TAKEN = ok({"topupId": "6901616fe9e88196b4eb64b0"})


class Diary:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.waits: list[tuple[str, float, bool]] = []

    def exchanged(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        self.waits.append((kind, seconds, in_vain))

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return [(exchange.endpoint, exchange.http, exchange.code) for exchange in self.exchanges]


class Broken(Diary):
    def exchanged(self, exchange: Exchange) -> None:
        raise ZeroDivisionError

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        raise ZeroDivisionError


@pytest.fixture
def diary() -> Diary:
    return Diary()


async def test_each_request_is_told_once_with_its_endpoint(
    kit: Kit, provider: Provider, diary: Diary, order: dict[str, Any]
) -> None:
    provider.say(SEND, TAKEN)
    provider.say(BALANCE, ok({"balance": 7}))
    client = kit.client(observer=diary)
    await client.send(**order)
    await client.balance()
    assert diary.said == [("validate", "2xx", "OK"), ("send", "2xx", "OK"), ("balance", "2xx", "OK")]
    assert all(exchange.seconds >= 0 for exchange in diary.exchanges)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(403, "DUPLICATED-REF"), ("4xx", "DUPLICATED_REF")),
        (error(418, "TEAPOT_0771234567"), ("4xx", "other")),
        (error(429, "RATE_LIMIT_EXCEEDED"), ("429", "RATE_LIMIT_EXCEEDED")),
        (httpx.Response(502, text="<html>"), ("5xx", "none")),
        (httpx.Response(302, headers={"location": "/"}), ("3xx", "none")),
        (ok({"nothing": 1}), ("2xx", "none")),
        (httpx.ConnectError("no"), ("none", "unreachable")),
        (httpx.ReadTimeout("no"), ("none", "no_answer")),
    ],
)
async def test_a_failed_request_is_told_by_class_and_code(
    kit: Kit, provider: Provider, diary: Diary, answer: httpx.Response | Exception, told: tuple[str, str]
) -> None:
    provider.say("/mobile/plans", answer)
    with pytest.raises(OneClickDZError):
        await kit.client(observer=diary).plans()
    assert diary.said[-1] == ("plans", *told)


async def test_a_ref_or_an_id_in_a_path_is_not_told(kit: Kit, provider: Provider, diary: Diary) -> None:
    provider.say("/mobile/check-ref/order-1", error(404, "NOT_FOUND"))
    with pytest.raises(NotFound):
        await kit.client(observer=diary).check_ref("order-1")
    assert diary.said[-1] == ("check-ref", "4xx", "NOT_FOUND")


async def test_what_never_left_is_not_told(kit: Kit, provider: Provider, diary: Diary, order: dict[str, Any]) -> None:
    provider.say("/validate", error(401, "INVALID_ACCESS_TOKEN"))
    client = kit.client(observer=diary)
    for _ in range(3):
        with pytest.raises(OneClickDZError):
            await client.send(**order)
    assert diary.said == [("validate", "4xx", "INVALID_ACCESS_TOKEN")]
    assert provider.count(SEND) == 0


async def test_waits_for_the_rate_window_are_told_in_seconds(
    kit: Kit, provider: Provider, diary: Diary, clock: Clock
) -> None:
    provider.say(BALANCE, ok({"balance": 7}))
    client = kit.client(observer=diary, rate_limit=4)
    await client.balance()
    clock.seconds += 60
    await client.balance()
    await client.balance()
    with pytest.raises(OneClickDZError):
        await client.balance()
    assert [(kind, round(seconds), in_vain) for kind, seconds, in_vain in diary.waits] == [
        ("validate", 0, False),
        ("audit", 0, False),
        ("audit", 1, False),
        ("audit", 0, False),
        ("audit", 0, True),
    ]


async def test_a_broken_observer_changes_nothing_and_is_logged(
    kit: Kit, provider: Provider, order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    provider.say(SEND, TAKEN)
    with caplog.at_level(logging.ERROR):
        assert (await kit.client(observer=Broken()).send(**order)).topup_id == "6901616fe9e88196b4eb64b0"
    assert "An observer failed" in caplog.text


def test_every_code_that_is_told_is_a_word_of_the_provider() -> None:
    assert all(code.isupper() and code.isascii() for code in KNOWN_CODES)
