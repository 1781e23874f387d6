"""What each worker of this host has under way, in files that outlive it.

Temporal learns of a worker's death by a time-out, 8 to 10 s later. Here it is known at once: a worker holds a lock as
long as its process lives, also a frozen one, and only the process's end lets go of it. Nothing hangs on these files:
where they can't be written or read, the time-outs tell.
"""

import asyncio
import logging
import platform
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from topups.lifecycle import Request

log = logging.getLogger("topups.activities")

DOOR_SECONDS = 2.0
# An activity's answer is still on its way to Temporal when the activity is over.
ANSWERED_SECONDS = 2.0
# By then the time-outs have told.
OLD_SECONDS = 60.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TROUBLE = (OSError, Timeout)


class Note(BaseModel):
    """One activity under way: its name and number in the order's history, its worker, its order.

    Temporal knows it by `task_token`.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    activity: Request
    activity_id: str
    worker: str
    workflow_id: str
    run_id: str
    task_token: bytes


class Entry(BaseModel):
    """A note as it stands in its file: since when (epoch seconds), and which lock (its inode) its worker holds."""

    at: float
    lock: int
    note: Note


class Estate:
    """What a dead worker left: its notes. Nobody else takes it before it is closed."""

    def __init__(self, folder: Path, lock: BaseFileLock, notes: list[Note]) -> None:
        self.folder = folder
        self.lock = lock
        self.notes = notes

    def close(self) -> None:
        """Let go of it; it is taken again unless it was removed."""
        self.lock.release()


class UnderWay:
    """One worker's own notes, and the estates of the dead ones beside it. Open as long as the worker works.

    `temporal` names the server and the namespace: nobody answers there for a worker of another one.
    """

    def __init__(self, state_dir: Path, temporal: str) -> None:
        self._all = state_dir / "workers"
        self._host = _short(_host())
        self._peers = f"{self._host}.{_short(temporal)}"
        self._own = self._all / f"{self._peers}.{uuid4().hex}"
        self._lock = _life(self._own)
        self._inode: int | None = None
        # A disk that stalls delays a note, never an activity.
        self._writer = ThreadPoolExecutor(1, "notes")

    def __enter__(self) -> Self:
        try:
            with self._door():
                self._own.mkdir(mode=0o700)
                self._lock.acquire()
                self._inode = _inode(self._own)
        except TROUBLE as problem:
            log.warning(
                "If this worker dies, its orders wait some seconds longer: no notes in %s: %s", self._all, problem
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A worker that breaks down may owe answers, or even work on: the end of its process tells.
        if kind is None:
            self._writer.shutdown()
            self._remove(self._own, self._lock)

    @contextmanager
    def noted(self, note: Note) -> Iterator[None]:
        """Keep a note of an activity as long as its worker may owe Temporal an answer. Raises nothing of its own."""
        if self._inode is None:
            yield
            return
        path = self._own / f"{uuid4().hex}.json"
        self._writer.submit(_write, path, Entry(at=time.time(), lock=self._inode, note=note))
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(ANSWERED_SECONDS, self._forget, path)

    def estates(self) -> list[Estate]:
        """Take what the dead workers of this host left; each must be closed. May block."""
        try:
            with self._door():
                others = [folder for folder in self._all.glob("*.*.*") if folder != self._own]
                return [estate for folder in others for estate in self._take(folder)]
        except TROUBLE:
            return []

    def remove(self, estate: Estate) -> None:
        """Forget an estate that is settled. May block."""
        self._remove(estate.folder, estate.lock)

    def _take(self, folder: Path) -> Iterator[Estate]:
        peer = folder.name.startswith(f"{self._peers}.")
        if not peer and folder.name.startswith(f"{self._host}."):
            return
        lock = _life(folder)
        with suppress(*TROUBLE):
            lock.acquire()
            # Of what began before this boot nothing is still open.
            yield Estate(folder, lock, _notes(folder) if peer else [])

    def _remove(self, folder: Path, lock: BaseFileLock) -> None:
        with suppress(*TROUBLE), self._door():
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)

    def _forget(self, path: Path) -> None:
        # The newest is kept: it tells a successor with which orders this worker had to do.
        with suppress(RuntimeError):
            self._writer.submit(_rename, path, self._own / "last.json")

    @contextmanager
    def _door(self) -> Iterator[None]:
        """Nobody looks for the dead while a worker is between making its folder and locking it, or removing it."""
        self._all.mkdir(parents=True, exist_ok=True)
        with _kernels_lock(self._all / "door.lock", DOOR_SECONDS):
            yield


def _host() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _kernels_lock(path: Path, seconds: float) -> BaseFileLock:
    """Only a lock that the kernel lets go of proves a death."""
    return FileLock(path, timeout=seconds, thread_local=False, fallback_to_soft=False)


def _life(folder: Path) -> BaseFileLock:
    return _kernels_lock(folder / "alive.lock", 0)


def _inode(folder: Path) -> int:
    return (folder / "alive.lock").stat().st_ino


def _notes(folder: Path) -> list[Note]:
    """The notes of who held this very lock: in a copy, or beside a lock that was made anew, no death is proven."""
    now, lock = time.time(), _inode(folder)
    entries = [entry for path in folder.glob("*.json") for entry in _read(path)]
    return [entry.note for entry in entries if entry.lock == lock and now - entry.at < OLD_SECONDS]


def _read(path: Path) -> Iterator[Entry]:
    # A worker may have died over a note.
    with suppress(OSError, ValidationError):
        yield Entry.model_validate_json(path.read_bytes())


def _write(path: Path, entry: Entry) -> None:
    with suppress(OSError):
        path.write_text(entry.model_dump_json(), encoding="utf-8")


def _rename(path: Path, to: Path) -> None:
    with suppress(OSError):
        path.replace(to)
