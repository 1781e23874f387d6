"""The control at the rate limit: what public integrations of the provider do. Plain httpx, and no code of ours.

Each order is a task: it posts the order, then asks for it by its id every 5 to 10 s until it ended. Nothing limits how
often it asks in all; a 429 is waited out as `Retry-After` says, and the same is tried again.
`python -m benchmarks.naive --url http://127.0.0.1:8033/v3 --key K --in-flight 100 --fill-seconds 45 --seconds 300`
"""

import argparse
import asyncio
import random
import uuid
from contextlib import suppress
from typing import Any

import httpx

POLL_SECONDS = 5.0, 10.0
ANSWER_SECONDS = 30.0
FINAL = frozenset({"FULFILLED", "REFUNDED"})
CHANCE = random.SystemRandom()


async def keep_in_flight(http: httpx.AsyncClient, in_flight: int, fill_seconds: float) -> None:
    """Begin orders evenly over `fill_seconds`, and a new one whenever one ends. Never returns."""
    async with asyncio.TaskGroup() as slots:
        for number in range(in_flight):
            slots.create_task(_slot(http, number * fill_seconds / in_flight))


async def _slot(http: httpx.AsyncClient, begin_after: float) -> None:
    await asyncio.sleep(begin_after)
    while True:
        await _order(http)


async def _order(http: httpx.AsyncClient) -> None:
    body = {"plan_code": "PREPAID_DJEZZY", "MSSIDN": "0771234567", "amount": 100, "ref": f"naive-{uuid.uuid4().hex}"}
    topup_id = (await _patiently(http, "POST", "/mobile/send", json=body))["topupId"]
    status = "PENDING"
    while status not in FINAL:
        await asyncio.sleep(CHANCE.uniform(*POLL_SECONDS))
        status = (await _patiently(http, "GET", f"/mobile/check-id/{topup_id}"))["status"]


async def _patiently(http: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
    while True:
        answer = await http.request(method, path, **more)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            data: dict[str, Any] = answer.raise_for_status().json()["data"]
            return data
        await asyncio.sleep(float(answer.headers["Retry-After"]))


async def _run(options: argparse.Namespace) -> None:
    http = httpx.AsyncClient(
        base_url=options.url,
        headers={"X-Access-Token": options.key},
        timeout=ANSWER_SECONDS,
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )
    async with http:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await keep_in_flight(http, options.in_flight, options.fill_seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naive", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--fill-seconds", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    return parser


if __name__ == "__main__":
    asyncio.run(_run(_parser().parse_args()))
