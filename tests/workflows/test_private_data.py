"""With keys set, what Temporal keeps of an order names no number, no message and no customer."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.provider import ScriptedProvider, says
from tests.workflows.stage import Stage, rows_of
from topups import KeysMissing, NotAllowed, Phase, TopUpRequest, TopUps, TopUpsPlugin
from topups.books.audits import audit_id
from topups.encryption import Keys
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import TopUp, TopUpAudit

KEYS = Keys({"2026-11": b"k" * 32})
ROTATED = Keys({"2026-12": b"n" * 32, "2026-11": b"k" * 32})
PHONE, MASKED, MESSAGE, CUSTOMER = "0771234567", "077•••••67", "رقم الهاتف غير صحيح", "Mrs. Benali"


def connected(env: WorkflowEnvironment, keys: Keys) -> Client:
    return Client(env.client.service_client, namespace=env.client.namespace, plugins=[TopUpsPlugin(keys)])


def topups(env: WorkflowEnvironment, keys: Keys) -> TopUps:
    return TopUps(connected(env, keys), ClientSettings())


@pytest.fixture
async def stage(local_env: WorkflowEnvironment, provider: ScriptedProvider) -> AsyncIterator[Stage]:
    client = connected(local_env, KEYS)
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[TopUp, TopUpAudit], activities=provider.activities):
        yield Stage(local_env, provider, TopUps(skipper.client, ClientSettings()), skipper)


async def _refunded(stage: Stage, ref: str) -> None:
    stage.provider.follow("check", ValueError(f"{PHONE} was not understood"), ref=ref)
    stage.provider.follow("check", says("HANDLING"), ref=ref)
    stage.provider.follow("check", says("REFUNDED", refund_message=MESSAGE), ref=ref)
    order = await stage.submit(ref=ref, phone=PHONE, metadata={"customer": CUSTOMER})
    await stage.until(order, Phase.PENDING)
    with pytest.raises(NotAllowed):
        await order.cancel(reason=f"{CUSTOMER} left", by="fatima")
    result = await stage.end(order)
    assert (result.phase, result.refund_message, result.metadata) == (Phase.REFUNDED, MESSAGE, {"customer": CUSTOMER})


def _readable(found: Any) -> Iterator[str]:
    """Every text in a history, those in base64 opened."""
    if isinstance(found, dict):
        for value in found.values():
            yield from _readable(value)
    elif isinstance(found, list):
        for value in found:
            yield from _readable(value)
    elif isinstance(found, str):
        yield found
        if len(found) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", found):
            yield base64.b64decode(found).decode(errors="ignore")


async def test_no_number_message_or_customer_can_be_read_in_an_orders_history(stage: Stage) -> None:
    await _refunded(stage, "private")
    history = json.loads((await stage.handle_of("private").fetch_history()).to_json())
    kept = "\n".join(_readable(history))
    assert [private for private in (PHONE, MASKED, MESSAGE, CUSTOMER, "Benali") if private in kept] == []
    assert "was not understood" not in kept
    assert "binary/encrypted" in kept


async def test_no_number_or_note_can_be_read_in_the_history_of_an_orders_audit(stage: Stage) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR"), ref="private")
    order = await stage.submit(ref="private", phone=PHONE)
    await stage.until(order, Phase.PENDING)
    await stage.later(6, "private")
    await stage.until(order, Phase.UNKNOWN_ERROR)
    await stage.later(6, "private")
    assert (await order.resolve("REFUNDED", note=f"{CUSTOMER} came by", by="fatima")).taken
    await order.result(timeout=30)
    audit = stage.topups.client.get_workflow_handle(audit_id("private"))
    for handle in (stage.handle_of("private"), audit):
        kept = "\n".join(_readable(json.loads((await handle.fetch_history()).to_json())))
        assert [private for private in (PHONE, MASKED, "Benali") if private in kept] == []
    assert "Benali" not in str((await audit.describe()).raw_description)


async def test_without_keys_the_same_history_can_be_read(local_env: WorkflowEnvironment, stage: Stage) -> None:
    """Without this the test above could be one that can't find anything."""
    del stage
    plain = topups(local_env, Keys({}))
    provider = ScriptedProvider()
    skipper = TimeSkipper(plain.client, config=TimeSkippingConfig(enabled=False))
    settings = ClientSettings(task_queue="plain")
    async with Worker(plain.client, task_queue="plain", workflows=[TopUp], activities=provider.activities):
        on = Stage(local_env, provider, TopUps(skipper.client, settings), skipper)
        await _refunded(on, "plain")
        kept = "\n".join(_readable(json.loads((await on.handle_of("plain").fetch_history()).to_json())))
    assert [private for private in (PHONE, MASKED, MESSAGE, CUSTOMER) if private not in kept] == []


async def test_a_list_in_temporal_shows_no_number(stage: Stage) -> None:
    await _refunded(stage, "private")
    described = await stage.handle_of("private").describe()
    raw = str(described.raw_description)
    assert PHONE not in raw
    assert CUSTOMER not in raw


async def test_a_client_without_the_keys_is_told_which_are_missing(
    local_env: WorkflowEnvironment, stage: Stage
) -> None:
    await _refunded(stage, "private")
    order = topups(local_env, Keys({})).order("private")
    for ask in (order.view, order.result):
        with pytest.raises(KeysMissing, match="2026-11"):
            await ask()


async def test_a_word_that_nobody_can_decrypt_stops_no_order(local_env: WorkflowEnvironment, stage: Stage) -> None:
    stage.provider.follow("check", says("UNKNOWN_ERROR"), ref="private")
    order = await stage.submit(ref="private")
    await stage.until(order, Phase.PENDING)
    stranger = topups(local_env, Keys({"stolen": b"s" * 32})).client.get_workflow_handle("topup-private")
    await stranger.signal("recheck", {"by": "nobody"})
    await stage.later(6, "private")
    view = await stage.until(order, Phase.UNKNOWN_ERROR)
    assert [event.by for event in view.timeline if event.by] == []


async def test_a_worker_without_the_key_of_an_open_order_is_told_so_before_it_starts(
    local_env: WorkflowEnvironment, stage: Stage
) -> None:
    stage.provider.follow("check", says("HANDLING"), ref="private")
    await stage.until(await stage.submit(ref="private"), Phase.PENDING)
    await rows_of(stage.topups.list, {"private"})
    with pytest.raises(KeysMissing, match="2026-11"):
        await topups(local_env, Keys({})).must_be_readable()
    await topups(local_env, ROTATED).must_be_readable()


async def test_orders_from_before_a_new_key_are_still_read_and_go_on(
    local_env: WorkflowEnvironment, stage: Stage
) -> None:
    await _refunded(stage, "private")
    assert (await topups(local_env, ROTATED).order("private").view()).phone == PHONE


async def test_words_that_come_in_plain_are_understood(local_env: WorkflowEnvironment, stage: Stage) -> None:
    """As the Temporal UI and its command send them."""
    stage.provider.follow("check", says("UNKNOWN_ERROR"), ref="private")
    order = await stage.submit(ref="private")
    await stage.until(order, Phase.PENDING)
    await stage.later(6, "private")
    await stage.until(order, Phase.UNKNOWN_ERROR)
    stage.provider.follow("check", says("FULFILLED"), ref="private")
    await topups(local_env, Keys({})).client.get_workflow_handle("topup-private").signal("recheck", {"by": "fatima"})
    await stage.until(order, lambda view: any(event.by == "fatima" for event in view.timeline))
    assert (await stage.end(order)).phase is Phase.FULFILLED


async def test_an_order_of_a_client_without_keys_is_taken(local_env: WorkflowEnvironment, stage: Stage) -> None:
    plain = topups(local_env, Keys({}))
    stage.provider.follow("check", says("FULFILLED"), ref="plain")
    await plain.submit(TopUpRequest(ref="plain", plan_code="PREPAID_DJEZZY", phone=PHONE, amount=500))
    assert (await stage.end(stage.topups.order("plain"))).phase is Phase.FULFILLED
