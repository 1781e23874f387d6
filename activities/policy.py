"""The worker's waits, handed to an order once: an environment variable read in a workflow would break replay."""

from temporalio import activity

from topups.policy import Policy, PolicyRead


class PolicyActivities:
    """Holds the policy that this worker's settings say."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @activity.defn
    async def read_policy(self) -> PolicyRead:
        """Return the policy for a new order, and the release of this code, which the order keeps as well."""
        return PolicyRead.now(self._policy)
