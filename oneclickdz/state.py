"""The books that all who use one key share: what is known of the key, its rate window, its newest page of checks.

They hold no secret: a key appears only as a hash, and a page is encrypted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from oneclickdz.budget import Window
from oneclickdz.errors import RateLimited
from oneclickdz.stores import FileStore, Store, StoreTrouble

_TRY_AGAIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Book(BaseModel):
    """One named body of the store. `SURE`: it must outlive a power cut."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    SURE: ClassVar[bool] = True


class KeyState(Book):
    """What is known of one key; times are wall-clock seconds since the epoch.

    Attributes:
        code: why the key is closed, None while it is open; ``text`` is the sentence for people.
        closed_at: the last request with the closed key.
        tries: requests that count against the key; an accepted ordinary request forgives them.
        proven_at: when /validate last said yes, None for never.
        unanswered: /validate requests of a key never proven whose outcome was never written down.
        hold_until: no request before then, by a Retry-After.
    """

    NAME = ""

    code: str | None = None
    text: str = ""
    closed_at: float = 0.0
    tries: int = 0
    proven_at: float | None = None
    unanswered: int = 0
    tried_at: float = 0.0
    hold_until: float = 0.0


class HostState(Book):
    """What concerns every key of this host: the provider blocks addresses, not keys."""

    NAME = ""

    blocked_until: float = 0.0


class WindowState(Book):
    """The requests of the last minute. After a power cut there was none for longer than that."""

    NAME, SURE = "window", False

    window: Window = Window()


class TurnState(Book):
    """Whose turn it is to ask for checks: nobody's before `next_at`. `page_at`: when the newest page was asked for."""

    NAME, SURE = "turn", False

    next_at: float = 0.0
    page_at: float = 0.0


class PageState(Book):
    """The newest page of checks, encrypted; `asked_at` tells whether it answers a question."""

    NAME, SURE = "page", False

    asked_at: float = 0.0
    body: str = ""


S = TypeVar("S", bound=Book)


class SharedState:
    """One key's books: in ``folder`` under the key's fingerprint, or in a store that several hosts share.

    What concerns the host alone stays in the folder. Every method may block and raises RateLimited when the books
    can't be used.
    """

    def __init__(
        self, folder: Path, fingerprint: str, *, now: Callable[[], float] = time.time, store: Store | None = None
    ) -> None:
        files = FileStore(folder, f"oneclickdz-{fingerprint}", now=now)
        self._store: Store = store or files
        self._host: Store = FileStore(folder, "oneclickdz-host", now=now)
        self.key_file = files.path(KeyState.NAME)
        self.window_file = files.path(WindowState.NAME)
        self.proof_lock_file = folder / f"oneclickdz-{fingerprint}.validate.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the key's books; waits at most 2 s for them."""
        with usable(), self._store.locked():
            yield

    def now(self) -> float:
        """The clock of everybody who shares these books."""
        with usable():
            return self._store.now()

    def key(self) -> KeyState:
        """The state of the key now."""
        return self.read(KeyState)

    def host(self) -> HostState:
        """The state of the host now."""
        return self.read(HostState)

    def glance(self) -> KeyState:
        """The state of the key as far as can be told without waiting for anything."""
        with usable():
            return _parsed(KeyState, self._store.glance(KeyState.NAME)) or KeyState()

    def read(self, shape: type[S]) -> S:
        """A book as it is now; a damaged one counts as empty."""
        return self.sound(shape) or shape()

    def sound(self, shape: type[S]) -> S | None:
        """A book as it is now, empty where there is none; None for a damaged one."""
        with usable():
            return _parsed(shape, self._of(shape).read(shape.NAME))

    def save(self, book: Book) -> None:
        """Replace a book as a whole; hold the lock, but for the host's."""
        with usable():
            self._of(type(book)).write(book.NAME, book.model_dump_json().encode(), sure=book.SURE)

    def whereabouts(self) -> str:
        """Where a person finds what is known of the key."""
        return self._store.whereabouts(KeyState.NAME)

    def _of(self, shape: type[Book]) -> Store:
        return self._host if shape is HostState else self._store


@contextmanager
def usable() -> Iterator[None]:
    """Turn any trouble with the books into RateLimited."""
    try:
        yield
    except StoreTrouble as trouble:
        raise RateLimited(str(trouble), retry_after=_TRY_AGAIN_SECONDS) from None


def _parsed(shape: type[S], body: bytes | None) -> S | None:
    if body is None:
        return shape()
    try:
        return shape.model_validate_json(body)
    except ValidationError:
        # Replaced as a whole, it can only have been damaged by hand or by the disk.
        logger.warning("The %s can't be read and counts as empty", shape.__name__)
        return None
