"""The stage of a workflow test: a server, a worker and a provider that follows a script."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.provider import ScriptedProvider
from tests.workflows.stage import Stage
from topups import TopUps
from topups.settings import TASK_QUEUE, ClientSettings
from workflows import TopUp, TopUpAudit


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def stage(env: WorkflowEnvironment, provider: ScriptedProvider) -> AsyncIterator[Stage]:
    # A real server moves the clock of each order by itself; it must know so from the start.
    skipper = None
    if not env.supports_time_skipping_v1:
        skipper = TimeSkipper(env.client, config=TimeSkippingConfig(enabled=False))
    topups = TopUps(skipper.client if skipper else env.client, ClientSettings())
    async with Worker(env.client, task_queue=TASK_QUEUE, workflows=[TopUp, TopUpAudit], activities=provider.activities):
        yield Stage(env, provider, topups, skipper)


@pytest.fixture
def exact_clock(env: WorkflowEnvironment) -> None:
    """For tests that measure times: to move a real server's clock takes a second or so of that clock."""
    if not env.supports_time_skipping_v1:
        pytest.skip("measures times, which only the time-skipping test server keeps to the second")
