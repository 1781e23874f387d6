"""A provider's client at the port: it answers from a script and writes down what was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from temporalio.testing import ActivityEnvironment

from activities import Ask, ProviderActivities
from activities.watching import Watcher
from oneclickdz import (
    Account,
    Catalogue,
    DynamicPlan,
    FixedPlan,
    NotFound,
    OneClickDZ,
    SendAccepted,
    TopUpPage,
    TopUpRecord,
)

ACCOUNT = "+213665983439"
REF = "order-1042"
TOPUP_ID = "6901616fe9e88196b4eb64b0"
NOT_FOUND = NotFound("no such record", http=404, code="NOT_FOUND")

T = TypeVar("T")


def record(**other: Any) -> TopUpRecord:
    """The provider's record of the order, as the client reads it."""
    known: dict[str, Any] = {
        "id": TOPUP_ID,
        "status": "PENDING",
        "ref": REF,
        "plan_code": "PREPAID_DJEZZY",
        "phone": "0771234567",
        "amount": 500,
    }
    return TopUpRecord(**known | other)


def page(*items: TopUpRecord, number: int = 1, of: int = 1) -> TopUpPage:
    return TopUpPage(items=items, page=number, total_pages=of)


def ask(**other: Any) -> Ask:
    """What the workflow tells of that order."""
    known: dict[str, Any] = {
        "ref": REF,
        "plan_code": "PREPAID_DJEZZY",
        "phone": "0771234567",
        "amount": 500,
        "environment": "sandbox",
        "account": ACCOUNT,
        "topup_id": None,
        "deliver_by": datetime.now(UTC) + timedelta(minutes=30),
        "first_send_at": None,
        "last_send_at": None,
    }
    return Ask(**known | other)


def catalogue(*plans: DynamicPlan | FixedPlan) -> Catalogue:
    """The provider's plans; PREPAID_DJEZZY from 100 to 10,000 DZD where none are given."""
    found = plans or (DynamicPlan(code="PREPAID_DJEZZY", min_amount=100, max_amount=10_000),)
    return Catalogue(
        dynamic_plans=tuple(plan for plan in found if isinstance(plan, DynamicPlan)),
        fixed_plans=tuple(plan for plan in found if isinstance(plan, FixedPlan)),
    )


@dataclass
class FakeClient:
    """Each field is an answer or an error; `asked` has the calls in order."""

    whose: str | Exception | None = ACCOUNT
    sends: list[SendAccepted | Exception] = field(default_factory=list)
    by_id: TopUpRecord | Exception = NOT_FOUND
    by_ref: dict[str, TopUpRecord | Exception] = field(default_factory=dict)
    pages: list[TopUpPage | Exception] = field(default_factory=lambda: [page()])
    offered: Catalogue | Exception = field(default_factory=catalogue)
    asked: list[str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    windows: list[tuple[datetime, datetime]] = field(default_factory=list)
    before_it_leaves: Callable[[], None] = lambda: None
    while_it_lists: Callable[[], None] = lambda: None
    round_seconds: float = 0.0
    may_share: list[bool] = field(default_factory=list)
    on_its_way: Callable[[], Coroutine[Any, Any, None]] | None = None

    @property
    def account(self) -> Account | None:
        return None if self.whose is None else Account(username=_answer(self.whose), environment="sandbox")

    async def identify(self) -> Account:
        return Account(username=_answer(self.whose), environment="sandbox")

    async def send(self, *, may_leave: Callable[[], None], **body: Any) -> SendAccepted:
        self.before_it_leaves()
        may_leave()
        self.asked.append("send")
        self.sent.append(body)
        if self.on_its_way is not None:
            await self.on_its_way()
        return _answer(self.sends.pop(0) if self.sends else SendAccepted(topup_id=TOPUP_ID, topup_ref=REF))

    async def check_id(self, topup_id: str, *, sent_at: datetime | None = None, **_: Any) -> TopUpRecord:
        self.asked.append(f"check-id {topup_id}")
        self.may_share.append(sent_at is not None)
        return _answer(self.by_id)

    async def check_ref(self, ref: str, **_: Any) -> TopUpRecord:
        self.asked.append(f"check-ref {ref}")
        return _answer(self.by_ref.get(ref, NOT_FOUND))

    async def list_topups(self, *, page: int, since: datetime, until: datetime, **_: Any) -> TopUpPage:
        self.asked.append(f"list {page}")
        self.windows.append((since, until))
        self.while_it_lists()
        return _answer(self.pages[min(page, len(self.pages)) - 1])

    async def plans(self) -> Catalogue:
        self.asked.append("plans")
        return _answer(self.offered)


def _answer(known: T | Exception) -> T:
    if isinstance(known, Exception):
        raise known
    return known


@dataclass
class Desk:
    """The activities on that client, as a worker runs them; `late` seconds after Temporal started each."""

    client: FakeClient = field(default_factory=FakeClient)
    late: float = 0.0
    watcher: Watcher | None = None

    def __post_init__(self) -> None:
        self.activities = ProviderActivities(cast("OneClickDZ", self.client), "sandbox", self.watcher)

    def environment(self) -> ActivityEnvironment:
        started = datetime.now(UTC) - timedelta(seconds=self.late)
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, started_time=started)
        return environment

    async def does(self, activity: Callable[[Ask], Coroutine[Any, Any, T]], given: Ask) -> T:
        return await self.environment().run(activity, given)

    async def sends(self, **other: Any) -> Any:
        return await self.does(self.activities.send, ask(**other))

    async def looks_up(self, **other: Any) -> Any:
        return await self.does(self.activities.look_up, ask(**other))

    async def checks(self, **other: Any) -> Any:
        return await self.does(self.activities.check, ask(topup_id=TOPUP_ID, **other))

    async def prepares(self, **other: Any) -> Any:
        return await self.does(self.activities.prepare, ask(**other))
