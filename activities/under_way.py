"""What each worker of this host has under way, in files that outlive it.

Temporal learns of a worker's death by a time-out, 8 to 10 s later. Here it is known at once: a worker holds a lock as
long as its process lives, also a frozen one, and only the process's end lets go of it. Nothing hangs on these files:
where they can't be written or read, the time-outs tell.
"""

import asyncio
import logging
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

log = logging.getLogger("topups.activities")

DOOR_SECONDS = 2.0
# An activity's answer is still on its way to Temporal when the activity is over.
ANSWERED_SECONDS = 2.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TROUBLE = (OSError, Timeout)


class Note(BaseModel):
    """One activity under way: its name, the worker's, the order's, and the token by which Temporal knows it."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    activity: str
    worker: str
    workflow_id: str
    run_id: str
    task_token: bytes


class Estate:
    """What a dead worker left. While it is open nobody else takes it; it is gone when it was left without an error."""

    def __init__(self, folder: Path, lock: BaseFileLock) -> None:
        self._folder = folder
        self._lock = lock

    def notes(self) -> list[Note]:
        """The activities that it had under way; a note that it died over is left out."""
        return [note for path in self._folder.glob("*.json") for note in _read(path)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()


class UnderWay:
    """One worker's own notes, and the estates of the dead ones beside it. Open as long as the worker works."""

    def __init__(self, state_dir: Path) -> None:
        self._all = state_dir / "workers"
        # Nothing is known of a worker before this boot, or on another host that shares the folder.
        self._host = _host()
        self._own = self._all / f"{self._host}.{uuid4().hex}"
        self._lock = _life(self._own)
        self._keeps_notes = False

    def __enter__(self) -> Self:
        try:
            with self._door():
                self._own.mkdir(mode=0o700)
                self._lock.acquire()
            self._keeps_notes = True
        except TROUBLE as problem:
            log.warning(
                "If this worker dies, its orders wait some seconds longer: no notes in %s: %s", self._all, problem
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A worker that broke down may have answered for nothing.
        if kind is None:
            shutil.rmtree(self._own, ignore_errors=True)
        self._lock.release()

    @contextmanager
    def noted(self, note: Note) -> Iterator[None]:
        """Keep a note of an activity as long as its worker may owe Temporal an answer. Raises nothing of its own."""
        if not self._keeps_notes:
            yield
            return
        path = self._own / f"{uuid4().hex}.json"
        with suppress(OSError):
            path.write_text(note.model_dump_json(), encoding="utf-8")
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(ANSWERED_SECONDS, self._forget, path)

    def estates(self) -> list[Estate]:
        """Take what the dead workers of this host left; each must be opened and left."""
        try:
            with self._door():
                others = [folder for folder in self._all.glob(f"{self._host}.*") if folder != self._own]
                return [estate for folder in others for estate in _take(folder)]
        except TROUBLE:
            return []

    def _forget(self, path: Path) -> None:
        # The newest is kept: it tells a successor with which orders this worker had to do.
        with suppress(OSError):
            path.replace(self._own / "last.json")

    @contextmanager
    def _door(self) -> Iterator[None]:
        """Nobody looks for the dead while a worker is between making its folder and locking it."""
        self._all.mkdir(parents=True, exist_ok=True)
        with _kernels_lock(self._all / "door.lock", DOOR_SECONDS):
            yield


def _host() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def _kernels_lock(path: Path, seconds: float) -> BaseFileLock:
    """Only a lock that the kernel lets go of proves a death."""
    return FileLock(path, timeout=seconds, thread_local=False, fallback_to_soft=False)


def _life(folder: Path) -> BaseFileLock:
    return _kernels_lock(folder / "alive.lock", 0)


def _take(folder: Path) -> Iterator[Estate]:
    lock = _life(folder)
    with suppress(*TROUBLE):
        lock.acquire()
        yield Estate(folder, lock)


def _read(path: Path) -> Iterator[Note]:
    with suppress(OSError, ValidationError):
        yield Note.model_validate_json(path.read_bytes())
