"""The time, as something that stands in an order's history: what hangs on it comes out the same in every replay."""

from datetime import UTC, datetime

from temporalio import activity


class ClockActivities:
    """Reads this worker's clock."""

    @activity.defn
    async def read_clock(self, at_least: datetime) -> datetime:
        """Return the time now, and never less than the server's, which a slow clock here would forget."""
        return max(at_least, datetime.now(UTC))
