"""Traces from `submit` to the provider's answer, by the interceptor of Temporal's SDK: the extra `otel`.

On where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; OpenTelemetry's own `OTEL_…` variables say the rest. Of the SDK's two
ways this is the stable one: a workflow's spans are written at once and outside of it, so an order that takes days shows
its trace meanwhile, and nothing of OpenTelemetry's exporter runs within a workflow.
"""

import importlib
import os
import sys
from typing import Any

from temporalio.plugin import SimplePlugin

from topups.errors import SetupNeeded

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


def is_on() -> bool:
    """Whether somebody asked for traces."""
    return bool(os.environ.get(VARIABLE))


def loaded(module: str) -> Any:
    """Return a module that needs the extra. Raises SetupNeeded."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SetupNeeded(f"{VARIABLE} is set, but {error.name} is missing: install durable-topups[otel]") from error


def plugins() -> list[SimplePlugin]:
    """Return what a client needs to take part in traces; a worker made from it has it too. Raises SetupNeeded."""
    if not is_on():
        return []
    otlp = loaded("topups.traces.otlp")
    return [otlp.plugin(otlp.provider())]


def flush() -> None:
    """Send what is still here, 2 s at most: for a process that leaves at once."""
    otlp = sys.modules.get("topups.traces.otlp")
    if otlp is not None:
        otlp.flush()
