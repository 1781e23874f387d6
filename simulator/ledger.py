"""The ledger: what reached the provider, what it did with the money, what it answered.

It is the stand-in's database and the judge's evidence in one. The names of the first twelve fields and the
five kinds are a fixed contract.
"""

from pathlib import Path
from typing import Any, Literal

from simulator.clock import Clock, iso
from simulator.journal import Journal

Kind = Literal["request", "commit", "delivery", "refund", "answer"]
Row = dict[str, Any]

FIELDS = ("endpoint", "key", "ref", "topup_id", "phone", "plan_code", "amount", "status", "http", "code")


class Ledger:
    """Rows ``{seq, at, kind, …FIELDS, …more}`` in a Journal; a field that doesn't apply is null."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._journal = Journal(path)
        self._clock = clock
        self.seq = 0

    def read(self) -> list[Row]:
        """Every whole row, oldest first; numbering goes on after the last."""
        rows = self._journal.read()
        self.seq = rows[-1]["seq"] if rows else 0
        return rows

    def write(self, kind: Kind, *, at: float | None = None, **fields: Any) -> int:
        """Queue a row and return its ``seq``. ``at`` is epoch seconds, now by default."""
        self.seq += 1
        moment = self._clock() if at is None else at
        row: Row = {"seq": self.seq, "at": iso(moment, "microseconds"), "kind": kind}
        self._journal.append(row | dict.fromkeys(FIELDS) | fields)
        return self.seq

    async def durable(self) -> None:
        """Return once every row written so far is on the disk."""
        await self._journal.durable()

    def close(self) -> None:
        """Bring the rest to the disk and let the file go."""
        self._journal.close()
