"""The judge: compares the provider's ledger with our results, and knows nothing else."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from topups import Phase, TopUpView

Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Refs by what truly became of them. `faults` has a sentence for each that went wrong.

    `posts` is how many sends reached the provider, repeated ones included.
    """

    accepted: tuple[str, ...]
    delivered: tuple[str, ...] = ()
    refunded: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    posts: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Every order reached one true end, and the provider has none but ours."""
        ends = (self.delivered, self.refunded, self.refused, self.cancelled)
        return not (self.lost or self.twice or self.strangers) and sum(map(len, ends)) == len(self.accepted)

    def as_json(self) -> dict[str, Any]:
        """For a program: the refs, and `clean`."""
        return {"clean": self.clean, **asdict(self)}


@dataclass
class _Books:
    """What the ledger says of one ref."""

    commits: int = 0
    deliveries: int = 0
    refunds: int = 0

    @property
    def doubled(self) -> bool:
        return max(self.commits, self.deliveries, self.refunds) > 1


def read_ledger(path: Path) -> list[Row]:
    """The ledger's rows, oldest first; a line that is still being written is left out."""
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def judge(ledger: Iterable[Row], accepted: Iterable[str], results: Iterable[TopUpView]) -> Verdict:
    """Compare the ledger with the results of every accepted ref. An order without a result counts as lost."""
    rows, refs = list(ledger), tuple(accepted)
    books = _books(rows)
    ends = {view.ref: view for view in results}
    found: dict[str, list[str]] = {}
    faults = {}
    for ref in refs:
        end, fault = _end(ends.get(ref), books.get(ref, _Books()))
        found.setdefault(end, []).append(ref)
        if fault:
            faults[ref] = fault
    return Verdict(
        accepted=refs,
        strangers=tuple(ref for ref in books if ref not in refs),
        posts=sum(row["kind"] == "request" and row["endpoint"] == "send" for row in rows),
        faults=faults,
        **{end: tuple(members) for end, members in found.items()},
    )


def _books(rows: Iterable[Row]) -> dict[str, _Books]:
    books: dict[str, _Books] = {}
    for row in rows:
        if row["kind"] not in {"commit", "delivery", "refund"}:
            continue
        book = books.setdefault(row["ref"], _Books())
        match row["kind"]:
            case "commit":
                book.commits += 1
            case "delivery":
                book.deliveries += 1
            case _:
                book.refunds += 1
    return books


def _end(view: TopUpView | None, book: _Books) -> tuple[str, str | None]:
    said = view.phase if view else None
    ledger = f"the ledger has {book.commits} orders, {book.deliveries} deliveries, {book.refunds} refunds of it"
    if book.doubled:
        return "twice", f"we say {said}, {ledger}"
    match said, (book.commits, book.deliveries, book.refunds):
        case Phase.FULFILLED, (1, 1, 0):
            return "delivered", None
        case Phase.REFUNDED, (1, 0, 1):
            return "refunded", None
        case Phase.REJECTED, (0, 0, 0):
            return "refused", None
        case Phase.CANCELLED, (0, 0, 0):
            return "cancelled", None
        case _:
            return "lost", f"we say {said}, {ledger}"
