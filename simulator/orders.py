"""Orders, the movements of money, and the accounts that hold both."""

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from simulator.clock import iso
from simulator.money import number
from simulator.scenarios import DEFAULT_MESSAGES, FINAL, Offer, Scenario

Environment = Literal["SANDBOX", "PRODUCTION"]


@dataclass(slots=True)
class Order:
    """One accepted top-up. ``amount`` is face value in whole DZD, ``debited`` what it cost the account."""

    topup_id: str
    account: "Account"
    key: str
    ref: str
    phone: str
    plan_code: str
    amount: int
    debited: Decimal
    created_at: float
    scenario: Scenario
    pins: list[tuple[float, str]] = field(default_factory=list)
    """Statuses that were reached for good or driven by hand, and since when; the last one outranks the scenario."""
    refund_message: str | None = None
    suggested_offers: tuple[Offer, ...] | None = None
    delivered: bool = False
    refunded: bool = False

    @property
    def pinned(self) -> str | None:
        return self.pins[-1][1] if self.pins else None

    def pin(self, status: str, at: float) -> None:
        self.pins.append((at, status))

    def status(self, now: float, speed: float) -> str:
        """The status at ``now``; never a final one before its ledger row is written."""
        if self.pinned is not None:
            return self.pinned
        word = self.scenario.status((now - self.created_at) * speed)
        return word if word not in FINAL else self.scenario.steps[-2][1]

    def history(self, speed: float) -> list[tuple[float, str]]:
        """Statuses by the instant from which they are true, also those that the scenario still has in store."""
        first_pin = self.pins[0][0] if self.pins else math.inf
        scripted = [(self.created_at + after / speed, word) for after, word in self.scenario.steps if word not in FINAL]
        return [*(step for step in scripted if step[0] < first_pin), *self.pins]

    def due(self, speed: float) -> tuple[float, str] | None:
        """When and how the order ends by itself; None if it is pinned or must be driven."""
        end = self.scenario.end
        if self.pinned is not None or end is None:
            return None
        return self.created_at + end[0] / speed, end[1]

    def message(self, status: str) -> str | None:
        """``refund_message``: only REFUNDED and UNKNOWN_ERROR carry one."""
        if status not in DEFAULT_MESSAGES:
            return None
        scripted = self.scenario.refund_message if status == "REFUNDED" else DEFAULT_MESSAGES[status]
        return self.refund_message or scripted

    def offers(self, status: str) -> tuple[Offer, ...]:
        """``suggested_offers``: only on a refund, unless they were driven by hand."""
        if self.suggested_offers is not None:
            return self.suggested_offers
        return self.scenario.offers if status == "REFUNDED" else ()

    def wire(self, status: str, shown_ref: str, at: float = math.inf) -> dict[str, Any]:
        """A record, of check-id, check-ref and list, as of an instant. Source: /en/api-reference/mobile/check-by-id."""
        was_refunded = any(word == "REFUNDED" and since <= at for since, word in self.pins)
        record: dict[str, Any] = {
            "_id": self.topup_id,
            "ref": shown_ref,
            "status": status,
            "plan_code": self.plan_code,
            "MSSIDN": self.phone,
            "topup_amount": self.amount,
            "balance_amount": 0 if was_refunded else number(self.debited),
            "created_at": iso(self.created_at),
        }
        if message := self.message(status):
            record["refund_message"] = message
        if offers := self.offers(status):
            record["suggested_offers"] = list(offers)
        return record


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of ``/account/transactions``; ``change`` is signed DZD."""

    id: str
    type: str
    change: Decimal
    balance: Decimal
    objid: str
    note: str
    at: float

    def wire(self) -> dict[str, Any]:
        """Source: /en/api-reference/account/list-transactions; the words of ``operation`` are assumed."""
        return {
            "_id": self.id,
            "type": self.type,
            "operation": "INCREMENT" if self.change >= 0 else "DECREMENT",
            "amount": number(abs(self.change)),
            "oldBalance": number(self.balance - self.change),
            "newBalance": number(self.balance),
            "objid": self.objid,
            "note": self.note,
            "time": iso(self.at),
        }


@dataclass(slots=True)
class Account:
    """One username in one environment: its wallet, its orders and its refs, seen by nobody else."""

    username: str
    environment: Environment
    balance: Decimal
    orders: list[Order] = field(default_factory=list)
    by_ref: dict[str, Order] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What stands before a stored ref."""
        return f"API-{self.username}-"

    def add(self, order: Order) -> None:
        """Register the order and its ref; with a reused ref the newest order counts."""
        self.orders.append(order)
        self.by_ref[order.ref] = order

    def remove(self, order: Order) -> None:
        """Let the order go; an older one with its ref counts again."""
        self.orders.remove(order)
        del self.by_ref[order.ref]
        self.by_ref |= {one.ref: one for one in self.orders if one.ref == order.ref}

    def move(self, kind: str, change: Decimal, *, movement_id: str, at: float, order: Order | None = None) -> None:
        """Change the balance by signed DZD and note why."""
        self.balance += change
        objid, note = (order.topup_id, order.phone) if order else ("", "")
        self.movements.append(Movement(movement_id, kind, change, self.balance, objid, note, at))
