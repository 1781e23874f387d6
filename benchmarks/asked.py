"""What the provider's ledger says of checks: when each order was asked about, and which asks were answered."""

import json
from collections import defaultdict
from datetime import datetime
from pathlib import Path


class Asked:
    """Reads a ledger as it grows, and keeps only the times of checks: epoch seconds by ref."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._offset = 0
        self._requests: defaultdict[str, list[float]] = defaultdict(list)
        self._answers: defaultdict[str, int] = defaultdict(int)
        self._answered: defaultdict[int, int] = defaultdict(int)

    def requests(self, ref: str) -> list[float]:
        """When a check of this order arrived at the provider, oldest first."""
        self._read()
        return self._requests[ref]

    def count(self) -> int:
        """How many checks arrived so far."""
        self._read()
        return sum(len(times) for times in self._requests.values())

    def asked_since(self, moment: float) -> int:
        """About how many orders a check arrived after that moment."""
        self._read()
        return sum(times[-1] > moment for times in self._requests.values() if times)

    def answered(self, times: int = 1) -> int:
        """How many orders got an answer to so many checks."""
        self._read()
        return self._answered[times]

    def _read(self) -> None:
        with self._ledger.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            row = json.loads(line)
            match row["endpoint"], row["kind"]:
                case "check-id", "request":
                    self._requests[row["ref"]].append(datetime.fromisoformat(row["at"]).timestamp())
                case "check-id", "answer":
                    self._answers[row["ref"]] += 1
                    self._answered[self._answers[row["ref"]]] += 1
                case _:
                    pass
