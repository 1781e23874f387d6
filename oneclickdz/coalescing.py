"""Checks that are due together share one page of the list, behind the method that asks for one of them.

Every request for checks takes a *turn*; turns are a few seconds apart, by the key's budget, and shared by all
processes that use the key. What is due meanwhile waits for the next turn, in which one page answers all of it; too
few for a page go one by one. The page stands where the other processes find it. A page says less than an order's own
check: see `oneclickdz.pages` for what it is believed. Whatever it doesn't settle is asked for by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass

from oneclickdz.errors import CredentialsRefused, NotSent, OneClickDZError, RateLimited, SaysNothing, Unreachable
from oneclickdz.known import OLD_SECONDS, Known
from oneclickdz.models import TopUpPage, TopUpRecord
from oneclickdz.pages import GROWTH, LARGEST_PAGE, SPAN_MAX_SECONDS, Span, best_span, by_id, is_believed, longest_from
from oneclickdz.turns import Page, Turns

# A page costs as much as one check, but may miss an order.
FEW = 3
# An old order is asked for by itself, so that a list which lags behind for ever harms nobody; unless there are so many
# of them that the budget would not do.
FEW_OLD = 10
# In all 9 s: the activity that asks has 10.
ASKED_WITHIN_SECONDS, ANSWERED_WITHIN_SECONDS = 5.5, 9.0
# For so long no page is asked for after one that failed or lied.
DISTRUST_SECONDS = 60.0
# While the list is not trusted, so many orders are asked for in a turn: the budget's ceiling keeps them then.
IN_DISTRUST = 4
GATHER_SECONDS, LOOK_SECONDS = 0.05, 0.2

logger = logging.getLogger(__name__)

AskOne = Callable[[str], Awaitable[TopUpRecord]]
AskPage = Callable[[Span], Awaitable[TopUpPage]]


@dataclass(eq=False)
class _Waiting:
    """One check; times are those of all who share the key."""

    topup_id: str
    sent_at: float
    since: float
    answer: asyncio.Future[TopUpRecord]
    missed: int = 0
    alone: bool = False

    def fail(self, error: OneClickDZError) -> None:
        self.answer.set_exception(error)


@dataclass(frozen=True)
class _Wave:
    """What is asked for at once, and how many turns that takes up."""

    alone: Sequence[_Waiting]
    together: Sequence[_Waiting] = ()
    span: Span | None = None
    turns: int = 1


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
        self._waiting: dict[str, _Waiting] = {}
        self._longest = OLD_SECONDS
        self._distrust_until = 0.0
        self._collector: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def check(self, topup_id: str, sent_at: float) -> TopUpRecord:
        """The order's record, by a request of its own or from a page. Raises NotFound or SaysNothing."""
        now = self._turns.now()
        if delivered := self._known.delivery(topup_id, now):
            return delivered
        waiting = self._waiting.get(topup_id)
        if waiting is None:
            waiting = _Waiting(topup_id, sent_at, now, asyncio.get_running_loop().create_future())
            waiting.alone = topup_id in self._known.unsettled
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
        late = [each for each in self._waiting.values() if each.since + ASKED_WITHIN_SECONDS < now + wait]
        # Those made at about the same time come back together: one page will hold them.
        late.sort(key=lambda each: each.sent_at)
        for place, each in enumerate(late):
            back_in = wait + self._turns.pace * (place // LARGEST_PAGE)
            text = "The request limit of this key is reached, so nothing was asked."
            self._turn_away([each], RateLimited(text, retry_after=back_in))

    def _turn_away(self, those: Sequence[_Waiting], error: OneClickDZError) -> None:
        for each in those:
            self._waiting.pop(each.topup_id, None)
            each.fail(error)

    def _wave(self) -> _Wave:
        now = self._turns.now()
        everybody = sorted(self._waiting.values(), key=lambda each: each.since)
        if now < self._distrust_until:
            return _Wave(everybody[:IN_DISTRUST], turns=1)
        made = {each: self._known.made(each.topup_id, each.sent_at) for each in everybody if not each.alone}
        fit = [(each, at) for each, at in made.items() if at is not None]
        old = [each for each, _ in fit if each.sent_at < now - OLD_SECONDS]
        if len(old) < FEW_OLD:
            fit = [(each, at) for each, at in fit if each not in old]
        if len(fit) >= FEW:
            span = best_span([at for _, at in fit], self._known.under_way, self._longest)
            together = [each for each, at in fit if span.covers(at)]
            if len(together) >= FEW:
                apart = [each for each in everybody if each not in together][:1]
                return _Wave(apart, together, span, turns=len(apart) + 1)
            # It was once so short because many were made at once.
            self._longest = min(self._longest * GROWTH, SPAN_MAX_SECONDS)
        few = everybody[: FEW - 1]
        return _Wave(few, turns=len(few))

    async def _play(self, wave: _Wave) -> None:
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

    async def _one(self, each: _Waiting) -> None:
        try:
            record = await self._ask_one(each.topup_id)
        except OneClickDZError as error:
            each.fail(error)
        else:
            self._known.unsettled.discard(each.topup_id)
            self._tell(each, record)

    async def _page(self, those: Sequence[_Waiting], span: Span) -> None:
        asked_at = self._turns.now()
        try:
            page = await self._ask_page(span)
            if page.page > 1:
                raise SaysNothing("The provider answered with another page of its list. Ask again later.")
        except OneClickDZError as error:
            await self._no_page(those, error)
            return
        self._longest = longest_from(span, page.items, self._longest)
        self._wait_on(those)
        self._settle(page.items, asked_at)
        self._ask_again(those, is_full=len(page.items) >= LARGEST_PAGE)
        await self._turns.publish(page.items, asked_at)

    async def _no_page(self, those: Sequence[_Waiting], error: OneClickDZError) -> None:
        if isinstance(error, RateLimited) and (error.retry_after or 0.0) < ASKED_WITHIN_SECONDS:
            # There is a place soon, and for some of them that is soon enough.
            await self._turns.put_off(error.retry_after or 0.0)
            self._wait_on(those)
            return
        if not isinstance(error, NotSent | CredentialsRefused | Unreachable) and error.reason != "rate_limit":
            self._distrust(f"a page of the list can't be used: {error}")
        for each in those:
            each.fail(error)

    def _wait_on(self, those: Sequence[_Waiting]) -> None:
        for each in those:
            self._waiting.setdefault(each.topup_id, each)
        if self._collector is None or self._collector.done():
            self._collector = asyncio.create_task(self._collect())

    def _settle(self, rows: Sequence[TopUpRecord], asked_at: float) -> None:
        """Answer every check that was due before the page was asked for; keep the rest of it."""
        found = by_id(rows)
        for each in list(self._waiting.values()):
            row = found.get(each.topup_id)
            if row is not None and each.since <= asked_at and is_believed(row, self._known.rank(each.topup_id)):
                del self._waiting[each.topup_id]
                self._tell(each, row)
        self._known.take_in(rows, asked_at)

    def _ask_again(self, those: Sequence[_Waiting], *, is_full: bool) -> None:
        """Whom the page should have settled and didn't asks alone; a second page is tried where it was only full."""
        missed = [each for each in those if not each.answer.done()]
        sure = [each for each in those if self._known.is_sure(each.topup_id)]
        lost = [each for each in sure if each in missed]
        for each in missed:
            each.missed += 1
            each.alone = not is_full or each.missed > 1
            if each.alone:
                self._known.unsettled.add(each.topup_id)
        if not is_full and len(lost) >= max(FEW, len(sure) // 2):
            self._distrust(f"a page of the list settles {len(sure) - len(lost)} of {len(sure)} orders")

    def _distrust(self, why: str) -> None:
        logger.warning("Checks go one by one for %g s: %s", DISTRUST_SECONDS, why)
        self._distrust_until = self._turns.now() + DISTRUST_SECONDS

    def _tell(self, each: _Waiting, record: TopUpRecord) -> None:
        self._known.learn(each.topup_id, each.sent_at, record)
        each.answer.set_result(record)
