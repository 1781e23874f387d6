"""Virtual time: what the benchmark of pages and turns stands on."""

import asyncio
import time

import pytest

from benchmarks.rounds import play
from benchmarks.virtual_time import run


def test_hours_of_waiting_take_no_time() -> None:
    async def wait() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(asyncio.sleep(3 * 3_600), asyncio.to_thread(int, "7"))
        return asyncio.get_running_loop().time() - began

    began = time.monotonic()
    assert run(wait()) == pytest.approx(3 * 3_600)
    assert time.monotonic() - began < 60


def test_a_thread_s_answer_and_its_error_come_back_at_the_same_moment() -> None:
    async def work() -> tuple[int, float]:
        began = asyncio.get_running_loop().time()
        answer = await asyncio.to_thread(int, "7")
        with pytest.raises(ValueError, match="seven"):
            await asyncio.to_thread(int, "seven")
        return answer, asyncio.get_running_loop().time() - began

    assert run(work()) == (7, 0.0)


def test_the_same_chance_gives_the_same_run() -> None:
    once, again, other = play(10, 2), play(10, 2), play(10, 2, seed=2)
    assert once == again
    assert once.lags != other.lags
    assert once.orders_a_minute > 50
