"""Following orders until they end. It asks Temporal and the worker only, and rides through a restart of either."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from temporalio.service import RPCError, RPCStatusCode

from starter.advice import NO_WORKER
from starter.connection import bounded
from starter.session import TopUpsPort
from topups import OrderInterrupted, TemporalUnreachable, TopUpRow, TopUpView

# A few orders are looked at on every round; of more, only those whose row in the list has changed.
FEW = 20
AT_ONCE = 8
LOST = "Temporal doesn't answer; trying on. The orders are recorded and go on when it is back"
BACK = "Temporal answers again"
WORKER_BACK = "a worker answers again"
# What a server says while it starts.
_PASSING = frozenset({RPCStatusCode.INTERNAL, RPCStatusCode.UNKNOWN, RPCStatusCode.RESOURCE_EXHAUSTED})


class Screen(Protocol):
    """Where a followed order is shown. `changed`: something that a person or a script would act on."""

    def show(self, view: TopUpView, *, changed: bool) -> None: ...
    def note(self, sentence: str) -> None: ...


def has_changed(before: TopUpView | None, after: TopUpView) -> bool:
    """Tell whether a view says something new; that the provider was asked once more is nothing new."""
    if before is None:
        return True
    if after.stale:
        return (before.phase, before.needs_review) != (after.phase, after.needs_review)
    return _telling(before) != _telling(after)


def _telling(view: TopUpView) -> tuple[object, ...]:
    last = view.timeline[-1].at if view.timeline else None
    return (view.phase, view.final, view.hold_reason, view.review_reason, view.topup_id, view.sends, last)


@dataclass
class Follower:
    """Follows orders by looking at them again and again, `tick` seconds apart.

    `latest` has each order's newest view, `interrupted` the refs whose run was broken off.
    """

    topups: TopUpsPort
    screen: Screen
    tick: float
    latest: dict[str, TopUpView] = field(default_factory=dict)
    interrupted: set[str] = field(default_factory=set)
    _lost: bool = False
    _stale: bool = False

    async def until_final(self, refs: Iterable[str]) -> None:
        """Return when every order has ended, or its run was broken off. Raises NoSuchOrder."""
        left = list(dict.fromkeys(refs))
        while left:
            await self._ride_through(self._look(left))
            left = [ref for ref in left if not self._ended(ref)]
            if left:
                await asyncio.sleep(self.tick)

    async def all_open(self) -> None:
        """Follow every open order, also those that are still to come, without end."""
        since = datetime.now(UTC)
        seen: dict[str, TopUpRow] = {}
        while True:
            await self._ride_through(self._look_at_list(seen, since))
            await asyncio.sleep(self.tick)

    async def _look_at_list(self, seen: dict[str, TopUpRow], since: datetime) -> None:
        listed = {row.ref: row for row in await bounded(self._list(since))}
        news = {ref for ref, row in listed.items() if seen.get(ref) != row and not self._ended(ref)}
        following = {ref for ref in self.latest if not self._ended(ref)}
        # An order may change its phase between two of the lists and be in neither of them.
        due = news | (following if len(following) <= FEW else following - listed.keys())
        await self._look([ref for ref in [*listed, *sorted(due - listed.keys())] if ref in due])
        seen.update(listed)

    async def _list(self, since: datetime) -> list[TopUpRow]:
        found = [row async for row in self.topups.list(finished_since=since)]
        found += [row async for row in self.topups.list(open_only=True)]
        return sorted(found, key=lambda row: row.accepted_at or since)

    def _ended(self, ref: str) -> bool:
        return ref in self.interrupted or (ref in self.latest and self.latest[ref].final)

    async def _look(self, refs: list[str]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(ref: str) -> TopUpView:
            async with gate:
                return await bounded(self.topups.order(ref).view())

        found = await asyncio.gather(*map(one, refs), return_exceptions=True)
        views = [view for view in found if isinstance(view, TopUpView)]
        if len(views) == len(refs):
            self._tell_of_server(lost=False)
        self._tell_of_workers(views)
        for view in views:
            self._take(view)
        for ref, error in zip(refs, found, strict=True):
            if isinstance(error, OrderInterrupted):
                self.interrupted.add(ref)
                self.screen.note(str(error))
            elif isinstance(error, BaseException):
                raise error

    def _take(self, view: TopUpView) -> None:
        before = self.latest.get(view.ref)
        if before is not None and view.stale:
            # What a worker once said is worth more than the little that the records know.
            view = before.model_copy(
                update={"stale": True, "phase": view.phase, "needs_review": view.needs_review, "final": view.final}
            )
        self.latest[view.ref] = view
        self.screen.show(view, changed=has_changed(before, view))

    def _tell_of_workers(self, views: list[TopUpView]) -> None:
        asked = [view for view in views if not view.final]
        stale = any(view.stale for view in asked)
        if asked and stale is not self._stale:
            self._stale = stale
            self.screen.note(NO_WORKER if stale else WORKER_BACK)

    async def _ride_through(self, look: Awaitable[None]) -> None:
        try:
            await look
        except RPCError as error:
            if error.status not in _PASSING:
                raise
            self._tell_of_server(lost=True)
        except TemporalUnreachable:
            self._tell_of_server(lost=True)
        else:
            self._tell_of_server(lost=False)

    def _tell_of_server(self, *, lost: bool) -> None:
        if lost is not self._lost:
            self._lost = lost
            self.screen.note(LOST if lost else BACK)
