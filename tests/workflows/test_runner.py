"""A workflow is never run past its last task."""

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from workflows.runner import WHY, Guard


class Workflow:
    """What the guard stands before."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.guard = Guard(self._activate)

    def _activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self.seen.append(act.history_length)
        return WorkflowActivationCompletion(run_id=act.run_id)

    def run(self, second: int, events: int, *, replaying: bool = False) -> str:
        """Activate it; what the SDK is told went wrong."""
        act = WorkflowActivation(run_id="run", history_length=events, is_replaying=replaying)
        act.timestamp.seconds = second
        return self.guard(act).failed.failure.message


def test_tasks_go_through() -> None:
    workflow = Workflow()
    assert [workflow.run(1, 3), workflow.run(2, 8), workflow.run(3, 14)] == ["", "", ""]
    assert workflow.seen == [3, 8, 14]


def test_what_no_task_has_brought_is_not_run_and_the_asker_is_told_to_ask_again() -> None:
    workflow = Workflow()
    workflow.run(1, 3, replaying=True)
    assert workflow.run(1, 8) == WHY
    assert workflow.seen == [3]


def test_a_task_that_needs_several_steps_goes_through() -> None:
    workflow = Workflow()
    assert [workflow.run(1, 3), workflow.run(1, 3)] == ["", ""]


def test_replays_go_through_whatever_their_clock() -> None:
    workflow = Workflow()
    assert [workflow.run(1, 3, replaying=True), workflow.run(1, 8, replaying=True)] == ["", ""]
