"""The reseller's backend: submits what it was handed, and writes down what was acknowledged.

`python -m tests.chaos.client FOLDER` reads `handed.jsonl` as it grows. An order is in `accepted.jsonl`, on the disk,
before anything else is done with it. Killed and started again it submits everything that is not there once more.
"""

import asyncio
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.service import RPCError

from starter.connection import quiet_runtime
from tests.chaos.diary import Diary, Row, Tail
from topups import RefConflict, TemporalUnreachable, TopUpRequest, TopUps
from topups.client import connect_temporal
from topups.settings import ClientSettings

LOOK_SECONDS = 0.02
AGAIN_SECONDS = 0.3
CALL_SECONDS = 10.0
AT_ONCE = 100
TRIES = 10_000
BODY = ("ref", "plan_code", "phone", "amount", "deliver_within")


class Backend:
    """Submits each order until Temporal has acknowledged it, whatever that takes."""

    def __init__(self, folder: Path) -> None:
        self._handed = Tail(folder / "handed.jsonl")
        self._accepted = Diary(folder / "accepted.jsonl", sure=True)
        self._conflicts = Diary(folder / "conflicts.jsonl", sure=True)
        done = (*Tail(folder / "accepted.jsonl").rows, *Tail(folder / "conflicts.jsonl").rows)
        self._done = {_key(row) for row in done}
        self._queues: dict[str, TopUps] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._connecting = asyncio.Lock()

    async def serve(self) -> None:
        """Go on for ever."""
        seen = 0
        sys.stdout.write("The client is ready\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as group:
            while True:
                rows = self._handed.rows[seen:]
                seen += len(rows)
                for row in rows:
                    if _key(row) not in self._done:
                        for _ in range(row.get("copies", 1)):
                            group.create_task(self._until_acknowledged(row))
                await asyncio.sleep(LOOK_SECONDS)

    async def _until_acknowledged(self, row: Row) -> None:
        async with self._places:
            for _ in range(TRIES):
                if await self._try(row):
                    return
                await asyncio.sleep(AGAIN_SECONDS)

    async def _try(self, row: Row) -> bool:
        body = {name: row.get(name) for name in BODY}
        with suppress(TemporalUnreachable, RPCError, TimeoutError):
            async with asyncio.timeout(CALL_SECONDS):
                topups = await self._topups(row.get("queue"))
                try:
                    await topups.submit(TopUpRequest(**body))
                except RefConflict:
                    self._conflicts.write(**body, again=row.get("again", 0))
                    return True
            deliver_by = datetime.now(UTC) + timedelta(seconds=float(row["deliver_within"]))
            self._accepted.write(**body, again=row.get("again", 0), deliver_by=deliver_by.isoformat())
            return True
        return False

    async def _topups(self, queue: str | None) -> TopUps:
        settings = ClientSettings() if queue is None else ClientSettings(task_queue=queue)
        async with self._connecting:
            if settings.task_queue not in self._queues:
                client = await connect_temporal(runtime=quiet_runtime())
                self._queues[settings.task_queue] = TopUps(client, settings)
        return self._queues[settings.task_queue]


def _key(row: Row) -> str:
    return json.dumps([row["ref"], row["phone"], row["amount"], row.get("again", 0)])


if __name__ == "__main__":
    asyncio.run(Backend(Path(sys.argv[1])).serve())
