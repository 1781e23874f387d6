"""The guard against a lockout: a refused key costs one request in 15 minutes, over all processes.

Five bad attempts block the address, and so every order, for 15 minutes. Source:
api-reference/core/validate-token.
"""

from __future__ import annotations

from collections.abc import Callable

from oneclickdz.errors import CredentialsRefused, KeyClosed
from oneclickdz.state import HostState, KeyState, SharedState
from oneclickdz.verdicts import CLOSED_SECONDS

MAX_TRIES = 3


class KeyGuard:
    """Whether a key may be used now. The truth is in the books, and a method may block for them unless it says not."""

    def __init__(self, state: SharedState, *, now: Callable[[], float]) -> None:
        self._state = state
        self._now = now

    def look(self) -> bool:
        """Whether a /validate must say yes first: the key was never proven, or its trial is due.

        Raises KeyClosed while the key may not be used.
        """
        key = self._key()
        self._check_host()
        if key.code is None:
            self._check_unanswered(key)
            return key.proven_at is None
        wait = key.closed_at + CLOSED_SECONDS - self._now()
        if key.tries >= MAX_TRIES or wait > 0:
            raise self._closed(key)
        return True

    def must_be_open(self) -> None:
        """Raise KeyClosed where the key is known to be closed. Waits for nothing."""
        self._known_open()

    def is_proven(self) -> bool:
        """Whether the key is open and was proven, as far as can be told without waiting; if not, ``look``."""
        try:
            return self._known_open().proven_at is not None
        except KeyClosed:
            return False

    def begin(self) -> KeyState:
        """Write down that a /validate is about to leave, so that being killed does not hide it.

        Returns the state before, for ``withdraw``.
        """
        with self._state.locked():
            key, now = self._state.key(), self._now()
            if key.code is not None:
                self._state.save(key.model_copy(update={"tries": key.tries + 1, "closed_at": now}))
            elif key.proven_at is None:
                fresh = {"unanswered": key.unanswered + 1, "tried_at": now}
                self._state.save(key.model_copy(update=fresh))
            return key

    def withdraw(self, before: KeyState) -> None:
        """The /validate never left."""
        with self._state.locked():
            counts = {"tries", "closed_at", "unanswered", "tried_at"}
            self._state.save(self._state.key().model_copy(update=before.model_dump(include=counts)))

    def unclear(self) -> None:
        """The /validate was answered or given up without a word on the key."""
        with self._state.locked():
            self._state.save(self._state.key().model_copy(update={"unanswered": 0}))

    def opened(self) -> None:
        """/validate said yes. The tries stay until an ordinary request is accepted too."""
        with self._state.locked():
            fresh = {"code": None, "text": "", "unanswered": 0, "proven_at": self._now()}
            self._state.save(self._state.key().model_copy(update=fresh))

    def is_on_trial(self) -> bool:
        """Whether there are tries to forgive, as far as can be told without waiting."""
        return self._state.glance().tries > 0

    def works(self) -> None:
        """An ordinary request was accepted: forgive the tries."""
        with self._state.locked():
            key = self._state.key()
            if key.code is None:
                self._state.save(key.model_copy(update={"tries": 0}))

    def refused(self, refusal: CredentialsRefused) -> None:
        """Close the key; IP_BLOCKED closes the whole host."""
        with self._state.locked():
            key, now = self._state.key(), self._now()
            # Requests that were under way together count as one; a trial was counted when it began.
            tries = key.tries + 1 if key.code is None else key.tries
            closed = {
                "code": refusal.code or "REFUSED",
                "text": refusal.message,
                "closed_at": now,
                "tries": tries,
                "unanswered": 0,
            }
            self._state.save(key.model_copy(update=closed))
            if refusal.code == "IP_BLOCKED":
                self._state.save(HostState(blocked_until=now + CLOSED_SECONDS))

    def _known_open(self) -> KeyState:
        key = self._state.glance()
        self._check_host()
        if key.code is not None:
            raise self._closed(key)
        return key

    def _key(self) -> KeyState:
        key = self._state.key()
        if max(key.closed_at, key.tried_at) <= self._now():
            return key
        # The clock was set back. How long the rest has lasted is unknown, so a whole one begins now.
        with self._state.locked():
            key, now = self._state.key(), self._now()
            times = {"closed_at": min(key.closed_at, now), "tried_at": min(key.tried_at, now)}
            key = key.model_copy(update=times)
            self._state.save(key)
            return key

    def _closed(self, key: KeyState) -> KeyClosed:
        if key.tries >= MAX_TRIES:
            text = (
                f"{key.text} This key was refused {key.tries} times and is not tried again: "
                f"set another key, or remove {self._state.whereabouts()} to try it once more."
            )
            return KeyClosed(text, code=key.code)
        wait = min(key.closed_at + CLOSED_SECONDS - self._now(), CLOSED_SECONDS)
        return KeyClosed(key.text, code=key.code, retry_after=max(wait, 0.0))

    def _check_host(self) -> None:
        wait = self._state.host().blocked_until - self._now()
        if wait > CLOSED_SECONDS:
            wait = CLOSED_SECONDS
            self._state.save(HostState(blocked_until=self._now() + wait))
        if wait > 0:
            raise KeyClosed(
                "The provider blocks this address (IP_BLOCKED); no key is tried.",
                code="IP_BLOCKED",
                retry_after=wait,
            )

    def _check_unanswered(self, key: KeyState) -> None:
        wait = key.tried_at + CLOSED_SECONDS - self._now()
        if key.unanswered >= MAX_TRIES and wait > 0:
            raise KeyClosed(
                f"The process was killed {key.unanswered} times while it tried this key.",
                code="UNANSWERED",
                retry_after=wait,
            )
