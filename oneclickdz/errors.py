"""
What a caller must know about a failed call:

OneClickDZError
├── NothingCreated              a send that surely created nothing
│   ├── NotSent            (s)  the request never left this host
│   │   ├── Unreachable         no connection, or the token is not confirmed yet
│   │   ├── RateLimited         the own window is full, or a Retry-After is in force
│   │   └── KeyClosed           the guard answered for a refused token (also CredentialsRefused)
│   │       └── TokenMissing    there is no token to send
│   ├── CredentialsRefused (s)  the provider refused the token, the address or the account
│   │   └── WrongEnvironment    a valid token of the other environment
│   ├── ProviderUnavailable (s) the provider promises that it started nothing
│   ├── InsufficientBalance     the account has too little money
│   └── Refused                 the provider refused this order
├── PerhapsCreated              a send that may have created an order: look it up, never just resend
│   ├── NoAnswer                it left, and no answer came
│   ├── UnclearAnswer           an answer that promises nothing
│   └── DuplicateRef            something with this ref exists
├── SaysNothing                 a read whose answer says nothing about the order
│   └── ...                     and every class marked (s)
└── NotFound                    a read: no record under this form now

A send raises NothingCreated or PerhapsCreated and nothing else. A read raises NotFound or SaysNothing
and nothing else. ``reason`` names the hold that an order waits in, where waiting helps.
"""

from __future__ import annotations

from typing import Literal

from oneclickdz.masking import mask_phones, mask_within

HoldReason = Literal["credentials", "rate_limit", "unreachable", "balance"]

_SHOWN_IN_SECONDS = 120


class OneClickDZError(Exception):
    """Any failure of a call. Its text says what to do next and never holds a token or a whole number.

    Attributes:
        message: the sentence without the time of the next try.
        reason: what an order that failed like this waits for; None where waiting is no remedy.
        http: the status of the provider's answer, None without one.
        code: the provider's code, upper case with ``_`` for ``-``; None without one.
        retry_after: seconds until it may go on; None where nobody said.
    """

    reason: HoldReason | None = None

    def __init__(
        self,
        message: str,
        *,
        http: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = mask_phones(message)
        self.http = http
        self.code = code
        self.retry_after = retry_after
        super().__init__(self.message + _next_try(retry_after))


def _next_try(seconds: float | None) -> str:
    if not seconds:
        return ""
    return f" Next try in {seconds / 60:.0f} min." if seconds > _SHOWN_IN_SECONDS else f" Next try in {seconds:.0f} s."


class NothingCreated(OneClickDZError):
    """The request surely created nothing. An earlier send of the same ref may have: this says nothing of it."""


class PerhapsCreated(OneClickDZError):
    """The request may have created an order. Look it up by its ref; never resend on this alone."""


class SaysNothing(OneClickDZError):
    """A read without a usable answer: a time-out, a bare 404, 429, 5xx, or a body that nobody can read."""

    reason: HoldReason | None = "unreachable"


class NotFound(OneClickDZError):
    """The provider knows no record under this form of the id or ref, now and with this key.

    It is no proof that nothing was sent: the ref may be stored in its prefixed form.
    Source: api-reference/mobile/check-by-ref, code NOT_FOUND.
    """


class NotSent(NothingCreated, SaysNothing):
    """The request never left this host."""


class Unreachable(NotSent):
    """No connection was made, or the token could not be confirmed because /validate gave no clear answer."""

    reason: HoldReason | None = "unreachable"


class RateLimited(NotSent):
    """The own window is full or a Retry-After of the provider is in force; ``retry_after`` is in seconds."""

    reason: HoldReason | None = "rate_limit"


class CredentialsRefused(NothingCreated, SaysNothing):
    """401, a 403 with an IP_* code or API_DISABLED, or a key that may only read. Never retry by yourself.

    Source: api-reference/core/validate-token (five bad attempts block the address for 15 minutes).
    """

    reason: HoldReason | None = "credentials"


class KeyClosed(CredentialsRefused, NotSent):
    """The token was refused before; the guard answered and no request left."""

    reason: HoldReason | None = "credentials"


class TokenMissing(KeyClosed):
    """No usable token is set."""


class WrongEnvironment(CredentialsRefused):
    """The token is valid, but it belongs to the other environment. Source: authentication."""


class ProviderUnavailable(NothingCreated, SaysNothing):
    """AUTH_UNAVAILABLE or PARTNER_UNAVAILABLE: the provider started nothing; ``retry_after`` in seconds."""

    reason: HoldReason | None = "unreachable"


class InsufficientBalance(NothingCreated):
    """INSUFFICIENT_BALANCE or NO_BALANCE. Source: api-reference/mobile/send-topup.

    Attributes:
        required, available: DZD, None where the provider left them out.
    """

    reason: HoldReason | None = "balance"

    def __init__(
        self,
        message: str,
        *,
        http: int | None = None,
        code: str | None = None,
        required: float | None = None,
        available: float | None = None,
    ) -> None:
        super().__init__(message, http=http, code=code)
        self.required = required
        self.available = available


class Refused(NothingCreated):
    """ERR_VALIDATION or ERR_PHONE: this order will never be taken. Source: api-reference/mobile/send-topup.

    Attributes:
        details: what the provider said of the field, numbers masked.
    """

    def __init__(
        self,
        message: str,
        *,
        http: int | None = None,
        code: str | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, http=http, code=code)
        self.details = mask_within(details or {})


class NoAnswer(PerhapsCreated):
    """The request may have left, and then a time-out, a reset or another fault came instead of an answer."""


class UnclearAnswer(PerhapsCreated):
    """A redirect, 429, 5xx, a 2xx without a readable id, or a code that nobody listed."""


class DuplicateRef(PerhapsCreated):
    """DUPLICATED_REF: something with this ref exists at the provider. Source: api-reference/error-handling."""
