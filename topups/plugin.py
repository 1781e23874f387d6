"""What client, worker and replayer must share: the payload converter, the guard of words and the sandbox."""

import dataclasses

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from topups.guarded import GuardedWords

# Pure or well-behaved modules; loading them anew for each run would cost most of a replay's time.
PASSED_THROUGH = ("topups", "activities", "pydantic", "pydantic_core", "phonenumbers", "annotated_types")


class TopUpsPlugin(SimplePlugin):
    """Give it to `Client.connect(plugins=[…])`; a worker made from that client has it too."""

    def __init__(self) -> None:
        super().__init__(
            "topups",
            data_converter=pydantic_data_converter,
            interceptors=[GuardedWords()],
            workflow_runner=_with_pass_through,
        )


def _with_pass_through(runner: WorkflowRunner | None) -> WorkflowRunner:
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner()
    return dataclasses.replace(runner, restrictions=runner.restrictions.with_passthrough_modules(*PASSED_THROUGH))
