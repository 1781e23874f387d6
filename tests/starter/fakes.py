"""Stand-ins at the command's ports: orders that live in memory and follow a script."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from starter.cli import run
from starter.session import Session
from topups import (
    ActResult,
    NoSuchOrder,
    NotAllowed,
    Phase,
    RefConflict,
    TimelineEvent,
    TopUpRequest,
    TopUpRow,
    TopUpView,
)
from topups.books.differences import AuditResult, AuditView, ReconcileInput, Report
from topups.models import Outcome
from topups.namespace import SetupReport

BEGAN = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
ARABIC = "الرقم الذي أدخلته غير صحيح، يرجى التأكد من الرقم"

Step = TopUpView | Exception


def view(phase: Phase = Phase.PENDING, ref: str = "order-1", **more: Any) -> TopUpView:
    """An order as a worker shows it."""
    event = TimelineEvent(at=BEGAN + timedelta(seconds=list(Phase).index(phase)), phase=phase, note=f"Now {phase}")
    known: dict[str, Any] = {
        "ref": ref,
        "phase": phase,
        "final": phase.final,
        "plan_code": "PREPAID_DJEZZY",
        "phone": "0771234567",
        "amount": 500,
        "environment": "sandbox",
        "accepted_at": BEGAN,
        "timeline": (event,),
    }
    return TopUpView(**known | more)


def row(phase: Phase = Phase.PENDING, ref: str = "order-1", **more: Any) -> TopUpRow:
    """The same order in a list."""
    known = {"ref": ref, "phase": phase, "plan_code": "PREPAID_DJEZZY", "phone_tail": "567"}
    return TopUpRow(**known | {"accepted_at": BEGAN, "phase_since": BEGAN} | more)


@dataclass
class FakeOrder:
    """Shows the steps of its script one after the other; the last one stays."""

    ref: str
    steps: list[Step]
    acts: list[tuple[str, ...]]
    refusal: Exception | None = None
    taken: bool = True

    async def view(self) -> TopUpView:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    async def recheck(self, *, by: str | None = None) -> None:
        self._act("recheck", by)

    async def cancel(self, *, reason: str, by: str | None = None) -> ActResult:
        self._act("cancel", reason, by)
        return ActResult(taken=self.taken, why="cancelled", view=await self.view())

    async def resolve(self, outcome: Outcome, *, note: str, by: str | None = None) -> ActResult:
        self._act("resolve", outcome, note, by)
        return ActResult(taken=self.taken, why="the provider's word", view=await self.view())

    async def reopen(self, *, note: str, by: str | None = None) -> None:
        self._act("reopen", note, by)

    def _act(self, *what: str | None) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.acts.append(tuple(word or "" for word in what))


@dataclass
class FakeTopUps:
    """Orders in memory. What was asked of them stands in `acts` and `submitted`."""

    scripts: dict[str, list[Step]] = field(default_factory=dict)
    rows: list[TopUpRow] = field(default_factory=list)
    submitted: list[TopUpRequest] = field(default_factory=list)
    acts: list[tuple[str, ...]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken_off: set[str] = field(default_factory=set)
    refusal: Exception | None = None
    refusals: dict[str, Exception] = field(default_factory=dict)
    taken: bool = True

    def order(self, ref: str) -> FakeOrder:
        steps: list[Step] = self.scripts.get(ref) or [NoSuchOrder(f"no order with ref {ref} is known here")]
        return FakeOrder(ref, steps, self.acts, self.refusals.get(ref, self.refusal), self.taken)

    async def submit(self, request: TopUpRequest) -> FakeOrder:
        if any(request.ref == known.ref and not request.same_order(known) for known in self.submitted):
            raise RefConflict(f"{request.ref} already belongs to another order")
        self.submitted.append(request)
        return self.order(request.ref)

    async def list(
        self,
        phase: Phase | str | None = None,
        *,
        plan_code: str | None = None,
        phone_tail: str | None = None,
        needs_review: bool | None = None,
        unchanged_since: datetime | None = None,
        accepted_after: datetime | None = None,
        accepted_before: datetime | None = None,
        finished_since: datetime | None = None,
        open_only: bool = False,
    ) -> AsyncIterator[TopUpRow]:
        asked = {name: value for name, value in locals().items() if name != "self" and value not in {None, False}}
        self.asked.append(asked)
        for found in self.rows:
            listed = (finished_since is None or found.phase.final) and not (open_only and found.ref in self.closed)
            equal: list[tuple[object, object]] = [(phase, found.phase), (plan_code, found.plan_code)]
            equal += [(phone_tail, found.phone_tail), (needs_review, found.needs_review)]
            if listed and all(wanted in {None, value} for wanted, value in equal):
                yield found

    @property
    def closed(self) -> set[str]:
        """Refs of the rows that have no open run: ended, or broken off."""
        return {row.ref for row in self.rows if row.phase.final} | self.broken_off


@dataclass
class FakeBooks:
    """Reconciliations and audits in memory. `steps` is what is under way, one look after the other."""

    found: Report | None = field(default_factory=lambda: Report(since=BEGAN, until=BEGAN, environment="sandbox"))
    steps: list[str | Exception] = field(default_factory=list)
    open_audits: list[AuditView] = field(default_factory=list)
    trouble: Exception | None = None
    started: list[ReconcileInput] = field(default_factory=list)
    closed: list[tuple[str, str, str]] = field(default_factory=list)

    async def start(self, given: ReconcileInput) -> str:
        self.started.append(given)
        return "topup-reconcile-now"

    async def progress(self, reconcile: str) -> str | None:
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, Exception):
            raise step
        return step

    async def report(self, reconcile: str) -> Report:
        if self.trouble is not None:
            raise self.trouble
        assert self.found is not None
        return self.found

    async def last(self) -> Report | None:
        return self.found

    async def audits(self) -> AsyncIterator[AuditView]:
        for view in self.open_audits:
            yield view

    async def close_audit(self, ref: str, *, note: str, by: str) -> AuditResult:
        if self.trouble is not None:
            raise self.trouble
        self.closed.append((ref, note, by))
        return AuditResult(ref=ref, opened_at=BEGAN, why="", by=by, ours="REFUNDED", agreed=False)


@dataclass
class FakeTemporal:
    """A namespace that holds the fake orders, or an error instead of it."""

    orders: FakeTopUps = field(default_factory=FakeTopUps)
    book: FakeBooks = field(default_factory=FakeBooks)
    trouble: BaseException | None = None
    report: SetupReport = field(default_factory=lambda: SetupReport(added=("TopUpPhase",), retention_days=90))

    async def topups(self) -> FakeTopUps:
        if self.trouble is not None:
            raise self.trouble
        return self.orders

    async def books(self) -> FakeBooks:
        if self.trouble is not None:
            raise self.trouble
        return self.book

    async def set_up(self) -> SetupReport:
        if self.trouble is not None:
            raise self.trouble
        return self.report


@dataclass
class Answer:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        found: dict[str, Any] = json.loads(lines[0])
        return found

    @property
    def json_lines(self) -> list[dict[str, Any]]:
        """Every object on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


Topup = Callable[..., Answer]


@dataclass
class Desk:
    """The command and the orders that it finds."""

    capsys: pytest.CaptureFixture[str]
    temporal: FakeTemporal = field(default_factory=FakeTemporal)
    slept: list[float] = field(default_factory=list)
    never: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def orders(self) -> FakeTopUps:
        return self.temporal.orders

    @property
    def books(self) -> FakeBooks:
        return self.temporal.book

    def __call__(self, *argv: str) -> Answer:
        code = run(argv, Session(self.temporal, tick=0.001, sleep=self._sleep))
        caught = self.capsys.readouterr()
        return Answer(code, caught.out, caught.err)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        # Long enough for what was begun before to end, short enough for a test.
        for _ in range(20):
            await asyncio.sleep(0)


def steps(*phases: Phase, ref: str = "order-1", **more: Any) -> Iterator[TopUpView]:
    """Views of an order on its way."""
    return (view(phase, ref, **more) for phase in phases)


def refused(why: str) -> NotAllowed:
    """A refusal in the order's phase."""
    return NotAllowed(why)
