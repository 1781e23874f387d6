"""`docker compose up --wait` is a working system, and the death of any of its services loses nothing."""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from tests.containers.conftest import Stack
from topups import Phase, TopUpOrder, TopUpRequest, TopUps

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

SERVICES = ("worker", "temporal", "postgresql", "simulator", "ui")
ORDERS = 3
LOOK_SECONDS = 2.0
NOBODY_KNOWS = "0600000003"  # the stand-in's number for UNKNOWN_ERROR
PATIENCE_SECONDS = 120


async def _submitted(topups: TopUps, ref: str) -> TopUpOrder:
    return await topups.submit(TopUpRequest(ref=ref, plan_code="PREPAID_DJEZZY", phone="0771234567", amount=500))


async def _shown(stack: Stack, line: str) -> None:
    """Wait until one of the workers shows this to the others of the stack."""
    ask = "import urllib.request as web; print(web.urlopen('http://worker:9464/metrics').read().decode())"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if line in stack.docker("exec", "-T", "simulator", "python", "-c", ask).splitlines():
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _workers_are(stack: Stack, health: str) -> None:
    """Wait until all workers are said to be so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if {row["Health"] for row in stack.services() if row["Service"] == "worker"} == {health}:
                return
            await asyncio.sleep(LOOK_SECONDS)


def _ledger(stack: Stack) -> list[dict[str, object]]:
    text = stack.docker("exec", "-T", "simulator", "cat", "/var/lib/topups/ledger.jsonl")
    return [json.loads(line) for line in text.splitlines()]


async def test_an_order_from_outside_is_delivered(topups: TopUps) -> None:
    order = await _submitted(topups, "from-outside")
    assert (await order.result(timeout=PATIENCE_SECONDS)).phase is Phase.FULFILLED


async def test_the_command_is_there_inside(stack: Stack) -> None:
    send = "topup send --ref from-inside --plan PREPAID_DJEZZY --phone 0771234567 --amount 500 --wait 100 --json"
    assert json.loads(stack.docker("exec", "-T", "worker", *send.split()))["phase"] == "FULFILLED"


async def test_every_service_says_that_it_is_healthy(stack: Stack) -> None:
    assert {(row["Service"], row["Health"]) for row in stack.services()} == {(name, "healthy") for name in SERVICES}


async def test_a_worker_counts_orders_on_postgresql(stack: Stack, topups: TopUps) -> None:
    await topups.submit(TopUpRequest(ref="undecided", plan_code="PREPAID_DJEZZY", phone=NOBODY_KNOWS, amount=500))
    await _shown(stack, 'topups_open_orders{phase="UNKNOWN_ERROR"} 1')
    await _shown(stack, "topups_rechecks_due 0")


async def test_no_container_runs_as_root(stack: Stack) -> None:
    for service in SERVICES:
        assert stack.docker("exec", "-T", service, "id", "-u").strip() != "0", service


async def test_the_ui_answers(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stack.env['UI_PORT']}") as ui:
        assert "topups" in (await ui.get("/api/v1/namespaces")).text


@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_is_killed_every_order_is_delivered_once(stack: Stack, topups: TopUps, service: str) -> None:
    orders = [await _submitted(topups, f"killed-{service}-{number}") for number in range(ORDERS)]
    stack.docker("kill", service)
    stack.up()
    for order in orders:
        assert (await order.result(timeout=PATIENCE_SECONDS)).phase is Phase.FULFILLED
    delivered = Counter(row["ref"] for row in _ledger(stack) if row["kind"] == "delivery")
    assert {order.ref: delivered[order.ref] for order in orders} == {order.ref: 1 for order in orders}


async def test_a_worker_without_its_temporal_is_unhealthy_until_that_is_back(stack: Stack) -> None:
    stack.docker("stop", "temporal")
    await _workers_are(stack, "unhealthy")
    stack.docker("start", "temporal")
    await _workers_are(stack, "healthy")
