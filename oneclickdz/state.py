"""The files that all processes of a host share about one key.

They hold no secret: a key appears only as a hash. Writes go through a lock and an atomic replace, so a
process killed at any moment leaves either the old or the new state.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from oneclickdz.errors import RateLimited

LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.01
_TRY_AGAIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class KeyState(BaseModel):
    """What is known of one key; times are wall-clock seconds since the epoch.

    Attributes:
        code: why the key is closed, None while it is open; ``text`` is the sentence for people.
        closed_at: the last request with the closed key.
        tries: requests that count against the key; an accepted ordinary request forgives them.
        proven_at: when /validate last said yes, None for never.
        unanswered: /validate requests of a key never proven whose outcome was never written down.
        hold_until: no request before then, by a Retry-After.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str | None = None
    text: str = ""
    closed_at: float = 0.0
    tries: int = 0
    proven_at: float | None = None
    unanswered: int = 0
    tried_at: float = 0.0
    hold_until: float = 0.0


class HostState(BaseModel):
    """What concerns every key of this host: the provider blocks addresses, not keys."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    blocked_until: float = 0.0


S = TypeVar("S", KeyState, HostState)


class SharedState:
    """The state of one key in ``folder``, under the key's fingerprint.

    Every method may block for a file and raises RateLimited when the folder can't be used.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.key_file = folder / f"oneclickdz-{fingerprint}.json"
        self.window_file = folder / f"oneclickdz-{fingerprint}.window.sqlite"
        self.proof_lock_file = folder / f"oneclickdz-{fingerprint}.validate.lock"
        self._lock_file = folder / f"oneclickdz-{fingerprint}.lock"
        self._host_file = folder / "oneclickdz-host.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the key's lock; waits at most 2 s for it."""
        with self.usable(), FileLock(self._lock_file, timeout=LOCK_SECONDS, poll_interval=_POLL_SECONDS):
            yield

    def key(self) -> KeyState:
        """The state of the key now."""
        return self._read(self.key_file, KeyState)

    def host(self) -> HostState:
        """The state of the host now."""
        return self._read(self._host_file, HostState)

    def save(self, state: KeyState | HostState) -> None:
        """Replace a state as a whole; for the key's, hold the lock."""
        path = self.key_file if isinstance(state, KeyState) else self._host_file
        fresh = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        with self.usable():
            with fresh.open("w", encoding="utf-8") as file:
                file.write(state.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)

    def _read(self, path: Path, shape: type[S]) -> S:
        with self.usable():
            try:
                return shape.model_validate_json(path.read_bytes())
            except FileNotFoundError:
                return shape()
            except ValidationError:
                # Replaced as a whole, it can only have been damaged by hand or by the disk.
                logger.warning("%s can't be read and counts as empty", path.name)
                return shape()

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Turn any trouble with the files into RateLimited."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except (OSError, Timeout) as problem:
            raise RateLimited(
                f"The shared state in {self.folder} can't be used ({type(problem).__name__}), so nothing is sent. "
                "Check that TOPUPS_STATE_DIR is writable and has space.",
                retry_after=_TRY_AGAIN_SECONDS,
            ) from None
