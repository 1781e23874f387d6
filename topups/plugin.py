"""What client, worker and replayer must share: payload converter and encryption, the guard of words, the sandbox."""

import dataclasses

from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from topups.encryption import EncryptedPayloads, Keys, Readable
from topups.guarded import GuardedWords

# Pure or well-behaved modules; loading them anew for each run would cost most of a replay's time.
PASSED_THROUGH = ("topups", "activities", "pydantic", "pydantic_core", "phonenumbers", "annotated_types")


class TopUpsPlugin(SimplePlugin):
    """Give it to `Client.connect(plugins=[…])`; a worker made from that client has it too.

    `keys` are those of `TOPUPS_ENCRYPTION_KEYS` when not given. Raises SetupNeeded when they are malformed.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        super().__init__(
            "topups",
            data_converter=converter(Keys.from_environment() if keys is None else keys),
            interceptors=[GuardedWords()],
            workflow_runner=_with_pass_through,
        )


def converter(keys: Keys) -> DataConverter:
    """Return the one converter of this system. A failure's text is encrypted only where there is a key for it."""
    encrypting = DataConverter(payload_converter_class=Readable, payload_codec=EncryptedPayloads(keys))
    if keys.first is None:
        return encrypting
    return dataclasses.replace(encrypting, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)


def _with_pass_through(runner: WorkflowRunner | None) -> WorkflowRunner:
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner()
    return dataclasses.replace(runner, restrictions=runner.restrictions.with_passthrough_modules(*PASSED_THROUGH))
