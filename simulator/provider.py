"""The provider itself: orders, wallets and their lines in the ledger. One thread, so each step is atomic."""

import heapq
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.answers import Refusal
from simulator.clock import Clock, instant
from simulator.gate import KEYS, Key
from simulator.journal import Journal
from simulator.ledger import Ledger, Row
from simulator.money import number
from simulator.orders import Account, Order
from simulator.plans import Catalogue, Plan
from simulator.scenarios import NEVER_ENOUGH_BALANCE, Offer, scenario_of
from simulator.settings import Lagging, Settings


class Provider:
    """State in memory, each change of it a row in the ledger; ``durable`` before anybody is told.

    The ledger holds what the provider did. What people did to the provider through the admin calls stands in
    a second file, ``<ledger>.admin``. Both together restore everything. Raises JournalInUse, JournalCorrupt.
    """

    def __init__(self, ledger_path: Path, settings: Settings, clock: Clock, catalogue: Catalogue) -> None:
        self.settings = settings
        self.clock = clock
        self.catalogue = catalogue
        self.ledger = Ledger(ledger_path, clock)
        self._notes = Journal(ledger_path.with_name(f"{ledger_path.name}.admin"))
        self.accounts = {
            (key.username, key.environment): Account(key.username, key.environment, settings.balance)
            for key in KEYS.values()
        }
        self.orders: dict[str, Order] = {}
        self._due: list[tuple[float, str]] = []
        self._note_count = 0
        self._restore()

    def account_of(self, key: Key) -> Account:
        return self.accounts[key.username, key.environment]

    def create(self, key: Key, plan: Plan, phone: str, amount: int, ref: str | None) -> Order:
        """Register the ref, debit the wallet and note both. Raises Refusal; then nothing was done."""
        account, price = self.account_of(key), plan.price(amount)
        bare = ref or secrets.token_hex(8)
        earlier = account.by_ref.get(bare)
        if earlier and not (earlier.refunded and self.settings.reuse_after_refund):
            raise Refusal(self.settings.duplicate_code)
        available = Decimal(0) if phone == NEVER_ENOUGH_BALANCE else account.balance
        if price > available or phone == NEVER_ENOUGH_BALANCE:
            details = {"required": number(price), "available": number(available)}
            raise Refusal("INSUFFICIENT_BALANCE", details=details)
        order = self._new(account, key.token, ref=bare, phone=phone, plan_code=plan.code, amount=amount)
        self._commit(order, "send")
        return order

    def plant(self, account: Account, *, ref: str, phone: str, plan_code: str, amount: int) -> Order:
        """Make an order that came from elsewhere; it is debited, whoever has its ref already."""
        order = self._new(account, "another-system", ref=ref, phone=phone, plan_code=plan_code, amount=amount)
        self._commit(order, "admin")
        return order

    def amend(self, order: Order, changes: dict[str, Any]) -> None:
        """Change what an order's record shows; its transactions stay as they are."""
        facts = {name: number(value) if isinstance(value, Decimal) else value for name, value in changes.items()}
        self._note("amended", topup_id=order.topup_id, changes=facts)
        _amended(order, facts)

    def forget(self, order: Order) -> None:
        """Take an order out of the books; its transactions stay."""
        self._note("forgotten", topup_id=order.topup_id)
        self._forgotten(order)

    def by_id(self, account: Account, topup_id: str) -> Order | None:
        """The account's order with this id, if it can be read yet."""
        order = self.orders.get(topup_id)
        if order is None or order.account is not account or not self.is_visible(order, "check-id"):
            return None
        return order

    def by_ref(self, account: Account, asked: str) -> Order | None:
        """The account's order with this ref, in a form that is accepted, if it can be read yet."""
        forms, bare = self.settings.check_ref_forms, asked.removeprefix(account.prefix)
        if forms not in {"both", "prefixed" if bare != asked else "bare"}:
            return None
        order = account.by_ref.get(bare)
        return order if order and self.is_visible(order, "check-ref") else None

    def is_visible(self, order: Order, endpoint: Lagging) -> bool:
        """Whether the read lag of this endpoint has passed."""
        lag = self.settings.read_lag if endpoint in self.settings.read_lag_endpoints else 0
        return self.clock() - order.created_at >= lag

    def status(self, order: Order) -> str:
        return order.status(self.clock(), self.settings.speed)

    def shown_ref(self, order: Order) -> str:
        """The ref as the provider stores and answers it."""
        return order.account.prefix + order.ref if self.settings.ref_form == "prefixed" else order.ref

    def settle(self) -> None:
        """Bring every order whose end is due to it: a delivery or the money back."""
        now = self.clock()
        while self._due and self._due[0][0] <= now:
            order = self.orders.get(heapq.heappop(self._due)[1])
            due = order.due(self.settings.speed) if order else None
            if order and due and due[0] <= now:
                self._finish(order, due[1])

    def reschedule(self) -> None:
        """Work out anew when orders end, after ``speed`` was changed."""
        self._due = []
        for order in self.orders.values():
            self._await_end(order)

    def drive(self, order: Order, status: str, message: str | None = None, offers: list[Offer] | None = None) -> None:
        """Put the order into ``status`` for good, or until it is driven again.

        The first FULFILLED of an order is its delivery and the first REFUNDED its refund; neither happens twice.
        """
        self._finish(order, status)
        self._told(order, message, offers)
        self._note("status", topup_id=order.topup_id, status=status, refund_message=message, offers=offers)

    def set_balance(self, account: Account, amount: Decimal, *, noted: bool = True) -> None:
        """Deposit or withdraw whatever makes the balance ``amount`` DZD; without a transaction if not ``noted``."""
        facts = {"username": account.username, "environment": account.environment, "amount": number(amount)}
        self._note("balance" if noted else "balance-unnoted", **facts)
        if noted:
            self._balanced(account, amount, self.clock(), self._note_count)
        else:
            account.balance = amount

    async def durable(self) -> None:
        """Return once everything done so far is on the disk."""
        await self.ledger.durable()
        await self._notes.durable()

    def close(self) -> None:
        """Bring the rest to the disk and let both files go."""
        self.ledger.close()
        self._notes.close()

    def _finish(self, order: Order, status: str) -> None:
        now, facts = self.clock(), _facts(order) | {"status": status}
        if status == "FULFILLED" and not order.delivered:
            self.ledger.write("delivery", **facts)
            order.delivered = True
        if status == "REFUNDED" and not order.refunded:
            back = order.account.balance + order.debited
            facts |= {"refunded": number(order.debited), "balance": number(back)}
            self._refunded(order, self.ledger.write("refund", at=now, **facts), now)
        order.pin(status, now)

    def _new(self, account: Account, key: str, *, ref: str, phone: str, plan_code: str, amount: int) -> Order:
        plan, now = self.catalogue.get(plan_code), self.clock()
        return Order(
            topup_id=f"{int(now):08x}{secrets.token_hex(8)}",
            account=account,
            key=key,
            ref=ref,
            phone=phone,
            plan_code=plan_code,
            amount=amount,
            debited=plan.price(amount) if plan else Decimal(amount),
            created_at=now,
            scenario=scenario_of(phone, plan, amount),
        )

    def _commit(self, order: Order, endpoint: str) -> None:
        money = {"debited": number(order.debited), "balance": number(order.account.balance - order.debited)}
        facts = _facts(order) | {"status": "PENDING", **money}
        seq = self.ledger.write("commit", at=order.created_at, endpoint=endpoint, **facts)
        self._committed(order, seq)

    def _forgotten(self, order: Order) -> None:
        del self.orders[order.topup_id]
        order.account.remove(order)

    def _committed(self, order: Order, seq: int) -> None:
        self.orders[order.topup_id] = order
        order.account.add(order)
        order.account.move("FLEXY", -order.debited, movement_id=f"{seq:024x}", at=order.created_at, order=order)
        self._await_end(order)

    def _refunded(self, order: Order, seq: int, at: float) -> None:
        order.refunded = True
        order.account.move("REFUND-FLEXY", order.debited, movement_id=f"{seq:024x}", at=at, order=order)

    def _told(self, order: Order, message: str | None, offers: list[Offer] | None) -> None:
        order.refund_message = message or order.refund_message
        order.suggested_offers = order.suggested_offers if offers is None else tuple(offers)

    def _balanced(self, account: Account, amount: Decimal, at: float, note: int) -> None:
        change = amount - account.balance
        account.move("DEPOSIT" if change >= 0 else "WITHDRAW", change, movement_id=f"d{note:023x}", at=at)

    def _await_end(self, order: Order) -> None:
        if due := order.due(self.settings.speed):
            heapq.heappush(self._due, (due[0], order.topup_id))

    def _note(self, kind: str, **facts: Any) -> None:
        self._note_count += 1
        self._notes.append({"after": self.ledger.seq, "at": self.clock(), "kind": kind, **facts})

    def _restore(self) -> None:
        rows, notes = self.ledger.read(), self._notes.read()
        # A note belongs behind the row that was the last when it was made.
        merged = [((row["seq"], 0), row) for row in rows]
        merged += [((note["after"], position), note) for position, note in enumerate(notes, start=1)]
        for (_, note_number), row in sorted(merged, key=lambda entry: entry[0]):
            if note_number:
                self._redo_note(row, note_number)
            else:
                self._redo(row)
        self._note_count = len(notes)

    def _redo(self, row: Row) -> None:
        if row["kind"] == "commit":
            self._committed(self._order_of(row), row["seq"])
        elif row["kind"] == "delivery":
            order = self.orders[row["topup_id"]]
            order.delivered = True
            order.pin("FULFILLED", instant(row["at"]))
        elif row["kind"] == "refund":
            order = self.orders[row["topup_id"]]
            self._refunded(order, row["seq"], instant(row["at"]))
            order.pin("REFUNDED", instant(row["at"]))

    def _redo_note(self, note: Row, note_number: int) -> None:
        if note["kind"] == "balance-unnoted":
            self.accounts[note["username"], note["environment"]].balance = Decimal(str(note["amount"]))
        elif note["kind"] == "balance":
            account = self.accounts[note["username"], note["environment"]]
            self._balanced(account, Decimal(str(note["amount"])), note["at"], note_number)
        elif order := self.orders.get(note["topup_id"]):
            self._redo_order_note(order, note)

    def _redo_order_note(self, order: Order, note: Row) -> None:
        if note["kind"] == "amended":
            _amended(order, note["changes"])
        elif note["kind"] == "forgotten":
            self._forgotten(order)
        else:
            order.pin(note["status"], note["at"])
            self._told(order, note["refund_message"], note["offers"])

    def _order_of(self, row: Row) -> Order:
        account = self.accounts[row["username"], row["environment"]]
        debited = Decimal(str(row["debited"]))
        # The row knows the balance; a start with another --balance must not shift it.
        account.balance = Decimal(str(row["balance"])) + debited
        plan = self.catalogue.get(row["plan_code"])
        return Order(
            topup_id=row["topup_id"],
            account=account,
            key=row["key"],
            ref=row["ref"],
            phone=row["phone"],
            plan_code=row["plan_code"],
            amount=row["amount"],
            debited=debited,
            created_at=instant(row["at"]),
            scenario=scenario_of(row["phone"], plan, row["amount"]),
        )


def _facts(order: Order) -> Row:
    return {
        "key": order.key,
        "ref": order.ref,
        "topup_id": order.topup_id,
        "phone": order.phone,
        "plan_code": order.plan_code,
        "amount": order.amount,
        "username": order.account.username,
        "environment": order.account.environment,
    }


def _amended(order: Order, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(order, name, Decimal(str(value)) if name == "debited" else value)
