"""No rival: a loop with the three usual mistakes, which proves that the judge sees them.

It sends again under a new ref when no answer came, calls an order failed when an answer promises nothing, and marks a
row as taken for ever, so that what a killed worker held is never taken again.
"""

import asyncio
from uuid import uuid4

import psycopg

from benchmarks.rivals.orders import AMOUNT, FIRST_CHECK_SECONDS, PLAN, Order, Outcome, RivalSettings, claim
from benchmarks.rivals.postgres_worker import POLL_SECONDS, TABLE, submitter
from oneclickdz import NoAnswer, OneClickDZ, OneClickDZError

__all__ = ["submitter"]

READY = "Careless worker is ready"
TAKE = """
UPDATE orders SET worker = 'taken' WHERE ref IN (SELECT ref FROM orders WHERE worker IS NULL FOR UPDATE SKIP LOCKED)
RETURNING ref, phone
"""


async def advance(settings: RivalSettings, provider: OneClickDZ, order: Order, ref: str) -> None:
    """See an order to its end, as long as this process lives."""
    try:
        outcome = await _send_and_check(provider, order, ref)
    except NoAnswer:
        await advance(settings, provider, order, f"{order.ref}-{uuid4().hex[:8]}")
    except OneClickDZError:
        claim(settings.claims, order.ref, "failed")
    else:
        claim(settings.claims, order.ref, outcome)


async def _send_and_check(provider: OneClickDZ, order: Order, ref: str) -> Outcome:
    sent = await provider.send(plan_code=PLAN, phone=order.phone, amount=AMOUNT, ref=ref, may_leave=lambda: None)
    status = "PENDING"
    while status in {"PENDING", "HANDLING"}:
        await asyncio.sleep(FIRST_CHECK_SECONDS)
        status = (await provider.check_id(sent.topup_id)).status
    return "delivered" if status == "FULFILLED" else "failed"


async def main() -> None:
    """Work until killed."""
    settings = RivalSettings()
    provider = settings.provider()
    async with (
        await psycopg.AsyncConnection.connect(settings.storage, autocommit=True) as connection,
        asyncio.TaskGroup() as group,
    ):
        await connection.execute(TABLE)
        print(READY, flush=True)
        while True:
            taken = await connection.execute(TAKE)
            for ref, phone in await taken.fetchall():
                group.create_task(advance(settings, provider, Order(ref, phone), ref))
            await asyncio.sleep(POLL_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
