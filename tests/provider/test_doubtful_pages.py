"""What a page doesn't settle is asked for by the order's own check."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from oneclickdz import NotFound, RateLimited, SaysNothing
from oneclickdz.pages import LARGEST_PAGE
from oneclickdz.state import TurnState
from oneclickdz.turns import Page, Turns
from tests.provider.shop import LIST, Shop, checks_of
from tests.provider.stand_in import error, ok


async def test_an_order_that_the_page_leaves_out_is_asked_for_itself(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.spoil = lambda rows: [row for row in rows if row["_id"] != ids[2]]
    records = await shop.check_all(client, ids)
    assert [record.id for record in records] == ids
    assert (shop.pages, shop.singles) == (1, [ids[2]])


@pytest.mark.parametrize("status", ["REFUNDED", "UNKNOWN_ERROR", "ON_ITS_WAY"])
async def test_money_is_never_given_back_on_a_page_s_word(shop: Shop, status: str) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[1]]["status"] = status
    records = await shop.check_all(client, ids)
    assert records[1].status == status
    assert shop.singles == [ids[1]]


async def test_rows_that_contradict_each_other_are_asked_for_themselves(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.spoil = lambda rows: [*rows, shop.orders[ids[3]] | {"status": "PENDING"}]
    assert [record.status for record in await shop.check_all(client, ids)] == ["HANDLING"] * 6
    assert shop.singles == [ids[3]]


async def test_a_page_that_is_behind_what_was_seen_is_not_believed(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    await shop.check_all(client, ids)
    shop.clock.seconds += 10
    shop.spoil = lambda rows: [row | {"status": "PENDING"} if row["_id"] == ids[0] else row for row in rows]
    assert (await shop.check_all(client, ids))[0].status == "HANDLING"
    assert shop.singles == [ids[0]]


async def test_what_a_page_left_open_is_asked_for_itself_the_next_time_too(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[0]]["status"] = "REFUNDED"
    shop.provider.say(f"/mobile/check-id/{ids[0]}", error(500, "INTERNAL_ERROR"))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert isinstance(results[0], SaysNothing)
    shop.provider.say(f"/mobile/check-id/{ids[0]}", ok(shop.orders[ids[0]]))
    shop.clock.seconds += 10
    shop.provider.requests.clear()
    records = await shop.check_all(client, ids)
    assert records[0].status == "REFUNDED"
    assert (shop.pages, shop.singles) == (1, [ids[0]])


async def test_a_page_that_cannot_be_read_is_only_asked_for_once_more(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = await shop.known(), await shop.known()
    ids = shop.crowd(8)
    await shop.check_all(ours, ids[:4])
    page = await shop.published()
    page.write_text('{"asked_at": 1, "body": "bm90IGEgcGFnZQ=="}')
    assert [record.id for record in await shop.check_all(theirs, ids[4:])] == ids[4:]
    assert "can't be read" in caplog.text


async def test_another_page_than_the_one_asked_for_proves_nothing(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    shop.provider.say(LIST, ok({"items": [], "pagination": {"page": 2, "totalPages": 2}}))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, SaysNothing) and "another page" in str(result) for result in results)


async def test_one_whom_a_page_does_not_settle_is_asked_for_at_once(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    await shop.check_all(client, ids)
    shop.clock.seconds += 20
    shop.orders[ids[0]]["status"] = "REFUNDED"
    await checks_of(client)._turns.put_off(2.0)
    assert (await shop.check(client, ids[0])).status == "REFUNDED"
    assert (shop.pages, shop.singles) == (2, [ids[0]])


async def test_refunds_on_a_full_page_are_asked_for_without_a_page_more(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(LARGEST_PAGE)
    for each in ids[:4]:
        shop.orders[each]["status"] = "REFUNDED"
    records = await shop.check_all(client, ids)
    assert {record.status for record in records[:4]} == {"REFUNDED"}
    assert (shop.pages, sorted(shop.singles)) == (1, ids[:4])


async def test_a_refund_on_another_workers_page_is_asked_for_without_a_page_more(shop: Shop) -> None:
    ours, theirs = await shop.known(), await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "REFUNDED"
    await shop.check_all(ours, ids[:5])
    await shop.published()
    shop.clock.seconds += 4
    assert (await shop.check(theirs, ids[5])).status == "REFUNDED"
    assert (shop.pages, shop.singles) == (1, [ids[5]])


async def test_a_delivery_kept_from_before_an_orders_last_answer_is_no_answer(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.spoil = lambda rows: [row | {"status": "FULFILLED"} if row["_id"] == ids[5] else row for row in rows]
    await shop.check_all(client, ids[:5])
    shop.clock.seconds += 30
    told = datetime.fromtimestamp(shop.clock.now() - 10, UTC)
    shop.spoil = lambda rows: rows
    assert (await client.check_id(ids[5], sent_at=shop.sent[ids[5]], seen_at=told)).status == "HANDLING"


async def test_orders_made_far_apart_do_not_fit_a_page_and_go_one_by_one(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    rows = [shop.make(number, ago=3.0) for number in range(100, 100 + LARGEST_PAGE)]
    await shop.check_all(client, rows)
    shop.provider.requests.clear()
    shop.clock.seconds += 30
    ids = [shop.make(number, ago=80.0 * (number + 1)) for number in range(3)]
    await shop.check_all(client, ids)
    assert (shop.pages, sorted(shop.singles)) == (0, ids)


async def test_an_order_that_the_provider_does_not_know_is_not_found(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    del shop.orders[ids[0]]
    shop.provider.say(f"/mobile/check-id/{ids[0]}", error(404, "NOT_FOUND"))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert isinstance(results[0], NotFound)


async def test_a_silent_provider_is_no_answer_after_a_while(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneclickdz.coalescing.ANSWERED_WITHIN_SECONDS", 0.1)
    silent = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "check-id" in request.url.path:
                await silent.wait()
            return await shop.provider.transport.handle_async_request(request)

    client = shop.client(transport=Silent())
    with pytest.raises(SaysNothing, match="in time"):
        await shop.check(client, shop.make(1))
    silent.set()


async def test_books_that_cannot_be_used_turn_everybody_away(shop: Shop) -> None:
    client = await shop.known()
    turn = next(shop.kit.folder.glob("*.turn.json"))
    turn.unlink()
    turn.mkdir()
    results = await asyncio.gather(*(shop.check(client, each) for each in shop.crowd(4)), return_exceptions=True)
    assert all(isinstance(result, RateLimited) and "TOPUPS_STATE_DIR" in str(result) for result in results)


async def test_a_page_that_comes_late_does_not_replace_a_newer_one(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    await shop.check_all(client, ids)
    await shop.published()
    state = next(iter(client._sessions.values()))._state
    turns = Turns(state, limit=60, token=shop.kit.key)
    newest = state.read(TurnState).page_at
    await turns.publish([], newest - 5)
    assert state.read(TurnState).page_at == newest
    page = await turns.take()
    assert isinstance(page, Page)
    assert sorted(str(row.id) for row in page.rows) == sorted(shop.orders)
