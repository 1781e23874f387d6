"""UNKNOWN_ERROR: asked again a day after it was first seen, then daily, never in between, also across restarts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import FORGETFUL_ACTS, Entry, Rules, Story, Violation, iso
from tests.chaos.invariants.hearing import surely_heard
from tests.chaos.invariants.troubles import NOTED_LATE_SECONDS, Span

UNKNOWN = "UNKNOWN_ERROR"
EARLY_TOLERANCE_SECONDS = 0.1
# From the provider's answer until the order knows of it, with a worker lost in between.
SEEN_SECONDS = 15.0
# A check that died with its worker is missed after 10 s and asked again 5 s later, on a busy machine a little more.
ASKED_AGAIN_SECONDS = 30.0
# An act is written down when it is over, and a word may have waited for a request that was under way.
WORD_SECONDS = 65.0
DAY_SECONDS = 86_400.0


def unknown_orders_are_asked_daily(books: Books, rules: Rules) -> Iterator[Violation]:
    """Rechecks come at first-seen + k x 24 h, -0/+60 s, and nothing is asked in between."""
    for story in books.accepted:
        for sleep in _sleeps(story, books):
            yield from _Watch(sleep, story, books, rules).violations()


@dataclass(slots=True)
class Sleep:
    """The time from a first UNKNOWN_ERROR until the provider says something else. `until`: nobody asks after that.

    `pages` of the list showed the order meanwhile: each may have been a recheck, or have been asked for others.
    """

    first: Entry
    requests: list[Entry] = field(default_factory=list)
    pages: list[Entry] = field(default_factory=list)
    until: float = 0.0


def _sleeps(story: Story, books: Books) -> Iterator[Sleep]:
    if not any(said.status == UNKNOWN for said in (*story.answers, *story.pages)):
        return
    sleep: Sleep | None = None
    breaks = [act.at for act in story.acts if act.act in FORGETFUL_ACTS or (act.act == "resolve" and act.ok)]
    for entry in sorted((*story.requests, *story.answers, *story.pages), key=lambda each: each.seq):
        if sleep and any(sleep.first.at <= at <= entry.at for at in breaks):
            yield _closed(sleep, min(at for at in breaks if at >= sleep.first.at) - WORD_SECONDS)
            sleep = None
        if entry.kind == "request":
            if sleep:
                sleep.requests.append(entry)
        elif entry.endpoint == "list":
            # A page that lies may show a sleep that is long over.
            sleep = sleep or (Sleep(entry) if entry.status == UNKNOWN and not entry.lie else None)
            if sleep:
                sleep.pages.append(entry)
        elif entry.status == UNKNOWN:
            sleep = sleep or Sleep(entry)
        elif sleep and entry.status in {"PENDING", "HANDLING", "FULFILLED", "REFUNDED"}:
            yield _closed(sleep, entry.at)
            sleep = None
    if sleep:
        later = [at - WORD_SECONDS for at in breaks if at > sleep.first.at]
        yield _closed(sleep, min([books.over_at, *later]))


def _closed(sleep: Sleep, until: float) -> Sleep:
    sleep.until = until
    return sleep


class _Watch:
    """Goes through one sleep. The base of the schedule moves only while nobody may have heard the first answer."""

    def __init__(self, sleep: Sleep, story: Story, books: Books, rules: Rules) -> None:
        self._sleep = sleep
        self._story = story
        self._books = books
        self._rules = rules
        self._skips = [act.at for act in story.acts if act.act == "skip"]
        self._wait = DAY_SECONDS if self._skips else rules.unknown_recheck_seconds
        self._answer_of = {answer.request_seq: answer for answer in story.answers}
        self._base = sleep.first
        self._is_sure = sleep.first.endpoint != "list" and surely_heard(books, rules, story, sleep.first)
        self._woken_at = min((page.at for page in sleep.pages if page.status != UNKNOWN), default=inf)
        self._met: set[int] = set()
        self._slack = 0.0

    def violations(self) -> Iterator[Violation]:
        before = self._base
        for request in self._sleep.requests:
            index = self._due_index(request.at)
            if index is not None:
                self._meet(index, request)
            elif self._was_asked_for(request) or request.at > self._woken_at:
                pass
            elif not self._is_unheard(before, request):
                yield self._off(request)
            elif not self._is_sure and (answer := self._answer_of.get(request.seq)) and answer.status == UNKNOWN:
                self._base, self._is_sure = answer, surely_heard(self._books, self._rules, self._story, answer)
            before = request
        yield from self._missing()

    def _meet(self, index: int, request: Entry) -> None:
        """Take a request for recheck number `index`; perhaps it is the first that anybody heard the answer of."""
        if not self._is_sure:
            self._slack = max(0.0, request.at - self._due_at(index))
        self._is_sure = True
        self._met.add(index)

    def _due_at(self, index: int) -> float:
        """When recheck number `index` is due on the wall clock; a skip of the server's clock brings it forward."""
        due = self._base.at + index * self._wait
        for skipped_at in self._skips:
            if due > skipped_at > self._base.at:
                due = max(skipped_at, due - DAY_SECONDS)
        return due

    def _due_index(self, at: float) -> int | None:
        elapsed = at - self._base.at + DAY_SECONDS * sum(self._base.at < skip <= at for skip in self._skips)
        last = int((elapsed + EARLY_TOLERANCE_SECONDS) // self._wait)
        for index in range(last, max(last - 5, 0), -1):
            due = self._due_at(index)
            if index not in self._met and due - EARLY_TOLERANCE_SECONDS <= at <= self._deadline(due):
                return index
        return None

    def _was_asked_for(self, request: Entry) -> bool:
        words = (act for act in self._story.acts if act.act in {"recheck", "resolve"})
        return any(abs(act.at - request.at) < WORD_SECONDS for act in words)

    def _is_unheard(self, before: Entry, request: Entry) -> bool:
        """Tell whether what was asked before got no answer that anybody surely heard; then it is soon asked again."""
        answer = before if before.kind == "answer" else self._answer_of.get(before.seq)
        if answer is None or answer.status is None or answer.endpoint == "list":
            return True
        if surely_heard(self._books, self._rules, self._story, answer):
            return False
        troubles = self._books.troubles_of(self._story)
        since, until = self._books.asked_at(answer) - NOTED_LATE_SECONDS, answer.at + SEEN_SECONDS
        away = _ends((*troubles.temporal_away, *troubles.crew_away), since, until, 0)
        hit_at = max([answer.at, *away, *(blow for blow in troubles.blows if since <= blow <= until)])
        return request.at <= hit_at + ASKED_AGAIN_SECONDS

    def _off(self, request: Entry) -> Violation:
        after = request.at - self._base.at
        sentence = (
            f"{self._story.ref} was asked {after:.1f} s after it became UNKNOWN_ERROR, not at k x {self._wait:g} s"
        )
        return Violation("unknown_recheck", sentence, self._story.ref, request.key, iso(request.at))

    def _missing(self) -> Iterator[Violation]:
        pages = [(self._books.asked_at(page), page) for page in self._sleep.pages]
        asked = [*(request.at for request in self._sleep.requests), *(at for at, _ in pages)]
        index, until = 1, self._watched_until()
        while (due := self._due_at(index)) < until:
            deadline = self._deadline(due)
            if any(due - EARLY_TOLERANCE_SECONDS <= at <= deadline and page.status != UNKNOWN for at, page in pages):
                return
            came = any(due - EARLY_TOLERANCE_SECONDS <= at <= deadline for at in asked)
            if deadline < until and not came and not self._waits_for_answer(due):
                sentence = f"{self._story.ref} is UNKNOWN_ERROR; its recheck {index}, due at {iso(due)}, did not come"
                yield Violation("unknown_recheck", sentence, self._story.ref, at=iso(due))
            index += 1

    def _watched_until(self) -> float:
        end = self._story.end
        finished_at = end.finished_at if end and end.finished_at else self._sleep.until
        return min(self._sleep.until, max(finished_at, self._base.at))

    def _waits_for_answer(self, due: float) -> bool:
        """A recheck that nobody answered is repeated after a wait of its own, which may span the next ones."""
        troubles = self._books.troubles_of(self._story)
        deaf = (*troubles.provider_away, *troubles.strangers)
        again = self._rules.recheck_again_seconds + self._patience
        earlier = due - self._wait
        while earlier > max(self._base.at, due - again - self._patience):
            ends = _ends(deaf, earlier - SEEN_SECONDS, earlier + self._patience, again)
            if ends and due <= max(ends):
                return True
            earlier -= self._wait
        unanswered = [each for each in self._sleep.requests if each.seq not in self._answer_of]
        return any(due - again <= each.at <= due + self._patience for each in unanswered)

    @property
    def _patience(self) -> float:
        return SEEN_SECONDS + self._rules.recheck_late_seconds

    def _deadline(self, due: float) -> float:
        """The latest moment at which a recheck still is in time, given who was away when it was due."""
        troubles = self._books.troubles_of(self._story)
        since, until = due - SEEN_SECONDS, due + self._slack + self._patience
        ends = [until, *(blow + self._patience for blow in troubles.blows if since <= blow <= until)]
        ends += _ends((*troubles.temporal_away, *troubles.crew_away), since, until, self._patience)
        again = self._rules.recheck_again_seconds + self._patience
        ends += _ends((*troubles.provider_away, *troubles.strangers), since, until, again)
        return max(ends)


def _ends(spans: tuple[Span, ...], since: float, until: float, patience: float) -> list[float]:
    return [end + patience for start, end in spans if start <= until and since <= end]
