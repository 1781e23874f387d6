"""Plays rounds. One that failed, or that met nobody, is played once more: on fresh orders, under a fresh number."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import httpx
from temporalio.service import RPCError

from starter.processes import NotReady
from tests.chaos.books import rows
from tests.chaos.diary import Diary, Row
from tests.chaos.plan import PARTS, Round
from topups import TopUpError

# What a busy machine or a server that is away does to a round. Anything else is a mistake of the campaign itself.
FAILURES = (NotReady, TopUpError, RPCError, RuntimeError, OSError, TimeoutError, httpx.HTTPError)
AGAIN = 1_000

Play = Callable[[Round], Awaitable[None]]


class Rounds:
    """Plays each round by `play`, and by `mend` what one that failed left behind.

    Writes into the diary how it went; `say` tells people.
    """

    def __init__(self, play: Play, mend: Play, diary: Diary, say: Callable[[str], None]) -> None:
        self._play = play
        self._mend = mend
        self._diary = diary
        self._say = say
        self._failed: set[int] = set()

    async def play(self, each: Round) -> None:
        """Play a round; that it failed is noted, and the run goes on."""
        started = asyncio.get_running_loop().time()
        kind = "again" if each.number > AGAIN else "round"
        self._diary.write(kind=kind, number=each.number, fault=each.fault, window=each.window)
        try:
            await self._play(each)
        except FAILURES as error:
            self._failed.add(each.number)
            why = f"{type(error).__name__}: {error}"
            self._diary.write(kind="failed", number=each.number, name=each.name, why=why)
            self._say(f"round {each.name} failed: {why}")
            await self._mend(each)
        seconds = asyncio.get_running_loop().time() - started
        self._say(f"round {each.name}: {len(each.orders)} orders, {seconds:.1f} s")

    def to_repeat(self, played: tuple[Round, ...]) -> Iterator[Round]:
        """Yield those of the rounds that need a second time, ready to be played."""
        diary = list(rows(self._diary.path))
        skipped = {(row["fault"], row["window"]) for row in diary if row["kind"] == "skipped"}
        for each in played:
            if each.kind not in skipped and (each.number in self._failed or not _met_somebody(each, diary)):
                yield repeated(each)


def repeated(each: Round) -> Round:
    """The same round with a number and orders of its own."""
    orders = tuple(replace(order, ref=f"{order.ref}-again") for order in each.orders)
    return replace(each, number=each.number + AGAIN, orders=orders)


def _met_somebody(each: Round, diary: list[Row]) -> bool:
    mine = (row for row in diary if row["kind"] == "fault" and row["round"] == each.number and row["targets"])
    return {row["window"] for row in mine} >= set(PARTS.get(each.fault, (each.window,)))
