"""Differences planted in the provider's books are found, each of them, and nothing else.

The same with a thousand orders: `python -m tests.system.reconciled 1000`.
"""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.system.reconciled import PLANTED, Played, compared_under_way, played
from topups import Phase
from topups.books.differences import Kind

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
ORDERS = 120


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    yield await played(tmp_path_factory.mktemp("reconciliation"), ORDERS)


async def test_books_that_agree_show_no_difference(shown: Played) -> None:
    assert (shown.before.found, shown.before.orders, shown.before.notes) == (0, ORDERS, ())
    assert shown.before.balance is not None
    assert shown.before.balance.explained


async def test_every_planted_difference_is_found_and_nothing_else(shown: Played) -> None:
    assert shown.found(shown.planted) == PLANTED
    assert shown.planted.found == len(PLANTED) == 20
    assert {kind for kind, _ in PLANTED} == set(Kind)


async def test_one_list_call_is_made_for_each_hundred_records(shown: Played) -> None:
    for report in (shown.before, shown.planted):
        assert report.requests["list"] == math.ceil(report.records / 100)
    assert shown.before.requests["transactions"] == math.ceil(shown.before.movements / 100)
    # A balance that doesn't add up is read twice.
    assert shown.planted.requests["transactions"] == 2 * math.ceil(shown.planted.movements / 100)


async def test_orders_that_the_provider_settled_are_woken_and_end(shown: Played) -> None:
    assert [shown.of(ref).done for ref in ("unknown-0", "unknown-1")] == ["woken", "woken"]
    assert shown.woken == {"unknown-0": Phase.FULFILLED, "unknown-1": Phase.REFUNDED}
    settled = {("other_status", "unknown-0"), ("other_status", "unknown-1")}
    assert shown.found(shown.again) == PLANTED - settled


async def test_each_difference_of_an_order_that_ended_has_one_audit_with_a_need_of_review(shown: Played) -> None:
    ended = {one.ref for one in shown.planted.differences if one.ours and Phase(one.ours).final}
    assert set(shown.audits) == ended
    assert all(view.review_reason for view in shown.audits.values())
    assert {one.done for one in shown.planted.differences if one.ref in ended} == {"audit opened"}
    assert all("its audit is open" in one.done for one in shown.again.differences if one.ref in ended)


async def test_the_schedule_finds_the_same_and_progress_is_told(shown: Played) -> None:
    assert shown.found(shown.scheduled) == shown.found(shown.again)
    assert any(told.startswith(("our orders:", "their list:", "second look:")) for told in shown.told)


async def test_orders_under_way_make_no_difference_while_both_books_go_on(tmp_path: Path) -> None:
    reports = await compared_under_way(tmp_path, orders=60)
    assert len(reports) > 3
    assert max(report.orders for report in reports) > 30
    assert [one for report in reports for one in report.differences] == []
    assert [note for report in reports for note in report.notes] == []


async def test_a_report_names_no_phone_number(shown: Played) -> None:
    text = shown.planted.model_dump_json().replace(shown.planted.account or "", "")
    assert not any(digits in text for digits in ("0771", "0660", "0770000000", "0600000"))
