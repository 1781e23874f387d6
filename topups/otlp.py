"""OpenTelemetry itself; loaded only where traces are on, since it is an extra."""

import os
from functools import cache

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.plugin import SimplePlugin

FLUSH_MILLIS = 2_000


def plugin(provider: TracerProvider) -> SimplePlugin:
    """Return the plugin of a client, and of a worker made from it, that writes spans to this provider."""
    return SimplePlugin("topups-traces", interceptors=[TracingInterceptor(provider.get_tracer("topups"))])


@cache
def provider() -> TracerProvider:
    """Return this process's provider: the one that a backend has set up for itself, else our own."""
    known = trace.get_tracer_provider()
    if isinstance(known, TracerProvider):
        return known
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "topups"}
    made = TracerProvider(resource=Resource.create(name))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


def flush() -> None:
    """Hand over what is still here, if there is anything."""
    if provider.cache_info().currsize:
        provider().force_flush(FLUSH_MILLIS)
