"""With more orders under way than a page holds, pages go round, and each order is told when it is its turn."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from oneclickdz import OneClickDZ, RateLimited, TopUpRecord
from oneclickdz.known import LAG_SECONDS
from tests.provider.shop import Shop, checks_of
from tests.provider.stand_in import until

DELIVERED = TopUpRecord(id="id", status="FULFILLED")


def crowded(shop: Shop, client: OneClickDZ, count: int, *, ago: float, status: str = "HANDLING") -> list[str]:
    """Orders a second apart from each other, all of which pages have shown so long ago, the first one last."""
    ids = [shop.make(number, ago=number * 1.0 + 5, status=status) for number in range(count)]
    for place, each in enumerate(ids):
        record = TopUpRecord.model_validate(shop.orders[each])
        checks_of(client)._known.take_in([record], shop.clock.now() - ago - place / 1_000)
    return ids


async def test_a_list_that_shows_orders_under_way_long_after_they_were_delivered_is_not_trusted(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = await shop.known()
    ids = shop.crowd(10)
    for each in ids[:3]:
        checks_of(client)._known.learn(each, 0.0, DELIVERED, shop.clock.now() - LAG_SECONDS - 1)
    await shop.check_all(client, ids[3:])
    assert "one by one" in caplog.text


async def test_a_list_that_is_a_moment_behind_is_no_liar(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    client = await shop.known()
    ids = shop.crowd(10)
    for each in ids[:3]:
        checks_of(client)._known.learn(each, 0.0, DELIVERED, shop.clock.now() - 1)
    await shop.check_all(client, ids[3:])
    assert "one by one" not in caplog.text


async def test_the_time_of_a_round_grows_with_the_orders_under_way(shop: Shop) -> None:
    client = shop.client()
    assert client.round_seconds == 0
    client = await shop.known()
    crowded(shop, client, 100, ago=1.0)
    one = client.round_seconds
    crowded(shop, client, 1_000, ago=1.0)
    assert client.round_seconds >= 3 * one > 0


async def test_an_order_that_comes_a_moment_after_its_page_is_answered_by_it(shop: Shop) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 450, ago=1.0)
    await checks_of(client)._turns.put_off(4.0)
    before = datetime.fromtimestamp(shop.clock.now() - 5, UTC)
    record = await client.check_id(ids[0], sent_at=shop.sent[ids[0]], seen_at=before)
    assert record.id == ids[0]
    assert not shop.provider.requests


async def test_a_page_that_takes_long_forgets_nobody_who_was_seen_meanwhile(shop: Shop) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 5, ago=1.0)
    checks = checks_of(client)
    checks._settle([], shop.clock.now() - 8.0)
    assert set(ids) <= set(checks._known.sights)


async def test_what_an_order_has_heard_already_is_no_answer(shop: Shop) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 450, ago=1.0)
    await checks_of(client)._turns.put_off(4.0)
    now = datetime.fromtimestamp(shop.clock.now(), UTC)
    with pytest.raises(RateLimited):
        await client.check_id(ids[0], sent_at=shop.sent[ids[0]], seen_at=now)


@pytest.mark.parametrize("status", ["REFUNDED", "UNKNOWN_ERROR", "ON_ITS_WAY"])
async def test_a_page_that_came_too_soon_gives_no_money_back_either(shop: Shop, status: str) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 450, ago=1.0, status=status)
    await checks_of(client)._turns.put_off(8.0)
    results = await asyncio.gather(*(shop.check(client, each) for each in ids[:9]), return_exceptions=True)
    assert all(isinstance(result, RateLimited) for result in results)


async def test_nor_does_one_that_comes_while_an_order_waits(shop: Shop) -> None:
    client = await shop.known()
    refunded = shop.make(1, status="REFUNDED")
    await checks_of(client)._turns.put_off(8.0)
    check = asyncio.create_task(shop.check(client, refunded))
    await until(lambda: refunded in checks_of(client)._waiting)
    checks_of(client)._known.take_in([TopUpRecord.model_validate(shop.orders[refunded])], shop.clock.now() - 0.1)
    with pytest.raises(RateLimited):
        await check


async def test_with_many_under_way_a_check_is_told_at_once_when_its_page_comes(shop: Shop) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 450, ago=20.0)
    await checks_of(client)._turns.put_off(3.0)
    before = shop.clock.seconds
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    told = [result.retry_after or 0.0 for result in results if isinstance(result, RateLimited)]
    assert len(told) > 200
    assert max(told) > 10
    assert shop.clock.seconds - before < 10


async def test_those_who_must_be_asked_alone_are_told_to_come_one_after_the_other(shop: Shop) -> None:
    client = await shop.known()
    ids = crowded(shop, client, 5, ago=1.0, status="REFUNDED")
    await checks_of(client)._turns.put_off(8.0)
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    told = sorted(result.retry_after or 0.0 for result in results if isinstance(result, RateLimited))
    turns = [round((later - earlier) / checks_of(client)._turns.pace) for earlier, later in pairwise(told)]
    assert turns == [2, 2, 2, 2]


async def test_an_order_made_in_the_year_one_stops_nobody(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    for each in ids:
        shop.orders[each]["created_at"] = "0001-01-01T00:00:00Z"
    for _ in range(2):
        assert [record.id for record in await shop.check_all(client, ids)] == ids
        shop.clock.seconds += 30
