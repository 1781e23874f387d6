"""Phone numbers and tokens stay out of logs, reprs and error texts."""

from __future__ import annotations

import logging
import re

_SHOWN_OR_HIDDEN = re.compile(
    r"(?P<object_id>\b[0-9a-f]{24}\b)"
    r"|(?<![0-9])(?P<head>(?:(?:\+|%2B|00)?213|0)[567][0-9])[0-9]{5}(?P<tail>[0-9]{2})(?![0-9])",
    re.IGNORECASE,
)


def mask_phones(text: str) -> str:
    """The same text with every Algerian mobile number shown as ``077•••••67``.

    The provider's 24-digit object ids are left whole, although their digits may look like a number.
    """
    return _SHOWN_OR_HIDDEN.sub(_masked, text)


def mask_within(value: object) -> object:
    """A JSON value with the numbers in all its strings masked."""
    if isinstance(value, str):
        return mask_phones(value)
    if isinstance(value, dict):
        return {mask_phones(str(key)): mask_within(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_within(item) for item in value]
    return value


def _masked(match: re.Match[str]) -> str:
    return match["object_id"] or f"{match['head']}•••••{match['tail']}"


class _MaskPhones(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_phones(record.getMessage()), None
        return True


_mask = _MaskPhones()


def quieten_httpx() -> None:
    """Mask httpx's own log: it writes every URL, and a prefixed ref holds the account's number.

    Safe to call more than once.
    """
    # A logger's filter is asked once, where the record is made, whatever handlers hang above.
    logging.getLogger("httpx").addFilter(_mask)
