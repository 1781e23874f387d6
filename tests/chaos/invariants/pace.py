"""How often and how late we ask: no check after the end, five seconds between checks, the rate limit, `deliver_by`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import (
    ASKING_ACTS,
    FINAL_WORDS,
    FORGETFUL_ACTS,
    Entry,
    Rules,
    Story,
    Violation,
    iso,
)
from tests.chaos.invariants.hearing import final_answers, surely_heard
from tests.chaos.invariants.troubles import Troubles

GAP_TOLERANCE_SECONDS = 0.05
LOOK_UP_SECONDS = 30.0
RATE_WINDOW_SECONDS = 60.0
# An act is written down when it is over.
WORD_SECONDS = 65.0
# A later answer than that was given up before it came.
PATIENCE_SECONDS = {"send": 30.0}
CHECK_PATIENCE_SECONDS = 8.0


def no_check_after_the_end(books: Books, rules: Rules) -> Iterator[Violation]:
    """After a final answer that somebody surely heard, or that ended the order, nothing is asked any more."""
    for story in books.stories.values():
        last = story.requests[-1].at if story.requests else 0.0
        ends = (each for each in final_answers(story) if each.at < last)
        end = next((each for each in ends if surely_heard(books, rules, story, each)), None)
        if end is not None:
            yield from _after(end.at, f"the answer {end.status}", story, books, rules)
        elif story.end and story.end.final and story.end.finished_at:
            # It may have heard its end from a page, which names nobody who listened.
            yield from _after(story.end.finished_at, f"its end as {story.phase}", story, books, rules)


def _after(end_at: float, what: str, story: Story, books: Books, rules: Rules) -> Iterator[Violation]:
    troubles = books.troubles_of(story)
    for request in story.requests:
        if request.at - end_at <= rules.late_check_seconds or troubles.backlogged(request.at, request.at):
            continue
        # Who is thawed finishes what it was about to ask.
        if troubles.between(request.at - CHECK_PATIENCE_SECONDS, request.at):
            continue
        if story.acted(ASKING_ACTS, end_at - 1, request.at + WORD_SECONDS):
            return
        sentence = f"{story.ref} met a {request.endpoint} {request.at - end_at:.1f} s after {what}"
        yield Violation("no_late_check", sentence, story.ref, request.key, iso(request.at))


def nothing_known_is_sent_again(books: Books, rules: Rules) -> Iterator[Violation]:
    """No send for an order of which the provider has already shown a record to us."""
    for story in books.stories.values():
        for request in [each for each in story.requests if each.endpoint == "send"][1:]:
            known = next((each for each in story.answers if _was_known(each, request, story, books, rules)), None)
            if known is not None:
                sentence = f"{story.ref} was sent again, although the provider had answered {known.status}"
                yield Violation("needless_send", f"{sentence} at {iso(known.at)}", story.ref, at=iso(request.at))


def _was_known(answer: Entry, request: Entry, story: Story, books: Books, rules: Rules) -> bool:
    if answer.status is None or answer.at >= request.at or story.acted(FORGETFUL_ACTS, answer.at - 1, request.at):
        return False
    if books.troubles_of(story).backlogged(request.at, request.at):
        return False
    # Who lost a final answer in a kill finds it again by looking, never by sending.
    return answer.status in FINAL_WORDS or surely_heard(books, rules, story, answer)


@dataclass(slots=True)
class Asking:
    """A send, a check, or a look-up by both forms of the ref. `over_at`: its last sign of life."""

    what: str
    at: float
    over_at: float
    may_grow: bool


def five_seconds_between_checks(books: Books, rules: Rules) -> Iterator[Violation]:
    """Two requests for one order keep their distance, unless somebody was hit in between."""
    for story in books.stories.values():
        askings = _askings(story)
        for before, after in pairwise(askings):
            gap = after.at - before.over_at
            if gap >= rules.poll_gap_seconds - GAP_TOLERANCE_SECONDS or _was_hit(before.at, after.at, story, books):
                continue
            sentence = f"{story.ref} met a {after.what} only {gap:.2f} s after a {before.what}"
            yield Violation("gap", sentence, story.ref, at=iso(after.at))


def _was_hit(since: float, until: float, story: Story, books: Books) -> bool:
    troubles = books.troubles_of(story)
    is_new_run = story.acted(FORGETFUL_ACTS, since, until)
    return is_new_run or troubles.between(since, until) or troubles.backlogged(since, until)


def _askings(story: Story) -> list[Asking]:
    answered = {answer.request_seq: answer.at for answer in story.answers}
    found: list[Asking] = []
    for request in story.requests:
        over_at = answered.get(request.seq, request.at)
        if over_at - request.at > PATIENCE_SECONDS.get(str(request.endpoint), CHECK_PATIENCE_SECONDS):
            over_at = request.at
        is_look_up = request.endpoint == "check-ref"
        is_bare = is_look_up and unquote((request.path or "").rpartition("/")[2]) == story.ref
        last = found[-1] if found else None
        if last and last.may_grow and is_look_up and not is_bare and request.at - last.over_at < LOOK_UP_SECONDS:
            last.over_at, last.may_grow = max(over_at, last.over_at), False
        else:
            what = "look-up" if is_look_up else str(request.endpoint)
            found.append(Asking(what, request.at, over_at, may_grow=is_bare))
    return found


def the_rate_limit_holds(books: Books, rules: Rules) -> Iterator[Violation]:
    """Over any minute no more requests with a key than it may make, restarts included."""
    foreign = {entry.seq for story in books.stories.values() for entry in story.foreign}
    provider = Troubles.of(books.processes)
    arrivals: dict[str, list[float]] = defaultdict(list)
    for entry in books.entries:
        if entry.kind != "request" or entry.key not in rules.rate_limits or entry.seq in foreign:
            continue
        if not provider.backlogged(entry.at, entry.at):
            arrivals[entry.key].append(entry.at)
    for key, times in arrivals.items():
        count, since = _busiest_minute(sorted(times))
        if count > rules.rate_limits[key]:
            sentence = f"{key} made {count} requests in the minute from {iso(since)}, and may make"
            yield Violation("rate_limit", f"{sentence} {rules.rate_limits[key]}", key=key, at=iso(since))


def _busiest_minute(times: list[float]) -> tuple[int, float]:
    most, busiest, first = 0, 0.0, 0
    for last, at in enumerate(times):
        while at - times[first] >= RATE_WINDOW_SECONDS:
            first += 1
        if last - first + 1 > most:
            most, busiest = last - first + 1, times[first]
    return most, busiest


def nothing_is_sent_too_late(books: Books, rules: Rules) -> Iterator[Violation]:
    """No send reaches the provider after the time until which the order may be delivered."""
    for story in books.accepted:
        latest = _deliver_by(story)
        for request in story.requests:
            if latest is None or request.endpoint != "send" or request.at <= latest + rules.deliver_by_grace_seconds:
                continue
            if not books.troubles_of(story).backlogged(request.at, request.at):
                sentence = f"{story.ref} was sent {request.at - latest:.1f} s after its time to deliver"
                yield Violation("deliver_by", sentence, story.ref, request.key, iso(request.at))


def _deliver_by(story: Story) -> float | None:
    # What the workflow itself holds is exact; the client's own row was written after the acknowledgement.
    if story.end and story.end.deliver_by:
        return story.end.deliver_by
    return max((each.deliver_by for each in story.accepted if each.deliver_by), default=None)
