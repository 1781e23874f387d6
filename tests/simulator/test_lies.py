"""Pages of the list that lie on order, and what the ledger says of them."""

from typing import Any

import pytest

from tests.simulator.stand import Query, Stand

LIST = "/v3/mobile/list"
HANGING = "0600000006"


async def lies(stand: Stand, action: str, **more: Any) -> None:
    await stand.fault("list", "received", action, n=-1, **more)


async def sent(stand: Stand, count: int, **body: Any) -> None:
    """Orders r0, r1, …, a second apart."""
    for number in range(count):
        assert (await stand.send(f"r{number}", **body)).status_code == 200
        stand.clock.pass_seconds(1)


async def data(stand: Stand, **query: str | int) -> dict[str, Any]:
    asked: Query = dict(query)
    found: dict[str, Any] = (await stand.get(LIST, query=asked)).json()["data"]
    return found


async def rows(stand: Stand, **query: str | int) -> list[tuple[str, str]]:
    """Ref and status of each row on a page."""
    return [(item["ref"][-2:], item["status"]) for item in (await data(stand, **query))["items"]]


async def refs(stand: Stand, **query: str | int) -> list[str]:
    return [ref for ref, _ in await rows(stand, **query)]


async def driven(stand: Stand, ref: str, status: str) -> None:
    assert (await stand.admin("POST", f"orders/{ref}/status", {"status": status})).status_code == 200


async def test_a_stale_page_shows_every_status_as_it_was(stand: Stand) -> None:
    await sent(stand, 2)
    stand.clock.pass_seconds(13)
    assert await rows(stand) == [("r1", "HANDLING"), ("r0", "FULFILLED")]
    stand.clock.pass_seconds(1)
    assert await rows(stand) == [("r1", "FULFILLED"), ("r0", "FULFILLED")]
    await lies(stand, "stale_page", seconds=4)
    assert await rows(stand) == [("r1", "HANDLING"), ("r0", "HANDLING")]
    stand.clock.pass_seconds(3)
    assert await rows(stand) == [("r1", "HANDLING"), ("r0", "FULFILLED")]
    stand.clock.pass_seconds(1)
    assert await rows(stand) == [("r1", "FULFILLED"), ("r0", "FULFILLED")]


async def test_a_record_that_is_newer_than_a_stale_page_is_not_on_it_and_not_counted(stand: Stand) -> None:
    await sent(stand, 2)
    await lies(stand, "stale_page", seconds=1.5)
    page = await data(stand)
    assert [item["ref"][-2:] for item in page["items"]] == ["r0"]
    assert page["pagination"]["totalResults"] == 1


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_stale_page_knows_what_was_driven_when_and_that_the_money_was_not_back(
    stand: Stand, restarted: bool
) -> None:
    await sent(stand, 1, MSSIDN=HANGING)
    for status in ("UNKNOWN_ERROR", "HANDLING", "REFUNDED"):
        stand.clock.pass_seconds(10)
        await driven(stand, "r0", status)
    if restarted:
        stand.restart()
    seen = {}
    for seconds in (0, 5, 15, 25, 30):
        await stand.admin("DELETE", "faults")
        await lies(stand, "stale_page", seconds=seconds)
        [item] = (await data(stand))["items"]
        seen[seconds] = (item["status"], item["balance_amount"])
    assert seen == {
        0: ("REFUNDED", 0),
        5: ("HANDLING", 490),
        15: ("UNKNOWN_ERROR", 490),
        25: ("HANDLING", 490),
        30: ("PENDING", 490),
    }


async def test_pages_that_shift_repeat_a_row_and_let_one_fall_between_them(stand: Stand) -> None:
    await sent(stand, 6)
    await lies(stand, "shifted_page")
    assert [await refs(stand, page=page, pageSize=3) for page in (1, 2)] == [["r4", "r3"], ["r3", "r1"]]
    assert (await data(stand, page=2, pageSize=3))["pagination"]["totalResults"] == 6


async def test_pages_can_shift_by_more_than_they_hold(stand: Stand) -> None:
    await sent(stand, 3)
    await lies(stand, "shifted_page", rows=5)
    assert [await refs(stand, page=page, pageSize=2) for page in (1, 2)] == [["r1"], ["r2", "r1"]]


async def test_a_row_that_stands_twice_on_a_page_has_its_older_status_the_second_time(stand: Stand) -> None:
    await sent(stand, 2, MSSIDN=HANGING)
    stand.clock.pass_seconds(5)
    await driven(stand, "r1", "REFUNDED")
    await lies(stand, "duplicate_rows")
    items = (await data(stand))["items"]
    assert [(item["ref"][-2:], item["status"], item["balance_amount"]) for item in items] == [
        ("r1", "REFUNDED", 0),
        ("r1", "HANDLING", 490),
        ("r0", "HANDLING", 490),
        ("r0", "PENDING", 490),
    ]


async def test_a_row_without_an_older_status_stands_twice_as_it_is(stand: Stand) -> None:
    await sent(stand, 1)
    await lies(stand, "duplicate_rows")
    assert await rows(stand) == [("r0", "PENDING")] * 2


async def test_a_page_with_rows_twice_is_no_longer_than_was_asked_for(stand: Stand) -> None:
    await sent(stand, 2)
    await lies(stand, "duplicate_rows")
    assert await refs(stand, pageSize=2) == ["r1", "r1"]


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("missing_record", [("r2", "PENDING"), ("r0", "PENDING")]),
        ("duplicate_rows", [("r2", "PENDING"), ("r1", "PENDING"), ("r1", "PENDING"), ("r0", "PENDING")]),
        ("stale_page", [("r2", "PENDING"), ("r0", "PENDING")]),
    ],
)
async def test_a_lie_can_be_about_one_order(stand: Stand, action: str, shown: list[tuple[str, str]]) -> None:
    await sent(stand, 3)
    await lies(stand, action, ref="r1")
    assert await rows(stand) == shown


async def test_a_record_that_is_left_out_of_its_page_is_still_counted(stand: Stand) -> None:
    await sent(stand, 3)
    await lies(stand, "missing_record", ref="r1")
    assert (await data(stand))["pagination"]["totalResults"] == 3


async def test_a_share_of_the_rows_is_drawn_anew_for_each_page(stand: Stand) -> None:
    await sent(stand, 30)
    await lies(stand, "missing_record", share=0.5)
    pages = [set(await refs(stand, pageSize=100)) for _ in range(4)]
    assert all(3 < len(page) < 27 for page in pages)
    assert len({frozenset(page) for page in pages}) > 1


async def test_another_order_of_the_rows_is_the_same_on_every_page_and_loses_none(stand: Stand) -> None:
    await sent(stand, 9)
    true = await refs(stand)
    await lies(stand, "other_order")
    pages = [await refs(stand, page=page, pageSize=4) for page in (1, 2, 3)]
    listed = [ref for page in pages for ref in page]
    assert sorted(listed) == sorted(true)
    assert listed != true
    assert await refs(stand, page=2, pageSize=4) == pages[1]


@pytest.mark.parametrize(
    ("totals", "pages", "results"), [("zero", 0, 0), ("fewer", 1, 2), ("absurd", 1_000_000_000, 1_000_000_000)]
)
async def test_totals_can_be_wrong_while_the_rows_are_right(
    stand: Stand, totals: str, pages: int, results: int
) -> None:
    await sent(stand, 3)
    await lies(stand, "wrong_totals", totals=totals)
    page = await data(stand, pageSize=2)
    assert [item["ref"][-2:] for item in page["items"]] == ["r2", "r1"]
    assert (page["pagination"]["totalPages"], page["pagination"]["totalResults"]) == (pages, results)


async def test_a_lie_meets_its_number_of_pages_and_its_key(stand: Stand) -> None:
    await sent(stand, 1)
    await stand.fault("list", "received", "missing_record", n=1, skip=1, key="sandbox-key-2")
    keys = ("sandbox-key", "sandbox-key-2", "sandbox-key-2", "sandbox-key-2")
    shown = [len((await stand.get(LIST, key)).json()["data"]["items"]) for key in keys]
    assert shown == [1, 1, 0, 1]


async def test_the_ledger_notes_what_was_asked_for_each_row_and_a_lie_that_changed_something(stand: Stand) -> None:
    topup_id = (await stand.send("r0")).json()["data"]["topupId"]
    await lies(stand, "duplicate_rows", ref="r0")
    await data(stand, page=1, pageSize=100)
    await data(stand, page=2, pageSize=100)
    first, second = (row for row in stand.rows("answer") if row["endpoint"] == "list")
    assert first["items"] == [{"topup_id": topup_id, "ref": "r0", "status": "PENDING"}] * 2
    assert first["lie"] == "duplicate_rows"
    assert second["items"] == []
    assert "lie" not in second
    assert stand.rows("request")[-1]["query"] == {"page": "2", "pageSize": "100"}


async def test_an_answer_that_shows_no_rows_notes_none(stand: Stand) -> None:
    await sent(stand, 1)
    await stand.fault("list", "committed", "broken_json")
    await stand.get(LIST)
    assert "items" not in stand.rows("answer")[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "check-id", "action": "stale_page"},
        {"endpoint": "*", "action": "missing_record"},
        {"endpoint": "list", "action": "other_order", "moment": "committed"},
        {"endpoint": "list", "action": "missing_record", "share": 0},
        {"endpoint": "list", "action": "shifted_page", "rows": 0},
        {"endpoint": "list", "action": "wrong_totals", "totals": "many"},
    ],
)
async def test_a_lie_that_makes_no_sense_is_refused_at_the_desk(stand: Stand, wrong: dict[str, Any]) -> None:
    assert (await stand.admin("POST", "faults", wrong)).status_code == 400
