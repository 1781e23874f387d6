"""How long a caller waits until an order is durable.

Open loop: starts are planned on a clock, 20 a second, and each one's latency counts from its planned moment, so a slow
one can't hide those behind it. Ours and the control take turns in blocks of 5 s, each block alone on the server.

No worker polls, for either: 20 orders a second through the engine are more than the dev server can do, so a worker
would make this a measure of the server's queue of work. `engine` measures that one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median

from temporalio.client import Client

from benchmarks.ground import quantile, server
from benchmarks.measure import Line, Measure, Size
from starter.connection import quiet_runtime
from topups import TopUpRequest, TopUps
from topups.settings import ClientSettings

A_SECOND = 20
BLOCK_SECONDS = 5.0
AT_MOST = 1.25
# Pairs of blocks.
PAIRS: dict[Size, int] = {"quick": 1, "full": 8, "docs": 16}

Start = Callable[[str], Awaitable[object]]


async def measure(size: Size) -> Measure:
    """Take turns, and compare the medians of the blocks' quantiles."""
    async with server() as dev:
        ours, control = (
            _ours(TopUps(await dev.connect(), ClientSettings(task_queue="nobody"))),
            await _bare(dev.address),
        )
        await _block(ours, "warm-ours", seconds=1.0)
        await _block(control, "warm-bare", seconds=1.0)
        blocks: dict[str, list[list[float]]] = {"ours": [], "control": []}
        for number in range(PAIRS[size]):
            turns = [("ours", ours), ("control", control)]
            # The other way round every second time: the server's database grows under both.
            for name, start in turns if number % 2 == 0 else turns[::-1]:
                blocks[name].append(await _block(start, f"{name}-{number}"))
    lines = [_line(f"p{round(share * 100)} of a start", blocks, share) for share in (0.5, 0.99)]
    return Measure(
        name="accept",
        question=f"How long until an order is durable, at {A_SECOND} a second?",
        control="a bare start_workflow without memo, search attributes or input, plain client, same server, in turns",
        lines=tuple(lines),
        facts={
            "control_by_control": _noise(blocks["control"]),
            "blocks_ms": _quantiles_of(blocks),
            "starts_a_block": len(blocks["ours"][0]),
        },
    )


def _ours(topups: TopUps) -> Start:
    async def start(name: str) -> object:
        return await topups.submit(TopUpRequest(ref=name, plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500))

    return start


async def _bare(address: str) -> Start:
    client = await Client.connect(address, runtime=quiet_runtime())

    async def start(name: str) -> object:
        return await client.start_workflow("Empty", id=name, task_queue="nobody-either")

    return start


async def _block(start: Start, name: str, seconds: float = BLOCK_SECONDS) -> list[float]:
    """Start on the clock; return each one's seconds from its planned moment."""
    loop = asyncio.get_running_loop()
    begins_at = loop.time() + 0.05

    async def one(number: int) -> float:
        planned = begins_at + number / A_SECOND
        await asyncio.sleep(planned - loop.time())
        await start(f"{name}-{number}")
        return loop.time() - planned

    return await asyncio.gather(*(one(number) for number in range(int(seconds * A_SECOND))))


def _line(what: str, blocks: dict[str, list[list[float]]], share: float) -> Line:
    ours, control = (median(quantile(block, share) for block in blocks[name]) for name in ("ours", "control"))
    return Line(what, ours * 1e3, control * 1e3, "ms", f"<= {AT_MOST} x", ours <= AT_MOST * control)


def _noise(control: list[list[float]]) -> dict[str, float]:
    """The control's even blocks by its odd ones: so far is 1 from 1 on this machine now."""
    halves = control[::2], control[1::2] or control
    shares = {"p50": 0.5, "p99": 0.99}
    of_halves = {
        key: [median(quantile(one, share) for one in half) for half in halves] for key, share in shares.items()
    }
    return {key: round(even / odd, 2) for key, (even, odd) in of_halves.items()}


def _quantiles_of(blocks: dict[str, list[list[float]]]) -> dict[str, list[dict[str, float]]]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return {
        name: [{key: round(quantile(block, share) * 1e3, 3) for key, share in shares.items()} for block in several]
        for name, several in blocks.items()
    }
