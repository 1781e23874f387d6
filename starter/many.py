"""One act on many orders: to which of them it can be done, and doing it gently, one order after the other."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel

from starter.connection import bounded
from starter.exits import ExitCode
from starter.session import OrderPort, TopUpsPort
from topups import (
    ActResult,
    NoSuchOrder,
    NotAllowed,
    NotConfirmed,
    OrderInterrupted,
    Phase,
    TemporalUnreachable,
    TopUpRow,
)
from topups.filters import Filters
from topups.models import Outcome

AT_ONCE = 8
# Of the orders that are only counted, to say why they are left alone.
COUNTED_MOST = 1_000
ENDS = {"FULFILLED": Phase.FULFILLED, "REFUNDED": Phase.REFUNDED, "NOT_CREATED": Phase.REJECTED}
_UNSENT = frozenset({Phase.ACCEPTED, Phase.ON_HOLD})


class End(StrEnum):
    """What became of the act on one order."""

    DONE = "done"
    REFUSED = "refused"
    NO_WORKER = "no_worker"
    FAILED = "failed"
    DRY_RUN = "dry_run"


class Result(BaseModel):
    """A line of `--json`. `phase` is the order's after the act where the act's answer shows it, else the list's."""

    ref: str
    phase: Phase
    outcome: End
    why: str | None = None


@dataclass(frozen=True)
class Said:
    """What an order answered; `phase` where the answer shows it."""

    end: End
    phase: Phase | None = None
    why: str | None = None


class Act(Protocol):
    """What is done to each order."""

    @property
    def name(self) -> str: ...
    def why_not(self, phase: Phase) -> str | None: ...
    async def on(self, order: OrderPort) -> Said: ...


@dataclass(frozen=True)
class Rechecking:
    """Ask the provider now."""

    by: str
    name: str = "recheck"

    def why_not(self, phase: Phase) -> str | None:
        """Say why a recheck of an open order would do nothing; None when it would."""
        return "it is sent by itself; there is nothing to ask yet" if phase is Phase.ACCEPTED else None

    async def on(self, order: OrderPort) -> Said:
        """Ask for the recheck; the answer comes later."""
        await bounded(order.recheck(by=self.by))
        return Said(End.DONE)


@dataclass(frozen=True)
class Resolving:
    """Say what really happened; the provider's own final answer wins."""

    outcome: Outcome
    note: str
    by: str
    name: str = "resolve"

    def why_not(self, phase: Phase) -> str | None:
        """Say why an open order in this phase can't be resolved so; None when a worker may take it."""
        if self.outcome == "NOT_CREATED":
            known = phase not in {*_UNSENT, Phase.CONFIRMING}
            return "the provider has it, so it was created" if known else None
        return "it was not sent yet; cancel it instead" if phase in _UNSENT else None

    async def on(self, order: OrderPort) -> Said:
        """Resolve it, after the fresh look that each order gets."""
        answer = await order.resolve(self.outcome, note=self.note, by=self.by)
        end = End.DONE if is_as_asked(answer, self.outcome) else End.REFUSED
        return Said(end, answer.view.phase, answer.why)


def is_as_asked(answer: ActResult, outcome: Outcome) -> bool:
    """An act is done as asked when it was taken, or when the provider itself said the same."""
    return answer.taken or answer.view.phase is ENDS[outcome]


@dataclass(frozen=True)
class Chosen:
    """The orders that the act can be done to, and how many others are left alone, by phase and why."""

    rows: tuple[TopUpRow, ...]
    left: Counter[tuple[Phase, str]]


async def choose(topups: TopUpsPort, filters: Filters, act: Act, *, explain: bool) -> Chosen:
    """Return the open orders that the act can be done to. `explain` also counts those that are not open."""
    opened = await _listed(topups, filters.model_copy(update={"open_only": True}))
    rows = tuple(row for row in opened if act.why_not(row.phase) is None)
    left = Counter((row.phase, why) for row in opened if (why := act.why_not(row.phase)) is not None)
    if explain:
        known = {row.ref for row in opened}
        for row in await _listed(topups, filters, most=len(known) + COUNTED_MOST):
            if row.phase.final:
                left[row.phase, "ended"] += 1
            elif row.needs_review and row.ref not in known:
                left[row.phase, "broken off; `topup reopen` goes on with it"] += 1
    return Chosen(rows, left)


async def _listed(topups: TopUpsPort, filters: Filters, most: int | None = None) -> list[TopUpRow]:
    rows, found = topups.list(**dict(filters)), list[TopUpRow]()
    while (most is None or len(found) < most) and (row := await bounded(anext(rows, None))) is not None:
        found.append(row)
    return found


@dataclass
class Many:
    """Does an act to each of the rows, one every `pace` seconds, a few under way at once.

    One order's refusal doesn't stop the others; a Temporal that is gone does. `show` is told of each result.
    """

    act: Act
    rows: Sequence[TopUpRow]
    pace: float
    sleep: Callable[[float], Awaitable[None]]
    show: Callable[[Result], None]
    results: list[Result] = field(default_factory=list)
    begun: int = 0

    async def run(self, topups: TopUpsPort) -> None:
        """Return when all are done. Raises TemporalUnreachable, which says how many were."""
        gate = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as under_way:
                for row in self.rows:
                    if self.begun:
                        await self.sleep(self.pace)
                    await gate.acquire()
                    self.begun += 1
                    under_way.create_task(self._one(topups.order(row.ref), row.phase, gate))
        except ExceptionGroup as group:
            error = group.exceptions[0]
            if isinstance(error, TemporalUnreachable):
                raise TemporalUnreachable(f"{error}. {self.so_far()}") from error
            raise error from None

    async def _one(self, order: OrderPort, phase: Phase, gate: asyncio.Semaphore) -> None:
        try:
            said = await self._tried(order)
        finally:
            gate.release()
        self.results.append(Result(ref=order.ref, phase=said.phase or phase, outcome=said.end, why=said.why))
        self.show(self.results[-1])

    async def _tried(self, order: OrderPort) -> Said:
        try:
            return await self.act.on(order)
        except TemporalUnreachable:
            raise
        except (NotAllowed, NoSuchOrder, OrderInterrupted) as error:
            return Said(End.REFUSED, why=str(error))
        except NotConfirmed as error:
            return Said(End.NO_WORKER, why=str(error))
        except Exception as error:  # one order's trouble is no reason to leave the others
            return Said(End.FAILED, why=f"{type(error).__name__}: {error}")

    def so_far(self) -> str:
        """Say how far it came, when it is broken off."""
        done, untouched = len(self.results), len(self.rows) - self.begun
        words = [f"{done} of {len(self.rows)} orders gone through", f"{self.begun - done} may still be taken"]
        return f"{', '.join(words)}, {untouched} not touched; the same command again is harmless"

    def summary(self) -> str:
        """Say what became of all of them."""
        counts = Counter(result.outcome for result in self.results)
        words = {End.DONE: "done", End.REFUSED: "refused", End.NO_WORKER: "no worker answered", End.FAILED: "failed"}
        return " · ".join(f"{counts[end]} {said}" for end, said in words.items() if counts[end] or end is End.DONE)

    def code(self) -> ExitCode:
        """The worst of the orders' ends, that which may still be taken before what was refused."""
        ends = {result.outcome for result in self.results}
        codes = {
            End.FAILED: ExitCode.UNEXPECTED,
            End.NO_WORKER: ExitCode.NO_WORKER,
            End.REFUSED: ExitCode.REFUSED,
        }
        return next((code for end, code in codes.items() if end in ends), ExitCode.DONE)
