"""The schedule and the commands of the books on a real Temporal server that has no worker."""

import asyncio
from collections.abc import Iterator

import pytest
from temporalio.client import ScheduleDescription, ScheduleOverlapPolicy
from temporalio.service import RPCStatusCode

from starter import connection
from tests.starter.server import Cli, bare_server
from tests.unit.temporal import rpc_error
from topups import TopUps
from topups.books import reconciling

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with bare_server() as address:
        yield address


@pytest.fixture
def topup(address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    return Cli(capsys)


def _schedule(*, pause: bool = False) -> ScheduleDescription:
    async def ask() -> ScheduleDescription:
        handle = (await TopUps.connect()).client.get_schedule_handle(reconciling.SCHEDULE_ID)
        if pause:
            await handle.pause(note="holiday")
        return await handle.describe()

    return asyncio.run(ask())


def test_setup_has_the_books_compared_daily_and_leaves_a_pause_alone(
    topup: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = topup("setup")
    assert answer.code == 0
    assert "daily at 02:00 UTC over the last 3 days" in answer.out
    known = _schedule(pause=True).schedule
    assert known.policy.overlap is ScheduleOverlapPolicy.SKIP
    monkeypatch.setenv("TOPUPS_RECONCILE_HOUR", "4")
    monkeypatch.setenv("TOPUPS_RECONCILE_DAYS", "5")
    assert "daily at 04:00 UTC over the last 5 days" in topup("setup").out
    known = _schedule().schedule
    assert known.state.paused
    assert known.state.note == "holiday"
    assert [calendar.hour[0].start for calendar in known.spec.calendars] == [4]


def test_a_setting_that_makes_no_sense_changes_nothing(topup: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_RECONCILE_HOUR", "24")
    answer = topup("setup")
    assert answer.code == 2
    assert "TOPUPS_RECONCILE_HOUR" in answer.err


def test_without_a_worker_a_reconciliation_stays_and_the_command_exits_8(
    topup: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "TAKEN_SECONDS", 0.2)
    answer = topup("reconcile")
    assert answer.code == 8
    assert "it begins when one is there" in answer.err


def test_there_is_no_report_no_audit_and_nothing_to_close_yet(topup: Cli) -> None:
    assert topup("setup").code == 0
    assert topup("reconcile", "--last").code == 6
    assert "no audit is open" in topup("audits").err
    assert topup("close-audit", "nobody", "--note", "x").code == 6


def test_a_server_without_schedules_is_told_and_holds_orders_all_the_same(
    topup: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> bool:
        raise rpc_error(RPCStatusCode.UNIMPLEMENTED, "no schedules here")

    monkeypatch.setattr(connection, "keep_schedule", refused)
    answer = topup("setup")
    assert answer.code == 0
    assert "not scheduled (no schedules here); run `topup reconcile` daily" in answer.out
