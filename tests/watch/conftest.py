"""A worker's metrics as a scrape shows them."""

import re
from collections.abc import Callable

import httpx
import pytest
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime

from starter.processes import free_port
from watch.metrics import Metrics
from watch.runtime import worker_runtime

Scrape = dict[str, float]
_SAMPLE = re.compile(r"(?P<series>[a-z_]+(?:\{.*\})?) (?P<value>\S+)")


def scraped(port: int) -> Scrape:
    """Every series of that endpoint with its value."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text.splitlines()
    found = [_SAMPLE.fullmatch(line) for line in lines if not line.startswith("#")]
    return {match["series"]: float(match["value"]) for match in found if match}


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def runtime(port: int) -> Runtime:
    return worker_runtime(f"127.0.0.1:{port}")


@pytest.fixture
def meter(runtime: Runtime) -> MetricMeter:
    """Of a runtime that lives as long as the test: its endpoint goes with it."""
    return runtime.metric_meter


@pytest.fixture
def metrics(meter: MetricMeter) -> Metrics:
    return Metrics(meter, now=lambda: 1_000.0)


@pytest.fixture
def scrape(port: int) -> Callable[[], Scrape]:
    return lambda: scraped(port)
