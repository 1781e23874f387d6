"""A list that lies or fails is left alone, and one that lags behind for ever harms no old order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from oneclickdz import OneClickDZ, RateLimited, SaysNothing
from oneclickdz.known import SIGHT_SECONDS
from oneclickdz.trust import DISTRUST_SECONDS
from oneclickdz.waves import FEW_OLD, IN_DISTRUST, OLD_SECONDS
from tests.provider.shop import LIST, Shop
from tests.provider.stand_in import error, ok


async def shown(shop: Shop, count: int) -> tuple[OneClickDZ, list[str]]:
    """Orders that a page has shown 20 s ago, and the client that asked for it."""
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(count)
    await shop.check_all(client, ids)
    shop.clock.seconds += 20
    return client, ids


async def test_a_page_that_fails_tells_all_who_waited_and_the_next_ones_go_alone(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.provider.say(LIST, error(500, "INTERNAL_ERROR"))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, SaysNothing) for result in results)
    shop.clock.seconds += 10
    await shop.check_all(client, ids)
    assert (shop.pages, sorted(shop.singles)) == (1, ids)
    shop.provider.say(LIST, shop._list)
    shop.clock.seconds += DISTRUST_SECONDS
    await shop.check_all(client, ids)
    assert shop.pages == 2


async def test_a_list_that_misses_most_orders_is_not_trusted_for_a_minute(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(8)
    await shop.check_all(client, ids)
    shop.clock.seconds += 10
    shop.spoil = lambda rows: rows[:1]
    await shop.check_all(client, ids)
    assert "one by one" in caplog.text
    assert (shop.pages, len(shop.singles)) == (2, 7)
    shop.clock.seconds += 10
    await shop.check_all(client, ids[: IN_DISTRUST + 1])
    assert shop.pages == 2


async def test_an_empty_list_is_not_trusted_even_if_one_order_asked_and_another_worker_saw_the_others(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = await shop.known(), await shop.known()
    ids = shop.crowd(6)
    await shop.check_all(ours, ids)
    await shop.published()
    await shop.check(theirs, ids[0])
    shop.spoil = lambda _: []
    shop.clock.seconds += 20
    shop.provider.requests.clear()
    assert (await shop.check(theirs, ids[1])).id == ids[1]
    assert "one by one" in caplog.text
    shop.clock.seconds += 20
    await shop.check_all(theirs, ids[2:])
    assert (shop.pages, sorted(shop.singles)) == (1, ids[1:])


async def test_a_provider_that_gives_smaller_pages_than_it_is_asked_for_is_no_liar(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = await shop.known(rate_limit=600)
    ids = [shop.make(number, ago=30.0 + 10 * number) for number in range(8)]
    await shop.check_all(client, ids)
    shop.page_size = 4
    shop.clock.seconds += 20
    assert [record.id for record in await shop.check_all(client, ids)] == ids
    assert "one by one" not in caplog.text


async def test_smaller_pages_are_no_lie_about_orders_that_nobody_saw_for_long(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = await shop.known(rate_limit=600)
    ids = [shop.make(number, ago=30.0 + 10 * number) for number in range(12)]
    await shop.check_all(client, ids)
    shop.page_size = 3
    shop.clock.seconds += SIGHT_SECONDS + 1
    assert [record.id for record in await shop.check_all(client, ids[6:])] == ids[6:]
    assert shop.pages > 1
    assert "one by one" not in caplog.text


async def test_an_empty_page_that_says_there_are_others_is_a_lie(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    client, ids = await shown(shop, 8)
    page = {"page": 1, "pageSize": 100, "totalPages": 2, "totalResults": 8}
    shop.provider.say(LIST, ok({"items": [], "pagination": page}))
    await shop.check_all(client, ids)
    assert "one by one" in caplog.text


async def test_a_page_that_cost_the_list_its_trust_is_not_left_for_other_workers(shop: Shop) -> None:
    client, ids = await shown(shop, 8)
    page = await shop.published()
    before = page.read_bytes()
    shop.spoil = lambda rows: rows[:1]
    await shop.check_all(client, ids)
    assert page.read_bytes() == before


async def test_a_list_that_misses_less_than_half_of_the_orders_is_trusted(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client, ids = await shown(shop, 8)
    shop.spoil = lambda rows: rows[3:]
    assert [record.id for record in await shop.check_all(client, ids)] == ids
    assert (shop.pages, len(shop.singles)) == (2, 3)
    assert "one by one" not in caplog.text


async def test_many_refunds_at_once_are_no_reason_to_distrust_the_list(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client, ids = await shown(shop, 6)
    for each in ids:
        shop.orders[each]["status"] = "REFUNDED"
    assert {record.status for record in await shop.check_all(client, ids)} == {"REFUNDED"}
    assert (shop.pages, sorted(shop.singles)) == (2, ids)
    assert "one by one" not in caplog.text


async def test_orders_that_were_made_later_than_thought_are_no_reason_to_distrust_the_list(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(8)
    shop.sent = {each: at - timedelta(seconds=40) for each, at in shop.sent.items()}
    assert [record.id for record in await shop.check_all(client, ids)] == ids
    assert "one by one" not in caplog.text
    shop.clock.seconds += 10
    shop.provider.requests.clear()
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (1, [])


async def test_an_old_order_is_asked_for_itself(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = [*shop.crowd(5), shop.make(50, ago=OLD_SECONDS + 60)]
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (1, [ids[-1]])


async def test_a_page_for_younger_orders_does_not_tell_an_old_one_that_it_is_under_way(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    young = shop.crowd(5, ago=OLD_SECONDS - 1)
    old = [shop.make(50 + number, ago=OLD_SECONDS + 1.5) for number in range(5)]
    await shop.check_all(client, young + old)
    assert (shop.pages, sorted(shop.singles)) == (1, old)


async def test_a_page_for_younger_orders_tells_an_old_one_that_it_is_delivered(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    young = shop.crowd(5, ago=OLD_SECONDS - 1)
    old = [shop.make(50 + number, ago=OLD_SECONDS + 1.5, status="FULFILLED") for number in range(5)]
    await shop.check_all(client, young + old)
    assert shop.pages == 1
    assert len(shop.singles) < len(old)


async def test_so_many_old_orders_that_the_budget_would_not_do_share_a_page(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(FEW_OLD, ago=OLD_SECONDS + 60)
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (1, [])


async def test_being_told_to_slow_down_is_no_reason_to_distrust_the_list(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    shop.provider.say(LIST, error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "10"}))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, SaysNothing) for result in results)
    again = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, RateLimited) for result in again)
    shop.provider.say(LIST, shop._list)
    shop.clock.seconds += 11
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (2, [])
