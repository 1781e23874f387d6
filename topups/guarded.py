"""Words that come in a wrong shape are dropped or refused, as the SDK does with those it can't read at all.

Without this, `temporal workflow signal --name recheck` with no input, with `null` or with bytes reaches the handler,
whose error fails the workflow's task again and again: the order stands still until somebody resets it.
"""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from topups.models import Model


class GuardedWords(Interceptor):
    """Interceptor of workers and replayers; both need it, or a replay would differ."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Guard every workflow."""
        return _Guard


class _Guard(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        if _is_one_word(input.args):
            await super().handle_signal(input)
        else:
            workflow.logger.warning("Signal %s came without its one JSON object: dropped", input.signal)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        if not _is_one_word(input.args):
            raise ApplicationError(f"{input.update} takes one JSON object", type="NotAllowed", non_retryable=True)
        super().handle_update_validator(input)


def _is_one_word(args: Sequence[Any]) -> bool:
    # `null` and bytes are given to a handler as they came, whatever type it asks for.
    return len(args) == 1 and isinstance(args[0], Model)
