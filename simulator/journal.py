"""An append-only file of JSON lines that survives ``kill -9``."""

import asyncio
import json
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

# A process that was just killed may need a moment to let go.
LOCK_WAIT_SECONDS = 1.0


class JournalCorrupt(Exception):
    """A line that is not the last one can't be read: the file was changed by hand."""


class JournalInUse(Exception):
    """Another process writes to this file."""


class Journal:
    """One writer, one file. Lines appended together reach the disk with one fsync.

    Raises JournalInUse when another process holds the file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = FileLock(f"{path}.lock")
        try:
            self._lock.acquire(timeout=LOCK_WAIT_SECONDS)
        except Timeout:
            raise JournalInUse(f"{path} is in use by another simulator") from None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._pending: deque[bytes] = deque()
        self._appended = 0
        self._synced = 0

    def read(self) -> list[dict[str, Any]]:
        """Every whole row, oldest first; a torn last line is cut off. Raises JournalCorrupt."""
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        rows: list[dict[str, Any]] = []
        end = 0
        for number, line in enumerate(whole.splitlines(keepends=True), start=1):
            try:
                rows.append(json.loads(line))
            except ValueError:
                if end + len(line) < len(whole):
                    raise JournalCorrupt(f"{self._path}, line {number} can't be read") from None
                break
            end += len(line)
        if end < len(text):
            os.ftruncate(self._file, end)
        return rows

    def append(self, row: dict[str, Any]) -> None:
        """Queue a row; it is on disk after the next ``durable``."""
        self._pending.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._appended += 1

    async def durable(self) -> None:
        """Return once every row appended so far is on the disk."""
        mark = self._appended
        if self._synced < mark:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._flush, mark)

    def close(self) -> None:
        """Bring the rest to the disk and let the file go. May be called twice."""
        if self._file < 0:
            return
        self._disk.shutdown()
        self._flush(self._appended)
        os.close(self._file)
        self._file = -1
        self._lock.release()

    def _flush(self, mark: int) -> None:
        # The one disk thread serves waiters in turn: the first brings the rows of all of them along.
        if self._synced >= mark:
            return
        lines = [self._pending.popleft() for _ in range(len(self._pending))]
        rest = memoryview(b"".join(lines))
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)
        self._synced += len(lines)
