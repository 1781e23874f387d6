"""A second provider, written from the published pages alone: whatever they leave open, it does the awkward way.

Stored refs are `API-<username>-<ref>`, check-ref knows no other form, numbers come as strings or floats, nothing has
`meta` or `requestId`, a page of the list begins with the oldest, and reads lag behind what was committed.
"""

import json
import re
import secrets
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

Json = dict[str, Any]

KEY = "5b0e3a52-77aa-4f0e-9d7c-other-provider"
USERNAME = "+213555012345"
PREFIX = f"API-{USERNAME}-"
ARABIC = "  هذا الرقم لا يقبل هذا العرض،\nيرجى اختيار عرض آخر. ⚠️ "
OFFERS: list[Json] = [
    {"typename": "📄 فاتورة", "plan_code": "FACTURE_DJEZZY", "amount": 500.0, "icon": None, "valid": {"days": 30}},
    {"typename": "MIX 1000", "plan_code": "MIX1000_OOREDOO", "amount": "1000", "tags": ["new", 7], "amount_max": ""},
]
DYNAMIC, FIXED = ("PREPAID_DJEZZY", "PREPAID_MOBILIS", "GETMENU_Djezzy"), {"PIXX_500": 500}
_PLAN = {"name": "📱 plan", "operator": "Djezzy", "isEnabled": True, "color": "#ff0000"}
READY: dict[str, Json] = {
    "validate": {"username": USERNAME, "apiKey": {"type": "SANDBOX", "isEnabled": True}},
    "balance": {"balance": "1326.1300"},
    "plans": {
        "dynamicPlans": [_PLAN | {"code": code, "min_amount": "50", "max_amount": 10_000.0} for code in DYNAMIC],
        "fixedPlans": [_PLAN | {"code": code, "amount": f"{amount}.00"} for code, amount in FIXED.items()],
    },
}
SILENCE_SECONDS = 34.0
LATE_SECONDS = 8.0
FAR = {"from": "2000-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"}


def _data(data: Json) -> Json:
    return {"success": True, "data": data}


def _error(code: str, **more: Any) -> Json:
    return {"success": False, "error": {"code": code, "message": f"{code}."} | more}


class Trouble(Enum):
    """The answer that one POST or read of an order meets; `…_AFTER` comes after the order was committed."""

    ERROR_AFTER = 500, {"success": False, "error": {"message": "Something went wrong"}}
    UNAVAILABLE_AFTER = 503, _error("SERVICE_UNAVAILABLE")
    NO_ID_AFTER = 201, _data({})
    SILENCE_AFTER = 0, "nothing, for longer than a client may wait"
    RESET_AFTER = 0, "a reset of the connection"
    COMMIT_LATER = 502, "<html>The order is committed some seconds later</html>"
    BAD_GATEWAY = 502, "<html><head><title>502 Bad Gateway</title></head></html>"
    TOO_MANY = 429, _error("RATE_LIMIT_EXCEEDED")
    NO_BALANCE = 403, _error("NO_BALANCE")
    NOT_FOUND = 404, _error("NOT_FOUND")
    NO_ROUTE = 404, {"message": "Route not found", "error": "Not Found", "statusCode": 404}


@dataclass(frozen=True)
class Story:
    """What happens to one ref: to its first POSTs and reads in turn, and the statuses by age in seconds."""

    posts: tuple[Trouble, ...] = ()
    reads: tuple[Trouble, ...] = ()
    life: tuple[tuple[float, str], ...] = ((0, "PENDING"), (3, "HANDLING"), (8, "FULFILLED"))
    lag: float = 7.0  # of check-ref, in seconds after the commit
    list_lag: float = 7.0
    offers: bool = False


@dataclass
class Placed:
    """An order that exists here."""

    ref: str
    plan_code: str
    phone: str
    amount: int
    story: Story = field(default_factory=Story)
    born: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def age(self) -> float:
        return time.time() - self.born

    @property
    def status(self) -> str:
        return [status for since, status in self.story.life if since <= self.age][-1]

    def shown(self, *, in_list: bool) -> Json:
        """The record as the API shows it."""
        refunded, spoken = self.status == "REFUNDED", self.status in {"REFUNDED", "UNKNOWN_ERROR"}
        return {
            "_id": self.id,
            "ref": PREFIX + self.ref,
            "status": self.status,
            "plan_code": self.plan_code,
            "MSSIDN": self.phone,
            "topup_amount": f"{self.amount}.00" if in_list else float(self.amount),
            "balance_amount": 0.0 if refunded else f"{self.amount * 0.9925:.4f}",
            "created_at": datetime.fromtimestamp(self.born, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "refund_message": ARABIC if spoken else None,
            "suggested_offers": OFFERS if refunded and self.story.offers else None,
            "retry_orderid": None,
            "modem": {"slot": 7, "signal": "-71 dBm"},
        }


class OtherProvider:
    """The books: every order that was committed, and every POST and read of a ref, in the order they came."""

    def __init__(self, stories: Mapping[str, Story], placed: list[Placed]) -> None:
        self.placed = list(placed)
        self.posts: list[str] = []
        self.reads: list[str] = []
        self.url = ""
        self.ending = threading.Event()
        self._stories = stories
        self._lock = threading.RLock()
        posts = {ref: deque(story.posts) for ref, story in stories.items()}
        self._troubles = posts, {ref: deque(story.reads) for ref, story in stories.items()}

    def deliveries(self, ref: str) -> int:
        return sum(order.status == "FULFILLED" for order in self.placed if order.ref == ref)

    def trouble(self, ref: str, *, reading: bool) -> Trouble | None:
        """The next trouble of this ref; the request is noted."""
        with self._lock:
            (self.reads if reading else self.posts).append(ref)
            waiting = self._troubles[reading].get(ref)
            return waiting.popleft() if waiting else None

    def commit(self, body: Json) -> Placed | None:
        """The new order; None when the ref is in use."""
        with self._lock:
            if any(order.ref == body["ref"] for order in self.placed):
                return None
            story = self._stories.get(body["ref"], Story())
            order = Placed(body["ref"], body["plan_code"], body["MSSIDN"], body["amount"], story)
            self.placed.append(order)
            return order

    def commit_later(self, body: Json) -> None:
        threading.Timer(LATE_SECONDS, self.commit, [body]).start()

    def find(self, endpoint: str, key: str) -> Placed | None:
        """By id at once, by stored ref after its lag."""
        for order in self.placed:
            if key == order.id if endpoint == "check-id" else key == PREFIX + order.ref:
                return order if endpoint == "check-id" or order.age >= order.story.lag else None
        return None

    def page(self, query: Mapping[str, str]) -> Json:
        page, size = int(query.get("page", 1)), min(int(query.get("pageSize", 20)), 100)
        since, until = (datetime.fromisoformat(query.get(name, FAR[name])) for name in ("from", "to"))
        rows = [
            order.shown(in_list=True)
            for order in sorted(self.placed, key=lambda order: order.born)
            if order.age >= order.story.list_lag and since <= datetime.fromtimestamp(order.born, UTC) <= until
        ]
        count = {"page": page, "pageSize": size, "totalPages": str(-(-len(rows) // size)), "totalResults": len(rows)}
        return {"items": rows[(page - 1) * size : page * size], "pagination": count}


def _wrong_field(body: Json) -> str | None:
    amount, plan = body.get("amount"), body.get("plan_code")
    if plan not in {*DYNAMIC, *FIXED}:
        return "plan_code"
    if not isinstance(body.get("MSSIDN"), str) or not re.fullmatch("0[567][0-9]{8}", body["MSSIDN"]):
        return "MSSIDN"
    if not isinstance(amount, int) or amount != FIXED.get(plan, amount):
        return "amount"
    return None if 50 <= amount <= 10_000 or (amount == 0 and plan.startswith("GETMENU")) else "amount"


class _Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: OtherProvider

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        # "+" is a space here, as many servers read it: a stored ref arrives only percent-encoded.
        *_, endpoint, last = ["", *(unquote_plus(part) for part in url.path.removeprefix("/v3").split("/"))]
        if self.headers["X-Access-Token"] != KEY:
            self._answer(401, _error("INVALID_ACCESS_TOKEN"))
        elif endpoint in {"check-id", "check-ref"}:
            self._read(last, self.provider.find(endpoint, last))
        elif last == "list" and ("from" in query) == ("to" in query):
            self._answer(200, _data(self.provider.page(query)))
        elif last in READY:
            self._answer(200, _data(READY[last]))
        else:
            self._answer(*Trouble.NO_ROUTE.value)

    def _read(self, key: str, order: Placed | None) -> None:
        trouble = self.provider.trouble(order.ref if order else key.removeprefix(PREFIX), reading=True)
        if trouble or not order:
            self._answer(*(trouble or Trouble.NOT_FOUND).value)
        else:
            self._answer(200, _data(order.shown(in_list=False)))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wrong = _wrong_field(body)
        if self.headers["X-Access-Token"] != KEY:
            self._answer(401, _error("INVALID_ACCESS_TOKEN"))
        elif self.path != "/v3/mobile/send":
            self._answer(*Trouble.NO_ROUTE.value)
        elif wrong:
            self._answer(400, _error("ERR_VALIDATION", details={"field": wrong}))
        else:
            self._send(body, self.provider.trouble(body["ref"], reading=False))

    def _send(self, body: Json, trouble: Trouble | None) -> None:
        if trouble is Trouble.COMMIT_LATER:
            self.provider.commit_later(body)
        if trouble and not trouble.name.endswith("_AFTER"):
            self._answer(*trouble.value)
            return
        order = self.provider.commit(body)
        if order is None:
            self._answer(403, _error("DUPLICATED-REF"))
        elif trouble:
            self._fail(trouble)
        else:
            self._answer(201, _data({"topupId": order.id, "topupRef": PREFIX + order.ref, "newBalance": "88.505"}))

    def _fail(self, trouble: Trouble) -> None:
        self.close_connection = trouble in {Trouble.SILENCE_AFTER, Trouble.RESET_AFTER}
        if trouble is Trouble.SILENCE_AFTER:
            self.provider.ending.wait(SILENCE_SECONDS)
        elif trouble is Trouble.RESET_AFTER:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self._answer(*trouble.value)

    def _answer(self, status: int, body: Json | str) -> None:
        content = (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("Retry-After", "2")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def other_provider(stories: Mapping[str, Story], placed: list[Placed]) -> Iterator[OtherProvider]:
    """Serve on a free port of this host as long as the context; `placed` are orders that exist already."""
    provider = OtherProvider(stories, placed)
    desk = type("Desk", (_Desk,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), desk) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}/v3"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield provider
        finally:
            provider.ending.set()
            server.shutdown()
