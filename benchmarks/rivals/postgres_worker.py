"""A loop over a PostgreSQL table: the queue that many shops write themselves.

Uses what the manual and every guide to such queues advise: rows are taken with `FOR UPDATE SKIP LOCKED`, a lease of
30 s instead of an open transaction while the provider is asked, renewed every 10 s by a worker that lives, rows whose
lease ran out are taken again, and "may exist" is committed before the POST leaves, so that a row whose worker died in
the middle of a send is looked up by its ref before it is sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.rivals.orders import Order, RivalSettings, Seen, ask, claim

READY = "PostgreSQL worker is ready"
POLL_SECONDS = 0.5
RENEW_SECONDS = 10.0

TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    ref text PRIMARY KEY,
    phone text NOT NULL,
    may_exist boolean NOT NULL DEFAULT false,
    topup_id text,
    outcome text,
    due_at timestamptz NOT NULL DEFAULT now(),
    worker text,
    lease_until timestamptz
);
CREATE INDEX IF NOT EXISTS orders_due ON orders (due_at) WHERE outcome IS NULL;
"""
SUBMIT = "INSERT INTO orders (ref, phone) VALUES (%s, %s) ON CONFLICT (ref) DO NOTHING"
TAKE = """
UPDATE orders SET worker = %s, lease_until = now() + interval '30 s' WHERE ref IN (
    SELECT ref FROM orders
    WHERE outcome IS NULL AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
    ORDER BY due_at LIMIT 50 FOR UPDATE SKIP LOCKED
) RETURNING ref, phone, may_exist, topup_id
"""
RENEW = "UPDATE orders SET lease_until = now() + interval '30 s' WHERE worker = %s AND outcome IS NULL"
ABOUT_TO_SEND = "UPDATE orders SET may_exist = true WHERE ref = %s"
GIVE_BACK = """
UPDATE orders SET may_exist = %s, topup_id = %s, outcome = %s, due_at = now() + make_interval(secs => %s),
    worker = NULL, lease_until = NULL
WHERE ref = %s AND worker = %s
"""


class Worker:
    """One worker with one connection; statements wait for each other, requests to the provider don't."""

    def __init__(self, settings: RivalSettings, connection: psycopg.AsyncConnection[Any]) -> None:
        self._settings = settings
        self._connection = connection
        self._provider = settings.provider()
        self._name = uuid4().hex

    async def run(self) -> None:
        """Work until killed; a failure ends the process, and its leases run out."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            while True:
                taken = await self._connection.execute(TAKE, [self._name])
                for ref, phone, may_exist, topup_id in await taken.fetchall():
                    group.create_task(self._advance(Order(ref, phone), may_exist, topup_id))
                await asyncio.sleep(POLL_SECONDS)

    async def _advance(self, order: Order, may_exist: bool, topup_id: str | None) -> None:
        if not may_exist:
            await self._connection.execute(ABOUT_TO_SEND, [order.ref])
        seen = await ask(self._provider, order, may_exist=may_exist, topup_id=topup_id)
        if seen.outcome:
            await asyncio.to_thread(claim, self._settings.claims, order.ref, seen.outcome)
        await self._give_back(order, seen)

    async def _give_back(self, order: Order, seen: Seen) -> None:
        news = [seen.may_exist, seen.topup_id, seen.outcome, seen.wait]
        await self._connection.execute(GIVE_BACK, [*news, order.ref, self._name])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._connection.execute(RENEW, [self._name])


def submitter(storage: str) -> Callable[[Order], Awaitable[None]]:
    """Return what hands an order over: it is committed when it returns. The worker has made the table before."""

    async def submit(order: Order) -> None:
        async with await psycopg.AsyncConnection.connect(storage) as connection:
            await connection.execute(SUBMIT, [order.ref, order.phone])

    return submit


async def main() -> None:
    """Work until killed."""
    settings = RivalSettings()
    async with await psycopg.AsyncConnection.connect(settings.storage, autocommit=True) as connection:
        await connection.execute(TABLE)
        print(READY, flush=True)
        await Worker(settings, connection).run()


if __name__ == "__main__":
    asyncio.run(main())
