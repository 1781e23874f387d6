"""The judge of a campaign: reads what a run left in its folder, and nothing of ours but our final claims."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.books import Books, read
from tests.chaos.invariants import keys, money, pace, pages, settled, unknown
from tests.chaos.invariants.evidence import Rules, Story, Violation

__all__ = ["Rules", "Verdict", "Violation", "Window", "judge", "windows"]

Invariant = Callable[[Books, Rules], Iterator[Violation]]

INVARIANTS: tuple[Invariant, ...] = (
    settled.the_evidence_is_whole,
    settled.every_order_settles,
    settled.every_end_is_fresh,
    settled.every_handed_order_is_accepted,
    settled.one_body_a_ref,
    money.one_delivery_an_order,
    money.one_ref_an_order,
    money.our_phase_is_the_truth,
    money.every_wallet_adds_up,
    pace.no_check_after_the_end,
    pace.nothing_known_is_sent_again,
    pace.five_seconds_between_checks,
    pace.the_rate_limit_holds,
    pace.nothing_is_sent_too_late,
    unknown.unknown_orders_are_asked_daily,
    keys.a_refused_key_is_left_alone,
    pages.no_more_pages_than_open_orders,
)


@dataclass(frozen=True)
class Verdict:
    """How many orders came to which end, what it took, and every promise that was broken.

    `accepted` is the sum of `delivered`, `refunded`, `rejected`, `cancelled`, `resolved`, `on_recheck` and `lost`.
    `checks` are requests about one order's id, `pages` those for a page of the list. `sends` are POSTs, `resends` those
    beyond an order's first; `twice` orders with more than one true delivery;
    `foreign` orders whose ref somebody else used; `reused` orders that the provider took again after a refund.
    """

    accepted: int = 0
    delivered: int = 0
    refunded: int = 0
    rejected: int = 0
    cancelled: int = 0
    resolved: int = 0
    on_recheck: int = 0
    lost: int = 0
    twice: int = 0
    requests: int = 0
    checks: int = 0
    pages: int = 0
    sends: int = 0
    resends: int = 0
    commits: int = 0
    conflicts: int = 0
    foreign: int = 0
    reused: int = 0
    violations: list[Violation] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No promise was broken."""
        return not (self.violations or self.lost or self.twice)

    def as_json(self) -> dict[str, Any]:
        """For a program: the counts, the violations, and `clean`."""
        return {"clean": self.clean, **asdict(self)}


@dataclass(frozen=True)
class Window:
    """How often a fault was injected while orders really were in its window, and how many they were in all."""

    fault: str
    window: str
    endpoint: str | None
    injected: int
    targets: int


def judge(folder: Path, rules: Rules | None = None) -> Verdict:
    """Judge a run by its folder; without `rules` by those that the run wrote into its diary."""
    books = read(folder)
    rules = rules or Rules.model_validate(books.rules)
    violations = [violation for invariant in INVARIANTS for violation in invariant(books, rules)]
    return Verdict(**_counts(books), violations=sorted(violations, key=lambda each: (each.at or "", each.ref or "")))


def windows(folder: Path) -> list[Window]:
    """Return what was injected where, sorted by fault and window."""
    injected: Counter[tuple[str, str, str]] = Counter()
    targets: Counter[tuple[str, str, str]] = Counter()
    for fault in read(folder).faults:
        place = (fault.fault, fault.window, fault.endpoint or "")
        injected[place] += bool(fault.targets)
        targets[place] += len(fault.targets)
    places = sorted(injected, key=lambda place: (int(place[0][1:]) if place[0][1:].isdigit() else 0, place))
    return [Window(place[0], place[1], place[2] or None, injected[place], targets[place]) for place in places]


def _counts(books: Books) -> dict[str, int]:
    accepted, every = list(books.accepted), list(books.stories.values())
    ends = Counter(_end_of(story) for story in accepted)
    sends = Counter({story.ref: _sends(story) for story in every})
    return {
        **ends,
        "accepted": len(accepted),
        "twice": sum(len(story.deliveries) > 1 for story in every),
        "requests": len(books.requests),
        "checks": sum(entry.endpoint == "check-id" for entry in books.requests.values()),
        "pages": sum(entry.endpoint == "list" for entry in books.requests.values()),
        "sends": sum(sends.values()) + sum(entry.kind == "request" for entry in books.strangers),
        "resends": sum(count - 1 for count in sends.values() if count),
        "commits": sum(len(story.commits) for story in every),
        "conflicts": len(set(books.conflicts)),
        "foreign": sum(story.has_act("foreign") for story in every),
        "reused": sum(len(story.commits) > 1 and bool(story.refunds) for story in every),
    }


def _sends(story: Story) -> int:
    return sum(request.endpoint == "send" for request in story.requests)


def _end_of(story: Story) -> str:
    end = story.end
    if end is None or not settled.is_settled(story):
        return "lost"
    if end.resolved:
        return "resolved"
    if end.phase == "FULFILLED":
        return "delivered" if story.deliveries else "lost"
    return {"REFUNDED": "refunded", "REJECTED": "rejected", "CANCELLED": "cancelled"}.get(end.phase, "on_recheck")
