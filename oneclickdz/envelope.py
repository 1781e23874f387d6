"""Reading the provider's envelope out of whatever came back.

Source: api-reference/response-format. A body without ``success`` comes from a router or a proxy on
the way and promises nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from oneclickdz.masking import mask_phones

RETRY_AFTER_DEFAULT_SECONDS = 60.0
RETRY_AFTER_MAX_SECONDS = 900.0
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read whole; ``body`` is empty where it broke off."""

    http: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an answer says; everything is None or empty where it can't be read.

    ``code`` is filled in only under ``success: false``: elsewhere a code promises nothing.
    """

    success: bool | None = None
    data: dict[str, Any] | None = field(default=None, repr=False)
    code: str | None = None
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict, repr=False)


def read_envelope(answer: Answer) -> Envelope:
    """The envelope in an answer. Never raises: an unreadable body is an empty envelope."""
    try:
        text = answer.body.decode("utf-8-sig", errors="replace")
        whole = _object(_sound(json.loads(text, parse_constant=_nothing)))
    except (ValueError, RecursionError):
        return Envelope()
    if (success := whole.get("success")) is not True and success is not False:
        success = None
    data = whole.get("data")
    error = _object(whole.get("error")) if success is False else {}
    return Envelope(
        success=success,
        data=data if isinstance(data, dict) else None,
        code=_code(error.get("code")),
        message=mask_phones(str(error.get("message") or ""))[:_LONGEST_MESSAGE],
        details=_object(error.get("details")),
    )


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, from 1 to 900; None without a readable one.

    ``now`` is the wall clock in seconds, for the header's HTTP-date form.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 1.0), RETRY_AFTER_MAX_SECONDS)


def in_utc(moment: datetime) -> str:
    """A moment as the lists' ``from`` and ``to`` want it. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("give a datetime with a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _code(value: object) -> str | None:
    return value.strip().upper().replace("-", "_")[:64] or None if isinstance(value, str) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _nothing(_constant: str) -> None:
    """NaN and the infinities are no JSON."""


def _sound(value: Any) -> Any:
    # JSON may spell half a surrogate pair, which no later encoder would take.
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sound(key): _sound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sound(item) for item in value]
    return value
