"""One delivery an order, one ref an order, our word the truth, and the wallet to the dinar."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.books import Books
from tests.chaos.invariants.evidence import Entry, Rules, Story, Violation, iso
from tests.chaos.invariants.hearing import first_word

Wallet = tuple[str | None, str | None]


def one_delivery_an_order(books: Books, rules: Rules) -> Iterator[Violation]:
    """At most one true delivery, and at most one order at the provider, over all accounts and refs."""
    elsewhere = _under_other_refs(books)
    for story in books.stories.values():
        ref, deliveries = story.ref, [*story.deliveries, *elsewhere.get(story.ref, [])]
        if len(deliveries) > 1:
            ids = ", ".join(f"{entry.topup_id} at {iso(entry.at)}" for entry in deliveries)
            yield Violation("one_delivery", f"{ref} was delivered twice: {ids}", ref, at=iso(deliveries[1].at))
        commits = story.commits
        may_reuse = rules.reuse_after_refund or ref in books.reused
        if len(commits) > 1 and not (may_reuse and len(story.refunds) >= len(commits) - 1):
            sentence = f"{ref} was created {len(commits)} times at the provider"
            yield Violation("one_delivery", sentence, ref, at=iso(commits[1].at))
        foreign = [entry for entry in story.foreign if entry.kind == "commit"]
        if foreign and not story.has_act("foreign", "delete", "terminate"):
            sentence = (
                f"{ref} has an order at the provider with another number, plan or amount, and nobody else made it"
            )
            yield Violation("one_delivery", sentence, ref, at=iso(foreign[0].at))


def _under_other_refs(books: Books) -> dict[str, list[Entry]]:
    """Deliveries under unknown refs, by the one order that they can only belong to."""
    owners: dict[tuple[str, str], list[Story]] = defaultdict(list)
    for story in books.stories.values():
        owners[story.body.phone[-9:], story.body.plan_code].append(story)
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in books.strangers:
        if entry.kind != "delivery" or entry.phone is None:
            continue
        candidates = [each for each in owners[entry.phone[-9:], entry.plan_code or ""] if each.body.owns(entry)]
        if len(candidates) == 1:
            found[candidates[0].ref].append(entry)
    return found


def one_ref_an_order(books: Books, rules: Rules) -> Iterator[Violation]:
    """Nothing is ever sent or created under a ref that nobody handed over."""
    for entry in books.strangers:
        # A POST that a kill cut off behind its head says nothing of what it was to be, and created nothing.
        cut_off = entry.kind == "request" and entry.ref is None and entry.phone is None
        if entry.kind in {"request", "commit"} and not cut_off:
            what = "sent to the provider" if entry.kind == "request" else "created at the provider"
            sentence = f"an order was {what} under the ref {entry.ref}, which nobody handed over"
            yield Violation("one_ref", sentence, entry.ref, entry.key, iso(entry.at))
    for story in books.stories.values():
        for entry in story.foreign:
            if entry.kind == "request" and not story.has_act("foreign", "delete", "terminate"):
                sentence = f"{story.ref} was sent with another number, plan or amount than was ordered"
                yield Violation("one_ref", sentence, story.ref, entry.key, iso(entry.at))


def our_phase_is_the_truth(books: Books, rules: Rules) -> Iterator[Violation]:
    """FULFILLED is one delivered order, REFUNDED one refunded order, REJECTED and CANCELLED are none."""
    for story in books.accepted:
        sentence = _untruth(story, books, rules)
        if sentence:
            yield Violation("true_phase", f"{story.ref} {sentence}", ref=story.ref)


def _untruth(story: Story, books: Books, rules: Rules) -> str | None:
    end, phase = story.end, story.phase
    if end is None:
        return None
    words, heard = first_word(books, rules, story)
    if end.resolved:
        return _against_a_person(story, heard)
    if phase in {"REJECTED", "CANCELLED"}:
        created = [entry for entry in story.commits if not _is_former_life(entry, story)]
        return f"ended {phase} ({end.error_code}), but the provider has created it" if created else None
    if phase not in {"FULFILLED", "REFUNDED"}:
        if heard is None or heard.at > end.read_at - rules.lived_on_seconds:
            return None
        return f"is {phase}, but at {iso(heard.at)} the provider had answered {heard.status}"
    if not story.commits:
        return f"ended {phase}, but the provider never created it"
    if not (story.deliveries if phase == "FULFILLED" else story.refunds):
        return f"ended {phase}, but the provider never did that"
    if phase not in words:
        return f"ended {phase}, but the provider says {' or '.join(sorted(words)) or 'that it is open'}"
    return None


def _against_a_person(story: Story, heard: Entry | None) -> str | None:
    """A person's word holds only as long as the provider has not given its own."""
    end = story.end
    if end is None or heard is None or heard.status == end.phase:
        return None
    if end.finished_at is not None and heard.at > end.finished_at:
        return None
    return f"was resolved as {end.phase}, although at {iso(heard.at)} the provider had answered {heard.status}"


def _is_former_life(entry: Entry, story: Story) -> bool:
    """What an order left before Temporal was made to forget it belongs to that life, not to this one."""
    forgotten = [act.at for act in story.acts if act.act == "delete"]
    return bool(forgotten) and entry.at < forgotten[-1] and len({each.body for each in story.accepted}) > 1


def every_wallet_adds_up(books: Books, rules: Rules) -> Iterator[Violation]:
    """Each balance follows from the one before, and the sum is what we say was delivered or is still open."""
    if not rules.balance_was_set:
        yield from _balances(books, rules)
    yield from _sums(books)


def _balances(books: Books, rules: Rules) -> Iterator[Violation]:
    known: dict[Wallet, Decimal] = {}
    for entry in books.entries:
        if entry.kind not in {"commit", "refund"} or entry.balance is None:
            continue
        now, before = _dzd(entry.balance), known.get(entry.wallet, _start(rules))
        known[entry.wallet] = now
        if before is not None and before + _change(entry) != now:
            sentence = f"the wallet of {entry.wallet[0]} went from {before} to {now} DZD by a {entry.kind} of "
            yield Violation("wallet", f"{sentence}{-_change(entry)} DZD", entry.ref, entry.key, iso(entry.at))


def _sums(books: Books) -> Iterator[Violation]:
    for story in books.accepted:
        paid: dict[Wallet, Decimal] = defaultdict(Decimal)
        for entry in (*story.commits, *story.refunds):
            paid[entry.wallet] -= _change(entry)
        for (username, environment), found in paid.items():
            wanted = _wanted(story, found)
            if found != wanted:
                sentence = f"{story.ref} is {story.phase} and should cost {wanted} DZD, but {username} paid {found}"
                yield Violation("wallet", f"{sentence} ({environment})", ref=story.ref)


def _wanted(story: Story, found: Decimal) -> Decimal:
    """What the order may cost by our own word; where people or the provider's support moved it, what it did cost."""
    end = story.end
    is_open = end is None or not end.final
    if is_open or (end and end.resolved) or _changed_its_mind(story):
        return found
    if story.phase == "FULFILLED":
        return max((-_change(entry) for entry in story.commits), default=Decimal(0))
    return Decimal(0)


def _changed_its_mind(story: Story) -> bool:
    return bool({each.topup_id for each in story.deliveries} & {each.topup_id for each in story.refunds})


def _change(entry: Entry) -> Decimal:
    return _dzd(entry.refunded) - _dzd(entry.debited)


def _start(rules: Rules) -> Decimal | None:
    return None if rules.start_balance is None else _dzd(rules.start_balance)


def _dzd(amount: float | None) -> Decimal:
    return Decimal(str(amount or 0))
