"""Celery with Redis: an order is a task that retries itself until the order has ended.

Uses, as its documentation has it: `acks_late`, so that a task whose worker died is delivered again; a visibility
time-out of 60 s, longer than a POST (30 s) or a wait (20 s) lasts, since a shorter one would deliver tasks twice that
are only slow; looks for abandoned tasks every 5 s, far more often than kombu's default of 100 s; `retry` with a
countdown and `max_retries=None`, which keeps where the order stands in the next message; `prefetch_multiplier=1`; the
thread pool, since the task waits for the network; Redis with `appendonly yes`. A task that is delivered again sends
again with the same ref, which the provider refuses when it knows it; that answer leads to a look-up.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import cache

from celery import Celery, Task

from benchmarks.rivals.orders import Order, RivalSettings, Seen, as_json, ask, claim
from oneclickdz import OneClickDZ

READY = " ready."
THREADS = 32
VISIBILITY_SECONDS = 60
LOOK_FOR_ABANDONED_SECONDS = 5

app = Celery("orders")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": LOOK_FOR_ABANDONED_SECONDS,
        "unacked_restore_throttle": 1,
    },
)


@cache
def settings() -> RivalSettings:
    """From the environment, once."""
    return RivalSettings()


class Loop:
    """One event loop for the provider's client, which all threads of the pool share."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.provider: OneClickDZ = settings().provider()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, order: Order, *, may_exist: bool, topup_id: str | None) -> Seen:
        """Ask, and block this thread until the answer is there."""
        asking = ask(self.provider, order, may_exist=may_exist, topup_id=topup_id)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()


the_loop = cache(Loop)


@app.task(bind=True, max_retries=None, name="top_up")
def top_up(self: Task, order: dict[str, str], may_exist: bool = False, topup_id: str | None = None) -> None:
    """Ask once; retry with what was seen until the order has ended."""
    seen = the_loop().run(Order(**order), may_exist=may_exist, topup_id=topup_id)
    if seen.outcome:
        claim(settings().claims, order["ref"], seen.outcome)
        return
    raise self.retry(args=[order, seen.may_exist, seen.topup_id], countdown=seen.wait)


def submitter(storage: str) -> Callable[[Order], Awaitable[None]]:
    """Return what hands an order over: Redis has it when it returns."""
    shop = Celery("shop", broker=storage)

    async def submit(order: Order) -> None:
        await asyncio.to_thread(shop.send_task, top_up.name, args=[as_json(order)], task_id=order.ref)

    return submit


def main() -> None:
    """Work until killed."""
    app.conf.broker_url = settings().storage
    the_loop()  # Before there are threads that could make two.
    app.worker_main(["worker", "--pool", "threads", "--concurrency", str(THREADS), "--loglevel", "INFO"])


if __name__ == "__main__":
    main()
