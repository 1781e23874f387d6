"""The provider's envelopes. Source: /en/api-reference/response-format, /en/api-reference/error-handling."""

import json
from dataclasses import dataclass, field
from typing import Any

HTTP_OF_CODE = {
    "ERR_VALIDATION": (400, "Validation failed"),
    "ERR_PHONE": (400, "Invalid phone number"),
    "MISSING_ACCESS_TOKEN": (401, "Access token is required"),
    "INVALID_ACCESS_TOKEN": (401, "Invalid access token"),
    "ERR_AUTH": (401, "Invalid access token"),
    "IP_BLOCKED": (403, "Too many failed attempts. Try again in 15 minutes."),
    "IP_NOT_ALLOWED": (403, "This IP address is not allowed"),
    "API_DISABLED": (403, "API access is disabled"),
    "FORBIDDEN": (403, "This key may only read"),
    "INSUFFICIENT_BALANCE": (403, "Insufficient balance"),
    "NO_BALANCE": (403, "Insufficient balance"),
    "DUPLICATED_REF": (403, "This reference ID is already in use."),
    "DUPLICATED-REF": (403, "This reference ID is already in use."),
    "NOT_FOUND": (404, "Not found"),
    "PAYLOAD_TOO_LARGE": (413, "Payload too large"),
    "RATE_LIMIT_EXCEEDED": (429, "Too many requests"),
    "INTERNAL_ERROR": (500, "Internal server error"),
    "SERVICE_UNAVAILABLE": (503, "Service unavailable"),
    "AUTH_UNAVAILABLE": (503, "Authentication is unavailable"),
    "PARTNER_UNAVAILABLE": (503, "Partner is unavailable"),
}
CODE_OF_HTTP = {
    400: "ERR_VALIDATION",
    401: "INVALID_ACCESS_TOKEN",
    403: "IP_NOT_ALLOWED",
    404: "NOT_FOUND",
    413: "PAYLOAD_TOO_LARGE",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class Refusal(Exception):
    """The provider says no: an error envelope in the making."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        http: int | None = None,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        known_http, known_message = HTTP_OF_CODE.get(code, (500, code))
        self.http = known_http if http is None else http
        self.code = code
        self.message = message or known_message
        self.details = details
        self.headers = headers or {}
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire, and ``status``, ``code`` and more that the ledger notes about it."""

    http: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    status: str | None = None
    noted: dict[str, Any] = field(default_factory=dict)


def encode(value: Any) -> bytes:
    """Compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(data: dict[str, Any], *, timestamp: str | None, request_id: str | None) -> dict[str, Any]:
    """The success envelope; None leaves ``meta`` or ``requestId`` out."""
    body: dict[str, Any] = {"success": True, "data": data}
    if timestamp is not None:
        body["meta"] = {"timestamp": timestamp}
    if request_id is not None:
        body["requestId"] = request_id
    return body


def refused(refusal: Refusal, *, request_id: str | None) -> Answer:
    """The error envelope."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.details is not None:
        error["details"] = refusal.details
    body: dict[str, Any] = {"success": False, "error": error}
    if request_id is not None:
        body["requestId"] = request_id
    return Answer(refusal.http, encode(body), refusal.headers, refusal.code)


def routed(http: int, message: str, error: str) -> Answer:
    """What the router says by itself: no envelope, so it proves nothing about any record."""
    return Answer(http, encode({"message": message, "error": error, "statusCode": http}))
