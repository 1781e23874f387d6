"""Checks that are due together share one page, and are answered as if each had asked for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneclickdz import RateLimited, TopUpRecord
from oneclickdz.known import DELIVERY_KEPT_SECONDS, REMEMBERED, SIGHT_SECONDS, Known
from oneclickdz.pages import LARGEST_PAGE
from oneclickdz.turns import BURST, Turns
from oneclickdz.waves import Waiting
from tests.provider.shop import Shop, checks_of
from tests.provider.stand_in import Clock, until


async def test_checks_that_are_due_together_cost_one_request(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(40)
    records = await shop.check_all(client, ids)
    assert [record.id for record in records] == ids
    assert (shop.pages, shop.singles) == (1, [])


async def test_a_few_go_one_by_one(shop: Shop) -> None:
    client = await shop.known()
    shop.clock.seconds += SIGHT_SECONDS
    ids = shop.crowd(2)
    await shop.check_all(client, ids)
    assert (shop.pages, sorted(shop.singles)) == (0, ids)


async def test_switched_off_each_goes_alone(shop: Shop) -> None:
    client = await shop.known(coalesce=False)
    ids = shop.crowd(5)
    await shop.check_all(client, ids)
    assert (shop.pages, sorted(shop.singles)) == (0, ids)


async def test_without_a_time_of_its_send_an_order_is_asked_for_itself(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(5)
    await asyncio.gather(*(client.check_id(each) for each in ids))
    assert (shop.pages, len(shop.singles)) == (0, 5)


async def test_a_client_that_knows_nothing_yet_learns_from_single_checks_where_to_look(shop: Shop) -> None:
    ids = shop.crowd(30)
    records = await shop.check_all(shop.client(rate_limit=600), ids)
    assert [record.id for record in records] == ids
    assert shop.pages >= 1
    assert len(shop.singles) <= 6


async def test_records_without_a_time_are_never_looked_for_on_a_page(shop: Shop) -> None:
    ids = shop.crowd(4)
    for row in shop.orders.values():
        del row["created_at"]
    await shop.check_all(shop.client(rate_limit=1_000_000), ids)
    assert (shop.pages, sorted(shop.singles)) == (0, ids)


async def test_a_delivery_on_a_page_answers_the_check_that_is_due_next(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "FULFILLED"
    await shop.check_all(client, ids[:5])
    assert (await shop.check(client, ids[5])).status == "FULFILLED"
    assert (shop.pages, shop.singles) == (1, [])


async def test_a_delivery_is_kept_for_a_check_that_comes_late(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "FULFILLED"
    await shop.check_all(client, ids[:5])
    shop.clock.seconds += 60
    assert (await shop.check(client, ids[5])).status == "FULFILLED"
    assert (shop.pages, shop.singles) == (1, [])


async def test_those_who_wait_at_two_workers_share_one_page(shop: Shop) -> None:
    ours, theirs = await shop.known(rate_limit=120), await shop.known(rate_limit=120)
    ids = shop.crowd(6)
    await shop.check_all(ours, ids)
    await shop.published()
    await shop.check(theirs, ids[0])
    shop.clock.seconds += 20
    shop.provider.requests.clear()
    # Else each takes a turn of its own, as after every quiet time.
    await checks_of(ours)._turns.put_off(1.0)
    await asyncio.gather(shop.check(ours, ids[0]), shop.check(theirs, ids[1]))
    assert (shop.pages, shop.singles) == (1, [])


async def test_a_delivery_is_not_kept_for_ever(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "FULFILLED"
    await shop.check_all(client, ids[:5])
    shop.clock.seconds += DELIVERY_KEPT_SECONDS + 1
    await shop.check(client, ids[5])
    assert shop.singles == [ids[5]]


async def test_another_worker_of_the_key_reads_the_page_instead_of_asking_again(shop: Shop) -> None:
    ours, theirs = await shop.known(), await shop.known()
    ids = shop.crowd(8)
    shop.orders[ids[7]]["status"] = "FULFILLED"
    await shop.check_all(ours, ids[:4])
    await shop.published()
    # The first one takes a turn for itself and finds the page; the page then has the other's answer.
    await shop.check(theirs, ids[4])
    shop.provider.requests.clear()
    assert (await shop.check(theirs, ids[7])).status == "FULFILLED"
    assert not shop.provider.requests


async def test_the_page_on_the_disk_shows_no_number(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    for row in shop.orders.values():
        row["MSSIDN"] = "0771234567"
    await shop.check_all(client, ids)
    await shop.published()
    assert all(b"077123" not in file.read_bytes() for file in shop.kit.folder.iterdir())


async def test_more_than_a_page_holds_is_answered_by_two(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = [shop.make(number, ago=number / 2) for number in range(LARGEST_PAGE + 30)]
    records = await shop.check_all(client, ids)
    assert [record.id for record in records] == ids
    assert shop.pages in {2, 3}
    assert len(shop.singles) <= 4


async def test_a_check_that_nobody_can_be_asked_in_time_is_due_again_and_told_when(shop: Shop) -> None:
    client = await shop.known(rate_limit=20)
    ids = shop.crowd(60)
    for row in shop.orders.values():
        row["status"] = "ON_ITS_WAY"
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    late = [result for result in results if isinstance(result, RateLimited)]
    assert late
    assert all(result.retry_after and result.retry_after > 0 for result in late)


async def test_two_who_ask_for_the_same_order_share_its_answer(shop: Shop) -> None:
    client = await shop.known()
    topup_id = shop.make(1)
    first, second = await shop.check_all(client, [topup_id, topup_id])
    assert first == second
    assert shop.singles == [topup_id]


def waiting_for(shop: Shop, topup_id: str) -> Waiting:
    sent_at, now = shop.sent[topup_id].timestamp(), shop.clock.now()
    return Waiting(topup_id, sent_at, 0.0, now, asyncio.get_running_loop().create_future())


async def test_who_asks_for_an_order_while_its_page_is_under_way_shares_the_answer(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(5)
    second = waiting_for(shop, ids[0])

    def ask_again(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        checks_of(client)._wait_on([second])
        return rows

    shop.spoil = ask_again
    first = await shop.check_all(client, ids)
    assert await second.answer == first[0]
    assert (shop.pages, shop.singles) == (1, [])


async def test_who_asks_a_second_time_hears_what_went_wrong_as_well(shop: Shop) -> None:
    client = await shop.known()
    checks, topup_id = checks_of(client), shop.make(1)
    first = waiting_for(shop, topup_id)
    shop.clock.seconds += 9
    second = waiting_for(shop, topup_id)
    checks._wait_on([second])
    checks._wait_on([first])
    # Whoever asked first has given up; the other one has time.
    assert first.since == second.since
    checks._turn_away([first], RateLimited("Ask again later."))
    with pytest.raises(RateLimited, match="later"):
        await second.answer


async def test_a_page_that_cannot_be_shared_still_answers(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    client = await shop.known()
    page = shop.kit.folder / next(shop.kit.folder.glob("*.turn.json")).name.replace("turn", "page")
    page.mkdir()
    ids = shop.crowd(4)
    assert [record.id for record in await shop.check_all(client, ids)] == ids
    await until(lambda: "could not be written down" in caplog.text)


async def test_whoever_waits_when_the_client_is_closed_hears_so(shop: Shop, clock: Clock) -> None:
    client = await shop.known(sleep=asyncio.sleep)
    await shop.check_all(client, shop.crowd(2))
    await shop.check_all(client, shop.crowd(2))
    checks = [asyncio.create_task(shop.check(client, each)) for each in shop.crowd(9)]
    waiting = checks_of(client)._waiting
    await until(lambda: len(waiting) == 9)
    await client.aclose()
    results = await asyncio.gather(*checks, return_exceptions=True)
    assert any(isinstance(result, RateLimited) and "closed" in str(result) for result in results)


async def test_turns_are_as_many_as_the_budget_keeps_for_checks(shop: Shop) -> None:
    client = await shop.known()
    began = shop.clock.seconds
    for step in range(12):
        ids = [shop.make(10 * step + number) for number in range(5)]
        await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
        shop.clock.seconds += 0.5
    turns = (shop.clock.seconds - began) / (61 / 11)
    assert shop.pages > 1
    assert shop.pages + len(shop.singles) <= turns + BURST + 2


async def test_a_clock_set_back_does_not_stop_the_turns(shop: Shop) -> None:
    client = await shop.known()
    await shop.check_all(client, shop.crowd(5))
    shop.clock.seconds -= 86_400
    state = client._sessions[next(iter(client._sessions))]._state
    turns = Turns(state, limit=60, token="t")
    assert await turns.take() == 0


def test_what_is_remembered_of_orders_has_an_end() -> None:
    known = Known()
    for number in range(REMEMBERED + 5):
        known.learn(str(number), 0.0, TopUpRecord(id=str(number), status="PENDING"), 0.0)
    assert len(known.orders) == REMEMBERED
    assert known.made("0", 0.0) is None


async def test_a_page_that_finds_no_place_yet_is_asked_for_in_the_next_turn(shop: Shop) -> None:
    client = await shop.known()
    window = next(iter(client._sessions.values()))._window
    shop.clock.seconds += 2
    for _ in range(60):
        await window.acquire("validate", max_wait=0)
    shop.clock.seconds += 58
    ids = shop.crowd(5)
    assert [record.id for record in await shop.check_all(client, ids)] == ids
    assert (shop.pages, shop.singles) == (1, [])
