"""Made-up runs for the judge's own tests. Times are seconds after the start of the run."""

import json
from pathlib import Path
from typing import Any, Self

from tests.chaos.invariants.evidence import Json, iso
from tests.chaos.judge import Rules, Verdict, judge
from tests.chaos.recovery import Recovery, recovery

START = 1_800_000_000.0
KEY = "sandbox-key"
USERNAME = "+213665983439"
BALANCE = 1_000_000
FILES = ("ledger", "handed", "accepted", "conflicts", "diary", "ends")


class Run:
    """A run under construction; `verdict` writes it down and judges it.

    From the start there are a worker, a Temporal server and a provider; the faults stop at 400 and the run is over
    at 1,000.
    """

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.folder = folder
        self.rules = Rules(start_balance=BALANCE, **rules)
        self.over_at = 1_000.0
        self._files: dict[str, list[tuple[float, Json]]] = {name: [] for name in FILES}
        self._bodies: dict[str, Json] = {}
        self._requests = 0
        for name in ("temporal", "provider", "worker-1"):
            self.process(-10, "ready", name)

    def verdict(self) -> Verdict:
        """Write everything down and judge it."""
        self._write()
        return judge(self.folder, self.rules)

    def broken(self) -> set[str]:
        """The names of the invariants that the judge found broken."""
        return {violation.invariant for violation in self.verdict().violations}

    def recovery(self) -> Recovery:
        """Write everything down and measure it."""
        self._write()
        return recovery(self.folder)

    # whole stories

    def delivered(self, ref: str, at: float = 0.0, **body: Any) -> Self:
        """An order that went as it should."""
        self.order(ref, at, **body).send(at + 1, ref).check(at + 6.1, ref, "HANDLING").deliver(at + 10, ref)
        return self.check(at + 12, ref, "FULFILLED").end(ref, "FULFILLED", at + 12.1)

    def unknown(self, ref: str, *rechecks: float, next_check_at: float | None = 5_000.0) -> Self:
        """An order that is UNKNOWN_ERROR from second 10 on, with rechecks at these moments."""
        self.order(ref).send(1, ref).check(10, ref, "UNKNOWN_ERROR")
        for at in rechecks:
            self.check(at, ref, "UNKNOWN_ERROR")
        return self.end(ref, "UNKNOWN_ERROR", next_check_at=next_check_at)

    # its rows

    def order(self, ref: str, at: float = 0.0, *, accepted: bool = True, **more: Any) -> Self:
        """An order that was handed over, and acknowledged."""
        phone = more.pop("phone", f"07{len(self._bodies):08}")
        body = {"ref": ref, "plan_code": "PREPAID_DJEZZY", "phone": phone, "amount": 500, "deliver_within": 1800} | more
        self._bodies.setdefault(ref, body)
        self._add("handed", at, **body)
        if accepted:
            self._add("accepted", at + 0.5, **body, deliver_by=_iso(at + body["deliver_within"]))
        return self

    def send(self, at: float, ref: str | None, *, creates: bool = True, http: int | None = 200, **more: Any) -> Self:
        """A POST, by default with an order made and an answer; `http=None` for a lost answer."""
        asked = self._request(at, "send", ref, more)
        if creates:
            self._add("ledger", at + 0.001, **self._facts("commit", "send", ref, more), debited=490.5)
        return self._answer(
            at + 0.01, "send", ref, asked, more | {"http": http, "status": "PENDING" if creates else None}
        )

    def cut_off(self, at: float) -> Self:
        """A POST of which only the head arrived."""
        self._request(at, "send", None, {})
        return self

    def check(self, at: float, ref: str, status: str | None, *, endpoint: str = "check-id", **more: Any) -> Self:
        """A check and its answer; without a status the answer was lost."""
        asked = self._request(at, endpoint, ref, more)
        http = more.pop("http", 200 if status else None)
        return self._answer(at + more.pop("took", 0.01), endpoint, ref, asked, more | {"http": http, "status": status})

    def look_up(self, at: float, ref: str, status: str | None = None) -> Self:
        """A complete look-up that missed, or found the order by the second form."""
        code = None if status else "NOT_FOUND"
        for number, form in enumerate((ref, f"API-{USERNAME}-{ref}".replace("+", "%2B"))):
            found = {"http": 200} if status and number else {"http": 404, "code": code or "NOT_FOUND"}
            path = f"/v3/mobile/check-ref/{form}"
            self.check(at + number / 10, ref, status if number else None, endpoint="check-ref", path=path, **found)
        return self

    def deliver(self, at: float, ref: str, **more: Any) -> Self:
        """The provider delivered it."""
        facts = self._facts("delivery", None, ref, more) | {"status": "FULFILLED"}
        return self._add("ledger", at, **facts)

    def refund(self, at: float, ref: str, **more: Any) -> Self:
        """The provider gave the money back."""
        facts = self._facts("refund", None, ref, more) | {"status": "REFUNDED", "refunded": 490.5}
        facts |= {"balance": more["balance"]} if "balance" in more else {}
        return self._add("ledger", at, **facts)

    def request(self, at: float, endpoint: str, *, key: str = KEY, http: int = 200, code: str | None = None) -> Self:
        """A request that is about no order, and its answer."""
        asked = self._request(at, endpoint, None, {"key": key})
        return self._answer(at + 0.01, endpoint, None, asked, {"key": key, "http": http, "code": code})

    def page(self, at: float, *shown: tuple[str, str], number: int = 1, lie: str | None = None) -> Self:
        """A page of the list and what it showed: ref and status of each row."""
        query = {"query": {"page": str(number), "pageSize": "100"}}
        asked = self._request(at, "list", None, query)
        items = [{"topup_id": f"id-{ref}", "ref": ref, "status": status} for ref, status in shown]
        noted: Json = {"items": items} | ({"lie": lie} if lie else {})
        return self._answer(at + 0.01, "list", None, asked, {"http": 200, "noted": noted})

    def end(self, ref: str, phase: str, finished_at: float | None = None, **more: Any) -> Self:
        """What we say in the end."""
        final = phase in {"FULFILLED", "REFUNDED", "REJECTED", "CANCELLED"}
        next_check_at, read_at = more.pop("next_check_at", None), more.pop("read_at", self.over_at)
        row = {"ref": ref, "phase": phase, "final": final, "stale": False, "resolved_by": None, "error_code": None}
        times = {"finished_at": _iso(finished_at), "next_check_at": _iso(next_check_at)}
        return self._add("ends", read_at, **row | times | more)

    def act(self, at: float, act: str, ref: str, **more: Any) -> Self:
        """What people did."""
        return self._add("diary", at, **{"kind": "act", "act": act, "ref": ref, "ok": True} | more)

    def process(self, at: float, what: str, name: str) -> Self:
        """What happened to a process."""
        return self._add("diary", at, kind="process", what=what, name=name)

    def kill(self, at: float, name: str, back_at: float) -> Self:
        """A kill, and the return."""
        return self.process(at, "kill", name).process(back_at, "ready", name)

    def round(self, at: float, fault: str, window: str) -> Self:
        """A fault that is planned."""
        return self._add("diary", at, kind="round", fault=fault, window=window)

    def skipped(self, at: float, fault: str, window: str, why: str) -> Self:
        """A fault that can't be injected here."""
        return self._add("diary", at, kind="skipped", fault=fault, window=window, why=why)

    def fault(self, at: float, fault: str, window: str, *targets: str, **more: Any) -> Self:
        """A fault, and who was in its window."""
        return self._add("diary", at, kind="fault", fault=fault, window=window, targets=list(targets), **more)

    def conflict(self, at: float, ref: str) -> Self:
        """The client tried another body and was refused."""
        return self._add("conflicts", at, ref=ref)

    def body(self, ref: str) -> Json:
        """The order as it was handed over first."""
        return self._bodies[ref]

    def drop(self, name: str, /, **facts: Any) -> Self:
        """Take rows away again."""
        self._files[name] = [(at, row) for at, row in self._files[name] if not facts.items() <= row.items()]
        return self

    def _request(self, at: float, endpoint: str, ref: str | None, more: Json) -> int:
        self._requests += 1
        path = more.get("path", f"/v3/mobile/{endpoint}")
        facts = self._facts("request", endpoint, ref, more) | {"query": more.get("query")}
        self._add("ledger", at, **facts, path=path, number=self._requests)
        return self._requests

    def _answer(self, at: float, endpoint: str, ref: str | None, asked: int, more: Json) -> Self:
        if more.get("http") is None:
            return self
        outcome = {name: more.get(name) for name in ("http", "code", "status")}
        outcome |= more.get("noted", {})
        return self._add("ledger", at, **self._facts("answer", endpoint, ref, more), **outcome, answers=asked)

    def _facts(self, kind: str, endpoint: str | None, ref: str | None, more: Json) -> Json:
        body = self._bodies.get(ref or "", {})
        facts = {name: more.get(name, body.get(name)) for name in ("phone", "plan_code", "amount")}
        whose = {"username": USERNAME, "environment": more.get("environment", "SANDBOX"), "key": more.get("key", KEY)}
        named = {"kind": kind, "endpoint": endpoint, "ref": ref, "topup_id": more.get("topup_id", f"id-{ref}")}
        return named | facts | whose

    def _add(self, name: str, at: float, /, **row: Any) -> Self:
        self._files[name].append((at, row))
        return self

    def _write(self) -> None:
        begin: Json = {"kind": "begin", "seed": 7, "rules": self.rules.model_dump(mode="json")}
        marks: list[tuple[float, Json]] = [
            (-20.0, begin),
            (400.0, {"kind": "faults_stop"}),
            (self.over_at, {"kind": "settled"}),
        ]
        for name, rows in self._files.items():
            more = marks if name == "diary" else []
            dated = [{"at": _iso(at), **row} for at, row in sorted((*rows, *more), key=lambda each: each[0])]
            if name == "ledger":
                _number(dated)
            lines = "".join(f"{json.dumps(row)}\n" for row in dated)
            (self.folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


def _number(rows: list[Json]) -> None:
    seqs: dict[int, int] = {}
    balance = float(BALANCE)
    for seq, row in enumerate(rows, start=1):
        row["seq"] = seq
        if row["kind"] == "request":
            seqs[row.pop("number")] = seq
        elif row["kind"] == "answer":
            row["request_seq"] = seqs[row.pop("answers")]
        balance += row.get("refunded", 0) - row.get("debited", 0)
        if row["kind"] in {"commit", "refund"}:
            row.setdefault("balance", balance)


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(START + at)
