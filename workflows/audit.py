"""An order that has ended is watched: nothing can be changed in its own run any more.

Opened after a person's `resolve`, and by a reconciliation for a difference on an order that ended. It looks daily until
the provider is final or 30 days have passed. It ends when both sides agree, and stays open when they don't, until a
person closes it. It changes nothing at the provider and nothing in the order.

What it does hangs on timers and words alone, never on the clock: see `workflows/clock.py`.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.reconcile import ReconcileActivities
    from topups import search_attributes
    from topups.books.auditing import UNANSWERED_MAX, judge
    from topups.books.differences import AuditInput, AuditResult, AuditView, CloseAudit, Look
    from topups.models import Recheck

DAY = timedelta(days=1)
LOOK_TIMEOUT, LOOK_GIVEN_UP = timedelta(minutes=20), timedelta(hours=2)
HEARTBEAT_TIMEOUT = timedelta(seconds=60)
# A look only reads, so Temporal may try it again.
AGAIN = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10))


@workflow.defn(name="TopUpAudit")
class TopUpAudit:
    """One order that ended. Its id is `topup-audit-{ref}`."""

    @workflow.init
    def __init__(self, given: AuditInput) -> None:
        self._given = given
        self._looks = 0
        self._unanswered = 0
        self._asked = False
        self._over = False
        self._agreed = False
        self._closed: CloseAudit | None = None
        self._view = AuditView(
            ref=given.order.ref,
            opened_at=workflow.info().workflow_start_time,
            why=given.why,
            by=given.by,
            ours=given.order.phase,
            theirs=given.difference.theirs if given.difference else None,
            difference=given.difference,
            review_reason=given.difference.says if given.difference else None,
        )

    @workflow.run
    async def run(self, given: AuditInput) -> AuditResult:
        """Watch until both sides agree or a person closes it."""
        del given
        while not self._agreed and self._closed is None:
            if await self._due():
                await self._look()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._view.review_reason is not None:
            # A person has had a look; lists of what needs one shall not show it for ever.
            workflow.upsert_search_attributes([search_attributes.NEEDS_REVIEW.value_set(False)])
        return AuditResult(
            **self._view.model_dump() | {"next_check_at": None},
            agreed=self._agreed,
            closed_by=self._closed.by if self._closed else None,
            closed_note=self._closed.note if self._closed else None,
        )

    async def _due(self) -> bool:
        """Wait for a day, or for a word; tell whether to look."""
        self._show(next_check_at=None if self._over else workflow.now() + DAY)
        try:
            await workflow.wait_condition(
                lambda: self._asked or self._closed is not None,
                timeout=None if self._over else DAY,
                timeout_summary="Until the next daily look",
            )
        except TimeoutError:
            return True
        return self._closed is None

    async def _look(self) -> None:
        asked, self._asked = self._asked, False
        # A person's look is not one of the thirty days.
        self._looks += not asked
        seen = await self._ask()
        if seen is None:
            self._unanswered += 1
            silent = f"nobody at the provider could be asked for {self._unanswered} days"
            review = self._view.review_reason or (silent if self._unanswered >= UNANSWERED_MAX else None)
            self._show(review_reason=review)
            return
        self._unanswered = 0
        verdict = judge(self._given, seen.records, self._looks)
        self._agreed, self._over = verdict.agreed, verdict.over
        self._show(
            theirs=verdict.theirs,
            difference=verdict.difference,
            review_reason=verdict.review,
            checks=self._view.checks + 1,
            last_checked_at=workflow.now(),
        )

    async def _ask(self) -> Look | None:
        try:
            return await workflow.execute_activity_method(
                ReconcileActivities.look,
                self._given,
                start_to_close_timeout=LOOK_TIMEOUT,
                schedule_to_close_timeout=LOOK_GIVEN_UP,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                retry_policy=AGAIN,
                summary=f"Look {self._looks}: what the provider shows of it",
            )
        except ActivityError:
            return None

    def _show(self, **changes: object) -> None:
        before, self._view = self._view, self._view.model_copy(update=changes)
        if bool(before.review_reason) is not bool(self._view.review_reason):
            needed = search_attributes.NEEDS_REVIEW.value_set(bool(self._view.review_reason))
            workflow.upsert_search_attributes([needed])
        workflow.set_current_details(_in_markdown(self._view))

    @workflow.query
    def view(self) -> AuditView:
        """The audit as it stands."""
        return self._view

    @workflow.signal
    def recheck(self, word: Recheck) -> None:
        """Look now instead of tomorrow."""
        del word
        self._asked = True

    @workflow.update
    async def close(self, word: CloseAudit) -> AuditView:
        """End the audit by a person's word."""
        self._closed = self._closed or word
        return self._view


def _in_markdown(view: AuditView) -> str:
    lines = [
        f"### {view.ref}: ours is {view.ours}, theirs is {view.theirs or 'not known'}",
        f"- Opened by {view.by}: {view.why}",
    ]
    if view.review_reason:
        lines.append(f"- **Needs review**: {view.review_reason}")
    lines.append(f"- Looks: {view.checks}, the next one: {_when(view)}")
    return "\n".join([*lines, "", f"`topup close-audit {view.ref} --note …` ends it."])


def _when(view: AuditView) -> str:
    at = view.next_check_at
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "when somebody asks for it (signal `recheck`)"
