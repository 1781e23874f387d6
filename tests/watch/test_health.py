"""/healthz and /readyz: who asks learns in one line whether a worker takes part, and if not, why."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from starter.processes import free_port
from topups import SetupNeeded
from watch.health import ANSWERED_WITHIN_SECONDS, Health, serving


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    """A worker that is at work."""
    worker = Health(set_up=True, polling=True, key="accepted", now=clock)
    worker.temporal_answered()
    return worker


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def asked(health: Health, port: int) -> AsyncIterator[httpx.AsyncClient]:
    http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    async with serving(health, f"127.0.0.1:{port}"), http:
        yield http


async def test_a_worker_at_work_is_alive_and_ready(asked: httpx.AsyncClient) -> None:
    assert (await asked.get("/healthz")).json() == {"alive": True}
    answer = await asked.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": [], "key": "accepted"})
    assert answer.text.count("\n") == 1


async def test_a_worker_that_is_not_connected_yet_is_alive_but_not_ready(
    asked: httpx.AsyncClient, health: Health
) -> None:
    health.set_up = False
    assert (await asked.get("/healthz")).status_code == 200
    answer = await asked.get("/readyz")
    assert answer.status_code == 503
    assert "not connected to Temporal" in answer.json()["reasons"][0]


@pytest.mark.parametrize(
    ("change", "reason"), [({"polling": False}, "not polling for orders"), ({"stopping": True}, "stopping")]
)
async def test_a_worker_that_polls_no_more_is_not_ready(
    asked: httpx.AsyncClient, health: Health, change: dict[str, bool], reason: str
) -> None:
    for name, value in change.items():
        setattr(health, name, value)
    answer = await asked.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, [reason])


async def test_a_silent_temporal_makes_a_worker_unready_until_it_answers_again(
    asked: httpx.AsyncClient, health: Health, clock: Clock
) -> None:
    clock.seconds += ANSWERED_WITHIN_SECONDS
    assert (await asked.get("/readyz")).status_code == 200
    clock.seconds += 0.1
    answer = await asked.get("/readyz")
    assert answer.status_code == 503
    assert "Temporal hasn't answered" in answer.json()["reasons"][0]
    health.temporal_answered()
    assert (await asked.get("/readyz")).status_code == 200


async def test_a_worker_to_which_temporal_never_answered_is_not_ready() -> None:
    assert not Health(set_up=True, polling=True).ready


async def test_a_refused_key_is_shown_and_no_reason_to_take_the_worker_away(
    asked: httpx.AsyncClient, health: Health
) -> None:
    health.key = "INVALID_ACCESS_TOKEN"
    answer = await asked.get("/readyz")
    assert (answer.status_code, answer.json()["key"]) == (200, "INVALID_ACCESS_TOKEN")


async def test_other_paths_and_methods_are_refused(asked: httpx.AsyncClient) -> None:
    assert (await asked.get("/")).status_code == 404
    assert (await asked.post("/readyz", content=b"x")).status_code == 405
    assert (await asked.get("/healthz?verbose=1")).status_code == 200
    head = await asked.head("/readyz")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("nonsense", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"half a line", b""], ids=repr)
async def test_nonsense_harms_nobody(asked: httpx.AsyncClient, port: int, nonsense: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(nonsense)
    writer.write_eof()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    assert (await asked.get("/healthz")).status_code == 200


async def test_a_port_in_use_is_a_wrong_setting(asked: httpx.AsyncClient, health: Health, port: int) -> None:
    with pytest.raises(SetupNeeded, match=rf"TOPUPS_HEALTH_ADDRESS: 127\.0\.0\.1:{port} can't be listened on"):
        async with serving(health, f"127.0.0.1:{port}"):
            pytest.fail("two listen on one port")


async def test_without_an_address_nobody_listens(health: Health) -> None:
    async with serving(health, None):
        assert health.ready
