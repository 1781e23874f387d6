"""Before the first POST: whose key sends, and what the catalogue allows."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from activities import Ask, PolicyActivities
from activities.plans import FRESH_FOR_REFUSAL_SECONDS, FRESH_SECONDS, Plans, judge
from oneclickdz import Catalogue, DynamicPlan, FixedPlan, KeyClosed, NotFound, RateLimited, SaysNothing, Unreachable
from tests.activities.fake import ACCOUNT, Desk, FakeClient, ask, catalogue
from tests.unit.story import new_order
from topups.models import HoldReason, Resolve
from topups.observations import Held, OtherAccount, PlanRefused, Prepared
from topups.policy import RELEASE, Policy

GETMENU = DynamicPlan(code="GETMENU_Djezzy", min_amount=50, max_amount=5_000)
FIXED = FixedPlan(code="PIXX_500", amount=500)


async def test_an_allowed_order_is_prepared_with_its_account(desk: Desk) -> None:
    assert await desk.prepares(account=None) == Prepared(account=ACCOUNT, amount=500)


@pytest.mark.parametrize(
    ("plan", "amount", "code"),
    [
        (DynamicPlan(code="OTHER"), 500, "PLAN_UNKNOWN"),
        (DynamicPlan(code="prepaid_djezzy"), 500, "PLAN_UNKNOWN"),
        (DynamicPlan(code="PREPAID_DJEZZY", is_enabled=False), 500, "PLAN_DISABLED"),
        (DynamicPlan(code="PREPAID_DJEZZY", min_amount=501), 500, "PLAN_AMOUNT"),
        (DynamicPlan(code="PREPAID_DJEZZY", max_amount=499), 500, "PLAN_AMOUNT"),
        (DynamicPlan(code="PREPAID_DJEZZY", min_amount=100, max_amount=499), 500, "PLAN_AMOUNT"),
        (DynamicPlan(code="PREPAID_DJEZZY"), None, "PLAN_AMOUNT"),
        (FixedPlan(code="PREPAID_DJEZZY", amount=1_000), 500, "PLAN_AMOUNT"),
        (FixedPlan(code="PREPAID_DJEZZY", is_enabled=False, amount=500), 500, "PLAN_DISABLED"),
    ],
)
async def test_what_the_catalogue_refuses_is_refused_before_a_send(
    desk: Desk, plan: DynamicPlan | FixedPlan, amount: int | None, code: str
) -> None:
    desk.client.offered = catalogue(plan)
    refused = await desk.prepares(amount=amount)
    assert isinstance(refused, PlanRefused)
    assert refused.code == code
    assert refused.message.endswith(".")


@pytest.mark.parametrize("amount", [100, 10_000])
def test_the_limits_of_a_plan_are_allowed_themselves(amount: int) -> None:
    assert judge(ask(amount=amount), catalogue()) == amount


def test_a_plan_without_limits_takes_any_amount() -> None:
    assert judge(ask(amount=300_000), catalogue(DynamicPlan(code="PREPAID_DJEZZY"))) == 300_000


@pytest.mark.parametrize("amount", [None, 500])
def test_a_fixed_plans_own_amount_is_always_sent(amount: int | None) -> None:
    assert judge(ask(plan_code="PIXX_500", amount=amount), catalogue(FIXED)) == 500


def test_a_fixed_plan_whose_amount_nobody_knows_is_sent_as_it_was_given() -> None:
    assert judge(ask(plan_code="PIXX_500", amount=None), catalogue(FixedPlan(code="PIXX_500"))) is None
    assert judge(ask(plan_code="PIXX_500", amount=500), catalogue(FixedPlan(code="PIXX_500"))) == 500


def test_a_menu_of_offers_needs_no_amount_and_sends_the_least() -> None:
    assert judge(ask(plan_code="GETMENU_Djezzy", amount=None), catalogue(GETMENU)) == 50
    bare = DynamicPlan(code="GETMENU_Djezzy")
    assert judge(ask(plan_code="GETMENU_Djezzy", amount=None), catalogue(bare)) is None


@pytest.mark.parametrize("error", [SaysNothing("500"), RateLimited("full"), NotFound("no such route")])
async def test_without_a_catalogue_an_order_with_an_amount_goes_as_it_was_given(desk: Desk, error: Exception) -> None:
    desk.client.offered = error
    assert await desk.prepares() == Prepared(account=ACCOUNT, amount=500)


async def test_without_a_catalogue_an_order_without_an_amount_waits(desk: Desk) -> None:
    desk.client.offered = SaysNothing("500", retry_after=9)
    held = await desk.prepares(amount=None)
    assert held == Held(reason=HoldReason.UNREACHABLE, why="500", retry_after=9)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyClosed("refused"), HoldReason.CREDENTIALS),
        (Unreachable("down"), HoldReason.UNREACHABLE),
        (RateLimited("full"), HoldReason.RATE_LIMIT),
    ],
)
async def test_while_nobody_says_whose_key_it_is_the_order_waits(
    desk: Desk, error: Exception, reason: HoldReason
) -> None:
    desk.client.whose = error
    assert (await desk.prepares()).reason is reason
    assert desk.client.asked == []


async def test_a_key_without_a_user_name_waits_too(desk: Desk) -> None:
    desk.client.whose = None
    assert (await desk.prepares(account=None)).reason is HoldReason.UNREACHABLE


@pytest.mark.parametrize("other", [{"account": "+213700000000"}, {"environment": "production"}])
async def test_another_account_or_environment_asks_nothing(desk: Desk, other: dict[str, str]) -> None:
    assert isinstance(await desk.prepares(**other), OtherAccount)
    assert desk.client.asked == []


@dataclass
class Shelf:
    """A cached catalogue and its clock."""

    client: FakeClient = field(default_factory=FakeClient)
    now: float = 0.0

    def __post_init__(self) -> None:
        client: Any = self.client
        self.plans = Plans(client, now=lambda: self.now)

    async def asks(self, seconds: float, offered: Catalogue | None = None) -> object:
        self.now = seconds
        self.client.offered = offered or self.client.offered
        return await self.plans.amount_for(ask())


async def test_the_catalogue_is_kept_for_six_hours() -> None:
    shelf = Shelf()
    for seconds in (0, 60, FRESH_SECONDS):
        assert await shelf.asks(seconds) == 500
    assert shelf.client.asked == ["plans"]
    await shelf.asks(FRESH_SECONDS + 1)
    assert shelf.client.asked == ["plans", "plans"]


async def test_an_old_catalogue_refuses_nobody() -> None:
    shelf = Shelf()
    off = catalogue(DynamicPlan(code="PREPAID_DJEZZY", is_enabled=False))
    assert isinstance(await shelf.asks(0, off), PlanRefused)
    assert await shelf.asks(FRESH_FOR_REFUSAL_SECONDS + 1, catalogue()) == 500


async def test_the_policy_of_the_worker_is_handed_over_as_it_is_and_the_release_of_its_code(desk: Desk) -> None:
    policy = Policy(poll_min=1)
    read = await desk.environment().run(PolicyActivities(policy).read_policy)
    assert (read.policy, read.release) == (policy, RELEASE)


def test_an_activity_is_told_what_the_order_says_and_the_amount_that_was_prepared() -> None:
    order = new_order(amount=None)
    told = Ask.about(order)
    assert (told.ref, told.phone, told.amount, told.account) == ("order-1042", "0771234567", None, None)
    assert (told.deliver_by, told.environment, told.first_send_at) == (order.deliver_by, "sandbox", None)
    assert Ask.about(order.but(prepared=True, amount=500, account=ACCOUNT)).amount == 500
    assert "0771234567" not in repr(told)


def test_while_a_person_s_word_waits_the_next_check_is_the_order_s_own() -> None:
    order = new_order()
    word = Resolve(outcome="REFUNDED", note="ticket 881", by="fatima")
    assert not Ask.about(order).by_itself
    assert Ask.about(order.but(resolution=word)).by_itself
