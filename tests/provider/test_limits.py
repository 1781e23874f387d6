"""The rate window that all processes of a host share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from oneclickdz import OneClickDZ, RateLimited, SaysNothing, UnclearAnswer
from oneclickdz.budget import Kind
from oneclickdz.limits import RateWindow
from oneclickdz.state import SharedState
from tests.provider.stand_in import Clock, Kit, Provider, error, ok

BALANCE = "/account/balance"


def window(folder: Path, clock: Clock, limit: int = 8) -> RateWindow:
    return RateWindow(SharedState(folder, "k", now=clock.now), limit=limit, sleep=clock.sleep)


async def fill(rates: RateWindow, kind: Kind) -> int:
    taken = 0
    while True:
        try:
            await rates.acquire(kind, max_wait=0, newcomer=False)
        except RateLimited:
            return taken
        taken += 1


async def test_checks_leave_a_quarter_of_the_window_to_sends(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock)
    assert await fill(rates, "check") == 6
    assert await fill(rates, "send") == 2
    assert await fill(rates, "validate") == 0


async def test_a_place_is_free_again_after_61_seconds(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock)
    assert await fill(rates, "validate") == 8
    clock.seconds += 60.9
    assert await fill(rates, "validate") == 0
    clock.seconds += 0.3
    assert await fill(rates, "validate") == 8


async def test_two_clients_of_a_host_share_one_window(tmp_path: Path, clock: Clock) -> None:
    assert await fill(window(tmp_path, clock), "validate") == 8
    assert await fill(window(tmp_path, clock), "validate") == 0


async def test_a_short_wait_is_waited_out(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock)
    assert await fill(rates, "validate") == 8
    clock.seconds += 57
    await rates.acquire("validate", max_wait=5)
    assert sum(clock.slept) == pytest.approx(4.0, abs=0.2)


async def test_a_long_wait_is_refused_with_its_length(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock)
    assert await fill(rates, "validate") == 8
    clock.seconds += 30
    with pytest.raises(RateLimited, match="39 s") as caught:
        await rates.acquire("validate", max_wait=5)
    # Somebody was told to come back when the first place is free, and the next one is free 61 / 8 s later.
    assert caught.value.retry_after == pytest.approx(61.125 - 30 + 61 / 8, abs=0.01)
    assert clock.slept == []


async def test_one_request_a_minute_is_enough_for_a_read(tmp_path: Path, clock: Clock) -> None:
    assert await fill(window(tmp_path, clock, limit=1), "check") == 1


@pytest.mark.parametrize("damage", [b"no JSON at all", b"{}}", b'{"window": {"slots": [["now", "send", 1]]}}'])
async def test_a_damaged_window_costs_one_minute(tmp_path: Path, clock: Clock, damage: bytes) -> None:
    SharedState(tmp_path, "k").window_file.write_bytes(damage)
    rates = window(tmp_path, clock)
    assert await fill(rates, "validate") == 0
    clock.seconds += 61
    assert await fill(rates, "validate") == 8


async def test_a_clock_set_back_costs_one_minute_and_not_a_day(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock)
    clock.seconds += 86_400
    assert await fill(rates, "validate") == 8
    await rates.hold(900)
    clock.seconds -= 86_400
    assert await fill(rates, "validate") == 0
    clock.seconds += 61
    assert await fill(rates, "validate") == 8


async def test_a_folder_that_cannot_be_used_lets_nothing_out(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RateLimited, match="TOPUPS_STATE_DIR"):
        await window(tmp_path / "file", clock).acquire("validate", max_wait=5)


async def test_a_window_that_cannot_be_written_lets_nothing_out(tmp_path: Path, clock: Clock) -> None:
    SharedState(tmp_path, "k").window_file.mkdir()
    with pytest.raises(RateLimited, match="TOPUPS_STATE_DIR"):
        await window(tmp_path, clock).acquire("validate", max_wait=5)


async def test_a_lock_that_nobody_releases_lets_nothing_out(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneclickdz.stores.LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / "oneclickdz-k.lock"), pytest.raises(RateLimited) as caught:
        await window(tmp_path, clock).acquire("validate", max_wait=5)
    assert caught.value.retry_after == 5


async def test_a_retry_after_holds_every_client_of_the_host(
    kit: Kit, provider: Provider, clock: Clock, order: dict[str, Any]
) -> None:
    provider.say("/mobile/send", error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "30"}))
    provider.say(BALANCE, ok({"balance": 1}))
    other = kit.client()
    assert await other.balance() == 1
    with pytest.raises(UnclearAnswer):
        await kit.client().send(**order)
    with pytest.raises(RateLimited) as caught:
        await other.balance()
    assert caught.value.retry_after == 30
    clock.seconds += 30
    assert await other.balance() == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 60),
        ("", 60),
        ("soon", 60),
        ("-5", 60),
        ("120", 120),
        ("99999999999999", 900),
        ("Fri, 15 Jan 2027 08:01:40 GMT", 100),
        ("Fri, 15 Jan 2027 08:01:40 -0000", 100),
        ("Fri, 15 Jan 99999 08:01:40 GMT", 60),
    ],
)
async def test_a_retry_after_is_read_in_every_form(
    kit: Kit, provider: Provider, header: str | None, seconds: float
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    provider.say(BALANCE, httpx.Response(429, headers=headers))
    client = kit.client()
    with pytest.raises(SaysNothing):
        await client.balance()
    with pytest.raises(RateLimited) as caught:
        await client.balance()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("header", ["0", "Fri, 15 Jan 2010 08:01:40 GMT"])
async def test_a_retry_after_in_the_past_is_one_second(kit: Kit, provider: Provider, clock: Clock, header: str) -> None:
    provider.say(BALANCE, httpx.Response(429, headers={"Retry-After": header}), ok({"balance": 1}))
    client = kit.client()
    with pytest.raises(SaysNothing):
        await client.balance()
    assert await client.balance() == 1
    assert clock.slept == [1.0]


async def test_a_validate_told_to_slow_down_holds_too(kit: Kit, provider: Provider) -> None:
    provider.say("/validate", error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "40"}))
    client = kit.client()
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await client.balance()
        assert caught.value.retry_after == 40
    assert len(provider.requests) == 1


async def test_a_retry_after_counts_after_the_clock_was_set_back_too(
    kit: Kit, provider: Provider, clock: Clock
) -> None:
    provider.say(BALANCE, httpx.Response(429, headers={"Retry-After": "40"}))
    client = kit.client()
    with pytest.raises(SaysNothing):
        await client.balance()
    clock.seconds -= 3_600
    window_forgets = 61
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await client.balance()
        assert caught.value.retry_after == window_forgets
    assert provider.count(BALANCE) == 1


def test_a_limit_below_one_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rate_limit"):
        OneClickDZ(token="t", environment="sandbox", state_dir=tmp_path, rate_limit=0)


@pytest.mark.parametrize(("environment", "limit"), [("sandbox", 60), ("production", 120)])
async def test_each_environment_has_its_limit(kit: Kit, provider: Provider, environment: str, limit: int) -> None:
    provider.say("/validate", lambda _: kit.whose_key(type=environment.upper()))
    client = kit.client(environment=environment)
    for _ in range(limit):
        await client.validate()
    with pytest.raises(RateLimited):
        await client.validate()
    assert len(provider.requests) == limit


async def test_a_place_counts_from_when_its_request_leaves(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock, limit=1)
    place = await rates.acquire("validate", max_wait=0)
    clock.seconds += 40
    place.until = 0.0
    await rates.keep(place)
    clock.seconds += 40
    assert await fill(rates, "validate") == 0
    clock.seconds += 21.2
    assert await fill(rates, "validate") == 1


async def test_a_request_that_leaves_at_once_keeps_its_place_as_it_is(tmp_path: Path, clock: Clock) -> None:
    rates = window(tmp_path, clock, limit=1)
    place = await rates.acquire("validate", max_wait=0)
    taken_at = place.taken_at
    clock.seconds += 40
    await rates.keep(place)
    assert place.taken_at == taken_at
