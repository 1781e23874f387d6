"""What is done about differences, and the look of an audit."""

from __future__ import annotations

from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import ReconcileActivities
from oneclickdz import OneClickDZ, SaysNothing
from tests.activities.fake import ACCOUNT, TOPUP_ID, record
from tests.activities.test_their_books import Client, page
from tests.unit.story import REF, request
from tests.unit.temporal import FakeTemporal
from tests.unit.test_reconciliation import OTHER_ID, WINDOW, ours
from topups.books.differences import Act, AuditInput, Compared, Difference, Kind, Look, Report


def desk(client: Client | None = None, temporal: FakeTemporal | None = None) -> ReconcileActivities:
    topups = (temporal or FakeTemporal()).topups()
    return ReconcileActivities(cast("OneClickDZ", client or Client()), topups, "sandbox", pace=0.0, gap=0.0)


async def run(activity: Any, given: Any) -> Any:
    return await ActivityEnvironment().run(activity, given)


def compared(act: Act, behind: tuple[str, ...] = ()) -> Compared:
    found = Difference(kind=Kind.OTHER_STATUS, ref=REF, says="they differ", act=act)
    report = Report(since=WINDOW.since, until=WINDOW.until, environment="sandbox", differences=(found,))
    return Compared(report=report, behind=behind)


async def test_both_books_are_read_and_compared() -> None:
    client = Client(page("a"))
    client.known = {"a": record(id="a", ref="order-a")}
    done: Compared = await run(desk(client).compare, WINDOW)
    assert done.report.account == ACCOUNT
    assert [(one.kind, one.ref) for one in done.report.differences if one.ref] == [(Kind.UNKNOWN_TO_US, "order-a")]
    assert done.report.requests["list"] == 1


async def test_a_provider_that_says_nothing_fails_the_comparison_so_that_it_is_made_again() -> None:
    with pytest.raises(ApplicationError, match="time-out") as caught:
        await run(desk(Client(SaysNothing("time-out"))).compare, WINDOW)
    assert (caught.value.type, caught.value.non_retryable) == ("BooksUnreadable", False)


@pytest.mark.parametrize(
    ("act", "done"),
    [
        ("wake", "it has ended meanwhile"),
        ("audit", "reported; Temporal has just forgotten the order"),
        ("reopen", f"its run was broken off: topup reopen {REF} --note …"),
        ("none", "reported"),
    ],
)
async def test_what_was_done_about_an_order_that_is_gone_is_told(act: Act, done: str) -> None:
    report: Report = await run(desk().act, compared(act))
    assert [one.done for one in report.differences] == [done]


async def test_orders_that_are_behind_are_woken_and_counted() -> None:
    temporal = FakeTemporal()
    await temporal.topups().submit(request())
    report: Report = await run(desk(temporal=temporal).act, compared("wake", behind=(REF, "nobody")))
    assert (report.woken, report.differences[0].done) == (1, "woken")
    assert [name for name, _, _ in temporal.runs["topup-order-1042"].words] == ["recheck", "recheck"]


def asked(**other: Any) -> AuditInput:
    difference = Difference(kind=Kind.TWO_RECORDS, says="two", topup_ids=(TOPUP_ID, OTHER_ID))
    return AuditInput(order=ours(**other), why="resolved", by="fatima", difference=difference)


async def test_an_audit_looks_at_every_id_that_is_known() -> None:
    client = Client(**{TOPUP_ID: record(), OTHER_ID: record(id=OTHER_ID)})
    look: Look = await run(desk(client).look, asked())
    assert ([one.topup_id for one in look.records], look.account) == ([TOPUP_ID, OTHER_ID], ACCOUNT)
    plain = await run(desk(client).look, asked().model_copy(update={"difference": None}))
    assert [one.topup_id for one in plain.records] == [TOPUP_ID]


@pytest.mark.parametrize("other", [{"account": "+213770112233"}, {"environment": "production"}])
async def test_a_worker_with_another_key_proves_nothing(other: dict[str, str]) -> None:
    client = Client(**{TOPUP_ID: record()})
    with pytest.raises(ApplicationError, match="another account or environment"):
        await run(desk(client).look, asked(**other))
    assert client.asked == []
