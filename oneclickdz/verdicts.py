"""What an answer, or its absence, means. The rules of money for one request, as pure functions.

Sources: api-reference/error-handling (codes), mobile/send-topup, mobile/check-by-ref, and what was seen
in the field: the spelling DUPLICATED-REF, 404 without envelope for an unknown route.
"""

from __future__ import annotations

from typing import TypeVar

import httpx
from httpx import codes
from pydantic import BaseModel, FiniteFloat, TypeAdapter, ValidationError

from oneclickdz.envelope import Answer, Envelope, read_envelope, retry_after
from oneclickdz.errors import (
    CredentialsRefused,
    DuplicateRef,
    InsufficientBalance,
    NoAnswer,
    NotFound,
    OneClickDZError,
    ProviderUnavailable,
    Refused,
    SaysNothing,
    UnclearAnswer,
    Unreachable,
)
from oneclickdz.models import Account, SendAccepted

# The provider's lockout, and so the time for which a refused key rests. Source: core/validate-token.
CLOSED_SECONDS = 900.0

REFUSED = frozenset({"ERR_VALIDATION", "ERR_PHONE"})
NO_MONEY = frozenset({"INSUFFICIENT_BALANCE", "NO_BALANCE"})
NOTHING_STARTED = frozenset({"AUTH_UNAVAILABLE", "PARTNER_UNAVAILABLE"})

# httpx raises these before a byte of the request has left.
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

M = TypeVar("M", bound=BaseModel)
_money: TypeAdapter[float] = TypeAdapter(FiniteFloat)


def accepted(answer: Answer, *, now: float) -> SendAccepted:
    """The order that a POST's answer promises; every other answer is raised as what it proves."""
    said = read_envelope(answer)
    if codes.is_success(answer.http) and said.success is not False:
        try:
            return SendAccepted.model_validate(said.data, by_alias=True, by_name=False)
        except ValidationError:
            raise _unclear(answer, said) from None
    raise _send_failure(answer, said, now)


def record(answer: Answer, shape: type[M], *, now: float) -> M:
    """The data of a read's answer in that shape; every other answer is raised as what it says."""
    said = read_envelope(answer)
    if codes.is_success(answer.http) and said.success is not False:
        try:
            return shape.model_validate(said.data, by_alias=True, by_name=False)
        except ValidationError:
            raise _says_nothing(answer, said, now) from None
    if answer.http == codes.NOT_FOUND and said.code == "NOT_FOUND":
        raise NotFound(f"The provider knows no such record now. {said.message}", http=answer.http, code=said.code)
    raise credentials(answer, said) or _says_nothing(answer, said, now)


def credentials(answer: Answer, said: Envelope) -> CredentialsRefused | None:
    """The refusal of the token, the address or the account that an answer holds, if any.

    A 401 counts whatever its body says; elsewhere the code must be listed.
    """
    named = said.code is not None and (said.code.startswith("IP_") or said.code == "API_DISABLED")
    if answer.http != codes.UNAUTHORIZED and not (named and answer.http == codes.FORBIDDEN):
        return None
    text = _what_to_set(said, answer.http)
    return CredentialsRefused(text, http=answer.http, code=said.code, retry_after=CLOSED_SECONDS)


def unfit(account: Account) -> CredentialsRefused | None:
    """Why a valid key can't order anything, if it can't. Source: authentication (isEnabled, scope)."""
    if account.scope == "READ-ONLY":
        text = "The access token may only read (READ-ONLY). Set ONECLICKDZ_ACCESS_TOKEN to a READ-WRITE key."
        return CredentialsRefused(text, code="READ_ONLY", retry_after=CLOSED_SECONDS)
    if not account.is_enabled:
        text = "The access token is switched off. Enable it in the OneClickDZ dashboard."
        return CredentialsRefused(text, code="KEY_DISABLED", retry_after=CLOSED_SECONDS)
    return None


def transport_failure(problem: Exception) -> Unreachable | NoAnswer:
    """What an exception of a POST's transport means: only four kinds prove that nothing left."""
    name = type(problem).__name__
    if isinstance(problem, NEVER_LEFT):
        return Unreachable(f"The provider can't be reached ({name}); nothing was sent. Try again later.")
    return NoAnswer(f"No answer to a send ({name}); it may have arrived. Look the order up by its ref.")


def read_failure(problem: Exception) -> SaysNothing:
    """What an exception of a GET's transport means."""
    name = type(problem).__name__
    if isinstance(problem, NEVER_LEFT):
        return Unreachable(f"The provider can't be reached ({name}). Try again later.")
    return SaysNothing(f"No answer to a read ({name}); it says nothing. Ask again later.")


def _send_failure(answer: Answer, said: Envelope, now: float) -> OneClickDZError:
    code, http = said.code, answer.http
    if refusal := credentials(answer, said):
        return refusal
    if code == "DUPLICATED_REF":
        return DuplicateRef(
            "The provider already has something with this ref. Look it up; don't send under a new ref.",
            http=http,
            code=code,
        )
    if code in REFUSED and http == codes.BAD_REQUEST:
        text = f"The provider refused the order ({code}): {said.message}"
        return Refused(text, http=http, code=code, details=said.details)
    if code in NO_MONEY and http == codes.FORBIDDEN:
        return _no_money(answer, said)
    if code in NOTHING_STARTED and codes.is_error(http) and http != codes.TOO_MANY_REQUESTS:
        text = f"The provider started nothing ({code}). Send again later."
        return ProviderUnavailable(text, http=http, code=code, retry_after=retry_after(answer.headers, now=now))
    return _unclear(answer, said)


def _no_money(answer: Answer, said: Envelope) -> InsufficientBalance:
    return InsufficientBalance(
        f"The account has too little money ({said.code}). Top up the OneClickDZ balance.",
        http=answer.http,
        code=said.code,
        required=_amount(said.details.get("required")),
        available=_amount(said.details.get("available")),
    )


def _unclear(answer: Answer, said: Envelope) -> UnclearAnswer:
    text = f"The answer to a send promises nothing ({_label(answer, said)}). Look the order up by its ref."
    return UnclearAnswer(text, http=answer.http, code=said.code)


def _says_nothing(answer: Answer, said: Envelope, now: float) -> SaysNothing:
    says_nothing = SaysNothing(
        f"The provider's answer can't be used ({_label(answer, said)}). Ask again later.",
        http=answer.http,
        code=said.code,
        retry_after=retry_after(answer.headers, now=now),
    )
    if answer.http == codes.TOO_MANY_REQUESTS:
        says_nothing.reason = "rate_limit"
    return says_nothing


def _what_to_set(said: Envelope, http: int) -> str:
    if said.code is not None and said.code.startswith("IP_"):
        return (
            f"The provider refuses this address ({said.code}). Add it to the key's allowed addresses in the "
            "OneClickDZ dashboard; after a block wait 15 minutes."
        )
    if said.code == "API_DISABLED":
        return "The account's API access is off (API_DISABLED). Switch it on in the OneClickDZ dashboard."
    left = said.details.get("attemptsLeft")
    known = f", {left} attempts left" if isinstance(left, int) else ""
    return (
        f"The provider refused the access token ({said.code or f'HTTP {http}'}{known}). "
        "Set ONECLICKDZ_ACCESS_TOKEN to a valid key."
    )


def _label(answer: Answer, said: Envelope) -> str:
    return f"HTTP {answer.http}, {said.code or 'no code'}"


def _amount(value: object) -> float | None:
    try:
        return _money.validate_python(value)
    except ValidationError:
        return None
