"""Faults on order: which request goes wrong, at which moment, and how."""

from typing import Annotated, Any, Literal, Self, get_args
from zlib import crc32

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from simulator.answers import CODE_OF_HTTP, HTTP_OF_CODE

Moment = Literal["received", "committed", "answered"]
Lie = Literal["stale_page", "shifted_page", "duplicate_rows", "missing_record", "other_order", "wrong_totals"]
Action = Literal["error", "timeout", "reset", "disconnect", "broken_json", "empty", "redirect", "hold", "delay"] | Lie
LIES: frozenset[str] = frozenset(get_args(Lie))
ENDPOINTS = (
    "validate",
    "balance",
    "transactions",
    "plans",
    "send",
    "check-id",
    "check-ref",
    "list",
)
_NAMES_OF_OBJECT_VALUE = {"hold": "hold", "timeout": "seconds", "delay": "seconds", "redirect": "location"}


def _endpoint(name: str) -> str:
    """Accept ``/v3/mobile/check-ref/{ref}``, ``mobile/check-ref`` and ``check_ref`` for ``check-ref``."""
    for word in name.replace("_", "-").replace("/", " ").split():
        if word in (*ENDPOINTS, "*"):
            return word
    raise ValueError(f"endpoint is one of {', '.join(ENDPOINTS)} or *")


class Fault(BaseModel):
    """One fault; ``n`` calls of ``endpoint`` meet it at ``moment`` (-1: until it is deleted).

    ``received``: nothing was done yet. ``committed``: all was done, not a byte was sent; on ``send`` only
    when an order was created. ``answered``: half of the body is on its way.

    A lie is told by a page of the list. It changes how the page is made, so its moment is ``received``, and its
    ``ref`` and ``share`` say of which rows it is told.
    """

    model_config = ConfigDict(extra="forbid")

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    n: int = Field(default=1, ge=-1)
    moment: Moment = "received"
    action: Action
    ref: str | None = None
    key: str | None = None
    skip: int = Field(default=0, ge=0)
    seconds: float = Field(default=60.0, ge=0)
    hold: str | None = None
    http: int | None = Field(default=None, ge=200, le=599)
    code: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    envelope: bool | None = None
    location: str = "/v3/elsewhere"
    share: float = Field(default=1.0, gt=0, le=1)
    rows: int = Field(default=1, ge=1)
    totals: Literal["zero", "fewer", "absurd"] = "zero"
    id: int = 0
    hits: int = 0

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: Any) -> Any:
        """Accept ``{"action": {"error": {"http": 503}}}``, ``"action": 503`` and ``"action": "ERR_AUTH"``."""
        if not isinstance(data, dict):
            return data
        action = data.get("action")
        if isinstance(action, dict) and len(action) == 1:
            name, value = next(iter(action.items()))
            extra = value if isinstance(value, dict) else {_NAMES_OF_OBJECT_VALUE.get(name, "http"): value}
            return {**data, **(extra if value is not True else {}), "action": name}
        if isinstance(action, int) or str(action).isdecimal():
            return {**data, "action": "error", "http": int(str(action))}
        if action in HTTP_OF_CODE:
            return {**data, "action": "error", "code": action}
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.action == "hold" and not self.hold:
            raise ValueError('a hold needs a name: {"action": "hold", "hold": "my-hold"}')
        if self.action == "error":
            known = HTTP_OF_CODE.get(self.code or "")
            self.http = self.http or (known[0] if known else 500)
            if self.envelope is None:
                # A gateway in front of the provider knows nothing of its envelope.
                self.envelope = self.code is not None or self.http in CODE_OF_HTTP
            self.code = self.code or CODE_OF_HTTP.get(self.http, "INTERNAL_ERROR")
        if self.is_lie and (self.endpoint, self.moment) != ("list", "received"):
            raise ValueError(f"{self.action} is told by the list, at the moment received")
        return self

    @property
    def is_lie(self) -> bool:
        return self.action in LIES

    @property
    def is_spent(self) -> bool:
        return 0 <= self.n <= self.hits - self.skip

    def meets(self, endpoint: str, moment: Moment, ref: str | None, key: str | None) -> bool:
        """Whether this request at this moment is meant."""
        return (
            not self.is_spent
            and self.moment == moment
            and self.endpoint in {"*", endpoint}
            and (self.is_lie or self.ref in {None, ref})
            and self.key in {None, key}
        )

    def is_about(self, ref: str, topup_id: str) -> bool:
        """Whether this call's lie is told of this row; with a ``share`` each call draws anew, by id and call."""
        drawn = crc32(f"{self.id} {self.hits} {topup_id}".encode()) / 2**32
        return self.ref in {None, ref} and drawn < self.share


class Faults:
    """Every armed fault, in the order of arming."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._count = 0

    def arm(self, fault: Fault) -> Fault:
        self._count += 1
        fault.id = self._count
        self._armed.append(fault)
        return fault

    def disarm(self, fault_id: int | None = None) -> int:
        """Delete one fault, or all; says how many. Requests that wait already go on waiting."""
        kept = [fault for fault in self._armed if fault_id is not None and fault.id != fault_id]
        gone = len(self._armed) - len(kept)
        self._armed = kept
        return gone

    def take(self, endpoint: str, moment: Moment, ref: str | None, key: str | None) -> Fault | None:
        """The fault that this request meets now; it counts as a call."""
        for fault in self._armed:
            if fault.meets(endpoint, moment, ref, key):
                fault.hits += 1
                if fault.hits > fault.skip:
                    return fault
        return None

    def wire(self) -> list[dict[str, Any]]:
        """Every fault with its ``hits`` and what is ``remaining`` (-1: no end)."""
        return [
            fault.model_dump(exclude_none=True)
            | {"remaining": -1 if fault.n < 0 else max(0, fault.n - max(0, fault.hits - fault.skip))}
            for fault in self._armed
        ]
