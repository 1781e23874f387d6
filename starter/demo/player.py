"""The play: hands over orders, kills what runs, brings it back, and lets a day pass."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio.testing import TimeSkipper, TimeSkippingConfig

from starter.demo import orders
from starter.demo.board import Board
from starter.demo.stage import Stage, run_worker
from starter.processes import Process
from topups import Phase, TopUpError, TopUps
from topups.start import workflow_id

REFRESH_SECONDS = 0.5
ANSWER_SECONDS = 4.0
DARKNESS_SECONDS = 2.0
HOLD = "in-the-middle"


class TooLong(Exception):
    """What the play waits for did not come; the verdict is given all the same."""


class Player:
    """Plays one run on a stage that has been started, and keeps the board up to date."""

    def __init__(self, stage: Stage, topups: TopUps, worker: Process, board: Board) -> None:
        self._stage = stage
        self._topups = topups
        self._worker = worker
        self._board = board

    async def play(self, seconds: float) -> None:
        """Play the whole of it. Raises TooLong after `seconds`."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit, asyncio.TaskGroup() as group:
                following = group.create_task(self._follow())
                await self._acts()
                following.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TooLong(f"after {seconds:g} s still open: {', '.join(self._board.open())}") from None
        finally:
            self._lights()

    async def _acts(self) -> None:
        await self._arm()
        await self._hand_over()
        await self._change_a_mind()
        await self._kill_in_the_middle()
        await self._come_back()
        await self._tell_what_was_found()
        await self._board.until(lambda: self._board.open() == [orders.NOBODY_KNOWS])
        await self._until_phase(orders.NOBODY_KNOWS, Phase.UNKNOWN_ERROR)
        await self._let_a_day_pass()

    async def _arm(self) -> None:
        desk = self._stage.desk
        await desk.fund(orders.FIRST_BALANCE)
        await desk.arm("send", "committed", "reset", ref=orders.LOST_ANSWER)
        await desk.arm("send", "committed", "hold", hold=HOLD, ref=orders.KILLED)

    async def _hand_over(self) -> None:
        await asyncio.gather(*(self._topups.submit(request) for request in orders.AT_ONCE))
        self._board.act(f"{len(orders.AT_ONCE)} orders are in Temporal; from here on they go by themselves")

    async def _change_a_mind(self) -> None:
        await self._until_phase(orders.CHANGED_MIND, Phase.ON_HOLD)
        await self._topups.order(orders.CHANGED_MIND).cancel(reason="the customer changed his mind")
        self._board.act(f"{orders.CHANGED_MIND} waits for money and is cancelled: certainly nothing was created")

    async def _kill_in_the_middle(self) -> None:
        await self._board.until(lambda: self._board.phase(orders.DELIVERED) in {Phase.HANDLING, Phase.FULFILLED})
        await self._topups.submit(orders.IN_THE_MIDDLE)
        if not await self._stage.desk.held(HOLD):
            raise TooLong(f"the provider never saw the send of {orders.KILLED}")
        await self.look()
        pid = self._worker.kill()
        self._board.act(
            f"kill -9 worker, pid {pid}, in the middle of the send of {orders.KILLED}: "
            "the provider has taken it, nobody heard the answer",
            blow=True,
        )
        pid = self._stage.server.process.kill()
        self._board.act(f"kill -9 Temporal server, pid {pid}: only the provider is left", blow=True)
        await self._stage.desk.release(HOLD)
        await asyncio.sleep(DARKNESS_SECONDS)

    async def _come_back(self) -> None:
        await self._stage.server.start()
        self._board.act(f"the Temporal server is back on its file, pid {self._stage.server.process.pid}")
        await self._stage.desk.fund(orders.LATER_BALANCE)
        self._board.act(f"{orders.LATER_BALANCE:,} DZD are paid in; {orders.NO_MONEY} will find out by itself")
        await run_worker(self._worker)
        self._board.act(f"a new worker polls, pid {self._worker.pid}; nobody tells it what was going on")

    async def _tell_what_was_found(self) -> None:
        await self._tell_when_found(orders.LOST_ANSWER)
        await self._tell_when_found(orders.KILLED)

    async def _tell_when_found(self, ref: str) -> None:
        await self._board.until(lambda: ref in self._board.views and self._board.views[ref].topup_id is not None)
        sends = self._board.views[ref].sends
        self._board.act(f"{ref} is found at the provider by its ref; it was sent {_times(sends)}")

    async def _let_a_day_pass(self) -> None:
        ref = orders.NOBODY_KNOWS
        await self._stage.desk.drive(ref, Phase.FULFILLED.value)
        self._board.act(f"the provider's support finds out that {ref} was delivered; nobody tells us")
        skipper = TimeSkipper(self._topups.client, config=TimeSkippingConfig(enabled=False))
        await skipper.fast_forward(skipper.client.get_workflow_handle(workflow_id(ref)), timedelta(hours=24))
        self._board.act(f"24 hours later (the clock of {ref} was moved): it asks again, as it must")
        await self._until_phase(ref, Phase.FULFILLED)

    async def _until_phase(self, ref: str, phase: Phase) -> None:
        await self._board.until(lambda: self._board.phase(ref) is phase)

    async def _follow(self) -> None:
        while True:
            self._lights()
            if self._worker.running and self._stage.server.process.running:
                await self.look()
            await asyncio.sleep(REFRESH_SECONDS)

    async def look(self) -> None:
        """Bring the board up to date with every order that is open on it."""
        with suppress(TopUpError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.gather(*(self._look_at(ref) for ref in self._board.open()))

    async def _look_at(self, ref: str) -> None:
        with suppress(TopUpError):
            self._board.know(await self._topups.order(ref).view())

    def _lights(self) -> None:
        self._board.lights = {
            "provider": self._stage.simulator.running,
            "Temporal server": self._stage.server.process.running,
            "worker": self._worker.running,
        }


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
