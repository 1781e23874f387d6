"""Checks that are due together share one page, and are answered as if each had asked for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from oneclickdz import NotFound, OneClickDZ, RateLimited, SaysNothing, TopUpRecord
from oneclickdz.coalescing import DISTRUST_SECONDS, FEW_OLD, IN_DISTRUST
from oneclickdz.known import KEPT_SECONDS, OLD_SECONDS, REMEMBERED, Known
from oneclickdz.pages import LARGEST_PAGE
from oneclickdz.state import TurnState
from oneclickdz.turns import BURST, Page, Turns
from tests.provider.stand_in import Clock, Kit, Provider, error, ok, until

LIST = "/mobile/list"
# The provider's clock is ahead of ours.
SKEW = 7.0


class Shop:
    """A provider with orders: it answers for one and for a page, newest first, as the documents say."""

    def __init__(self, kit: Kit, provider: Provider, clock: Clock) -> None:
        self.kit, self.provider, self.clock = kit, provider, clock
        self.orders: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, datetime] = {}
        self.spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
        provider.say(LIST, self._list)

    def make(self, number: int, *, ago: float = 30.0, status: str = "HANDLING") -> str:
        at = datetime.fromtimestamp(self.clock.now() - ago, UTC)
        topup_id = f"id{number:03}"
        made = (at + timedelta(seconds=SKEW)).isoformat().replace("+00:00", "Z")
        self.orders[topup_id] = {"_id": topup_id, "status": status, "ref": f"r{number}", "created_at": made}
        self.sent[topup_id] = at
        self.provider.say(f"/mobile/check-id/{topup_id}", lambda _: ok(self.orders[topup_id]))
        return topup_id

    def crowd(self, size: int, **more: Any) -> list[str]:
        return [self.make(number, **{"ago": 30.0 + number / 10, **more}) for number in range(size)]

    def check(self, client: OneClickDZ, topup_id: str) -> Coroutine[Any, Any, TopUpRecord]:
        return client.check_id(topup_id, sent_at=self.sent[topup_id])

    async def sleep(self, seconds: float) -> None:
        """Moves the clock, and lets everybody else do what they can meanwhile."""
        await self.clock.sleep(seconds)
        await asyncio.sleep(0.03)

    async def check_all(self, client: OneClickDZ, ids: list[str]) -> list[TopUpRecord]:
        return await asyncio.gather(*(self.check(client, each) for each in ids))

    def client(self, **more: Any) -> OneClickDZ:
        return self.kit.client(**{"sleep": self.sleep, **more})

    async def known(self, **more: Any) -> OneClickDZ:
        """A client that has seen an order, so that it knows how the provider's clock runs."""
        client = self.client(**more)
        await self.check(client, self.make(999, ago=20.0))
        self.clock.seconds += 60
        self.provider.requests.clear()
        return client

    async def published(self) -> Path:
        """The file in which other workers find the newest page."""
        await until(lambda: list(self.kit.folder.glob("*.page.json")))
        return next(self.kit.folder.glob("*.page.json"))

    @property
    def pages(self) -> int:
        return self.provider.count(LIST)

    @property
    def singles(self) -> list[str]:
        paths = [request.url.path for request in self.provider.requests]
        return [path.rpartition("/")[2] for path in paths if "check-id" in path]

    def _list(self, request: httpx.Request) -> httpx.Response:
        since, until = (datetime.fromisoformat(request.url.params[name]) for name in ("from", "to"))
        rows = [row for row in self.orders.values() if since <= datetime.fromisoformat(row["created_at"]) <= until]
        rows = self.spoil(sorted(rows, key=lambda row: row["created_at"], reverse=True))
        page = {"page": 1, "pageSize": LARGEST_PAGE, "totalPages": 1, "totalResults": len(rows)}
        return ok({"items": rows[:LARGEST_PAGE], "pagination": page})


@pytest.fixture
def shop(kit: Kit, provider: Provider, clock: Clock) -> Shop:
    return Shop(kit, provider, clock)


async def test_checks_that_are_due_together_cost_one_request(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(40)
    records = await shop.check_all(client, ids)
    assert [record.id for record in records] == ids
    assert (shop.pages, shop.singles) == (1, [])


async def test_a_few_go_one_by_one(shop: Shop) -> None:
    client = await shop.known()
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
    client = await shop.known(rate_limit=10)
    ids = shop.crowd(6)
    shop.orders[ids[0]]["status"] = "REFUNDED"
    for each in ids[1:]:
        shop.provider.say(f"/mobile/check-id/{each}", error(500, "INTERNAL_ERROR"))
    client._sessions.clear()  # a new worker
    client = await shop.known()
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, TopUpRecord) for result in results)


async def test_a_delivery_on_a_page_answers_the_check_that_is_due_next(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "FULFILLED"
    await shop.check_all(client, ids[:5])
    assert (await shop.check(client, ids[5])).status == "FULFILLED"
    assert (shop.pages, shop.singles) == (1, [])


async def test_a_delivery_is_not_kept_for_long(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(6)
    shop.orders[ids[5]]["status"] = "FULFILLED"
    await shop.check_all(client, ids[:5])
    shop.clock.seconds += KEPT_SECONDS + 1
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


async def test_the_page_on_the_disk_shows_no_number(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    for row in shop.orders.values():
        row["MSSIDN"] = "0771234567"
    await shop.check_all(client, ids)
    await shop.published()
    assert all(b"077123" not in file.read_bytes() for file in shop.kit.folder.iterdir())


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


async def test_another_page_than_the_one_asked_for_proves_nothing(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    shop.provider.say(LIST, ok({"items": [], "pagination": {"page": 2, "totalPages": 2}}))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert all(isinstance(result, SaysNothing) and "another page" in str(result) for result in results)


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


async def test_more_than_a_page_holds_is_answered_by_two(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = [shop.make(number, ago=number / 2) for number in range(LARGEST_PAGE + 30)]
    records = await shop.check_all(client, ids)
    assert [record.id for record in records] == ids
    assert shop.pages in {2, 3}
    assert len(shop.singles) <= 4


async def test_an_old_order_is_asked_for_itself(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = [*shop.crowd(5), shop.make(50, ago=OLD_SECONDS + 60)]
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (1, [ids[-1]])


async def test_so_many_old_orders_that_the_budget_would_not_do_share_a_page(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    ids = shop.crowd(FEW_OLD, ago=OLD_SECONDS + 60)
    await shop.check_all(client, ids)
    assert (shop.pages, shop.singles) == (1, [])


async def test_orders_made_far_apart_do_not_fit_a_page_and_go_one_by_one(shop: Shop) -> None:
    client = await shop.known(rate_limit=600)
    rows = [shop.make(number, ago=3.0) for number in range(100, 100 + LARGEST_PAGE)]
    await shop.check_all(client, rows)
    shop.provider.requests.clear()
    shop.clock.seconds += 30
    ids = [shop.make(number, ago=80.0 * (number + 1)) for number in range(3)]
    await shop.check_all(client, ids)
    assert (shop.pages, sorted(shop.singles)) == (0, ids)


async def test_a_check_that_nobody_can_be_asked_in_time_is_due_again_and_told_when(shop: Shop) -> None:
    client = await shop.known(rate_limit=20)
    ids = shop.crowd(60)
    for row in shop.orders.values():
        row["status"] = "ON_ITS_WAY"
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    late = [result for result in results if isinstance(result, RateLimited)]
    assert late
    assert all(result.retry_after and result.retry_after > 0 for result in late)


async def test_an_order_that_the_provider_does_not_know_is_not_found(shop: Shop) -> None:
    client = await shop.known()
    ids = shop.crowd(4)
    del shop.orders[ids[0]]
    shop.provider.say(f"/mobile/check-id/{ids[0]}", error(404, "NOT_FOUND"))
    results = await asyncio.gather(*(shop.check(client, each) for each in ids), return_exceptions=True)
    assert isinstance(results[0], NotFound)


async def test_two_who_ask_for_the_same_order_share_its_answer(shop: Shop) -> None:
    client = await shop.known()
    topup_id = shop.make(1)
    first, second = await shop.check_all(client, [topup_id, topup_id])
    assert first == second
    assert shop.singles == [topup_id]


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
    waiting = next(iter(client._sessions.values()))._checks._waiting
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
        known.learn(str(number), 0.0, TopUpRecord(id=str(number), status="PENDING"))
    assert len(known.orders) == REMEMBERED
    assert known.made("0", 0.0) is None


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
    assert sorted(str(row.id) for row in page.rows) == sorted(shop.orders)[:4]


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
