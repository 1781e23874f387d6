"""The SDK's runtime of a worker: its metrics endpoint, and its core's own log lines in the shape of all others."""

import sys

from temporalio.runtime import LoggingConfig, LoggingFormat, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter

from topups.errors import SetupNeeded
from watch.metrics import BUCKETS


def worker_runtime(metrics_address: str | None) -> Runtime:
    """Return a runtime that serves /metrics at `metrics_address` (IP:port), or nowhere. Raises SetupNeeded."""
    prometheus = metrics_address and PrometheusConfig(
        bind_address=metrics_address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )
    logging = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        format=None if sys.stdout.isatty() else LoggingFormat.JSON,
    )
    try:
        return Runtime(
            telemetry=TelemetryConfig(logging=logging, metrics=prometheus or None, attach_service_name=False)
        )
    except ValueError as error:
        raise SetupNeeded(f"TOPUPS_METRICS_ADDRESS: {metrics_address} can't be listened on ({error})") from error
