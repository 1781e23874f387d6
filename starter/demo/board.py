"""What is known during a run: what was done, and where every order stands. Screens show it, the player fills it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from topups import Phase, TimelineEvent, TopUpView


@dataclass(frozen=True)
class Act:
    """One thing that was done, `at` seconds after the start. `blow` is what hurts."""

    at: float
    text: str
    blow: bool = False


class Shown(Protocol):
    """A screen: told of everything as it happens."""

    def act(self, act: Act) -> None:
        """Something was done."""

    def moved(self, view: TopUpView, event: TimelineEvent, at: float) -> None:
        """An order's timeline has a new event, `at` seconds after the start."""


@dataclass
class Board:
    """All orders by ref, all acts in order, and which processes live."""

    screen: Shown
    refs: tuple[str, ...]
    now: Callable[[], float] = time.monotonic
    views: dict[str, TopUpView] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    lights: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.now()
        self._news = asyncio.Event()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self.now() - self._started

    def act(self, text: str, *, blow: bool = False) -> None:
        """Say what was done."""
        self.acts.append(Act(self.seconds, text, blow))
        self.screen.act(self.acts[-1])

    def know(self, view: TopUpView) -> None:
        """Take an order's newest view; what no worker answered for doesn't replace what one did."""
        before = self.views.get(view.ref)
        if view.stale and before is not None:
            return
        self.views[view.ref] = view
        seen = len(before.timeline) if before and not before.stale else 0
        for event in view.timeline[seen:]:
            self.screen.moved(view, event, self.seconds)
        self._news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until what is known of the orders is as wanted."""
        while not reached():
            self._news.clear()
            await self._news.wait()

    def phase(self, ref: str) -> Phase | None:
        """Where an order stands, None before the first view of it."""
        view = self.views.get(ref)
        return view.phase if view else None

    def open(self) -> list[str]:
        """The refs of the orders that have not reached their end."""
        return [ref for ref in self.refs if ref not in self.views or not self.views[ref].final]
