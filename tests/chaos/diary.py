"""Files of JSON lines: one writes them row by row, many read what is new in them."""

import json
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def now() -> str:
    """The time, as every file of a run writes it."""
    return datetime.now(UTC).isoformat()


class Diary:
    """Appends rows. With `sure` a row is on the disk before `write` returns."""

    def __init__(self, path: Path, *, sure: bool = False) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._sure = sure

    def write(self, **row: Any) -> None:
        """Append one row, with the time."""
        self._file.write(json.dumps({"at": now(), **row}, ensure_ascii=False) + "\n")
        self._file.flush()
        if self._sure:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Tail:
    """Reads a growing file; `rows` and `of` hold everything that was written so far.

    What a page of the provider's list shows of an order is among the order's rows, as an answer about it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rows: list[Row] = []
        self._by_ref: defaultdict[str, list[Row]] = defaultdict(list)

    @property
    def rows(self) -> list[Row]:
        """All rows, oldest first."""
        self._read()
        return self._rows

    def of(self, ref: str) -> list[Row]:
        """The rows of one order."""
        self._read()
        return self._by_ref[ref]

    @property
    def refs(self) -> set[str]:
        """The orders that it speaks of."""
        self._read()
        return {ref for ref, rows in self._by_ref.items() if rows}

    def _read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            row = json.loads(line)
            self._rows.append(row)
            if isinstance(row.get("ref"), str):
                self._by_ref[row["ref"]].append(row)
            for item in row.get("items") or ():
                self._by_ref[item["ref"]].append(row | item)
