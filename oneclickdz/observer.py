"""What a caller may watch of the wire: nothing of it names an order, a number or a key, nor can it fail a call."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from httpx import codes

from oneclickdz.errors import KeyClosed, OneClickDZError, RateLimited, Unreachable
from oneclickdz.verdicts import NO_MONEY, NOTHING_STARTED, REFUSED

# A code that isn't listed is `other`: a label that anybody could fill would grow without end.
KNOWN_CODES = (
    REFUSED
    | NO_MONEY
    | NOTHING_STARTED
    | {"API_DISABLED", "DUPLICATED_REF", "ERR_AUTH", "FORBIDDEN", "INTERNAL_ERROR", "INVALID_ACCESS_TOKEN"}
    | {"IP_BLOCKED", "IP_NOT_ALLOWED", "MISSING_ACCESS_TOKEN", "NOT_FOUND", "RATE_LIMIT_EXCEEDED"}
    | {"SERVICE_UNAVAILABLE"}
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exchange:
    """One request that left, or tried to, and how it ended.

    Attributes:
        endpoint: the API's own word: validate, send, check-id, check-ref, list, plans, balance, transactions.
        http: the class of the answer's status: 2xx, 3xx, 4xx, 5xx, and 429 by itself; none without an answer.
        code: OK; one of ``KNOWN_CODES``; other; none where an answer had no code; unreachable where no connection
            was made; no_answer.
        seconds: from asking to the end of the answer, the wait for a place in the rate window not counted.
    """

    endpoint: str
    http: str
    code: str
    seconds: float


class Observer(Protocol):
    """Told of each request. It must not block; what it raises is logged and dropped."""

    def exchanged(self, exchange: Exchange) -> None:
        """A request ended."""
        ...

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        """A send, read or validate waited for its place in the rate window; in vain: it got none in time."""
        ...


class Watched:
    """The way to the observer, if there is one. No method raises anything of its own."""

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer

    @contextmanager
    def exchange(self, path: str) -> Iterator[None]:
        """Around one request and the reading of its answer."""
        began = time.perf_counter()
        try:
            yield
        except (KeyClosed, RateLimited):
            # Our own refusal: nothing was asked.
            raise
        except OneClickDZError as problem:
            self._ended(path, began, problem)
            raise
        self._ended(path, began, None)

    def waited(self, kind: str, seconds: float, *, in_vain: bool = False) -> None:
        """Tell of a wait for the rate window."""
        if self._observer is not None:
            with _harmless():
                self._observer.waited(kind, seconds, in_vain=in_vain)

    def _ended(self, path: str, began: float, problem: OneClickDZError | None) -> None:
        if self._observer is not None:
            with _harmless():
                took = time.perf_counter() - began
                self._observer.exchanged(Exchange(endpoint(path), http_class(problem), code(problem), took))


@contextmanager
def _harmless() -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception("An observer failed; the request is not concerned")


def endpoint(path: str) -> str:
    """Return the API's word in a path: what comes behind it may name an order."""
    parts = path.strip("/").split("/")
    return parts[0] if len(parts) == 1 else parts[1]


def http_class(problem: OneClickDZError | None) -> str:
    """Return the class of the status that a call ended with."""
    if problem is None:
        return "2xx"
    if problem.http is None:
        return "none"
    return "429" if problem.http == codes.TOO_MANY_REQUESTS else f"{problem.http // 100}xx"


def code(problem: OneClickDZError | None) -> str:
    """Return the one word for how a call ended."""
    if problem is None:
        return "OK"
    if problem.code is not None:
        return problem.code if problem.code in KNOWN_CODES else "other"
    if problem.http is not None:
        return "none"
    return "unreachable" if isinstance(problem, Unreachable) else "no_answer"
