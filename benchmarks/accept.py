"""How long a caller waits until an order is durable.

Open loop: starts are planned on a clock, 20 a second, and each one's latency counts from its planned moment, so a slow
one can't hide those behind it. Every second start is ours, the others are the control's: whatever else the machine does
then meets both alike. What is compared are medians of the quantiles of 10 s blocks.

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
BLOCK_SECONDS = 10.0
AT_MOST = 1.25
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
BLOCKS: dict[Size, int] = {"quick": 1, "full": 8, "docs": 18}

Start = Callable[[str], Awaitable[object]]
# Seconds from the planned moment, by whose start it was.
Latencies = dict[str, list[float]]


async def measure(size: Size) -> Measure:
    """Start both kinds by turns, and compare the medians of the blocks' quantiles."""
    async with server() as dev:
        topups = TopUps(await dev.connect(), ClientSettings(task_queue="nobody"))
        starts = {"ours": _ours(topups), "control": await _bare(dev.address)}
        await _block(starts, "warm", seconds=2.0)
        blocks = [await _block(starts, str(number)) for number in range(BLOCKS[size])]
    return Measure(
        name="accept",
        question=f"How long until an order is durable, at {A_SECOND} a second?",
        control="a bare start_workflow without memo, search attributes or input, plain client, same server, by turns",
        lines=tuple(_line(f"p{round(share * 100)} of a start", blocks, share) for share in (0.5, 0.99)),
        facts={
            "control_by_control": {name: _noise(blocks, share) for name, share in SHARES.items()},
            "blocks_ms": [{name: _in_ms(latencies) for name, latencies in block.items()} for block in blocks],
            "starts_of_each_in_a_block": len(blocks[0]["ours"]),
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


async def _block(starts: dict[str, Start], name: str, seconds: float = BLOCK_SECONDS) -> Latencies:
    """Start on the clock, by turns."""
    loop = asyncio.get_running_loop()
    begins_at = loop.time() + 0.05

    async def one(number: int, start: Start) -> float:
        planned = begins_at + number / A_SECOND
        await asyncio.sleep(planned - loop.time())
        await start(f"start-{name}-{number}")
        return loop.time() - planned

    whose = [list(starts)[number % len(starts)] for number in range(int(seconds * A_SECOND))]
    took = await asyncio.gather(*(one(number, starts[who]) for number, who in enumerate(whose)))
    return {who: [latency for latency, its in zip(took, whose, strict=True) if its == who] for who in starts}


def _line(what: str, blocks: list[Latencies], share: float) -> Line:
    ours, control = (median(quantile(block[who], share) for block in blocks) for who in ("ours", "control"))
    return Line(what, ours * 1e3, control * 1e3, "ms", f"<= {AT_MOST} x", ours <= AT_MOST * control)


def _noise(blocks: list[Latencies], share: float) -> float:
    """The control's even starts by its odd ones: so far is 1 from 1 on this machine now."""
    even, odd = (median(quantile(block["control"][half::2], share) for block in blocks) for half in (0, 1))
    return round(even / odd, 2)


def _in_ms(latencies: list[float]) -> dict[str, float]:
    return {name: round(quantile(latencies, share) * 1e3, 2) for name, share in SHARES.items()}
