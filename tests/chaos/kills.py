"""F1 to F3: `kill -9` of the workers, of Temporal, of everybody, at the moments that the plan names."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

from starter.processes import NotReady
from tests.chaos.diary import Row
from tests.chaos.ground import NOT_OURS, Ground
from tests.chaos.plan import Round

HELD_SECONDS = 20.0
QUIET_SECONDS = 28.0
SENT_SECONDS = 150.0
# A check, and the next one where the first page was for others.
HEARD_SECONDS = 20.0
# So many of the kills among polls wait until one is under way.
IN_A_POLL = 0.5

Strike = Callable[[Ground, Round], Awaitable[None]]


class Target:
    """What a kill round aims at: orders that are brought to the window, and those that really were there.

    `held` are holds beyond those of a send at which requests about them wait.
    """

    def __init__(self, ground: Ground, each: Round) -> None:
        self.ground = ground
        self.round = each
        self.inside: list[str] = []
        self.held: list[str] = []

    @property
    def refs(self) -> list[str]:
        return [order.ref for order in self.round.orders]

    async def hold(self, endpoint: str, moment: str) -> None:
        """Bring every order to a hold at the provider."""
        for order in self.round.orders:
            await self.ground.desk.arm_fault(endpoint, moment, "hold", hold=order.ref, ref=order.ref)
        self.ground.hand(*self.round.orders)
        held = await asyncio.gather(*(self.ground.desk.is_held(ref, HELD_SECONDS) for ref in self.refs))
        self.inside = [ref for ref, is_held in zip(self.refs, held, strict=True) if is_held]

    async def release(self) -> None:
        """Let the provider go on with all of them."""
        for hold in dict.fromkeys((*self.refs, *self.held)):
            await self.ground.desk.let_go(hold)

    def note(self, **more: object) -> None:
        each = self.round
        more |= {"held": self.held} if self.held else {}
        self.ground.fault(each.number, each.fault, each.window, self.inside, quiet=each.quiet, **more)


async def workers_killed(ground: Ground, each: Round) -> None:
    """F1."""
    await _kill(ground, each, _strike_workers, ground.man)


async def server_killed(ground: Ground, each: Round) -> None:
    """F2."""
    if ground.server is None:
        ground.skip(each, NOT_OURS)
        return
    if each.window == "start":
        await start_not_acknowledged(ground, each)
        return

    async def back(_size: int) -> None:
        await ground.start_server()

    await _kill(ground, each, _strike_server, back)


async def _strike_workers(ground: Ground, each: Round) -> None:
    ground.kill_crew()


async def _strike_server(ground: Ground, each: Round) -> None:
    ground.kill_server()


async def _kill(ground: Ground, each: Round, strike: Strike, back: Callable[[int], Awaitable[None]]) -> None:
    target = Target(ground, each)
    async with _in_window(target, strike):
        await strike(ground, each)
        target.note()
        if each.released_first:
            await target.release()
        await asyncio.sleep(each.pause)
        await back(each.crew)
        await target.release()
    if each.quiet:
        await _recovery(target)


@asynccontextmanager
async def _in_window(target: Target, strike: Strike) -> AsyncIterator[None]:
    ground, each = target.ground, target.round
    match each.window:
        case "before":
            async with _preparing(target):
                yield
        case "received" | "committed" as moment:
            await target.hold("send", moment)
            yield
        case "answered":
            await target.hold("send", "committed")
            await (_freeze_and_answer(target) if strike is _strike_workers else _nothing())
            yield
        case "polls":
            await _polled(target)
            yield
            ground.later(settled_later(ground, each))
        case _:
            await _asleep(target)
            yield
            ground.later(settled_later(ground, each))


async def _nothing() -> None:
    """The server is killed before the answer comes, so it can't be reported."""


@asynccontextmanager
async def _preparing(target: Target) -> AsyncIterator[None]:
    """Workers that have no catalogue yet wait for it: their orders are under way, and no POST has left."""
    ground = target.ground
    ground.kill_crew()
    gate = f"plans-{target.round.number}"
    fault = await ground.desk.arm_fault("plans", "received", "hold", hold=gate, n=-1)
    await ground.man(target.round.crew)
    ground.hand(*target.round.orders)
    await ground.desk.is_held(gate, HELD_SECONDS)
    await ground.taken(target.round.orders)
    target.inside = [ref for ref in target.refs if not ground.ledger.of(ref)]
    try:
        yield
    finally:
        await ground.desk.lift(fault)
        await ground.desk.let_go(gate)


async def _freeze_and_answer(target: Target) -> None:
    """The answer reaches the worker's host whole, and the worker never gets to report it."""
    ground = target.ground
    for name in ground.crew:
        if ground.workers[name].running:
            ground.freeze(ground.workers[name])
    await target.release()
    for ref in list(target.inside):
        try:
            await ground.row(ref, 5, kind="answer", endpoint="send", http=200)
        except NotReady:
            target.inside.remove(ref)


async def _polled(target: Target) -> None:
    """Between two polls, or in the middle of one."""
    await _until_heard(target, "HANDLING")
    if target.round.chance < IN_A_POLL:
        await _in_a_poll(target, "received" if target.round.chance < IN_A_POLL / 2 else "committed")


async def _in_a_poll(target: Target, moment: str) -> None:
    """Hold what asks about them next: a check of an order's own, or a page that several share."""
    if not target.inside:
        return
    desk, page = target.ground.desk, f"page-{target.round.number}"
    faults = [await desk.arm_fault("check-id", moment, "hold", hold=ref, ref=ref) for ref in target.inside]
    faults.append(await desk.arm_fault("list", moment, "hold", hold=page))
    holds = [*target.inside, page]
    waits = [asyncio.create_task(desk.is_held(hold, HELD_SECONDS)) for hold in holds]
    for wait in asyncio.as_completed(waits):
        if await wait:
            break
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    for fault in faults:
        await desk.lift(fault)
    target.held = [hold for hold in holds if await desk.waiting(hold)]


async def _asleep(target: Target) -> None:
    await _until_heard(target, "UNKNOWN_ERROR")


async def _until_heard(target: Target, status: str) -> None:
    """Wait until the orders know their status: what a page shows of an order may have been asked for others."""
    target.ground.hand(*target.round.orders)
    heard = await asyncio.gather(*(_has_heard(target.ground, ref, status) for ref in target.refs))
    target.inside = [ref for ref, has_heard in zip(target.refs, heard, strict=True) if has_heard]


async def _has_heard(ground: Ground, ref: str, status: str) -> bool:
    try:
        await ground.row(ref, 30, kind="answer", status=status)
        await ground.says(ref, status, HEARD_SECONDS)
    except NotReady:
        return False
    return True


async def settled_later(ground: Ground, each: Round) -> None:
    """The provider's support settles most of what hangs; what it leaves stays on its recheck."""
    rng = Random(f"{each.number} {each.chance}")
    for number, order in enumerate(each.orders):
        await asyncio.sleep(rng.uniform(1, 6))
        if each.window != "sleep" or number:
            # Its send may have died with a worker and come again later.
            with suppress(NotReady):
                await ground.row(order.ref, SENT_SECONDS, kind="commit")
            await ground.drive(order.ref, each.ending)


async def start_not_acknowledged(ground: Ground, each: Round) -> None:
    """F2: the server dies while the client's start calls are on their way; the client submits again."""
    ground.hand(*each.orders)
    await asyncio.sleep(0.02 + each.chance * 0.06)
    ground.kill_server()
    target = Target(ground, each)
    target.inside = [ref for ref in target.refs if not ground.acknowledged.of(ref)]
    target.note()
    await asyncio.sleep(each.pause)
    await ground.start_server()
    await ground.taken(each.orders)


async def everybody_killed(ground: Ground, each: Round) -> None:
    """F3: worker, server and client die together and come back in some order."""
    rng = Random(each.chance)
    for order in each.orders:
        ground.hand(order)
        await asyncio.sleep(rng.uniform(0, 0.4))
    ground.kill(ground.client)
    ground.kill_server()
    ground.kill_crew()
    ground.fault(each.number, each.fault, each.window, [order.ref for order in each.orders])
    returns: list[Callable[[], Awaitable[None]]] = [ground.start_server, ground.start_client]
    returns.insert(rng.randrange(3), lambda: ground.man(each.crew))
    if rng.random() < 0.5:
        returns.reverse()
    # A worker that comes back before its server waits for it, so nobody may wait for the worker first.
    await asyncio.gather(*(_after(number * each.pause / 2, back) for number, back in enumerate(returns)))
    await ground.taken(each.orders)


async def _after(seconds: float, back: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(seconds)
    await back()


async def everything_back(ground: Ground, each: Round) -> None:
    """Have a server, a client and a crew again."""
    await asyncio.gather(ground.start_server(), ground.start_client(), ground.man(each.crew))


def _is_asking(row: Row) -> bool:
    return bool(row["kind"] == "request" or row["endpoint"] == "list")


async def _recovery(target: Target) -> None:
    """Break nothing until every target was asked about again."""
    ground = target.ground
    rows = {ref: len(ground.ledger.of(ref)) for ref in target.inside}

    def all_asked() -> bool:
        return all(any(map(_is_asking, ground.ledger.of(ref)[seen:])) for ref, seen in rows.items())

    try:
        await ground.until(all_asked, QUIET_SECONDS, "the recovery")
    except NotReady:
        ground.diary.write(kind="note", text=f"round {target.round.name}: no recovery in {QUIET_SECONDS:g} s")
