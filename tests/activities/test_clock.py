"""The time that an order's history keeps."""

from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities import ClockActivities


async def test_the_time_is_now_and_never_less_than_the_servers() -> None:
    before = datetime.now(UTC)
    read = await ActivityEnvironment().run(ClockActivities().read_clock, before - timedelta(hours=1))
    assert before <= read <= datetime.now(UTC)
    ahead = before + timedelta(hours=1)
    assert await ActivityEnvironment().run(ClockActivities().read_clock, ahead) == ahead
