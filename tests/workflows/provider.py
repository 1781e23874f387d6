"""The fake at the workflow's port: activities that answer by a script and keep what was asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import Ask
from topups.books.differences import AuditInput, Look
from topups.observations import (
    Accepted,
    CheckAnswer,
    Found,
    InDoubt,
    LookUpAnswer,
    Missed,
    Observation,
    PrepareAnswer,
    Prepared,
    Record,
    SendAnswer,
)
from topups.policy import Policy, PolicyRead

ACCOUNT = "+213550000001"
TOPUP_ID = "64f0c1a2b3d4e5f6a7b8c9d0"
LOST = InDoubt(why="no answer to the send")
MISSED = Missed(account=ACCOUNT)


@dataclass(frozen=True)
class Asked:
    """One activity as it arrived; `at` is the server's clock."""

    name: str
    at: datetime
    ask: Ask


@dataclass
class Pause:
    """Holds an activity open until the test lets it go; then it gives `answer`."""

    answer: Observation | Exception | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


Step = Observation | Exception | Pause


def says(status: str, **more: Any) -> Found:
    """The provider's record with a status."""
    return Found(record=Record(topup_id=TOPUP_ID, status=status, **more), account=ACCOUNT)


def broken() -> ApplicationError:
    """An activity that dies of something nobody foresaw."""
    return ApplicationError("boom", type="Boom")


@dataclass
class ScriptedProvider:
    """Each activity takes the next step of its script; the last one stays.

    `reading` holds the policy back; `ahead` is how much later it is than the history says, as after a restore from a
    backup.
    """

    policy: Policy = field(default_factory=Policy)
    asked: list[Asked] = field(default_factory=list)
    scripts: dict[tuple[str, str | None], list[Step]] = field(default_factory=dict)
    ahead: timedelta = timedelta()
    shown: list[tuple[Record, ...] | Exception] = field(default_factory=lambda: [()])
    looked: list[datetime] = field(default_factory=list)
    reading: Pause | None = None

    def follow(self, name: str, *steps: Step, ref: str | None = None) -> None:
        """Give an activity its script, for one order or for all that have none of their own."""
        self.scripts[name, ref] = list(steps)

    def times(self, *names: str) -> list[float]:
        """When these were asked, seconds after the first thing that was asked at all."""
        return [round((one.at - self.asked[0].at).total_seconds(), 1) for one in self.asked if one.name in names]

    def count(self, name: str) -> int:
        """How often it was asked."""
        return sum(one.name == name for one in self.asked)

    @property
    def order_of_asking(self) -> list[str]:
        """The names of what was asked, in order."""
        return [one.name for one in self.asked]

    def gaps(self, *names: str) -> list[float]:
        """Seconds between each two in a row of these."""
        at = [one.at for one in self.asked if one.name in names]
        return [(later - earlier).total_seconds() for earlier, later in pairwise(at)]

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [*(self.read_policy, self.read_clock), *(self.prepare, self.send, self.look_up, self.check, self.look)]

    @activity.defn
    async def read_policy(self) -> PolicyRead:
        if self.reading is not None:
            self.reading.reached.set()
            await self.reading.go.wait()
        return PolicyRead.now(self.policy)

    @activity.defn
    async def read_clock(self, at_least: datetime) -> datetime:
        return at_least + self.ahead

    @activity.defn
    async def prepare(self, ask: Ask) -> PrepareAnswer:
        amount = ask.amount if ask.amount is not None or ask.offers_only else 500
        answer: PrepareAnswer = await self._next("prepare", ask, Prepared(account=ACCOUNT, amount=amount))
        return answer

    @activity.defn
    async def send(self, ask: Ask) -> SendAnswer:
        taken = Accepted(topup_id=TOPUP_ID, provider_ref=f"API-{ACCOUNT}-{ask.ref}")
        answer: SendAnswer = await self._next("send", ask, taken)
        return answer

    @activity.defn
    async def look_up(self, ask: Ask) -> LookUpAnswer:
        return _with_ref(await self._next("look_up", ask, MISSED), ask)

    @activity.defn
    async def check(self, ask: Ask) -> CheckAnswer:
        answer: CheckAnswer = await self._next("check", ask, says("FULFILLED"))
        return answer

    @activity.defn
    async def look(self, asked: AuditInput) -> Look:
        """An audit's look; each step of its script is what the provider shows then."""
        self.looked.append(activity.info().started_time)
        shown = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(shown, Exception):
            raise shown
        return Look(account=ACCOUNT, records=shown)

    async def _next(self, name: str, ask: Ask, otherwise: Any) -> Any:
        self.asked.append(Asked(name, activity.info().started_time, ask))
        script = self.scripts.get((name, ask.ref)) or self.scripts.get((name, None)) or [otherwise]
        step = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(step, Pause):
            step.reached.set()
            await step.go.wait()
            step = step.answer or otherwise
        if isinstance(step, Exception):
            raise step
        return step


def _with_ref(answer: LookUpAnswer, ask: Ask) -> LookUpAnswer:
    if isinstance(answer, Found) and answer.record.ref is None:
        return answer.model_copy(update={"record": answer.record.model_copy(update={"ref": ask.ref})})
    return answer
