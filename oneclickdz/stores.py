"""Where the books of a key are kept, so that everybody who uses the key reads the same ones.

A store keeps small named bodies of bytes. Every method may block and raises StoreTrouble.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.01


class StoreTrouble(Exception):
    """The store can't be used now; the text says where it is and what to look at."""


class Store(Protocol):
    """One key's books. `write` belongs inside `locked`, where `read` sees what no other process can change."""

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else writes meanwhile; waits at most 2 s for that."""
        ...

    def now(self) -> float:
        """The clock that all who share the store go by, seconds since the epoch."""
        ...

    def read(self, name: str) -> bytes | None:
        """A body as it is now; None where there is none."""
        ...

    def glance(self, name: str) -> bytes | None:
        """A body as it was when this process last saw it, if looking again could take time."""
        ...

    def write(self, name: str, body: bytes, *, sure: bool) -> None:
        """Replace a body as a whole; with `sure` it outlives a power cut too."""
        ...

    def whereabouts(self, name: str) -> str:
        """Where a person finds a body."""
        ...


class FileStore:
    """Files in a folder, shared by all processes of the host.

    Writes go through an atomic replace, so a process killed at any moment leaves either the old or the new body.
    """

    def __init__(self, folder: Path, prefix: str, *, now: Callable[[], float]) -> None:
        self._folder = folder
        self._prefix = prefix
        self._clock = now
        self._lock_file = folder / f"{prefix}.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock for this key."""
        with self._usable(make=True), FileLock(self._lock_file, timeout=LOCK_SECONDS, poll_interval=_POLL_SECONDS):
            yield

    def now(self) -> float:
        """The host's clock."""
        return self._clock()

    def path(self, name: str) -> Path:
        """The file of a body."""
        return self._folder / f"{self._prefix}{name and '.'}{name}.json"

    def whereabouts(self, name: str) -> str:
        """The file's path."""
        return str(self.path(name))

    def read(self, name: str) -> bytes | None:
        """The file's content."""
        with self._usable():
            try:
                return self.path(name).read_bytes()
            except FileNotFoundError:
                return None

    def glance(self, name: str) -> bytes | None:
        """The file's content: a small local file takes no time."""
        return self.read(name)

    def write(self, name: str, body: bytes, *, sure: bool) -> None:
        """Replace the file."""
        path = self.path(name)
        fresh = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        with self._usable(make=True):
            with fresh.open("wb") as file:
                file.write(body)
                if sure:
                    file.flush()
                    os.fsync(file.fileno())
            fresh.replace(path)

    @contextmanager
    def _usable(self, *, make: bool = False) -> Iterator[None]:
        try:
            if make:
                self._folder.mkdir(parents=True, exist_ok=True)
            yield
        except (OSError, Timeout) as problem:
            raise StoreTrouble(folder_trouble(self._folder, problem)) from None


def folder_trouble(folder: Path, problem: Exception) -> str:
    """The sentence for people on a folder of books that can't be used."""
    return (
        f"The shared state in {folder} can't be used ({type(problem).__name__}), so nothing is sent. "
        "Check that TOPUPS_STATE_DIR is writable and has space."
    )
