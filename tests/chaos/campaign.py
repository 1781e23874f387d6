"""Plays a plan on a ground, lets everything settle, and writes down what our side says of every order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

from temporalio.service import RPCError

from tests.chaos import answers, clocks, kills, machines, pages, people
from tests.chaos.diary import Diary, Tail
from tests.chaos.ground import Ground
from tests.chaos.plan import Plan, Round, Scale
from tests.chaos.programs import KEY, UNKNOWN_RECHECK_SECONDS
from tests.chaos.replaying import replay_all
from tests.chaos.rounds import Rounds, repeated
from topups import NoSuchOrder, TopUpError, TopUpView

Play = Callable[[Ground, Round], Awaitable[None]]

SETTLE_SECONDS = 120.0
AFTER_OUTAGE_SECONDS = 900.0
STORIES_AT_ONCE = 6
LOOK_SECONDS = 2.0
WATCH_SECONDS = 0.3
# The orders that are likely to be open.
RECENT = 40
VIEWS_AT_ONCE = 20

PLAYS: dict[str | tuple[str, str], Play] = {
    "F1": kills.workers_killed,
    "F2": kills.server_killed,
    "F3": kills.everybody_killed,
    "F4": answers.broken,
    "F5": answers.errors,
    ("F5", "refused-key"): machines.refused_key,
    ("F5", "blocked-address"): machines.blocked_address,
    "F6": answers.late_or_hidden,
    "F7": answers.odd_words,
    "F9": clocks.frozen,
    "F10": clocks.wrong_clock,
    ("F10", "day-skipped"): clocks.day_skipped,
    "F11": people.hundredfold,
    "F12": machines.deploys,
    ("F13", "full-disk"): machines.full_disk,
    ("F13", "no-memory"): machines.no_memory,
    "F14": people.forgotten,
    ("F15", "words-in-a-send"): people.words_in_a_send,
    ("F15", "raw-cancel"): people.raw_cancel,
    ("F15", "terminated"): people.terminated,
    "F16": machines.stranger,
    "F17": pages.lying,
    ("F1", "page"): pages.killed,
    ("F2", "page"): pages.killed,
}


class Campaign:
    """One plan on one ground. `say` tells how far it is; `patience`, seconds, is how long it may take to settle.

    `replays`: every history that is left must replay with today's code; not so those of other code.
    """

    def __init__(
        self,
        ground: Ground,
        plan: Plan,
        scale: Scale,
        say: Callable[[str], None],
        *,
        patience: float | None = None,
        replays: bool = True,
    ) -> None:
        self._ground = ground
        self._plan = plan
        self._scale = scale
        self._say = say
        had_outage = any(each.fault == "F8" for each in plan.rounds)
        self._patience = patience or (AFTER_OUTAGE_SECONDS if had_outage else SETTLE_SECONDS)
        self._replays = replays
        self._stories = asyncio.Semaphore(STORIES_AT_ONCE)
        self._rounds = Rounds(self._play, self._mend, ground.diary, say)

    async def run(self) -> None:
        """Play every round, some of them once more, then settle. Raises what no settling can follow."""
        ground = self._ground
        begin = {"seed": self._plan.seed, "digest": self._plan.digest, "coalesce": ground.coalesce}
        ground.diary.write(kind="begin", **begin, rules=self.rules)
        await ground.start()
        await ground.man(2)
        watching = asyncio.create_task(self._watch())
        await self._play_all(self._plan.rounds)
        await self._play_all(tuple(self._rounds.to_repeat(self._plan.rounds)))
        await ground.all_over()
        watching.cancel()
        await self._settle()

    async def _play_all(self, rounds: tuple[Round, ...]) -> None:
        beside: list[asyncio.Task[None]] = []
        for each in rounds:
            if each.beside:
                await self._stories.acquire()
                beside.append(asyncio.create_task(self._beside(each)))
                continue
            if each.fault == "F8":
                # The stories' faults live in the provider's memory.
                await asyncio.gather(*beside)
            await self._rounds.play(each)
        await asyncio.gather(*beside)

    @property
    def rules(self) -> dict[str, Any]:
        """What the judge has to know of this run."""
        return {
            "settle_seconds": self._patience,
            "rate_limits": dict.fromkeys((KEY, *self._keys_of_pages), self._ground.rate_limit),
            "unknown_recheck_seconds": UNKNOWN_RECHECK_SECONDS,
            "watched_keys": [machines.key_of(each) for each in self._planned if each.fault == "F5"],
        }

    @property
    def _keys_of_pages(self) -> list[str]:
        return [machines.key_of(each) for each in self._planned if each.fault == "F17" or each.window == "page"]

    @property
    def _planned(self) -> list[Round]:
        """Every round that may be played."""
        return [*self._plan.rounds, *map(repeated, self._plan.rounds)]

    async def _watch(self) -> None:
        """Look at one order or another all the time, as operators do: a look must never change what happens."""
        rng = Random(self._plan.seed)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            refs = [row["ref"] for row in self._ground.acknowledged.rows[-RECENT:]]
            with suppress(TopUpError, RPCError, RuntimeError, TimeoutError):
                async with asyncio.timeout(5):
                    await (await self._ground.topups()).order(rng.choice(refs or ["none-yet"])).view()

    async def _beside(self, each: Round) -> None:
        try:
            await self._rounds.play(each)
        finally:
            self._stories.release()

    async def _play(self, each: Round) -> None:
        match each.fault, each.window:
            case "F8", _:
                await clocks.outage(self._ground, each, self._scale.outage)
            case _, "long-history":
                await machines.long_history(self._ground, each, self._scale.long_history)
            case kind:
                await (PLAYS.get(kind) or PLAYS[each.fault])(self._ground, each)

    async def _mend(self, each: Round) -> None:
        """Have everybody back who a round that failed may have left dead or frozen."""
        if each.beside:
            return
        if each.fault == "F8":
            self._ground.kill(self._ground.provider)
            await self._ground.start_provider()
        self._ground.kill_crew()
        await kills.everything_back(self._ground, each)

    async def _settle(self) -> None:
        ground = self._ground
        await ground.desk.lift()
        await ground.desk.let_all_go()
        await ground.start_server()
        await ground.start_client()
        await ground.man(2)
        ground.diary.write(kind="faults_stop")
        handed = Tail(ground.folder / "handed.jsonl")
        await ground.until(lambda: not handed.refs - ground.acknowledged.refs, 60, "every order's acknowledgement")
        views = await self._views()
        deadline = asyncio.get_running_loop().time() + self._patience
        while asyncio.get_running_loop().time() < deadline and (waiting := [v for v in views.values() if _moves(v)]):
            self._say(f"{len(waiting)} orders are still under way")
            await asyncio.sleep(LOOK_SECONDS)
            views |= await self._views([view.ref for view in waiting])
        if self._replays:
            await self._replay()
        views |= await self._views([view.ref for view in views.values() if not view.final])
        ends = Diary(ground.folder / "ends.jsonl")
        for view in views.values():
            ends.write(**view.model_dump(mode="json"))
        ground.diary.write(kind="settled")

    async def _replay(self) -> None:
        """Orders of the deployments ran other code; all others must replay with today's."""
        deployed = [order.ref for each in self._planned if each.fault == "F12" for order in each.orders]
        replayed, failures = await replay_all(await self._ground.temporal(), but=deployed)
        self._ground.diary.write(kind="replayed", replayed=replayed, failures=failures)

    async def _views(self, refs: list[str] | None = None) -> dict[str, TopUpView]:
        places = asyncio.Semaphore(VIEWS_AT_ONCE)

        async def view(ref: str) -> TopUpView | None:
            async with places:
                # One that nobody knows has no end: the judge will call it lost.
                with suppress(NoSuchOrder):
                    seen: TopUpView = await self._ground.patiently(lambda topups: topups.order(ref).view())
                    return seen
                return None

        wanted = sorted(self._ground.acknowledged.refs) if refs is None else refs
        return {seen.ref: seen for seen in await asyncio.gather(*(view(ref) for ref in wanted)) if seen}


def _moves(view: TopUpView) -> bool:
    waits = view.phase == "UNKNOWN_ERROR" or "under our ref" in (view.review_reason or "")
    return not view.final and (view.stale or not waits)
