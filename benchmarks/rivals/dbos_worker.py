"""DBOS Transact: an order is a durable workflow of checkpointed steps, on a SQLite system database.

Uses, as its documentation has it: `DBOSClient.enqueue` with the ref as workflow id (a second submit is the same
order), a queue, steps whose results are checkpointed, durable sleep between them, and the recovery of pending
workflows when the process starts again under the same executor id. A step that died in the middle runs again, so a
send is repeated with the same ref, which the provider refuses when it knows it; that answer leads to a look-up. Steps
have no retries of DBOS's: those give up after `max_attempts`, the workflow's own loop never does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions

from benchmarks.rivals.orders import Order, Outcome, RivalSettings, Seen, ask, claim
from oneclickdz import OneClickDZ

NAME = "dbos"
QUEUE = "orders"
READY = "DBOS worker is ready"


@cache
def settings() -> RivalSettings:
    """From the environment, once."""
    return RivalSettings()


@cache
def provider() -> OneClickDZ:
    """One client for all workflows: they share one event loop."""
    return settings().provider()


@DBOS.step()
async def ask_provider(order: Order, *, may_exist: bool, topup_id: str | None) -> Seen:
    """Run at least once; its answer is checkpointed."""
    return await ask(provider(), order, may_exist=may_exist, topup_id=topup_id)


@DBOS.step()
async def tell(ref: str, outcome: Outcome) -> None:
    """Tell the shop; here the judge's file."""
    await asyncio.to_thread(claim, settings().claims, ref, outcome)


@DBOS.workflow()
async def top_up(order: Order) -> Outcome:
    """Ask until the order has ended."""
    seen: Seen = Seen()
    while True:
        seen = await ask_provider(order, may_exist=seen.may_exist, topup_id=seen.topup_id)
        if seen.outcome:
            await tell(order.ref, seen.outcome)
            return seen.outcome
        await DBOS.sleep_async(seen.wait)


def submitter(storage: str) -> Callable[[Order], Awaitable[None]]:
    """Return what hands an order over durably; the worker has made the database before."""
    client = DBOSClient(system_database_url=storage, application_name=NAME)

    async def submit(order: Order) -> None:
        options: EnqueueOptions = {
            "workflow_name": top_up.__qualname__,
            "queue_name": QUEUE,
            "workflow_id": order.ref,
        }
        await client.enqueue_async(options, order)

    return submit


async def main() -> None:
    """Work until killed."""
    config: DBOSConfig = {"name": NAME, "system_database_url": settings().storage, "log_level": "WARNING"}
    DBOS(config=config)
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE)
    print(READY, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
