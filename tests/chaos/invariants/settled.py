"""Every acknowledged order is final, or waits for a recheck that has a date; and we can say so freshly."""

from collections.abc import Iterator

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import FINAL_PHASES, Rules, Story, Violation, iso


def the_evidence_is_whole(books: Books, rules: Rules) -> Iterator[Violation]:
    """A run that was broken off, or a ledger with a gap, proves nothing."""
    if not any(story.accepted for story in books.stories.values()):
        yield Violation("evidence", "not one order was acknowledged")
    if books.faults_stopped_at is None or books.settled_at is None:
        yield Violation("evidence", "the run was broken off before everything had settled")
    for number, entry in enumerate(books.entries, start=1):
        if entry.seq != number:
            yield Violation("evidence", f"the ledger lacks row {number}", at=iso(entry.at))
            return


def every_order_settles(books: Books, rules: Rules) -> Iterator[Violation]:
    """An acknowledged order is final in time after the faults stopped, or has a date for its next check."""
    for story in books.accepted:
        sentence = _unsettled(story) or _late(story, books, rules)
        if sentence:
            yield Violation("settled", f"{story.ref} {sentence}", ref=story.ref)


def is_settled(story: Story) -> bool:
    """Tell whether the order has an end or a date for its recheck."""
    return _unsettled(story) is None


def _unsettled(story: Story) -> str | None:
    end = story.end
    if end is None:
        return "was lost: it was acknowledged, but in the end nobody can say what became of it"
    if end.phase == "UNKNOWN_ERROR":
        return None if end.next_check_at else "was lost: it is UNKNOWN_ERROR, and no recheck has a date"
    if end.phase == "CONFIRMING" and story.has_act("foreign") and end.next_check_at:
        # Somebody else's record holds its ref, and its own send had no answer: it is looked up until a person decides.
        return None
    if end.final != (end.phase in FINAL_PHASES):
        return f"is {end.phase}, yet `final` says {end.final}"
    if not end.final:
        return f"was lost: long after the faults had stopped it is still {end.phase}"
    return None if end.finished_at else f"is {end.phase}, but has no time of its end"


def _late(story: Story, books: Books, rules: Rules) -> str | None:
    end = story.end
    # An order that waited for its recheck was where it should be, however late that comes.
    was_on_recheck = any(said.status == "UNKNOWN_ERROR" for said in (*story.answers, *story.pages))
    if end is None or end.finished_at is None or books.faults_stopped_at is None or was_on_recheck:
        return None
    begun = max(books.faults_stopped_at, story.accepted[0].at, *(act.at for act in story.acts), 0.0)
    late = end.finished_at - begun - rules.settle_seconds
    if late <= 0:
        return None
    return f"ended {end.phase} at {iso(end.finished_at)}, {late:.1f} s later than it may after the faults stopped"


def every_end_is_fresh(books: Books, rules: Rules) -> Iterator[Violation]:
    """In the end a worker itself answers for every order."""
    for story in books.accepted:
        if story.end and story.end.stale:
            yield Violation("fresh_view", f"{story.ref}: no worker answered for it in the end", ref=story.ref)


def every_handed_order_is_accepted(books: Books, rules: Rules) -> Iterator[Violation]:
    """The client submits again and again, so in the end every order was acknowledged."""
    for story in books.stories.values():
        if not story.accepted:
            yield Violation("accepted", f"{story.ref} was handed over and never acknowledged", ref=story.ref)


def one_body_a_ref(books: Books, rules: Rules) -> Iterator[Violation]:
    """Another order under a ref that is in use is a conflict; only a forgotten ref is free again."""
    for story in books.accepted:
        bodies = {acceptance.body for acceptance in story.accepted}
        if len(bodies) > 1 and not story.has_act("delete", "terminate"):
            yield Violation("conflict", f"{story.ref}: two different orders were acknowledged under it", ref=story.ref)
        if not bodies <= set(story.handed):
            yield Violation("conflict", f"{story.ref} was acknowledged as an order that nobody handed over", story.ref)
