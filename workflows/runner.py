"""Runs workflows up to their last task and never past it.

The SDK answers a query of a workflow that no worker has in memory by running its whole history, what came after the
last task included: as if another task had begun, at the time of the last. The run stays in memory, and what it decided
there goes into the next task: decided at another time than a replay sees, and of words and answers one by one that a
replay sees at once. No worker could go on with such an order, and it stood still for ever.
"""

from collections.abc import Callable

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

WHY = "the order has news that no worker has taken up yet; ask again in a moment"

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]


class UpToTheLastTask(UnsandboxedWorkflowRunner):
    """A query between an event and its task is refused, and its run is forgotten.

    Without the SDK's sandbox, which costs half of an order's CPU: what it would stop, the tests of replay stop.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return a workflow that doesn't run past its last task."""
        instance = super().create_instance(det)
        instance.activate = Guard(instance.activate)  # type: ignore[method-assign]
        return instance


class Guard:
    """Lets one workflow's activations through, but those that belong to no task."""

    def __init__(self, activate: Activate) -> None:
        self._activate = activate
        self._begun_at: tuple[int, int] | None = None
        self._events = 0

    def __call__(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Run an activation. A failed one makes the SDK forget the run and tell the asker why; no task fails by it."""
        begun_at = (act.timestamp.seconds, act.timestamp.nanos)
        # Each task begins at a time of its own; only what no task has brought comes at the time of the last.
        astray = begun_at == self._begun_at and act.history_length > self._events and not act.is_replaying
        self._begun_at, self._events = begun_at, act.history_length
        if not astray:
            return self._activate(act)
        completion = WorkflowActivationCompletion(run_id=act.run_id)
        completion.failed.failure.message = WHY
        return completion
