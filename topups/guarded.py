"""Words that come with the wrong number of arguments are dropped, as the SDK drops those it can't read.

Without this, `temporal workflow signal --name recheck` with no input makes the handler raise TypeError, which fails
the workflow's task again and again: the order stands still until somebody resets it.
"""

from temporalio import workflow
from temporalio.worker import HandleSignalInput, Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput


class GuardedWords(Interceptor):
    """Interceptor of workers and replayers; both need it, or a replay would differ."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Guard every workflow."""
        return _Guard


class _Guard(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        if len(input.args) != 1:
            workflow.logger.warning("Signal %s came with %d arguments, not 1: dropped", input.signal, len(input.args))
            return
        await super().handle_signal(input)
