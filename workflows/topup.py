"""The life of one order, from acceptance to its true end.

The loop asks `topups.lifecycle` what comes next and does it; signals and updates change the order and wake the loop.
There is one actor: only the loop talks to the provider, so no two requests for one order run at once.

Workflow code is forever: a change to the commands it issues is made for orders of a new release only (see `releases`).
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities import Ask, ClockActivities, PolicyActivities, ProviderActivities
    from topups import lifecycle, people, search_attributes
    from topups.books.audits import audit_attributes, audit_id, audit_summary
    from topups.books.differences import AuditInput, OurOrder
    from topups.models import ActResult, Cancel, Recheck, Resolve, TopUpResult, TopUpView
    from topups.observations import InDoubt, NoAnswer, Observation
    from topups.order import Order, TopUpInput, accepted
    from topups.policy import Policy
    from topups.start import TASK_TIMEOUT
    from workflows import releases, story
    from workflows.audit import TopUpAudit
    from workflows.clock import Clock

# Every request is tried once: whether to try again is a decision about money, not about transport.
ONCE = RetryPolicy(maximum_attempts=1)
HEARTBEAT_TIMEOUT = timedelta(seconds=8)
SEND_TIMEOUT = timedelta(seconds=45)
LOOK_UP_TIMEOUT = timedelta(minutes=10)
PREPARE_TIMEOUT = timedelta(seconds=45)
CHECK_TIMEOUT = timedelta(seconds=10)
# A poll is two changes and eleven events, a word is one change and up to six. Counted here and not by Temporal, whose
# count isn't the same in a run past the last task and in its replay.
EVENTS_OF_A_CHANGE = 6


@workflow.defn(name="TopUp")
class TopUp:
    """One order. Its id is `topup-{ref}`."""

    @workflow.init
    def __init__(self, given: TopUpInput) -> None:
        self._given = given
        self._raw_cancel_seen = False
        self._changes = 0
        # Silent in a replay.
        self._entered = workflow.metric_meter().create_counter("topups_phase_entries", "Orders that came into a phase")
        self._order = given.order or accepted(
            given.request,
            given.environment,
            Policy(),
            accepted_at=workflow.info().workflow_start_time,
            now=workflow.now(),
            reopening=given.reopening,
        )
        self._ways = releases.at_the_start(given)
        self._order = self._order.but(release=self._ways.release)
        self._clock = Clock(self._order.deliver_by, self._ways)

    @workflow.run
    async def run(self, given: TopUpInput) -> TopUpResult:
        """Bring the order to its true end and return it. Never raises: an unforeseen error fails the task."""
        self._clock.start()
        business = asyncio.create_task(self._live())
        while not business.done():
            try:
                # Shielded, so that a raw cancel request can't tear a send: it is a word to be judged like any other.
                await asyncio.shield(business)
            except asyncio.CancelledError:
                if self._raw_cancel_seen or workflow.cancellation_reason() is None:
                    raise
                self._raw_cancel_seen = True
                self._change(people.cancel_from_temporal(self._order, self._clock.now()))
        business.result()
        if not self._order.final:
            workflow.continue_as_new(given.model_copy(update={"order": self._order}))
        return TopUpResult(**self._order.view().model_dump())

    async def _live(self) -> None:
        if self._given.order is None:
            self._entered.add(1, {"phase": self._order.phase.value})
            await self._read_policy()
        while True:
            await self._go_on()
            # After a step, never before: a run that did nothing would begin the next one for ever.
            if workflow.all_handlers_finished() and (self._order.final or self._history_is_long()):
                break
        if self._ways.audits and self._order.resolved_by is not None:
            await self._open_audit()

    async def _open_audit(self) -> None:
        """Let somebody watch whether the provider comes to say what the person said; this run is over now."""
        order = OurOrder.of(self._order.view())
        given = AuditInput(order=order, why=f"resolved: {self._order.resolved_note}", by=self._order.resolved_by or "")
        try:
            # Part of the shielded task, and only the start is awaited: the order's end never hangs on the audit.
            await workflow.start_child_workflow(
                TopUpAudit.run,
                given,
                id=audit_id(order.ref),
                task_timeout=TASK_TIMEOUT,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                # Another order's id may be just that; it is never taken over.
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=audit_attributes(order, needs_review=False),
                static_summary=audit_summary(given),
            )
        except (WorkflowAlreadyStartedError, ChildWorkflowError) as error:
            workflow.logger.warning("No new audit of %s: %s", order.ref, type(error).__name__)

    async def _go_on(self) -> None:
        step = lifecycle.next_step(self._order, self._clock.now())
        if step is None:
            await workflow.wait_condition(workflow.all_handlers_finished)
        elif isinstance(step, lifecycle.Wait):
            await self._wait(step)
        else:
            await self._act(step)

    def _history_is_long(self) -> bool:
        limit = self._order.policy.history_events
        if self._clock.by_timers:
            return self._changes * EVENTS_OF_A_CHANGE >= limit
        info = workflow.info()
        return info.get_current_history_length() >= limit or info.is_continue_as_new_suggested()

    async def _read_policy(self) -> None:
        read = await workflow.execute_local_activity_method(
            PolicyActivities.read_policy, start_to_close_timeout=timedelta(seconds=10)
        )
        newest = releases.of(read.release)
        if newest is not None:
            self._ways = newest
            self._clock = Clock(self._order.deliver_by, newest)
            self._clock.start()
            if self._clock.late:
                releases.keeps_older_code_away()
        self._change(self._order.but(policy=read.policy, release=read.release, own_times=self._ways.own_times))

    async def _wait(self, step: lifecycle.Wait) -> None:
        until = step.until
        while await self._word_comes(until):
            if self._order.final or self._history_is_long() or not self._clock.by_timers:
                return
            # A word makes the next look due now, and still it waits for a timer: see `Clock`.
            until = self._order.due_at
        self._clock.passed(until)

    async def _word_comes(self, until: datetime) -> bool:
        order = self._order
        try:
            await workflow.wait_condition(
                lambda: self._order is not order,
                timeout=self._clock.left(until),
                timeout_summary=story.of_wait(order),
            )
        except TimeoutError:
            return False
        return True

    async def _act(self, action: lifecycle.Action) -> None:
        if action == "expire":
            await self._expire()
            return
        # From `next_step` to the activity's command nothing is awaited: what it decided still holds when it leaves.
        self._change(lifecycle.begin(self._order, action, self._clock.now()))
        seen = await self._ask(action)
        self._change(lifecycle.observe(self._order, seen, self._clock.now(), workflow.random().random()))

    async def _expire(self) -> None:
        noticed_at = self._order.deliver_by
        if self._ways.audits:
            noticed_at = await workflow.execute_local_activity_method(
                ClockActivities.read_clock, workflow.now(), start_to_close_timeout=timedelta(seconds=10)
            )
        # A word may have come meanwhile.
        if lifecycle.next_step(self._order, self._clock.now()) == "expire":
            self._change(lifecycle.expire(self._order, noticed_at, self._clock.now()))

    async def _ask(self, action: lifecycle.Request) -> Observation:
        try:
            match action:
                case "send":
                    return await self._send()
                case "prepare":
                    return await self._prepare()
                case "look_up":
                    return await self._look_up()
                case _:
                    return await self._check()
        except ActivityError as error:
            return _lost(action, error)

    async def _prepare(self) -> Observation:
        return await workflow.execute_activity_method(
            ProviderActivities.prepare,
            Ask.about(self._order),
            start_to_close_timeout=PREPARE_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=ONCE,
            summary=story.of_action(self._order, "prepare"),
        )

    async def _send(self) -> Observation:
        return await workflow.execute_activity_method(
            ProviderActivities.send,
            Ask.about(self._order),
            start_to_close_timeout=SEND_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=story.of_action(self._order, "send"),
        )

    async def _look_up(self) -> Observation:
        return await workflow.execute_activity_method(
            ProviderActivities.look_up,
            Ask.about(self._order),
            start_to_close_timeout=LOOK_UP_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=ONCE,
            summary=story.of_action(self._order, "look_up"),
        )

    async def _check(self) -> Observation:
        return await workflow.execute_activity_method(
            ProviderActivities.check,
            Ask.about(self._order),
            start_to_close_timeout=CHECK_TIMEOUT,
            retry_policy=ONCE,
            summary=story.of_action(self._order, "check"),
        )

    def _change(self, after: Order) -> None:
        before, self._order = self._order, after
        self._changes += 1
        if after.phase is not before.phase:
            self._entered.add(1, {"phase": after.phase.value})
        updates = search_attributes.of_a_change(before, after, self._clock.now())
        if updates:
            workflow.upsert_search_attributes(updates)
        workflow.set_current_details(story.in_markdown(after))

    @workflow.query
    def view(self) -> TopUpView:
        """The order as it stands."""
        return self._order.view()

    @workflow.signal
    def recheck(self, word: Recheck) -> None:
        """Make the next look due now."""
        self._change(people.recheck(self._order, word.by, self._clock.now()))

    @workflow.update
    async def cancel(self, word: Cancel) -> ActResult:
        """Withdraw the order; refused once anything was sent."""
        self._change(people.cancel(self._order, word, self._clock.now()))
        return ActResult(taken=True, why="cancelled; nothing was sent", view=self._order.view())

    @cancel.validator
    def _may_cancel(self, word: Cancel) -> None:
        del word  # a validator has its update's shape
        _refuse(people.why_not_cancel(self._order))

    @workflow.update
    async def resolve(self, word: Resolve) -> ActResult:
        """Take a person's word on the outcome, after one fresh look; the provider's own final answer wins."""
        # First of all, and before any await: no further send.
        self._change(people.resolve(self._order, word, self._clock.now()))
        await workflow.wait_condition(lambda: self._order.resolution is None)
        return people.answer(self._order, word)

    @resolve.validator
    def _may_resolve(self, word: Resolve) -> None:
        _refuse(people.why_not_resolve(self._order, word, self._clock.now()))


def _refuse(why_not: str | None) -> None:
    if why_not is not None:
        raise ApplicationError(why_not, type="NotAllowed", non_retryable=True)


def _lost(action: lifecycle.Request, error: ActivityError) -> Observation:
    cause = error.cause or error
    lost = not isinstance(cause, ApplicationError)
    if action == "send":
        return InDoubt(why=f"the worker was lost in the middle of the send ({type(cause).__name__})", lost=lost)
    return NoAnswer(why=f"the worker was lost while asking ({type(cause).__name__})", lost=lost)
