"""Any history at all: every answer in any order, people's words, lost workers and late timers."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

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
    TOPUP_ID,
    found,
    new_order,
)
from topups import people
from topups.lifecycle import Action, Wait, begin, next_step, observe
from topups.models import Cancel, HoldReason, Outcome, Phase, Reopening, Resolve
from topups.observations import Found, Held, NoAnswer, Observation, OtherAccount, PlanRefused
from topups.order import Order

STRANGER = OtherAccount(why="a worker of another account took it")
STATUSES = ["PENDING", "HANDLING", "FULFILLED", "REFUNDED", "UNKNOWN_ERROR", "SOMETHING_NEW"]
OURS: dict[str, object] = {}
ODD: list[dict[str, object]] = [
    {"phone": "0550000000"},
    {"ref": "order-7"},
    {"topup_id": "f" * 24},
    {"created_at": BEGAN - timedelta(days=2)},
]
LATENESS = st.sampled_from([0.0] * 8 + [0.3, 61.0, 2_000.0])
DURATIONS = st.sampled_from([0.0, 0.0, 0.2, 8.0, 45.0])
CHANCES = st.sampled_from([0.0, 0.5, 0.99])
RETRY_AFTER = st.sampled_from([0.0, 40.0, 900.0])

holds = st.builds(
    Held, reason=st.sampled_from(HoldReason), why=st.just("held"), left=st.booleans(), retry_after=RETRY_AFTER
)
silences = st.builds(NoAnswer, why=st.just("silence"), lost=st.just(value=False), retry_after=RETRY_AFTER)
refusals = st.sampled_from(["PLAN_UNKNOWN", "PLAN_DISABLED"]).map(lambda code: PlanRefused(code=code, message="no"))
records = st.builds(
    lambda status, odd: found(status, **odd), st.sampled_from(STATUSES), st.sampled_from([OURS, OURS, OURS, *ODD])
)
# What helps an order on its way comes more often, or no history would get far.
misses = st.sampled_from([MISSED] * 4)
answers: dict[Action, st.SearchStrategy[Observation]] = {
    "prepare": st.one_of(st.sampled_from([PREPARED] * 4), refusals, holds, st.sampled_from([STRANGER, LOST])),
    "send": st.one_of(
        st.sampled_from([IN_DOUBT] * 4), st.sampled_from([ACCEPTED, DUPLICATE, REFUSED, STRANGER]), holds
    ),
    "look_up": st.one_of([misses] * 7 + [silences, records, st.sampled_from([LOST, STRANGER])]),
    "check": st.one_of(records, silences, st.sampled_from([STRANGER, LOST])),
}


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

    @precondition(lambda self: self.order == new_order())
    @rule(topup_id=st.sampled_from([None, TOPUP_ID]))
    def somebody_reopens_it(self, topup_id: str | None) -> None:
        reopening = Reopening(note="terminated", by="amel@shop", accepted_at=BEGAN, topup_id=topup_id)
        self.order, self.open = new_order(reopening=reopening), None
        self.books = Books(may_exist=True, forbidden=True, topup_id=topup_id)

    @precondition(lambda self: self.open is None and self.end is None)
    @rule(data=st.data(), requests=st.integers(1, 6))
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
        self.order = begin(self.order, step, self.now)
        self.open = None if step == "expire" else step

    @precondition(lambda self: self.open is not None)
    @rule(data=st.data())
    def the_answer_comes(self, data: st.DataObject) -> None:
        assert self.open is not None
        self.now += timedelta(seconds=data.draw(DURATIONS))
        self.seen = data.draw(answers[self.open])
        self.books.enter(self.open, self.seen, self.now)
        looked = not isinstance(self.seen, OtherAccount) and self.seen != LOST
        decided = self.order.resolution_asked and looked
        self.order, self.open = observe(self.order, self.seen, self.now, data.draw(CHANCES)), None
        assert not decided or self.order.resolution is None, "the look that a person's word asked for decides"

    @rule(seconds=st.sampled_from([0.1, 5.0, 60.0, 900.0, 90_000.0]))
    def nothing_happens_for_a_while(self, seconds: float) -> None:
        # A request never outlives its time-out.
        self.now += timedelta(seconds=min(seconds, 45.0) if self.open else seconds)

    @rule()
    def somebody_asks_for_a_recheck(self) -> None:
        self.order = people.recheck(self.order, "amel@shop", self.now)

    @rule(raw=st.booleans())
    def somebody_cancels(self, raw: bool) -> None:
        if raw:
            self.order = people.cancel_from_temporal(self.order, self.now)
        elif people.why_not_cancel(self.order) is None:
            self.order = people.cancel(self.order, Cancel(reason="no longer wanted"), self.now)

    @rule(outcome=st.sampled_from(["FULFILLED", "REFUNDED", "NOT_CREATED"]))
    def somebody_resolves(self, outcome: Outcome) -> None:
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


AnyHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestAnyHistory = AnyHistory.TestCase
