"""`topup watch`: until all refs have ended, or every open order until Ctrl-C."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from starter.follow import Follower
from tests.starter.fakes import ARABIC, Desk, FakeTopUps, row, steps, view
from topups import NoSuchOrder, OrderInterrupted, Phase, TemporalUnreachable, TopUpView


class Recorder:
    """A screen that remembers what it was shown."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, Phase]] = []
        self.notes: list[str] = []
        self.told = asyncio.Event()

    def show(self, view: TopUpView, *, changed: bool) -> None:
        if changed:
            self.changes.append((view.ref, view.phase))
            self.told.set()

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    async def until(self, changes: int) -> None:
        """Wait for so many changes."""
        while len(self.changes) < changes:
            self.told.clear()
            await self.told.wait()


def test_watch_prints_a_json_line_for_each_change_and_ends_when_all_are_final(topup: Desk) -> None:
    topup.orders.scripts["a"] = [*steps(Phase.PENDING, Phase.PENDING, Phase.HANDLING, Phase.FULFILLED, ref="a")]
    topup.orders.scripts["b"] = [*steps(Phase.ON_HOLD, Phase.REJECTED, ref="b")]
    answer = topup("watch", "a", "b", "a", "--json")
    told = [(line["ref"], line["phase"]) for line in answer.json_lines]
    assert answer.code == 0
    assert [phase for ref, phase in told if ref == "a"] == ["PENDING", "HANDLING", "FULFILLED"]
    assert [phase for ref, phase in told if ref == "b"] == ["ON_HOLD", "REJECTED"]


def test_watch_as_text_prints_a_line_for_each_change(topup: Desk) -> None:
    topup.orders.scripts["a"] = [*steps(Phase.PENDING, Phase.PENDING, Phase.FULFILLED, ref="a")]
    answer = topup("watch", "a")
    assert [line.split()[1:3] for line in answer.out.splitlines()] == [["a", "PENDING"], ["a", "FULFILLED"]]


def test_watch_as_text_ends_with_the_provider_s_message(topup: Desk) -> None:
    topup.orders.scripts["a"] = [view(Phase.REFUNDED, "a", refund_message=ARABIC)]
    assert topup("watch", "a").out.splitlines()[-1] == ARABIC


def test_one_more_check_is_no_change_but_a_new_send_is(topup: Desk) -> None:
    waiting: dict[str, Any] = {"ref": "a", "timeline": ()}
    topup.orders.scripts["a"] = [
        view(Phase.CONFIRMING, checks=1, sends=1, **waiting),
        view(Phase.CONFIRMING, checks=2, sends=1, **waiting),
        view(Phase.CONFIRMING, checks=2, sends=2, **waiting),
        view(Phase.FULFILLED, checks=3, sends=2, **waiting),
    ]
    told = topup("watch", "a", "--json").json_lines
    assert [(line["checks"], line["sends"]) for line in told] == [(1, 1), (2, 2), (3, 2)]


def test_watch_keeps_what_a_worker_said_when_none_answers_any_more(topup: Desk) -> None:
    stale = view(Phase.HANDLING, "a", stale=True, timeline=(), amount=None)
    topup.orders.scripts["a"] = [view(Phase.PENDING, "a", topup_id="6901"), stale, view(Phase.FULFILLED, "a")]
    told = topup("watch", "a", "--json").json_lines
    assert (told[1]["phase"], told[1]["stale"], told[1]["topup_id"]) == ("HANDLING", True, "6901")


def test_watch_of_an_unknown_ref_exits_6(topup: Desk) -> None:
    topup.orders.scripts["a"] = [view(Phase.PENDING, "a")]
    assert topup("watch", "a", "nobody").code == 6


def test_watch_rides_through_a_restart_of_the_server(topup: Desk) -> None:
    gone = TemporalUnreachable("gone")
    topup.orders.scripts["a"] = [gone, view(Phase.PENDING, "a"), gone, gone, view(Phase.FULFILLED, "a")]
    answer = topup("watch", "a", "--json")
    assert answer.code == 0
    assert answer.err.count("Temporal answers again") == 2


def test_a_broken_run_is_noted_and_the_others_are_followed_to_their_end(topup: Desk) -> None:
    topup.orders.scripts["a"] = [OrderInterrupted("run `topup reopen a --note …`")]
    topup.orders.scripts["b"] = [*steps(Phase.PENDING, Phase.FULFILLED, ref="b")]
    answer = topup("watch", "a", "b", "--json")
    assert answer.code == 1
    assert answer.err.count("topup reopen a") == 1
    assert answer.json_lines[-1]["phase"] == "FULFILLED"


@asynccontextmanager
async def _following_all(orders: FakeTopUps, screen: Recorder) -> AsyncIterator[None]:
    following = asyncio.create_task(Follower(orders, screen, 0.001).all_open())
    async with asyncio.timeout(5):
        yield
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_without_refs_open_orders_are_followed_to_their_end() -> None:
    orders = FakeTopUps(rows=[row(Phase.PENDING, "a"), row(Phase.ON_HOLD, "b")])
    orders.scripts["a"] = [*steps(Phase.PENDING, Phase.FULFILLED, ref="a")]
    orders.scripts["b"] = [*steps(Phase.ON_HOLD, Phase.CANCELLED, ref="b")]
    screen = Recorder()
    async with _following_all(orders, screen):
        await screen.until(4)
    assert set(screen.changes) == {
        ("a", Phase.PENDING), ("a", Phase.FULFILLED), ("b", Phase.ON_HOLD), ("b", Phase.CANCELLED)
    }  # fmt: skip


async def test_of_many_orders_only_those_with_a_new_row_are_looked_at() -> None:
    refs = [f"order-{number}" for number in range(40)]
    orders = FakeTopUps(rows=[row(Phase.PENDING, ref) for ref in refs])
    orders.scripts = {ref: [*steps(Phase.PENDING, Phase.FULFILLED, ref=ref)] for ref in refs}
    screen = Recorder()
    async with _following_all(orders, screen):
        await screen.until(40)
        orders.rows[3] = row(Phase.FULFILLED, refs[3])
        await screen.until(41)
        # An order that comes later shows that further rounds went by.
        orders.rows.append(row(Phase.PENDING, "late"))
        orders.scripts["late"] = [view(Phase.PENDING, "late")]
        await screen.until(42)
    assert screen.changes[40:] == [(refs[3], Phase.FULFILLED), ("late", Phase.PENDING)]


async def test_an_unknown_ref_ends_the_following() -> None:
    with pytest.raises(NoSuchOrder):
        await Follower(FakeTopUps(), Recorder(), 0.001).until_final(["nobody"])
