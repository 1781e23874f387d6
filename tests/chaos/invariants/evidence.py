"""The shapes of what a run leaves behind. Shares no code with the product: its words are written down again."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]

# Our words for an order's phase, and the provider's for its end ("Check Status by ID").
FINAL_PHASES = frozenset({"FULFILLED", "REFUNDED", "REJECTED", "CANCELLED"})
FINAL_WORDS = frozenset({"FULFILLED", "REFUNDED"})
# After these a fresh run of the order knows nothing of what the former one asked and heard.
FORGETFUL_ACTS = frozenset({"resubmit", "reopen", "delete", "terminate"})
ASKING_ACTS = FORGETFUL_ACTS | {"recheck", "resolve"}


class Rules(BaseModel):
    """What a run was told, and how much patience it deserves. Times are seconds, `rate_limits` requests in 60 s.

    Who was not hit for `lived_on_seconds` after an answer has surely acted on it. `start_balance`, DZD, is every
    wallet's at the start. `watched_keys` are those that must survive a 401.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    settle_seconds: float = 120.0
    rate_limits: dict[str, int] = {}
    unknown_recheck_seconds: float = 86_400.0
    recheck_late_seconds: float = 60.0
    recheck_again_seconds: float = 300.0
    poll_gap_seconds: float = 5.0
    late_check_seconds: float = 15.0
    lived_on_seconds: float = 10.0
    deliver_by_grace_seconds: float = 2.0
    start_balance: float | None = None
    balance_was_set: bool = False
    reuse_after_refund: bool = False
    watched_keys: tuple[str, ...] = ()
    refused_key_requests: int = 3
    refused_key_pause_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise. `sentence` is for people; `ref` or `key` says whose, `at` when (ISO 8601 UTC)."""

    invariant: str
    sentence: str
    ref: str | None = None
    key: str | None = None
    at: str | None = None


@dataclass(slots=True)
class Entry:
    """A row of the provider's ledger; `at` is epoch seconds, money DZD."""

    seq: int
    at: float
    kind: str
    endpoint: str | None = None
    key: str | None = None
    ref: str | None = None
    topup_id: str | None = None
    phone: str | None = None
    plan_code: str | None = None
    amount: float | None = None
    status: str | None = None
    http: int | None = None
    code: str | None = None
    path: str | None = None
    username: str | None = None
    environment: str | None = None
    debited: float | None = None
    refunded: float | None = None
    balance: float | None = None
    request_seq: int | None = None
    query: dict[str, str] | None = None
    items: list[Json] | None = None
    lie: str | None = None

    @property
    def wallet(self) -> tuple[str | None, str | None]:
        """Whose money moved."""
        return (self.username, self.environment)


@dataclass(frozen=True, slots=True)
class Body:
    """What makes an order this order, beside its ref. `amount` DZD, None where the plan decides."""

    plan_code: str
    phone: str
    amount: int | None

    def owns(self, entry: Entry) -> bool:
        """Tell whether nothing in a row of the ledger speaks against this order."""
        if entry.phone is not None and entry.phone[-9:] != self.phone[-9:]:
            return False
        if entry.plan_code is not None and entry.plan_code != self.plan_code:
            return False
        free = self.amount is None or entry.amount is None or self.plan_code.startswith("GETMENU_")
        return free or entry.amount == self.amount


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An acknowledgement that the client wrote down."""

    at: float
    body: Body
    deliver_by: float | None


@dataclass(frozen=True, slots=True)
class Act:
    """What people, or the campaign in their name, did to an order."""

    at: float
    act: str
    ref: str
    ok: bool
    outcome: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and the orders that really were in its window."""

    at: float
    fault: str
    window: str
    endpoint: str | None
    targets: tuple[str, ...]
    round: int | None
    quiet: bool


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Something that happened to a process: start, ready, kill, freeze, thaw, stop, exited."""

    at: float
    what: str
    name: str
    round: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Our own claim about an order, read at `read_at` when everything had settled."""

    read_at: float
    phase: str
    final: bool
    error_code: str | None
    resolved: bool
    stale: bool
    next_check_at: float | None
    finished_at: float | None
    deliver_by: float | None


@dataclass(slots=True)
class Story:
    """All the evidence about one order. `foreign` are rows under its ref that are not this order's.

    `requests` and `answers` are about this order alone. `pages` is what pages of the list showed of it: each may have
    been asked for because of this order, or of others, so it may have been heard, and never surely was.
    """

    ref: str
    handed: list[Body] = field(default_factory=list)
    queue: str | None = None
    accepted: list[Acceptance] = field(default_factory=list)
    requests: list[Entry] = field(default_factory=list)
    answers: list[Entry] = field(default_factory=list)
    pages: list[Entry] = field(default_factory=list)
    commits: list[Entry] = field(default_factory=list)
    deliveries: list[Entry] = field(default_factory=list)
    refunds: list[Entry] = field(default_factory=list)
    foreign: list[Entry] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    end: End | None = None

    @property
    def body(self) -> Body:
        """The order as it was acknowledged last; before that as it was handed over first."""
        return self.accepted[-1].body if self.accepted else self.handed[0]

    @property
    def phase(self) -> str | None:
        """What we say in the end."""
        return self.end.phase if self.end else None

    def acted(self, names: frozenset[str], since: float, until: float) -> bool:
        """Tell whether one of these acts lies between two moments."""
        return any(act.act in names and since <= act.at <= until for act in self.acts)

    def has_act(self, *names: str) -> bool:
        """Tell whether one of these acts ever happened to the order."""
        return any(act.act in names for act in self.acts)


def instant(text: str) -> float:
    """Epoch seconds of an ISO 8601 time."""
    return datetime.fromisoformat(text).timestamp()


def iso(at: float) -> str:
    """The time for people, ISO 8601 UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
