"""What an order may ask of the provider: prepare, send, look up, check.

Each activity is tried once and answers with an observation; what it proves is for `topups.lifecycle` to decide.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import activity

from activities.ask import Ask
from activities.beating import beating
from activities.gate import Gate
from activities.moment import LastMoment, OtherKey, TooLate, servers_clock
from activities.plans import Plans
from activities.translate import as_record, no_answer, send_failure
from activities.watching import Told, Watcher
from oneclickdz import (
    InsufficientBalance,
    NotFound,
    NothingCreated,
    OneClickDZ,
    OneClickDZError,
    SaysNothing,
    TopUpRecord,
)
from topups.models import Environment, HoldReason
from topups.observations import (
    Accepted,
    CheckAnswer,
    Found,
    Held,
    LookUpAnswer,
    Missed,
    NoAnswer,
    Observation,
    OtherAccount,
    PlanRefused,
    PrepareAnswer,
    Prepared,
    SendAnswer,
)
from topups.records import newest, prefixed, ref_is_ours

log = logging.getLogger("topups.activities")

A = TypeVar("A", bound=Observation)

# The provider's clock and ours may differ.
LIST_MARGIN = timedelta(minutes=10)
PAGES_MAX = 50


class ProviderActivities:
    """Holds the one client of this worker; `environment` is the one that its key must belong to.

    `watcher` is told what was seen.
    """

    def __init__(self, client: OneClickDZ, environment: Environment, watcher: Watcher | None = None) -> None:
        self._told = Told(watcher)
        self._client = client
        self._environment = environment
        self._plans = Plans(client)
        self._gate = Gate()

    @activity.defn
    async def prepare(self, ask: Ask) -> PrepareAnswer:
        """Find out whose account sends this order and whether its plan allows it. Creates nothing."""
        return self._seen("prepare", ask, await beating(self._prepare(ask)))

    @activity.defn
    async def send(self, ask: Ask) -> SendAnswer:
        """POST the order, once."""
        info = activity.info()
        may_leave = LastMoment(info.started_time, ask.deliver_by)
        return self._seen("send", ask, await beating(self._send(ask, may_leave)))

    @activity.defn
    async def look_up(self, ask: Ask) -> LookUpAnswer:
        """Search the order by its ref in every form and place the provider has."""
        return self._seen("look_up", ask, await beating(self._look_up(ask)))

    @activity.defn
    async def check(self, ask: Ask) -> CheckAnswer:
        """Ask for the order by its id."""
        clock = servers_clock(activity.info().started_time)
        answer = await self._check(ask)
        if isinstance(answer, Found):
            answer = answer.model_copy(update={"ended_at": clock()})
        return self._seen("check", ask, answer)

    def _seen(self, action: str, ask: Ask, answer: A) -> A:
        status = answer.record.status if isinstance(answer, Found) else getattr(answer, "why", None)
        facts = {"ref": ask.ref, "action": action, "seen": answer.kind, "detail": status, "topup_id": ask.topup_id}
        log.info("%s %s: %s%s", action, ask.ref, answer.kind, f" ({status})" if status else "", extra=facts)
        self._told.saw(action, answer)
        return answer

    async def _check(self, ask: Ask) -> CheckAnswer:
        try:
            stranger = await self._stranger(ask)
            if stranger is not None:
                return stranger
            sent_at = None if ask.by_itself else ask.last_send_at
            record = await self._client.check_id(ask.topup_id or "", sent_at=sent_at, seen_at=ask.last_checked_at)
        except (SaysNothing, NothingCreated, NotFound) as error:
            return no_answer(error)
        if record.id is None:
            return NoAnswer(why="the provider answered with a record without a usable id")
        return Found(record=as_record(record), round_seconds=self._client.round_seconds)

    async def _stranger(self, ask: Ask) -> OtherAccount | None:
        if ask.environment != self._environment:
            return OtherAccount(why=f"A worker for {self._environment} took this {ask.environment} order")
        account = await self._account()
        if ask.account is not None and account != ask.account:
            return OtherAccount(why="A worker with another account's key took this order")
        return None

    async def _account(self) -> str | None:
        return (await self._client.identify()).username

    async def _prepare(self, ask: Ask) -> PrepareAnswer:
        try:
            stranger = await self._stranger(ask)
            account = await self._account() if stranger is None else None
        except OneClickDZError as error:
            return _hold_for(error)
        if stranger is not None:
            return stranger
        if account is None:
            return Held(reason=HoldReason.UNREACHABLE, why="the provider doesn't say whose key this is")
        return await self._plan(ask, account)

    async def _plan(self, ask: Ask, account: str) -> PrepareAnswer:
        try:
            amount = await self._plans.amount_for(ask)
        except OneClickDZError as error:
            if ask.amount is None:
                return _hold_for(error)
            # Without a catalogue the order goes as it was given; the provider itself will refuse what is wrong.
            return Prepared(account=account, amount=ask.amount)
        return amount if isinstance(amount, PlanRefused) else Prepared(account=account, amount=amount)

    async def _send(self, ask: Ask, may_leave: LastMoment) -> SendAnswer:
        try:
            stranger = await self._stranger(ask)
            may_leave()
        except OneClickDZError as error:
            return _hold_for(error)
        except TooLate as error:
            return Held(reason=HoldReason.CLOCK_SKEW, why=str(error))
        if stranger is not None:
            return stranger
        amount = ask.amount or 0
        closed = self._gate.refuse(amount) if ask.held else None
        if closed is not None:
            return closed
        answer = await self._post(ask, may_leave)
        self._gate.learn(amount, answer)
        return answer

    async def _post(self, ask: Ask, may_leave: LastMoment) -> SendAnswer:
        def still_ours() -> None:
            # The key's file may have changed since `_stranger` looked.
            account = self._client.account
            if account is None or account.username != ask.account:
                raise OtherKey
            may_leave()

        try:
            taken = await self._client.send(
                plan_code=ask.plan_code,
                phone=ask.phone,
                amount=ask.amount,
                ref=ask.ref,
                may_leave=still_ours,
                newcomer=not ask.held,
            )
        except OtherKey:
            return OtherAccount(why="The worker's key changed to another account's before the send")
        except TooLate as error:
            return Held(reason=HoldReason.CLOCK_SKEW, why=str(error))
        except OneClickDZError as error:
            if isinstance(error, InsufficientBalance):
                self._told.balance(error.available)
            return send_failure(error)
        self._told.balance(taken.new_balance)
        return Accepted(topup_id=taken.topup_id, provider_ref=taken.topup_ref)

    async def _look_up(self, ask: Ask) -> LookUpAnswer:
        try:
            stranger = await self._stranger(ask)
            if stranger is not None:
                return stranger
            account = ask.account or await self._account()
            if account is None:
                return NoAnswer(why="the provider doesn't say whose key this is")
            found = await self._search(ask, account)
            # The key's file may have changed in the middle of the search.
            return await self._stranger(ask) or found
        except (SaysNothing, NothingCreated, NotFound) as error:
            return no_answer(error)

    async def _search(self, ask: Ask, account: str) -> LookUpAnswer:
        ours: list[TopUpRecord] = []
        for form in (ask.ref, prefixed(ask.ref, account)):
            try:
                record = await self._client.check_ref(form)
            except NotFound:
                continue
            if not ref_is_ours(record.ref, ask.ref, account):
                return NoAnswer(why="the provider answered with a record of another ref")
            if record.status != "REFUNDED":
                return Found(record=as_record(record), account=account)
            # It may be the end of a former life of the ref, with our own order beside it.
            ours.append(record)
        return await self._search_list(ask, account, ours)

    async def _search_list(self, ask: Ask, account: str, ours: list[TopUpRecord]) -> LookUpAnswer:
        # A slow clock here must not end the window before the order was made.
        now = max(datetime.now(UTC), activity.info().started_time)
        since, until = (ask.first_send_at or now) - LIST_MARGIN, now + LIST_MARGIN
        for number in range(1, PAGES_MAX + 1):
            page = await self._client.list_topups(page=number, since=since, until=until)
            if page.page != number:
                return NoAnswer(why="the provider answered with another page of its list")
            ours += [record for record in page.items if ref_is_ours(record.ref, ask.ref, account)]
            if number >= page.total_pages:
                break
        else:
            return NoAnswer(why=f"the provider's list has more than {PAGES_MAX} pages")
        if not ours:
            return Missed(account=account)
        return Found(record=newest([as_record(record) for record in ours], undated=since), account=account)


def _hold_for(error: OneClickDZError) -> Held:
    reason = HoldReason(error.reason or HoldReason.UNREACHABLE)
    return Held(reason=reason, why=error.message, retry_after=error.retry_after or 0.0)
