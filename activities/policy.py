"""The worker's waits, handed to an order once: an environment variable read in a workflow would break replay."""

from temporalio import activity

from topups.policy import Policy


class PolicyActivities:
    """Holds the policy that this worker's settings say."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @activity.defn
    async def read_policy(self) -> Policy:
        """Return the policy for a new order."""
        return self._policy
