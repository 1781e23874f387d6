"""The same promises at a provider that shares with the stand-in only the published pages; its books are the judge."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from starter.demo.stage import WORKER_IS_READY, Stage
from tests.system import other_provider as other
from tests.system.other_provider import OtherProvider, Placed, Story, Trouble
from tests.system.scene import DEADLINE_SECONDS, LOOK_SECONDS, Scenes
from topups import Phase, StillOpen, TopUpRequest, TopUps, TopUpView
from topups.settings import ClientSettings
from topups.start import workflow_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE, ANOTHER_PHONE = "0771234567", "0559876543"
SOON = ((0.0, "PENDING"), (4.0, "FULFILLED"))
REFUND = ((0.0, "PENDING"), (3.0, "REFUNDED"))
NEVER = 10_000.0
PLANS: dict[str, tuple[str, int | None]] = {"the-offers": ("GETMENU_Djezzy", None), "a-fixed-plan": ("PIXX_500", None)}

# A ref says what happens to its order.
IN_DOUBT = {
    "500-after-the-commit": Story((Trouble.ERROR_AFTER,)),
    "503-after-the-commit": Story((Trouble.UNAVAILABLE_AFTER,)),
    "silence-after-the-commit": Story((Trouble.SILENCE_AFTER,)),
    "reset-after-the-commit": Story((Trouble.RESET_AFTER,)),
    "no-id-after-the-commit": Story((Trouble.NO_ID_AFTER,)),
    "committed-after-a-502": Story((Trouble.COMMIT_LATER,)),
    "only-in-the-list": Story((Trouble.ERROR_AFTER,), lag=NEVER, list_lag=3),
    "here-since-an-earlier-life": Story(),
}
TAKEN = {
    "nothing-special": Story(),
    "a-fixed-plan": Story(),
    "reads-behind-a-proxy": Story(reads=(Trouble.NO_ROUTE, Trouble.BAD_GATEWAY)),
    "reads-not-found-and-429": Story(reads=(Trouble.NOT_FOUND, Trouble.TOO_MANY)),
    "a-word-nobody-knows": Story(life=((0, "QUEUED_AT_OPERATOR"), (12, "FULFILLED"))),
}
NO_BALANCE = {"no-balance-at-first": Story((Trouble.NO_BALANCE,), life=SOON)}
RESENT = {
    "a-page-of-html": Story((Trouble.BAD_GATEWAY,), life=SOON),
    "429-at-first": Story((Trouble.TOO_MANY,), life=SOON),
    "committed-before-the-resend": Story((Trouble.COMMIT_LATER,), lag=30, list_lag=30),
}
REFUNDED = {"another-plan-please": Story(life=REFUND, offers=True), "the-offers": Story(life=REFUND, offers=True)}
SOMEBODY_ELSES = {"somebody-elses-ref": Story()}
# Support settles it long before it is asked again.
UNKNOWN = {"nobody-knows": Story(life=((0, "PENDING"), (3, "UNKNOWN_ERROR"), (30, "FULFILLED")))}

DELIVERED = IN_DOUBT | TAKEN | NO_BALANCE | RESENT | UNKNOWN
STORIES = DELIVERED | REFUNDED | SOMEBODY_ELSES


@dataclass(frozen=True)
class Evidence:
    """How the orders ended, what the provider's books say, and two orders as they were seen on their way."""

    results: dict[str, TopUpView]
    provider: OtherProvider
    odd_word: TopUpView
    unknown: TopUpView
    unknown_reads: int

    def phases(self, ref: str) -> list[Phase]:
        return [event.phase for event in self.results[ref].timeline]


@dataclass(frozen=True)
class Shop:
    """Workers of two tempers: the default waits, and looking up for 30 s instead of 60 s before sending again."""

    stage: Stage
    provider: OtherProvider
    patient: TopUps
    hasty: TopUps

    @classmethod
    async def on(cls, stage: Stage, provider: OtherProvider) -> "Shop":
        patient = started(stage, provider, "patient")
        hasty = started(stage, provider, "hasty", TOPUPS_LOOKUP_WAITS="5,10,20,30")
        return cls(stage, provider, *await asyncio.gather(patient, hasty))

    def topups(self, ref: str) -> TopUps:
        return self.hasty if ref in RESENT else self.patient

    async def submit(self, ref: str) -> None:
        plan, amount = PLANS.get(ref, ("PREPAID_DJEZZY", 500))
        await self.topups(ref).submit(TopUpRequest(ref=ref, plan_code=plan, phone=PHONE, amount=amount))

    async def end(self, ref: str) -> TopUpView:
        """The order's end; where it stands when there is none in time, so that one order fails only its own tests."""
        order = self.topups(ref).order(ref)
        try:
            return await order.result(timeout=DEADLINE_SECONDS)
        except StillOpen:
            return await order.view()

    async def view(self, ref: str, wanted: Callable[[TopUpView], bool]) -> TopUpView:
        """The order's view as soon as it is wanted."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                view = await self.topups(ref).order(ref).view()
                if wanted(view):
                    return view
                await asyncio.sleep(LOOK_SECONDS)

    async def all_posted(self) -> None:
        """Wait until every order but the one for which there is no balance was sent: that one holds up the others."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                if STORIES.keys() - NO_BALANCE.keys() <= set(self.provider.posts):
                    return
                await asyncio.sleep(LOOK_SECONDS)

    async def a_day_later(self, ref: str) -> TopUpView:
        topups = self.topups(ref)
        skipper = TimeSkipper(topups.client, config=TimeSkippingConfig(enabled=False))
        await skipper.fast_forward(skipper.client.get_workflow_handle(workflow_id(ref)), timedelta(hours=24))
        return await self.end(ref)


async def started(stage: Stage, provider: OtherProvider, name: str, **env: str) -> TopUps:
    """A client of a worker that is ready."""
    mine = {"TOPUPS_TASK_QUEUE": name, "TOPUPS_STATE_DIR": str(stage.folder / name), "ONECLICKDZ_RATE_LIMIT": "1000"}
    its = {"ONECLICKDZ_BASE_URL": provider.url, "ONECLICKDZ_ACCESS_TOKEN": other.KEY}
    worker = stage.worker(name, mine | its | env)
    worker.start()
    await worker.wait_for_line(WORKER_IS_READY, 60)
    return await stage.topups(ClientSettings(task_queue=name))


def earlier_orders() -> list[Placed]:
    """More than a page of the list, older than every new order, and two refs that are in use already."""
    born = time.time() - 60
    foreign = [Placed(f"foreign-{n}", "PREPAID_MOBILIS", "0661234567", 500, born=born - n) for n in range(120)]
    ours = Placed("here-since-an-earlier-life", "PREPAID_DJEZZY", PHONE, 500, born=born)
    return [*foreign, ours, Placed("somebody-elses-ref", "PREPAID_DJEZZY", ANOTHER_PHONE, 500, born=born)]


async def all_at_once(stage: Stage) -> Evidence:
    with other.other_provider(STORIES, earlier_orders()) as provider:
        shop = await Shop.on(stage, provider)
        await asyncio.gather(*(shop.submit(ref) for ref in STORIES if ref not in NO_BALANCE))
        await shop.all_posted()
        await shop.submit(*NO_BALANCE)
        odd_word = await shop.view("a-word-nobody-knows", lambda view: view.needs_review or view.final)
        ends = await asyncio.gather(*(shop.end(ref) for ref in STORIES if ref not in UNKNOWN))
        unknown = await shop.view("nobody-knows", lambda view: view.phase is Phase.UNKNOWN_ERROR)
        reads = provider.reads.count("nobody-knows")
        late = await shop.a_day_later("nobody-knows")
        return Evidence({end.ref: end for end in [*ends, late]}, provider, odd_word, unknown, reads)


PLAYS = (all_at_once,)


@pytest.mark.parametrize("ref", DELIVERED)
async def test_an_order_is_delivered_once_whatever_its_send_and_its_reads_met(scenes: Scenes, ref: str) -> None:
    evidence = await scenes(all_at_once)
    result = evidence.results[ref]
    assert (result.phase, evidence.provider.deliveries(ref)) == (Phase.FULFILLED, 1), result
    assert (result.provider_ref, result.account) == (other.PREFIX + ref, other.USERNAME)
    assert (result.amount, result.balance_amount, result.needs_review) == (500, 496.25, False)


@pytest.mark.parametrize("ref", STORIES)
async def test_only_what_was_not_created_is_sent_again_and_only_once(scenes: Scenes, ref: str) -> None:
    evidence = await scenes(all_at_once)
    sends = 2 if ref in RESENT | NO_BALANCE else 1
    assert (evidence.provider.posts.count(ref), evidence.results[ref].sends) == (sends, sends)


@pytest.mark.parametrize("ref", IN_DOUBT | RESENT)
async def test_a_send_in_doubt_is_looked_up_before_anything_is_believed(scenes: Scenes, ref: str) -> None:
    phases = (await scenes(all_at_once)).phases(ref)
    assert phases[:2] == [Phase.ACCEPTED, Phase.CONFIRMING]
    assert phases.count(Phase.CONFIRMING) == 1


@pytest.mark.parametrize("ref", TAKEN | UNKNOWN | REFUNDED)
async def test_an_order_that_was_taken_is_never_in_doubt_whatever_the_reads_say(scenes: Scenes, ref: str) -> None:
    phases = (await scenes(all_at_once)).phases(ref)
    assert phases[:2] == [Phase.ACCEPTED, Phase.PENDING]
    assert not {Phase.CONFIRMING, Phase.ON_HOLD} & set(phases)


async def test_no_balance_without_details_is_a_hold_and_no_refusal(scenes: Scenes) -> None:
    phases = (await scenes(all_at_once)).phases("no-balance-at-first")
    assert phases == [Phase.ACCEPTED, Phase.ON_HOLD, Phase.PENDING, Phase.FULFILLED]


async def test_a_refund_keeps_the_providers_words_and_offers_as_they_came(scenes: Scenes) -> None:
    evidence = await scenes(all_at_once)
    for ref in REFUNDED:
        result = evidence.results[ref]
        assert (result.phase, result.balance_amount) == (Phase.REFUNDED, 0)
        assert result.refund_message == other.ARABIC
        assert [offer.model_dump() for offer in result.suggested_offers or ()] == other.OFFERS
    assert evidence.results["the-offers"].delivered
    assert not evidence.results["another-plan-please"].delivered


async def test_a_ref_that_another_number_used_is_rejected_and_nothing_is_created(scenes: Scenes) -> None:
    evidence = await scenes(all_at_once)
    result = evidence.results["somebody-elses-ref"]
    assert (result.phase, result.error_code) == (Phase.REJECTED, "REF_TAKEN")
    assert [order.phone for order in evidence.provider.placed if order.ref == result.ref] == [ANOTHER_PHONE]


async def test_a_status_that_nobody_knows_is_not_final_and_asks_for_a_person(scenes: Scenes) -> None:
    view = (await scenes(all_at_once)).odd_word
    assert (view.final, view.needs_review) == (False, True)
    assert "QUEUED_AT_OPERATOR" in (view.review_reason or "")


async def test_an_order_whose_end_the_provider_does_not_know_is_asked_for_once_a_day(scenes: Scenes) -> None:
    evidence = await scenes(all_at_once)
    assert evidence.unknown.refund_message == other.ARABIC
    assert (evidence.unknown_reads, evidence.provider.reads.count("nobody-knows")) == (1, 2)
    assert evidence.phases("nobody-knows")[-2:] == [Phase.UNKNOWN_ERROR, Phase.FULFILLED]
