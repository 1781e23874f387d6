"""Checks that are due together share one page of the list, behind the method that asks for one of them.

Every request for checks takes a *turn*; turns are a few seconds apart, by the key's budget, and shared by all
processes that use the key. What is due meanwhile waits for the next turn, in which one page answers all of it; where
few orders are under way they go one by one. The page stands where the other processes find it. A page says less than
an order's own check: see `oneclickdz.pages` for what it is believed. Whatever it doesn't settle is asked for by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from oneclickdz.errors import CredentialsRefused, NotSent, OneClickDZError, RateLimited, SaysNothing, Unreachable
from oneclickdz.known import Known
from oneclickdz.models import TopUpPage, TopUpRecord
from oneclickdz.pages import DELIVERED, LARGEST_PAGE, Span, by_id, is_believed, is_full, rank
from oneclickdz.trust import Trust
from oneclickdz.turns import Page, Turns
from oneclickdz.waves import FEW, Waiting, Wave, Waves

# In all 9 s: the activity that asks has 10.
ASKED_WITHIN_SECONDS, ANSWERED_WITHIN_SECONDS = 5.5, 9.0
GATHER_SECONDS, LOOK_SECONDS = 0.05, 0.2
CLOCKS_APART_SECONDS = 2.0

AskOne = Callable[[str], Awaitable[TopUpRecord]]
AskPage = Callable[[Span], Awaitable[TopUpPage]]


class Checks:
    """All checks of one key in this process."""

    def __init__(
        self, *, ask_one: AskOne, ask_page: AskPage, turns: Turns, sleep: Callable[[float], Awaitable[object]]
    ) -> None:
        self._ask_one = ask_one
        self._ask_page = ask_page
        self._turns = turns
        self._sleep = sleep
        self._known = Known()
        self._waves = Waves(self._known, turns.pace)
        self._waiting: dict[str, Waiting] = {}
        self._trust = Trust(turns.now)
        self._collector: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def round_seconds(self) -> float:
        """How long it takes to see all orders under way once; who asks again sooner hears nothing new."""
        return self._waves.round_seconds(self._turns.now())

    async def check(self, topup_id: str, sent_at: float, seen_at: float = 0.0) -> TopUpRecord:
        """The order's record, by a request of its own or from a page. Raises NotFound or SaysNothing."""
        now = self._turns.now()
        shown, asked_at = self._known.row(topup_id, now)
        if shown is not None and shown.status == DELIVERED and asked_at > seen_at:
            self._known.learn(topup_id, sent_at, shown, now)
            return shown
        waiting = self._waiting.get(topup_id)
        if waiting is None:
            waiting = Waiting(topup_id, sent_at, seen_at, now, asyncio.get_running_loop().create_future())
            doubtful = shown is not None and not is_believed(shown, self._known.rank(topup_id))
            waiting.alone = doubtful or topup_id in self._known.unsettled
            # Whoever asked may be gone by then.
            waiting.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        self._wait_on([waiting])
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                return await asyncio.shield(waiting.answer)
        except TimeoutError:
            raise SaysNothing("No answer to a check in time; it says nothing. Ask again later.") from None

    async def aclose(self) -> None:
        """End what is under way; whoever still waits hears that nobody was asked."""
        tasks = [*self._tasks, *([self._collector] if self._collector else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._turn_away(list(self._waiting.values()), RateLimited("The client is closed, so nothing was asked."))

    async def _collect(self) -> None:
        # Activities that are due together don't begin in the same moment.
        await self._sleep(GATHER_SECONDS)
        while self._waiting:
            try:
                turn = await self._turns.take()
            except OneClickDZError as trouble:
                self._turn_away(list(self._waiting.values()), trouble)
                return
            if isinstance(turn, Page):
                self._settle(turn.rows, turn.asked_at)
            elif turn > 0:
                self._turn_away_late(turn)
                await self._sleep(min(turn, LOOK_SECONDS))
            else:
                await self._play(self._wave())

    def _turn_away_late(self, wait: float) -> None:
        now = self._turns.now()
        coming, alone = self._waves.round(now), 0
        for_themselves = self._waves.for_themselves(self._waiting.values(), now)
        # Those made at about the same time come back together: one page will hold them.
        for place, each in enumerate(sorted(self._waiting.values(), key=lambda each: each.sent_at)):
            pages = max(place // LARGEST_PAGE, coming.pages_before(self._waves.heard_at(each)))
            if each.alone or each in for_themselves:
                # One of them takes a turn beside each page's.
                pages, alone = 2 * alone, alone + 1
            back_in = wait + self._turns.pace * pages
            if each.since + ASKED_WITHIN_SECONDS >= now + back_in:
                continue
            if each in for_themselves or not self._settle_one(each, now):
                text = "The request limit of this key is reached, so nothing was asked."
                self._turn_away([each], RateLimited(text, retry_after=back_in))

    def _settle_one(self, each: Waiting, now: float) -> bool:
        """Answer from a page that came a moment too soon, if it is news to the order."""
        row, asked_at = self._known.row(each.topup_id, now)
        # Whose last answer came when is told by another clock.
        if row is None or each.alone or asked_at <= each.seen_at + CLOCKS_APART_SECONDS:
            return False
        if not is_believed(row, self._known.rank(each.topup_id)):
            return False
        del self._waiting[each.topup_id]
        self._tell(each, row)
        return True

    def _turn_away(self, those: Sequence[Waiting], error: OneClickDZError) -> None:
        for each in those:
            self._waiting.pop(each.topup_id, None)
            each.fail(error)

    def _wave(self) -> Wave:
        now = self._turns.now()
        return self._waves.choose(list(self._waiting.values()), now, trusted=self._trust.is_there())

    async def _play(self, wave: Wave) -> None:
        for each in (*wave.alone, *wave.together):
            del self._waiting[each.topup_id]
        if wave.turns > 1:
            await self._turns.charge(wave.turns - 1)
        for each in wave.alone:
            self._begin(self._one(each))
        if wave.span is not None:
            self._begin(self._page(wave.together, wave.span))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, each: Waiting) -> None:
        try:
            record = await self._ask_one(each.topup_id)
        except OneClickDZError as error:
            each.fail(error)
        else:
            self._known.unsettled.discard(each.topup_id)
            self._tell(each, record)

    async def _page(self, those: Sequence[Waiting], span: Span) -> None:
        asked_at, expected = self._turns.now(), self._known.expected(span) | self._sure(those)
        try:
            page = await self._ask_page(span)
            if page.page > 1:
                raise SaysNothing("The provider answered with another page of its list. Ask again later.")
        except OneClickDZError as error:
            await self._no_page(those, error)
            return
        if (behind := self._known.behind(page.items, asked_at)) >= FEW:
            self._trust.lose(f"a page is behind what {behind} orders were told")
        full = is_full(page, expected)
        self._waves.measure(span, page.items, asked_at, full=full)
        self._wait_on(those)
        self._settle(page.items, asked_at, asked_for=those)
        if not full:
            self._judge(those, page.items, expected)
        await self._ask_again(those, more=full)
        if self._trust.is_there():
            await self._turns.publish(page.items, asked_at)

    async def _no_page(self, those: Sequence[Waiting], error: OneClickDZError) -> None:
        if isinstance(error, RateLimited) and (error.retry_after or 0.0) < ASKED_WITHIN_SECONDS:
            # There is a place soon, and for some of them that is soon enough.
            await self._turns.put_off(error.retry_after or 0.0)
            self._wait_on(those)
            return
        if not isinstance(error, NotSent | CredentialsRefused | Unreachable) and error.reason != "rate_limit":
            self._trust.lose(f"a page of it can't be used: {error}")
        for each in those:
            each.fail(error)

    def _wait_on(self, those: Sequence[Waiting]) -> None:
        for each in those:
            later = self._waiting.get(each.topup_id, each)
            if later is not each:
                # Somebody asked for the same order while its page was under way.
                each.alone |= later.alone
                each.since, each.seen_at = max(each.since, later.since), max(each.seen_at, later.seen_at)
                later.follow(each)
            self._waiting[each.topup_id] = each
        if self._collector is None or self._collector.done():
            self._collector = asyncio.create_task(self._collect())

    def _settle(self, rows: Sequence[TopUpRecord], asked_at: float, asked_for: Sequence[Waiting] = ()) -> None:
        """Answer every check that was due before the page was asked for; keep the rest of it."""
        self._known.take_in(rows, asked_at)
        found = by_id(rows)
        # By the clock of now: by that of a slow page, what was heard meanwhile would look like the future.
        for_themselves = set(self._waves.for_themselves(self._waiting.values(), self._turns.now())) - set(asked_for)
        for each in [each for each in self._waiting.values() if each.topup_id in found]:
            row = found[each.topup_id]
            if row is None or rank(row.status) < 0:
                each.alone = True
            elif (each.since > asked_at and each not in asked_for) or (
                each in for_themselves and row.status != DELIVERED
            ):
                continue
            elif is_believed(row, self._known.rank(each.topup_id)):
                del self._waiting[each.topup_id]
                self._tell(each, row)

    def _judge(self, those: Sequence[Waiting], rows: Sequence[TopUpRecord], expected: set[str]) -> None:
        shown = by_id(rows)
        missed = self._sure([each for each in those if not each.answer.done()])
        # A word that a page is not believed is no lie.
        odd = {key for key, row in shown.items() if row is not None and rank(row.status) < 0}
        self._trust.judge(len(expected), len(((expected - set(shown)) | missed) - odd))

    def _sure(self, those: Sequence[Waiting]) -> set[str]:
        return {each.topup_id for each in those if self._known.is_sure(each.topup_id)}

    async def _ask_again(self, those: Sequence[Waiting], *, more: bool) -> None:
        """Whom the page should have settled and didn't asks alone; a second page is tried where there is ``more``."""
        missed = [each for each in those if not each.answer.done()]
        for each in missed:
            each.missed += 1
            each.alone |= not more or each.missed > 1
            if each.alone:
                self._known.leave_open(each.topup_id)
        at_once = [each for each in missed if each.alone and self._waiting.get(each.topup_id) is each]
        if 0 < len(at_once) < FEW:
            # So few are asked for at once, as they would have been without a page.
            for each in at_once:
                del self._waiting[each.topup_id]
                self._begin(self._one(each))
            await self._turns.charge(len(at_once))

    def _tell(self, each: Waiting, record: TopUpRecord) -> None:
        self._known.learn(each.topup_id, each.sent_at, record, self._turns.now())
        each.answer.set_result(record)
