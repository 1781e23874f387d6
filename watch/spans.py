"""A span for each request to the provider, under the activity that made it; loaded only where traces are on."""

import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode

from oneclickdz import Exchange

NANOSECONDS = 1_000_000_000
# A record that isn't there is an answer, not a fault.
NO_FAULTS = frozenset({"OK", "NOT_FOUND"})


class Spans:
    """An observer of the provider's client. A request is told when it has ended, so its span is made then."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("oneclickdz")

    def exchanged(self, exchange: Exchange) -> None:
        """A request ended just now."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"provider {exchange.endpoint}",
            kind=SpanKind.CLIENT,
            start_time=ended - int(exchange.seconds * NANOSECONDS),
            attributes={"endpoint": exchange.endpoint, "http": exchange.http, "code": exchange.code},
        )
        if exchange.code not in NO_FAULTS:
            span.set_status(Status(StatusCode.ERROR, exchange.code))
        span.end(ended)

    def waited(self, kind: str, seconds: float, *, in_vain: bool) -> None:
        """A wait shows as the gap before the request's span."""
