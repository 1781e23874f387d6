"""The one POST: what each failure of it proves, and when it must not leave."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.beating import beating
from oneclickdz import (
    CredentialsRefused,
    DuplicateRef,
    InsufficientBalance,
    KeyClosed,
    NoAnswer,
    NothingCreated,
    NotSent,
    OneClickDZError,
    PerhapsCreated,
    ProviderUnavailable,
    RateLimited,
    Refused,
    SaysNothing,
    TokenMissing,
    UnclearAnswer,
    Unreachable,
    WrongEnvironment,
    errors,
)
from tests.activities.fake import ACCOUNT, REF, TOPUP_ID, Desk, ask
from topups import observations
from topups.models import HoldReason
from topups.observations import Accepted, Duplicate, Held, InDoubt, OtherAccount

# Every class of the provider's tree: the reason of the hold, and whether the request left.
HOLDS: list[tuple[type[OneClickDZError], HoldReason, bool]] = [
    (NothingCreated, HoldReason.UNREACHABLE, True),
    (NotSent, HoldReason.UNREACHABLE, False),
    (Unreachable, HoldReason.UNREACHABLE, False),
    (RateLimited, HoldReason.RATE_LIMIT, False),
    (KeyClosed, HoldReason.CREDENTIALS, False),
    (TokenMissing, HoldReason.CREDENTIALS, False),
    (CredentialsRefused, HoldReason.CREDENTIALS, True),
    (WrongEnvironment, HoldReason.CREDENTIALS, True),
    (ProviderUnavailable, HoldReason.UNREACHABLE, True),
    (InsufficientBalance, HoldReason.BALANCE, True),
]
DOUBTS: list[type[OneClickDZError]] = [OneClickDZError, PerhapsCreated, NoAnswer, UnclearAnswer, SaysNothing]
ELSEWHERE = [DuplicateRef, Refused, errors.NotFound]


def test_every_error_of_the_client_has_its_line_in_these_tables() -> None:
    tree = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OneClickDZError)}
    assert tree == {kind for kind, *_ in HOLDS} | set(DOUBTS) | set(ELSEWHERE)


async def test_a_taken_send_is_accepted_with_its_id(desk: Desk) -> None:
    assert await desk.sends() == Accepted(topup_id=TOPUP_ID, provider_ref=REF)
    order = {"plan_code": "PREPAID_DJEZZY", "phone": "0771234567", "amount": 500, "ref": REF}
    assert desk.client.sent == [order | {"newcomer": True}]


async def test_an_order_that_was_told_to_come_back_is_no_newcomer(desk: Desk) -> None:
    await desk.sends(held=True)
    assert desk.client.sent[0]["newcomer"] is False


@pytest.mark.parametrize(("kind", "reason", "left"), HOLDS)
async def test_what_created_nothing_is_a_hold(
    desk: Desk, kind: type[OneClickDZError], reason: HoldReason, left: bool
) -> None:
    desk.client.sends = [kind("because", code="A_CODE")]
    assert await desk.sends() == Held(reason=reason, why="because", left=left)


async def test_a_hold_carries_how_long_the_provider_asked_to_wait(desk: Desk) -> None:
    desk.client.sends = [ProviderUnavailable("later", retry_after=5)]
    assert (await desk.sends()).retry_after == 5


@pytest.mark.parametrize("kind", [*DOUBTS, errors.NotFound])
async def test_whatever_does_not_surely_create_nothing_is_in_doubt(desk: Desk, kind: type[OneClickDZError]) -> None:
    desk.client.sends = [kind("who knows")]
    assert await desk.sends() == InDoubt(why="who knows")


async def test_a_refusal_is_a_refusal_with_its_code(desk: Desk) -> None:
    desk.client.sends = [Refused("no such number", http=400, code="ERR_PHONE"), Refused("no")]
    assert await desk.sends() == observations.Refused(code="ERR_PHONE", message="no such number")
    assert (await desk.sends()).code == "REFUSED"


async def test_a_duplicate_ref_is_neither_a_refusal_nor_a_doubt(desk: Desk) -> None:
    desk.client.sends = [DuplicateRef("in use", http=403, code="DUPLICATED_REF"), DuplicateRef("in use")]
    assert await desk.sends() == Duplicate(code="DUPLICATED_REF")
    assert await desk.sends() == Duplicate(code="DUPLICATED_REF")


async def test_an_unforeseen_error_is_not_swallowed(desk: Desk) -> None:
    desk.client.sends = [OSError("the disk is full")]
    with pytest.raises(OSError, match="disk"):
        await desk.sends()


async def test_a_worker_of_another_account_never_posts(desk: Desk) -> None:
    answer = await desk.sends(account="+213700000000")
    assert isinstance(answer, OtherAccount)
    assert desk.client.asked == []


async def test_a_worker_of_another_environment_never_posts(desk: Desk) -> None:
    answer = await desk.sends(environment="production")
    assert answer == OtherAccount(why="A worker for sandbox took this production order")
    assert desk.client.asked == []


@pytest.mark.parametrize("now", ["+213700000000", None])
async def test_a_key_that_changed_at_the_last_moment_never_posts(desk: Desk, now: str | None) -> None:
    def another_key() -> None:
        desk.client.whose = now

    desk.client.before_it_leaves = another_key
    assert isinstance(await desk.sends(), OtherAccount)
    assert desk.client.asked == []


async def test_nothing_leaves_while_nobody_says_whose_key_it_is(desk: Desk) -> None:
    desk.client.whose = KeyClosed("the key was refused", retry_after=600)
    assert await desk.sends() == Held(
        reason=HoldReason.CREDENTIALS, why="the key was refused", left=False, retry_after=600
    )
    assert desk.client.asked == []


async def test_no_post_leaves_after_deliver_by(desk: Desk) -> None:
    answer = await desk.sends(deliver_by=datetime.now(UTC) - timedelta(milliseconds=1))
    assert (answer.reason, answer.left, desk.client.sent) == (HoldReason.CLOCK_SKEW, False, [])


async def test_no_post_leaves_ten_seconds_after_temporal_started_it(desk: Desk) -> None:
    desk.late = 10.1
    answer = await desk.sends()
    assert (answer.reason, desk.client.sent) == (HoldReason.CLOCK_SKEW, [])


async def test_no_post_leaves_when_temporals_clock_is_a_minute_ahead(desk: Desk) -> None:
    desk.late = -61
    answer = await desk.sends()
    assert "behind Temporal's" in answer.why
    assert desk.client.sent == []


async def test_the_time_is_asked_again_at_the_last_moment_inside_the_client(desk: Desk) -> None:
    deliver_by = datetime.now(UTC) + timedelta(seconds=0.2)

    def waits_for_the_rate_limit() -> None:
        while datetime.now(UTC) < deliver_by:
            pass

    desk.client.before_it_leaves = waits_for_the_rate_limit
    answer = await desk.sends(deliver_by=deliver_by)
    assert (answer.reason, answer.left, desk.client.sent) == (HoldReason.CLOCK_SKEW, False, [])


async def test_a_cancellation_during_a_post_still_reports_the_answer(desk: Desk) -> None:
    left, answered = asyncio.Event(), asyncio.Event()

    async def takes_its_time() -> None:
        left.set()
        await answered.wait()

    desk.client.on_its_way = takes_its_time
    environment, beats = desk.environment(), asyncio.Queue[None]()
    environment.on_heartbeat = lambda *_: beats.put_nowait(None)
    running = asyncio.create_task(environment.run(desk.activities.send, ask()))
    async with asyncio.timeout(5):
        await left.wait()
        await beats.get()
        environment.cancel()
        # It beats on: the cancellation came and did not end the work.
        await beats.get()
    assert not running.done()
    answered.set()
    assert await asyncio.wait_for(running, 5) == Accepted(topup_id=TOPUP_ID, provider_ref=REF)


async def test_a_long_request_beats_all_the_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.beating.HEARTBEAT_SECONDS", 0.01)
    beats, enough = [0], asyncio.Event()

    def counts(*_: object) -> None:
        beats[0] += 1
        if beats[0] == 4:
            enough.set()

    async def work() -> str:
        await asyncio.wait_for(enough.wait(), 5)
        return "done"

    environment = desk.environment()
    environment.on_heartbeat = counts
    assert await environment.run(beating, work()) == "done"
    assert beats[0] >= 4


async def test_work_that_is_soon_done_costs_no_heartbeat(desk: Desk) -> None:
    beats: list[object] = []
    environment = desk.environment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    assert (await environment.run(desk.activities.send, ask())).kind == "accepted"
    assert beats == []


async def test_an_error_of_the_work_comes_out_of_the_beating(desk: Desk) -> None:
    async def breaks() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await desk.environment().run(beating, breaks())


async def test_with_many_orders_held_for_money_one_tries_and_the_rest_wait(desk: Desk) -> None:
    desk.client.sends = [InsufficientBalance("too little money", code="NO_BALANCE")]
    first, second = await desk.sends(), await desk.sends(ref="order-2", account=ACCOUNT, held=True)
    assert (first.reason, first.left) == (HoldReason.BALANCE, True)
    assert (second.reason, second.left) == (HoldReason.BALANCE, False)
    assert "another order tries first" in second.why
    assert 0 < second.retry_after <= 30
    assert len(desk.client.sent) == 1


async def test_a_new_order_is_not_kept_from_trying_by_another_ones_refusal(desk: Desk) -> None:
    desk.client.sends = [InsufficientBalance("too little money", code="NO_BALANCE")]
    await desk.sends()
    assert (await desk.sends(ref="order-2", account=ACCOUNT)).kind == "accepted"
