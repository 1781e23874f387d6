"""OpenTelemetry itself; loaded only where traces are on, since it is an extra."""

import os
import threading
from functools import cache

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from temporalio.plugin import SimplePlugin

from topups.traces.discreet import Tracing

FLUSH_SECONDS = 2.0


def plugin(provider: TracerProvider) -> SimplePlugin:
    """Return the plugin of a client, and of a worker made from it, that writes spans to this provider."""
    return SimplePlugin("topups-traces", interceptors=[Tracing(provider.get_tracer("topups"))])


@cache
def provider() -> TracerProvider:
    """Return this process's provider: the one that a backend has set up for itself, else our own."""
    known = trace.get_tracer_provider()
    if isinstance(known, TracerProvider):
        return known
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "topups"}
    # Its own way to end would wait up to 30 s for a collector that doesn't answer: `flush` is ours.
    made = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


def flush() -> None:
    """Hand over what is still here, if there is anything, within `FLUSH_SECONDS`."""
    if provider.cache_info().currsize:
        # The SDK's processor ignores the time it is given.
        flushing = threading.Thread(target=provider().force_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
