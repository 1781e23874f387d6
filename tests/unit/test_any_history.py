"""Any history at all: every answer in any order, people's words, lost workers and late timers."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.books import Books
from tests.unit.story import (
    ACCEPTED,
    BEGAN,
    DUPLICATE,
    IN_DOUBT,
    LOST,
    MISSED,
    PREPARED,
    REFUSED,
    SEND_LOST,
    TOPUP_ID,
    found,
    new_order,
    started,
)
from topups import people
from topups.lifecycle import Action, Wait, next_step, observe
from topups.models import Cancel, HoldReason, Outcome, Phase, Reopening, Resolve
from topups.observations import Found, Held, NoAnswer, Observation, OtherAccount, PlanRefused
from topups.order import Order
from topups.policy import RELEASE

STRANGER = OtherAccount(why="a worker of another account took it")
STATUSES = ["PENDING", "HANDLING", "FULFILLED", "REFUNDED", "UNKNOWN_ERROR", "SOMETHING_NEW"]
OURS: dict[str, object] = {}
ODD: list[dict[str, object]] = [
    {"phone": "0550000000"},
    {"ref": "order-7"},
    {"topup_id": "f" * 24},
    {"topup_id": None},
    {"created_at": BEGAN - timedelta(days=2)},
]
LATENESS = st.sampled_from([0.0] * 20 + [0.3, 61.0, 2_000.0])
DURATIONS = st.sampled_from([0.0, 0.0, 0.2, 8.0, 45.0])
AHEAD = st.sampled_from([0.0, 0.0, 1.0, 3_600.0])
HEARD_AFTER = st.sampled_from([0.0] * 6 + [0.5, 4.0, 60.0])
WITHIN = st.sampled_from([60, 1_800, 86_400])
CHANCES = st.sampled_from([0.0, 0.5, 0.99])
Kind = list[Observation]
NOT_CREATED: Kind = [
    Held(reason=reason, why="held", left=left, retry_after=retry_after)
    for reason in HoldReason
    for left in (True, False)
    for retry_after in (0.0, 900.0)
]
SILENT: Kind = [NoAnswer(why="silence", retry_after=retry_after) for retry_after in (0.0, 40.0, 900.0)]
NOBODY: Kind = [LOST, STRANGER]
NO_PLAN: Kind = [PlanRefused(code=code, message="no") for code in ("PLAN_UNKNOWN", "PLAN_DISABLED")]
RECORDS: Kind = [found(status, **odd) for status in STATUSES for odd in (OURS, OURS, OURS, OURS, *ODD)]
READY: Kind = [PREPARED]
TAKEN: Kind = [ACCEPTED]
DOUBT: Kind = [IN_DOUBT, SEND_LOST]
PROOF: Kind = [DUPLICATE, REFUSED]
NOTHING: Kind = [MISSED]

Answers = dict[Action, list[Kind]]
ANYTHING: Answers = {
    "prepare": [READY, READY, NO_PLAN, NOT_CREATED, NOBODY],
    "send": [TAKEN, DOUBT, PROOF, NOT_CREATED, [STRANGER]],
    "look_up": [NOTHING, SILENT, RECORDS, NOBODY],
    "check": [RECORDS, SILENT, NOBODY],
}
# Most sends in doubt and most look-ups without a record: the histories that lead to further sends.
IN_THE_DARK: Answers = ANYTHING | {
    "prepare": [READY],
    "send": [DOUBT, DOUBT, DOUBT, DOUBT, TAKEN, PROOF, NOT_CREATED],
    "look_up": [NOTHING] * 30 + [SILENT, NOBODY, RECORDS],
}
SELDOM = st.sampled_from([False] * 5 + [True])


class AnyHistory(RuleBasedStateMachine):
    """One order in the hands of a provider that may say anything, and of people who may too."""

    def __init__(self) -> None:
        super().__init__()
        self.order: Order = new_order()
        self.now: datetime = BEGAN
        self.open: Action | None = None
        self.seen: Observation | None = None
        self.words: set[Outcome] = set()
        self.end: Phase | None = None
        self.books = Books()
        self.answers = ANYTHING

    @initialize(data=st.data(), answers=st.sampled_from([ANYTHING, IN_THE_DARK]), within=WITHIN, reopened=SELDOM)
    def it_begins(self, data: st.DataObject, answers: Answers, within: int, reopened: bool) -> None:
        self.answers, reopening = answers, None
        if reopened:
            topup_id = data.draw(st.sampled_from([None, TOPUP_ID]))
            reopening = Reopening(note="terminated", by="amel@shop", accepted_at=BEGAN, topup_id=topup_id)
            self.books = Books(may_exist=True, forbidden=True, topup_id=topup_id)
        self.books.release = data.draw(st.sampled_from([1, 2, 3, RELEASE]))
        self.order = new_order(reopening=reopening, deliver_within=within).but(release=self.books.release)
        self.requests_are_answered(data, data.draw(st.sampled_from([0, 1, 2, 3, 8, 50])))

    @precondition(lambda self: self.open is None and self.end is None)
    @rule(data=st.data(), requests=st.sampled_from([1, 2, 8]))
    def requests_are_answered(self, data: st.DataObject, requests: int) -> None:
        for _ in range(requests):
            if self.open is None and not self.order.final:
                self.the_next_step_begins(data)
            if self.open is not None:
                self.the_answer_comes(data)

    @precondition(lambda self: self.open is None and self.end is None)
    @rule(data=st.data())
    def the_next_step_begins(self, data: st.DataObject) -> None:
        step = next_step(self.order, self.now)
        if isinstance(step, Wait):
            self.now = step.until + timedelta(seconds=data.draw(LATENESS))
            step = next_step(self.order, self.now)
        assert step is not None
        assert not isinstance(step, Wait), "a wait that was waited is over"
        self.books.begins(step, self.now, self.order.deliver_by)
        self.order = started(self.order, step, self.now)
        self.open = None if step == "expire" else step

    @precondition(lambda self: self.open is not None)
    @rule(data=st.data())
    def the_answer_comes(self, data: st.DataObject) -> None:
        assert self.open is not None
        self.now += timedelta(seconds=data.draw(DURATIONS))
        self.seen = data.draw(st.sampled_from(self.answers[self.open]).flatmap(st.sampled_from))
        self.books.enter(self.open, self.seen, self.now)
        if self.open == "check" and isinstance(self.seen, Found):
            # The worker's clock may be ahead, and the order may hear of the answer long after it came.
            ended_at = self.now + timedelta(seconds=data.draw(AHEAD))
            self.seen = self.seen.model_copy(update={"ended_at": ended_at})
            self.now += timedelta(seconds=data.draw(HEARD_AFTER))
        looked = not isinstance(self.seen, OtherAccount) and self.seen != LOST
        decided = self.order.resolution_asked and looked
        self.order, self.open = observe(self.order, self.seen, self.now, data.draw(CHANCES)), None
        assert not decided or self.order.resolution is None, "the look that a person's word asked for decides"

    @rule(seconds=st.sampled_from([0.1, 5.0, 60.0, 300.0, 900.0]))
    def nothing_happens_for_a_while(self, seconds: float) -> None:
        # A request never outlives its time-out.
        self.now += timedelta(seconds=min(seconds, 45.0) if self.open else seconds)

    @rule()
    def somebody_asks_for_a_recheck(self) -> None:
        self.order = people.recheck(self.order, "amel@shop", self.now)

    @rule(seldom=SELDOM, raw=st.booleans())
    def somebody_cancels(self, seldom: bool, raw: bool) -> None:
        # An order that was surely not sent ends by this, and its history with it.
        if not (self.order.may_exist or seldom):
            return
        if raw:
            self.order = people.cancel_from_temporal(self.order, self.now)
        elif people.why_not_cancel(self.order) is None:
            self.order = people.cancel(self.order, Cancel(reason="no longer wanted"), self.now)

    @rule(seldom=SELDOM, outcome=st.sampled_from(["FULFILLED", "REFUNDED", "NOT_CREATED"]))
    def somebody_resolves(self, seldom: bool, outcome: Outcome) -> None:
        if not (self.open or seldom):
            return
        word = Resolve(outcome=outcome, note="the operator says so", by="amel@shop")
        if people.why_not_resolve(self.order, word, self.now) is not None:
            return
        assert self.open != "send"
        self.words.add(outcome)
        self.books.forbidden = True
        self.order = people.resolve(self.order, word, self.now)

    @invariant()
    def the_order_never_forgets_what_may_exist(self) -> None:
        assert self.order.may_exist or not self.books.may_exist

    @invariant()
    def what_may_exist_is_never_held_cancelled_or_rejected_without_proof(self) -> None:
        if not self.books.may_exist:
            return
        assert self.order.phase not in {Phase.ON_HOLD, Phase.CANCELLED}
        if self.order.phase is Phase.REJECTED:
            taken = self.order.error_code == "REF_TAKEN" and self.books.duplicate and self.books.topup_id is None
            assert taken or (self.order.error_code == "NEVER_CREATED" and "NOT_CREATED" in self.words)

    @invariant()
    def only_the_provider_or_a_person_says_how_it_ended(self) -> None:
        if self.order.phase in {Phase.FULFILLED, Phase.REFUNDED}:
            said = isinstance(self.seen, Found) and self.seen.record.status == self.order.phase
            assert said or (self.order.phase.value in self.words and self.order.resolved_by)

    @invariant()
    def an_end_never_changes(self) -> None:
        if not self.order.final:
            assert self.end is None
            return
        self.end = self.end or self.order.phase
        assert self.order.phase is self.end
        assert self.order.finished_at is not None
        assert next_step(self.order, self.now) is None
        assert observe(self.order, found("REFUNDED"), self.now, 0.5) is self.order

    @invariant()
    def there_is_always_a_next_step_within_a_day(self) -> None:
        if self.order.final or self.open:
            return
        step = next_step(self.order, self.now)
        assert step is not None
        assert not isinstance(step, Wait) or self.now < step.until <= self.now + timedelta(days=1, seconds=5)

    @invariant()
    def the_order_survives_json_and_can_be_shown(self) -> None:
        assert Order.model_validate_json(self.order.model_dump_json()) == self.order
        assert self.order.view().model_dump_json()


AnyHistory.TestCase.settings = settings(max_examples=300, stateful_step_count=25, deadline=None)
TestAnyHistory = AnyHistory.TestCase
