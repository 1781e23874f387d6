"""What the tracing interceptor of Temporal's SDK may say and carry.

An error's text may quote a number or a provider's message, so a span has its kind alone. A backend's baggage would lie
in plain in Temporal's histories, so only the trace's id travels. A header that nobody can read is no header: it must
not fail the task of an order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.trace import Span, SpanContext, Status, StatusCode, Tracer, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor
from temporalio.converter import DefaultPayloadConverter
from temporalio.worker import WorkflowInboundInterceptor, WorkflowInterceptorClassInput

ERROR_TYPE = "error.type"


class DiscreetSpan(Span):
    """A span that keeps an error's kind and drops its text."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def record_exception(self, exception: BaseException, *args: Any, **options: Any) -> None:
        """Keep the kind of the exception."""
        self._span.set_attribute(ERROR_TYPE, type(exception).__name__)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Keep the kind of an error, which the interceptor writes before a colon."""
        if isinstance(status, StatusCode):
            status = Status(status, description if status is StatusCode.ERROR else None)
        kind = status.description and status.description.partition(":")[0]
        self._span.set_status(Status(status.status_code, kind))

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Keep the event."""
        self._span.add_event(name, attributes, timestamp)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Keep the attribute."""
        self._span.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Keep the attributes."""
        self._span.set_attributes(attributes)

    def update_name(self, name: str) -> None:
        """Change the name."""
        self._span.update_name(name)

    def get_span_context(self) -> SpanContext:
        """Return the span's identity."""
        return self._span.get_span_context()

    def is_recording(self) -> bool:
        """Whether anybody will see it."""
        return self._span.is_recording()

    def end(self, end_time: int | None = None) -> None:
        """End it, at a time in nanoseconds since the epoch or now."""
        self._span.end(end_time)


class DiscreetTracer(Tracer):
    """A tracer of discreet spans."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start_span(self, name: str, *args: Any, **options: Any) -> DiscreetSpan:
        """Start a span."""
        return DiscreetSpan(self._tracer.start_span(name, *args, **options))

    def start_as_current_span(self, name: str, *args: Any, **options: Any) -> Any:
        """Return a context that ends the span; its errors are the interceptor's to note."""
        span = self.start_span(name, *args, **options)
        return use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)


class Carriers(DefaultPayloadConverter):
    """Reads the trace's id out of a header, or nothing."""

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None) -> list[Any]:
        """Return one mapping of texts for each payload."""
        return [self._carrier(payload) for payload in payloads]

    def _carrier(self, payload: Payload) -> dict[str, str]:
        try:
            [found] = super().from_payloads([payload])
        except Exception:
            # Whatever a stranger's header does to a converter.
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, str)}


class Tracing(TracingInterceptor):
    """The SDK's interceptor with a discreet tracer."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(DiscreetTracer(tracer))
        self.text_map_propagator = TraceContextTextMapPropagator()
        self.payload_converter = Carriers()

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[TracingWorkflowInboundInterceptor]:
        """Trace every workflow."""
        super().workflow_interceptor_class(input)
        return _TracedWorkflow


class _TracedWorkflow(TracingWorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self.text_map_propagator = TraceContextTextMapPropagator()
        self.payload_converter = Carriers()
