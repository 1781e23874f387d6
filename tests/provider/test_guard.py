"""A refused key costs one request in fifteen minutes, whatever restarts or runs beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from oneclickdz import (
    CredentialsRefused,
    KeyClosed,
    Unreachable,
)
from oneclickdz.guard import KeyGuard
from oneclickdz.state import SharedState
from oneclickdz.tokens import fingerprint
from tests.provider.stand_in import Clock, Kit, Provider, error, ok, whose_key

BALANCE = "/account/balance"
MINUTE = 60
REFUSAL = error(401, "INVALID_ACCESS_TOKEN", "no", {"attemptsLeft": 4})


@pytest.fixture
def guard(kit: Kit) -> KeyGuard:
    return KeyGuard(SharedState(kit.folder, fingerprint(kit.key)), now=kit.clock.now)


async def refused(kit: Kit) -> CredentialsRefused:
    with pytest.raises(CredentialsRefused) as caught:
        await kit.client().balance()
    return caught.value


async def test_a_refused_key_costs_one_request_in_fifteen_minutes(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL)
    first = await refused(kit)
    assert not isinstance(first, KeyClosed)
    assert "INVALID_ACCESS_TOKEN, 4 attempts left" in str(first)
    for _restart in range(10):
        clock.seconds += MINUTE
        assert isinstance(await refused(kit), KeyClosed)
    assert len(provider.requests) == 1


async def test_the_guard_says_what_to_set_and_when_it_tries_again(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL)
    await refused(kit)
    clock.seconds += 5 * MINUTE
    closed = await refused(kit)
    assert "Set ONECLICKDZ_ACCESS_TOKEN" in str(closed)
    assert "10 min" in str(closed)
    assert closed.retry_after == 600
    assert closed.code == "INVALID_ACCESS_TOKEN"


async def test_the_same_key_is_tried_three_times_and_never_again(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL)
    for _ in range(8):
        await refused(kit)
        clock.seconds += 15 * MINUTE
    assert provider.count("/validate") == len(provider.requests) == 3
    last = await refused(kit)
    assert isinstance(last, KeyClosed)
    assert "set another key, or remove" in str(last)
    assert last.retry_after is None


async def test_removing_the_file_tries_the_key_once_more(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL)
    await refused(kit)
    SharedState(kit.folder, fingerprint(kit.key)).key_file.unlink()
    await refused(kit)
    assert len(provider.requests) == 2


async def test_eight_calls_at_once_with_a_bad_key_cost_one_request(kit: Kit, provider: Provider) -> None:
    provider.say("/validate", REFUSAL)
    clients = [kit.client(), kit.client()]
    calls = [client.balance() for client in clients for _ in range(4)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, CredentialsRefused) for outcome in outcomes)
    assert len(provider.requests) == 1


async def test_a_key_revoked_in_the_middle_sends_nothing_more(
    kit: Kit, provider: Provider, clock: Clock, order: dict[str, Any]
) -> None:
    provider.say("/mobile/send", ok({"topupId": "a1"}), REFUSAL)
    client, other = kit.client(), kit.client()
    await client.send(**order)
    await other.validate()
    with pytest.raises(CredentialsRefused):
        await client.send(**order)
    seen = len(provider.requests)
    for each in (client, other, kit.client()):
        with pytest.raises(KeyClosed):
            await each.send(**order)
    assert len(provider.requests) == seen


async def test_a_key_that_is_good_again_goes_on_after_one_validate(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say(BALANCE, REFUSAL, ok({"balance": 1}))
    client, other = kit.client(), kit.client()
    await other.validate()
    with pytest.raises(CredentialsRefused):
        await client.balance()
    clock.seconds += 15 * MINUTE
    before = provider.count("/validate")
    assert set(await asyncio.gather(client.balance(), other.balance())) == {1}
    assert provider.count("/validate") == before + 1


async def test_an_accepted_request_forgives_the_tries(
    kit: Kit, provider: Provider, clock: Clock, guard: KeyGuard
) -> None:
    script = [REFUSAL, ok({"balance": 1})] * 5
    provider.say(BALANCE, *script)
    client = kit.client()
    for _ in range(5):
        with pytest.raises(CredentialsRefused):
            await client.balance()
        clock.seconds += 15 * MINUTE
        assert await client.balance() == 1


async def test_a_key_that_only_validates_is_given_up_after_three_refusals(
    kit: Kit, provider: Provider, clock: Clock
) -> None:
    provider.say(BALANCE, REFUSAL)
    for _ in range(8):
        await refused(kit)
        clock.seconds += 15 * MINUTE
    assert provider.count(BALANCE) <= 3


async def test_requests_refused_together_count_as_one(kit: Kit, provider: Provider, guard: KeyGuard) -> None:
    guard.opened()
    for _ in range(4):
        guard.refused(CredentialsRefused("no", http=401, code="ERR_AUTH"))
    kit.clock.seconds += 15 * MINUTE
    assert guard.look() is True
    with pytest.raises(KeyClosed):
        guard.must_be_open()


async def test_an_old_success_does_not_open_a_closed_key(kit: Kit, guard: KeyGuard) -> None:
    guard.opened()
    guard.refused(CredentialsRefused("no", http=401))
    guard.works()
    with pytest.raises(KeyClosed) as caught:
        guard.look()
    assert caught.value.code == "REFUSED"


async def test_a_blocked_address_stops_every_key_of_the_host(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", error(403, "IP_BLOCKED"), whose_key())
    provider.say(BALANCE, ok({"balance": 1}))
    await refused(kit)
    with pytest.raises(KeyClosed, match="IP_BLOCKED") as caught:
        await kit.client(token="another-key").balance()
    assert caught.value.retry_after == 900
    assert len(provider.requests) == 1
    clock.seconds += 15 * MINUTE
    assert await kit.client(token="another-key").balance() == 1


@pytest.mark.parametrize(
    "answer",
    [
        whose_key(scope="READ-ONLY"),
        whose_key(isEnabled=False),
        error(403, "API_DISABLED"),
        error(403, "IP_NOT_ALLOWED"),
        httpx.Response(401),
    ],
)
async def test_a_key_that_cannot_order_is_closed(kit: Kit, provider: Provider, answer: httpx.Response) -> None:
    provider.say("/validate", answer)
    first = await refused(kit)
    assert first.reason == "credentials"
    assert isinstance(await refused(kit), KeyClosed)
    assert len(provider.requests) == 1


async def test_a_trial_that_found_nobody_does_not_count(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL, httpx.ConnectError("no"), httpx.ConnectError("no"), whose_key())
    provider.say(BALANCE, ok({"balance": 1}))
    await refused(kit)
    clock.seconds += 15 * MINUTE
    client = kit.client()
    for _ in range(2):
        with pytest.raises(Unreachable):
            await client.balance()
    assert await client.balance() == 1


async def test_a_trial_that_may_have_arrived_counts(kit: Kit, provider: Provider, clock: Clock) -> None:
    provider.say("/validate", REFUSAL, httpx.ReadTimeout("late"))
    await refused(kit)
    clock.seconds += 15 * MINUTE
    with pytest.raises(Unreachable):
        await kit.client().balance()
    assert isinstance(await refused(kit), KeyClosed)
    assert len(provider.requests) == 2


async def test_being_killed_in_the_middle_three_times_closes_a_key_never_proven(kit: Kit, guard: KeyGuard) -> None:
    for _ in range(3):
        assert guard.look() is True
        guard.begin()
    with pytest.raises(KeyClosed, match="killed 3 times"):
        guard.look()
    kit.clock.seconds += 15 * MINUTE
    assert guard.look() is True


async def test_being_killed_never_closes_a_proven_key(guard: KeyGuard) -> None:
    guard.opened()
    for _ in range(9):
        guard.begin()
    assert guard.look() is False


async def test_a_key_closed_while_a_send_waits_stops_it_at_the_last_moment(
    kit: Kit, provider: Provider, order: dict[str, Any], guard: KeyGuard
) -> None:
    class Closing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return await provider.transport.handle_async_request(request)
            guard.refused(CredentialsRefused("no", http=401, code="ERR_AUTH"))
            await request.extensions["trace"]("http11.send_request_headers.started", {})
            raise AssertionError("the request left")

    with pytest.raises(KeyClosed):
        await kit.client(transport=Closing()).send(**order)


@pytest.mark.parametrize("back", [0.001, 10 * MINUTE, 600 * MINUTE])
async def test_a_clock_set_back_begins_a_closed_keys_rest_anew(kit: Kit, guard: KeyGuard, back: float) -> None:
    guard.refused(CredentialsRefused("no", http=401))
    kit.clock.seconds -= back
    for passed, left in ((0, 900), (899, 1)):
        kit.clock.seconds += passed
        with pytest.raises(KeyClosed) as caught:
            guard.look()
        assert caught.value.retry_after == pytest.approx(left)
    kit.clock.seconds += 1
    assert guard.look() is True


async def test_a_clock_set_back_keeps_a_blocked_address_from_being_tried(
    kit: Kit, provider: Provider, clock: Clock
) -> None:
    provider.say("/validate", error(403, "IP_BLOCKED"), whose_key())
    provider.say(BALANCE, ok({"balance": 1}))
    await refused(kit)
    clock.seconds -= 60 * MINUTE
    with pytest.raises(KeyClosed, match="IP_BLOCKED") as caught:
        await kit.client(token="another-key").balance()
    assert caught.value.retry_after == 15 * MINUTE
    clock.seconds += 15 * MINUTE
    assert await kit.client(token="another-key").balance() == 1


async def test_a_clock_set_back_lengthens_no_rest_after_being_killed(kit: Kit, guard: KeyGuard) -> None:
    for _ in range(3):
        guard.begin()
    kit.clock.seconds -= 60 * MINUTE
    with pytest.raises(KeyClosed, match="killed 3 times"):
        guard.look()
    kit.clock.seconds += 15 * MINUTE
    assert guard.look() is True


async def test_damaged_state_counts_as_empty(kit: Kit, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    provider.say(BALANCE, ok({"balance": 1}))
    assert await kit.client().balance() == 1
    SharedState(kit.folder, fingerprint(kit.key)).key_file.write_text("{")
    assert await kit.client().balance() == 1
    assert provider.count("/validate") == 2
    assert "counts as empty" in caplog.text
