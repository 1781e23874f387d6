"""Nothing but /validate leaves before /validate has said yes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest
from filelock import FileLock

from oneclickdz import (
    NothingCreated,
    RateLimited,
    SendAccepted,
    Unreachable,
    WrongEnvironment,
)
from oneclickdz.state import SharedState
from oneclickdz.tokens import fingerprint
from tests.provider.stand_in import Kit, Provider, error, ok, whose_key

BALANCE = "/account/balance"


async def test_eight_calls_at_once_with_a_good_key_validate_once(kit: Kit, provider: Provider) -> None:
    provider.say(BALANCE, ok({"balance": 1}))
    client = kit.client()
    assert set(await asyncio.gather(*[client.balance() for _ in range(8)])) == {1}
    assert provider.count("/validate") == 1


async def test_whose_key_it_is_costs_one_request(kit: Kit, provider: Provider) -> None:
    client = kit.client()
    assert await client.identify() == await client.identify() == client.account
    assert len(provider.requests) == 1


async def test_a_key_of_the_other_environment_says_what_to_set(
    kit: Kit, provider: Provider, order: dict[str, Any]
) -> None:
    provider.say("/validate", whose_key(type="PRODUCTION"))
    client = kit.client()
    with pytest.raises(WrongEnvironment, match="ONECLICKDZ_ENVIRONMENT to production"):
        await client.validate()
    with pytest.raises(WrongEnvironment):
        await client.send(**order)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("late"),
        httpx.Response(503),
        error(503, "AUTH_UNAVAILABLE"),
        error(403, "ERR_NEW"),
        error(404, "NOT_FOUND"),
        httpx.Response(200, text="<html>"),
        ok({"username": "x"}),
        ok({"username": "x", "apiKey": {"key": "k"}}),
        httpx.Response(302),
    ],
)
async def test_without_a_clear_yes_nothing_is_sent(
    kit: Kit, provider: Provider, order: dict[str, Any], answer: httpx.Response | Exception
) -> None:
    provider.say("/validate", answer, answer, answer, answer, whose_key())
    provider.say("/mobile/send", ok({"topupId": "a1"}))
    client = kit.client()
    for _ in range(4):
        with pytest.raises(Unreachable) as caught:
            await client.send(**order)
        assert isinstance(caught.value, NothingCreated)
    assert provider.count("/mobile/send") == 0
    assert isinstance(await client.send(**order), SendAccepted)


async def test_a_process_that_still_tries_the_key_makes_the_others_wait(
    kit: Kit, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneclickdz.session.PROOF_WAIT_SECONDS", 0.1)
    state = SharedState(kit.folder, fingerprint(kit.key))
    kit.folder.mkdir()
    with FileLock(state.proof_lock_file), pytest.raises(Unreachable, match="Another process"):
        await kit.client().balance()
    assert provider.requests == []


async def test_a_folder_that_cannot_be_written_sends_nothing_and_says_so(
    kit: Kit, provider: Provider, order: dict[str, Any]
) -> None:
    SharedState(kit.folder, fingerprint(kit.key)).proof_lock_file.mkdir(parents=True)
    with pytest.raises(RateLimited, match="TOPUPS_STATE_DIR"):
        await kit.client().send(**order)
    assert provider.requests == []


async def test_trouble_with_the_files_does_not_hide_an_accepted_order(
    kit: Kit, provider: Provider, order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    state = SharedState(kit.folder, fingerprint(kit.key))

    def and_spoil(_: httpx.Request) -> httpx.Response:
        state.key_file.unlink()
        state.key_file.mkdir()
        return ok({"topupId": "a1"})

    provider.say("/mobile/send", and_spoil)
    client = kit.client()
    assert (await client.send(**order)).topup_id == "a1"
    assert "could not be written down" in caplog.text
    with caplog.at_level(logging.ERROR), pytest.raises(RateLimited):
        await client.balance()


async def test_closing_ends_a_validate_under_way(kit: Kit) -> None:
    asked = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            return await asyncio.Future()

    client = kit.client(transport=Silent())
    call = asyncio.create_task(client.balance())
    async with asyncio.timeout(5):
        await asked.wait()
        await client.aclose()
        await asyncio.wait({call})
    assert call.cancelled()


async def test_a_caller_that_gives_up_does_not_end_the_validate_of_the_others(kit: Kit, provider: Provider) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            await answer.wait()
            return await provider.transport.handle_async_request(request)

    client = kit.client(transport=Slow())
    first, second = asyncio.create_task(client.validate()), asyncio.create_task(client.validate())
    async with asyncio.timeout(5):
        await asked.wait()
        first.cancel()
        answer.set()
        assert (await second).environment == "sandbox"
    assert first.cancelled()
    assert len(provider.requests) == 1
