"""A refused key is hardly ever tried again: the fifth refusal would block every order of the host."""

from collections.abc import Iterator

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import Entry, Rules, Violation, iso

# Requests that were on their way when the refusal came.
IN_FLIGHT_SECONDS = 0.5
PAUSE_TOLERANCE_SECONDS = 1.0
REFUSALS = frozenset({"IP_BLOCKED", "API_DISABLED"})


def a_refused_key_is_left_alone(books: Books, rules: Rules) -> Iterator[Violation]:
    """After a 401 few requests with that key over all processes, each long after the one before."""
    for key in rules.watched_keys:
        yield from _of_key(key, [entry for entry in books.entries if entry.key == key], rules)


def is_refusal(entry: Entry) -> bool:
    """Tell whether an answer refused the key itself."""
    return entry.kind == "answer" and (entry.http == 401 or entry.code in REFUSALS)


def _of_key(key: str, entries: list[Entry], rules: Rules) -> Iterator[Violation]:
    refused_at: float | None = None
    last_try, tries, seqs = 0.0, 0, set[int]()
    for entry in sorted(entries, key=lambda each: (each.at, each.seq)):
        if is_refusal(entry):
            if refused_at is None:
                refused_at, last_try, tries = entry.at, entry.at, 0
        elif entry.kind == "answer" and entry.http == 200 and entry.request_seq in seqs:
            refused_at = None
            seqs.clear()
        elif entry.kind == "request" and refused_at is not None and entry.at > refused_at + IN_FLIGHT_SECONDS:
            tries += 1
            seqs.add(entry.seq)
            yield from _try(key, entry, tries, last_try, rules)
            last_try = entry.at


def _try(key: str, entry: Entry, tries: int, last_try: float, rules: Rules) -> Iterator[Violation]:
    if tries == rules.refused_key_requests + 1:
        sentence = f"{key} was refused and yet made more than {rules.refused_key_requests} requests"
        yield Violation("refused_key", sentence, key=key, at=iso(entry.at))
    if entry.at - last_try < rules.refused_key_pause_seconds - PAUSE_TOLERANCE_SECONDS:
        sentence = f"{key} was refused and made a {entry.endpoint} {entry.at - last_try:.1f} s after its last try"
        yield Violation("refused_key", sentence, entry.ref, key, iso(entry.at))
