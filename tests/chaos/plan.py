"""The plan of a campaign: which orders, which faults, in which order. A pure function of the seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from random import Random

# Numbers of the stand-in (docs/simulator.md).
REFUNDED, UNKNOWN, HANDLING, NEW_WORD, BACK_AND_FORTH, NO_MONEY = (f"060000000{n}" for n in (1, 3, 6, 7, 8, 9))

# Where a kill finds an order: F1 kills workers there, F2 the Temporal server; both also in a page that orders share.
WINDOWS = ("before", "received", "committed", "answered", "polls", "sleep")
# Deleting a run takes the server more than a minute, so these begin first.
LONG = (("F14", "forgotten"), ("F14", "forgotten-and-reused"), ("F9", "frozen"))
# How a page of the provider's list can mislead those who share it.
LIES = ("stale", "shifted", "duplicates", "missing", "other-order", "totals", "unreadable")
# Rounds in which several things take their time; they run beside the kills.
BESIDE = (
    ("F4", "send"),
    ("F4", "check-id"),
    ("F4", "list"),
    ("F5", "send"),
    ("F5", "check-id"),
    ("F5", "refused-key"),
    ("F5", "blocked-address"),
    ("F6", "late-or-hidden"),
    ("F7", "odd-words"),
    ("F9", "frozen"),
    ("F10", "hour-ahead"),
    ("F10", "hour-behind"),
    ("F10", "day-skipped"),
    ("F11", "hundredfold"),
    ("F12", "deploys"),
    ("F13", "long-history"),
    ("F14", "forgotten"),
    ("F14", "forgotten-and-reused"),
    ("F15", "words-in-a-send"),
    ("F15", "raw-cancel"),
    ("F15", "terminated"),
    ("F16", "other-account"),
    ("F16", "other-environment"),
    *(("F17", lie) for lie in LIES),
)
# Rounds that break what all share, one after the other.
ALONE = (("F3", "all"), ("F13", "full-disk"), ("F13", "no-memory"))
OUTAGE = ("F8", "outage")

# Rounds that write down their parts under names of their own.
PARTS = {"F6": ("late", "prefixed", "list"), "F12": ("patched", "bad-deploy")}

Kind = tuple[str, str]


@dataclass(frozen=True)
class OrderPlan:
    """One order: what the reseller wants. `amount` in DZD, `deliver_within` in seconds."""

    ref: str
    phone: str
    amount: int
    plan_code: str = "PREPAID_DJEZZY"
    deliver_within: int = 1_800


@dataclass(frozen=True)
class Round:
    """One fault and the orders that it meets.

    `crew` is how many workers come back; `pause` (seconds) how long nobody is there; `released_first` whether what
    is held at the provider goes on before or after the return; `ending` how the provider settles what hangs;
    `quiet`: nothing else is broken until everybody has recovered, and the recovery is measured.
    """

    number: int
    fault: str
    window: str
    orders: tuple[OrderPlan, ...]
    crew: int = 1
    pause: float = 0.0
    released_first: bool = True
    ending: str = "FULFILLED"
    quiet: bool = False
    beside: bool = False
    chance: float = 0.0

    @property
    def kind(self) -> Kind:
        """Fault and window."""
        return self.fault, self.window

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.number} {self.fault} {self.window}"


@dataclass(frozen=True)
class Scale:
    """How much of it. `outage` in seconds, with `crowd` orders in flight; `only` these faults, or `fault/window`."""

    decks: int = 1
    kills_a_window: int = 1
    crowd: int = 40
    outage: float = 20.0
    long_history: int = 2_100
    only: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What one seed means."""

    seed: int
    rounds: tuple[Round, ...] = field(default_factory=tuple)

    @property
    def orders(self) -> int:
        """How many orders it submits at least."""
        return sum(len(each.orders) for each in self.rounds)

    @property
    def digest(self) -> str:
        """The same for the same plan."""
        return hashlib.sha256(repr([asdict(each) for each in self.rounds]).encode()).hexdigest()[:12]


def plan(seed: int, scale: Scale) -> Plan:
    """Return what this seed does at this scale."""
    rng = Random(seed)
    numbers = count(1)
    rounds = [each for _ in range(scale.decks) for each in _deck(rng, scale, numbers)]
    if scale.only:
        rounds = [each for each in rounds if scale.only & {each.fault, f"{each.fault}/{each.window}"}]
    return Plan(seed, tuple(_with_orders(each, seed, scale, rng) for each in rounds))


def _deck(rng: Random, scale: Scale, numbers: Iterator[int]) -> list[Round]:
    kills = [(fault, window) for fault in ("F1", "F2") for window in (*WINDOWS, "page")] + [("F2", "start")]
    alone = kills * scale.kills_a_window + list(ALONE) + [("F3", "all")]
    rng.shuffle(alone)
    beside = [kind for kind in BESIDE if kind not in LONG]
    rng.shuffle(beside)
    beside += LONG
    deck = [_round(kind, next(numbers), rng) for kind in _dealt(alone, beside)]
    return [*_some_quiet(deck, rng), _round(OUTAGE, next(numbers), rng)]


def _dealt(alone: list[Kind], beside: list[Kind]) -> Iterator[Kind]:
    """The stories spread over the kills, from the last one of the list."""
    each = max(1, 2 * len(beside) // len(alone) + 1)
    rest = list(beside)
    for kind in alone:
        for _ in range(min(each, len(rest))):
            yield rest.pop()
        yield kind
    yield from rest


def _round(kind: Kind, number: int, rng: Random) -> Round:
    return Round(
        number,
        *kind,
        orders=(),
        crew=rng.choice((1, 1, 2, 2, 3)),
        pause=rng.choice((0.0, 0.0, 0.5, 1.0, 3.0)),
        released_first=rng.random() < 0.5,
        ending=rng.choice(("FULFILLED", "FULFILLED", "REFUNDED")),
        beside=kind in BESIDE,
        chance=rng.random(),
    )


def _some_quiet(deck: list[Round], rng: Random) -> Iterator[Round]:
    """The recovery is measured once for a worker's kill in a send and in checks, and for a server's, in each deck."""
    groups = (("F1", ("before", "received", "committed", "answered")), ("F1", ("polls",)), ("F2", WINDOWS[1:5]))
    chosen = set()
    for fault, windows in groups:
        found = [each.number for each in deck if each.fault == fault and each.window in windows]
        chosen.add(rng.choice(found))
    for each in deck:
        yield replace(each, quiet=each.number in chosen)


_SIZES = {
    "F3": 6,
    ("F4", "send"): 10,
    ("F4", "check-id"): 5,
    ("F4", "list"): 5,
    ("F5", "send"): 13,
    ("F5", "check-id"): 5,
    ("F5", "refused-key"): 4,
    ("F5", "blocked-address"): 4,
    "F6": 9,
    "F7": 5,
    "F9": 16,
    "F10": 3,
    "F11": 2,
    "F12": 6,
    ("F13", "full-disk"): 6,
    ("F13", "no-memory"): 6,
    ("F13", "long-history"): 1,
    "F14": 2,
    ("F15", "words-in-a-send"): 8,
    "F15": 3,
    "F16": 8,
}


def _with_orders(each: Round, seed: int, scale: Scale, rng: Random) -> Round:
    fates = {"polls": HANDLING, "page": HANDLING, "sleep": UNKNOWN}
    fate = fates.get(each.window, HANDLING if each.fault == "F17" else None)
    if each.fault == "F8":
        size = scale.crowd
    elif each.window == "start":
        size = 12
    elif each.window == "page":
        size = 8
    elif each.fault in {"F1", "F2"}:
        size = rng.randint(3, 6)
    elif each.fault == "F17":
        size = rng.randint(8, 12)
    else:
        size = _SIZES.get((each.fault, each.window)) or _SIZES[each.fault]
    orders = []
    for number in range(size):
        phone = fate or f"07{seed % 100:02}{each.number % 1000:03}{number:03}"
        orders.append(OrderPlan(f"s{seed}-{each.number}-{number}", phone, rng.randrange(100, 500)))
    return replace(each, orders=tuple(orders))
