"""What really passes over a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from oneclickdz import (
    CredentialsRefused,
    KeyClosed,
    NoAnswer,
    OneClickDZ,
    RateLimited,
    SaysNothing,
    UnclearAnswer,
    Unreachable,
)
from oneclickdz.limits import Place, RateWindow
from tests.provider.raw_server import ACCEPTED, SEND, Server, hang_up, never, stall, whole
from tests.provider.stand_in import Kit


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()
    for writer in made.writers:
        writer.close()
    await asyncio.gather(*[writer.wait_closed() for writer in made.writers], return_exceptions=True)


@pytest.fixture
def client(kit: Kit, server: Server) -> OneClickDZ:
    return kit.client(transport=None, base_url=f"http://127.0.0.1:{server.port}/v3/")


async def test_an_order_goes_out_and_its_answer_comes_back(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    assert (await client.send(**order)).topup_id == "a1"
    _, _, body = bytes(server.connections[-1]).partition(b"\r\n\r\n")
    assert json.loads(body)["MSSIDN"] == "0771234567"


async def test_a_refusal_at_the_last_moment_sends_no_byte(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    await client.validate()
    refusal = LookupError("too late")
    asked = 0

    def refuse_once_connected() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise refusal

    with pytest.raises(LookupError) as caught:
        await client.send(**{**order, "may_leave": refuse_once_connected})
    assert caught.value is refusal
    assert caught.value.__cause__ is None
    assert asked == 2
    await server.until_connected(2)
    assert server.connections[1] == b""


async def test_a_refusal_before_that_makes_no_connection(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    await client.validate()

    def refuse() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await client.send(**{**order, "may_leave": refuse})
    assert len(server.connections) == 1


async def test_a_cancelled_gate_cancels_the_send(client: OneClickDZ, server: Server, order: dict[str, Any]) -> None:
    def cancel() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await client.send(**{**order, "may_leave": cancel})
    assert server.count(SEND) == 0


async def test_every_send_has_a_connection_of_its_own_and_reads_share_one(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    server.replies[b"GET /v3/account/balance"] = whole(b'{"success": true, "data": {"balance": 1}}')
    for _ in range(3):
        await client.balance()
    assert len(server.connections) == 1
    for _ in range(2):
        await client.send(**order)
    assert len(server.connections) == 3


async def test_a_read_does_not_use_a_connection_that_the_provider_may_be_about_to_close(
    kit: Kit, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneclickdz.wire.IDLE_SECONDS", 0.01)
    server.replies[b"GET /v3/account/balance"] = whole(b'{"success": true, "data": {"balance": 1}}')
    client = kit.client(transport=None, base_url=f"http://127.0.0.1:{server.port}/v3")
    for _ in range(2):
        await client.balance()
        await asyncio.sleep(0.02)
    assert len(server.connections) == 2


async def test_a_connection_that_closes_without_a_word_may_hide_an_order(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    server.replies[SEND] = hang_up
    with pytest.raises(NoAnswer):
        await client.send(**order)
    assert server.count(SEND) == 1


async def test_a_provider_that_is_not_there_created_nothing(kit: Kit, server: Server, order: dict[str, Any]) -> None:
    nobody = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = nobody.sockets[0].getsockname()[1]
    nobody.close()
    await nobody.wait_closed()
    with pytest.raises(Unreachable):
        await kit.client(transport=None, base_url=f"http://127.0.0.1:{port}/v3").send(**order)


async def test_a_torn_401_closes_the_key_all_the_same(
    client: OneClickDZ, server: Server, order: dict[str, Any]
) -> None:
    server.replies[SEND] = whole(b'{"success"', b"401 Unauthorized", length=500)
    with pytest.raises(CredentialsRefused):
        await client.send(**order)
    with pytest.raises(KeyClosed):
        await client.send(**order)


async def test_a_torn_success_may_hide_an_order(client: OneClickDZ, server: Server, order: dict[str, Any]) -> None:
    server.replies[SEND] = whole(ACCEPTED, length=500)
    with pytest.raises(UnclearAnswer):
        await client.send(**order)


async def test_a_send_ends_after_its_time(
    client: OneClickDZ, server: Server, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.validate()
    monkeypatch.setattr("oneclickdz.wire.POST_SECONDS", 0.2)
    server.replies[SEND] = never
    with pytest.raises(NoAnswer, match="TimeoutError"):
        await client.send(**order)
    server.replies[SEND] = stall
    with pytest.raises(UnclearAnswer):
        await client.send(**order)


async def test_a_read_ends_after_its_time(client: OneClickDZ, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.validate()
    monkeypatch.setattr("oneclickdz.wire.GET_SECONDS", 0.2)
    server.replies[b"GET /v3/mobile/check-id/a1"] = never
    with pytest.raises(SaysNothing):
        await client.check_id("a1")


async def test_a_body_without_end_is_not_read_to_its_end(
    client: OneClickDZ, server: Server, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.validate()
    monkeypatch.setattr("oneclickdz.wire.LARGEST_BODY", 20)
    with pytest.raises(UnclearAnswer):
        await client.send(**order)


async def test_a_proxy_of_the_environment_is_ignored(kit: Kit, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = kit.client(transport=None, base_url=f"http://127.0.0.1:{server.port}/v3")
    assert (await client.validate()).environment == "sandbox"


async def test_neither_key_nor_number_reaches_a_log(
    client: OneClickDZ, server: Server, order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    refusal = b'{"success": false, "error": {"code": "ERR_VALIDATION", "message": "0771234567 key-4f0c is odd"}}'
    record = b'{"success": true, "data": {"_id": "a1", "status": "PENDING", "MSSIDN": "0771234567"}}'
    server.replies[b"GET /v3/mobile/check-ref"] = whole(record)
    with caplog.at_level(logging.DEBUG):
        texts = [repr(await client.validate()), repr(await client.send(**order))]
        texts.append(repr(await client.check_ref("API-+213665983439-order-1")))
        texts.append(str(await client.check_ref("API-+213665983439-order-1")))
        for reply in (whole(refusal, b"400 Bad Request"), hang_up, whole(refusal, b"401 Unauthorized")):
            server.replies[SEND] = reply
            with pytest.raises(Exception, match=r"\w") as caught:
                await client.send(**order)
            texts += [repr(caught.value), str(caught.value), repr(vars(caught.value))]
    everything = caplog.text + "".join(texts)
    assert "HTTP Request: POST" in everything
    for secret in ("key-4f0c", "0771234567", "665983439"):
        assert secret not in everything


async def test_a_send_that_connected_slowly_counts_from_when_it_leaves(
    client: OneClickDZ, kit: Kit, server: Server, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneclickdz.limits._LEAVES_WITHIN_SECONDS", -1.0)
    moved: list[Place] = []

    def move(self: RateWindow, place: Place) -> None:
        moved.append(place)
        place.until = math.inf

    monkeypatch.setattr(RateWindow, "_move", move)
    await client.send(**order)
    assert [place.kind for place in moved] == ["validate", "send"]


async def test_nothing_leaves_when_the_books_fail_after_the_connection_was_made(
    client: OneClickDZ, server: Server, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.validate()

    async def fail(self: RateWindow, place: Place) -> None:
        raise RateLimited("the disk is full")

    monkeypatch.setattr(RateWindow, "keep", fail)
    with pytest.raises(RateLimited, match="disk"):
        await client.send(**order)
    assert server.count(SEND) == 0
