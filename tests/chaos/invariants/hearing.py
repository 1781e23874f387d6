"""Which of the provider's answers surely reached somebody who lived on to act on them."""

from collections.abc import Iterator
from math import inf

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import FINAL_WORDS, Entry, Rules, Story

# The client gives a GET 8 s in all; an answer near that may have met a closed door.
PATIENCE_SECONDS = 7.0
MARGIN_SECONDS = 1.0
INTERRUPTIONS = frozenset({"delete", "terminate"})


def surely_heard(books: Books, rules: Rules, story: Story, answer: Entry) -> bool:
    """Tell whether nobody was killed, frozen or thawed from the request until everybody had time to act."""
    asked_at = books.asked_at(answer)
    since, until = min(asked_at, answer.at - MARGIN_SECONDS), answer.at + rules.lived_on_seconds
    if answer.at - asked_at > PATIENCE_SECONDS or story.acted(INTERRUPTIONS, since, until):
        return False
    troubles = books.troubles_of(story)
    return not troubles.between(since, until) and not troubles.backlogged(since, answer.at)


def final_answers(story: Story) -> Iterator[Entry]:
    """The provider's whole answers that named an end of this order."""
    return (answer for answer in story.answers if answer.status in FINAL_WORDS and answer.endpoint != "send")


def first_word(books: Books, rules: Rules, story: Story) -> tuple[set[str], Entry | None]:
    """Return the ends that we may rightly say, and the first final answer that was surely heard, if any.

    A final answer that a kill may have eaten is right as well; the first that was surely heard is the last one that
    counts. Without any whole answer the truth is what the provider did first with the order. What was said before
    Temporal was made to forget the order counts only if nothing was said after. What a page of the list showed until
    then may have been heard as well.
    """
    forgotten_at = max((act.at for act in story.acts if act.act == "delete"), default=0.0)
    said = list(final_answers(story))
    words: set[str] = set()
    for answer in [each for each in said if each.at > forgotten_at] or said:
        words.add(str(answer.status))
        if surely_heard(books, rules, story, answer):
            return words | _shown(story, forgotten_at, answer.at), answer
    done = sorted((*story.deliveries, *story.refunds), key=lambda entry: entry.seq)
    words |= {"FULFILLED" if entry.kind == "delivery" else "REFUNDED" for entry in done[:1]}
    return words | _shown(story, forgotten_at, inf), None


def _shown(story: Story, since: float, until: float) -> set[str]:
    return {str(page.status) for page in story.pages if page.status in FINAL_WORDS and since < page.at <= until}
