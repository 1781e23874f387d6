"""A page of the list is a check of many orders at once: it names nobody, so it is judged by how many it can be for."""

from bisect import bisect_left
from collections.abc import Iterator
from math import inf

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import Rules, Story, Violation, iso
from tests.chaos.invariants.troubles import Span, Troubles, overlaps

GAP_TOLERANCE_SECONDS = 0.05


def no_more_pages_than_open_orders(books: Books, rules: Rules) -> Iterator[Violation]:
    """No order is asked about twice in five seconds, so in five seconds every first page was for an order of its own.

    Pages after the first belong to the same question. When nothing is open, nobody asks at all.
    """
    lives = [life for story in books.stories.values() if (life := _life(story, rules))]
    asked = sorted(entry.at for entry in books.requests.values() if _is_first_page(entry.endpoint, entry.query))
    troubles, gap = Troubles.of(books.processes), rules.poll_gap_seconds - GAP_TOLERANCE_SECONDS
    for number, at in enumerate(asked):
        pages = bisect_left(asked, at + gap) - number
        people = sum(overlaps([life], at, at + gap) for life in lives)
        if pages > people and not troubles.between(at - gap, at + gap) and not troubles.backlogged(at, at + gap):
            sentence = (
                f"the list was asked for {pages} times in {rules.poll_gap_seconds:g} s, with {people} orders open"
            )
            yield Violation("needless_page", sentence, at=iso(at))
            return


def _is_first_page(endpoint: str | None, query: dict[str, str] | None) -> bool:
    return endpoint == "list" and (query or {}).get("page", "1") == "1"


def _life(story: Story, rules: Rules) -> Span | None:
    begun = [*(each.at for each in story.accepted[:1]), *(each.at for each in story.requests[:1])]
    if not begun:
        return None
    finished_at = story.end.finished_at if story.end and story.end.final else None
    return min(begun), inf if finished_at is None else finished_at + rules.late_check_seconds
